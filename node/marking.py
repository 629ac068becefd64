"""What arrived and breaks a rule is marked by the node itself (flow W9), where node.toml says so for a dataset.

Nothing is done while rows are applied. Now and then the entries that came since the last look are read again from the
log: their rows, as they stand by now, are asked. One issue stands for one rule and record (for one extension code, for
one period), however often it is found: its id is made of those. Where the record keeps the rule again, or is gone, the
node closes the issue; where the origin said that it is as it should be, nothing is reopened. How far a feed was looked
through is kept when its issues are written, so after a crash some of it is looked at again, which changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from node.app import Node
from node.dues import Item
from node.extensions import and_above, registered
from node.jobs import StoreJob
from node.quality import ISSUES, Known, columns_here, issues, own_issues
from node.settings import MarkSetting
from node.store.readers import Reader
from node.store.store import Store
from sync.core import Core
from sync.effects import FeedState, LogEntry, SaveMeta
from sync.errors import RemoteFault
from sync.payload import decode_records, inflate
from sync.rows import RowBatch, key_getter, key_text
from sync.values import Cell, FeedName, Key, Kind, dataset_of
from sync.wire.v1.entry_pb2 import EntryHeader
from tiers.dataset import Dataset
from tiers.dues import Standing
from tiers.marking import AUTOMATIC, CODE_UNKNOWN, DUPLICATE, LATE, MISSING, Extension, Flaw, Marker, issue_id
from tiers.periods import day_of, midnight_us
from tiers.quality import CLOSED, CORRECTED, KEPT, NOTIFIED, move_issue

POSITIONS = "quality_positions"
"""Of the store's own facts: how far each feed of each dataset was looked through."""
RUN_BYTES = 1_048_576
RUN_ENTRIES = 256
RUNS_AT_ONCE = 200
"""Runs of entries that one look reads of a dataset; the next look goes on from there."""
PAUSE_S = 0.005
KEY_CHARACTERS_MAX = 200
_AUTOMATIC_OF = f'"_origin" = ? AND "dataset" = ? AND substr("issue_id", 1, {len(AUTOMATIC)}) = ?'
_OF_A_RECORD = "check:", "duplicate"
_MISSING = Flaw("missing", MISSING, "", "截止时仍未收到 / it had not come when the period was closed")
_LATE = Flaw("late", LATE, "", "晚于报送期限 / it came after it was due")
_DUPLICATE = "另一节点也报送了此记录：{0} / this record came from another node too: {0}"

Places = dict[str, tuple[bytes, int]]
"""By feed: epoch and seq of the last entry that was looked at."""


class Found(NamedTuple):
    """Something wrong with a record, or with a period. version: of the record, None where there is none."""

    origin: str
    key: str
    version: int | None
    flaw: Flaw
    period: str = ""

    def id(self, region: str, dataset: str) -> str:
        """Of its issue. An extension code has one, whatever records it stands in."""
        of = "" if self.flaw.kind == CODE_UNKNOWN else self.key or self.period
        return issue_id(region, dataset, self.origin, self.flaw.rule, of)


class Page(NamedTuple):
    """What was found in a run of entries. settled: open issues whose rule the record keeps by now. seq: of the last."""

    found: list[Found]
    settled: list[Known]
    seq: int


@dataclass(slots=True)
class Day:
    """How many issues the node made today, and how many it did not because there were too many."""

    made: int
    left: int = 0


