"""What stands on the page of task statistics: this place over twelve months, each place below beside its own past.

No place is ranked: those below stand in order of their division codes, and every line is drawn on its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from node.commands.task_stats import DATASET, stats_of
from node.hands import need
from node.http.api.endpoint import READ_S
from node.http.pages.door import Visit
from node.texts.standing import MONTH_STATES
from tiers.people import Act
from tiers.profile import PROFILES
from tiers.rollup import ALL

RATES: Final = ("in_time_rate", "return_rate")
MONTH: Final = (
    "issued",
    "closed",
    "in_time_rate",
    "return_rate",
    "avg_reply_hours",
    "avg_reply_urgent_hours",
    "open",
    "overdue",
    "open_elsewhere",
)
HEAD: Final = ("closed", "in_time_rate", "return_rate", "avg_reply_hours", "open", "overdue")
BELOW: Final = ("closed", "in_time_rate", "return_rate", "open", "overdue")
COUNTS: Final = ("open", "overdue")
BELOW_SHOWN: Final = 400


class Size(NamedTuple):
    """Of a drawing: all of it, and the edge left free around its lines."""

    width: int
    height: int
    edge: int


LARGE: Final = Size(660, 150, 10)
SMALL: Final = Size(150, 36, 4)


async def task_stats_page(visit: Visit) -> dict[str, Any]:
    """Statistics of tasks; what is asked for and cannot be is told."""
    need(visit.node, visit.grant.hand, Act.SEE)
    asked = {name: visit.asked(name) for name in ("period", "flow", "tier")}
    found = await stats_of(visit.node, asked, READ_S)
    zh, catalogue = visit.speech.to.language == "zh", visit.node.catalogue
    fields = catalogue.datasets[DATASET].fields
    months = found["here"]["months"]
    below = [
        {**one, "last": one["months"][-1], "line": lines(one["months"], "in_time_rate", 1.0, SMALL)}
        for one in found["below"][:BELOW_SHOWN]
    ]
    return {
        **asked,
        "last": found["months"][-1],
        "titles": {field.column.name: field.title_zh if zh else field.title_en for field in fields},
        "tiers": [(one.id, one.title_zh if zh else one.title_en) for one in PROFILES.values()],
        "flows": [(name, flow.title_zh if zh else flow.title_en) for name, flow in sorted(catalogue.flows.items())],
        "head": [(name, months[-1].get(name)) for name in HEAD],
        "month_names": MONTH,
        "months": months,
        "rates": _drawing(months, RATES, 1.0),
        "counts": _drawing(months, COUNTS, _most(months, COUNTS)),
        "cells": found["cells"] if not (asked["flow"] or asked["tier"]) else [],
        "below_names": BELOW,
        "below": below,
        "watches": visit.grant.may("watch"),
        "left_out": len(found["below"]) - len(below),
        "all": ALL,
        "is_rate": RATES,
        "states": MONTH_STATES,
        "large": LARGE,
        "small": SMALL,
    }


def _drawing(months: Sequence[Mapping[str, Any]], names: Sequence[str], top: float) -> dict[str, Any]:
    return {"top": top, "lines": [(name, lines(months, name, top, LARGE)) for name in names]}


def _most(months: Sequence[Mapping[str, Any]], names: Sequence[str]) -> float:
    return max([1.0, *(float(one[name]) for one in months for name in names if one.get(name) is not None)])


def lines(months: Sequence[Mapping[str, Any]], measure: str, top: float, size: Size) -> list[list[tuple[float, float]]]:
    """A measure over time as points of a drawing; a month without a figure interrupts the line, for it is no zero."""
    step = (size.width - 2 * size.edge) / max(1, len(months) - 1)
    found: list[list[tuple[float, float]]] = []
    is_open = False
    for i, month in enumerate(months):
        value = month.get(measure)
        if value is None:
            is_open = False
            continue
        if not is_open:
            found.append([])
        is_open = True
        height = (size.height - 2 * size.edge) * min(1.0, float(value) / top)
        found[-1].append((round(size.edge + i * step, 1), round(size.height - size.edge - height, 1)))
    return found
