"""Who may use the HTTP API: token make, list, revoke."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from node.cli.asking import ask, command
from node.cli.output import moment, pairs, remark, say, say_json, table
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.texts import N_, _

TOKENS = Verbs("token", N_("Tokens of the HTTP API: which system may read or write what."))
DAYS_MAX = 1_095
"""As node.commands.tokens, not imported so that the program starts quicker."""

_STATES = {"valid": N_("valid"), "expired": N_("expired"), "revoked": N_("revoked")}


@TOKENS.verb(N_("Make a token. It is shown once, and kept nowhere."))
def make(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help=_("Which system it is for."))],
    role: Annotated[
        list[str],
        typer.Option(
            metavar="read|write|watch|task",
            help=_("Rows out, rows in, status, tasks; may stand often."),
        ),
    ],
    dataset: Annotated[
        list[str], typer.Option(metavar="DATASET", help=_("A dataset that it is good for; may stand often."))
    ] = [],  # noqa: B006 - typer copies it
    all_datasets: Annotated[bool, typer.Option("--all", help=_("It is good for every dataset."))] = False,
    held_back: Annotated[
        bool, typer.Option("--held-back", help=_("It also reads columns that never leave this node (personal data)."))
    ] = False,
    days: Annotated[int, typer.Option(metavar="N", min=1, max=DAYS_MAX, help=_("Days for which it is valid."))] = 365,
    person: Annotated[
        str, typer.Option(metavar="NAME", help=_("With role task: the person of this node whose token it is."))
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Make nothing; say what would be made."))] = False,
) -> None:
    session = here(context)
    wish: dict[str, Any] = {"title": name, "roles": role, "datasets": dataset, "all": all_datasets, "person": person}
    made = command(session, "token.make", **wish, held_back=held_back, days=days, dry_run=dry_run)
    if session.as_json:
        return say_json(made)
    _show(session, made)
    if dry_run:
        remark(_("Nothing was made."))
        return None
    say(made["secret"])
    remark(_("This is the only time it is shown. Hand it over as you would a password."))
    return None


@TOKENS.verb(N_("List the tokens, without what they are known by."), "list")
def list_all(context: typer.Context) -> None:
    from node.clock import SystemClock

    session = here(context)
    found = ask(session, "token.list", now=SystemClock().now_us())
    if session.as_json:
        return say_json(found)
    heads = [
        _("token"),
        _("name"),
        _("roles"),
        _("datasets"),
        _("held back"),
        _("person"),
        _("made"),
        _("until"),
        _("state"),
    ]
    rows = [
        (
            one["token"],
            one["name"],
            ", ".join(one["roles"]),
            _datasets(one),
            one["held_back"],
            one["person"],
            moment(one["created"], session.zone),
            moment(one["expires"], session.zone),
            _(_STATES[one["state"]]),
        )
        for one in found["tokens"]
    ]
    table("", heads, rows)
    return None


@TOKENS.verb(N_("Revoke a token: it is refused from now on."))
def revoke(
    context: typer.Context,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help=_("Its id, as the list shows it."))],
) -> None:
    session = here(context)
    found = command(session, "token.revoke", token=token)
    if session.as_json:
        return say_json(found)
    say(_("Token {token} ({name}) is revoked.").format(token=found["token"], name=found["name"]))
    return None


def _show(session: Session, token: dict[str, Any]) -> None:
    pairs(
        [
            (_("Token"), token["token"]),
            (_("Name"), token["name"]),
            (_("Roles"), ", ".join(token["roles"])),
            (_("Datasets"), _datasets(token)),
            (_("Held-back columns"), token["held_back"]),
            (_("Person"), token["person"]),
            (_("Valid until"), moment(token["expires"], session.zone)),
        ]
    )


def _datasets(token: dict[str, Any]) -> str:
    return _("all") if token["datasets"] is None else ", ".join(token["datasets"])
