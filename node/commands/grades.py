"""Grades that this node told of the nodes right below it, and how often each was at fault in a month."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from node.announced import excused_below
from node.clock import iso
from node.commands.view import Arguments, View, text
from node.faults import Code, UserFault
from node.texts import N_
from tiers.damping import Count, Episode, counts
from tiers.dataset import Cadence
from tiers.grades import Grade
from tiers.periods import day_of, parse_period, period_of


def list_grades(view: View, arguments: Arguments) -> dict[str, Any]:
    """child.grades {month?, node?} -> {children: what is told of each now, faults: how often and how long, announced
    maintenance left out, each was at fault in the month (this one, if none is named), episodes: what was told in it,
    the oldest first}. In order of node id: no order of merit."""
    since, until, month = _month(view, text(arguments, "month"))
    wanted = text(arguments, "node")
    found = [one for one in view.reader.grades.since(since) if wanted in ("", one.node) and one.since_us < until]
    now = view.reader.grades.since(view.now_us)
    excused = excused_below(view.reader, view.config, view.parent, view.now_us)
    return {
        "month": month,
        "children": [_shown(one) for one in _in_order(now) if wanted in ("", one.node)],
        "faults": [
            _fault(node, grade, count)
            for (node, grade), count in sorted(
                counts(found, since, until, view.now_us, excused).items(), key=lambda one: (one[0][0], one[0][1].value)
            )
        ],
        "episodes": [_shown(one) for one in found],
    }


def _in_order(found: Iterable[Episode]) -> list[Episode]:
    return sorted(found, key=lambda one: one.node)


def _month(view: View, said: str) -> tuple[int, int, str]:
    zone = ZoneInfo(view.config.run.time_zone)
    try:
        period = parse_period(said) if said else period_of(Cadence.MONTHLY, day_of(view.now_us, zone))
    except ValueError:
        period = None
    if period is None or period.cadence is not Cadence.MONTHLY:
        raise UserFault(Code.BAD_ARGUMENT, N_("'{month}' is not a month."), N_("Write it as 2026-03."), month=said)
    return (*period.span_us(zone), str(period))


def _shown(one: Episode) -> dict[str, Any]:
    return {
        "node": one.node,
        "grade": one.grade.value,
        "since": iso(one.since_us),
        "until": iso(one.until_us) if one.until_us else "",
        "escalated": one.escalated,
        "evidence": one.evidence,
    }


def _fault(node: str, grade: Grade, count: Count) -> dict[str, Any]:
    return {"node": node, "grade": grade.value, "times": count.times, "lasted_s": count.lasted_us // 1_000_000}
