"""The working calendar: calendar show, due, set. What `set` changes are rows of calendar_day like others."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import typer

from node.cli.asking import ask
from node.cli.output import moment, pairs, remark, say_json, table
from node.cli.rows import put_rows
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.cli.wording import word_of
from node.faults import Code, UserFault
from node.flows import CLOCKS
from node.reading import day_of
from node.texts import N_, _, current

VERBS = Verbs("calendar", N_("The working calendar: public holidays, weekend days that are worked, limits."))

DAYS_SET_MAX = 400
SOURCES = {"table": N_("table"), "published": N_("published list"), "decree": N_("decree"), "week": N_("the week")}
WEEKDAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
_REGION_HELP = N_("Division code; else this node's own. Rows of it and of what is above it count, as far as held here.")

Region = Annotated[str, typer.Option(metavar="CODE", help=_(_REGION_HELP))]


@VERBS.verb(N_("Show the days of a month, or what differs from the week in a year, and who says so."))
def show(
    context: typer.Context,
    month: Annotated[str, typer.Option(metavar="MONTH", help=_("Such as 2026-10; else this month."))] = "",
    year: Annotated[str, typer.Option(metavar="YEAR", help=_("A whole year, such as 2027."))] = "",
    region: Region = "",
) -> None:
    session = here(context)
    found = ask(session, "calendar.days", period=year or month or _this_month(session), region=region)
    if session.as_json:
        return say_json(found)
    days = [one for one in found["days"] if one["name"] or one["source"] == "table"] if year else found["days"]
    heads = [_("day"), _("weekday"), _("kind"), _("name"), _("office hours"), _("source"), _("provisional")]
    table("", heads, [_line(session, one) for one in days])
    for missing in (of for of, is_complete in found["complete"].items() if not is_complete):
        words = _(
            "There is no complete list of {year} yet: what is not in the table follows from the week, provisionally."
        )
        remark(words.format(year=missing))
    return None


def _line(session: Session, one: dict[str, Any]) -> tuple[object, ...]:
    source = _(SOURCES[one["source"]])
    return (
        one["day"],
        _(WEEKDAYS[dt.date.fromisoformat(one["day"]).weekday()]),
        word_of(session, "calendar_day", "kind", one["kind"]),
        one["name"] if current().language == "zh" else one["name_en"],
        " ".join(one["hours"]),
        f"{source} {one['division']}".rstrip(),
        _("provisional") if one["provisional"] else "",
    )


def _this_month(session: Session) -> str:
    import zoneinfo

    from node.clock import SystemClock
    from tiers.periods import day_of as local_day

    return local_day(SystemClock().now_us(), zoneinfo.ZoneInfo(session.zone)).isoformat()[:7]


@VERBS.verb(N_("Say when a limit is over that begins at a moment, and when 80 % of it have passed."))
def due(
    context: typer.Context,
    since: Annotated[str, typer.Option("--from", metavar="TIME", help=_("Such as 2026-09-29T16:00."))],
    limit: Annotated[
        str, typer.Option(metavar="LIMIT", help=_("A number and a clock, such as '3 work_day' or '3 工作日'."))
    ],
    suspended: Annotated[
        list[str],
        typer.Option(metavar="FROM..UNTIL", help=_("A time in which the clock stood still; may stand often.")),
    ] = [],  # noqa: B006 - typer copies it
    region: Region = "",
) -> None:
    session = here(context)
    spans = [dict(zip(("from", "until"), one.split("..", 1), strict=False)) for one in suspended]
    found = ask(session, "calendar.due", limit=limit, suspended=spans, region=region, **{"from": since})
    if session.as_json:
        return say_json(found)
    amount, clock = str(found["limit"]).rsplit(" ", 1)
    lines = [(_("Limit"), f"{amount} {_(CLOCKS[clock])}"), (_("From"), moment(found["from"], session.zone))]
    lines += [
        (_("80 % have passed"), moment(found["warn"], session.zone)),
        (_("Ends on"), moment(found["due"], session.zone)),
    ]
    pairs([*lines, (_("Provisional"), found["provisional"])])
    if found["provisional"]:
        remark(_("Days count of which no list is complete yet: the end may still move."))
    return None


@VERBS.verb(N_("Say what a day is, or the days from one to another: for this node's region and all below it."), "set")
def set_days(
    context: typer.Context,
    days: Annotated[str, typer.Argument(metavar="DATE[..DATE]", help=_("Such as 2027-02-05..2027-02-11."))],
    kind: Annotated[str, typer.Argument(metavar="working|rest|holiday", help=_("What the days are."))],
    name_zh: Annotated[str, typer.Option(metavar="TEXT", help=_("What they are called, in Chinese."))] = "",
    name_en: Annotated[str, typer.Option(metavar="TEXT", help=_("The same in English."))] = "",
    document: Annotated[str, typer.Option(metavar="TEXT", help=_("The notice that says so."))] = "",
    whole_year: Annotated[
        bool,
        typer.Option("--whole-year", help=_("They belong to the complete list of their year, which is then known.")),
    ] = False,
    region: Annotated[
        str, typer.Option(metavar="CODE", help=_("Division code for which they count; else this node's own."))
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Write nothing; say what would be rejected."))] = False,
) -> int:
    session = here(context)
    row = {
        "division": region or session.config.node.region,
        "kind": kind,
        "name_zh": name_zh or None,
        "name_en": name_en or None,
        "whole_year": whole_year,
        "document": document or None,
    }
    return put_rows(session, "calendar_day", [{"day": day, **row} for day in _between(days)], dry_run)


def _between(said: str) -> list[str]:
    """Every day from one to another. Raises UserFault."""
    since, _dots, until = said.partition("..")
    first, last = (dt.date.fromisoformat(day_of(day)) for day in (since, until or since))
    count = (last - first).days + 1
    if not 0 < count <= DAYS_SET_MAX:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{value}' is not a span of 1 to {most} days."),
            N_("Write the first day, two points and the last day."),
            value=said,
            most=DAYS_SET_MAX,
        )
    return [(first + dt.timedelta(days=day)).isoformat() for day in range(count)]
