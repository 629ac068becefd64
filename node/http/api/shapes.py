"""What requests and answers hold, as msgspec types: they check what comes in, and give the description its schemas."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from node.desk import MOVES_MAX
from sync.limits import DETAIL_CHARACTERS_MAX, KEY_COLUMNS_MAX, ROWS_PER_ENTRY_MAX
from sync.values import ID_TEXT_BYTES_MAX
from tiers.door import VOID_REASON_MAX

_INT64 = 1 << 63
Whole = Annotated[int, Meta(ge=-_INT64, le=_INT64 - 1)]
Cell = str | Whole | float | bool | None
KeyCell = str | Whole | float | bool
Word = Annotated[str, Meta(min_length=1, max_length=200)]
RowOut = dict[str, Cell]
"""A row by its columns, with _origin and _version. Moments are ISO 8601 texts in UTC, decimals and days texts, bytes in
hex."""


class RowsIn(Struct, forbid_unknown_fields=True):
    """Rows of one dataset, each an object of columns and values: one transaction. A row that is not let in is told with
    its place, and the others go in. Columns that are not named are empty.
    """

    rows: Annotated[list[Raw], Meta(max_length=ROWS_PER_ENTRY_MAX)]
    dry_run: bool = False


class FastRowsIn(Struct, forbid_unknown_fields=True):
    """The same where nothing is wrong with any row's shape."""

    rows: Annotated[list[dict[str, Cell]], Meta(max_length=ROWS_PER_ENTRY_MAX)]
    dry_run: bool = False


class VoidsIn(Struct, forbid_unknown_fields=True):
    """Keys of rows that end everywhere they went to, each the cells of all key columns, and why; one transaction."""

    keys: Annotated[
        list[Annotated[list[KeyCell], Meta(min_length=1, max_length=KEY_COLUMNS_MAX)]],
        Meta(max_length=ROWS_PER_ENTRY_MAX),
    ]
    reason: Annotated[str, Meta(min_length=1, max_length=VOID_REASON_MAX)]
    dry_run: bool = False


class Rejected(Struct):
    """A row that was not let in: its place in the request from 0, its key as JSON text, why."""

    place: int
    key: str
    reason: int
    name: str
    detail: str


class Warned(Struct):
    """A check that a row breaks which was let in all the same."""

    place: int
    key: str
    detail: str


class Outcome(Struct):
    """What became of a write. accepted: changed something; warned: the first of all warnings; group: the transaction's
    number, 0 when nothing changed.
    """

    accepted: int
    unchanged: int
    rejected: list[Rejected]
    warnings: int
    warned: list[Warned]
    group: int
    dry_run: bool


class Page(Struct):
    """Rows in order of origin and key. next: the cursor of the next page, null at the end."""

    dataset: str
    rows: list[RowOut]
    next: str | None


class ChangeOut(Struct):
    """One row that changed. change: put, with the row as it is now; or gone: voided at its origin, or no longer
    published to this node. key: the cells of its key columns.
    """

    dataset: str
    origin: str
    key: list[Cell]
    change: str
    row: RowOut | None


class ChangesPage(Struct):
    """Changes in order of commit, each at least once. next: where to go on; more: there is more now."""

    changes: list[ChangeOut]
    next: str
    more: bool


class Attached(Struct):
    """A file that is kept now. hash: SHA-256 by which rows name it; removed: metadata that was taken out."""

    hash: str
    size: int
    kind: str
    removed: list[str]
    new: bool


class Datasets(Struct):
    """The datasets that this token is good for, each as `tiersync catalogue list --json` tells it."""

    datasets: list[dict[str, Any]]


class Trace(Struct):
    """As `tiersync trace --json`."""

    what: str
    rows: list[dict[str, Any]]


class Loads(Struct):
    """As `tiersync loads list --json`. next: the cursor of the page behind, none at the end."""

    loads: list[dict[str, Any]]
    next: str | None


