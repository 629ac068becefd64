"""Tasks that cross tiers: what is known of them here, and moves made on an officer's behalf."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from node.app import Node
from node.audit import Event as AuditEvent
from node.clock import iso
from node.commands.view import Arguments, View, limit, text, texts
from node.commands.work import view_of
from node.faults import Code, UserFault, of_reason
from node.jobs import MoveWish
from node.status import detail_shown, reason_name
from node.texts import N_
from sync.errors import InputFault
from sync.phrase import Phrase
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.steps import counted_of, fields_of, moves_open
from tiers.flows.table import Flow, Party

TASK_BYTES = 8
ASKED_MORE = 4


async def move(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """task.move {task, move, flow?, holder?, org?, role?, fields} -> the task as it is known here then.

    Without `task` a new one is started for `holder`, with an id made here.
    """
    fields = texts(arguments, "fields")
    task = text(arguments, "task") or node.randomness.bytes(TASK_BYTES).hex()
    name, org, role = text(arguments, "move"), text(arguments, "org"), text(arguments, "role")
    holder = text(arguments, "holder")
    _check_holder(node, holder)
    wish = MoveWish(text(arguments, "flow"), task, name, holder, org, role, fields)
    try:
        move_id = await node.move(wish)
    except InputFault as fault:
        node.note(AuditEvent.MOVE_REFUSED, task=task, move=name, org=org, role=role, reason=fault.reason.name)
        raise await _in_words(node, wish, fault) from fault
    node.note(AuditEvent.MOVE_SIGNED, task=task, move=name, move_id=move_id, org=org, role=role)
    shown = await node.read(lambda reader: show_task(view_of(node, reader), {"task": task}))
    yield {"move_id": move_id, **shown}


async def _in_words(node: Node, wish: MoveWish, fault: InputFault) -> UserFault:
    """A task or move that does not exist is a slip of the pen: the advice of the reason codes is for other cases."""
    history = await node.read(lambda reader: reader.moves(wish.task))
    if not (history or wish.holder):
        return _unknown_task(wish.task)
    flow = node.catalogue.flows.get(history[0].flow if history else wish.flow)
    if flow is None or flow.rule(wish.move) is not None:
        return of_reason(Code.MOVE_REFUSED, fault.reason, fault.detail)
    return UserFault(
        Code.MOVE_UNKNOWN,
        N_("The flow {flow} has no move '{move}'; it has: {known}."),
        N_("`tiersync flow show {flow}` explains each; `tiersync task show {task}` lists those that can be made now."),
        flow=flow.id,
        move=wish.move,
        known=", ".join(rule.name for rule in flow.moves),
        task=wish.task,
    )


def _unknown_task(task: str) -> UserFault:
    return UserFault(
        Code.TASK_UNKNOWN,
        N_("Task '{task}' is not known at this node."),
        N_("`tiersync task list` shows the tasks that are; one issued a moment ago may still be on its way."),
        task=task,
    )


def _check_holder(node: Node, holder: str) -> None:
    """A task for a node that is not enrolled would wait here for ever. Raises UserFault PEER_UNKNOWN."""
    newest = node.core().registry.newest(holder) if holder else None
    if holder and (newest is None or not newest.enrolled):
        raise UserFault(
            Code.PEER_UNKNOWN,
            N_("No node '{node}' is enrolled in this federation, as far as is known here."),
            N_("`tiersync peers` lists the nodes; a node id is written as there."),
            node=holder,
        )


def list_tasks(view: View, arguments: Arguments) -> dict[str, Any]:
    """task.list {limit, open?} -> {tasks: most recently moved first}. `open`: those that are not final."""
    most, only_open = limit(arguments), bool(arguments.get("open", False))
    asked = most
    while True:
        # What is open may stand behind any number of tasks that are not.
        found = view.reader.tasks(asked)
        wanted = [last for last in found if not (only_open and _is_final(view, last))]
        if len(wanted) >= most or len(found) < asked:
            return {"tasks": [_summary(view, last) for last in wanted[:most]]}
        asked *= ASKED_MORE


def show_task(view: View, arguments: Arguments) -> dict[str, Any]:
    """task.show {task} -> its moves, what is pending, what lost its number and is kept as refused, what may be done
    here next."""
    task = text(arguments, "task")
    history = view.reader.moves(task)
    if not history:
        raise _unknown_task(task)
    pending = view.reader.pending_moves(task)
    shown = _summary(view, history[-1], pending)
    flow, first = view.catalogue.flows.get(history[0].flow), history[0]
    party = Party.ISSUER if first.issuer == view.node else Party.HOLDER
    return {
        **shown,
        "moves": [_move(body) for body in history],
        "pending": [_move(body) for body in pending],
        "refused": [_move(body) for body in view.reader.pending_moves(task, refused=True)],
        "next": _next(flow, history, pending, party) if view.node in (first.issuer, first.holder) else [],
    }


def _summary(view: View, last: MoveBody, pending: Sequence[MoveBody] | None = None) -> dict[str, Any]:
    waiting = view.reader.pending_moves(last.task) if pending is None else pending
    first = view.reader.moves(last.task)[0]
    return {
        "task": last.task,
        "flow": last.flow,
        "issuer": last.issuer,
        "holder": last.holder,
        "state": last.state,
        **_state_titles(view, last),
        "final": _is_final(view, last),
        "title": fields_of(first).get("title", ""),
        "due": _due(view, last.task),
        "number": last.number,
        "pending_moves": [body.move for body in waiting],
        "at": iso(last.at),
    }


def _is_final(view: View, last: MoveBody) -> bool:
    flow = view.catalogue.flows.get(last.flow)
    return flow is not None and flow.has_ended(last.state)


def _state_titles(view: View, last: MoveBody) -> dict[str, str]:
    """A state as people read it; the bare word where this version does not know it."""
    flow = view.catalogue.flows.get(last.flow)
    found = next((s for s in flow.states if s.name == last.state), None) if flow is not None else None
    return {"state_zh": found.title_zh if found else last.state, "state_en": found.title_en if found else last.state}


def _due(view: View, task: str) -> str:
    """The newest limit that the issuer set."""
    said = [fields_of(m).get("due", "") for m in view.reader.moves(task) if m.accepted and m.by_node == m.issuer]
    return next((due for due in reversed(said) if due), "")


def _move(body: MoveBody) -> dict[str, Any]:
    return {
        "number": body.number,
        "move": body.move,
        "move_id": body.move_id,
        "by": body.by_node,
        "org": body.by_org,
        "role": body.by_role,
        "at": iso(body.at),
        "counted_at": iso(counted_of(body)) if body.number else "",
        "fields": fields_of(body),
        "accepted": body.accepted,
        "reason": reason_name(body.reason) if body.reason else "",
        **detail_shown(Phrase(body.detail, *body.arguments)),
        "state": body.state,
    }


def _next(
    flow: Flow | None, history: Sequence[MoveBody], pending: Sequence[MoveBody], party: Party
) -> list[dict[str, Any]]:
    """What this side may do: the holder's next move builds on what it has said and the arbiter has not answered."""
    if flow is None:
        return []
    return [{"move": rule.name, "fields": list(rule.fields)} for rule in moves_open(flow, history, pending, party)]
