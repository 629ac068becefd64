"""The tree as this node sees it: how each node stands, what of it is missing here, what of ours is missing there.

Everything is from the exchange's own evidence: links, signed heads, signed receipts, fates. Nothing is asked of
anybody for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from node.excused import Excused
from node.status import status_of
from sync.core import Core
from sync.days import hlc_us
from sync.effects import FeedState
from sync.link import Phase
from sync.ports import Log
from sync.replica import Replica
from sync.statements import HEADS_SORT, RECEIPT_SORT
from sync.values import REFUSALS, REGISTRY, FeedName, Route
from sync.wire.v1.entry_pb2 import EntryHeader
from sync.wire.v1.frame_pb2 import HeadsBody, ReceiptBody
from tiers.grades import Evidence, grade_of

_WORKING = (Phase.EXCHANGE, Phase.DRAINING)
_BOOKKEEPING = (REGISTRY, REFUSALS)


class _Sent(NamedTuple):
    """What of this node's own feeds a receiver has not signed for. oldest_us: when the first of it was sealed.
    expects: whether anything goes there at all."""

    changes: int = 0
    oldest_us: int = 0
    expects: bool = False


def overview_of(replica: Replica, log: Log, now_us: int, excused: Excused) -> dict[str, Any]:
    """In the writer's thread: the status, and `seen` = {node: how it stands}. Bounded by the number of feeds."""
    core = replica.core
    status = status_of(replica, log)
    stated, sent = _stated(core), _unconfirmed(core, log)
    seen = {
        node: _seen(core, member, stated.get(node, 0), sent.get(node, _Sent()), now_us, excused)
        for member in status["tree"]
        if (node := member["node"]) != core.me.node
    }
    return {**status, "seen": seen, "now_us": now_us}


def children_seen(replica: Replica, log: Log, now_us: int, excused: Excused) -> dict[str, dict[str, Any]]:
    """In the writer's thread: how each node right below stands, those that left too. `batch`: the feed by which data of
    it first came, with where it stands; `version`: of its enrolment."""
    core = replica.core
    stated, sent = _stated(core), _unconfirmed(core, log)
    found = {}
    for child in [one for one in core.registry.nodes() if one.parent == core.me.node and one.node != core.me.node]:
        member = {"node": child.node, "enrolled": child.is_living, "succeeded_by": child.successions}
        seen = _seen(core, member, stated.get(child.node, 0), sent.get(child.node, _Sent()), now_us, excused)
        found[child.node] = {**seen, "batch": _batch(core, child.node), "version": child.version, "title": child.title}
    return found


def _batch(core: Core, node: str) -> str:
    for name, state in core.feeds.items():
        if state.head.seq and name.publication not in _BOOKKEEPING and node in (name.origin, core.source(name)):
            return f"{name}#{state.head.seq}:{state.head.hash.hex()[:16]}"
    return ""


def _stated(core: Core) -> dict[str, int]:
    """When each node last signed for what it has sent."""
    return {
        by: hlc_us(HeadsBody.FromString(body).hlc)
        for (sort, by, _), (body, _, _) in core.statements.items()
        if sort == HEADS_SORT
    }


def _seen(
    core: Core, member: Mapping[str, Any], stated_us: int, sent: _Sent, now_us: int, excused: Excused
) -> dict[str, Any]:
    node = member["node"]
    feeds = [state for name, state in core.feeds.items() if name.origin == node]
    missing, missing_us = _missing(core, node)
    hop = core.next_hop(node)
    links = [link for link in core.links.values() if link.peer == hop]
    linked = any(link.phase in _WORKING for link in links)
    heard_us = max([stated_us, *(link.heard_at for link in links if hop == node and link.phase in _WORKING)])
    parked = sum(state.parked for state in feeds)
    sent_for_us = _counted(excused, node, sent.oldest_us, now_us) if sent.oldest_us else 0
    known = Evidence(
        enrolled=member["enrolled"],
        greeted=bool(links),
        linked=linked,
        silent_us=_counted(excused, node, heard_us, now_us) if heard_us else None,
        batch=any(
            state.head.seq and name.publication not in _BOOKKEEPING and node in (name.origin, core.source(name))
            for name, state in core.feeds.items()
        ),
        lag_us=max(missing_us, sent_for_us),
        parked=parked,
        disputed=any(state.frozen for state in feeds),
        suspended=not (member["enrolled"] or member["succeeded_by"]),
    )
    return {
        "grade": grade_of(known).value if _is_in_sight(core, member, stated_us) else "",
        "neighbour": hop == node,
        "via": hop,
        "linked": linked,
        "phase": next((link.phase.value for link in links if hop == node), ""),
        "heard_us": heard_us,
        "complete_us": 0 if missing else stated_us,
        "missing": missing,
        "missing_us": missing_us,
        "unconfirmed": sent.changes,
        "unconfirmed_since_us": sent.oldest_us,
        "expects": sent.expects,
        "parked": parked,
        "refused": sum(state.refused for state in feeds),
        "disputed": known.disputed,
        "maintenance": window._asdict()
        if (window := excused.maintenance.in_force((node,), now_us)) is not None
        else None,
    }


