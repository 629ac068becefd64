"""Statistics worked out from the store and put in at the node's own door, like rows that anyone brings.

Reading is done a page at a time in the reading thread, with pauses, so that neither the writer nor other questions wait
for it; what is kept of it is the cells. What is to be said follows from rows alone: after a crash, or run twice, it
says the same again, and what is as it was is not written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from node.app import Node
from node.counting import CountedTasks
from node.jobs import PutResult
from node.quality import columns_here, left_out
from node.store.readers import Reader
from sync.link import Phase
from sync.registry import Enrolment, Registry
from sync.replica import Replica
from sync.schema import CellType
from sync.values import Cell, Key, Row
from tiers.dataset import Cadence, Dataset
from tiers.deadlines import cut_off_us
from tiers.dues import debtors
from tiers.filters import AllOf, AnyOf, Compare, Filter, OneOf, filter_sql
from tiers.parts import children_of, height_of, may_own, parts_of
from tiers.periods import Period, day_of, ended_periods, midnight_us
from tiers.rolling import NOTHING, Counter, Place, Tally, handed_up, merge, missing_part, own_part, rows_of, without
from tiers.rollup import CORRECTIONS, FINAL, RollUp

PAGE_ROWS = 2_000
PAUSE_S = 0.005
PUT_ROWS = 2_000
CELLS_READ_MAX = 100_000
"""Rows of one origin and period that are looked at: more than any roll-up makes."""
VOID_REASON = "rolled up: nothing is counted here any more"
WINDOW: Mapping[Cadence, int] = {
    Cadence.DAILY: 10,
    Cadence.WEEKLY: 4,
    Cadence.MONTHLY: 2,
    Cadence.QUARTERLY: 2,
    Cadence.YEARLY: 1,
}
"""How many ended periods the node works out by itself; older ones when it is asked to."""


class Outcome(NamedTuple):
    """What became of one period. state: rolled, brought (somebody else's figures are there), too_late (what there was
    then cannot be counted any more), not_due (nothing is expected of this node)."""

    period: str
    state: str
    tally: Tally = NOTHING
    final: bool = False
    corrections: int = 0
    written: int = 0
    unchanged: int = 0
    rejected: int = 0


class _Frame(NamedTuple):
    """What a run goes by: all of it as of its beginning."""

    registry: Registry
    linked: frozenset[str]
    zone: ZoneInfo
    now: int
    marked: Sequence[_Marked] = ()


class _Marked(NamedTuple):
    """A record that this node leaves out: since when, the child that counted it, its cells as a Counter asks them."""

    since: int
    child: str
    row: Row


def rollups_of(node: Node) -> list[RollUp]:
    """Those that this node works out."""
    tiers = set(node.standing.profile.tiers(node.parent))
    left_out = node.config.rollup.leave_out
    return [r for name, r in node.catalogue.rollups.items() if tiers & set(r.dataset.owner) and name not in left_out]


def periods_of(node: Node, rollup: RollUp, now: int) -> list[Period]:
    """The ended periods that the node works out by itself, those of a cadence in order."""
    zone = ZoneInfo(node.config.run.time_zone)
    only_newest = rollup.is_stock and counts_here(node, rollup)
    cadences = rollup.dataset.deadlines
    return [p for c in cadences for p in ended_periods(c, now, zone, 1 if only_newest else WINDOW[c])]


def counts_here(node: Node, rollup: RollUp) -> bool:
    """Whether this node's tier has rows of the source itself."""
    return not set(node.standing.profile.tiers(node.parent)).isdisjoint(rollup.source.owner)


def closes_us(node: Node, dataset: Dataset, period: Period) -> int:
    """When this node closes a period."""
    height = height_of(node.core().registry, node.config.node.node_id, period.last.isoformat())
    return cut_off_us(dataset, period, ZoneInfo(node.config.run.time_zone), height)


