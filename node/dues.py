"""Deadlines of the running node: what has come is marked, periods are closed with a signed position, reminders settled.

All of it is looked at on the cadence of statistics, and whenever somebody asks. A mark says when the node first looked
and the data was there, so it may be later than the data by that cadence, never earlier.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from node.app import Node
from node.clock import iso
from node.jobs import MoveWish, StoreJob
from node.rolling import WINDOW, closes_us, linked_now
from node.store.dues import CutOff
from node.store.people import DraftState
from node.store.readers import Reader
from node.store.store import Store
from sync.core import Core
from sync.errors import InputFault
from sync.registry import Enrolment, Registry
from sync.replica import Replica
from sync.suites import CUT_OFF
from sync.values import Fate, Row, dataset_of
from sync.wire.v1.entry_pb2 import MoveBody
from sync.wire.v1.frame_pb2 import CutOffBody, FeedHead, FeedPosition
from tiers.dataset import Cadence, Dataset
from tiers.deadlines import due_us
from tiers.dues import Evidence, Standing, Why, debtors, judge
from tiers.filters import AllOf, Compare, OneOf, filter_sql
from tiers.flows import REMINDER, SUPERVISION
from tiers.flows.ids import derived_id
from tiers.flows.steps import fields_of
from tiers.flows.table import Flow
from tiers.parts import may_own
from tiers.periods import Period, day_of, ended_periods, parse_period, period_of
from tiers.rollup import ALL, COUNTED, PARTS
from tiers.supervision import overdue_by

FATES_READ_MAX = 10_000
ASKED_MAX = 100
"""Older periods of a dataset that are looked at because somebody asked about them."""


class Item(NamedTuple):
    """What one node owes for one period of a dataset. own: it is this node's own, to those above."""

    dataset: str
    period: str
    node: str
    title: str
    due: int
    cut_off: int
    standing: Standing
    why: Why
    arrived: int
    own: bool


class Owed(NamedTuple):
    """What is owed to this node: for the newest periods, and for older ones that somebody asked about."""

    newest: list[Item]
    older: list[Item]


class _Seen(NamedTuple):
    """What is here of a dataset: by (node, period), and what only says that there is no data."""

    there: set[tuple[str, str]]
    silent: set[tuple[str, str]]


def datasets_of(node: Node) -> list[Dataset]:
    """Datasets with deadlines."""
    return [dataset for dataset in node.catalogue.datasets.values() if dataset.deadlines]


def periods_now(node: Node, dataset: Dataset) -> list[Period]:
    """The ended periods that are looked at now and then."""
    zone, now = ZoneInfo(node.config.run.time_zone), node.clock.now_us()
    return [p for cadence in dataset.deadlines for p in ended_periods(cadence, now, zone, WINDOW[cadence])]


def periods_in(dataset: Dataset, month: str) -> list[Period]:
    """The periods that end in a month, or at its end. Raises ValueError."""
    whole = parse_period(month)
    if whole.cadence is not Cadence.MONTHLY:
        raise ValueError(month)
    found = []
    for cadence in dataset.deadlines:
        period = period_of(cadence, whole.last)
        while period.last >= whole.first:
            if period.last <= whole.last:
                found.append(period)
            period = period.before()
    return found[::-1]


async def look(node: Node) -> list[Item]:
    """Marks what has come, closes what is over, settles reminders, counts what is overdue; what is owed to this node.
    Raises InputFault, StoreFault."""
    return (await look_at_all(node)).newest


async def look_at_all(node: Node) -> Owed:
    """The same, with what is owed for older periods that a supervision or a reminder may be about."""
    overdue = 0
    owed, older = list[Item](), list[Item]()
    asked = await node.read(partial(_asked_about, node))
    for dataset in datasets_of(node):
        periods = periods_now(node, dataset)
        others = _older(node, dataset, periods, asked.get(dataset.id, set()))
        found = await items(node, dataset, [*others, *periods])
        newest = set(map(str, periods))
        owed += (item for item in found if not item.own and item.period in newest)
        older += (item for item in found if not item.own and item.period not in newest)
        overdue += sum(item.standing is Standing.OVERDUE and not item.own and item.period in newest for item in found)
        await _close(node, dataset, periods)
    await _write(node, partial(_tidy, node))
    await _settle(node)
    known = await node.read(reminders_at)
    node.dues = counted(
        node.catalogue.flows[REMINDER], node.config.node.node_id, known, overdue, iso(node.clock.now_us())
    )
    return Owed(owed, older)


