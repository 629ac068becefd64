"""Tasks that cross tiers: what is known of them here, and moves made on an officer's behalf."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from node import desk
from node.app import Node
from node.attachments.files import Files
from node.audit import Event as AuditEvent
from node.clock import iso
from node.commands.addressed import addressed, check_node
from node.commands.cited import cited, cited_in
from node.commands.view import ROWS_SHOWN_MAX, Arguments, View, items, limit, number, text, texts
from node.commands.work import view_of
from node.desk import Made
from node.faults import Code, UserFault, of_reason
from node.hands import Hand
from node.jobs import MoveWish
from node.parts import parts_of, together
from node.reading import moment_of
from node.status import detail_shown, reason_name
from node.store.people import Draft, DraftState, handler
from node.texts import N_, Titled
from sync.errors import InputFault
from sync.phrase import Phrase, as_phrase
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.bundle import BUNDLE, Bundle
from tiers.flows.check import RESTATED, WARNED
from tiers.flows.fields import FILES, files_in
from tiers.flows.ids import is_plain
from tiers.flows.steps import counted_of, fields_of, moves_open, place_of
from tiers.flows.table import Flow, Party, Stands

TASK_BYTES = 8
ASKED_MORE = 4
DRAFTS_SHOWN = 100
FILES_SHOWN = 200
NOBODY = "-"
"""Where a person's name is expected: tasks that nobody handles."""


async def move(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """task.move {task, move, flow?, holder?, org?, role?, fields, then?} -> the task as it is known here then; or
    {task, draft} where an approver has to approve it first.

    Without `task` a new one is started for `holder`, with an id made here; without that, where the flow goes upwards,
    for the parent. A node that a move must name and does not is found by the division that the task names.
    then: further moves, {move, fields} each, made together with it or not at all. org, role: only while no people
    are declared here.
    """
    made: Made = await hand_in(node, hand, wishes_of(node, arguments))
    yield await made_shown(node, made)


async def hand_in(
    node: Node, hand: Hand, wishes: Sequence[MoveWish], around: desk.Around | None = None, *, dry_run: bool = False
) -> Any:
    """As node.desk.hand_in, audited, and in words that fit where it is refused."""
    first, moves = wishes[0], " ".join(wish.move for wish in wishes)
    said = {"by": hand.said, "org": first.org, "role": first.role}
    try:
        named = await cited(node, await addressed(node, wishes))
        made = await desk.hand_in(node, hand, named, around, dry_run=dry_run)
    except InputFault as fault:
        node.note(AuditEvent.MOVE_REFUSED, task=first.task, move=moves, **said, reason=fault.reason.name)
        raise await _in_words(node, wishes, fault) from fault
    if not isinstance(made, Made):
        return made
    said |= {"org": made.org, "role": made.role, **made.in_whose_right}
    if made.draft is not None:
        node.note(AuditEvent.DRAFT_MADE, task=made.task, move=moves, draft=made.draft.id, **said)
    note_signed(node, made, wishes, **said)
    return made


def note_signed(node: Node, made: Made, wishes: Sequence[MoveWish], **said: object) -> None:
    """Audits moves that were made."""
    for wish, move_id in zip(wishes, made.move_ids, strict=False):
        node.note(AuditEvent.MOVE_SIGNED, task=wish.task, move=wish.move, move_id=move_id, **said)


async def made_shown(node: Node, made: Made) -> dict[str, Any]:
    """What became of moves, as JSON."""
    if made.draft is not None:
        return {"task": made.task, "draft": desk.shown(made.draft)}
    shown = await node.read(lambda reader: show_task(view_of(node, reader), {"task": made.task}))
    return {"move_id": made.move_ids[-1] if made.move_ids else "", **shown}


def wishes_of(node: Node, arguments: Arguments) -> list[MoveWish]:
    """The moves that task.move asks for. Raises UserFault BAD_ARGUMENT, PEER_UNKNOWN."""
    task = text(arguments, "task") or node.randomness.bytes(TASK_BYTES).hex()
    holder, org, role = text(arguments, "holder"), text(arguments, "org"), text(arguments, "role")
    flow = text(arguments, "flow")
    if not (holder or text(arguments, "task")) and (found := node.catalogue.flows.get(flow)) is not None:
        holder = node.standing.parent if found.stands is Stands.BELOW else ""
    check_node(node, holder)
    if holder and not is_plain(task):
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{value}' cannot be the id of a task: it has spaces, slashes, or characters that do not show."),
            N_("Leave it out, and one is made; or use letters, digits and signs such as - and _."),
            value=ascii(task)[1:-1],
        )
    steps = [arguments, *items(arguments, "then")[: desk.MOVES_MAX - 1]]
    return [MoveWish(flow, task, text(one, "move"), holder, org, role, texts(one, "fields")) for one in steps]


