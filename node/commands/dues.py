"""Deadlines: what is owed and has come or not, reminders to all that are late, positions of closed periods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from node import dues
from node.app import Node
from node.clock import iso
from node.commands.tasks import hand_in
from node.commands.view import Arguments, text
from node.desk import Made
from node.dues import Item, datasets_of, items, periods_in, periods_now
from node.faults import Code, UserFault
from node.hands import Hand
from node.store.dues import CutOff
from node.store.readers import Reader
from node.store.store import Store
from node.texts import N_
from sync.replica import Replica
from sync.values import FeedName
from sync.wire.v1.entry_pb2 import MoveBody
from sync.wire.v1.frame_pb2 import CutOffBody, FeedPosition
from tiers.dataset import Dataset
from tiers.dues import Score, Standing, score
from tiers.flows.steps import fields_of
from tiers.periods import Period, parse_period


async def list_dues(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """due.list {dataset?, month?, overdue?, read_only?} -> {items, scores, reminders}. Without a month: the newest
    periods.

    Scores count every item; `overdue` leaves out of the items what has come or is not due yet. It also looks, as the
    node does now and then, what has come and what is over; `read_only`: it writes nothing.
    """
    looks = not arguments.get("read_only")
    month = text(arguments, "month")
    wanted = [_dataset(node, name)] if (name := text(arguments, "dataset")) else datasets_of(node)
    found: list[Item] = []
    for dataset in wanted:
        found += await items(node, dataset, _periods(node, dataset, month), mark=looks)
    if looks:
        await dues.look(node)
    known = await node.read(dues.reminders_at)
    shown = [i for i in found if i.standing is Standing.OVERDUE] if arguments.get("overdue") else found
    yield {
        "items": [_item(item) for item in shown],
        "scores": scores_of(found),
        "reminders": [_reminder(node, first, last) for first, last in known if dues.is_open(node, last)],
    }


def scores_of(found: Sequence[Item]) -> list[dict[str, Any]]:
    """Completeness and timeliness by node and dataset, in order of node id: no order of merit."""

    def whose(item: Item) -> tuple[str, str]:
        return item.node, item.dataset

    scores = []
    for (name, dataset), group in groupby(sorted(found, key=whose), whose):
        of_one = list(group)
        said = score(item.standing for item in of_one)
        scores.append({"node": name, "title": of_one[0].title, "dataset": dataset, **_score(said)})
    return scores


def _score(said: Score) -> dict[str, Any]:
    return {**said._asdict(), "completeness": said.completeness, "timeliness": said.timeliness}


def _item(item: Item) -> dict[str, Any]:
    return {
        **item._asdict(),
        "standing": item.standing.value,
        "why": item.why.value,
        "due": iso(item.due),
        "cut_off": iso(item.cut_off),
        "arrived": iso(item.arrived) if item.arrived else "",
    }


def _reminder(node: Node, first: MoveBody, last: MoveBody) -> dict[str, Any]:
    said = fields_of(first)
    return {
        "task": first.task,
        "dataset": said.get("dataset", ""),
        "period": said.get("period", ""),
        "due": said.get("due", ""),
        "issuer": first.issuer,
        "holder": first.holder,
        "to_us": first.holder == node.config.node.node_id,
        "state": last.state,
        "moves": last.number,
        "at": iso(last.at),
    }


async def remind(node: Node, hand: Hand, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """due.remind {dataset, period?, dry_run?} -> {reminded: who was (or would be) reminded of what; draft: the number
    of the draft where an approver has to approve it first, else 0}.

    Without a period: of everything that is overdue among the newest ones. Nobody is reminded of what has come.
    """
    dataset, said = _dataset(node, text(arguments, "dataset")), text(arguments, "period")
    periods = [_period(dataset, said)] if said else periods_now(node, dataset)
    late = [i for i in await items(node, dataset, periods) if i.standing is Standing.OVERDUE and not i.own]
    dry_run = bool(arguments.get("dry_run", False))
    if dry_run:
        yield {"reminded": [{**_item(item), "task": "", "move": "", "draft": 0} for item in late], "dry_run": True}
        return
    reminded = []
    for item, wish in await dues.reminders(node, late, {dataset.id: dataset.title_zh}):
        made: Made = await hand_in(node, hand, [wish])
        draft = made.draft.id if made.draft is not None else 0
        reminded.append({**_item(item), "task": wish.task, "move": wish.move, "draft": draft})
    yield {"reminded": reminded, "dry_run": False}


async def position(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """due.position {dataset, period} -> what was held when the period was closed, whose signature, and what came
    since."""
    dataset = _dataset(node, text(arguments, "dataset"))
    period = _period(dataset, text(arguments, "period"))
    cut = await node.read(partial(_closed, dataset.id, str(period)))
    if cut is None:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{dataset}' was not closed for {period} at this node."),
            N_("`tiersync due list` shows when each period is closed; the node does it by itself soon after."),
            dataset=dataset.id,
            period=period,
        )
    signed, now = await node.writer.ask(partial(_against, cut))
    body = CutOffBody.FromString(cut.body)
    yield {
        "dataset": dataset.id,
        "period": str(period),
        "at": iso(cut.at),
        "node": body.node,
        "signed": signed,
        "body": cut.body.hex(),
        "signature": cut.signature.hex(),
        "feeds": [_head(one, now) for one in body.feeds],
    }


def _closed(dataset: str, period: str, reader: Reader) -> CutOff | None:
    return reader.dues.closed(dataset, period)


def _against(cut: CutOff, replica: Replica, _: Store) -> tuple[bool, dict[FeedName, FeedPosition]]:
    """Whether its signature holds, and where the feeds stand now. In the writer's thread."""
    heads = dues.heads_of(replica.core, cut.dataset)
    return dues.is_signed(replica.core, cut), {_name(one): one for one in heads}


