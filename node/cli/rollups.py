"""Statistics that are rolled up: rollup list, show, run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from node.cli.asking import ask, command
from node.cli.output import moment, remark, say, say_json, table
from node.cli.session import here
from node.cli.verbs import Verbs
from node.texts import N_, _, current

ROLLUPS = Verbs("rollup", N_("Statistics counted from rows and added up tier by tier."))
_STATES = {
    "counted": N_("counted"),
    "zero": N_("counted: none"),
    "no_data": N_("no data: its source brought nothing"),
    "nothing": N_("nothing known of any node below it"),
    "pending": N_("not yet heard, its link works"),
    "down": N_("not heard, no link"),
    "not_heard": N_("not heard"),
    "not_worked_out": N_("not worked out yet"),
    "rolled": N_("worked out"),
    "brought": N_("left alone: figures of another source are there"),
    "too_late": N_("left alone: what there was then can no longer be counted"),
    "not_due": N_("nothing is expected of this node"),
}


@ROLLUPS.verb(N_("List which statistics are counted, from what and by whom."), "list")
def list_all(context: typer.Context) -> None:
    session = here(context)
    found = ask(session, "rollup.list")
    if session.as_json:
        return say_json(found)
    title = "title_zh" if current().language == "zh" else "title_en"
    heads = [_("dataset"), _("title"), _("counted from"), _("owner"), _("periods"), _("cells by"), _("held back below")]
    rows = [
        (
            one["dataset"],
            one[title],
            one["source"],
            ", ".join(one["owner"]),
            ", ".join(one["cadence"]),
            ", ".join(one["groups"]),
            one["held_back_below"] or "",
        )
        for one in found["rollups"]
    ]
    table("", heads, rows)
    return None


@ROLLUPS.verb(N_("Show how far a period is: whose figures are in, whose are not and why."))
def show(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Id of the statistics, such as case_stat."))],
    period: Annotated[
        str, typer.Option(metavar="PERIOD", help=_("Such as 2026-03-02 or 2026-03; the newest ended if not given."))
    ] = "",
) -> None:
    session = here(context)
    found = command(session, "rollup.show", dataset=dataset, period=period)
    if session.as_json:
        return say_json(found)
    for one in found["periods"]:
        _show_period(one, found["measures"][0], session.zone)
    return None


def _show_period(one: dict[str, Any], measure: str, zone: str) -> None:
    closes = moment(one["closes"], zone)
    say(_("{period}, closed from {moment} on").format(period=one["period"], moment=closes))
    heads = [
        _("node"),
        _("state"),
        measure,
        _("counted in"),
        _("no data"),
        _("not yet"),
        _("no link"),
        _("left out"),
        _("complete"),
        _("final"),
        _("corrections"),
    ]
    rows = [_line(_("here"), one["here"], measure)]
    rows += [_line("  " * part["depth"] + part["title"], part, measure) for part in one["below"]]
    table("", heads, rows)


def _line(name: str, part: dict[str, Any], measure: str) -> tuple[object, ...]:
    state = _(_STATES.get(part["state"], part["state"]))
    if "parts" not in part:
        return (name, state, *[""] * 9)
    parts = part["parts"]
    return (
        name,
        state,
        part["total"][measure],
        f"{parts['counted']}/{parts['all']}",
        parts["no_data"],
        parts["pending"],
        parts["down"],
        part["left_out"],
        part["complete"],
        part["final"],
        part["corrections"],
    )


@ROLLUPS.verb(N_("Work statistics out now. The node does so by itself as well."))
def run(
    context: typer.Context,
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help=_("Id of the statistics; all of this node if not given."))
    ] = "",
    period: Annotated[
        str,
        typer.Option(metavar="PERIOD", help=_("Such as 2026-03-02 or 2026-03; the newest periods if not given.")),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Say what would change; write nothing."))] = False,
) -> None:
    session = here(context)
    found = command(session, "rollup.run", dataset=dataset, period=period, dry_run=dry_run)
    if session.as_json:
        return say_json(found)
    heads = [
        _("dataset"),
        _("period"),
        _("state"),
        _("counted in"),
        _("final"),
        _("corrections"),
        _("changed"),
        _("as before"),
        _("rejected"),
    ]
    rows = [
        (
            rollup["dataset"],
            one["period"],
            _(_STATES[one["state"]]),
            f"{one['parts']['counted']}/{one['parts']['all']}",
            one["final"],
            one["corrections"],
            one["written"],
            one["unchanged"],
            one["rejected"],
        )
        for rollup in found["rollups"]
        for one in rollup["periods"]
    ]
    table("", heads, rows)
    if dry_run:
        remark(_("Nothing was written."))
    return None