class Marking:
    """Looks now and then. Used in the loop."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._told: dict[str, date] = {}

    async def look(self, owed: Iterable[Item]) -> None:
        """At what arrived since the last look, and at what is owed. Raises InputFault, StoreFault."""
        node, settings = self._node, self._node.config.quality
        kept = await node.read(_kept)
        if not settings and not kept:
            return
        items, after = list(owed), dict[str, Places]()
        for name, setting in settings.items():
            look = await _Look.begin(node, node.catalogue.datasets[name], setting)
            after[name] = await look.arrivals(kept.get(name))
            await look.periods([item for item in items if item.dataset == name])
            self._tell(name, setting, look.day)
        if after != kept:
            packed = msgspec.msgpack.encode(after)
            await node.writer.call(lambda ticket: StoreJob(ticket, partial(_keep, packed)))

    def _tell(self, name: str, setting: MarkSetting, day: Day) -> None:
        """Once a day."""
        today = _today(self._node)
        if day.left and self._told.get(name) != today:
            self._told[name] = today
            self._node.alarm("quality_marks_full", dataset=name, limit=setting.per_day, not_marked=day.left)


def _kept(reader: Reader) -> dict[str, Places]:
    packed = reader.meta(POSITIONS)
    return msgspec.msgpack.decode(packed, type=dict[str, Places]) if isinstance(packed, bytes) and packed else {}


def _keep(packed: bytes, store: Store) -> None:
    store.perform(SaveMeta(POSITIONS, packed))


def _today(node: Node) -> date:
    return day_of(node.clock.now_us(), ZoneInfo(node.config.run.time_zone))


class _Look:
    """One look at one dataset."""

    def __init__(
        self, node: Node, dataset: Dataset, setting: MarkSetting, core: Core, open_now: Sequence[Known], day: Day
    ) -> None:
        self.day = day
        self._node = node
        self._dataset = dataset
        self._setting = setting
        self._core = core
        self._here = node.standing
        self._open = open_now
        self._open_about: dict[str, list[Known]] = {}
        for one in open_now:
            self._open_about.setdefault(str(one.row["record_key"] or ""), []).append(one)
        self._codes: Mapping[tuple[str, str, str], object] = {}

    @classmethod
    async def begin(cls, node: Node, dataset: Dataset, setting: MarkSetting) -> _Look:
        """With what the node marked by itself, and how much of that today."""
        own = (node.standing.node, dataset.id, AUTOMATIC)
        since = midnight_us(_today(node), ZoneInfo(node.config.run.time_zone))
        open_now = await node.read(lambda reader: issues(reader, f'{_AUTOMATIC_OF} AND "state" <> ?', (*own, CLOSED)))
        made = await node.read(
            lambda reader: reader.count(ISSUES, f'{_AUTOMATIC_OF} AND "found_at" >= ?', (*own, since))
        )
        return cls(node, dataset, setting, node.core(), open_now, Day(made))

    # --- rows that arrived

    async def arrivals(self, places: Places | None) -> Places:
        """Looks at the rows of the entries behind `places`, and says how far it came. None: what came before marking
        was switched on is not looked at."""
        feeds = await self._node.read(self._feeds)
        if places is None:
            return {str(feed.name): (feed.head.epoch, feed.head.seq) for feed in feeds}
        if CODE_UNKNOWN in self._setting.kinds:
            self._codes = await self._node.read(lambda reader: registered(reader, self._node.catalogue))
            await self._write([], [one for one in self._open if self._is_registered(one)])
        left, reached = RUNS_AT_ONCE, Places()
        for feed in feeds:
            epoch, seq = places.get(str(feed.name), (feed.head.epoch, 0))
            seq = seq if epoch == feed.head.epoch else 0
            while seq < feed.head.seq and left:
                page = await self._node.read(partial(self._page, feed.name, feed.head.epoch, seq))
                await self._write(page.found, page.settled)
                left, seq = left - 1, page.seq if page.seq > seq else feed.head.seq
                await asyncio.sleep(PAUSE_S)
            reached[str(feed.name)] = (feed.head.epoch, seq)
        return reached

    def _feeds(self, reader: Reader) -> list[FeedState]:
        """The feeds of others that bring the dataset's rows to this node."""
        known = [state for state in reader.feeds() if dataset_of(state.name.publication) == self._dataset.id]
        applied = (state for state in known if self._core.applies(state.name, int(state.route)))
        return [state for state in applied if state.name.origin != self._here.node]

    def _page(self, feed: FeedName, epoch: bytes, seq: int, reader: Reader) -> Page:
        """In the reading thread."""
        entries = reader.entries(feed, epoch, seq + 1, RUN_BYTES, RUN_ENTRIES)
        keys = list(dict.fromkeys(key for entry in entries for key in _keys(self._dataset, entry)))
        rows = reader.read_rows(self._dataset.id, feed.origin, keys)
        held = columns_here(self._core, self._node.catalogue, reader, feed.origin, self._dataset.id)
        marker = Marker(self._dataset, held, self._setting.kinds)
        found = []
        for key, (version, row) in rows.items():
            named = key_text(key)
            flaws = [*marker.flaws(row), *self._unregistered(feed.origin, marker.extensions(row))]
            found += [Found(feed.origin, named, version, flaw) for flaw in flaws]
        relatives = self._relatives(reader, feed.origin) if DUPLICATE in self._setting.kinds else []
        found += self._duplicates(reader, feed.origin, relatives, keys)
        ids = {one.id(self._here.region, self._dataset.id) for one in found}
        about = [one for key in keys for one in self._open_about.get(key_text(key), ())]
        settled = [one for one in about if one.row["issue_id"] not in ids and _is_asked(one, feed.origin, relatives)]
        return Page(found, settled, entries[-1].seq if entries else seq)

    def _unregistered(self, origin: str, codes: Iterable[Extension]) -> list[Flaw]:
        above = list(and_above(origin))
        return [one.flaw for one in codes if not any((o, one.table, one.code) in self._codes for o in above)]

    def _is_registered(self, one: Known) -> bool:
        """Whether an issue is about an extension code that has been registered since."""
        origin, column, region = str(one.row["origin"]), str(one.row["column_name"] or ""), self._here.region
        above = set(and_above(origin))
        rules = [Extension(column, table, code).rule for o, table, code in self._codes if o in above]
        ids = {issue_id(region, self._dataset.id, origin, rule, "") for rule in rules}
        return one.row["kind"] == CODE_UNKNOWN and str(one.row["issue_id"]) in ids

    def _relatives(self, reader: Reader, origin: str) -> list[str]:
        """The nodes above and below an origin whose rows may be here: a county's record that its city sends too."""
        below = self._core.registry.is_below
        names = (state.name for state in reader.feeds() if dataset_of(state.name.publication) == self._dataset.id)
        origins = {name.origin for name in names}
        return sorted(one for one in origins if below(one, origin) or below(origin, one))

    def _duplicates(
        self, reader: Reader, origin: str, relatives: Sequence[str], keys: Sequence[Key]
    ) -> Iterable[Found]:
        """Of a record that a node and one below it both sent, that of the upper one is marked: the other is nearer to
        where it comes from. Not an own one, which nobody can mark."""
        registry, here = self._core.registry, self._here.node
        by_node = {name: reader.read_rows(self._dataset.id, name, keys) for name in (origin, *relatives)}
        for other in relatives:
            upper, lower = (other, origin) if registry.is_below(origin, other) else (origin, other)
            upper, lower = (lower, upper) if upper == here else (upper, lower)
            for key in by_node[upper].keys() & by_node[lower].keys():
                flaw = Flaw("duplicate", DUPLICATE, "", _DUPLICATE.format(lower))
                yield Found(upper, key_text(key), by_node[upper][key][0], flaw)

    # --- periods

    async def periods(self, items: Iterable[Item]) -> None:
        """What had not come when its period was closed, and what came late."""
        now, kinds, found, come = self._node.clock.now_us(), self._setting.kinds, list[Found](), set[str]()
        for item in items:
            if MISSING in kinds and item.standing is Standing.OVERDUE and now >= item.cut_off:
                found.append(Found(item.node, "", None, _MISSING, item.period))
            elif LATE in kinds and item.standing in (Standing.LATE, Standing.CORRECTION):
                found.append(Found(item.node, "", None, _LATE, item.period))
            if item.arrived:
                come.add(Found(item.node, "", None, _MISSING, item.period).id(self._here.region, self._dataset.id))
        await self._write(found, [one for one in self._open if one.row["issue_id"] in come])

    # --- writing

    async def _write(self, found: Iterable[Found], settled: Iterable[Known]) -> None:
        """New issues as far as the day allows, those that are there again, and those that are over."""
        wanted = {one.id(self._here.region, self._dataset.id): one for one in found}
        known = await self._node.read(lambda reader: own_issues(reader, self._here.node, list(wanted)))
        now = self._node.clock.now_us()
        rows = [self._new(id_, one, now) for id_, one in wanted.items() if id_ not in known and self._has_room(one)]
        rows += [row for id_, was in known.items() if (row := _again(was, wanted[id_])) is not None]
        rows += [_closed(one, now) for one in settled]
        if rows:
            names = self._node.catalogue.datasets[ISSUES].schema.names
            result = await self._node.put(ISSUES, [tuple(row.get(name) for name in names) for row in rows])
            for reject in result.rejected:
                self._node.log.warning("issue_not_made", issue=reject.key, detail=str(reject.detail))

    def _has_room(self, one: Found) -> bool:
        if len(one.key) > KEY_CHARACTERS_MAX:
            return False
        if self.day.made >= self._setting.per_day:
            self.day.left += 1
            return False
        self.day.made += 1
        return True

    def _new(self, id_: str, one: Found, now: int) -> dict[str, Cell]:
        of_record = one.flaw.rule.startswith(_OF_A_RECORD)
        return {
            "issue_id": id_,
            "finder": self._here.region,
            "origin": one.origin,
            "dataset": self._dataset.id,
            "record_key": one.key or None,
            "period": one.period or None,
            "kind": one.flaw.kind,
            "column_name": one.flaw.column or None,
            "problem": one.flaw.said,
            "found_at": now,
            "state": NOTIFIED,
            "excluded": self._setting.exclude and of_record,
            "round": 1,
            "found_version": one.version,
        }


