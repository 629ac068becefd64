"""Deadlines: due list, remind, position, notice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.asking import ask, command
from node.cli.children import word
from node.cli.output import moment, pairs, remark, say, say_json, table
from node.cli.session import here
from node.cli.verbs import Verbs
from node.texts import N_, _
from node.texts.standing import REMINDERS, STANDINGS, WHYS

if TYPE_CHECKING:
    from node.exporting.notice import Sheet

DUES = Verbs("due", N_("Deadlines: what is owed, what has come, reminders, closed periods, the monthly notice."))


@DUES.verb(N_("List what is owed for the newest periods: in time, late or overdue, and why."), "list")
def list_all(
    context: typer.Context,
    overdue: Annotated[bool, typer.Option("--overdue", help=_("Only what is overdue."))] = False,
    dataset: Annotated[str, typer.Option(metavar="DATASET", help=_("Only this dataset."))] = "",
    month: Annotated[str, typer.Option(metavar="MONTH", help=_("Periods that end in a month such as 2026-03."))] = "",
) -> None:
    session = here(context)
    found = command(session, "due.list", overdue=overdue, dataset=dataset, month=month)
    if session.as_json:
        return say_json(found)
    heads = [_("dataset"), _("period"), _("node"), _("standing"), _("why"), _("due"), _("closed from"), _("come")]
    rows = [
        (
            one["dataset"],
            one["period"],
            one["title"] + (_(" (this node)") if one["own"] else ""),
            _(STANDINGS[one["standing"]]),
            _(WHYS[one["why"]]) if one["why"] and one["standing"] == "overdue" else "",
            *(moment(one[name], session.zone) for name in ("due", "cut_off", "arrived")),
        )
        for one in found["items"]
    ]
    table("", heads, rows)
    _tell_reminders(found["reminders"], session.zone)
    return None


def _tell_reminders(reminders: list[dict[str, Any]], zone: str) -> None:
    if not reminders:
        return
    heads = [_("dataset"), _("period"), _("issuer"), _("holder"), _("state"), _("moved"), _("task")]
    rows = [
        (
            one["dataset"],
            one["period"],
            one["issuer"],
            one["holder"],
            _(REMINDERS.get(one["state"], one["state"])),
            moment(one["at"], zone),
            one["task"],
        )
        for one in reminders
    ]
    table(_("Open reminders:"), heads, rows)
    if any(one["to_us"] for one in reminders):
        say(_("This node is reminded. `tiersync task move TASK answer --field text=...` says why and when."))


@DUES.verb(N_("Remind every node below that is late, in one act."))
def remind(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Id of the dataset."))],
    period: Annotated[
        str, typer.Option(metavar="PERIOD", help=_("Of this period only; else of all newest ones that are overdue."))
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Say who would be reminded; write nothing."))] = False,
) -> None:
    session = here(context)
    found = command(session, "due.remind", dataset=dataset, period=period, dry_run=dry_run)
    if session.as_json:
        return say_json(found)
    heads = [_("node"), _("period"), _("why"), _("task"), _("Draft")]
    table(
        "",
        heads,
        [(o["title"], o["period"], _(WHYS[o["why"]]), o["task"], o["draft"] or "") for o in found["reminded"]],
    )
    if dry_run:
        remark(_("Nothing was written."))
    return None


@DUES.verb(N_("Show what was held when a period was closed: the signed position of every feed."))
def position(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Id of the dataset."))],
    period: Annotated[str, typer.Argument(metavar="PERIOD", help=_("Such as 2026-03-02 or 2026-03."))],
) -> None:
    session = here(context)
    found = command(session, "due.position", dataset=dataset, period=period)
    if session.as_json:
        return say_json(found)
    pairs(
        [
            (_("closed"), moment(found["at"], session.zone)),
            (_("by"), found["node"]),
            (_("signature holds"), found["signed"]),
        ]
    )
    heads = [_("feed"), _("seq"), _("entries since"), _("row digest")]
    table("", heads, [(f["feed"], f["seq"], f["since"], f["row_digest"][:16]) for f in found["feeds"]])
    return None


@DUES.verb(N_("Write the notice of a month (联网通报) as an Excel workbook."))
def notice(
    context: typer.Context,
    month: Annotated[str, typer.Argument(metavar="MONTH", help=_("Such as 2026-03."))],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.xlsx", help=_("The workbook to write."))],
    force: Annotated[bool, typer.Option("--force", help=_("Replace a file that is there."))] = False,
) -> None:
    from node.exporting.files import check_free, whole
    from node.exporting.notice import write_sheets

    session = here(context)
    check_free(output, replaces=force)
    found = command(session, "due.list", month=month)
    told = ask(session, "child.grades", month=month)
    sheets = (_scores(found, month, session.config.node.title), _details(found, session.zone), _faults(told))
    with whole(output, replaces=force) as out:
        write_sheets(out, sheets)
    if session.as_json:
        return say_json({"file": str(output), "items": len(found["items"]), "scores": found["scores"]})
    say(_("Written: {file}").format(file=output))
    return None


def _scores(found: dict[str, Any], month: str, title: str) -> Sheet:
    from node.exporting.notice import Sheet

    own = {one["node"] for one in found["items"] if one["own"]}
    heads = [
        _("node"),
        _("node id"),
        _("dataset"),
        _("owed"),
        _("come"),
        _("in time"),
        _("completeness"),
        _("timeliness"),
    ]
    columns = ("title", "node", "dataset", "owed", "arrived", "on_time", "completeness", "timeliness")
    rows = [tuple(one[name] for name in columns) for one in found["scores"] if one["node"] not in own]
    lead = (
        _("Notice of the exchange, {month}").format(month=month),
        _("Made by: {title}").format(title=title),
        _("Figures of the exchange's own evidence, by deadlines that are proposals; in order of node id, no ranking."),
    )
    return Sheet(_("Overview"), lead, heads, rows, frozenset({6, 7}))


def _faults(told: dict[str, Any]) -> Sheet:
    from node.exporting.notice import Sheet

    heads = [_("node id"), _("fault"), _("times"), _("minutes")]
    rows = [(one["node"], word(one["grade"]), one["times"], one["lasted_s"] // 60) for one in told["faults"]]
    return Sheet(_("Links"), (), heads, rows)


def _details(found: dict[str, Any], zone: str) -> Sheet:
    from node.exporting.notice import Sheet

    heads = [_("node"), _("dataset"), _("period"), _("standing"), _("why"), _("due"), _("come")]
    rows = [
        (
            one["title"],
            one["dataset"],
            one["period"],
            _(STANDINGS[one["standing"]]),
            _(WHYS[one["why"]]) if one["why"] and one["standing"] == "overdue" else "",
            moment(one["due"], zone),
            moment(one["arrived"], zone),
        )
        for one in found["items"]
        if not one["own"]
    ]
    return Sheet(_("Items"), (), heads, rows)
