"""Statistics of tasks as people ask for them: this place over twelve months, and each place below beside its own past.

Places below stand in order of their division codes, and nothing compares one with another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from node.app import Node
from node.commands.view import Arguments, text
from node.faults import Code, UserFault
from node.flows import flow_named
from node.rolling import parts_below
from node.store.readers import Reader
from node.texts import N_
from sync.values import Cell
from tiers.dataset import Cadence
from tiers.filters import AllOf, Compare, OneOf, filter_sql
from tiers.flows.counting import COUNTS, STOCKS
from tiers.periods import Period, ended_periods, parse_period
from tiers.profile import PROFILES
from tiers.rolling import handed_up, ratios_of
from tiers.rollup import ALL, COMPLETE, CORRECTIONS, FINAL, RollUp

DATASET = "task_stat"
MONTHS = 12
_CELLS_MAX = 20_000
"""Of one place and twelve months: more than there are tiers and flows."""
_UNKNOWN = "unknown"


class Asked(NamedTuple):
    """Which figures: of one flow or tier, or ALL; of the months up to the last, which has ended."""

    flow: str
    tier: str
    months: tuple[Period, ...]


class _Place(NamedTuple):
    node: str
    division: str
    title: str


Held = dict[str, dict[tuple[str, str], dict[str, Cell]]]
"""By month, then by tier and flow."""


async def show(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """task.stats {period?, flow?, tier?} -> {months, flow, tier, measures, here, cells, below}: twelve months up to the
    period, else up to the newest that has ended. cells: of that month, by tier and flow."""
    yield await stats_of(node, arguments)


async def stats_of(node: Node, arguments: Arguments, limit_s: float = 0) -> dict[str, Any]:
    """As task.stats. Raises UserFault BAD_ARGUMENT, FLOW_UNKNOWN."""
    rollup, asked, own = node.catalogue.rollups[DATASET], asked_of(node, arguments), node.config.node
    registry = node.core().registry
    children = [child for child, _ in parts_below(node, registry, asked.months[-1])]
    below = sorted(_Place(one.node, one.region, one.title) for one in children)
    below.sort(key=lambda place: place.division)
    here = _Place(own.node_id, own.region, own.title)
    held = await node.read(partial(_held, rollup=rollup, places=[here, *below], asked=asked), limit_s)
    found = [_place(rollup, place, held[place.node], asked) for place in (here, *below)]
    return {
        "dataset": DATASET,
        "months": [str(month) for month in asked.months],
        "flow": asked.flow if asked.flow != ALL else "",
        "tier": asked.tier if asked.tier != ALL else "",
        "measures": [*COUNTS, *(ratio.to for ratio in rollup.ratios)],
        "here": found[0],
        "cells": _cells(rollup, held[own.node_id].get(str(asked.months[-1]), {})),
        "below": [one for one in found[1:] if any(month["state"] != _UNKNOWN for month in one["months"])],
    }


def asked_of(node: Node, arguments: Arguments) -> Asked:
    """What is asked for. Raises UserFault BAD_ARGUMENT, FLOW_UNKNOWN."""
    flow, tier, said = (text(arguments, name) for name in ("flow", "tier", "period"))
    if tier and tier not in PROFILES:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{tier}' is no tier; these are: {known}."),
            N_("Name one of them, or none for all together."),
            tier=tier,
            known=", ".join(PROFILES),
        )
    now, zone = node.clock.now_us(), ZoneInfo(node.config.run.time_zone)
    last = _month(said) if said else ended_periods(Cadence.MONTHLY, now, zone, 1)[0]
    if last is None or last.span_us(zone)[1] > now:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{period}' is no month that has ended."),
            N_("Write for example 2026-03: the last of the twelve months that are shown."),
            period=said,
        )
    named = flow_named(node.catalogue.flows, flow).id if flow else ALL
    return Asked(named, tier or ALL, tuple(_months_to(last)))


def _month(said: str) -> Period | None:
    try:
        found = parse_period(said)
    except ValueError:
        return None
    return found if found.cadence is Cadence.MONTHLY and found.first.year > 1 else None


def _months_to(last: Period) -> Iterable[Period]:
    found = [last]
    while len(found) < MONTHS:
        found.append(found[-1].before())
    return reversed(found)


def _held(reader: Reader, rollup: RollUp, places: Sequence[_Place], asked: Asked) -> dict[str, Held]:
    """The rows of each place that are wanted; of the first place all of the last month."""
    return {place.node: _held_of(reader, rollup, place, asked, whole=i == 0) for i, place in enumerate(places)}


def _held_of(reader: Reader, rollup: RollUp, place: _Place, asked: Asked, whole: bool) -> Held:
    dataset = rollup.dataset
    months = OneOf(dataset.period, tuple(map(str, asked.months)))
    narrow = [] if whole else [OneOf("dim_tier", (ALL, asked.tier)), OneOf("dim_flow", (ALL, asked.flow))]
    where, cells = filter_sql(AllOf((Compare(dataset.region, "=", place.division), months, *narrow)))
    names, found = dataset.schema.names, Held()
    for row in reader.page(dataset.id, place.node, None, names, _CELLS_MAX, where, cells):
        one = dict(zip(names, row, strict=True))
        found.setdefault(str(one["period"]), {})[str(one["dim_tier"]), str(one["dim_flow"])] = one
    return found


def _place(rollup: RollUp, place: _Place, held: Held, asked: Asked) -> dict[str, Any]:
    months = [_of_month(rollup, str(month), held.get(str(month), {}), asked) for month in asked.months]
    return {**place._asdict(), "months": months, "past": _past(rollup, months[:-1])}


def _of_month(
    rollup: RollUp, month: str, cells: Mapping[tuple[str, str], Mapping[str, Cell]], asked: Asked
) -> dict[str, Any]:
    """What is known of a place and month. Where its total is known, a cell that is not there holds nothing."""
    total = cells.get((ALL, ALL))
    tally = handed_up(rollup, [cells[ALL, ALL]]) if total is not None else None
    if total is None or tally is None:
        return {"period": month, "state": _UNKNOWN}
    said = {"period": month, COMPLETE: tally.is_complete, FINAL: bool(total[FINAL])}
    if not tally.parts.counted:
        return {**said, "state": "no_data" if tally.parts.no_data == tally.parts.all else "nothing"}
    row = cells.get((asked.tier, asked.flow))
    counts: dict[str, Any] = {name: row[name] for name in COUNTS} if row is not None else dict.fromkeys(COUNTS, 0)
    return {
        **said,
        "state": "counted" if any(counts.values()) else "zero",
        CORRECTIONS: row[CORRECTIONS] if row is not None else 0,
        **counts,
        **ratios_of(rollup, counts),
    }


def _past(rollup: RollUp, months: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The months before the last as one: sums, and rates made of the sums. months: of how many something is known."""
    known = [one for one in months if one["state"] in ("counted", "zero")]
    sums: dict[str, Any] = {name: sum(int(one[name] or 0) for one in known) for name in COUNTS if name not in STOCKS}
    return {"months": len(known), **sums, **ratios_of(rollup, sums)}


def _cells(rollup: RollUp, cells: Mapping[tuple[str, str], Mapping[str, Cell]]) -> list[dict[str, Any]]:
    """By tier and flow, tiers from above; ALL stands for all together."""
    tiers, found = [ALL, *PROFILES], []
    for (tier, flow), row in cells.items():
        counts: dict[str, Any] = {name: row[name] for name in COUNTS}
        found.append({"tier": tier, "flow": flow, **counts, **ratios_of(rollup, counts)})
    return sorted(found, key=lambda one: (tiers.index(one["tier"]) if one["tier"] in tiers else 99, one["flow"]))
