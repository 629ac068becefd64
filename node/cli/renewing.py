"""This node's own certificate: renew."""

from __future__ import annotations

from typing import Annotated

import typer

from node.cli.asking import command
from node.cli.output import moment, say, say_json
from node.cli.session import here
from node.cli.verbs import Verbs
from node.texts import N_, _

VERBS = Verbs()


@VERBS.verb(N_("Have this node's certificate renewed now; the node does it by itself in the last third of its life."))
def renew(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Renew nothing; say until when it holds."))] = False,
) -> None:
    session = here(context)
    found = command(session, "certificate.renew", dry_run=dry_run)
    if session.as_json:
        return say_json(found)
    until = moment(found["until"], session.zone)
    if dry_run:
        due = _("It is time to renew it.") if found["due"] else _("It is not time to renew it yet.")
        say(_("The certificate of {node} holds until {until}.").format(node=found["node"], until=until) + " " + due)
        return None
    say(_("The certificate of {node} is renewed until {until}.").format(node=found["node"], until=until))
    return None