async def _in_words(node: Node, wishes: Sequence[MoveWish], fault: InputFault) -> UserFault:
    """A task or move that does not exist is a slip of the pen: the advice of the reason codes is for other cases."""
    wish = wishes[0]
    history = await node.read(lambda reader: reader.moves(wish.task))
    if not (history or wish.holder):
        return unknown_task(wish.task)
    flow = node.catalogue.flows.get(history[0].flow if history else wish.flow)
    slips = [] if flow is None else [one.move for one in wishes if flow.rule(one.move) is None]
    if flow is None:
        return of_reason(Code.MOVE_REFUSED, fault.reason, fault.detail)
    if not slips:
        if fault.reason is Reason.WRONG_STATE and history and len(wishes) == 1:
            not_now = await _not_now(node, flow, wish, history)
            if not_now is not None:
                return not_now
        advice = _advice(fault.reason, is_new=not history)
        if advice is None:
            return of_reason(Code.MOVE_REFUSED, fault.reason, fault.detail)
        return UserFault(Code.MOVE_REFUSED, *advice, detail=as_phrase(fault.detail), flow=flow.id)
    return UserFault(
        Code.MOVE_UNKNOWN,
        N_("The flow {flow} has no move '{move}'; it has: {known}."),
        N_("`tiersync flow show {flow}` explains each; `tiersync task show {task}` lists those that can be made now."),
        flow=flow.id,
        move=slips[0],
        known=", ".join(rule.name for rule in flow.moves),
        task=wish.task,
    )


async def _not_now(node: Node, flow: Flow, wish: MoveWish, history: Sequence[MoveBody]) -> UserFault | None:
    """A move that the task is too far for, or not far enough, in the words of its flow; None if that is not it."""
    pending = await node.read(lambda reader: reader.pending_moves(wish.task))
    rule, place = flow.rule(wish.move), place_of(flow, history, pending)
    state = next((one for one in flow.states if one.name == place.state), None)
    if rule is None or state is None or state.name in rule.starts:
        return None
    return UserFault(
        Code.MOVE_REFUSED,
        N_("'{move}' ({title}) cannot be made now: the task stands at '{state}'."),
        N_("`tiersync task show {task}` lists what can be made now."),
        move=wish.move,
        title=Titled(rule.title_zh, rule.title_en),
        state=Titled(state.title_zh, state.title_en),
        task=wish.task,
    )


def _advice(reason: Reason, *, is_new: bool) -> tuple[str, str] | None:
    """Where the words of a reason code speak of rows, or of a task that has moved on: what is wrong, and what to do."""
    if reason in (Reason.RULE_BROKEN, Reason.TOO_LONG, Reason.WRONG_TYPE):
        return (
            N_("What the move says cannot be taken ({detail})."),
            N_("Correct it and try again; `tiersync flow show {flow}` lists its fields and what each may say."),
        )
    if reason is Reason.NOT_YOUR_MOVE and is_new:
        return (
            N_("This node cannot issue such a task to that node ({detail})."),
            N_("`tiersync flow show {flow}` says which tiers issue it and whether upwards or downwards."),
        )
    return None


def unknown_task(task: str) -> UserFault:
    """No such task is known here."""
    return UserFault(
        Code.TASK_UNKNOWN,
        N_("Task '{task}' is not known at this node."),
        N_("`tiersync task list` shows the tasks that are; one issued a moment ago may still be on its way."),
        task=task,
    )


