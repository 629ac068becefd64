"""Inviting nodes below this one, and approving them: invite make, list, pending, approve, withdraw."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from node.cli.asking import command
from node.cli.output import moment, remark, say, say_json, table
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.faults import Code, UserFault
from node.storable import visible
from node.texts import N_, _

VERBS = Verbs("invite", N_("Invite nodes below this one, and approve them."))
LIST_BYTES_MAX = 1024 * 1024 + 1

_STATUS = {
    "open": N_("open"),
    "pending": N_("waits for approval"),
    "approved": N_("approved"),
    "used": N_("used"),
    "withdrawn": N_("withdrawn"),
    "expired": N_("expired"),
}


@VERBS.verb(N_("Make one invite, or one for each line of a CSV list."))
def make(
    context: typer.Context,
    profile: Annotated[str, typer.Option(metavar="TIER", help=_("Tier profile: provincial, city or district."))] = "",
    region: Annotated[str, typer.Option(metavar="CODE", help=_("Division code of the invited platform."))] = "",
    title: Annotated[str, typer.Option(metavar="TEXT", help=_("Name of the invited platform."))] = "",
    node_id: Annotated[str, typer.Option(metavar="ID", help=_("Its node id, if not the usual one."))] = "",
    signing: Annotated[
        str, typer.Option(metavar="SCOPE", help=_("Regions it may write, such as '65*-6590* 659001'; else its unit."))
    ] = "",
    carrying: Annotated[
        str, typer.Option(metavar="SCOPE", help=_("Regions whose nodes may stand below it; else its unit."))
    ] = "",
    approval: Annotated[
        str, typer.Option(metavar="by_hand|automatic", help=_("How it is approved; else as node.toml says."))
    ] = "",
    days: Annotated[int, typer.Option(metavar="N", help=_("Days for which the invite is valid."))] = 7,
    again: Annotated[
        bool, typer.Option("--again", help=_("The node is enrolled already and is installed anew."))
    ] = False,
    from_list: Annotated[
        Path | None,
        typer.Option(
            "--list", metavar="FILE.csv", help=_("A list with the columns region, profile, title and others.")
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help=_("Write each invite into a file of this folder instead of showing it.")),
    ] = None,
) -> None:
    session = here(context)
    if from_list is not None:
        text = _list_text(from_list)
        made = command(session, "invite.make_many", file=visible(str(from_list)), text=text, again=again)["invites"]
    else:
        wish: dict[str, Any] = {"profile": profile, "region": region, "title": title, "node_id": node_id, "days": days}
        _check_wish(wish)
        scopes: dict[str, Any] = {"signing": signing, "carrying": carrying}
        made = [command(session, "invite.make", **wish, **scopes, approval=approval, again=again)]
    if out is not None:
        made = [_written(one, out) for one in made]
    if session.as_json:
        return say_json(made[0] if from_list is None else {"invites": made})
    for one in made:
        _show(session, one)
    remark(_("An invite is a secret until it is used: hand it over as you would a password."))
    return None


def _check_wish(wish: dict[str, Any]) -> None:
    absent = [f"--{name}" for name in ("profile", "region", "title") if not wish[name]]
    if absent:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{name}' is missing."),
            N_("Give --profile, --region and --title, or a list with --list."),
            name=", ".join(absent),
        )


def _list_text(path: Path) -> str:
    """A list as UTF-8 or, as some office programs write it, GB18030."""
    with path.open("rb") as file:
        raw = file.read(LIST_BYTES_MAX)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("gb18030", "replace")


def _written(made: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Puts the invite into a file that only its owner reads; the answer names the file instead of the secret."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{made['node']}.invite"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(made["file"])
    return {**{k: v for k, v in made.items() if k not in ("invite", "file")}, "written": str(path)}


def _show(session: Session, made: dict[str, Any]) -> None:
    until = moment(made["expires"], session.zone)
    say(_("{title} ({node}), valid until {until}:").format(title=made["title"], node=made["node"], until=until))
    say(made.get("written") or made["invite"])


@VERBS.verb(N_("List invites and what became of them."), "list")
def list_all(
    context: typer.Context,
    status: Annotated[
        str, typer.Option(metavar="STATUS", help=_("Only these: open, pending, approved, used, withdrawn, expired."))
    ] = "",
) -> None:
    _list(here(context), status)


@VERBS.verb(N_("List who has asked to join and waits for approval."))
def pending(context: typer.Context) -> None:
    session = here(context)
    _list(session, "pending")
    if not session.as_json:
        remark(_("Compare the fingerprint by telephone, then: `tiersync invite approve NODE FINGERPRINT`."))


def _list(session: Session, status: str) -> None:
    found = command(session, "invite.list", status=status)
    if session.as_json:
        return say_json(found)
    heads = [_("node"), _("title"), _("status"), _("valid until"), _("fingerprint"), _("invite id")]
    rows = [
        (
            one["node"],
            one["title"],
            _(_STATUS.get(one["status"], one["status"])),
            moment(one["expires"], session.zone),
            one["fingerprint"],
            one["token"],
        )
        for one in found["invites"]
    ]
    table("", heads, rows)
    return None


@VERBS.verb(N_("Approve the node that waits, after comparing its fingerprint by telephone."))
def approve(
    context: typer.Context,
    which: Annotated[str, typer.Argument(metavar="NODE", help=_("Node id, or the invite's id."))],
    fingerprint: Annotated[
        list[str],
        typer.Argument(metavar="FINGERPRINT", help=_("As the other side reads it out; spaces do not matter.")),
    ],
) -> None:
    session = here(context)
    changed = command(session, "invite.approve", which=which, fingerprint=" ".join(fingerprint))
    if session.as_json:
        return say_json(changed)
    say(_("{node} is approved; it is enrolled as soon as it asks again.").format(node=changed["node"]))
    return None


@VERBS.verb(N_("Take back an invite that was not used."))
def withdraw(
    context: typer.Context,
    which: Annotated[str, typer.Argument(metavar="NODE", help=_("Node id, or the invite's id."))],
) -> None:
    session = here(context)
    changed = command(session, "invite.withdraw", which=which)
    if session.as_json:
        return say_json(changed)
    say(_("The invite for {node} is withdrawn.").format(node=changed["node"]))
    return None
