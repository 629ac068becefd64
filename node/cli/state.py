"""What a node is doing: status, feeds, peers, parked, refused, reread, trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from node.cli.asking import ask, client, done, is_running, view
from node.cli.output import LIMIT_MAX, clean, moment, pairs, remark, say, say_json, size, table, way, worded
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.settings import pages_at
from node.texts import N_, _, current
from node.texts.standing import FATES, PHASES, STATES
from node.texts.steps import reason, steps
from node.tree import in_order

VERBS = Verbs()
FOLLOW_MS = 500

_HEARD_SHOWN = 10
_PERSONAL = {
    "mask": N_("masked in what leaves"),
    "refuse": N_("rows not let in"),
    "warn": N_("left as they are"),
}


@VERBS.verb(N_("Show the state of the node: tree, links, feeds, what waits or was refused, alarms."))
def status(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help=_("Show it again whenever it changes."))] = False,
) -> None:
    session = here(context)
    if follow:
        done(_follow(session))
        return
    found = status_now(session)
    if session.as_json:
        say_json(found)
    else:
        _show(session, found)


def status_now(session: Session) -> dict[str, Any]:
    """The status, of the running node or of its store."""
    if is_running(session):

        async def work() -> dict[str, Any]:
            async with client(session) as connected:
                return await connected.status()

        return {"running": True, **done(work())}
    from node.commands.stopped import status as stopped_status

    with view(session) as stopped:
        return {"running": False, **stopped_status(session.home, session.config, stopped)}


async def _follow(session: Session) -> None:
    """One JSON document a line, or the tables anew on a cleared screen."""
    import json
    import sys

    async with client(session) as connected:
        async for found in connected.follow(FOLLOW_MS):
            if session.as_json:
                typer.echo(json.dumps({"running": True, **found}, ensure_ascii=False))
                continue
            if sys.stdout.isatty():
                typer.echo("\x1b[2J\x1b[H", nl=False)
            _show(session, {"running": True, **found})


def _show(session: Session, found: dict[str, Any]) -> None:
    if not found["running"]:
        remark(_("The node is not running; this is what its store says."))
    trial = _(" (TRIAL: nothing of it counts)") if found["trial"] else ""
    pairs(
        [
            (_("Node"), found["node"]),
            (_("Federation"), found["federation"] + trial),
            (_("State"), _(STATES.get(found["state"], found["state"])) if found["running"] else _("stopped")),
            (_("Parent"), found["parent"] or _("none: this is the root")),
            *([(_("Pages"), pages_at(session.config.http, port))] if (port := found.get("http_port", 0)) else []),
        ]
    )
    say()
    _show_tree(session, found)
    _show_feeds(found)
    _show_parked(found["parked"])
    _show_heard(found)
    if found["quality"]["to_answer"]:
        words = _(
            "{count} quality issues wait for an answer of this node: `tiersync quality list --to-answer` lists them."
        )
        say(words.format(count=found["quality"]["to_answer"]))
        say()
    if waiting := sum(found["subscriptions"][name] for name in ("to_check", "to_approve", "to_rule")):
        words = _("{count} subscriptions wait for this node: `tiersync subscription list --to-do` lists them.")
        say(words.format(count=waiting))
        say()
    if found["jobs"]:
        words = _("Work goes on in the background ({count}): `tiersync jobs` lists it.")
        say(words.format(count=len(found["jobs"])))
        say()
    if found["reread"]:
        words = _("{count} rows are to be read again from their source: `tiersync reread` lists them.")
        say(words.format(count=found["reread"]))
        say()
    if found["unregistered"]["codes"]:
        words = _("Unregistered extensions: {codes} codes in {rows} rows; `tiersync codes extensions` lists them.")
        say(words.format(**found["unregistered"]))
        say()
    if any(found["dues"][name] for name in ("overdue", "reminded")):
        words = _("Deadlines: {overdue} overdue below, {reminded} open reminders to this node: `tiersync due list`.")
        say(words.format(**found["dues"]))
        say()
    _show_maintenance(session, found["maintenance"])
    _show_silent(session, found["silent"])
    if found["personal"]:
        say(_("Phone, identity, passport or card numbers seen in texts at the door since the start:"))
        for one in found["personal"]:
            say(f"  {one['dataset']}.{one['column']}: {one['cells']} ({_(_PERSONAL[one['rule']])})")
        say()
    _show_webhooks(session, found["webhooks"])
    _show_alarms(session, found)


def _show_maintenance(session: Session, windows: Sequence[Mapping[str, Any]]) -> None:
    if windows:
        heads = [_("node"), _("from"), _("until"), _("reason")]
        rows = [
            (one["node"], moment(one["from"], session.zone), moment(one["until"], session.zone), one["reason"])
            for one in windows
        ]
        table(_("Announced maintenance"), heads, rows)
        say()


def _show_silent(session: Session, silent: Sequence[Mapping[str, Any]]) -> None:
    if silent:
        heads = [_("origin"), _("dataset"), _("source"), _("nothing since"), _("hours allowed")]
        rows = [
            (s["origin"], s["dataset"], s["source"], moment(s["since"], session.zone), s["allowed_hours"])
            for s in silent
        ]
        table(_("Silent for longer than their cadence allows"), heads, rows)
        say()


def _show_tree(session: Session, found: dict[str, Any]) -> None:
    heads = [_("node"), _("title"), _("region"), _("link"), _("last heard"), _("under way"), _("clock ahead")]
    table(_("Tree"), heads, [_tree_row(session, found, *line) for line in in_order(found["tree"])])
    say()


def _tree_row(session: Session, found: dict[str, Any], depth: int, member: Mapping[str, Any]) -> tuple[object, ...]:
    name = "  " * depth + member["node"] + (" *" if member["node"] == found["node"] else "")
    link = next((one for one in found["links"] if one["peer"] == member["node"]), None)
    if link is None:
        return name, member["title"], member["region"], _link_word(found, member), "", "", ""
    ahead = link["clock_ahead_us"] / 1e6
    return (
        name,
        member["title"],
        member["region"],
        _(PHASES.get(link["phase"], link["phase"])),
        moment(link["heard_us"], session.zone),
        size(link["under_way_bytes"]),
        f"{ahead:+.1f} s" if abs(ahead) >= 1 else "",
    )


def _link_word(found: dict[str, Any], member: Mapping[str, Any]) -> str:
    """What to say of a node without a link: only neighbours could have one."""
    if member["node"] == found["node"]:
        return ""
    if not member["enrolled"]:
        return _("suspended, or gone for good")
    if member["succeeded_by"]:
        return _("succeeded by {nodes}").format(nodes=", ".join(member["succeeded_by"]))
    if member["node"] == found["parent"]:
        link = found["parent_link"]
        return " ".join(part for part in (_("no link"), link.get("detail", "")) if part)
    return _("no link") if member["parent"] == found["node"] else "-"


def _show_feeds(found: dict[str, Any]) -> None:
    heads = [
        _("feed"),
        _("way"),
        _("head"),
        _("waiting"),
        _("rows"),
        _("parked"),
        _("refused"),
        _("received / applied by"),
    ]
    table(_("Feeds"), heads, [_feed_row(one) for one in found["feeds"]])
    say()


def _feed_row(one: dict[str, Any]) -> tuple[object, ...]:
    signed = ", ".join(f"{r['by']} {r['received']}/{r['applied']}" for r in one["receipts"])
    state = _("frozen: two different entries were found") if one["frozen"] else signed
    if not one["own"] and not state:
        state = _("applied here") if one["applied_here"] else _("carried for others")
    rows = one["rows"] if one["own"] or one["applied_here"] else ""
    return (
        one["feed"],
        way(one["route"]),
        one["seq"],
        one["waiting"] or "",
        rows,
        one["parked"] or "",
        one["refused"] or "",
        state,
    )


def _show_parked(parked: Sequence[Mapping[str, Any]]) -> None:
    if parked:
        heads = [_("feed"), _("seq"), _("dataset"), _("key"), _("waits for")]
        rows = [(p["feed"], p["seq"], p["dataset"], p["key"], reason(p["reason"], current())) for p in parked]
        table(_("Parked here: valid, and waits for something"), heads, rows)
        say()


def _show_heard(found: Mapping[str, Any]) -> None:
    """The newest of what is refused or parked still; not what was applied since."""
    if count := found["heard_open"]:
        shown = [_heard_row(one) for one in found["heard"][: min(count, _HEARD_SHOWN)]]
        table(_("What others refused or parked of this node's rows"), _HEARD_HEADS(), shown)
        if count > len(shown):
            say(
                _("{count} rows in all; `tiersync refused --limit {limit}` lists them.").format(
                    count=count, limit=min(count, LIMIT_MAX)
                )
            )
        say()


def _HEARD_HEADS() -> list[str]:  # noqa: N802 - a table's heads, in the language of the call
    return [_("by"), _("publication"), _("seq"), _("dataset"), _("key"), _("fate"), _("reason"), _("detail")]


def _heard_row(one: Mapping[str, Any]) -> tuple[object, ...]:
    known = _(FATES.get(one["fate"], one["fate"]))
    return (
        one["by"],
        one["publication"],
        one["seq"],
        one["dataset"],
        one["key"],
        known,
        reason(one["reason"], current()),
        worded(one),
    )


def _show_webhooks(session: Session, webhooks: list[dict[str, Any]]) -> None:
    if not webhooks:
        return
    states = {"working": _("working"), "failing": _("failing")}
    heads = [_("webhook"), _("state"), _("failed"), _("delivered"), _("detail")]
    rows = [
        (one["webhook"], states[one["state"]], one["failed"], moment(one["delivered"], session.zone), one["detail"])
        for one in webhooks
    ]
    table(_("Systems that are told of changes"), heads, rows)
    say()


def _show_alarms(session: Session, found: dict[str, Any]) -> None:
    heads = [_("at"), _("alarm"), _("about")]
    rows = [
        (
            moment(alarm["at"], session.zone),
            alarm["name"],
            ", ".join(f"{name}={value}" for name, value in alarm.items() if name not in ("at", "name")),
        )
        for alarm in found["alarms"]
    ]
    table(_("Alarms since the start: {count}").format(count=found["alarm_count"]), heads, rows)


@VERBS.verb(N_("List the feeds: how far each is, and who has signed for it."))
def feeds(context: typer.Context) -> None:
    session = here(context)
    found = status_now(session)
    if session.as_json:
        say_json({"feeds": found["feeds"]})
    else:
        _show_feeds(found)


@VERBS.verb(N_("Show the nodes of the tree and the links to this node's neighbours."))
def peers(context: typer.Context) -> None:
    session = here(context)
    found = status_now(session)
    if session.as_json:
        say_json({"tree": found["tree"], "links": found["links"], "parent_link": found["parent_link"]})
    else:
        _show_tree(session, found)


@VERBS.verb(N_("List rows that arrived validly and wait here for something that is missing."))
def parked(
    context: typer.Context,
    feed: Annotated[str, typer.Option(metavar="FEED", help=_("Only of this feed, as `feeds` writes it."))] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 100,
) -> None:
    session = here(context)
    found = ask(session, "parked", feed=feed, limit=limit)
    if session.as_json:
        say_json(found)
    elif found["parked"]:
        _show_parked(found["parked"])
    else:
        say(_("Nothing is parked here."))


@VERBS.verb(N_("List what other nodes refused of this node's rows, and what this node refused of theirs."))
def refused(
    context: typer.Context,
    feed: Annotated[str, typer.Option(metavar="FEED", help=_("Only of this feed, as `feeds` writes it."))] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 100,
) -> None:
    session = here(context)
    found = ask(session, "refused", feed=feed, limit=limit)
    if session.as_json:
        say_json(found)
        return
    table(
        _("What others refused or parked of this node's rows"), _HEARD_HEADS(), [_heard_row(h) for h in found["heard"]]
    )
    say()
    heads = [_("feed"), _("seq"), _("dataset"), _("key"), _("reason"), _("detail")]
    rows = [
        (r["feed"], r["seq"], r["dataset"], r["key"], reason(r["reason"], current()), worded(r)) for r in found["here"]
    ]
    table(_("What this node refused of others' rows"), heads, rows)


_REREAD = {
    "columns": N_("columns that stay at this node are missing, or those of before"),
    "both_lives": N_("changed before and after this node was put back; the later row holds"),
}


@VERBS.verb(N_("List rows that must be read again from the system they came from, after this node was put back."))
def reread(
    context: typer.Context,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help=_("At most so many."))] = 100,
) -> None:
    session = here(context)
    found = ask(session, "reread", limit=limit)
    if session.as_json:
        return say_json(found)
    if not found["count"]:
        return say(_("No row is to be read again."))
    heads = [_("dataset"), _("key"), _("since"), _("why")]
    rows = [
        (one["dataset"], one["key"] or _("and more"), moment(one["since"], session.zone), _(_REREAD[one["why"]]))
        for one in found["reread"]
    ]
    table(_("To be read again from their source: {count}").format(count=found["count"]), heads, rows)
    return None


@VERBS.verb(N_("Show one row's way: written, sealed, received and applied by whom, refused, parked."))
def trace(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="KEY|FEED@SEQ",
            help=_(
                "Key of the row, its number in the system it came from, or an entry: feed as `feeds` writes it, @, seq."
            ),
        ),
    ],
    dataset: Annotated[str, typer.Option(metavar="DATASET", help=_("Only in this dataset."))] = "",
    origin: Annotated[str, typer.Option(metavar="NODE", help=_("Only rows of this origin."))] = "",
) -> None:
    session = here(context)
    found = ask(session, "trace", what=what, dataset=dataset, origin=origin)
    if session.as_json:
        say_json(found)
        return
    for row in found["rows"]:
        _show_trace(session, row)


def _show_trace(session: Session, row: dict[str, Any]) -> None:
    named = row["key"] or row["source"]
    say(_("{dataset} {key} of {origin}").format(dataset=row["dataset"], key=named, origin=row["origin"] or "?"))
    for step in steps(row, current(), partial(moment, zone=session.zone)):
        say("  " * (step.depth + 1) + clean(step.words))
