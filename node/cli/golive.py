"""From trial to live: go-live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.output import remark, say, say_json
from node.cli.session import here
from node.cli.setup import init, invite_text, join
from node.cli.verbs import Verbs
from node.faults import Code, UserFault
from node.texts import N_, _
from node.trial import is_trial
from tiers.profile import PROFILES

if TYPE_CHECKING:
    from node.config import NodeSection

VERBS = Verbs()


@VERBS.verb(
    N_("Take a node from trial to live: put the trial aside, keep the settings, and enrol anew."), name="go-live"
)
def go_live(
    context: typer.Context,
    invite: Annotated[
        str,
        typer.Argument(metavar="INVITE|@FILE|-", help=_("The live parent's invite: then the node joins at once.")),
    ] = "",
    root_dir: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help=_("At the nation: where the live federation's root is kept."))
    ] = None,
    federation: Annotated[
        str,
        typer.Option(metavar="NAME", help=_("At the nation: name of the live federation, which is founded at once.")),
    ] = "",
    ask_passphrase: Annotated[
        bool,
        typer.Option(
            "--ask-passphrase",
            help=_("Ask for a passphrase of the root key (or set TIERSYNC_ROOT_PASSPHRASE)."),
        ),
    ] = False,
    wait: Annotated[
        int, typer.Option(metavar="MINUTES", min=0, help=_("How long to wait for the parent's approval."))
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Write nothing; say what would be done."))] = False,
) -> None:
    from node.clock import SystemClock
    from node.golive import plan, put_aside

    session, clock = here(context), SystemClock()
    home, text = session.home, invite_text(invite)
    planned = plan(home, clock)
    node = _before(home)
    is_root = PROFILES[node.tier].is_root
    _check_next(text, federation, root_dir, node)
    done_now = planned if dry_run else put_aside(home, clock)
    told: dict[str, Any] = {**done_now._asdict(), "archive": str(home / done_now.archive), "dry_run": dry_run}
    if not session.as_json:
        _tell_live(told)
    if session.as_json and (dry_run or not (text or federation)):
        return say_json({**told, "next": "" if dry_run else "join" if not is_root else "init"})
    if dry_run:
        return say(_("Dry run: nothing was written."))
    if text:
        return join(context, text, wait=wait)
    if federation and root_dir is not None:
        return init(context, root_dir, federation, node.title, node.region, ask_passphrase=ask_passphrase)
    if is_root:
        return say(
            _("Next: `tiersync --home {home} init --federation NAME --root-dir FOLDER --title TEXT`.").format(home=home)
        )
    return say(_("Next: `tiersync --home {home} join INVITE`, with an invite of the live parent.").format(home=home))


def _before(home: Path) -> NodeSection:
    """What the node is called in its trial."""
    from node.config import CONFIG_NAME, load_file
    from node.enrol.home import KEPT

    whole = home / CONFIG_NAME
    return load_file(whole if whole.exists() else home / KEPT / CONFIG_NAME).node


def _check_next(text: str, federation: str, root_dir: Path | None, node: NodeSection) -> None:
    """Before anything is moved: what comes next can come. Raises UserFault."""
    from certs.invite import read_invite
    from node.enrol.words import of_invite_text
    from sync.errors import InputFault

    if bool(federation) != (root_dir is not None):
        what = N_("A federation is founded with a name and a folder for its root.")
        raise UserFault(Code.BAD_ARGUMENT, what, N_("Give both --federation and --root-dir, or neither."))
    named, is_here = federation, PROFILES[node.tier].is_root
    if text:
        try:
            invite = read_invite(text, 0)
        except InputFault as fault:
            raise of_invite_text(fault) from fault
        named, is_here = invite.federation, (invite.profile, invite.region) == (node.tier, node.region)
    if is_trial(named):
        what = N_("'{name}' is a trial again: its name ends in -trial.")
        raise UserFault(
            Code.BAD_ARGUMENT, what, N_("Give the invite, or the name, of the live federation."), name=named
        )
    if named and not is_here:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("This is not for {node}, which stands in region {region} as {tier}."),
            N_("A city or province gives an invite for its own place; the nation gives --federation and --root-dir."),
            node=node.node_id,
            region=node.region,
            tier=node.tier,
        )


def _tell_live(told: dict[str, Any]) -> None:
    """What is kept and what is put aside."""
    say(_("Kept, and taken over by the live node: {names}").format(names=", ".join(told["kept"])))
    say(_("Put aside, and never deleted: {names}").format(names=", ".join(told["put_aside"])))
    say(_("Where: {folder} (given as --home it is shown like any node's)").format(folder=told["archive"]))
    say(_("Not taken over: keys, rows, API tokens, where sources were read up to. They are made anew."))
    for name in told["named"]:
        remark(_("{name} names nodes of the trial: correct it before the node is started.").format(name=name))
