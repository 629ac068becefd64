"""The working calendar: which day is what, and by when a limit is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from node.calendar import calendar_of
from node.clock import iso
from node.commands.view import Arguments, View, items, text
from node.faults import Code, UserFault
from node.reading import moment_of
from node.texts import N_
from tiers.calendar import Kind, Told, WorkCalendar, regions_over
from tiers.flows.clocks import WARN_AT, ClockFault, Limit, Span, due, read_limit, share_at
from tiers.periods import parse_period
from tiers.regions import is_division


def list_days(view: View, arguments: Arguments) -> dict[str, Any]:
    """calendar.days {period, region?} -> {region, complete: of which years there is a complete list, days}."""
    said = text(arguments, "period")
    try:
        period = parse_period(said)
    except ValueError:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{value}' is neither a month nor a year."),
            N_("Write 2027-02 or 2027."),
            value=said,
        ) from None
    calendar, region = _calendar(view, arguments)
    days = [period.first + timedelta(days=count) for count in range((period.until - period.first).days)]
    return {
        "region": region,
        "complete": {str(year): calendar.is_known(year) for year in range(days[0].year, days[-1].year + 1)},
        "days": [shown(calendar, calendar.told(day)) for day in days],
    }


def find_due(view: View, arguments: Arguments) -> dict[str, Any]:
    """calendar.due {from, limit, suspended: [{from, until}], region?} -> when it is over, and when 80 % have passed."""
    calendar, region = _calendar(view, arguments)
    limit = _limit(text(arguments, "limit"))
    start = moment_of(text(arguments, "from"), calendar.zone)
    suspended = [_span(calendar, one) for one in items(arguments, "suspended")]
    try:
        end = due(start, limit, calendar, suspended)
        warned = share_at(start, limit, WARN_AT, calendar, suspended)
    except ClockFault:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("The calendar has no end for '{value}'."),
            N_("Look at the calendar with `tiersync calendar show`: it may have no working days there."),
            value=str(limit),
        ) from None
    return {
        "region": region,
        "from": iso(start),
        "limit": str(limit),
        "due": iso(end.at_us),
        "warn": iso(warned.at_us),
        "provisional": end.is_provisional,
    }


def shown(calendar: WorkCalendar, told: Told) -> dict[str, Any]:
    """A day, for scripts and tables."""
    hours = calendar.hours(told.day) if told.kind is Kind.WORKING else ()
    return {
        "day": told.day.isoformat(),
        "kind": told.kind.value,
        "name": told.name.zh,
        "name_en": told.name.en,
        "source": told.source.value,
        "provisional": told.is_provisional,
        "division": told.said.division if told.said is not None else "",
        "document": told.said.document if told.said is not None else "",
        "hours": [f"{since:%H:%M}-{until:%H:%M}" for since, until in hours],
    }


def _calendar(view: View, arguments: Arguments) -> tuple[WorkCalendar, str]:
    region = text(arguments, "region")
    if region and not is_division(region):
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{code}' is not a division code."),
            N_("A division code has six digits, such as 330100; a street's or a grid's begins with them."),
            code=region,
        )
    own = view.config.node.region
    regions = regions_over(region) if region and region != own else ()
    return calendar_of(view.reader, view.config, regions), region or own


def _limit(said: str) -> Limit:
    try:
        return read_limit(said)
    except ClockFault:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{value}' is not a limit."),
            N_("Write a number and a clock: '3 工作日' or '3 work_day', '4 工作时', '0:30 紧急工作时', '15 自然日'."),
            value=said,
        ) from None


def _span(calendar: WorkCalendar, one: dict[str, Any]) -> Span:
    since, until = (moment_of(str(one.get(name, "")), calendar.zone) for name in ("from", "until"))
    return since, until