async def roll_up(node: Node, rollup: RollUp, periods: Sequence[Period], *, dry_run: bool = False) -> list[Outcome]:
    """Works periods out: those of one cadence follow each other without a gap. Raises InputFault, StoreFault."""
    async with node.rolling:
        linked = await node.writer.ask(lambda replica, _: linked_now(replica))
        zone = ZoneInfo(node.config.run.time_zone)
        registry = node.core().registry
        marked = await node.read(partial(_marked, node, rollup, registry))
        frame = _Frame(registry, linked, zone, node.clock.now_us(), marked)
        found = []
        for cadence in dict.fromkeys(p.cadence for p in periods):
            one_cadence = [p for p in periods if p.cadence is cadence]
            counted = await _count(node, rollup, one_cadence, frame)
            found += [await _roll(node, rollup, period, frame, counted, dry_run) for period in one_cadence]
        return found


def linked_now(replica: Replica) -> frozenset[str]:
    """Neighbours with a working session. In the writer's thread."""
    return frozenset(link.peer for link in replica.core.links.values() if link.phase is Phase.EXCHANGE)


async def _roll(
    node: Node, rollup: RollUp, period: Period, frame: _Frame, counted: _Own | None, dry_run: bool
) -> Outcome:
    before = await node.read(partial(held_of, rollup, node.config.node.node_id, node.config.node.region, period))
    closing = frame.now >= closes_us(node, rollup.dataset, period)
    if rollup.is_stock and counted is not None and _is_past(rollup, period, frame, closing, before):
        return Outcome(str(period), "too_late")
    tally = await _tally(node, rollup, period, frame, counted)
    if not tally.parts.all:
        return Outcome(str(period), "not_due")
    rows = rows_of(rollup, tally, node.config.node.region, period, before, closing)
    if rows is None:
        return Outcome(str(period), "brought", tally)
    result = await _write(node, rollup, rows, before, dry_run)
    total = next(row for row in rows if _place(rollup, row) == rollup.total)
    return Outcome(
        str(period),
        "rolled",
        tally,
        bool(total[FINAL]),
        sum(int(row[CORRECTIONS] or 0) for row in rows),
        sum(r.accepted for r in result),
        sum(r.unchanged for r in result),
        sum(len(r.rejected) for r in result),
    )


def _is_past(
    rollup: RollUp, period: Period, frame: _Frame, closing: bool, before: Mapping[Place, Mapping[str, Cell]]
) -> bool:
    """Whether what there was at the end of a period is no longer what there is: it was closed, or another has ended."""
    newest = ended_periods(period.cadence, frame.now, frame.zone, 1)[0]
    return period != newest or (closing and rollup.total in before)


async def _write(
    node: Node,
    rollup: RollUp,
    rows: Sequence[Mapping[str, Cell]],
    before: Mapping[Place, Mapping[str, Cell]],
    dry_run: bool,
) -> list[PutResult]:
    """The total goes last: who has it has all that it is made of."""
    schema = rollup.dataset.schema
    places = {_place(rollup, row) for row in rows}
    gone = [tuple(row[name] for name in schema.key) for place, row in before.items() if place not in places]
    ordered = sorted(rows, key=lambda row: _place(rollup, row) == rollup.total)
    cells = [tuple(row[name] for name in schema.names) for row in ordered]
    found = []
    for start in range(0, max(len(cells), len(gone)), PUT_ROWS):
        part = slice(start, start + PUT_ROWS)
        found.append(await node.put(schema.dataset, cells[part], gone[part], VOID_REASON, dry_run=dry_run))
    return found


# --- own rows ---------------------------------------------------------------------------------------------------------