def list_tasks(view: View, arguments: Arguments) -> dict[str, Any]:
    """task.list {limit, skip?, open?, overdue?, due_before?, person?, flow?, open_first?} -> {tasks: most recently
    moved first}. `open`: those that are not final. `overdue`: those whose limit has passed. `due_before`: those whose
    limit ends before a day or moment. `person`: those that this person of this node handles; '-' for those that nobody
    does. `skip`: not the first so many. `open_first`: what has ended last."""
    skip, open_first = number(arguments, "skip"), bool(arguments.get("open_first", False))
    end = min(skip + limit(arguments), ROWS_SHOWN_MAX)
    desks = _Desks(view)
    is_wanted = _wanted(view, arguments, desks)
    asked = end
    while True:
        # What is wanted may stand behind any number of tasks that are not.
        found = view.reader.tasks(asked)
        wanted = [last for last in found if is_wanted(last)]
        if (len(wanted) >= end and not open_first) or len(found) < asked:
            if open_first:
                wanted.sort(key=lambda last: has_ended(view.catalogue.flows, last))
            return {"tasks": [_summary(view, last, desks) for last in wanted[skip:end]]}
        asked *= ASKED_MORE


def _wanted(view: View, arguments: Arguments, desks: _Desks) -> Callable[[MoveBody], bool]:
    """What list_tasks asks of a task, by its last move. Raises UserFault BAD_ARGUMENT."""
    only_open, only_overdue = bool(arguments.get("open", False)), bool(arguments.get("overdue", False))
    person, flow, before = (text(arguments, name) for name in ("person", "flow", "due_before"))
    before_us = moment_of(before, ZoneInfo(view.config.run.time_zone)) if before else 0

    def is_wanted(last: MoveBody) -> bool:
        return (
            not (only_open and has_ended(view.catalogue.flows, last))
            and (not only_overdue or _is_overdue(view, last))
            and (not before or 0 < last.due_at < before_us)
            and flow in ("", last.flow)
            and person in ("", desks.handler(last) or NOBODY)
        )

    return is_wanted


class _Desks:
    """Who here handles which task, as one look at the store says."""

    def __init__(self, view: View) -> None:
        people = view.reader.people
        self._assigned, self._by_flow = people.assigned(), people.by_flow()

    def handler(self, last: MoveBody) -> str:
        """A person's name; '' if nobody does."""
        return handler(self._assigned, self._by_flow, last.task, last.flow)


def show_task(view: View, arguments: Arguments) -> dict[str, Any]:
    """task.show {task} -> its moves, what is pending, what lost its number and is kept as refused, what may be done
    here next."""
    task = text(arguments, "task")
    history = view.reader.moves(task)
    if not history:
        raise unknown_task(task)
    pending = view.reader.pending_moves(task)
    shown = _summary(view, history[-1], _Desks(view), pending)
    drafts = view.reader.people.drafts(DRAFTS_SHOWN, state=DraftState.WAITING.value, task=task)
    flow, first = view.catalogue.flows.get(history[0].flow), history[0]
    party = Party.ISSUER if first.issuer == view.node else Party.HOLDER
    return {
        **shown,
        "moves": [_move(body) for body in history],
        "pending": [_move(body) for body in pending],
        "drafts": [desk.shown(draft) for draft in drafts],
        "refused": [_move(body) for body in view.reader.pending_moves(task, refused=True)],
        **_together(view, first),
        "files": _files(view, [*history, *pending], drafts),
        "cited": cited_in(view, flow, [*history, *pending]),
        "next": _next(flow, history, pending, party) if view.node in (first.issuer, first.holder) else [],
    }


def _files(view: View, moves: Sequence[MoveBody], drafts: Sequence[Draft]) -> list[dict[str, Any]]:
    """The files that moves and drafts of a task name, the newest first, and whether they are here."""
    said: list[tuple[str, Mapping[str, str]]] = [(body.by_node, fields_of(body)) for body in moves]
    said += [(view.node, fields) for draft in drafts for of in draft.tasks for _, fields in of.moves]
    named: dict[str, dict[str, None]] = {}
    for by, fields in reversed(said):
        for name in files_in(fields.get(FILES, "")):
            named.setdefault(name, {})[by] = None
    files = Files(view.home)
    return [{**_file(files, name), "by": list(by)} for name, by in islice(named.items(), FILES_SHOWN)]


def _file(files: Files, name: str) -> dict[str, Any]:
    held = files.find(name)
    if held is None:
        return {"hash": name, "here": False, "kind": "", "size": 0}
    return {"hash": name, "here": True, "kind": held.kind, "size": held.size}


