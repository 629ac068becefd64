"""Subscriptions: asking another node for rows that it offers, checking and deciding, ending."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from node.cli.asking import ask, command
from node.cli.output import LIMIT_MAX, moment, pairs, remark, say_json, table
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.cli.wording import word_of
from node.texts import N_, _

SUBSCRIPTIONS = Verbs("subscription", N_("Subscriptions: apply for rows of another node, check, approve, end."))
DryRun = Annotated[bool, typer.Option("--dry-run", help=_("Write nothing; say what would be written."))]
Id = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help=_("Id of the subscription."))]
Why = Annotated[str, typer.Option(metavar="TEXT", help=_("Why."))]


@SUBSCRIPTIONS.verb(N_("List subscriptions, the newest first."), "list")
def list_all(
    context: typer.Context,
    open_only: Annotated[bool, typer.Option("--open", help=_("Only those that are not over."))] = False,
    to_do: Annotated[bool, typer.Option("--to-do", help=_("Only those that wait for this node."))] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 100,
) -> None:
    session = here(context)
    found = ask(session, "subscription.list", open=open_only, to_do=to_do, limit=limit)
    if session.as_json:
        return say_json(found)
    heads = [
        _("subscription"),
        _("service"),
        _("applicant"),
        _("provider"),
        _("from"),
        _("until"),
        _("state"),
        _("due"),
        _("next step"),
    ]
    rows = [
        (
            one["subscription"],
            one["service"],
            one["applicant"],
            one["provider"],
            one["valid_from"],
            one["valid_to"],
            word_of(session, "subscription", "state", one["state"]),
            _ends(session, one),
            " ".join(one["next"]),
        )
        for one in found["subscriptions"]
    ]
    return table("", heads, rows)


@SUBSCRIPTIONS.verb(N_("Show one subscription, and how many rows its feed says."))
def show(context: typer.Context, subscription: Id) -> None:
    session = here(context)
    _show(session, ask(session, "subscription.show", subscription=subscription), dry_run=False)


@SUBSCRIPTIONS.verb(N_("Apply for a service that another node offers."))
def apply(
    context: typer.Context,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help=_("Id of the service."))],
    purpose: Annotated[
        str, typer.Option(metavar="TEXT", help=_("What the data is for; it may be used for nothing else."))
    ],
    until: Annotated[str, typer.Option(metavar="DATE", help=_("Last day."))],
    provider: Annotated[
        str, typer.Option(metavar="NODE", help=_("Node that offers it; needed where the offer is not known here."))
    ] = "",
    scenario: Annotated[str, typer.Option(metavar="TEXT", help=_("Where it will be used."))] = "",
    columns: Annotated[str, typer.Option(metavar="NAMES", help=_("Only these columns, with commas between."))] = "",
    where: Annotated[
        str,
        typer.Option("--filter", metavar="JSON", help=_('Such as {"column": "state", "op": "=", "value": "closed"}.')),
    ] = "",
    span: Annotated[str, typer.Option("--range", metavar="TEXT", help=_("Which rows, in words."))] = "",
    since: Annotated[str, typer.Option("--from", metavar="DATE", help=_("First day; today if not given."))] = "",
    dry_run: DryRun = False,
) -> None:
    session = here(context)
    about: dict[str, Any] = {"purpose": purpose, "scenario": scenario, "columns": columns, "filter": where}
    about |= {"range": span, "from": since, "until": until, "provider": provider, "dry_run": dry_run}
    found = command(session, "subscription.apply", service=service, **about)
    _show(session, found, dry_run)
    if not found["offer_known"]:
        remark(_("The offer is not known here: the provider looks whether it offers what is asked for."))


@SUBSCRIPTIONS.verb(N_("Check an application: it may be made. For the node above both sides, or the provider."))
def check(
    context: typer.Context,
    subscription: Id,
    reason: Why = "",
    to_publish: Annotated[
        bool, typer.Option("--to-publish", help=_("The data must first be published: the owner has longer to answer."))
    ] = False,
    dry_run: DryRun = False,
) -> None:
    _move(context, "check", subscription, reason, dry_run, to_publish=to_publish)


@SUBSCRIPTIONS.verb(N_("Approve a subscription to own data: from its first day on, rows go to the applicant."))
def approve(context: typer.Context, subscription: Id, reason: Why = "", dry_run: DryRun = False) -> None:
    _move(context, "approve", subscription, reason, dry_run)


@SUBSCRIPTIONS.verb(N_("Refuse an application, as who checks it or as the owner of the data."))
def refuse(
    context: typer.Context,
    subscription: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("Why; the applicant reads it."))],
    dry_run: DryRun = False,
) -> None:
    _move(context, "refuse", subscription, reason, dry_run)


@SUBSCRIPTIONS.verb(N_("End a subscription, as its applicant or as the owner: what was sent is taken back."))
def withdraw(
    context: typer.Context,
    subscription: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("Why; the owner needs it."))] = "",
    dry_run: DryRun = False,
) -> None:
    _move(context, "withdraw", subscription, reason, dry_run)


@SUBSCRIPTIONS.verb(N_("Dispute a refusal, as its applicant: the common parent rules on it."))
def dispute(
    context: typer.Context,
    subscription: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("Why; the arbiter reads it."))],
    dry_run: DryRun = False,
) -> None:
    _move(context, "dispute", subscription, reason, dry_run)


@SUBSCRIPTIONS.verb(N_("Rule on a dispute: the refusal stands."))
def uphold(
    context: typer.Context,
    subscription: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("Why; both sides read it."))],
    dry_run: DryRun = False,
) -> None:
    _move(context, "uphold", subscription, reason, dry_run)


@SUBSCRIPTIONS.verb(N_("Rule on a dispute: the data is to be shared, and the owner approves."))
def overrule(
    context: typer.Context,
    subscription: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT", help=_("Why; both sides read it."))],
    dry_run: DryRun = False,
) -> None:
    _move(context, "overrule", subscription, reason, dry_run)


def _move(context: typer.Context, name: str, subscription: str, reason: str, dry_run: bool, **more: bool) -> None:
    session = here(context)
    about: dict[str, Any] = {"subscription": subscription, "reason": reason, "dry_run": dry_run, **more}
    _show(session, command(session, f"subscription.{name}", **about), dry_run)


def _ends(session: Session, one: dict[str, Any]) -> str:
    """When the limit of whoever must speak ends, and whether it has."""
    marks = [_("provisional")] if one["provisional"] else []
    marks += [_("overdue")] if one["overdue"] else [_("time is running out")] if one["warned"] else []
    told = moment(one["ends"], session.zone) if one["ends"] else ""
    return f"{told} ({', '.join(marks)})" if marks and told else told


def _waits(session: Session, one: dict[str, Any]) -> str:
    if not one["waits_for"]:
        return ""
    who = word_of(session, "subscription", "role", one["waits_for"])
    return f"{who} {_ends(session, one)}".strip()


def _show(session: Session, one: dict[str, Any], dry_run: bool) -> None:
    if session.as_json:
        return say_json(one)
    pairs(
        [
            (_("Subscription"), one["subscription"]),
            (_("Service"), f"{one['service']} {one['dataset']}"),
            (_("Applicant"), one["applicant"]),
            (_("Provider"), one["provider"]),
            (_("Checked by"), one["checker"]),
            (_("Purpose"), one["purpose"]),
            (_("Scenario"), one["scenario"]),
            (_("Columns"), ", ".join(one["columns"])),
            (_("Filter"), one["filter"]),
            (_("Range"), one["range"]),
            (_("Period"), f"{one['valid_from']} – {one['valid_to']}"),
            (_("State"), word_of(session, "subscription", "state", one["state"])),
            (_("Reason"), one["reason"]),
            (_("Waits for"), _waits(session, one)),
            (_("Next step"), " ".join(one["next"])),
            *([(_("Rows"), one["rows"])] if "rows" in one else []),
        ]
    )
    if dry_run:
        remark(_("Nothing was written."))
    return None