def _keys(dataset: Dataset, entry: LogEntry) -> list[Key]:
    """The keys of an entry's rows; none of one that cannot be read here."""
    header = EntryHeader.FromString(entry.header)
    if int(header.kind) != Kind.RECORDS:
        return []
    try:
        batch = decode_records(header, inflate(header, entry.payload), lambda _: dataset.schema)
    except RemoteFault:
        return []
    if not isinstance(batch, RowBatch) or batch.dataset != dataset.id:
        return []
    key_of = key_getter(dataset.schema, batch.columns) if batch.puts else None
    return [*(map(key_of, batch.puts) if key_of else ()), *(tuple(end.key) for end in batch.ends)]


def _is_asked(one: Known, origin: str, relatives: Sequence[str]) -> bool:
    """Whether what an issue says of a record was asked again with the rows of an origin."""
    if one.row["kind"] == DUPLICATE:
        return one.row["origin"] in (origin, *relatives)
    return one.row["kind"] != CODE_UNKNOWN and one.row["origin"] == origin


def _again(was: Known, one: Found) -> dict[str, Cell] | None:
    """An issue that is there already, found once more: reopened where it was closed, or answered with a correction that
    is none. None: it stands as it is, and what the origin keeps with a reason is not asked again."""
    kept = was.answer is not None and was.answer.round == was.issue.round and was.answer.answer == KEPT
    changed = one.version != was.row["found_version"]
    if one.period or kept or not changed or was.state not in (CLOSED, CORRECTED):
        return None
    said = move_issue(was.issue, was.answer, "reopen", one.flaw.said)
    row = {**was.row, "state": said.state, "round": said.round, "closed_at": None, "problem": one.flaw.said}
    return {**row, "found_version": one.version}


def _closed(one: Known, now: int) -> dict[str, Cell]:
    return {**one.row, "state": move_issue(one.issue, one.answer, "close", "").state, "closed_at": now}
