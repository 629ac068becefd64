"""What a node is doing: status, feeds, peers, parked, refused, reread, trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from node.cli.asking import ask, client, done, is_running, view
from node.cli.output import LIMIT_MAX, clean, moment, pairs, remark, say, say_json, size, table, way, worded
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.texts import N_, _, current, reasons

VERBS = Verbs()
FOLLOW_MS = 500

_STATES = {
    "working": N_("working"),
    "recovering": N_("comes back: compares with its neighbours"),
    "restored": N_("restored: waits until every neighbour was compared"),
    "not_enrolled": N_("not enrolled yet: its registration has not come"),
}
_PERSONAL = {
    "mask": N_("masked in what leaves"),
    "refuse": N_("rows not let in"),
    "warn": N_("left as they are"),
}
_PHASES = {
    "hello": N_("greeting"),
    "compare": N_("comparing"),
    "exchange": N_("linked"),
    "draining": N_("ending"),
    "closed": N_("closed"),
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
    pairs(
        [
            (_("Node"), found["node"]),
            (_("Federation"), found["federation"]),
            (_("State"), _(_STATES.get(found["state"], found["state"])) if found["running"] else _("stopped")),
            (_("Parent"), found["parent"] or _("none: this is the root")),
        ]
    )
    say()
    _show_tree(session, found)
    _show_feeds(found)
    _show_parked(found["parked"])
    _show_heard(found["heard"])
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
    _show_silent(session, found["silent"])
    if found["personal"]:
        say(_("Phone, identity, passport or card numbers seen in texts at the door since the start:"))
        for one in found["personal"]:
            say(f"  {one['dataset']}.{one['column']}: {one['cells']} ({_(_PERSONAL[one['rule']])})")
        say()
    _show_alarms(session, found)


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
    table(_("Tree"), heads, [_tree_row(session, found, *line) for line in _ordered(found["tree"])])
    say()


def _ordered(members: Sequence[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """(depth, member), each node right above what stands below it."""
    below: dict[str, list[dict[str, Any]]] = {}
    known = {member["node"] for member in members}
    for member in members:
        below.setdefault(member["parent"] if member["parent"] in known else "", []).append(member)
    found: list[tuple[int, dict[str, Any]]] = []

    def walk(parent: str, depth: int) -> None:
        for member in sorted(below.get(parent, []), key=lambda m: str(m["region"])):
            found.append((depth, member))
            walk(member["node"], depth + 1)

    walk("", 0)
    return found


def _tree_row(session: Session, found: dict[str, Any], depth: int, member: dict[str, Any]) -> tuple[object, ...]:
    name = "  " * depth + member["node"] + (" *" if member["node"] == found["node"] else "")
    link = next((one for one in found["links"] if one["peer"] == member["node"]), None)
    if link is None:
        return name, member["title"], member["region"], _link_word(found, member), "", "", ""
    ahead = link["clock_ahead_us"] / 1e6
    return (
        name,
        member["title"],
        member["region"],
        _(_PHASES.get(link["phase"], link["phase"])),
        moment(link["heard_us"], session.zone),
        size(link["under_way_bytes"]),
        f"{ahead:+.1f} s" if abs(ahead) >= 1 else "",
    )


def _link_word(found: dict[str, Any], member: dict[str, Any]) -> str:
    """What to say of a node without a link: only neighbours could have one."""
    if member["node"] == found["node"]:
        return ""
    if not member["enrolled"]:
        return _("not enrolled any more")
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
        rows = [(p["feed"], p["seq"], p["dataset"], p["key"], _reason(p["reason"])) for p in parked]
        table(_("Parked here: valid, and waits for something"), heads, rows)
        say()


def _show_heard(heard: Sequence[Mapping[str, Any]]) -> None:
    if heard:
        table(_("What others refused or parked of this node's rows"), _HEARD_HEADS(), [_heard_row(h) for h in heard])
        say()


def _HEARD_HEADS() -> list[str]:  # noqa: N802 - a table's heads, in the language of the call
    return [_("by"), _("publication"), _("seq"), _("dataset"), _("key"), _("fate"), _("reason"), _("detail")]


def _heard_row(one: Mapping[str, Any]) -> tuple[object, ...]:
    fate = {"REFUSED": _("refused"), "PARKED": _("parked"), "APPLIED": _("applied later"), "SUPERSEDED": _("overtaken")}
    known = fate.get(one["fate"], one["fate"])
    return (
        one["by"],
        one["publication"],
        one["seq"],
        one["dataset"],
        one["key"],
        known,
        _reason(one["reason"]),
        worded(one),
    )


def _reason(name: str) -> str:
    """Number, name and title of a reason, as they are read out over the phone."""
    from sync.reasons import Reason

    found = next((r for r in Reason if r.name == name), None)
    return name if found is None else f"{int(found)} {name}: {reasons.title(found, current())}"


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
    rows = [(r["feed"], r["seq"], r["dataset"], r["key"], _reason(r["reason"]), worded(r)) for r in found["here"]]
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
    for line in _trace_lines(row, session.zone):
        say("  " + clean(line))


def _trace_lines(row: dict[str, Any], zone: str) -> list[str]:
    """The row's way, step by step, in words."""
    lines = []
    if row["source"]:
        lines.append(_("number in its source system: {source}").format(source=row["source"]))
    for one in row["rejects"]:
        words = _("rejected in line {line} of load {load}: {reason} {detail}")
        lines.append(words.format(**{**one, "reason": _reason(one["reason"])}))
    if row["version"]:
        lines.append(_("written in transaction {version}").format(version=row["version"]))
    if row["load"]:
        at = moment(row["load"]["at"], zone)
        lines.append(_("by load {load} from {file}, begun {at}").format(**{**row["load"], "at": at}))
    lines += [_("waits to be sealed in {feed}").format(feed=feed) for feed in row["waiting"]]
    for entry in row["entries"]:
        words = _("sealed as entry {seq} of {feed} ({says}) at {at}")
        lines.append(words.format(**entry, at=moment(entry["sealed_at"], zone)))
        lines += ["  " + _tier_words(tier, zone) for tier in entry["tiers"]]
    for publication in row["not_in"]:
        words = _("not in {publication}: its filter leaves the row out, or nothing of it goes there from this node")
        lines.append(words.format(publication=publication))
    words = _("{fate} by {by}: {reason} {detail}")
    lines += [words.format(**{**h, "reason": _reason(h["reason"]), "detail": worded(h)}) for h in row["heard"]]
    here_words = _("{fate} here (entry {seq} of {feed}): {reason} {detail}")
    lines += [here_words.format(**{**f, "reason": _reason(f["reason"]), "detail": worded(f)}) for f in row["fates"]]
    return lines