def _name(one: FeedPosition) -> FeedName:
    return FeedName(one.origin, one.head.publication, one.head.addressee)


def _head(then: FeedPosition, now: Mapping[FeedName, FeedPosition]) -> dict[str, Any]:
    name, head = _name(then), then.head
    held = now.get(name)
    same = held is not None and held.head.epoch == head.epoch
    return {
        "feed": str(name),
        "epoch": head.epoch.hex(),
        "seq": head.seq,
        "hash": head.header_hash.hex(),
        "row_digest": head.row_digest.hex(),
        "since": held.head.seq - head.seq if held is not None and same else None,
    }


def _dataset(node: Node, name: str) -> Dataset:
    dataset = node.catalogue.datasets.get(name)
    if dataset is None or not dataset.deadlines:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{dataset}' has no deadlines; these have: {known}."),
            N_("Deadlines are declared with the dataset; [deadlines] in node.toml changes them for this node."),
            dataset=name,
            known=", ".join(d.id for d in datasets_of(node)),
        )
    return dataset


def _period(dataset: Dataset, said: str) -> Period:
    try:
        period = parse_period(said)
        if period.cadence in dataset.deadlines:
            return period
    except ValueError:
        pass
    raise UserFault(
        Code.BAD_ARGUMENT,
        N_("'{period}' is no period of '{dataset}', which is {cadence}."),
        N_("Write 2026-03-02 for a day, 2026-W10 for a week, 2026-03 for a month, 2026Q1 or 2026."),
        period=said,
        dataset=dataset.id,
        cadence=", ".join(cadence.value for cadence in dataset.deadlines),
    )


def _periods(node: Node, dataset: Dataset, month: str) -> list[Period]:
    if not month:
        return periods_now(node, dataset)
    try:
        found = periods_in(dataset, month)
    except ValueError:
        raise UserFault(
            Code.BAD_ARGUMENT, N_("'{month}' is not a month."), N_("Write it as 2026-03."), month=month
        ) from None
    now, zone = node.clock.now_us(), ZoneInfo(node.config.run.time_zone)
    return [period for period in found if period.span_us(zone)[1] <= now]
