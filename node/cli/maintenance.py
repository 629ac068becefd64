"""Announced maintenance: maintenance announce, list, cancel."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from node.cli.asking import command
from node.cli.output import LIMIT_MAX, moment, remark, say_json, table
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.texts import N_, _
from node.texts.standing import WINDOW_FLAWS, WINDOW_STATES

MAINTENANCE = Verbs("maintenance", N_("Announced maintenance: times in which silence and lost links raise no alarm."))
DryRun = Annotated[bool, typer.Option("--dry-run", help=_("Write nothing; say what would be written."))]


@MAINTENANCE.verb(N_("Announce, before it begins, when this node or a child of it may be out of reach."))
def announce(
    context: typer.Context,
    since: Annotated[str, typer.Option("--from", metavar="TIME", help=_("Such as 2026-09-29T22:00."))],
    until: Annotated[str, typer.Option(metavar="TIME", help=_("Such as 2026-09-30T06:00."))],
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("What is done, in words that name no person."))],
    node: Annotated[
        str, typer.Option(metavar="NODE", help=_("Node id of a child that it is announced for; else this node."))
    ] = "",
    dry_run: DryRun = False,
) -> None:
    session = here(context)
    about: dict[str, Any] = {"node": node, "from": since, "until": until, "reason": reason, "dry_run": dry_run}
    _told(session, command(session, "maintenance.announce", **about), dry_run)


@MAINTENANCE.verb(N_("List what is announced here and by neighbours, and whether it counts."), "list")
def list_all(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help=_("Also those that are over."))] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 100,
) -> None:
    session = here(context)
    found = command(session, "maintenance.list", all=every, limit=limit)
    return say_json(found) if session.as_json else _table(session, found["windows"])


@MAINTENANCE.verb(N_("Take back what this node announced; what has begun ends now."))
def cancel(
    context: typer.Context,
    window: Annotated[str, typer.Argument(metavar="ID", help=_("Id of the window, as `maintenance list` shows it."))],
    dry_run: DryRun = False,
) -> None:
    session = here(context)
    _told(session, command(session, "maintenance.cancel", window=window, dry_run=dry_run), dry_run)


def _told(session: Session, one: dict[str, Any], dry_run: bool) -> None:
    if session.as_json:
        return say_json(one)
    _table(session, [one])
    if dry_run:
        remark(_("Nothing was written."))
    return None


def _table(session: Session, windows: list[dict[str, Any]]) -> None:
    heads = [_("id"), _("node"), _("announced by"), _("from"), _("until"), _("state"), _("counts"), _("reason")]
    rows = [
        (
            one["window"],
            one["node"],
            one["announcer"],
            moment(one["from"], session.zone),
            moment(one["ended"] or one["until"], session.zone),
            _(WINDOW_STATES[one["state"]]),
            _(WINDOW_FLAWS[one["why"]]) if one.get("why") else one.get("counts", ""),
            one["reason"],
        )
        for one in windows
    ]
    table("", heads, rows)
