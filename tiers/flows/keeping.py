"""What the issuer's node does by itself for its tasks: which automatic move a task asks for and from when on, and which
tasks it starts. Of the history and the issuer's calendar alone: the same whoever drives it, and however often it asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.check import RESTATED, STATE, TASK
from tiers.flows.clocks import Calendar
from tiers.flows.ids import derived_id
from tiers.flows.standing import Act, standing
from tiers.flows.steps import fields_of
from tiers.flows.table import Flow, Start


class Asked(NamedTuple):
    """What a task asks for next: an automatic move, while `number` is its last one."""

    number: int
    act: Act


class Started(NamedTuple):
    """A task that another one starts: its flow, its id, its first move, and whom it is for."""

    flow: str
    task: str
    move: str
    holder: str
    fields: Mapping[str, str]


def asked(flow: Flow, history: Sequence[MoveBody], calendar: Calendar, now: int) -> Asked | None:
    """What a task asks for; None if nothing. A limit that ends at another time than was said last, as after a change
    of the calendar, is said anew at once."""
    found, last = standing(flow, history, calendar, now), history[-1]
    if found is None or found.due is None:
        return None
    if (last.due_at, last.due_provisional) != found.due:
        return Asked(last.number, Act(RESTATED, now))
    return Asked(last.number, found.act) if found.act is not None else None


def started(flow: Flow, flows: Mapping[str, Flow], history: Sequence[MoveBody]) -> Iterator[Started]:
    """What the moves of a task start, as often as it is asked: the id of the new task is always the same."""
    made = [body.move for body in history if body.accepted]
    for start in flow.starts:
        if made.count(start.on) >= start.after and start.flow in flows:
            yield _started(start, flows[start.flow], history)


def _started(start: Start, flow: Flow, history: Sequence[MoveBody]) -> Started:
    first, last = history[0], history[-1]
    said = {name: text for body in history if body.accepted for name, text in fields_of(body).items() if text}
    known = {TASK: first.task, STATE: last.state, **{f"@{name}": text for name, text in said.items()}}
    fields = {name: known.get(text, "") if text.startswith("@") else text for name, text in start.fields.items()}
    task = started_id(first.issuer, first.task, start)
    return Started(flow.id, task, flow.opening.name, first.holder, fields)


def started_id(issuer: str, task: str, start: Start) -> str:
    """The id of the task that a task starts."""
    return derived_id(start.flow, issuer, task, start.on, str(start.after), start.flow)
