"""What the core can be told. `replica.handle(event, now)` takes one of these and answers with effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.chain import BadRun, OpenedRun
from sync.judge import LocalRows, Outgoing
from sync.limits import ATTACHMENT_PATIENCE_US
from sync.reasons import Reason
from sync.values import FeedName, Row
from sync.wire.v1.entry_pb2 import EnrolmentRecord, EpochConfirmation, MoveBody
from sync.wire.v1.frame_pb2 import Frame


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """A link stands: TLS is done and the certificate names `peer`. `link` is unique for this start of the node.

    transport_key_hash: SHA-256 over the peer's SubjectPublicKeyInfo, b'' where the transport knows none (simulator).
    """

    link: int
    peer: str
    dialled: bool
    transport_key_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """The link is gone, whoever ended it."""

    link: int


@dataclass(frozen=True, slots=True)
class FrameArrived:
    """A frame that is not a Run."""

    link: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class RunArrived:
    """A run that sync.chain.open_run has looked at."""

    link: int
    run: OpenedRun | BadRun


@dataclass(frozen=True, slots=True)
class LocalPut:
    """Rows that this node's own door has let in, one transaction. Answered with Reply(token, group)."""

    token: object
    rows: LocalRows


@dataclass(frozen=True, slots=True)
class LocalMove:
    """A move of a flow made at this node, for the node `to`. Answered with Reply(token, move_id)."""

    token: object
    body: MoveBody
    to: str


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """Records about this node's children. `burn` is the id of the invite they use up, or ''. Answered with Reply."""

    token: object
    records: Sequence[EnrolmentRecord] = ()
    epochs: Sequence[EpochConfirmation] = ()
    burn: str = ""


@dataclass(frozen=True, slots=True)
class LocalDifferences:
    """The answer to Republish: what own feeds must still say so that they equal the rows (protocol section 8.2).

    feeds: digest and number of rows of what each own feed says now.
    """

    outgoing: Sequence[Outgoing]
    feeds: Mapping[FeedName, tuple[bytes, int]]


@dataclass(frozen=True, slots=True)
class LocalRevised:
    """What own feeds say otherwise of some rows because publications changed.

    moved: rows (whole, in schema order) that feeds put again: they stay as they are, under a new version. Answered with
    Reply(token, group).
    """

    token: object
    dataset: str
    moved: Sequence[Row]
    outgoing: Sequence[Outgoing]


@dataclass(frozen=True, slots=True)
class LocalEnded:
    """Own feeds of records end: what waits in them is dropped, and what they have sealed is taken back.

    outgoing: the removals. feeds: digest and number of rows of what each of them has sealed.
    """

    outgoing: Sequence[Outgoing]
    feeds: Mapping[FeedName, tuple[bytes, int]]


@dataclass(frozen=True, slots=True)
class RowsMadeAgain:
    """Rows were made again from the entries held. feeds: digest and number of the rows of each feed as they are now."""

    feeds: Mapping[FeedName, tuple[bytes, int]]


@dataclass(frozen=True, slots=True)
class Drain:
    """The node is about to stop: neighbours are told, nothing more is sent, what is under way may still be answered.

    until: microseconds since 1970; by then it is gone.
    """

    until: int


@dataclass(frozen=True, slots=True)
class Rejudge:
    """Schemas, codes or catalogue changed: parked rows may be applicable now."""


@dataclass(frozen=True, slots=True)
class AnchorKnown:
    """An anchor came from a person or a file (serialised Anchor)."""

    anchor: bytes


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has come that a WakeAt asked for."""


@dataclass(frozen=True, slots=True)
class BeforeCommit:
    """The runner is about to commit: what waits for a seal in a working session is sealed now."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The transaction is durable: what it holds may be passed on."""


@dataclass(frozen=True, slots=True)
class FetchAttachment:
    """A file is wanted from the node whose row names it. Answered with Reply(token, Fetched) when it ends.

    have: bytes of it that are here from an earlier time; most: it may have so many; patience: microseconds without a
    part of it until it is given up.
    """

    token: object
    origin: str
    hash: bytes
    have: int
    most: int
    patience: int = ATTACHMENT_PATIENCE_US


@dataclass(frozen=True, slots=True)
class StopFetching:
    """It is not wanted any more, for this reason."""

    origin: str
    hash: bytes
    reason: Reason


@dataclass(frozen=True, slots=True)
class AttachmentRead:
    """The answer to ReadAttachment: the bytes at the offset and the size of the whole, or a reason why not."""

    asker: str
    hash: bytes
    offset: int
    data: bytes
    total: int
    reason: Reason


Event = (
    LinkOpened
    | LinkClosed
    | FrameArrived
    | RunArrived
    | LocalPut
    | LocalMove
    | RegistryChange
    | LocalDifferences
    | LocalRevised
    | LocalEnded
    | RowsMadeAgain
    | Drain
    | Rejudge
    | AnchorKnown
    | FetchAttachment
    | StopFetching
    | AttachmentRead
    | Tick
    | BeforeCommit
    | Committed
)