def _older(node: Node, dataset: Dataset, periods: Sequence[Period], asked: Iterable[str]) -> list[Period]:
    """Periods before the newest ones that must be looked at as well."""
    zone, now, cycles = (
        ZoneInfo(node.config.run.time_zone),
        node.clock.now_us(),
        node.config.tasks.supervise_after_cycles,
    )
    wanted = {*overdue_by(dataset, cycles, now, zone)} if cycles else set()
    for text in sorted(asked)[-ASKED_MAX:]:
        with suppress(ValueError):
            wanted.add(parse_period(text))
    known = {period for period in wanted if period.cadence in dataset.deadlines and period.span_us(zone)[1] <= now}
    return sorted(known - {*periods}, key=lambda period: (period.first, period.until))


def _asked_about(node: Node, reader: Reader) -> dict[str, set[str]]:
    """Periods by dataset that open reminders and supervisions of this node are about."""
    found: dict[str, set[str]] = {}
    flows, here = node.catalogue.flows, node.config.node.node_id
    for name in (REMINDER, SUPERVISION):
        for first, last in reader.tasks_of(name, here):
            if not flows[name].has_ended(last.state):
                said = fields_of(first)
                found.setdefault(said.get("dataset", ""), set()).add(said.get("period", ""))
    return found


def is_supervision(first: MoveBody) -> bool:
    """Whether a supervision is about what is owed for a period."""
    said = fields_of(first)
    try:
        parse_period(said.get("period", ""))
    except ValueError:
        return False
    return first.flow == SUPERVISION and bool(said.get("dataset"))


def counted(
    flow: Flow, here: str, reminders: Iterable[tuple[MoveBody, MoveBody]], overdue: int, at: str
) -> dict[str, Any]:
    """What a status says of deadlines. at: when it was looked."""
    reminded = sum(first.holder == here and not flow.has_ended(last.state) for first, last in reminders)
    return {"overdue": overdue, "reminded": reminded, "at": at}


async def items(node: Node, dataset: Dataset, periods: Sequence[Period], *, mark: bool = True) -> list[Item]:
    """Where everything stands that is owed for these periods, in order of period and node; marks what has come. Without
    `mark` nothing is written, and what has come since the last look came now."""
    seen = await (_mark if mark else _looked)(node, dataset, periods)
    marks = await node.read(partial(_marks, dataset.id, periods))
    if not mark:
        marks = {**dict.fromkeys(seen.there, node.clock.now_us()), **marks}
    held_up = await node.read(partial(_held_up, dataset))
    linked = await node.writer.ask(lambda replica, _: linked_now(replica))
    registry, now, zone = node.core().registry, node.clock.now_us(), ZoneInfo(node.config.run.time_zone)
    mute = _own_source_is_silent(node, dataset)
    found = []
    for period in periods:
        named, cut_off = due_us(dataset, period, zone), closes_us(node, dataset, period)
        for owing in owed_by(node, registry, dataset, period):
            due = max(named, min(node.excused.put_off(owing.node, named), cut_off))
            at = (owing.node, str(period))
            own = owing.node == node.config.node.node_id
            hop = node.parent if own else registry.next_hop(node.config.node.node_id, owing.node)
            neighbour = own or hop == owing.node
            is_linked = hop in linked if neighbour or hop not in linked else None
            evidence = Evidence(marks.get(at), is_linked, held_up.get(at, 0), at in seen.silent or (own and mute))
            standing, why = judge(due, cut_off, now, evidence)
            found.append(
                Item(dataset.id, at[1], at[0], owing.title, due, cut_off, standing, why, marks.get(at, 0), own)
            )
    return found


def _own_source_is_silent(node: Node, dataset: Dataset) -> bool:
    """Whether a source of this node that the dataset comes from has fallen silent."""
    rollup = node.catalogue.rollups.get(dataset.id)
    wanted = {dataset.id, rollup.source.id if rollup is not None else dataset.id}
    here = node.config.node.node_id
    return any(one.source and one.origin == here and one.dataset in wanted for one in node.silent)


def owed_by(node: Node, registry: Registry, dataset: Dataset, period: Period) -> list[Enrolment]:
    """Who owes: the nodes below, and this one itself where somebody stands above."""
    here, day = node.config.node.node_id, period.last.isoformat()
    own = registry.in_force(here, day)
    mine = [own] if own is not None and node.parent and may_own(dataset, own) else []
    return [*mine, *debtors(registry, here, day, dataset)]