class _Counted:
    """Own rows of the source, counted, and what tells whether it brought anything."""

    def __init__(self, rollup: RollUp, periods: Sequence[Period], frame: _Frame) -> None:
        self.counter = Counter(rollup, periods, frame.zone)
        self.key = rollup.source.key
        self.columns = (*self.key, *self.counter.columns)
        self.brought_at = 0
        self._zone = frame.zone
        self._by_period = rollup.by_period
        self._periods_named: set[Cell] = set()
        self._date = self.columns.index(rollup.date, len(self.key)) if rollup.date else -1
        is_day = rollup.date and rollup.source.schema.column(rollup.date).type is CellType.DATE
        self._until: Any = day_of(frame.now, frame.zone).isoformat() if is_day else frame.now
        self._newest: Any = None
        self._any = False

    def page(self, reader: Reader, dataset: str, origin: str, after: Key | None, where: str, cells: list[Cell]) -> Any:
        """Counts a page in; the key of its last row, None at the end. In the reading thread."""
        rows = reader.page(dataset, origin, after, self.columns, PAGE_ROWS, where, cells)
        skipped = len(self.key)
        self.counter.add(row[skipped:] for row in rows)
        self._any = self._any or bool(rows)
        if self._by_period:
            self._periods_named.update(row[self._date] for row in rows)
        elif self._date >= 0:
            dates: list[Any] = [row[self._date] for row in rows if row[self._date] is not None]
            known = [self._newest] if self._newest is not None else []
            # One dated in the future is a slip of the pen, and no sign of life.
            self._newest = max((d for d in chain(dates, known) if d <= self._until), default=None)
        return rows[-1][:skipped] if len(rows) == PAGE_ROWS else None

    def has_data(self, period: Period) -> bool:
        """Whether none is really none: the source has brought something of that time or later, or was read since."""
        start, end = period.span_us(self._zone)
        if self._by_period:
            return str(period) in self._periods_named or self.brought_at >= end
        if self._date < 0:
            return self._any or self.brought_at >= end
        newest = self._newest
        if isinstance(newest, str):
            return newest >= period.first.isoformat() or self.brought_at >= end
        return (newest is not None and newest >= start) or self.brought_at >= end

    def partial(self, period: Period) -> frozenset[str]:
        """Rows hold all that is asked of them."""
        return frozenset()


_Own = _Counted | CountedTasks
"""What was counted at this node itself."""


async def _count(node: Node, rollup: RollUp, periods: Sequence[Period], frame: _Frame) -> _Own | None:
    """None where this node's tier has no rows of the source."""
    if not counts_here(node, rollup):
        return None
    if rollup.of_tasks:
        return await _count_tasks(node, rollup, periods, frame)
    counted = _Counted(rollup, periods, frame)
    where, cells = _wanted(rollup, node.config.node.region, periods, frame.zone)
    dataset, origin = rollup.source.id, node.config.node.node_id
    counted.brought_at = await node.read(lambda reader: reader.brought_at(dataset))
    after: Key | None = None
    while True:
        page = partial(counted.page, dataset=dataset, origin=origin, after=after, where=where, cells=cells)
        after = await node.read(page)
        if after is None:
            return counted
        await asyncio.sleep(PAUSE_S)


async def _count_tasks(node: Node, rollup: RollUp, periods: Sequence[Period], frame: _Frame) -> CountedTasks:
    counted = CountedTasks(rollup, periods, frame.registry, node.catalogue, node.config)
    after: str | None = ""
    while after is not None:
        after = await node.read(partial(counted.page, after=after))
        await asyncio.sleep(PAUSE_S)
    return counted


def _wanted(rollup: RollUp, region: str, periods: Sequence[Period], zone: ZoneInfo) -> tuple[str, list[Cell]]:
    """Own rows that may count in these periods; others may be among them."""
    parts: list[Filter] = [Compare(rollup.source.region, "=", region)] if rollup.own_place else []
    first = periods[0]
    if not rollup.is_stock:
        either: list[Filter] = []
        for name in sorted({m.date for m in rollup.measures} | ({rollup.date} - {""})):
            if name == rollup.source.period:
                either.append(OneOf(name, tuple(map(str, periods))))
                continue
            is_day = rollup.source.schema.column(name).type is CellType.DATE
            either.append(Compare(name, ">=", first.first.isoformat() if is_day else midnight_us(first.first, zone)))
        parts.append(AnyOf(tuple(either)))
    return filter_sql(AllOf(tuple(parts))) if parts else ("", [])


# --- parts ------------------------------------------------------------------------------------------------------------


async def _tally(node: Node, rollup: RollUp, period: Period, frame: _Frame, counted: _Own | None) -> Tally:
    tally = NOTHING if counted is None else _own(node, rollup, period, frame, counted)
    if counted is not None and rollup.own_place:
        return tally
    for child in parts_below(node, frame.registry, period):
        part = await child_part(node, rollup, period, child, frame.registry, frame.linked)
        tally = merge(rollup, (tally, _less_marked(rollup, period, frame, child[0].node, part)))
    return tally


