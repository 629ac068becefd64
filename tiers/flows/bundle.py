"""What several tasks are together: the targets of one piece of work (`bundle`), or the parts of one task (`part_of`).

Nothing of it is stored or sent: it follows from the tasks themselves, wherever they are held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.steps import fields_of, state_of
from tiers.flows.table import Flow

BUNDLE = "bundle"
PART_OF = "part_of"


class Whole(Enum):
    """How several tasks stand as one: 草稿, 已下发, 办理中, 已完成, 已撤销."""

    DRAFT = "draft"
    ISSUED = "issued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"


class Part(NamedTuple):
    """One task of several. has_begun: its holder has made a move that counts."""

    task: str
    flow: str
    holder: str
    state: str
    is_draft: bool
    has_begun: bool
    has_ended: bool
    is_withdrawn: bool
    phase: int = -1
    """Its place among the phases of the flow; -1 where it has none."""


class Bundle(NamedTuple):
    """Several tasks as one. states: how many are in which."""

    whole: Whole
    parts: tuple[Part, ...]
    states: Mapping[str, int]

    @property
    def open(self) -> int:
        """How many have not ended."""
        return sum(not part.has_ended for part in self.parts)

    @property
    def phase(self) -> int:
        """The phase in which they are together, that of the last of them; -1 where there is none."""
        counted = [one for one in self.parts if one.phase >= 0 and not one.is_withdrawn]
        return min((one.phase for one in counted), default=-1)


def part(flow: Flow, history: Sequence[MoveBody]) -> Part:
    """One task as a part of several; `history` holds its decided moves, at least the first."""
    first, name = history[0], state_of(history)
    state = next((s for s in flow.states if s.name == name), None)
    return Part(
        first.task,
        first.flow,
        first.holder,
        name,
        state is not None and state.draft,
        any(m.accepted and m.by_node == first.holder for m in history),
        flow.has_ended(name),
        state is not None and state.final and state.refusal is Reason.WITHDRAWN,
        next((place for place, one in enumerate(flow.phases) if state is not None and one.value == state.phase), -1),
    )


def bundle_of(parts: Iterable[Part]) -> Bundle:
    """Several tasks as one. Completed when all have ended, and withdrawn only when all of them were."""
    listed = tuple(parts)
    return Bundle(_whole(listed), listed, Counter(one.state for one in listed))


def _whole(parts: Sequence[Part]) -> Whole:
    if all(one.has_ended for one in parts):
        return Whole.WITHDRAWN if all(one.is_withdrawn for one in parts) else Whole.COMPLETED
    if any(one.has_begun or one.has_ended for one in parts):
        return Whole.IN_PROGRESS
    return Whole.DRAFT if all(one.is_draft for one in parts) else Whole.ISSUED


def said_in(history: Sequence[MoveBody], field: str) -> str:
    """Which bundle or task the opening move names; '' if none."""
    return fields_of(history[0]).get(field, "") if history else ""
