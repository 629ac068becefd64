"""Telling people: trying what `[notify.NAME]` says, before it matters."""

from __future__ import annotations

from typing import Annotated

import typer

from node.cli.output import say, say_json
from node.cli.session import here
from node.cli.verbs import Verbs
from node.faults import Code, UserFault
from node.texts import N_, _, translator

NOTIFY = Verbs("notify", N_("Telling people of alarms and tasks: by e-mail, messengers, SMS gateways."))


@NOTIFY.verb(N_("Send a test message by one of the ways that node.toml names; the node need not run."))
def test(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help=_("Name of the section: [notify.NAME]."))],
) -> None:
    from node.clock import SystemClock
    from node.notify.sending import Unsent, sender_of

    session = here(context)
    settings = session.config.notify.get(name)
    if settings is None:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("node.toml has no section [notify.{name}]; it has: {known}."),
            N_("Add it and try again: docs/operations.md shows how it is written."),
            name=name,
            known=", ".join(session.config.notify) or "-",
        )
    to = translator("zh" if settings.language == "zh" else "en")
    # Not within the f-string below: what stands there the catalogue of texts does not find.
    test = to(N_("test message"))
    title = f"tiersync {session.config.node.title or session.config.node.node_id}"
    try:
        sender = sender_of(session.home, name, settings, SystemClock().now_us)
        sender.send(f"{title}: {test}", to(N_("Alarms and what moves in tasks will come this way.")))
    except Unsent as fault:
        raise UserFault(
            Code.NOTICE_UNSENT,
            N_("The message was not taken: {detail}"),
            N_("Look at the address, the password or key in notify/{name}.secret, and the other side's settings."),
            detail=str(fault),
            name=name,
        ) from fault
    if session.as_json:
        return say_json({"notify": name, "sent": True})
    say(_("The message was taken."))
    return None
