"""Who decides what rows mean: the seams that tiers/ fills and node/ wires (design section 4, "Judging is injected")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sync.reasons import Reason
from sync.rows import BadRow, End, RowBatch
from sync.schema import RowSchema
from sync.scope import Scope
from sync.values import Fate, Key, Lane, Route, Row
from sync.wire.v1.entry_pb2 import EntryHeader, MoveBody


@dataclass(frozen=True, slots=True)
class Signer:
    """What the registry says of who sealed an entry, at the header's enrolment version."""

    node: str
    profile: str
    region: str
    scope: Scope
    parent: str


class Known(Protocol):
    """What the judging node holds, for questions of dependency. Answers come from its own store."""

    def codes(self, table: str) -> frozenset[str]:
        """Codes in force of a code table ('' is never one)."""
        ...

    def task(self, task: str) -> Sequence[MoveBody]:
        """The numbered moves of a task held here, in order of number; empty if unknown."""
        ...

    def pending(self, task: str) -> Sequence[MoveBody]:
        """This node's own moves of a task that the arbiter has not yet answered."""
        ...

    def succeeds(self, node: str, predecessor: str) -> bool:
        """Whether something of `predecessor` passed to `node`, directly or through others, as far as is known here."""
        ...


@dataclass(slots=True)
class Judgement:
    """What becomes of the rows of one entry. Parked rows keep the cells so that they can be judged again."""

    puts: list[Row]
    ends: list[End]
    bad: list[BadRow] = field(default_factory=list)


class MoveJudgement(NamedTuple):
    """What becomes of a move: its fate, and the moves this node says in answer (the arbiter's verdicts).

    `record` is what the task's history here gains: the move with its number, or the pending one with its verdict.
    """

    fate: Fate
    reason: Reason
    detail: str
    record: tuple[MoveBody, ...] = ()
    answers: tuple[MoveBody, ...] = ()


class Judge(Protocol):
    """Pure: the same question has the same answer."""

    def schema(self, publication: str, dataset: str) -> RowSchema | None:
        """The newest schema known here for that dataset; None if the dataset is unknown or not of that publication.

        Publication '' asks for the dataset alone.
        """
        ...

    def is_awaited(self, dataset: str) -> bool:
        """Whether parked rows may wait for rows of this dataset: a code table's codes, say."""
        ...

    def records(self, header: EntryHeader, batch: RowBatch, signer: Signer, known: Known) -> Judgement:
        """Judges each row of an entry by scope, ownership, columns, codes and rules."""
        ...

    def move(
        self, header: EntryHeader, body: MoveBody, signer: Signer, known: Known, here: str, now: int
    ) -> MoveJudgement:
        """Judges one move of a flow at node `here`: as arbiter if it issued the task, else as the other side.

        now: µs since 1970 UTC, for the time that the arbiter counts the move at.
        """
        ...


class LocalRows(NamedTuple):
    """Rows of one dataset written at this node in one transaction, with what they were before.

    `puts` are whole rows in schema order, held-back columns included.
    """

    dataset: str
    puts: Sequence[Row]
    voids: Sequence[tuple[Key, str]]
    before: Mapping[Key, tuple[int, Row]]
    """(version, row) of each key that had a row."""


class Outgoing(NamedTuple):
    """What one transaction contributes to one feed."""

    publication: str
    addressee: str
    route: Route
    lane: Lane
    dataset: str
    schema_version: int
    columns: tuple[str, ...]
    puts: Sequence[Row]
    ends: Sequence[End]
    was: Sequence[tuple[Key, int, Row]]
    """(key, version, published image) that this feed held before of the rows that change or end."""
    was_columns: tuple[str, ...] = ()
    """The order of cells in `was`, where it is not `columns`: what was said in others before a change of settings."""


class Publisher(Protocol):
    """Decides what of a local change goes to whom. Pure; knows this node's tier profile, region and parents."""

    def publish(self, rows: LocalRows) -> Sequence[Outgoing]: ...

    def lacks(self, dataset: str, columns: Sequence[str], row: Row) -> bool:
        """Whether a published image may say less in these columns than was kept of its row."""
        ...

    def levelled(self) -> None:
        """Every own feed says what is published now: nothing of earlier settings is left to be followed."""
        ...
