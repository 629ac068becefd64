"""The chain of a feed: making entries at the origin, and opening what claims to be a run of them.

`open_run` is pure and safe in any thread: it hashes, checks links and the seal, inflates and decodes. What depends on
the receiver's own head (gap, fork, route, closing) is decided by the replica, which checks the head again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from google.protobuf.message import DecodeError

from sync import limits
from sync.counting import count_parts
from sync.effects import LogEntry
from sync.errors import RemoteFault
from sync.payload import CODEC_MESSAGE, check_sizes, decode_records, inflate
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.registry import Registry
from sync.rows import RowBatch, Undecodable
from sync.schema import RowSchema
from sync.suites import ADOPT, HEADER, PAYLOAD, SEAL, Signer, Suite, Suites, key_id
from sync.values import (
    DIGEST_BYTES,
    ID_BYTES,
    MOVES,
    NUMBER_MAX,
    REFUSALS,
    REGISTRY,
    Fate,
    FeedName,
    Head,
    Kind,
    Lane,
    Route,
    is_node_id,
    is_publication,
)
from sync.wire.v1.entry_pb2 import (
    AdoptionPayload,
    CheckpointPayload,
    EntryHeader,
    EpochStartPayload,
    MovePayload,
    RefusalsPayload,
    RegistryPayload,
)
from sync.wire.v1.frame_pb2 import Run

FORMAT = 1
Message = AdoptionPayload | CheckpointPayload | EpochStartPayload | MovePayload | RefusalsPayload | RegistryPayload
Content = RowBatch | Undecodable | Message | None

_MESSAGES: dict[int, Callable[[], Message]] = {
    Kind.MOVE: MovePayload,
    Kind.REGISTRY: RegistryPayload,
    Kind.ADOPTION: AdoptionPayload,
    Kind.REFUSALS: RefusalsPayload,
    Kind.CHECKPOINT: CheckpointPayload,
    Kind.EPOCH_START: EpochStartPayload,
}

_COUNTED = (Kind.REGISTRY, Kind.REFUSALS)
"""Kinds whose header says how many changes the message holds."""

_FEED_OF_KIND: dict[int, tuple[str, Route]] = {
    Kind.MOVE: (MOVES, Route.NODE),
    Kind.REGISTRY: (REGISTRY, Route.EVERYWHERE),
    Kind.REFUSALS: (REFUSALS, Route.NODE),
}
"""These kinds count in their own feeds only: a registry record that is not said everywhere would hide from the node
it is about."""


class Opened(NamedTuple):
    """One entry whose place in the chain and payload digest were checked. `content` is None where only relayed."""

    header: EntryHeader
    entry: LogEntry
    content: Content


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run whose every entry is vouched for by the verified seal of its last."""

    feed: FeedName
    epoch: bytes
    entries: tuple[Opened, ...]
    lane: Lane
    size: int
    answer: bool

    @property
    def route(self) -> int:
        return int(self.entries[0].header.route)

    @property
    def first_seq(self) -> int:
        return self.entries[0].entry.seq

    @property
    def last(self) -> LogEntry:
        return self.entries[-1].entry


class BadRun(NamedTuple):
    """A run that could not be opened: never stored, its credit given back (fate a)."""

    feed: FeedName
    epoch: bytes
    first_seq: int
    lane: Lane
    size: int
    answer: bool
    route: int
    reason: Reason
    detail: str


class Draft(NamedTuple):
    """What the origin puts into one new entry."""

    kind: Kind
    lane: Lane
    codec: int
    payload: bytes
    plain_size: int
    rows: int
    schema_version: int
    group: int


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes: the constant fields of this node's headers."""

    federation: str
    node: str
    instance: bytes
    enrolment: int


def run_size(run: Run) -> int:
    """Bytes of a run that count against credit: headers, payloads and seals."""
    return sum(len(e.header) + len(e.payload) + len(e.seal) for e in run.entries)


def entry_size(entry: LogEntry) -> int:
    """The same for one entry of the log."""
    return len(entry.header) + len(entry.payload) + len(entry.seal)


# --- at the origin --------------------------------------------------------------------------------------------------


