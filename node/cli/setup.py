"""Making a node and running it: init, join, run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.asking import done
from node.cli.output import moment, pairs, remark, say, say_json
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.faults import Code, UserFault
from node.reading import STDIN, text_of
from node.texts import N_, _

if TYPE_CHECKING:
    from node.config import ListenSection

VERBS = Verbs()
INVITE_BYTES_MAX = 128 * 1024
PASSPHRASE_VARIABLE = "TIERSYNC_ROOT_PASSPHRASE"  # noqa: S105 - the name of a variable


@VERBS.verb(N_("Found a federation: make its root and the home of the topmost node."))
def init(
    context: typer.Context,
    root_dir: Annotated[
        Path, typer.Option(metavar="FOLDER", help=_("Where the off-line root is kept: a medium that goes into a safe."))
    ],
    federation: Annotated[
        str, typer.Option(metavar="NAME", help=_("Name of the federation; a trial has a name of its own."))
    ],
    title: Annotated[str, typer.Option(metavar="TEXT", help=_("Name of this platform, as screens show it."))],
    region: Annotated[str, typer.Option(metavar="CODE", help=_("Division code of this platform."))] = "100000",
    exchange: Annotated[str, typer.Option(metavar="HOST:PORT", help=_("Where children link; empty: nowhere."))] = "",
    enrolment: Annotated[str, typer.Option(metavar="HOST:PORT", help=_("Where children enrol; empty: nowhere."))] = "",
    advertise_exchange: Annotated[
        str, typer.Option(metavar="HOST:PORT", help=_("The exchange address as children dial it, if it differs."))
    ] = "",
    advertise_enrolment: Annotated[
        str, typer.Option(metavar="HOST:PORT", help=_("The enrolment address as invites name it, if it differs."))
    ] = "",
    approval: Annotated[
        str, typer.Option(metavar="by_hand|automatic", help=_("How enrolments below are approved."))
    ] = "by_hand",
    ask_passphrase: Annotated[
        bool,
        typer.Option(
            "--ask-passphrase",
            help=_("Ask for a passphrase of the root key (or set TIERSYNC_ROOT_PASSPHRASE)."),
        ),
    ] = False,
) -> None:
    from node.audit import FOLDER, AuditLog, Event
    from node.clock import SystemClock, SystemRandomness
    from node.founding import found_nation

    session, clock = here(context), SystemClock()
    founded = found_nation(
        session.new_home,
        root_dir,
        federation,
        region,
        title,
        _listen(exchange, enrolment, advertise_exchange, advertise_enrolment),
        clock,
        SystemRandomness(),
        passphrase=_passphrase(ask_passphrase),
        approval=approval,
    )
    AuditLog(session.new_home / FOLDER, clock).append(Event.NODE_INITIALISED, node=founded.node, region=region)
    made = {
        "node": founded.node,
        "home": str(session.new_home),
        "root": str(root_dir.absolute()),
        "root_fingerprint": founded.root_fingerprint,
        "fingerprint": founded.fingerprint,
        "not_after_us": founded.not_after,
    }
    if session.as_json:
        return say_json(made)
    say(_("The federation '{name}' is founded.").format(name=federation))
    pairs(
        [
            (_("Node"), founded.node),
            (_("Home"), session.new_home),
            (_("Root (keep it off-line)"), root_dir.absolute()),
            (_("Fingerprint of the root"), founded.root_fingerprint),
            (_("Fingerprint of the keys"), founded.fingerprint),
            (_("Certificate until"), moment(founded.not_after, session.zone)),
        ]
    )
    say(_("Next: `tiersync --home {home} run`, then `tiersync invite make` for each child.").format(home=session.home))
    return None


def _passphrase(ask: bool) -> bytes:
    said = os.environ.get(PASSPHRASE_VARIABLE, "")
    if ask and not said:
        said = typer.prompt(_("Passphrase of the root"), hide_input=True, confirmation_prompt=True, err=True)
    return said.encode()


@VERBS.verb(N_("Join a parent by its invite: make this node's home, or go on where joining stopped."))
def join(
    context: typer.Context,
    invite: Annotated[
        str, typer.Argument(metavar="INVITE|@FILE|-", help=_("The invite's text, @ and its file, or - for stdin."))
    ] = "",
    exchange: Annotated[str, typer.Option(metavar="HOST:PORT", help=_("Where children link; empty: nowhere."))] = "",
    enrolment: Annotated[str, typer.Option(metavar="HOST:PORT", help=_("Where children enrol; empty: nowhere."))] = "",
    advertise_exchange: Annotated[
        str, typer.Option(metavar="HOST:PORT", help=_("The exchange address as children dial it, if it differs."))
    ] = "",
    advertise_enrolment: Annotated[
        str, typer.Option(metavar="HOST:PORT", help=_("The enrolment address as invites name it, if it differs."))
    ] = "",
    wait: Annotated[
        int, typer.Option(metavar="MINUTES", min=0, help=_("How long to wait for the parent's approval."))
    ] = 0,
) -> None:
    from node.audit import FOLDER, AuditLog, Event
    from node.clock import SystemClock, SystemRandomness
    from node.enrol.client import join as enrol

    session, clock = here(context), SystemClock()
    joined = done(
        enrol(
            invite_text(invite),
            session.new_home,
            clock,
            SystemRandomness(),
            listen=_listen(exchange, enrolment, advertise_exchange, advertise_enrolment),
            wait_s=60.0 * wait,
            progress=_tell,
        )
    )
    AuditLog(session.new_home / FOLDER, clock).append(
        Event.NODE_INITIALISED, node=joined.node, parent=joined.parent, fingerprint=joined.fingerprint
    )
    made = {
        "node": joined.node,
        "home": str(session.new_home),
        "parent": joined.parent,
        "exchange_address": joined.exchange_address,
        "fingerprint": joined.fingerprint,
        "not_after_us": joined.not_after,
    }
    if session.as_json:
        return say_json(made)
    say(_("{node} is enrolled below {parent}.").format(node=joined.node, parent=joined.parent))
    pairs(
        [
            (_("Home"), session.home),
            (_("Parent's exchange address"), joined.exchange_address),
            (_("Fingerprint of the keys"), joined.fingerprint),
            (_("Certificate until"), moment(joined.not_after, session.zone)),
        ]
    )
    say(_("Next: `tiersync --home {home} run`.").format(home=session.home))
    return None


def _tell(step: Any) -> None:
    """How far joining has come, on stderr."""
    words = {
        "read": _("The invite is for {node}. Fingerprint of the keys made here: {fingerprint}"),
        "dialled": _("{parent} answers, and is who the invite says."),
        "pending": _("{parent} has the request. Read the fingerprint to its administrator: {fingerprint}"),
        "awaiting": _("{parent} has enrolled {node}, and waits for its certificate from above."),
        "enrolled": _("{parent} has enrolled {node}."),
    }
    text = words.get(step.step.value, "{node}")
    remark(text.format(node=step.node, parent=step.parent, fingerprint=step.fingerprint))


def invite_text(given: str) -> str:
    """The text of an invite: as given, from a file, from stdin; '' for the one that the home has kept."""
    if given != STDIN and not given.startswith("@"):
        return given
    file = given.removeprefix("@")
    try:
        return text_of(file, INVITE_BYTES_MAX)
    except UserFault as fault:
        raise UserFault(
            Code.INVITE_INVALID,
            N_("{file} is no invite: {detail}"),
            N_("Give the file as the parent made it, not a scan or an office document."),
            file=file,
            detail=fault.message,
        ) from fault


def _listen(exchange: str, enrolment: str, advertise_exchange: str, advertise_enrolment: str) -> ListenSection:
    """The addresses that children are to use. Raises UserFault BAD_ARGUMENT."""
    from node.config import ListenSection, check_listen

    listen = ListenSection(exchange, enrolment, advertise_exchange, advertise_enrolment)
    check_listen(listen)
    return listen


@VERBS.verb(N_("Run the node until it is told to stop (systemd, Ctrl-C)."))
def run(context: typer.Context) -> None:
    from node.serve import serve

    session: Session = here(context)
    done(serve(session.home, os.environ))