_OUTCOMES = {
    "REFUSED": N_("{node}: received, and refused: {reason}"),
    "PARKED": N_("{node}: received, and waits there: {reason}"),
    "SUPERSEDED": N_("{node}: received; overtaken by a newer version while it waited"),
    "APPLIED": N_("{node}: received, waited, and was applied later"),
}


def _tier_words(tier: Mapping[str, Any], zone: str) -> str:
    """What is known of an entry at one node, and since when it has signed that."""
    signed = [moment(tier[name], zone) for name in ("received_at", "applied_at")]
    if tier["fate"]:
        words = _(_OUTCOMES[tier["fate"]]).format(node=tier["node"], reason=_reason(tier["reason"]))
    elif not tier["received"]:
        words = _("{node}: not known, no receipt reaches so far").format(node=tier["node"])
    elif tier["applied"]:
        words = _("{node}: received and applied").format(node=tier["node"])
    elif tier["applied"] is None:
        words = _("{node}: received; whether it was applied is not known here").format(node=tier["node"])
    else:
        words = _("{node}: received, not yet applied").format(node=tier["node"])
    if signed[0] and tier["received"]:
        words += _(" (received by {received} at the latest)").format(received=signed[0])
    if signed[1]:
        words += _(" (applied by {applied} at the latest)").format(applied=signed[1])
    return words
