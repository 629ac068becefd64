"""Statistics that are rolled up: which there are, how far a period is, working it out now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from node.app import Node
from node.clock import iso
from node.commands.view import Arguments, View, text
from node.faults import Code, UserFault
from node.rolling import (
    Outcome,
    closes_us,
    held_of,
    linked_now,
    parts_below,
    periods_of,
    roll_up,
    rollups_of,
)
from node.texts import N_
from sync.registry import Enrolment
from sync.values import Cell
from tiers.parts import DEPTH_MAX, children_of, parts_of
from tiers.periods import Period, ended_periods, parse_period
from tiers.rolling import Parts, Place, Tally, handed_up
from tiers.rollup import CORRECTIONS, FINAL, RollUp

Held = Mapping[Place, Mapping[str, Cell]]


def list_rollups(view: View, arguments: Arguments) -> dict[str, Any]:
    """rollup.list {} -> {rollups}: which statistics are counted from what, by the catalogue."""
    return {"rollups": [_declared(rollup) for rollup in view.catalogue.rollups.values()]}


def _declared(rollup: RollUp) -> dict[str, Any]:
    dataset, small = rollup.dataset, rollup.small_cells
    return {
        "dataset": dataset.id,
        "title_zh": dataset.title_zh,
        "title_en": dataset.title_en,
        "source": rollup.source.id,
        "owner": list(dataset.owner),
        "cadence": [cadence.value for cadence in dataset.deadlines],
        "groups": {group.name: [to for to, _ in group.columns] for group in rollup.groups},
        "measures": [m.to for m in rollup.measures] + [r.to for r in rollup.ratios],
        "held_back_below": small.below if small else 0,
    }


async def show(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """rollup.show {dataset, period?} -> {dataset, periods: what is known of each, here and by node below}.

    Without a period: the newest that has ended of each cadence.
    """
    rollup = _rollup(node, text(arguments, "dataset"))
    said = text(arguments, "period")
    now, zone = node.clock.now_us(), ZoneInfo(node.config.run.time_zone)
    newest = [p for cadence in rollup.dataset.deadlines for p in ended_periods(cadence, now, zone, 1)]
    periods = [_period(node, rollup, said)] if said else newest
    linked = await node.writer.ask(lambda replica, _: linked_now(replica))
    yield {
        "dataset": rollup.dataset.id,
        "measures": [m.to for m in rollup.measures] + [r.to for r in rollup.ratios],
        "periods": [await _shown(node, rollup, period, linked) for period in periods],
    }


async def _shown(node: Node, rollup: RollUp, period: Period, linked: frozenset[str]) -> dict[str, Any]:
    own = node.config.node
    held = await node.read(partial(held_of, rollup, own.node_id, own.region, period))
    below: list[dict[str, Any]] = []
    for child, is_expected in parts_below(node, node.core().registry, period):
        below += await _below(node, rollup, period, child, is_expected, "pending" if child.node in linked else "down")
    return {
        "period": str(period),
        "closes": iso(closes_us(node, rollup.dataset, period)),
        "here": _said(rollup, held, "not_worked_out"),
        "below": below,
    }


async def _below(
    node: Node, rollup: RollUp, period: Period, part: Enrolment, is_expected: bool, missing: str, depth: int = 1
) -> list[dict[str, Any]]:
    """A node below, and those below it. Of nodes that are no neighbours nobody here knows whether they have a link:
    the counts of the node above them tell how many have none."""
    held = await node.read(partial(held_of, rollup, part.node, part.region, period))
    registry, day = node.core().registry, period.last.isoformat()
    found: list[dict[str, Any]] = []
    if depth < DEPTH_MAX:
        for child in children_of(registry, part.node, day):
            found += await _below(node, rollup, period, child, True, "not_heard", depth + 1)
    expected = is_expected and parts_of(registry, part, day, rollup.source) > 0
    if not held and not expected and not found:
        return []
    return [{"node": part.node, "title": part.title, "depth": depth, **_said(rollup, held, missing)}, *found]


def _said(rollup: RollUp, held: Held, missing: str) -> dict[str, Any]:
    tally = handed_up(rollup, held.values())
    if tally is None:
        return {"state": missing}
    total = held[rollup.total]
    names = [m.to for m in rollup.measures] + [r.to for r in rollup.ratios]
    return {
        "state": _state(tally, rollup),
        "complete": tally.is_complete,
        "final": bool(total[FINAL]),
        "corrections": sum(int(row[CORRECTIONS] or 0) for row in held.values()),
        "parts": _parts(tally.parts),
        "partial": sorted(tally.partial),
        "left_out": tally.left_out,
        "withheld_cells": sum(1 for figures in tally.cells.values() if figures.withheld),
        "total": {name: total[name] for name in names},
    }


def _state(tally: Tally, rollup: RollUp) -> str:
    """counted, zero (counted, and there were none), no_data, or nothing (of no part below anything is known)."""
    parts = tally.parts
    if not parts.counted:
        return "no_data" if parts.no_data == parts.all else "nothing"
    return "counted" if any(tally.cells[rollup.total].values) else "zero"


def _parts(parts: Parts) -> dict[str, int]:
    return {"all": parts.all, **parts._asdict()}


async def run(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """rollup.run {dataset?, period?, dry_run?} -> {rollups: by dataset what became of each period}; progress by
    dataset."""
    name, said = text(arguments, "dataset"), text(arguments, "period")
    if said and not name:
        raise UserFault(Code.BAD_ARGUMENT, N_("A period goes with a dataset."), N_("Name the dataset before --period."))
    wanted = [_rollup(node, name)] if name else rollups_of(node)
    if name and wanted[0] not in rollups_of(node):
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("This node does not work '{dataset}' out: its tier does not own it, or [rollup] leave_out names it."),
            N_("`tiersync rollup list` says which tiers do."),
            dataset=name,
        )
    dry_run = bool(arguments.get("dry_run", False))
    found: list[dict[str, Any]] = []
    for rollup in wanted:
        periods = [_period(node, rollup, said)] if said else periods_of(node, rollup, node.clock.now_us())
        outcomes = await roll_up(node, rollup, periods, dry_run=dry_run)
        found.append({"dataset": rollup.dataset.id, "periods": [_outcome(one) for one in outcomes]})
        yield {"done": len(found), "of": len(wanted)}
    yield {"rollups": found, "dry_run": dry_run}


def _outcome(one: Outcome) -> dict[str, Any]:
    return {
        "period": one.period,
        "state": one.state,
        "complete": one.tally.is_complete,
        "final": one.final,
        "corrections": one.corrections,
        "parts": _parts(one.tally.parts),
        "written": one.written,
        "unchanged": one.unchanged,
        "rejected": one.rejected,
    }


def _rollup(node: Node, name: str) -> RollUp:
    rollup = node.catalogue.rollups.get(name)
    if rollup is None:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{dataset}' is not rolled up; these are: {known}."),
            N_("`tiersync rollup list` says what they are counted from."),
            dataset=name,
            known=", ".join(node.catalogue.rollups),
        )
    return rollup


def _period(node: Node, rollup: RollUp, said: str) -> Period:
    """A period that has ended, of a cadence that the dataset has."""
    cadences = rollup.dataset.deadlines
    try:
        period = parse_period(said)
    except ValueError:
        period = None
    if period is None or period.cadence not in cadences:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{period}' is no period of '{dataset}', which is {cadence}."),
            N_("Write 2026-03-02 for a day, 2026-W10 for a week, 2026-03 for a month, 2026Q1 or 2026."),
            period=said,
            dataset=rollup.dataset.id,
            cadence=", ".join(cadence.value for cadence in cadences),
        )
    if period.span_us(ZoneInfo(node.config.run.time_zone))[1] > node.clock.now_us():
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{period}' has not ended yet."),
            N_("Figures are worked out once a period is over, in the time zone of [run] time_zone."),
            period=said,
        )
    return period