def make_entry(
    suite: Suite, author: Author, feed: FeedName, route: Route, head: Head, draft: Draft, hlc: int
) -> LogEntry:
    """The next entry after `head`, not yet sealed."""
    digest = suite.hash(PAYLOAD + draft.payload)
    header = EntryHeader(
        format=FORMAT,
        federation=author.federation,
        suite=suite.number,
        origin=author.node,
        instance=author.instance,
        enrolment=author.enrolment,
        publication=feed.publication,
        addressee=feed.addressee,
        route=int(route),  # type: ignore[arg-type]
        epoch=head.epoch,
        seq=head.seq + 1,
        prev=head.hash,
        payload_digest=digest,
        payload_size=len(draft.payload),
        plain_size=draft.plain_size,
        rows=draft.rows,
        codec=draft.codec,
        kind=int(draft.kind),  # type: ignore[arg-type]
        schema_version=draft.schema_version,
        group=draft.group,
        hlc=hlc,
        lane=int(draft.lane),  # type: ignore[arg-type]
    ).SerializeToString()
    header_hash = suite.hash(HEADER + header)
    return LogEntry(head.seq + 1, header, header_hash, draft.payload, digest, b"", draft.plain_size, draft.rows)


def seal(signer: Signer, entry: LogEntry) -> LogEntry:
    """The same entry with this origin's seal over its header hash."""
    return entry._replace(seal=signer.sign(SEAL + entry.header_hash))


def adoption_message(suite: Suite, prev: bytes, version: int, new_public_key: bytes) -> bytes:
    """What the old key signs so that a feed passes to a new enrolment version (protocol section 6)."""
    return ADOPT + prev + version.to_bytes(8, "big") + key_id(suite, new_public_key)


# --- at every receiver ----------------------------------------------------------------------------------------------


def open_run(
    run: Run,
    registry: Registry,
    suites: Suites,
    schema_of: Callable[[str, str], RowSchema | None],
    wants_content: Callable[[EntryHeader], bool],
    check_way: Callable[[FeedName, int, bool], None] = lambda *_: None,
) -> OpenedRun | BadRun:
    """Checks a run by itself; a BadRun names the first thing that is wrong.

    (0) bounds; whether such a feed comes from there at all, by its name, its first route, and whether it is an answer
    (1) headers parse, are of this format, federation, feed, epoch  (2) each follows the one before
    (3) payload digests and sizes, and those of the run as a whole  (4) the last is sealed, by a known enrolment
    version, and the seal verifies; seals between are verified where they are kept, and left out elsewhere; none may be
    too far from the one before
    (5) payloads inflate and decode, where this node applies them (asked once for entries of one route and kind).
    """
    feed = FeedName(run.feed.origin, run.feed.publication, run.feed.addressee)
    lane = Lane(run.lane) if run.lane in (1, 2, 3) else Lane.BULK
    size = run_size(run)
    seq = route = 0
    try:
        _check_bounds(run, size)
        route = _first_route(run)
        check_way(feed, route, run.answer)
        headers: list[EntryHeader] = []
        opened: list[LogEntry] = []
        plain = rows = 0
        for wire in run.entries:
            header = parse_header(wire.header, registry.federation, feed, run.epoch)
            seq = header.seq
            suite = suites.get(header.suite)
            if suite is None:
                raise RemoteFault(Reason.MALFORMED, f"suite {header.suite} is not known here")
            if opened:
                check_follows(header, opened[-1])
            check_sizes(header, len(wire.payload))
            if suite.hash(PAYLOAD + wire.payload) != header.payload_digest:
                raise RemoteFault(Reason.BAD_PAYLOAD_DIGEST, "payload is not the one its header names")
            plain += header.plain_size
            rows += header.rows
            if plain > limits.RUN_PLAIN_BYTES_MAX or rows > limits.RUN_ROWS_MAX:
                raise RemoteFault(Reason.LIMIT_EXCEEDED, f"{plain} plain bytes, {rows} rows in a run")
            opened.append(
                LogEntry(
                    seq,
                    wire.header,
                    suite.hash(HEADER + wire.header),
                    wire.payload,
                    header.payload_digest,
                    wire.seal,
                    header.plain_size,
                    header.rows,
                )
            )
            headers.append(header)
        kept = _check_seals(headers, opened, registry, suites)
        contents: list[Content] = []
        wanted: dict[tuple[int, int], bool] = {}
        for header, entry in zip(headers, kept, strict=True):
            alike = (int(header.route), int(header.kind))
            if alike not in wanted:
                wanted[alike] = wants_content(header)
            contents.append(open_content(header, entry.payload, schema_of) if wanted[alike] else None)
    except RemoteFault as fault:
        return BadRun(feed, run.epoch, seq, lane, size, run.answer, route, fault.reason, fault.detail)
    entries = tuple(map(Opened, headers, kept, contents))
    return OpenedRun(feed, run.epoch, entries, lane, size, run.answer)


