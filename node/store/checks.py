"""The rules that fsck checks, without reading anything: what a sound chain is, and what to do about a damaged one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import Enum, unique
from typing import NamedTuple

from google.protobuf.message import DecodeError

from node.texts import N_
from sync.chain import Opened
from sync.effects import LogEntry
from sync.errors import RemoteFault
from sync.receive import check_adoption
from sync.registry import Registry
from sync.suites import HEADER, PAYLOAD, SEAL, Suites, genesis
from sync.values import FeedName, Head
from sync.wire.v1.entry_pb2 import EntryHeader

KeyOf = Callable[[str, int], tuple[int, bytes] | None]
"""(node id, enrolment version) -> (suite number, public key), or None if it is not known here."""


class Remedy(Enum):
    """What to do about a fault."""

    RESTORE = N_("restore this node from a backup; it then fetches from its neighbours what the backup lacks")
    REPLAY = N_("the log is sound and the tables are not: restore this node from a backup, nothing sealed is lost")
    REPUBLISH = N_("what was published is not what the rows say: enter the row again")
    EPOCH = N_("no other node takes this feed from there on: it goes on only in a new epoch: ask your supplier")
    REGISTRY = N_("the key is not known here: let the node connect, so that the registry comes, and check again")
    REPORT = N_("the program kept its books wrongly: please report it with this output")


@unique
class Fault(Enum):
    """What can be wrong: a stable name and the remedy."""

    HEADER_UNREADABLE = (N_("header does not parse"), Remedy.RESTORE)
    HEADER_HASH = (N_("header is not the one that was hashed"), Remedy.RESTORE)
    WRONG_FEED = (N_("header belongs to another federation, feed or epoch"), Remedy.RESTORE)
    ROUTE_CHANGED = (N_("route changed within an epoch"), Remedy.RESTORE)
    ENROLMENT_FELL = (N_("enrolment version fell within an epoch"), Remedy.RESTORE)
    ADOPTION = (N_("enrolment version rose without an adoption that the old key signed"), Remedy.RESTORE)
    CLOSED = (N_("entry stands beyond the end of its enrolment version"), Remedy.RESTORE)
    OWN_CLOSED = (N_("own entry stands beyond the end of its enrolment version"), Remedy.EPOCH)
    SEQ = (N_("entries are missing or out of place"), Remedy.RESTORE)
    PREV = (N_("entry does not follow the one before it"), Remedy.RESTORE)
    PAYLOAD_MISSING = (N_("payload is missing"), Remedy.RESTORE)
    PAYLOAD_DIGEST = (N_("payload is not the one its header names"), Remedy.RESTORE)
    PAYLOAD_SIZE = (N_("payload has another size than its header says"), Remedy.RESTORE)
    PAYLOAD_UNREADABLE = (N_("payload does not decode as its header says"), Remedy.RESTORE)
    SUITE = (N_("signature suite is not known, or not the enrolled one"), Remedy.REGISTRY)
    KEY_UNKNOWN = (N_("no key is known for this enrolment version"), Remedy.REGISTRY)
    SEAL = (N_("seal does not verify"), Remedy.RESTORE)
    UNSEALED = (N_("entries after the last seal"), Remedy.RESTORE)
    HEAD = (N_("kept head is not the last entry"), Remedy.RESTORE)
    ENTRIES = (N_("kept number of entries is not that of the log"), Remedy.REPORT)
    PARKED = (N_("kept number of parked rows is not that of the fates"), Remedy.REPORT)
    DAY_COUNTS = (N_("kept counts of a day are not those of the log"), Remedy.REPORT)
    STATE_MISSING = (N_("feed has entries and no state"), Remedy.RESTORE)
    FATE_UNTOLD = (N_("a row has a fate that this node never told its origin"), Remedy.REPLAY)
    FATE_MISSING = (N_("a row no longer has the fate that this node told its origin"), Remedy.REPLAY)
    ROW_MISSING = (N_("the feed says a row that the table lacks"), Remedy.REPLAY)
    ROW_EXTRA = (N_("the table has a row that the feed does not say"), Remedy.REPLAY)
    ROW_DIFFERS = (N_("the table has a row otherwise than the feed says"), Remedy.REPLAY)
    ROW_COMBINED = (N_("a row is not what the feeds that carry it make together"), Remedy.REPLAY)
    DIGEST = (N_("kept row digest or number of rows is not that of the rows"), Remedy.REPORT)
    PUBLISHED_MISSING = (N_("a row is published nowhere in a feed it belongs to"), Remedy.REPUBLISH)
    PUBLISHED_EXTRA = (N_("the feed says a row that it should not"), Remedy.REPUBLISH)
    PUBLISHED_DIFFERS = (N_("the feed says a row otherwise than the table"), Remedy.REPUBLISH)

    @property
    def words(self) -> str:
        """What is wrong."""
        return self.value[0]

    @property
    def remedy(self) -> str:
        """What to do."""
        return self.value[1].value


SPOILT = frozenset(
    {
        Fault.HEADER_UNREADABLE,
        Fault.HEADER_HASH,
        Fault.PAYLOAD_MISSING,
        Fault.PAYLOAD_SIZE,
        Fault.PAYLOAD_DIGEST,
        Fault.SUITE,
    }
)
"""What makes an entry's content worthless: it is not replayed, and the feed's rows stay unchecked."""


class Finding(NamedTuple):
    """One fault. seq 0 and key '' where it is not about one entry or one row."""

    fault: Fault
    feed: FeedName
    seq: int = 0
    key: str = ""
    detail: str = ""

    def __str__(self) -> str:
        place = f"{self.feed}" + (f" seq {self.seq}" if self.seq else "") + (f" key {self.key}" if self.key else "")
        said = f" ({self.detail})" if self.detail else ""
        return f"{place}: {self.fault.words}{said}; {self.fault.remedy}"


@dataclass(slots=True)
class Chain:
    """Checks one epoch of one feed, entry by entry, in order; a fault does not hide those that come after it.

    (1) the header parses, names federation, feed, epoch  (2) route is constant, enrolment never falls, rises only by
    adoption and ends where a later one closed it  (3) seq goes on  (4) prev is the hash before, or the genesis
    (5) the stored hash is the header's  (6) the payload is the header's  (7) the seal, where there is one, verifies.

    Without `registry` adoptions and closings are not looked at. `before`: older epochs of the feed, which a closing
    in a newer one leaves as they are. `disputed_from`: from there on entries are marked as beside the history that
    counts. `own`: a feed of this node; what others hold brings nothing of it back.
    """

    feed: FeedName
    epoch: bytes
    federation: str
    suites: Suites
    key_of: KeyOf
    head: Head
    registry: Registry | None = None
    before: Collection[bytes] = ()
    own: bool = False
    disputed_from: int = 0
    last_sealed: int = 0
    entries: int = 0
    seals: int = 0
    route: int = 0
    enrolment: int = 0

    def take(self, entry: LogEntry, payload_held: bool) -> Iterator[Finding]:
        """What is wrong with the next entry."""
        due, before = self.head.seq + 1, self.head
        self.head = Head(self.epoch, entry.seq, entry.header_hash)
        self.entries += 1
        if entry.seq != due:
            yield self._finding(Fault.SEQ, entry.seq, f"{due} was due")
        try:
            header = EntryHeader.FromString(entry.header)
        except DecodeError:
            yield self._finding(Fault.HEADER_UNREADABLE, entry.seq)
            return
        yield from self._fields(header, entry)
        yield from self._enrolment(header, entry, before.hash)
        suite = self.suites.get(header.suite)
        if suite is None:
            yield self._finding(Fault.SUITE, entry.seq, f"suite {header.suite}")
            return
        if entry.seq == due:
            expected = before.hash
            if entry.seq == 1:
                expected = genesis(suite, self.federation, *self.feed, self.epoch)
            if header.prev != expected:
                yield self._finding(Fault.PREV, entry.seq)
        if suite.hash(HEADER + entry.header) != entry.header_hash:
            yield self._finding(Fault.HEADER_HASH, entry.seq)
        yield from self._payload(header, entry, payload_held)
        if entry.seal:
            yield from self._seal(header, entry)

    def end(self) -> Iterator[Finding]:
        """What is wrong with the chain as a whole: nothing may stand after the last seal."""
        if self.last_sealed != self.head.seq:
            yield self._finding(Fault.UNSEALED, self.head.seq, f"last seal at {self.last_sealed}")

    def _fields(self, header: EntryHeader, entry: LogEntry) -> Iterator[Finding]:
        names = (header.origin, header.publication, header.addressee)
        if header.federation != self.federation or names != self.feed or header.epoch != self.epoch:
            yield self._finding(Fault.WRONG_FEED, entry.seq)
        if header.seq != entry.seq:
            yield self._finding(Fault.SEQ, entry.seq, f"the header says {header.seq}")
        route = int(header.route)
        if self.route and route != self.route:
            yield self._finding(Fault.ROUTE_CHANGED, entry.seq, f"{self.route} to {route}")
        self.route = route

    def _enrolment(self, header: EntryHeader, entry: LogEntry, prev: bytes) -> Iterator[Finding]:
        """The receiver's rules (sync.receive) on a chain that is held already."""
        old, self.enrolment = self.enrolment, header.enrolment
        if header.enrolment < old:
            yield self._finding(Fault.ENROLMENT_FELL, entry.seq, f"{old} to {header.enrolment}")
        if self.registry is None:
            return
        new = self.registry.enrolment(header.origin, header.enrolment)
        if new is None:
            return  # its key is unknown: the seal's check says so
        if old and header.enrolment > old:
            try:
                check_adoption(self.registry, self.suites, Opened(header, entry, None), old, new, prev)
            except RemoteFault as fault:
                yield self._finding(Fault.ADOPTION, entry.seq, fault.detail)
        limit = self.registry.closed_at(header.origin, header.enrolment, header.publication, header.addressee)
        known = not self.own and 0 < self.disputed_from <= entry.seq
        if limit is not None and self._is_beyond(limit, entry.seq) and not known:
            closed = Fault.OWN_CLOSED if self.own else Fault.CLOSED
            yield self._finding(closed, entry.seq, f"version {header.enrolment} counts up to entry {limit[1]}")

    def _is_beyond(self, limit: tuple[bytes, int], seq: int) -> bool:
        epoch, last = limit
        return not epoch or (epoch == self.epoch and seq > last) or epoch in self.before

    def _payload(self, header: EntryHeader, entry: LogEntry, held: bool) -> Iterator[Finding]:
        if not held:
            yield self._finding(Fault.PAYLOAD_MISSING, entry.seq)
            return
        if len(entry.payload) != header.payload_size:
            yield self._finding(Fault.PAYLOAD_SIZE, entry.seq, f"{len(entry.payload)} bytes")
        if (entry.plain_size, entry.rows) != (header.plain_size, header.rows):
            yield self._finding(Fault.PAYLOAD_SIZE, entry.seq, f"kept as {entry.plain_size} plain, {entry.rows} rows")
        digest = self.suites[header.suite].hash(PAYLOAD + entry.payload)
        if digest != header.payload_digest or digest != entry.payload_digest:
            yield self._finding(Fault.PAYLOAD_DIGEST, entry.seq)

    def _seal(self, header: EntryHeader, entry: LogEntry) -> Iterator[Finding]:
        self.last_sealed = entry.seq
        self.seals += 1
        key = self.key_of(header.origin, header.enrolment)
        if key is None:
            yield self._finding(Fault.KEY_UNKNOWN, entry.seq, f"version {header.enrolment}")
            return
        suite, public_key = key
        if suite != header.suite:
            yield self._finding(Fault.SUITE, entry.seq, f"{header.suite}, enrolled is {suite}")
        elif not self.suites[suite].verify(public_key, entry.seal, SEAL + entry.header_hash):
            yield self._finding(Fault.SEAL, entry.seq)

    def _finding(self, fault: Fault, seq: int, detail: str = "") -> Finding:
        return Finding(fault, self.feed, seq, "", detail)
