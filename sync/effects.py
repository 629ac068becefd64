"""What the core asks for. Writes go into the open transaction in order; acts are done, in order, after it committed.

So what an act claims is durable before it is said. If a write or the commit fails, the replica is thrown away and
rebuilt from the store, which is also the start-up path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from sync.reasons import Reason
from sync.rows import EMPTY_DIGEST
from sync.values import Fate, FeedName, Head, Key, Kind, Lane, Route, Row
from sync.wire.v1.entry_pb2 import MoveBody

# --- values inside effects ------------------------------------------------------------------------------------------


class LogEntry(NamedTuple):
    """An entry as it lies in the log; `seal` is empty on entries between two seals."""

    seq: int
    header: bytes
    header_hash: bytes
    payload: bytes
    payload_digest: bytes
    seal: bytes
    plain_size: int
    rows: int
    """As the header says: how much of the log fits a run is asked for every one that is sent."""


@dataclass(slots=True)
class FeedState:
    """What is kept of a feed beside its entries. One per feed; `head` is that of the current epoch.

    digest and rows: the live rows of this feed as they stand in the row tables (sync.rows); at the origin they
    include what still waits in the outbox. parked: number of rows parked. frozen: a fork was found, nothing moves;
    from disputed_from on entries are marked disputed (0 = none). enrolment and suite are those of the newest entry.
    """

    name: FeedName
    route: Route
    lane: Lane
    head: Head
    enrolment: int = 0
    suite: int = 1
    frozen: bool = False
    disputed_from: int = 0
    digest: bytes = EMPTY_DIGEST
    rows: int = 0
    parked: int = 0
    refused: int = 0
    entries: int = 0


class OutboxItem(NamedTuple):
    """What is committed at its origin and not yet sealed: one future entry. `id` rises over the whole outbox."""

    id: int
    feed: FeedName
    route: Route
    lane: Lane
    kind: Kind
    codec: int
    payload: bytes
    plain_size: int
    rows: int
    schema_version: int
    group: int


class FateRow(NamedTuple):
    """The durable record of one row that was refused or parked. place -1 stands for the whole entry."""

    seq: int
    place: int
    dataset: str
    key: str
    fate: Fate
    reason: Reason
    detail: str


class Image(NamedTuple):
    """What one feed says of one row."""

    version: int
    columns: tuple[str, ...]
    cells: Row


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A row as the store holds it: `cells` in schema order.

    feed is the one feed that carries it, and `columns` the columns that it carries (the others are empty because
    nobody says them, which is not the same as empty); or feed is None when several do: `images` has what each says.
    At its origin a row is carried by no feed (feed None, images empty): the row table is the truth there.
    """

    version: int
    cells: Row
    feed: FeedName | None
    images: Mapping[FeedName, Image] = field(default_factory=dict)
    columns: tuple[str, ...] = ()


# --- writes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SaveFeed:
    """Keeps the feed's state (a copy is taken when it is performed)."""

    state: FeedState


@dataclass(frozen=True, slots=True)
class Append:
    """Adds entries, in order, to a feed's epoch. Entries of one Append have rising seq without a gap.

    times: what the header of each says (hlc), so that the store need not parse it to count entries per day.
    """

    feed: FeedName
    epoch: bytes
    entries: Sequence[LogEntry]
    times: Sequence[int]


@dataclass(frozen=True, slots=True)
class Queue:
    """Puts a change set into the outbox."""

    item: OutboxItem


@dataclass(frozen=True, slots=True)
class Unqueue:
    """Takes the items of a feed up to and with this id out of the outbox: they are sealed now."""

    feed: FeedName
    up_to_id: int


@dataclass(frozen=True, slots=True)
class ClearOutbox:
    """Empties the outbox of record changes: it is made anew after a recovery."""


@dataclass(frozen=True, slots=True)
class UpsertRows:
    """Replaces whole rows: cells in the order of `columns`, every other column becomes empty.

    versions is one number for all rows, or one for each. feed as in HeldRow; the store remembers with each row which
    feed carries it and which columns that feed carries (`columns`), and gives both back in HeldRow.
    """

    dataset: str
    origin: str
    feed: FeedName | None
    columns: tuple[str, ...]
    rows: Sequence[Row]
    versions: int | Sequence[int]


@dataclass(frozen=True, slots=True)
class PatchRows:
    """Sets the given columns of rows of this node that exist, and leaves the others (recovery of own rows)."""

    dataset: str
    origin: str
    columns: tuple[str, ...]
    rows: Sequence[Row]
    versions: Sequence[int]


@dataclass(frozen=True, slots=True)
class DeleteRows:
    """Takes rows out of a dataset's table."""

    dataset: str
    origin: str
    keys: Sequence[Key]


@dataclass(frozen=True, slots=True)
class SaveImages:
    """Keeps what one feed says of rows that several feeds carry."""

    dataset: str
    feed: FeedName
    images: Sequence[tuple[Key, Image]]


