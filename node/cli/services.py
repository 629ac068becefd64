"""The service catalogue: service list, publish, withdraw."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from node.cli.asking import ask, command
from node.cli.output import LIMIT_MAX, remark, say_json, table
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.cli.wording import word_of
from node.texts import N_, _, current

SERVICES = Verbs("service", N_("The service catalogue: what this node offers to others, and what they offer."))
DryRun = Annotated[bool, typer.Option("--dry-run", help=_("Write nothing; say what would be written."))]


@SERVICES.verb(N_("List the services that are offered here and by others."), "list")
def list_all(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help=_("Also versions that are changed or stopped."))] = False,
    may_be: Annotated[bool, typer.Option("--offerable", help=_("The datasets that this node may offer."))] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 100,
) -> None:
    session = here(context)
    if may_be:
        return _offerable(session)
    found = ask(session, "service.list", all=every, limit=limit)
    if session.as_json:
        return say_json(found)
    return _table(session, found["services"])


@SERVICES.verb(N_("Offer a dataset, or a new version of an offer."))
def publish(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=_("Id of the dataset."))],
    service: Annotated[
        str, typer.Option(metavar="ID", help=_("Id of the service; this node's division and the dataset if not given."))
    ] = "",
    title: Annotated[str, typer.Option(metavar="TEXT", help=_("Name for people; the dataset's if not given."))] = "",
    columns: Annotated[str, typer.Option(metavar="NAMES", help=_("Only these columns, with commas between."))] = "",
    condition: Annotated[str, typer.Option(metavar="TEXT", help=_("What the data may be used for."))] = "",
    dry_run: DryRun = False,
) -> None:
    session = here(context)
    about: dict[str, Any] = {"service": service, "title": title, "columns": columns, "condition": condition}
    found = command(session, "service.publish", dataset=dataset, dry_run=dry_run, **about)
    _told(session, found, [found], dry_run)


@SERVICES.verb(N_("Offer a service no longer."))
def withdraw(
    context: typer.Context,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help=_("Id of the service."))],
    dry_run: DryRun = False,
) -> None:
    session = here(context)
    found = command(session, "service.withdraw", service=service, dry_run=dry_run)
    _told(session, found, found["services"], dry_run)


def _told(session: Session, found: dict[str, Any], services: list[dict[str, Any]], dry_run: bool) -> None:
    if session.as_json:
        return say_json(found)
    _table(session, services)
    if dry_run:
        remark(_("Nothing was written."))
    return None


def _offerable(session: Session) -> None:
    found = command(session, "service.offerable")
    if session.as_json:
        return say_json(found)
    title = "zh" if current().language == "zh" else "en"
    heads = [_("dataset"), _("title"), _("sharing")]
    rows = [
        (one["dataset"], one[title], word_of(session, "service_catalogue", "sharing", one["sharing"]))
        for one in found["datasets"]
    ]
    return table("", heads, rows)


def _table(session: Session, services: list[dict[str, Any]]) -> None:
    heads = [
        _("service"),
        _("version"),
        _("node"),
        _("dataset"),
        _("title"),
        _("sharing"),
        _("state"),
        _("offered columns"),
    ]
    rows = [
        (
            one["service_id"],
            one["version"],
            one["node"],
            one["dataset"],
            one["title"],
            word_of(session, "service_catalogue", "sharing", one["sharing"]),
            word_of(session, "service_catalogue", "state", one["state"]),
            one["columns"] or _("all that may leave"),
        )
        for one in services
    ]
    table("", heads, rows)
