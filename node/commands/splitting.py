"""Handing a task on to nodes below in one act: its own move and a task for each of them, all or none (转办)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from node.app import Node
from node.commands.tasks import TASK_BYTES, hand_in, made_shown, unknown_task
from node.commands.view import Arguments, text, texts
from node.desk import Made
from node.faults import Code, UserFault
from node.hands import Hand
from node.jobs import MoveWish
from node.store.readers import Reader
from node.texts import N_
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.bundle import PART_OF
from tiers.flows.steps import fields_of
from tiers.flows.table import Flow, MoveRule, Party

SPLIT = "split"
PARTS = "parts"
PARTS_MAX = 100
_COPIED = ("title", "requirement", "due", "basis")
"""What a part says as the task does, unless something else is said."""


class Splitting(NamedTuple):
    """The moves of one act: first that of the task itself, then those of each part."""

    task: str
    wishes: Sequence[MoveWish]
    parts: Sequence[tuple[str, str]]
    """(task, holder) of each."""


async def split(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """task.split {task, to, fields?, org?, role?, dry_run?} -> the task with its parts; or {task, draft} where an
    approver has to approve it first; with `dry_run` {task, parts, moves, needs_approval, dry_run}.

    to: node ids or division codes of children. fields: what each part says (title, requirement, due ...); what is not
    said is as in the task.
    """
    asked = await splitting(node, arguments)
    dry_run = arguments.get("dry_run") is True
    made: Made = await hand_in(node, hand, asked.wishes, dry_run=dry_run)
    yield tried(asked, made) if dry_run else await made_shown(node, made)


def tried(asked: Splitting, made: Made) -> dict[str, Any]:
    """What would be made, as JSON."""
    moves = {
        task: [{"move": wish.move, "fields": dict(wish.fields)} for wish in asked.wishes if wish.task == task]
        for task in (asked.task, *(task for task, _ in asked.parts))
    }
    return {
        "task": asked.task,
        "flow": asked.wishes[0].flow,
        "moves": moves[asked.task],
        # Each gets an id of its own when it is made.
        "parts": [{"holder": holder, "moves": moves[task]} for task, holder in asked.parts],
        "needs_approval": made.needs_approval,
        "dry_run": True,
    }


async def splitting(node: Node, arguments: Arguments) -> Splitting:
    """The moves that are asked for. Raises UserFault BAD_ARGUMENT, TASK_UNKNOWN, MOVE_UNKNOWN, PEER_UNKNOWN."""
    task, said = text(arguments, "task"), texts(arguments, "fields")
    history = await node.read(lambda reader: Reader.moves(reader, task))
    if not history:
        raise unknown_task(task)
    flow = _flow(node, history[0])
    holders = _holders(node, arguments)
    org, role = text(arguments, "org"), text(arguments, "role")
    wishes = [MoveWish(flow.id, task, SPLIT, "", org, role, {PARTS: str(len(holders))})]
    parts, fields = [], {**_copied(history), **said, PART_OF: task}
    for holder in holders:
        part = node.randomness.bytes(TASK_BYTES).hex()
        parts.append((part, holder))
        moves = _moves_of_part(flow, fields)
        wishes += [MoveWish(flow.id, part, move, holder, org, role, of_move) for move, of_move in moves]
    return Splitting(task, wishes, parts)


def _flow(node: Node, first: MoveBody) -> Flow:
    """The flow of the task, if its holder can hand it on."""
    flow = node.catalogue.flows.get(first.flow)
    rule = flow.rule(SPLIT) if flow is not None else None
    if flow is None or rule is None or rule.by is not Party.HOLDER or flow.field(PART_OF) is None:
        raise UserFault(
            Code.MOVE_UNKNOWN,
            N_("Tasks of the flow {flow} are not handed on in parts."),
            N_("Issue what is to be done below as tasks of their own: `tiersync task new`."),
            flow=first.flow,
        )
    return flow


def _moves_of_part(flow: Flow, fields: Mapping[str, str]) -> list[tuple[str, dict[str, str]]]:
    """A part is opened and, where it would only be a draft then, issued."""
    opening, state = flow.opening, flow.state(flow.opening.to)
    issuing = flow.rule(state.next) if state.draft else None
    later = set(issuing.fields) - set(opening.fields) if issuing is not None else set()
    first = {name: said for name, said in fields.items() if name not in later}
    moves: list[tuple[MoveRule, dict[str, str]]] = [(opening, first)]
    if issuing is not None:
        moves.append((issuing, {name: said for name, said in fields.items() if name in later}))
    return [(rule.name, said) for rule, said in moves]


def _copied(history: Sequence[MoveBody]) -> dict[str, str]:
    """What the issuer said last of what parts say too."""
    by_issuer = [fields_of(body) for body in history if body.accepted and body.by_node == body.issuer]
    return {name: said[name] for said in by_issuer for name in _COPIED if said.get(name)}


def _holders(node: Node, arguments: Arguments) -> list[str]:
    """The nodes that it is handed on to. Raises UserFault BAD_ARGUMENT, PEER_UNKNOWN."""
    named = arguments.get("to")
    good = isinstance(named, list) and 0 < len(named) <= PARTS_MAX and all(isinstance(one, str) for one in named)
    found = [_child(node, one) for one in named] if good and named else []
    if not found or len(set(found)) < len(found):
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("A task is handed on to 1 to {most} nodes, each named once."),
            N_("Name children by node id or by division code: --to 330100 --to 330200."),
            most=PARTS_MAX,
        )
    return found


def _child(node: Node, named: str) -> str:
    """The node id of a child. Raises UserFault PEER_UNKNOWN."""
    registry, here = node.core().registry, node.config.node.node_id
    children = [one for one in registry.nodes() if one.parent == here and one.enrolled]
    found = [one.node for one in children if named in (one.node, one.region)]
    if len(found) == 1:
        return found[0]
    raise UserFault(
        Code.PEER_UNKNOWN,
        N_("No child of this node is '{node}', or several are."),
        N_("`tiersync peers` lists the nodes; a child is named by its node id or its division code."),
        node=named,
    )