@dataclass(frozen=True, slots=True)
class DropImages:
    """Forgets what one feed said of these rows."""

    dataset: str
    feed: FeedName
    keys: Sequence[Key]


@dataclass(frozen=True, slots=True)
class SaveFates:
    """Records refused and parked rows, or the later fate (APPLIED, SUPERSEDED) of parked ones (same seq and place)."""

    feed: FeedName
    epoch: bytes
    fates: Sequence[FateRow]


@dataclass(frozen=True, slots=True)
class SaveHeard:
    """Keeps a refusal that another node (`by`) told this origin about one of its rows."""

    by: str
    refusals: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class SaveAnchor:
    """Keeps the newest anchor (serialised Anchor)."""

    anchor: bytes


@dataclass(frozen=True, slots=True)
class SaveHeirs:
    """Keeps what passed from whom to whom: (predecessor, successor, pattern of regions), all there is."""

    heirs: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class SaveSeen:
    """Remembers an instance (for good) and a boot id (90 days) of a neighbour; `order` rises with each first sight."""

    node: str
    instance: bytes
    boot: bytes
    order: int
    at: int


@dataclass(frozen=True, slots=True)
class SaveStatement:
    """Keeps the newest heads statement ('heads', origin, '') or receipt ('receipt', receiver, origin), serialised."""

    sort: str
    by: str
    about: str
    body: bytes
    signature: bytes
    detail: bytes = b""


@dataclass(frozen=True, slots=True)
class SaveEvidence:
    """Keeps proof of a fork (serialised Evidence)."""

    feed: FeedName
    evidence: bytes


@dataclass(frozen=True, slots=True)
class SaveMoves:
    """Adds moves to a task's history: numbered ones by number, pending ones by move_id; a verdict ends the pending."""

    task: str
    moves: Sequence[MoveBody]


@dataclass(frozen=True, slots=True)
class DropMoves:
    """Takes the moves from this number on out of a task's history: another life of this node gave it otherwise."""

    task: str
    from_number: int


class Reread(StrEnum):
    """Why a row of this node is to be read again from the system it came from."""

    COLUMNS = "columns"
    """A neighbour brought it back: columns that no feed carries are missing, or those of before."""
    BOTH_LIVES = "both_lives"
    """It was changed before and after this node was put back; the later row holds."""


@dataclass(frozen=True, slots=True)
class SaveReread:
    """Lists rows of this node that are to be read again; `since`: microseconds."""

    dataset: str
    why: Reread
    keys: Sequence[Key]
    since: int


@dataclass(frozen=True, slots=True)
class DropReread:
    """Takes rows off that list."""

    dataset: str
    keys: Sequence[Key]


@dataclass(frozen=True, slots=True)
class SaveMeta:
    """Keeps one value of the node itself: 'group', 'outbox_id', 'counter', 'state' ..."""

    name: str
    value: int | str | bytes


@dataclass(frozen=True, slots=True)
class BurnInvite:
    """Marks an invite's token used, in the transaction that enrols; performing it fails if it is used already."""

    token_id: str
    node: str


Write = (
    SaveFeed
    | Append
    | Queue
    | Unqueue
    | ClearOutbox
    | UpsertRows
    | PatchRows
    | DeleteRows
    | SaveImages
    | DropImages
    | SaveFates
    | SaveHeard
    | SaveAnchor
    | SaveHeirs
    | SaveSeen
    | SaveStatement
    | SaveEvidence
    | SaveMoves
    | DropMoves
    | SaveReread
    | DropReread
    | SaveMeta
    | BurnInvite
)

# --- acts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Gives a serialised Frame to a link."""

    link: int
    frame: bytes


@dataclass(frozen=True, slots=True)
class CloseLink:
    """Ends a session. After what was sent before it."""

    link: int
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a person should know. `name` is constant; what a peer said stands only in fields."""

    name: str
    fields: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Asks for a Tick at this time (microseconds); the earliest wish counts."""

    at: int


@dataclass(frozen=True, slots=True)
class Reply:
    """Answers the local caller that gave `token`."""

    token: object
    value: object


@dataclass(frozen=True, slots=True)
class Republish:
    """Asks the runner for a LocalDifferences event: compare own rows with own feeds after a recovery (protocol 8.2)."""


@dataclass(frozen=True, slots=True)
class ReadAttachment:
    """Asks the runner for an AttachmentRead event: a part of a file of this node, if that node may have it."""

    asker: str
    hash: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class KeepAttachment:
    """The next part of a file that is being fetched. It is not verified yet; a Reply follows when all has come.
    total: bytes of the whole file, by what its origin says."""

    origin: str
    hash: bytes
    offset: int
    data: bytes
    total: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """How fetching ended. Reason.NONE: all has come, and its hash is to be checked. by: who gave another reason."""

    reason: Reason
    by: str
    total: int


Act = Send | CloseLink | Alarm | WakeAt | Reply | Republish | ReadAttachment | KeepAttachment
Effect = Write | Act