# --- what is here -----------------------------------------------------------------------------------------------------


async def _mark(node: Node, dataset: Dataset, periods: Sequence[Period]) -> _Seen:
    seen = await _looked(node, dataset, periods)
    known = await node.read(partial(_marks, dataset.id, periods))
    fresh = sorted(seen.there - known.keys())
    if fresh:
        now = node.clock.now_us()
        await _write(node, lambda store: store.dues.mark(dataset.id, fresh, now))
    return seen


async def _write(node: Node, work: Callable[[Store], None]) -> None:
    await node.writer.call(lambda ticket: StoreJob(ticket, work))


def _marks(dataset: str, periods: Sequence[Period | str], reader: Reader) -> dict[tuple[str, str], int]:
    return reader.dues.marks(dataset, map(str, periods))


async def _looked(node: Node, dataset: Dataset, periods: Sequence[Period]) -> _Seen:
    """What is here, looked up again only after a row of the dataset was written: it takes a walk over all of them."""
    written = await node.writer.ask(lambda _, store: store.written(dataset.id))
    as_of = (written, tuple(periods))
    kept: tuple[Any, _Seen] | None = node.seen.get(dataset.id)
    if kept is None or kept[0] != as_of:
        kept = node.seen[dataset.id] = (as_of, await node.read(partial(_seen, node, dataset, periods)))
    return kept[1]


def _seen(node: Node, dataset: Dataset, periods: Sequence[Period], reader: Reader) -> _Seen:
    wanted = OneOf(dataset.period, tuple(str(period) for period in periods))
    rollup = node.catalogue.rollups.get(dataset.id)
    if rollup is None:
        where, cells = filter_sql(wanted)
        there = reader.groups(dataset.id, ("_origin", dataset.period), where, cells)
        return _Seen({_at(row) for row in there}, set())
    where, cells = filter_sql(AllOf((wanted, *(Compare(name, "=", ALL) for name in rollup.dimensions))))
    columns = ("_origin", dataset.period, dataset.region, PARTS, COUNTED)
    totals = [row for row in reader.groups(dataset.id, columns, where, cells) if _is_own_place(node, row)]
    silent = {_at(row) for row in totals if row[3] is not None and not row[4]}
    return _Seen({_at(row) for row in totals} - silent, silent)


def _at(row: Row) -> tuple[str, str]:
    return str(row[0]), str(row[1])


def _is_own_place(node: Node, row: Row) -> bool:
    """Whether figures are of their origin's own place, not of one of its counties."""
    origin = node.core().registry.newest(str(row[0]))
    return origin is None or origin.region == row[2]


def _held_up(dataset: Dataset, reader: Reader) -> Mapping[tuple[str, str], int]:
    """Rows that were refused or wait, by origin and period."""
    at = dataset.key.index(dataset.period)
    found: dict[tuple[str, str], int] = {}
    for fate in (Fate.REFUSED, Fate.PARKED):
        for told in reader.fates(None, fate, FATES_READ_MAX):
            if told.row.dataset == dataset.id and (period := _period_of(told.row.key, at)):
                where = (told.feed.origin, period)
                found[where] = found.get(where, 0) + 1
    return found


def _period_of(key: str, at: int) -> str:
    """From a key's text; '' of a whole entry, which has none."""
    try:
        cells = json.loads(key)
        return str(cells[at])
    except (ValueError, LookupError, TypeError):
        return ""


# --- closing ----------------------------------------------------------------------------------------------------------


async def _close(node: Node, dataset: Dataset, periods: Sequence[Period]) -> None:
    now = node.clock.now_us()
    closed = await node.read(lambda reader: reader.dues.periods_closed(dataset.id))
    registry = node.core().registry
    for period in periods:
        over = now >= closes_us(node, dataset, period)
        if over and str(period) not in closed and owed_by(node, registry, dataset, period):
            cut = await node.writer.ask(partial(_position, dataset=dataset.id, period=str(period), now=now))
            if cut is not None:
                await _write(node, partial(_keep, cut))


def _tidy(node: Node, store: Store) -> None:
    for dataset in datasets_of(node):
        store.dues.tidy(dataset.id, node.clock.now_us())