def _check_bounds(run: Run, size: int) -> None:
    if not run.entries:
        raise RemoteFault(Reason.MALFORMED, "a run without entries")
    if len(run.entries) > limits.RUN_ENTRIES_MAX or size > limits.MESSAGE_BYTES_MAX:
        raise RemoteFault(Reason.LIMIT_EXCEEDED, f"{len(run.entries)} entries, {size} bytes in a run")
    for entry in run.entries:
        if len(entry.header) > limits.HEADER_BYTES_MAX:
            raise RemoteFault(Reason.LIMIT_EXCEEDED, f"a header of {len(entry.header)} bytes")
        if len(entry.header) + len(entry.payload) > limits.ENTRY_BYTES_MAX:
            raise RemoteFault(Reason.LIMIT_EXCEEDED, f"an entry of {len(entry.header) + len(entry.payload)} bytes")


def _first_route(run: Run) -> int:
    """The route that the first header names; 0 if it does not parse, which is told after the way was checked."""
    try:
        return int(EntryHeader.FromString(run.entries[0].header).route)
    except DecodeError:
        return 0


def parse_header(data: bytes, federation: str, feed: FeedName, epoch: bytes) -> EntryHeader:
    """A header of this federation, feed and epoch that has all that every header has. Raises RemoteFault."""
    try:
        header = EntryHeader.FromString(data)
    except DecodeError as error:
        raise RemoteFault(Reason.MALFORMED, "a header does not parse") from error
    if header.federation != federation:
        raise RemoteFault(Reason.FEDERATION_MISMATCH, "a header of another federation")
    if (header.origin, header.publication, header.addressee) != feed or header.epoch != epoch:
        raise RemoteFault(Reason.MALFORMED, "an entry of another feed or epoch in the run")
    if (
        header.format < FORMAT
        or header.seq < 1
        or len(header.epoch) != ID_BYTES
        or len(header.instance) != ID_BYTES
        or len(header.prev) != DIGEST_BYTES
        or len(header.payload_digest) != DIGEST_BYTES
        or header.route not in (1, 2, 3, 4, 5)
        or max(header.seq, header.group, header.schema_version, header.hlc, header.enrolment) > NUMBER_MAX
    ):
        raise RemoteFault(Reason.MALFORMED, "a header lacks what every header has")
    if not is_publication(header.publication) or not (header.addressee == "" or is_node_id(header.addressee)):
        raise RemoteFault(Reason.MALFORMED, "publication or addressee is not well-formed")
    if header.publication == REGISTRY and (header.addressee or int(header.route) != Route.EVERYWHERE):
        raise RemoteFault(Reason.MALFORMED, "a registry feed that is not for everybody")
    return header


def check_follows(header: EntryHeader, before: LogEntry) -> None:
    """Raises RemoteFault GAP or BAD_PREV unless an entry stands right behind another."""
    if header.seq != before.seq + 1:
        raise RemoteFault(Reason.GAP, f"seq {header.seq} after {before.seq}")
    if header.prev != before.header_hash:
        raise RemoteFault(Reason.BAD_PREV, f"entry {header.seq} does not follow the one before it")


def _check_seals(
    headers: Sequence[EntryHeader], entries: list[LogEntry], registry: Registry, suites: Suites
) -> list[LogEntry]:
    """Entries with the seals that were verified and are kept, where `_kept_seals` says; raises unless all are good."""
    if not entries[-1].seal:
        raise RemoteFault(Reason.NO_SEAL, "the last entry of the run has no seal")
    kept = [entry._replace(seal=b"") if entry.seal else entry for entry in entries]
    for index in _kept_seals(entries):
        verify_seal(headers[index], entries[index], registry, suites)
        kept[index] = entries[index]
    return kept