def _together(view: View, first: MoveBody) -> dict[str, Any]:
    """The parts that this node handed on, and the other targets of the same piece of work, where there are any."""
    said = fields_of(first)
    flows, bundle = view.catalogue.flows, said.get(BUNDLE, "")
    found = {"parts": parts_of(view.reader, flows, view.node, first.task)}
    found["bundle"] = together(view.reader, flows, first.issuer, BUNDLE, bundle) if bundle else None
    return {name: _bundle(one, flows.get(one.parts[0].flow)) for name, one in found.items() if one is not None}


def _bundle(found: Bundle, flow: Flow | None) -> dict[str, Any]:
    phase = flow.phases[found.phase] if flow is not None and found.phase >= 0 else None
    return {
        "phase": phase.value if phase is not None else "",
        "phase_zh": phase.title_zh if phase is not None else "",
        "phase_en": phase.title_en if phase is not None else "",
        "whole": found.whole.value,
        "open": found.open,
        "states": dict(found.states),
        "tasks": [
            {"task": one.task, "flow": one.flow, "holder": one.holder, "state": one.state} for one in found.parts
        ],
    }


def _summary(view: View, last: MoveBody, desks: _Desks, pending: Sequence[MoveBody] | None = None) -> dict[str, Any]:
    waiting = view.reader.pending_moves(last.task) if pending is None else pending
    history = view.reader.moves(last.task)
    return {
        "task": last.task,
        "flow": last.flow,
        "issuer": last.issuer,
        "holder": last.holder,
        "person": desks.handler(last),
        "state": last.state,
        **_state_titles(view, last),
        "final": has_ended(view.catalogue.flows, last),
        "title": fields_of(history[0]).get("title", ""),
        "due": _due(history),
        **_time(view, last),
        "warned": is_warned(history),
        "number": last.number,
        "pending_moves": [body.move for body in waiting],
        "at": iso(last.at),
    }


def _time(view: View, last: MoveBody) -> dict[str, Any]:
    """Who must act, with which move as a rule, and until when: as the issuer's node said it, at either end."""
    flow = view.catalogue.flows.get(last.flow)
    state = next((s for s in flow.states if s.name == last.state), None) if flow is not None else None
    return {
        "owner": state.owner.value if state is not None and state.owner is not None else "",
        "usual": state.next if state is not None else "",
        "ends": iso(last.due_at) if last.due_at else "",
        "provisional": last.due_provisional,
        "overdue": _is_overdue(view, last),
    }


def is_warned(history: Sequence[MoveBody]) -> bool:
    """Whether the issuer's node has told that the time of the present limit is running out."""
    due = history[-1].due_at
    for place in range(len(history) - 1, -1, -1):
        body = history[place]
        if not due or body.due_at != due:
            return False
        if body.move == WARNED:
            return body.accepted
        if body.move == RESTATED and place:
            # The same limit, which ends at another time since the calendar was changed.
            due = history[place - 1].due_at
    return False


def _is_overdue(view: View, last: MoveBody) -> bool:
    return 0 < last.due_at < view.now_us


def has_ended(flows: Mapping[str, Flow], last: MoveBody) -> bool:
    """Whether a task has ended with this move."""
    flow = flows.get(last.flow)
    return flow is not None and flow.has_ended(last.state)


def _state_titles(view: View, last: MoveBody) -> dict[str, str]:
    """A state as people read it; the bare word where this version does not know it."""
    flow = view.catalogue.flows.get(last.flow)
    found = next((s for s in flow.states if s.name == last.state), None) if flow is not None else None
    return {"state_zh": found.title_zh if found else last.state, "state_en": found.title_en if found else last.state}


def _due(history: Sequence[MoveBody]) -> str:
    """The newest limit that the issuer set."""
    said = [fields_of(m).get("due", "") for m in history if m.accepted and m.by_node == m.issuer]
    return next((due for due in reversed(said) if due), "")


def _move(body: MoveBody) -> dict[str, Any]:
    return {
        "number": body.number,
        "move": body.move,
        "move_id": body.move_id,
        "by": body.retold.by_node or body.by_node,
        "org": body.by_org,
        "role": body.by_role,
        "at": iso(body.at),
        "counted_at": iso(counted_of(body)) if body.number else "",
        "due_at": iso(body.due_at) if body.due_at else "",
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
