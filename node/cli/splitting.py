"""Handing a task on to nodes below: task split."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from node.cli.asking import command
from node.cli.output import remark, say, say_json, table
from node.cli.session import Session, here
from node.cli.tasks import TASKS, fields_given
from node.cli.tasks_shown import flow_words, show_made
from node.cli.verbs import Verbs
from node.texts import N_, _
from node.texts.flows import FlowWords

VERBS = Verbs()
"""None of its own: it adds to the group `task`."""


@TASKS.verb(N_("Hand a task on to several children in one act: a task of its own for each, or nothing at all."))
def split(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help=_("Task id."))],
    to: Annotated[
        list[str],
        typer.Option(metavar="NODE", help=_("A child, by node id or division code; stands once for each.")),
    ],
    title: Annotated[
        str, typer.Option(metavar="TEXT", help=_("What the parts are about; as the task if not given."))
    ] = "",
    requirement: Annotated[
        str, typer.Option(metavar="TEXT", help=_("What is to be done; as in the task if not given."))
    ] = "",
    due: Annotated[str, typer.Option(metavar="DATE", help=_("Until when; as the task if not given."))] = "",
    field: Annotated[
        list[str], typer.Option(metavar="NAME=TEXT", help=_("A further field of each part; may stand often."))
    ] = [],  # noqa: B006 - typer copies it
    org: Annotated[str, typer.Option(metavar="TEXT", help=_("Organisation, while no people are declared here."))] = "",
    role: Annotated[str, typer.Option(metavar="TEXT", help=_("Role, while no people are declared here."))] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Make nothing; say what would be made."))] = False,
) -> None:
    session = here(context)
    said = {"title": title, "requirement": requirement, "due": due}
    fields = {**fields_given(field), **{name: text for name, text in said.items() if text}}
    wish: dict[str, Any] = {"task": task, "to": to, "fields": fields, "org": org, "role": role}
    found = command(session, "task.split", **wish, dry_run=dry_run)
    if dry_run:
        return _show_tried(session, found)
    return show_made(session, found)


def _show_tried(session: Session, found: dict[str, Any]) -> None:
    if session.as_json:
        return say_json(found)
    words, flow = flow_words(session), found["flow"]
    rows = [
        (one["holder"], words.move(flow, move["move"]), ", ".join(_said(words, flow, move["fields"])))
        for one in found["parts"]
        for move in one["moves"]
    ]
    table("", [_("holder"), _("move"), _("says")], rows)
    if found["needs_approval"]:
        say(_("An approver would have to approve it first."))
    remark(_("Nothing was written."))
    return None


def _said(words: FlowWords, flow: str, fields: dict[str, str]) -> list[str]:
    return [": ".join(words.said(flow, name, text)) for name, text in fields.items()]