def _kept_seals(entries: Sequence[LogEntry]) -> list[int]:
    """Places of the seals to keep: where the distance at which an origin must seal is reached, and wherever the next
    seal lies too far from the last one kept. So no stretch of the log grows on its way from node to node beyond what
    may lie between two seals. Raises RemoteFault if the run itself goes further than that without one.
    """
    size = [0, *accumulate(len(entry.header) + len(entry.payload) for entry in entries)]

    def too_far(since: int, up_to: int) -> bool:
        return up_to - since > limits.SEAL_GAP_ENTRIES_MAX or size[up_to] - size[since] > limits.SEAL_GAP_BYTES_MAX

    kept = [0]
    before = 0
    for end, entry in enumerate(entries, start=1):
        if not entry.seal:
            continue
        if too_far(before, end):
            raise RemoteFault(
                Reason.NO_SEAL, f"{end - before} entries, {size[end] - size[before]} bytes without a seal"
            )
        if too_far(kept[-1], end):
            kept.append(before)
        if size[end] - size[kept[-1]] >= limits.SEAL_EVERY_BYTES:
            kept.append(end)
        before = end
    if kept[-1] != len(entries):
        kept.append(len(entries))
    return [end - 1 for end in kept[1:]]


def verify_seal(header: EntryHeader, entry: LogEntry, registry: Registry, suites: Suites) -> None:
    """Raises RemoteFault UNKNOWN_ENROLMENT or BAD_SEAL unless the seal is by the key that the header names."""
    enrolment = registry.enrolment(header.origin, header.enrolment)
    if enrolment is None:
        raise RemoteFault(Reason.UNKNOWN_ENROLMENT, f"version {header.enrolment} of {header.origin}")
    if enrolment.suite != header.suite:
        raise RemoteFault(Reason.BAD_SEAL, "the header's suite is not the enrolled one")
    if not suites[header.suite].verify(enrolment.public_key, entry.seal, SEAL + entry.header_hash):
        raise RemoteFault(Reason.BAD_SEAL, f"the seal of entry {entry.seq} does not verify")


def open_content(header: EntryHeader, payload: bytes, schema_of: Callable[[str, str], RowSchema | None]) -> Content:
    """Inflates and decodes a payload whose digest was checked. Raises RemoteFault for what lies about its shape."""
    if header.format > FORMAT:
        return Undecodable("", Fate.PARKED, Reason.UNKNOWN_SCHEMA_VERSION, Phrase("format {}", header.format))
    plain = inflate(header, payload)
    if int(header.kind) == Kind.RECORDS:
        return decode_records(header, plain, lambda dataset: schema_of(header.publication, dataset))
    make = _MESSAGES.get(int(header.kind))
    if make is None:
        return Undecodable("", Fate.PARKED, Reason.UNKNOWN_SCHEMA_VERSION, Phrase("kind {}", header.kind))
    if header.codec != CODEC_MESSAGE:
        raise RemoteFault(Reason.MALFORMED, f"codec {header.codec} for kind {header.kind}")
    if _FEED_OF_KIND.get(int(header.kind), (header.publication, header.route)) != (header.publication, header.route):
        return Undecodable(
            "", Fate.REFUSED, Reason.RULE_BROKEN, Phrase("kind {} in feed '{}'", header.kind, header.publication)
        )
    message = make()
    _check_parts(header, plain)
    try:
        message.ParseFromString(plain)
    except DecodeError as error:
        raise RemoteFault(Reason.MALFORMED, "payload does not parse") from error
    held = _count(message)
    if held is not None and held != header.rows:
        raise RemoteFault(Reason.MALFORMED, f"rows says {header.rows}, the payload holds {held}")
    return message


def _check_parts(header: EntryHeader, plain: bytes) -> None:
    """Before anything is built: 1 MiB can hold half a million empty records. Exactly how many, _count says."""
    changes = header.rows if int(header.kind) in _COUNTED else 0
    most = changes + limits.MESSAGE_FIELDS_MAX
    if count_parts(plain, most, depth=1) > most:
        raise RemoteFault(Reason.MALFORMED, f"rows says {header.rows}, the payload holds more than {most} parts")
    if count_parts(plain, limits.MESSAGE_PARTS_MAX) > limits.MESSAGE_PARTS_MAX:
        raise RemoteFault(Reason.LIMIT_EXCEEDED, f"more than {limits.MESSAGE_PARTS_MAX} parts in a message")


def _count(message: Message) -> int | None:
    """How many changes a message holds; None where that is not counted. Its bound is the one on a header's rows."""
    if isinstance(message, RegistryPayload):
        return len(message.records) + len(message.epochs)
    if isinstance(message, RefusalsPayload):
        return len(message.refusals)
    return None
