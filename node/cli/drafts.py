"""Drafts of moves that wait for an approver: draft list, show, approve, refuse, drop."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from node.caller import account_of, caller
from node.cli.asking import ask, command
from node.cli.output import LIMIT_MAX, moment, pairs, say, say_json, table, worded
from node.cli.session import Session, here
from node.cli.tasks_shown import draft_moves, flow_words, show_made
from node.cli.verbs import Verbs
from node.texts import N_, _
from node.texts.flows import FlowWords
from node.texts.standing import DRAFT_STATES

DRAFTS = Verbs("draft", N_("Moves that leave this node only when an approver has approved them."))
Draft = Annotated[int, typer.Argument(metavar="DRAFT", help=_("Number of the draft, as the list shows it."), min=1)]


@DRAFTS.verb(N_("List the drafts that wait, the newest first."), "list")
def list_all(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help=_("Also those that were decided."))] = False,
    mine: Annotated[bool, typer.Option("--mine", help=_("Only those that you answer for."))] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 100,
) -> None:
    session = here(context)
    person = account_of(caller()) if mine else ""
    found = ask(session, "draft.list", all=every, person=person, limit=limit)
    if session.as_json:
        return say_json(found)
    words = flow_words(session)
    heads = [_("Draft"), _("task"), _("move"), _("author"), _("organisation"), _("written"), _("state"), _("reason")]
    rows = [
        (
            one["draft"],
            one["task"],
            draft_moves(words, one),
            one["author"],
            one["org"],
            moment(one["at"], session.zone),
            _(DRAFT_STATES[one["state"]]),
            worded(one),
        )
        for one in found["drafts"]
    ]
    table("", heads, rows)
    return None


@DRAFTS.verb(N_("Show one draft with all that its moves say."))
def show(context: typer.Context, draft: Draft) -> None:
    session = here(context)
    _show(session, ask(session, "draft.show", draft=draft))


@DRAFTS.verb(N_("Approve a draft: its moves are made now, as if made by hand."))
def approve(context: typer.Context, draft: Draft) -> None:
    session = here(context)
    show_made(session, command(session, "draft.approve", draft=draft))


@DRAFTS.verb(N_("Refuse a draft, with the reason for its author."))
def refuse(
    context: typer.Context,
    draft: Draft,
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("What has to be changed."))],
) -> None:
    session = here(context)
    _show(session, command(session, "draft.refuse", draft=draft, reason=reason))


@DRAFTS.verb(N_("Take back a draft of your own."))
def drop(
    context: typer.Context,
    draft: Draft,
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("Why, for the record."))] = "",
) -> None:
    session = here(context)
    _show(session, command(session, "draft.drop", draft=draft, reason=reason))


def _show(session: Session, draft: dict[str, Any]) -> None:
    if session.as_json:
        return say_json(draft)
    pairs(
        [
            (_("Draft"), draft["draft"]),
            (_("State"), _(DRAFT_STATES[draft["state"]])),
            (_("Task"), f"{draft['flow']} {draft['task']}"),
            (_("Author"), f"{draft['author']}, {draft['org']}"),
            (_("Answers for it"), draft["keeper"]),
            (_("Decided by"), draft["decided_by"]),
            (_("Reason"), worded(draft)),
        ]
    )
    words, heads = flow_words(session), [_("move"), _("field"), _("says")]
    table("", heads, _rows(words, draft))
    for part in draft["parts"]:
        table(_("Part for {node}").format(node=part["holder"]), heads, _rows(words, part))
    if draft["state"] == "waiting":
        say(_("An approver decides: `tiersync draft approve {draft}`.").format(draft=draft["draft"]))
    return None


def _rows(words: FlowWords, made: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What the moves of one task say."""
    flow = made["flow"]
    return [
        (words.move(flow, one["move"]), *words.said(flow, name, said))
        for one in made["moves"]
        for name, said in (one["fields"] or {"": ""}).items()
    ]