def _counted(excused: Excused, node: str, since_us: int, now_us: int) -> int:
    """A time until now, less what announced maintenance excuses of it."""
    return max(0, now_us - since_us - excused.covered_us(node, since_us, now_us))


def _is_in_sight(core: Core, member: Mapping[str, Any], stated_us: int) -> bool:
    """Whether a silence of that node would be noticed here: what stands neither above nor below need never be heard."""
    if stated_us or core.next_hop(member["node"]) == member["node"]:
        return True
    above = {one.node: one.parent for one in core.registry.nodes()}
    return core.me.node in _line(above, member["node"]) or member["node"] in _line(above, core.me.node)


def _line(above: Mapping[str, str], node: str) -> Sequence[str]:
    found: list[str] = []
    while (node := above.get(node, "")) and node not in found:
        found.append(node)
    return found


def _missing(core: Core, origin: str) -> tuple[int, int]:
    """(entries that the origin has stated and that are not here, for how long of working link)."""
    entries = longest = 0
    for feed, missing in core.withheld.items():
        if feed.origin == origin:
            state = core.feeds.get(feed)
            held = state.head.seq if state is not None and state.head.epoch == missing.epoch else 0
            if missing.seq > held:
                entries += missing.seq - held
                longest = max(longest, core.worked.get(core.next_hop(origin), 0) - missing.since)
    return entries, longest


def _unconfirmed(core: Core, log: Log) -> dict[str, _Sent]:
    """Per receiver, over all own feeds."""
    received: dict[FeedName, dict[str, tuple[bytes, int]]] = {}
    for (sort, by, about), (body, _, _) in core.statements.items():
        if sort == RECEIPT_SORT and about == core.me.node:
            for feed in ReceiptBody.FromString(body).feeds:
                name = FeedName(about, feed.publication, feed.addressee)
                received.setdefault(name, {})[by] = (feed.received_epoch, feed.received_seq)
    found: dict[str, _Sent] = {}
    for name, state in core.feeds.items():
        if name.origin != core.me.node or name.publication in _BOOKKEEPING:
            continue
        waiting, signed = core.waiting.get(name, 0), received.get(name, {})
        for node in {*signed, *_expected(core, state)}:
            epoch, seq = signed.get(node, (state.head.epoch, 0))
            upto = seq if epoch == state.head.epoch else 0
            changes, before = max(0, state.head.seq - upto) + waiting, found.get(node, _Sent())
            sealed_us = _sealed_us(log, state, upto + 1) if changes else 0
            times = [at for at in (before.oldest_us, sealed_us) if at]
            found[node] = _Sent(before.changes + changes, min(times, default=0), expects=True)
    return found


def _expected(core: Core, state: FeedState) -> Sequence[str]:
    """Who has to sign for an own feed, whether it ever did or not."""
    if state.route in (Route.PARENT, Route.ANCESTORS):
        return [core.me.parent] if core.me.parent else []
    return [state.name.addressee] if state.route is Route.NODE else []


def _sealed_us(log: Log, state: FeedState, seq: int) -> int:
    """When an entry was made, by its origin's clock; 0 while it is not sealed."""
    if seq > state.head.seq:
        return 0
    held = log.headers(state.name, state.head.epoch, seq, 1)
    return hlc_us(EntryHeader.FromString(held[0].header).hlc) if held else 0
