"""A task goes on with the successor of one of its two nodes (docs/adr/0027-passing.md).

The other node, which holds the whole history, tells it the successor again, as a task of its own: the same moves with
the same numbers and times, with the successor in the predecessor's place. So state, limits and how often a move was
made go on, and the history can be read where the work is. The old task ends where it stood.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.wire.v1.entry_pb2 import MoveBody, MoveField, Retold
from tiers.flows.check import PASSED_OVER
from tiers.flows.ids import derived_id
from tiers.flows.steps import last_number

SUCCESSOR = "successor"
TASK = "task"


def passed_id(task: str, issuer: str) -> str:
    """The id under which a task goes on; issuer: the one that has the last word from then on."""
    return derived_id("passed", issuer, task)


def retold(history: Sequence[MoveBody], old: str, new: str, at: int) -> list[MoveBody]:
    """The moves of a task as they are told to `new`, the successor of `old`. at: now, µs."""
    return [_in_place(body, old, new, Retold(last=last_number(history), at=at)) for body in history]


def asked_again(pending: Sequence[MoveBody], old: str, new: str) -> list[MoveBody]:
    """The proposals of a holder that `old` had not answered, for `new`, who has the last word now."""
    return [_in_place(body, old, new, None) for body in pending]


def _in_place(body: MoveBody, old: str, new: str, told: Retold | None) -> MoveBody:
    moved = MoveBody()
    moved.CopyFrom(body)
    if told is not None:
        moved.retold.CopyFrom(told)
        moved.retold.task, moved.retold.by_node = body.task, body.retold.by_node or body.by_node
    moved.issuer, moved.holder, moved.by_node = (
        new if node == old else node for node in (body.issuer, body.holder, body.by_node)
    )
    moved.task = passed_id(body.task, moved.issuer)
    return moved


def passed_over(history: Sequence[MoveBody], here: str, successor: str, task: str, at: int) -> MoveBody:
    """The end of the old task, at a node whose other side it was. task: that goes on; '' if none does."""
    first, number = history[0], last_number(history) + 1
    body = MoveBody(flow=first.flow, task=first.task, issuer=first.issuer, holder=first.holder, by_node=here)
    body.move, body.state, body.accepted = PASSED_OVER, PASSED_OVER, True
    body.move_id, body.base, body.number = f"{PASSED_OVER}-{number}", number - 1, number
    body.at = body.counted_at = max(at, *(m.counted_at for m in history))
    said = {SUCCESSOR: successor, TASK: task}
    body.fields.extend(MoveField(name=name, text=text) for name, text in said.items() if text)
    return body