def _keep(cut: CutOff, store: Store) -> None:
    store.dues.close(cut)


def _position(replica: Replica, _: Store, dataset: str, period: str, now: int) -> CutOff | None:
    """What is held of a dataset at this moment, signed; None before this node is enrolled. In the writer's thread."""
    core = replica.core
    if not core.enrolment:
        return None
    body = CutOffBody(
        federation=core.me.federation,
        node=core.me.node,
        instance=core.me.instance,
        enrolment=core.enrolment,
        dataset=dataset,
        period=period,
        at=now,
        feeds=heads_of(core, dataset),
    ).SerializeToString(deterministic=True)
    signature = core.seams.signer.sign(CUT_OFF + core.suite.hash(body))
    return CutOff(dataset, period, now, body, signature)


def heads_of(core: Core, dataset: str) -> list[FeedPosition]:
    """Where the feeds of a dataset stand that apply here, own ones too, in order of their names."""
    return [
        FeedPosition(
            origin=name.origin,
            head=FeedHead(
                publication=name.publication,
                addressee=name.addressee,
                route=int(state.route),  # type: ignore[arg-type]
                epoch=state.head.epoch,
                seq=state.head.seq,
                header_hash=state.head.hash,
                row_digest=state.digest,
            ),
        )
        for name, state in sorted(core.feeds.items())
        if dataset_of(name.publication) == dataset
        and (name.origin == core.me.node or core.applies(name, int(state.route)))
    ]


def is_signed(core: Core, cut: CutOff) -> bool:
    """Whether a position is signed by the key of the enrolment that it names."""
    body = CutOffBody.FromString(cut.body)
    record = core.registry.enrolment(body.node, body.enrolment)
    suite = core.seams.suites.get(record.suite) if record is not None else None
    if record is None or suite is None:
        return False
    return suite.verify(record.public_key, cut.signature, CUT_OFF + suite.hash(cut.body))


# --- reminders --------------------------------------------------------------------------------------------------------


def reminder_of(issuer: str, item: Item) -> str:
    """The id of the task by which `issuer` reminds of an item: the same however often it is asked for."""
    return derived_id("w9d", issuer, item.dataset, item.period, item.node)


def reminders_at(reader: Reader) -> list[tuple[MoveBody, MoveBody]]:
    """(first, last move) of each reminder that is known here, the most recently moved first."""
    return reader.tasks_of(REMINDER)


def is_open(node: Node, last: MoveBody) -> bool:
    """Whether a reminder has not ended."""
    return not node.catalogue.flows[REMINDER].has_ended(last.state)


async def reminders(node: Node, wanted: Iterable[Item], title: Mapping[str, str]) -> list[tuple[Item, MoveWish]]:
    """The move by which this node reminds of each item, unless one waits for its approval. title: of each dataset."""
    found = []
    for item in wanted:
        task = reminder_of(node.config.node.node_id, item)
        history = await node.read(partial(Reader.moves, task=task))
        drafted = await node.read(partial(_is_drafted, task))
        if drafted or (history and not is_open(node, history[-1])):
            continue
        fields = {"why": item.why.value}
        if not history:
            fields |= {
                "title": f"{title[item.dataset]} {item.period}",
                "dataset": item.dataset,
                "period": item.period,
                "due": _day(node, item.due),
            }
        move = "again" if history else "remind"
        found.append((item, MoveWish(REMINDER, task, move, "" if history else item.node, "", "", fields)))
    return found


def _is_drafted(task: str, reader: Reader) -> bool:
    return bool(reader.people.drafts(1, state=DraftState.WAITING.value, task=task))


def _day(node: Node, at: int) -> str:
    return day_of(at, ZoneInfo(node.config.run.time_zone)).isoformat()


async def _settle(node: Node) -> None:
    """Reminders of what has come are over."""
    here = node.config.node.node_id
    known = await node.read(reminders_at)
    for first, last in known:
        said = fields_of(first)
        name, period = said.get("dataset", ""), said.get("period", "")
        if first.issuer != here or not is_open(node, last):
            continue
        if (first.holder, period) in await node.read(partial(_marks, name, [period])):
            try:
                await node.move(MoveWish(REMINDER, first.task, "settle", "", "", "", {}))
            except InputFault as fault:  # the other side moved meanwhile: the next look sees it
                node.log.warning("reminder_not_settled", task=first.task, detail=str(fault))
