"""Proves from stored bytes that the store is what it says: chains, seals, payloads, fates, rows, digests.

For each feed that is applied here three things must be equal: the digest kept in the feed's state, that of the rows as
a SELECT finds them, and that of a replay of the feed's entries. At the origin the replay of its own feeds, with the
outbox, must equal what the publications make of the row table. Rules are in node/store/checks.py and replay.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from google.protobuf.message import DecodeError

from node.store.absent import stand_in
from node.store.checks import SPOILT, Chain, Fault, Finding, KeyOf
from node.store.driver import connect_reader
from node.store.fsck_fates import KeptFate, Life, ToldFates
from node.store.fsck_rows import Published, RowChecks
from node.store.names import Names, entry_id, seq_of
from node.store.records import Records
from node.store.replay import Replay, SchemaOf
from node.store.schema import SEQ_MAX
from node.store.session import Session
from node.store.state import PUBLICATIONS, REVISION
from sync.days import date_of, day_of_hlc
from sync.effects import FeedState, LogEntry
from sync.errors import RemoteFault
from sync.phrase import Phrase
from sync.registry import Registry
from sync.schema import RowSchema
from sync.suites import Suites
from sync.values import DIGEST_BYTES, REFUSALS, Fate, FeedName, Head, Kind, Route
from sync.wire.v1.entry_pb2 import EntryHeader, EpochStartPayload

FINDINGS_KEPT_MAX = 10_000
TELL_EVERY_ENTRIES = 500

OnProgress = Callable[[int, int], None]
"""(entries checked, entries that the feeds' states count)"""

_FEEDS = "SELECT id FROM feed ORDER BY id"
_CHAINS = "SELECT id, epoch FROM chain WHERE feed = ? ORDER BY id"
_ENTRIES = """SELECT id, header, header_hash,
    coalesce(payload, (SELECT bytes FROM payload WHERE payload.digest = log.payload_digest)), payload_digest, seal,
    plain_size, rows
    FROM log WHERE id BETWEEN ? AND ? ORDER BY id"""
_FATES = "SELECT seq, place, dataset, key, fate FROM fate WHERE chain = ?"
_DAYS = "SELECT day, first, last, entries, rows FROM feed_day WHERE chain = ? ORDER BY day"
_PARKED = "SELECT count(*) FROM fate WHERE chain = ? AND fate = ?"
_OUTBOX = """SELECT kind, codec, payload, plain_size, rows, schema_version, change_group
    FROM outbox WHERE feed = ? ORDER BY id"""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the store is checked against. `schema_of` is the judge's; `applies` says whether a feed is judged here.

    Without `published` own rows are not compared with own feeds; without `registry` adoptions and closings are not
    checked. `settings` are those of `published`, as node/publications.py keeps them: own feeds that other settings
    wrote say rightly something else until the next start has made them follow.
    """

    node: str
    federation: str
    suites: Suites
    key_of: KeyOf
    schemas: Sequence[RowSchema]
    schema_of: SchemaOf
    applies: Callable[[FeedName, Route], bool]
    published: Published | None = None
    settings: str | None = None
    registry: Registry | None = None

    def own_schema_of(self, _: str, dataset: str) -> RowSchema | None:
        """Schemas of own feeds: by the dataset, for a publication that is no longer declared was written here too."""
        return self.schema_of("", dataset)


@dataclass(slots=True)
class Report:
    """What was looked at and what was found. `found` counts all findings; the list keeps the first 10,000."""

    feeds: int = 0
    epochs: int = 0
    entries: int = 0
    seals: int = 0
    rows: int = 0
    found: int = 0
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Phrase] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.found == 0

    def add(self, findings: Iterable[Finding]) -> None:
        """Keeps findings."""
        for finding in findings:
            self.found += 1
            if len(self.findings) < FINDINGS_KEPT_MAX:
                self.findings.append(finding)


def check_file(
    path: Path, rules: Rules, on_progress: OnProgress | None = None, over: Callable[[], bool] | None = None
) -> Report:
    """Checks a database through a read-only connection of its own; `over` as connect_reader. Raises StoreFault,
    UnsafeSqlite.
    """
    session = Session(connect_reader(path, over))
    try:
        stand_in(session, rules.schemas)
        return check_store(session, rules, on_progress)
    finally:
        session.close()


def check_store(session: Session, rules: Rules, on_progress: OnProgress | None = None) -> Report:
    """Checks the store behind a session that has no transaction open, as of one moment. Raises StoreFault."""
    session.run("BEGIN")
    try:
        return _Check(session, rules, on_progress).run()
    finally:
        session.rollback()


class _ChainRow(NamedTuple):
    number: int
    epoch: bytes
    counts_up_to: int
    """Entries beyond it are orphaned: a later epoch named an earlier head (protocol section 8.5)."""


class _Check:
    def __init__(self, session: Session, rules: Rules, on_progress: OnProgress | None) -> None:
        self._session = session
        self._on_progress = on_progress
        self._entries_seen = self._entries_all = 0
        self._rules = rules
        self._names = Names(session)
        self._records = Records(session, self._names)
        self._unsettled = [m for m in ("recovering", "republish") if self._records.meta(m)]
        self._told = ToldFates(session, rules.node, self._life())
        self._report = Report()

    def _life(self) -> Life | None:
        group = self._records.meta("group")
        return (
            None if self._unsettled else Life.of(self._records.meta("instance"), group if isinstance(group, int) else 0)
        )

    def run(self) -> Report:
        """All of it."""
        rows = RowChecks(self._session, self._names, self._rules.node, self._rules.schemas)
        states = {state.name: state for state in self._records.feeds()}
        self._entries_all = sum(state.entries for state in states.values())
        own: dict[FeedName, Replay] = {}
        for (number,) in self._session.rows(_FEEDS):
            name = self._names.feed_name(number)
            self._report.feeds += 1
            replay = self._check_log(name, number, states.get(name))
            state = states.get(name)
            if name.origin == self._rules.node:
                own[name] = replay
                if state is not None:
                    self._report.add(_digest(state, replay.digest, len(replay.rows), "replay"))
            elif replay.unread:
                self._report.unchecked.append(Phrase("rows of {}: {} entries cannot be read here", name, replay.unread))
            else:
                self._check_rows(rows, name, number, state, replay)
        self._report.add(rows.combined())
        self._report.add(rows.strays())
        self._check_own(rows, {name: replay for name, replay in own.items() if name in states})
        self._report.rows = rows.seen
        return self._report

    def _check_rows(
        self, rows: RowChecks, name: FeedName, number: int, state: FeedState | None, replay: Replay
    ) -> None:
        replayed, count = replay.digest, len(replay.rows)
        self._report.add(rows.compare(name, number, replay.rows))
        if state is not None:
            self._report.add(_digest(state, replayed, count, "replay"))
            self._report.add(_digest(state, rows.digest, rows.count, "rows"))

    def _check_own(self, rows: RowChecks, own: Mapping[FeedName, Replay]) -> None:
        published = self._rules.published
        unread = [str(name) for name, replay in own.items() if replay.unread]
        why = list[Phrase]()
        if self._unsettled:
            why.append(Phrase("own rows against own feeds: the node is still getting back what it lacks"))
        if unread:
            why.append(Phrase("own rows against own feeds: entries of {} cannot be read here", ", ".join(unread)))
        if self._rules.settings is not None and self._records.meta(PUBLICATIONS) not in (None, self._rules.settings):
            why.append(
                Phrase(
                    "own rows against own feeds: publications were changed since this node ran, and its next start "
                    "makes its feeds follow"
                )
            )
        if self._records.meta(REVISION):
            why.append(Phrase("own rows against own feeds: feeds are still following a change of publications"))
        if published is None:
            why = [Phrase("own rows against own feeds: no publications given")]
        if published is None or why:
            self._report.unchecked += why
            return
        self._report.add(rows.own({name: replay.rows for name, replay in own.items()}, published))

    # --- the log of one feed

    def _check_log(self, name: FeedName, number: int, state: FeedState | None) -> Replay:
        own = name.origin == self._rules.node
        replay = Replay(self._rules.own_schema_of if own else self._rules.schema_of)
        chains = self._chains(number)
        entries = parked = 0
        head: Head | None = None
        for index, chain in enumerate(chains):
            older = [one.epoch for one in chains[:index]]
            checked = self._check_chain(name, chain, older, state, replay)
            entries += checked.entries
            if state is not None and chain.epoch == state.head.epoch:
                head = checked.head
                parked = self._session.first(_PARKED, (chain.number, Fate.PARKED.value))[0]
        if state is None:
            if entries:
                self._report.add([Finding(Fault.STATE_MISSING, name, 0, "", f"{entries} entries")])
        else:
            self._report.add(_books(state, head, entries, parked))
            if own:
                self._replay_outbox(name, number, replay)
        return replay

    def _check_chain(
        self, name: FeedName, chain: _ChainRow, older: Sequence[bytes], state: FeedState | None, replay: Replay
    ) -> Chain:
        rules, own = self._rules, name.origin == self._rules.node
        start = Head(chain.epoch, 0, bytes(DIGEST_BYTES))
        known = (rules.federation, rules.suites, rules.key_of)
        disputed = state.disputed_from if state is not None and chain.epoch == state.head.epoch else 0
        check = Chain(name, chain.epoch, *known, start, rules.registry, older, own, disputed)
        days = _Days()
        without: dict[int, set[int]] = {}
        kept = [KeptFate(*fate) for fate in self._session.rows(_FATES, (chain.number,))]
        for fate in kept:
            if fate.fate != Fate.APPLIED.value:
                without.setdefault(fate.seq, set()).add(fate.place)
        applied = state is not None and (own or rules.applies(name, state.route))
        with self._session.stepping(_ENTRIES, _span(chain.number)) as found:
            for number, header, header_hash, payload, *rest in found:
                held = payload is not None
                entry = LogEntry(seq_of(number), header, header_hash, payload or b"", *rest)
                faults = list(check.take(entry, held))
                self._report.add(faults)
                days.count(entry)
                self._tell_progress()
                if not applied or entry.seq > chain.counts_up_to:
                    continue
                if any(finding.fault in SPOILT for finding in faults):
                    replay.unread += 1
                else:
                    self._report.add(_replay(replay, name, entry, () if own else without.get(entry.seq, ())))
        if not own and name.publication != REFUSALS:
            self._report.add(self._told.compare(name, chain.epoch, kept))
        if check.entries:
            self._report.epochs += 1
            self._report.add(check.end())
        self._report.add(days.compare(name, self._session.rows(_DAYS, (chain.number,))))
        self._report.entries += check.entries
        self._report.seals += check.seals
        return check

    def _tell_progress(self) -> None:
        self._entries_seen += 1
        if self._on_progress is not None and self._entries_seen % TELL_EVERY_ENTRIES == 0:
            self._on_progress(self._entries_seen, self._entries_all)

    def _chains(self, feed: int) -> list[_ChainRow]:
        """The feed's epochs in order, each with the last seq that counts."""
        found = self._session.rows(_CHAINS, (feed,))
        rows: list[_ChainRow] = []
        for index, (number, epoch) in enumerate(found):
            up_to = SEQ_MAX
            if index + 1 < len(found):
                up_to = self._named(found[index + 1][0], epoch)
            rows.append(_ChainRow(number, epoch, up_to))
        return rows

    def _named(self, chain: int, before: bytes) -> int:
        """Seq of the epoch before that a chain's start entry names, once its republication is complete."""
        named, complete = SEQ_MAX, False
        with self._session.stepping(_ENTRIES, _span(chain)) as found:
            for _, data, _, payload, *_ in found:
                header = _header(data)
                kind = 0 if header is None else int(header.kind)
                if kind == Kind.EPOCH_START and payload is not None:
                    start = EpochStartPayload.FromString(payload)
                    named = start.named_seq if start.old_epoch == before else SEQ_MAX
                complete = complete or kind == Kind.CHECKPOINT
        return named if complete else SEQ_MAX

    def _replay_outbox(self, name: FeedName, number: int, replay: Replay) -> None:
        """What waits is in the rows already, so the replay must have it too."""
        for kind, codec, payload, plain, rows, version, group in self._session.rows(_OUTBOX, (number,)):
            header = EntryHeader(
                format=1,
                publication=name.publication,
                kind=kind,
                codec=codec,
                payload_size=len(payload),
                plain_size=plain,
                rows=rows,
                schema_version=version,
                group=group,
            )
            entry = LogEntry(0, header.SerializeToString(), b"", payload, b"", b"", plain, rows)
            self._report.add(_replay(replay, name, entry, ()))


class _Days:
    """The entries of one epoch of a feed, counted again per day."""

    def __init__(self) -> None:
        self._counted: dict[int, list[int]] = {}

    def count(self, entry: LogEntry) -> None:
        """One entry, in order. One whose header does not parse is a fault of its own, and counts nowhere."""
        header = _header(entry.header)
        if header is not None:
            found = self._counted.setdefault(day_of_hlc(header.hlc), [entry.seq, 0, 0, 0])
            found[1:] = [entry.seq, found[2] + 1, found[3] + entry.rows]

    def compare(self, name: FeedName, kept: Sequence[tuple[int, int, int, int, int]]) -> Iterator[Finding]:
        """Against the books of the days."""
        held = {day: tuple(counts) for day, *counts in kept}
        counted = {day: tuple(counts) for day, counts in self._counted.items()}
        for day in sorted(held.keys() | counted.keys()):
            if held.get(day) != counted.get(day):
                detail = f"{date_of(day)}: {held.get(day)} kept, {counted.get(day)} counted"
                yield Finding(Fault.DAY_COUNTS, name, 0, "", detail)


def _span(chain: int) -> tuple[int, int]:
    return entry_id(chain, 0), entry_id(chain, SEQ_MAX)


def _header(data: bytes) -> EntryHeader | None:
    try:
        return EntryHeader.FromString(data)
    except DecodeError:
        return None


def _replay(replay: Replay, name: FeedName, entry: LogEntry, without: Iterable[int]) -> Iterator[Finding]:
    header = _header(entry.header)
    assert header is not None, "only whole entries are replayed"
    try:
        replay.take(header, entry.payload, frozenset(without))
    except RemoteFault as fault:
        yield Finding(Fault.PAYLOAD_UNREADABLE, name, entry.seq, "", fault.detail)


def _books(state: FeedState, head: Head | None, entries: int, parked: int) -> Iterator[Finding]:
    """Whether the feed's state is what its log and fates say. A feed without entries stands at its genesis."""
    name, kept = state.name, state.head
    ends = 0 if head is None else head.seq
    if ends != kept.seq or (head is not None and ends and head != kept):
        yield Finding(Fault.HEAD, name, kept.seq, "", f"the log ends at {ends}")
    if entries != state.entries:
        yield Finding(Fault.ENTRIES, name, 0, "", f"{state.entries} kept, {entries} held")
    if parked != state.parked:
        yield Finding(Fault.PARKED, name, 0, "", f"{state.parked} kept, {parked} held")


def _digest(state: FeedState, digest: bytes, rows: int, source: str) -> Iterator[Finding]:
    if digest != state.digest or rows != state.rows:
        yield Finding(Fault.DIGEST, state.name, 0, "", f"{state.rows} rows kept, {rows} by {source}")