class Rejects(Struct):
    """As `tiersync loads rejects --json`."""

    load: dict[str, Any]
    listed_with: int
    rejects: list[dict[str, Any]]


class MoveIn(Struct, forbid_unknown_fields=True):
    """One move of a task's flow, and what it says, by field."""

    move: Word
    fields: dict[str, str] = {}


class MovesIn(Struct, forbid_unknown_fields=True):
    """Moves of one task, in order: all of them are made, or none."""

    moves: Annotated[list[MoveIn], Meta(min_length=1, max_length=MOVES_MAX)]


class TaskIn(Struct, forbid_unknown_fields=True):
    """A new task for a node: its flow, the opening move and what follows at once. task: its id; made if empty."""

    flow: Word
    holder: Word
    moves: Annotated[list[MoveIn], Meta(min_length=1, max_length=MOVES_MAX)]
    task: Annotated[str, Meta(max_length=ID_TEXT_BYTES_MAX)] = ""


class PersonIn(Struct, forbid_unknown_fields=True):
    """A person of this node, by account."""

    person: Word


class ReasonIn(Struct, forbid_unknown_fields=True):
    """Why."""

    reason: Annotated[str, Meta(min_length=1, max_length=DETAIL_CHARACTERS_MAX)]


class MadeOut(Struct):
    """What became of moves: their ids, in order; or the number of the draft that waits for an approver, else 0."""

    task: str
    move_ids: list[str]
    draft: int


class TaskOut(Struct):
    """As `tiersync task show --json`: the task with its moves, what is pending or refused, and what may be done next.
    person: who at this node handles it. owner: which side must act, as a rule by the move `usual`. ends: when its limit
    ends, as the issuer's node said; due: the day that a person set. warned: it has told that time is running out.
    files: what moves and drafts name by SHA-256, and whether it is here."""

    task: str
    flow: str
    issuer: str
    holder: str
    person: str
    state: str
    final: bool
    title: str
    due: str
    owner: str
    usual: str
    ends: str
    provisional: bool
    overdue: bool
    warned: bool
    number: int
    moves: list[dict[str, Any]]
    pending: list[dict[str, Any]]
    refused: list[dict[str, Any]]
    drafts: list[dict[str, Any]]
    files: list[dict[str, Any]]
    next: list[dict[str, Any]]


class EvidenceOut(Struct):
    """The file that `tiersync task evidence` writes and `tiersync verify` checks. file: base64; sha256: of it."""

    task: str
    bytes: int
    sha256: str
    file: str


class Tasks(Struct):
    """As `tiersync task list --json`."""

    tasks: list[dict[str, Any]]


class TaskStats(Struct):
    """As `tiersync task stats --json`. months: the twelve that are told; cells: the last of them, by tier and flow.
    here and each of below: node, division, title, months (each with its period and state, then the measures of the
    dataset task_stat where something is known), past (the months before the last together).
    """

    dataset: str
    months: list[str]
    flow: str
    tier: str
    measures: list[str]
    here: dict[str, Any]
    cells: list[dict[str, Any]]
    below: list[dict[str, Any]]


class DraftOut(Struct):
    """As `tiersync draft show --json`. state: waiting, approved, refused, dropped, stale. parts: tasks handed on
    with its moves."""

    draft: int
    state: str
    flow: str
    task: str
    holder: str
    moves: list[dict[str, Any]]
    parts: list[dict[str, Any]]
    author: str
    keeper: str
    org: str
    at: str
    decided_by: str
    decided_at: str
    reason: str


class Drafts(Struct):
    """As `tiersync draft list --json`."""

    drafts: list[DraftOut]


class People(Struct):
    """As `tiersync people list --json`. flows: who handles tasks that nobody was assigned to."""

    people: list[dict[str, Any]]
    flows: dict[str, str]


class Health(Struct):
    """pass or fail."""

    status: str


class Problem(Struct):
    """RFC 9457, with the fault's code and what to do, in the language of Accept-Language (zh or en)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    next: str
    errors: list[str] | UnsetType = UNSET
