"""Statistics of tasks: task stats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

import typer

from node.cli.asking import command
from node.cli.catalogues import catalogue_of
from node.cli.output import say_json, table
from node.cli.rows import say_csv
from node.cli.session import here
from node.cli.tasks import TASKS
from node.texts import N_, _, current
from node.texts.standing import MONTH_STATES
from tiers.catalogue import Catalogue
from tiers.profile import PROFILES

__all__ = ["TASKS"]
"""The verbs of tasks, with those of this file."""

SHOWN = (
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
RATES = ("in_time_rate", "return_rate")
BESIDE = ("closed", "in_time_rate", "return_rate", "avg_reply_hours", "open", "overdue")
"""Of a place below: the month, and for all but the last two the months before it together."""
NOW = ("open", "overdue")
ALL = "*"


@TASKS.verb(
    N_("Show statistics of tasks: this place over twelve months, and each place below beside its own past."), "stats"
)
def stats(
    context: typer.Context,
    period: Annotated[
        str, typer.Option(metavar="MONTH", help=_("The last month, such as 2026-03; the newest ended if not given."))
    ] = "",
    flow: Annotated[str, typer.Option(metavar="FLOW", help=_("Only of this flow."))] = "",
    tier: Annotated[str, typer.Option(metavar="TIER", help=_("Only tasks that are the work of this tier."))] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help=_("Answer as CSV on stdout."))] = False,
) -> None:
    session = here(context)
    found = command(session, "task.stats", period=period, flow=flow, tier=tier)
    if session.as_json:
        return say_json(found)
    if as_csv:
        return say_csv(["division", "title", "period", "state", *found["measures"]], list(_lines(found)))
    catalogue = catalogue_of(session)
    titles = _titles(catalogue)
    heads = [_("month"), _("state"), *(titles[name] for name in SHOWN)]
    table(_title(found["here"]), heads, [_month(one) for one in found["here"]["months"]])
    last = found["months"][-1]
    if not (flow or tier):
        heads = [_("tier"), _("flow"), *(titles[name] for name in SHOWN)]
        rows = [(*_cell(catalogue, one), *_values(one)) for one in found["cells"]]
        table(_("{month} by tier and flow").format(month=last), heads, rows)
    if found["below"]:
        heads = [_("place below"), _("state"), *(titles[name] for name in BESIDE)]
        title = _("{month} below, beside each place's own months before (in brackets)").format(month=last)
        table(title, heads, [_below(one) for one in found["below"]])
    return None


def _lines(found: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for place in (found["here"], *found["below"]):
        for month in place["months"]:
            named = (place["division"], place["title"], month["period"], month["state"])
            yield (*named, *(month.get(name) for name in found["measures"]))


def _titles(catalogue: Catalogue) -> dict[str, str]:
    zh = current().language == "zh"
    fields = catalogue.datasets["task_stat"].fields
    return {field.column.name: field.title_zh if zh else field.title_en for field in fields}


def _title(place: Mapping[str, Any]) -> str:
    return f"{place['title']} ({place['division']})"


def _month(one: Mapping[str, Any]) -> tuple[object, ...]:
    return (one["period"], _state(one), *_values(one))


def _state(one: Mapping[str, Any]) -> str:
    """What is known of a month; figures that are not whole or can still change say so."""
    if one["state"] not in ("counted", "zero"):
        return _(MONTH_STATES[one["state"]])
    said = [_("complete") if one["complete"] else _("incomplete"), _("final") if one["final"] else _("not final")]
    return ", ".join(said)


def _values(one: Mapping[str, Any], names: Sequence[str] = SHOWN) -> list[str]:
    return [_value(name, one.get(name)) for name in names]


def _value(name: str, value: Any) -> str:
    if value is None:
        return ""
    return f"{int(Decimal(value) * 1000) / 10:g} %" if name in RATES else str(value)


def _cell(catalogue: Catalogue, one: Mapping[str, Any]) -> tuple[str, str]:
    zh, flow, tier = current().language == "zh", catalogue.flows.get(one["flow"]), PROFILES.get(one["tier"])
    title = "" if flow is None else flow.title_zh if zh else flow.title_en
    of_tier = (
        _("all") if one["tier"] == ALL else one["tier"] if tier is None else tier.title_zh if zh else tier.title_en
    )
    return of_tier, _("all") if one["flow"] == ALL else f"{one['flow']} {title}".strip()


def _below(place: Mapping[str, Any]) -> tuple[object, ...]:
    last, past = place["months"][-1], place["past"]
    before = {name: _value(name, past[name]) for name in BESIDE if name not in NOW}
    said = [_value(name, last.get(name)) + (f" ({before[name]})" if before.get(name) else "") for name in BESIDE]
    return (_title(place), _state(last), *said)
