"""What a node does by itself for tasks: which automatic move one that it issued asks for and from when on, and which
tasks are started. Of the history and the calendar alone: the same whoever drives it, and however often it asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.check import RESTATED
from tiers.flows.clocks import Calendar
from tiers.flows.consequences import openings
from tiers.flows.standing import Act, standing
from tiers.flows.table import Flow


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


def started(
    flow: Flow, flows: Mapping[str, Flow], history: Sequence[MoveBody], here: str, parent: str
) -> Iterator[Started]:
    """What the moves of a task have the node `here`, below `parent`, start, as often as it is asked: the id of the new
    task is always the same."""
    for one in openings(flow, history, here, parent):
        if one.flow in flows:
            yield Started(one.flow, one.task, flows[one.flow].opening.name, one.holder, one.fields)
