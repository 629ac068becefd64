"""Inviting nodes below this one, and approving them: invite make, list, pending, approve, withdraw."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from node.cli.asking import command
from node.cli.output import moment, remark, say, say_json, table
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.faults import Code, UserFault
from node.reading import text_of
from node.storable import visible
from node.texts import N_, _

VERBS = Verbs("invite", N_("Invite nodes below this one, and approve them."))
LIST_BYTES_MAX = 1024 * 1024
LETTER_BYTES = 16 * 1024
DAYS_MAX = 60
"""As node.enrol.lists.DAYS, not imported so that the program starts quicker."""
OFFICE_ENCODINGS = ("utf-8-sig", "gb18030")
"""As office programs write lists."""

_STATUS = {
    "open": N_("open"),
    "pending": N_("waits for approval"),
    "approved": N_("approved"),
    "awaiting": N_("waits for its certificate"),
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
    signing: Annotated[
        str, typer.Option(metavar="SCOPE", help=_("Regions it may write, such as '65*-6590* 659001'; else its unit."))
    ] = "",
    carrying: Annotated[
        str, typer.Option(metavar="SCOPE", help=_("Regions whose nodes may stand below it; else its unit."))
    ] = "",
    approval: Annotated[
        str, typer.Option(metavar="by_hand|automatic", help=_("How it is approved; else as node.toml says."))
    ] = "",
    days: Annotated[
        int, typer.Option(metavar="N", min=1, max=DAYS_MAX, help=_("Days for which the invite is valid."))
    ] = 7,
    again: Annotated[
        bool, typer.Option("--again", help=_("The node is enrolled already and is installed anew."))
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Make nothing; say what would be made."))] = False,
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
    if out is not None and not dry_run:
        _check_room(out)
    manner: dict[str, Any] = {"again": again, "dry_run": dry_run}
    if from_list is not None:
        text = text_of(from_list, LIST_BYTES_MAX, N_("Split the list."), OFFICE_ENCODINGS)
        file = visible(str(from_list))
        made = command(session, "invite.make_many", file=file, text=text, **manner)["invites"]
        _remark_on_list(file, text)
    else:
        wish: dict[str, Any] = {"profile": profile, "region": region, "title": title, "days": days}
        _check_wish(wish)
        scopes: dict[str, Any] = {"signing": signing, "carrying": carrying}
        made = [command(session, "invite.make", **wish, **scopes, approval=approval, **manner)]
        _remark_on(region, signing, carrying)
    if out is not None and not dry_run:
        made = _written(session, made, out)
    if session.as_json:
        return say_json(made[0] if from_list is None else {"invites": made})
    for one in made:
        _show(session, one)
    if dry_run:
        remark(_("Nothing was made."))
        return None
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


def _remark_on_list(file: str, text: str) -> None:
    """The same for every line of a list, which was taken whole."""
    from node.enrol.lists import wishes_from_csv

    wishes = wishes_from_csv(file, text)
    scopes = (scope for wish in wishes for scope in (wish.signing, wish.carrying) if scope is not None)
    _remark_on(*(wish.region for wish in wishes), *(item.region for scope in scopes for item in scope.items))


def _remark_on(*said: str) -> None:
    """On stderr: codes that are none, or no more. Only a remark: the data may be older than the truth."""
    from node.clock import SystemClock, iso
    from node.divisions import remarks_on

    patterns = (part.partition("-")[0] for text in said for part in text.replace(";", " ").split())
    for one in remarks_on(patterns, iso(SystemClock().now_us())[:10]):
        remark(one.say())


def _check_room(folder: Path) -> None:
    """Letters can be written there; else OSError, before any invite counts."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(bytes(LETTER_BYTES))


def _written(session: Session, made: Sequence[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Each invite in a file that only its owner reads; the answers name the files instead of the secrets.

    If one cannot be written after all, all are withdrawn: nobody holds a letter that counts.
    """
    paths = [folder / f"{one['node']}.invite" for one in made]
    try:
        for one, path in zip(made, paths, strict=True):
            _write(path, one["file"])
    except OSError:
        for one in made:
            command(session, "invite.withdraw", which=one["token"])
        raise
    secrets = ("invite", "file")
    return [
        {**{k: v for k, v in one.items() if k not in secrets}, "written": str(path)}
        for one, path in zip(made, paths, strict=True)
    ]


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and for its owner alone, also where an older letter lay."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _show(session: Session, made: dict[str, Any]) -> None:
    until = moment(made["expires"], session.zone)
    letter = made.get("written") or made.get("invite")
    heading = _("{title} ({node}), valid until {until}:") if letter else _("{title} ({node}), valid until {until}")
    say(heading.format(title=made["title"], node=made["node"], until=until))
    if letter:
        say(letter)


@VERBS.verb(N_("List invites and what became of them."), "list")
def list_all(
    context: typer.Context,
    status: Annotated[
        str,
        typer.Option(
            metavar="STATUS", help=_("Only these: open, pending, approved, awaiting, used, withdrawn, expired.")
        ),
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
