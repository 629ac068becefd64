"""Announcing when this node, or a child of it, may be out of reach; and taking it back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from node.announced import DATASET, Said, bounds_of, said_by
from node.app import Node
from node.audit import Event as AuditEvent
from node.clock import iso
from node.commands.view import Arguments, limit, text
from node.faults import Code, UserFault, of_reason
from node.hands import Hand
from node.maintenance import look
from node.reading import moment_of
from node.store.windows import Announced, Seen
from node.texts import N_
from sync.values import Cell, Key
from tiers.maintenance import Flaw, flaw_of

REASON_CHARACTERS_MAX = 200
ID_CHARACTERS = 8
Answer = AsyncIterator[Mapping[str, Any]]


async def announce(node: Node, hand: Hand, arguments: Arguments) -> Answer:
    """maintenance.announce {node?, from, until, reason, dry_run?} -> the window. node: this one, or a child."""
    here, zone, now = node.config.node.node_id, ZoneInfo(node.config.run.time_zone), node.clock.now_us()
    about = text(arguments, "node") or here
    _check_node(node, about)
    starts, ends = (moment_of(text(arguments, name), zone) for name in ("from", "until"))
    reason = text(arguments, "reason").strip()
    if not 0 < len(reason) <= REASON_CHARACTERS_MAX:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("The announcement has no reason, or one of more than {most} characters."),
            N_("Say with --reason what is done."),
            most=REASON_CHARACTERS_MAX,
        )
    said = Said(Announced(here, about, starts, ends), reason, None)
    _check_time(node, said, now)
    await _put(node, [_row(node, said)], [], dry_run=arguments.get("dry_run") is True)
    if not arguments.get("dry_run"):
        _audit(node, AuditEvent.MAINTENANCE_ANNOUNCED, said, hand)
    yield _shown(said, now)


async def list_windows(node: Node, arguments: Arguments) -> Answer:
    """maintenance.list {all?, limit} -> {windows}: those that are not over, with `all` the others too, in order of
    time. counts: whether silence and lost links are excused; else `why` not."""
    await look(node)
    now, said, seen = node.clock.now_us(), node.excused.said, node.excused.seen
    counting = {(one.node, one.announcer, one.starts, one.ends) for one in node.excused.maintenance.windows}
    found = []
    for one in sorted(said, key=lambda one: (one.which.starts, one.which)):
        window = one.window(seen[one.which])
        if not arguments.get("all") and window.ends <= now:
            continue
        counts = (window.node, window.announcer, window.starts, window.ends) in counting
        flaw = flaw_of(window, node.core().registry.parent, bounds_of(node.config)) or Flaw.TOO_MUCH
        found.append({**_shown(one, now), "counts": counts, "why": "" if counts else flaw.value})
    yield {"windows": found[: limit(arguments)]}


async def cancel(node: Node, hand: Hand, arguments: Arguments) -> Answer:
    """maintenance.cancel {window, dry_run?} -> the window. One that has begun ends now: what it excused stays so."""
    here, now, wanted = node.config.node.node_id, node.clock.now_us(), text(arguments, "window")
    said = await node.read(lambda reader: said_by(reader, now))
    one = next((one for one in said if one.which.announcer == here and window_id(one.which) == wanted), None)
    if one is None or _state(one, now) == "over":
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("This node has announced no maintenance '{window}' that is not over."),
            N_("`tiersync maintenance list` shows what is announced, with the ids."),
            window=wanted,
        )
    dry_run, has_begun, which = arguments.get("dry_run") is True, one.which.starts <= now, one.which
    ended = one._replace(ended=now)
    if has_begun:
        await _put(node, [_row(node, ended)], [], dry_run=dry_run)
    else:
        await _put(node, [], [(which.node, which.starts, which.ends)], dry_run=dry_run)
    if not dry_run:
        _audit(node, AuditEvent.MAINTENANCE_CANCELLED, one, hand)
    yield _shown(ended, now) if has_begun else {**_shown(one, now), "state": "cancelled"}


def _audit(node: Node, event: AuditEvent, one: Said, hand: Hand) -> None:
    which = one.which
    said = {"about": which.node, "starts": iso(which.starts), "ends": iso(which.ends)}
    node.note(event, window=window_id(which), **said, by=hand.said)


def window_id(which: Announced) -> str:
    """A short name of an announcement: the same wherever it is listed."""
    said = "\0".join((which.announcer, which.node, str(which.starts), str(which.ends)))
    return sha256(said.encode()).hexdigest()[:ID_CHARACTERS]


def _shown(one: Said, now: int) -> dict[str, Any]:
    which = one.which
    return {
        "window": window_id(which),
        "node": which.node,
        "announcer": which.announcer,
        "from": iso(which.starts),
        "until": iso(which.ends),
        "ended": iso(one.ended) if one.ended is not None else "",
        "reason": one.reason,
        "state": _state(one, now),
    }


def _state(one: Said, now: int) -> str:
    if now < one.which.starts:
        return "announced"
    return "under_way" if now < one.window(Seen(0)).ends else "over"


def _row(node: Node, one: Said) -> dict[str, Cell]:
    which = one.which
    return {
        "node": which.node,
        "starts": which.starts,
        "ends": which.ends,
        "division": node.standing.region,
        "own": which.node == which.announcer,
        "reason": one.reason,
        "ended": one.ended,
    }


def _check_node(node: Node, about: str) -> None:
    registry, here = node.core().registry, node.config.node.node_id
    newest = registry.newest(about)
    if about == here or (newest is not None and newest.enrolled and registry.parent(about) == here):
        return
    raise UserFault(
        Code.PEER_UNKNOWN,
        N_("'{node}' is neither this node nor a child of it."),
        N_("A node announces maintenance for itself, or its parent does; `tiersync peers` lists the nodes."),
        node=about,
    )


def _check_time(node: Node, said: Said, now: int) -> None:
    """Raises UserFault for what would not count here."""
    flaw = flaw_of(said.window(Seen(now)), node.core().registry.parent, bounds_of(node.config))
    if flaw is Flaw.LATE:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("Maintenance is announced before it begins; {moment} is past."),
            N_("What was not announced counts as it was; announce the rest with a start that lies ahead."),
            moment=iso(said.which.starts),
        )
    if flaw is not None:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("A window ends after its start, and has {most} hours at most."),
            N_("Announce several, or raise `[maintenance] hours`; every node that hears of it goes by its own."),
            most=node.config.maintenance.hours,
        )


async def _put(node: Node, rows: list[dict[str, Cell]], voids: Sequence[Key], *, dry_run: bool) -> None:
    names = node.catalogue.datasets[DATASET].schema.names
    cells = [tuple(row[name] for name in names) for row in rows]
    result = await node.put(DATASET, cells, voids, "cancelled", dry_run=dry_run)
    if result.rejected:
        first = result.rejected[0]
        raise of_reason(Code.INPUT_FAULT, first.reason, first.detail)