def _marked(node: Node, rollup: RollUp, registry: Registry, reader: Reader) -> list[_Marked]:
    """The records that this node leaves out, as far as it holds all that is counted of them."""
    here, schema, asked = node.config.node.node_id, rollup.source.schema, Counter.asked(rollup)
    places = [schema.names.index(name) for name in asked]
    found = []
    for origin, key, since in left_out(reader, registry, here, schema):
        held = reader.read_rows(schema.dataset, origin, [key]).get(key)
        child = registry.next_hop(here, origin)
        if (
            held is not None
            and child
            and set(asked) <= columns_here(node.core(), node.catalogue, reader, origin, schema.dataset)
        ):
            found.append(_Marked(since, child, tuple(held[1][i] for i in places)))
    return found


def _less_marked(rollup: RollUp, period: Period, frame: _Frame, child: str, part: Tally) -> Tally:
    """A child's part less what this node leaves out of it. Of what there is now, nobody knows what it was at the end of
    a period before the mark: such a record is left out from the period on in which it was marked."""
    ends = period.span_us(frame.zone)[1]
    rows = [one.row for one in frame.marked if one.child == child and (one.since < ends or not rollup.is_stock)]
    if not rows:
        return part
    counter = Counter(rollup, [period], frame.zone)
    records = counter.add(rows)
    return without(rollup, part, counter.cells(period), records)


def _own(node: Node, rollup: RollUp, period: Period, frame: _Frame, counted: _Own) -> Tally:
    has_data = counted.has_data(period)
    enrolled = frame.registry.in_force(node.config.node.node_id, period.last.isoformat())
    if not has_data and enrolled is None:
        return NOTHING  # before it joined nobody expected anything of it
    return own_part(rollup, counted.counter.cells(period), has_data)._replace(partial=counted.partial(period))


def parts_below(node: Node, registry: Registry, period: Period) -> list[tuple[Enrolment, bool]]:
    """Nodes straight below that are known, and whether they were in force at a period's end."""
    here, day = node.config.node.node_id, period.last.isoformat()
    expected = {child.node: child for child in children_of(registry, here, day)}
    others = (registry.newest(child) for child in registry.children(here) if child not in expected)
    return [(c, True) for c in expected.values()] + [(c, False) for c in others if c is not None]


async def child_part(
    node: Node,
    rollup: RollUp,
    period: Period,
    child: tuple[Enrolment, bool],
    registry: Registry,
    linked: frozenset[str],
) -> Tally:
    """What a child handed up; who did not, is missing with all below it, if anything was expected of it."""
    enrolled, is_expected = child
    held = await node.read(partial(held_of, rollup, enrolled.node, enrolled.region, period))
    tally = handed_up(rollup, held.values())
    if tally is not None:
        return tally
    if not is_expected:
        return NOTHING
    parts = parts_expected(registry, enrolled, period.last.isoformat(), rollup)
    return missing_part(parts, enrolled.node not in linked)


def parts_expected(registry: Registry, node: Enrolment, day: str, rollup: RollUp) -> int:
    """How many parts a child stands for. Of figures of whole places: the uppermost nodes that have them."""
    if not rollup.own_place:
        return parts_of(registry, node, day, rollup.source)
    return 1 if may_own(rollup.source, node) else len(debtors(registry, node.node, day, rollup.source))


def held_of(rollup: RollUp, origin: str, region: str, period: Period, reader: Reader) -> dict[Place, dict[str, Cell]]:
    """An origin's statistics of its own place and one period, by dimensions."""
    dataset = rollup.dataset
    where, cells = filter_sql(AllOf((Compare(dataset.region, "=", region), Compare(dataset.period, "=", str(period)))))
    names = dataset.schema.names
    rows: list[Row] = reader.page(dataset.id, origin, None, names, CELLS_READ_MAX, where, cells)
    held = (dict(zip(names, row, strict=True)) for row in rows)
    return {_place(rollup, row): row for row in held}


def _place(rollup: RollUp, row: Mapping[str, Cell]) -> Place:
    return tuple(str(row[name]) for name in rollup.dimensions)
