"""Division codes and their history: divisions list, show, changes, export. Needs no node and no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.output import pairs, remark, say, say_json, table
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.faults import Code, UserFault
from node.reading import day_of
from node.texts import N_, _

if TYPE_CHECKING:
    from tiers.divisions import Division, Divisions

VERBS = Verbs("divisions", N_("Division codes (GB/T 2260), and what became of them."))

LEVELS = (N_("nation"), N_("province level"), N_("prefecture level"), N_("county level"))
KINDS = {
    "renamed": N_("renamed"),
    "recoded": N_("got another code"),
    "converted": N_("became another kind of unit"),
    "dissolved": N_("was dissolved into"),
    "part": N_("gave a part to"),
    "founded": N_("began; from what is not known"),
    "ended": N_("ended; what became of it is not known"),
}
_AT_HELP = N_("The day to look at, such as 2020-12-31; else today.")


@VERBS.verb(N_("List the divisions directly below one, as of a day."), "list")
def list_below(
    context: typer.Context,
    under: Annotated[
        str, typer.Option(metavar="CODE", help=_("Below this one; else below the nation. 660000: the corps' cities."))
    ] = "100000",
    at: Annotated[str, typer.Option(metavar="DATE", help=_(_AT_HELP))] = "",
) -> None:
    session, known, day = here(context), _known(), _day(at)
    _check(known, under)
    found = known.children(under, day)
    if session.as_json:
        return say_json({"as_of": known.as_of, "at": day, "under": under, "divisions": [_shown(d) for d in found]})
    table("", [_("code"), _("name"), _("level"), _("since")], [_line(d) for d in found])
    _close(session, known, day)
    return None


def _line(one: Division) -> tuple[object, ...]:
    return one.code, one.name, _(LEVELS[one.level]), one.since[:4]


@VERBS.verb(N_("Show what a code stands for on a day, what stands above it, and what became of it."))
def show(
    context: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE", help=_("Division code of six digits."))],
    at: Annotated[str, typer.Option(metavar="DATE", help=_(_AT_HELP))] = "",
) -> None:
    session, known, day = here(context), _known(), _day(at)
    _check(known, code)
    told = _standing(known, code, day)
    if session.as_json:
        return say_json(told)
    found, above = told["division"], told["above"]
    if found is None:
        say(_("{code} stands for nothing on {day}.").format(code=code, day=day))
    else:
        lines = [(_("Code"), code), (_("Name"), found["name"]), (_("Level"), _(LEVELS[found["level"]]))]
        if above is not None:
            lines.append((_("Above it"), f"{above['code']} {above['name']}"))
        if told["administered_by"] != (above or {}).get("code", ""):
            lines.append((_("Administered by"), _("{code} (a proposal)").format(code=told["administered_by"])))
        pairs([*lines, (_("In force"), _years(found))])
    now = ", ".join(f"{d['code']} {d['name']}" for d in told["became"])
    if told["became"] != [found]:
        say(_("Today: {became}").format(became=now or _("not known")))
    if len(told["spans"]) > 1 or found is None:
        say()
        table(
            _("All that the code has stood for:"),
            [_("name"), _("in force")],
            [(s["name"], _years(s)) for s in told["spans"]],
        )
    if told["year_of_change"]:
        remark(_("It changed in that year; the day is not known here, so the code before it may still be right."))
    _close(session, known, day)
    return None


def _standing(known: Divisions, code: str, day: str) -> dict[str, Any]:
    """All about a code on a day. `became`: today, for what it stood for then, or for what it stood for before."""
    from node.divisions import last_day

    found, above, spans = known.at(code, day), known.parent(code, day), known.spans(code)
    ended = [s for s in spans if s.until and s.until <= day]
    since = day if found is not None else last_day(ended[-1]) if ended else ""
    became = known.became(code, since, max(day, _day(""))) if since else ()
    return {
        "as_of": known.as_of,
        "at": day,
        "code": code,
        "fate": known.fate(code, day).value,
        "division": _shown(found) if found is not None else None,
        "above": _shown(above) if above is not None and found is not None else None,
        "administered_by": known.keeper(code, day) if found is not None else "",
        "year_of_change": found is not None and found.is_year_of_change(day),
        "became": [_shown(d) for d in became],
        "spans": [_shown(s) for s in spans],
    }


@VERBS.verb(N_("List every change that led to a code or away from it."))
def changes(
    context: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE", help=_("Division code of six digits."))],
) -> None:
    session, known = here(context), _known()
    _check(known, code)
    found = [
        {
            "year": int(change.date[:4]),
            "kind": change.kind.value,
            "old": change.old,
            "old_name": was.name if (was := known.was(change.old, change.date)) is not None else "",
            "new": change.new,
            "new_name": now.name if (now := known.at(change.new, change.date)) is not None else "",
        }
        for change in known.changes(code)
    ]
    if session.as_json:
        return say_json({"as_of": known.as_of, "code": code, "changes": found})
    rows = [
        (c["year"], f"{c['old']} {c['old_name']}", _(KINDS[str(c["kind"])]), f"{c['new']} {c['new_name']}")
        for c in found
    ]
    table("", [_("year"), _("before"), _("what happened"), _("after")], rows)
    _close(session, known, "")
    return None


@VERBS.verb(N_("Write all codes with their history as JSON lines: rows for `tiersync put admin_division`."))
def export(context: typer.Context) -> None:
    import json

    from tiers.division_rows import rows

    session, known = here(context), _known()
    found = rows(known, _day(""))
    if session.as_json:
        return say_json({"as_of": known.as_of, "rows": list(found)})
    for row in found:
        say(json.dumps(row, ensure_ascii=False))
    _close(session, known, _day(""))
    return None


def _known() -> Divisions:
    from node.divisions import divisions

    return divisions()


def _check(known: Divisions, code: str) -> None:
    """Raises UserFault for what is no code, or one that the data has never had."""
    from tiers.regions import XPCC, is_division

    if not is_division(code):
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{code}' is not a division code."),
            N_("A division code has six digits, such as 330100; a street's or a grid's begins with them."),
            code=code,
        )
    if code != XPCC and not known.spans(code):
        raise UserFault(
            Code.DIVISION_UNKNOWN,
            N_("{code} is not among the division codes of {as_of}, and has not been since 1980."),
            N_("`tiersync divisions list --under CODE` lists what is below a province or prefecture."),
            code=code,
            as_of=known.as_of,
        )


def _day(said: str) -> str:
    """The day that is meant: as said, or today. Raises UserFault."""
    from node.clock import SystemClock, iso

    if not said:
        return iso(SystemClock().now_us())[:10]
    return day_of(said)


def _shown(one: Division) -> dict[str, Any]:
    """For scripts. `valid_to` is the first day on which it no longer held; both are known to the year."""
    return {
        "code": one.code,
        "name": one.name,
        "level": one.level,
        "valid_from": one.since or None,
        "valid_to": one.until or None,
    }


def _years(one: dict[str, Any]) -> str:
    since, until = ((one[name] or "")[:4] for name in ("valid_from", "valid_to"))
    if until:
        return _("{since} to {until}").format(since=since or _("1980 or before"), until=until)
    return _("since {since}").format(since=since or _("1980 or before"))


def _close(session: Session, known: Divisions, day: str) -> None:
    """Whether the question lies beyond the data."""
    if day > known.as_of:
        remark(_("The division codes are those of {as_of}; later changes are not in them.").format(as_of=known.as_of))
    elif day and day < "1985-01-01":
        remark(_("Before 1985 codes were drawn up anew several times, and this data is not reliable."))
