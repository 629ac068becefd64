"""What must be true once everything works again: no feed behind, no row otherwise than its origin says, fsck sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from node.sim.federation import Federation
from node.sim.places import FEDERATION
from node.sim.simnode import SimNode
from node.sim.violation import Violation
from node.store.fsck import Rules, check_store
from node.store.rowsql import TAKEN_OVER, key_text
from sync.effects import FeedState
from sync.judge import LocalRows
from sync.statements import RECEIPT_SORT
from sync.values import MOVES, REFUSALS, FeedName, Route, Row
from sync.wire.v1.frame_pb2 import ReceiptBody


def frozen_feeds(net: Federation) -> set[FeedName]:
    """Feeds in which two entries at one seq are held somewhere, or that somebody has frozen."""
    found: set[FeedName] = set()
    for node in net.nodes.values():
        found.update(state.name for state in node.core.feeds.values() if state.frozen)
    return found | {name for name, _ in _contradictions(net)}


def _contradictions(net: Federation) -> Iterator[tuple[FeedName, list[SimNode]]]:
    """Feeds whose holders disagree, with all their holders."""
    holders: dict[FeedName, list[tuple[SimNode, FeedState]]] = {}
    for node in net.nodes.values():
        for state in node.core.feeds.values():
            if state.head.seq:
                holders.setdefault(state.name, []).append((node, state))
    for name, held in holders.items():
        longest = max((state for _, state in held), key=lambda s: s.head.seq)
        branch = _branch(net, longest)
        if any(branch.get(state.head.seq) != state.head.hash for _, state in held):
            yield name, [node for node, _ in held]


def _branch(net: Federation, state: FeedState) -> dict[int, bytes]:
    """The hashes below a head."""
    model = net.watch.models[state.name, state.head.epoch]
    hashes: dict[int, bytes] = {}
    at = state.head.hash
    while (told := model.told.get(at)) is not None:
        hashes[told.seq] = at
        at = told.prev
    return hashes


def behind(net: Federation, waiting: bool = False) -> Iterator[str]:
    """What is not level yet, in words. waiting: rows may still be parked, for a release that a node does not know."""
    frozen = frozen_feeds(net)
    may_wait = waiting or any(name.publication.startswith("class_code") for name in frozen)
    for node in net.nodes.values():
        core = node.core
        if core.recovering or core.republishing or core.restored:
            yield f"{node.label} is recovering or restored"
        if node.publisher.revision is not None:
            yield f"{node.label} is following a change of publications"
        for link in core.links.values():
            if not link.working:
                yield f"{node.label} has a link in {link.phase.value}"
        for feed, count in core.waiting.items():
            if count and feed not in frozen and not core.succeeded_by:
                yield f"{node.label} has {count} in the outbox of {feed}"
        for state in list(core.feeds.values()):
            if state.name.origin == node.id and state.head.seq and state.name not in frozen:
                yield from _receivers_behind(net, node, state, may_wait)
    yield from _forks_untold(net)


def _receivers_behind(net: Federation, origin: SimNode, state: FeedState, may_wait: bool) -> Iterator[str]:
    for receiver in net.tree.audience(state.name, state.route):
        node = net.node_of(receiver)
        held = node.core.feeds.get(state.name)
        if held is None or held.head != state.head:
            yield f"{node.label} holds {held.head.seq if held else 0} of {state.head.seq} of {state.name}"
            continue
        if held.parked and not may_wait:
            yield f"{node.label} has {held.parked} rows of {state.name} parked"
        elif origin.core.waiting.get(state.name):
            pass  # it was succeeded, and its rows are ahead of what it could say
        elif not (held.parked or held.refused) and (held.digest, held.rows) != (state.digest, state.rows):
            yield f"{node.label} has other rows of {state.name} than its origin ({held.rows}, {state.rows})"
        told = state.name.publication == REFUSALS or _receipt_says(origin, receiver, state, applied=not held.parked)
        if not told:
            yield f"{origin.label} has no receipt of {node.label} for {state.name}"


def _receipt_says(origin: SimNode, receiver: str, state: FeedState, applied: bool) -> bool:
    found = origin.core.statements.get((RECEIPT_SORT, receiver, origin.id))
    if found is None:
        return False
    for said in ReceiptBody.FromString(found[0]).feeds:
        if (said.publication, said.addressee) == state.name[1:]:
            return said.received_hash == state.head.hash and (said.applied_hash == state.head.hash) is applied
    return False


def _forks_untold(net: Federation) -> Iterator[str]:
    """Whoever holds a feed whose holders disagree must have proof and have frozen it."""
    for name, nodes in _contradictions(net):
        for node in nodes:
            if name not in node.core.evidence or not node.core.feeds[name].frozen:
                yield f"{node.label} holds {name}, which forked, and has not frozen it"


def moves_differ(net: Federation, tasks: list[tuple[str, str, str]]) -> Iterator[str]:
    """Both sides of a task must have one and the same history, and nothing pending; unless a fork parted them."""
    frozen = frozen_feeds(net)
    for task, issuer, holder in tasks:
        if issuer in net.succeeded or holder in net.succeeded:
            continue  # its last moves may never have left it
        ends = net[issuer].id, net[holder].id
        if any(FeedName(one, MOVES, other) in frozen for one, other in (ends, ends[::-1])):
            continue
        here, there = net[issuer].store, net[holder].store
        ours = [(m.number, m.move_id, m.accepted, m.state) for m in here.moves(task)]
        theirs = [(m.number, m.move_id, m.accepted, m.state) for m in there.moves(task)]
        if ours != theirs:
            yield f"{task}: {issuer} has {len(ours)} moves, {holder} {len(theirs)}"
        if there.pending_moves(task):
            yield f"{task}: {holder} waits for an answer"


def check_shown(net: Federation) -> None:
    """Above a city that was merged its rows are shown but for those that its successor took over. Raises Violation."""
    for old, new in net.succeeded.items():
        if any(feed.origin in (net[old].id, net[new].id) for feed in frozen_feeds(net)):
            continue
        taken = {
            row[2] for _, _, row in net[new].store.scan(TAKEN_OVER, net[new].id) if row[:2] == (net[old].id, "case")
        }
        for place in net.tree.places:
            if not net.tree.is_below(net[old].id, place.node):
                continue
            node = net.node_of(place.node)
            held = {key for key, _, _ in node.store.scan("case", net[old].id)}
            found = node.store.session.rows('SELECT case_id FROM view_case WHERE "_origin" = ?', (net[old].id,))
            if {(key,) for (key,) in found} != {key for key in held if key_text(key) not in taken}:
                raise Violation("shown_twice_or_never", f"{node.label}: rows of {old}, which merged into {new}")


def check_stores(net: Federation, nodes: list[SimNode]) -> None:
    """Runs fsck in these nodes' stores. Raises Violation."""
    for node in nodes:
        core = node.core

        def key_of(origin: str, version: int, core=core) -> tuple[int, bytes] | None:  # type: ignore[no-untyped-def]
            found = core.registry.enrolment(origin, version)
            return (found.suite, found.public_key) if found else None

        def applies(feed: FeedName, route: Route, node: SimNode = node) -> bool:
            return node.id in net.tree.audience(feed, route)

        rules = Rules(
            node.id,
            FEDERATION,
            net.suites,
            key_of,
            node.schemas,
            node.catalogue.schema,
            applies,
            lambda dataset, row, node=node: published(node, dataset, row),  # type: ignore[misc]
            core.registry,
        )
        report = check_store(node.store.session, rules)
        if not report.sound:
            raise Violation("fsck", f"{node.label}: {'; '.join(str(f) for f in report.findings[:4])}")


def published(node: SimNode, dataset: str, row: Row) -> Mapping[FeedName, tuple[tuple[str, ...], Row]]:
    """What own feeds must say of a row."""
    said: dict[FeedName, tuple[tuple[str, ...], Row]] = {}
    for out in node.publisher.publish(LocalRows(dataset, [row], (), {})):
        if out.puts:
            said[FeedName(node.id, out.publication, out.addressee)] = (out.columns, out.puts[0])
    return said


def settle(net: Federation, tasks: list[tuple[str, str, str]], seconds: int = 240, waiting: bool = False) -> int:
    """Waits until everything is level, and says how many virtual seconds it took. Raises Violation.

    waiting: as in `behind`.
    """
    found: list[str] = []
    for waited in range(0, seconds, 5):
        found = [*behind(net, waiting), *moves_differ(net, tasks)]
        if not found:
            return waited
        net.run(5)
    raise Violation("not_level", f"after {seconds} s: {'; '.join(found[:6])}")
