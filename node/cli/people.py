"""The people of this node: who may do what, who stands in for whom, who leaves."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from node.cli.asking import ask, command
from node.cli.output import remark, say, say_json, table
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.cli.wording import role_word
from node.texts import N_, _

PEOPLE = Verbs("people", N_("The people of this node: roles, deputies, handing over. No name leaves the node."))

Name = Annotated[str, typer.Argument(metavar="NAME", help=_("Account by which the person calls, such as zhangwei."))]


@PEOPLE.verb(N_("List the people of this node, with their roles and deputies."), "list")
def list_all(context: typer.Context) -> None:
    session = here(context)
    found = ask(session, "people.list")
    if session.as_json:
        return say_json(found)
    heads = [_("name"), _("called"), _("organisation"), _("roles"), _("deputies"), _("active")]
    rows = [
        (one["name"], one["shown"], one["org"], _roles(one), "; ".join(map(_deputy, one["deputies"])), one["active"])
        for one in found["people"]
    ]
    table("", heads, rows)
    if not rows:
        remark(
            _("Until somebody is declared, whoever runs this node may do everything, and no move needs an approval.")
        )
    for flow, person in found["flows"].items():
        what = flow or _("other tasks")
        say(_("{what}: handled by {person} where nobody was assigned.").format(what=what, person=person))
    return None


@PEOPLE.verb(N_("Declare a person."))
def add(
    context: typer.Context,
    name: Name,
    shown: Annotated[str, typer.Option("--called", metavar="TEXT", help=_("How colleagues call the person."))],
    org: Annotated[str, typer.Option(metavar="TEXT", help=_("Organisation; each move of this person records it."))],
    role: Annotated[
        list[str],
        typer.Option(metavar="viewer|officer|approver|administrator", help=_("A role; may stand often.")),
    ],
) -> None:
    session = here(context)
    found = command(session, "people.add", person=name, shown=shown, org=org, roles=role)
    _say(session, found)


@PEOPLE.verb(N_("Change what is recorded of a person; what is not given stays."))
def change(
    context: typer.Context,
    name: Name,
    shown: Annotated[str, typer.Option("--called", metavar="TEXT", help=_("How colleagues call the person."))] = "",
    org: Annotated[
        str, typer.Option(metavar="TEXT", help=_("Organisation; each move of this person records it."))
    ] = "",
    role: Annotated[
        list[str],
        typer.Option(
            metavar="viewer|officer|approver|administrator", help=_("All roles from now on; may stand often.")
        ),
    ] = [],  # noqa: B006 - typer copies it
    back: Annotated[bool, typer.Option("--back", help=_("The person had left and is back."))] = False,
) -> None:
    session = here(context)
    given: dict[str, Any] = {"shown": shown, "org": org, "roles": role}
    given |= {"active": True} if back else {}
    _say(session, command(session, "people.change", person=name, **given))


@PEOPLE.verb(N_("Let another person act for one on some days: moves, drafts and approvals."))
def deputy(
    context: typer.Context,
    name: Name,
    other: Annotated[str, typer.Argument(metavar="DEPUTY", help=_("Who stands in."))],
    first: Annotated[str, typer.Option("--from", metavar="DATE", help=_("First day, such as 2026-10-01."))] = "",
    last: Annotated[str, typer.Option("--until", metavar="DATE", help=_("Last day."))] = "",
    end: Annotated[bool, typer.Option("--end", help=_("Not any more, on no day."))] = False,
) -> None:
    session = here(context)
    days = {"end": True} if end else {"from": first, "until": last}
    _say(session, command(session, "people.deputy", person=name, deputy=other, **days))


@PEOPLE.verb(N_("Somebody leaves: all that is open of this person passes to another, in one act."))
def leave(
    context: typer.Context,
    name: Name,
    to: Annotated[str, typer.Option("--to", metavar="NAME", help=_("Who takes over what is open."))] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Change nothing; say what would pass."))] = False,
) -> None:
    session = here(context)
    found = command(session, "people.leave", person=name, to=to, dry_run=dry_run)
    if session.as_json:
        return say_json(found)
    parts = (
        (_("tasks"), found["tasks"]),
        (_("drafts"), found["drafts"]),
        (_("flows"), found["flows"]),
        (_("deputies that end"), found["deputies"]),
        (_("tokens that are revoked"), found["tokens"]),
    )
    table(
        "", [_("what"), _("number"), _("which")], [(what, len(all_), ", ".join(map(str, all_))) for what, all_ in parts]
    )
    if dry_run:
        remark(_("Nothing was written."))
    else:
        say(_("{name} is no longer active here.").format(name=name))
    return None


def _say(session: Session, person: dict[str, Any]) -> None:
    if session.as_json:
        return say_json(person)
    for deputy_ in person["deputies"]:
        say(_("{name}: deputy {deputy}.").format(name=person["name"], deputy=_deputy(deputy_)))
    say(
        _("{name} ({called}), {org}: {roles}.").format(
            name=person["name"], called=person["shown"], org=person["org"], roles=_roles(person)
        )
    )
    return None


def _roles(person: dict[str, Any]) -> str:
    return ", ".join(role_word(role) for role in person["roles"])


def _deputy(one: dict[str, Any]) -> str:
    return f"{one['deputy']} {one['from']}–{one['until']}"
