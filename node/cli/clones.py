"""Ending a clone alarm: clone keep at the copy that goes on, clone clear at its neighbours."""

from __future__ import annotations

from typing import Annotated

import typer

from node.cli.output import say, say_json
from node.cli.session import here
from node.cli.verbs import Verbs
from node.texts import N_, _

CLONES = Verbs("clone", N_("End a clone alarm: one copy of a node goes on, the other is refused for ever."))


@CLONES.verb(N_("At the copy that goes on, stopped: give it a new instance. Its neighbours must clear the alarm then."))
def keep(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Say what would be done, and do nothing."))] = False,
) -> None:
    from node.audit import FOLDER, AuditLog, Event
    from node.clock import SystemClock, SystemRandomness
    from node.clones import go_on

    session, clock = here(context), SystemClock()
    node = session.config.node.node_id
    before, now = go_on(session.home, clock, SystemRandomness(), dry_run=dry_run)
    if not dry_run:
        AuditLog(session.home / FOLDER, clock).append(
            Event.INSTANCE_RENEWED, node=node, before=before.hex(), instance=now.hex()
        )
    if session.as_json:
        return say_json({"node": node, "before": before.hex(), "instance": "" if dry_run else now.hex()})
    if dry_run:
        say(_("This copy of {node} would go on under a new instance; nothing was changed.").format(node=node))
    else:
        say(_("This copy of {node} goes on under a new instance.").format(node=node))
    say(_("It seals nothing until every neighbour was compared. Stop the other copy and delete its home."))
    say(
        _("At each neighbour that shows the alarm, stopped: `tiersync clone clear {node}`. Then start both.").format(
            node=node
        )
    )
    return None


@CLONES.verb(N_("At a neighbour, stopped: let a node of which a copy was seen link again."))
def clear(
    context: typer.Context,
    node: Annotated[str, typer.Argument(metavar="NODE", help=_("Node id, as `clones` in the status has it."))],
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Say what would be done, and do nothing."))] = False,
) -> None:
    from node.audit import FOLDER, AuditLog, Event
    from node.clock import SystemClock
    from node.clones import clear as let_in

    session, clock = here(context), SystemClock()
    let_in(session.home, clock, node, dry_run=dry_run)
    if not dry_run:
        AuditLog(session.home / FOLDER, clock).append(Event.CLONE_CLEARED, peer=node)
    if session.as_json:
        return say_json({"node": node, "cleared": not dry_run})
    if dry_run:
        say(_("{node} would be let in again; nothing was changed.").format(node=node))
    else:
        say(_("{node} is let in again.").format(node=node))
    say(_("First of all: `tiersync clone keep` at the copy that goes on. What is left of the other is refused then."))
    return None
