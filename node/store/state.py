"""What a replica starts from, read back. The same after a start, a crash and a failed write."""

from __future__ import annotations

from node.store.faults import StoreFault, StoreTrouble
from node.store.log import Log
from node.store.names import Names
from node.store.records import ANCHOR, Records
from node.store.session import Session
from sync.ports import Rebuilt

_SEEN = "SELECT node, instance, boot, sight FROM seen ORDER BY sight, node"
_STATEMENTS = "SELECT sort, by_node, about, body, signature, detail FROM statement ORDER BY sort, by_node, about"
_EVIDENCE = "SELECT feed, body FROM evidence ORDER BY id"
_OUTBOX_LAST = "SELECT coalesce(max(id), 0) FROM outbox"

PUBLICATIONS = "publications"
"""Meta: the settings that own feeds were written by last, as node/publications.py says them."""
REVISION = "revision"
"""Meta: how far own feeds have followed changed publications, as node/revising.py keeps it; b'' where all have."""


def load_state(session: Session, names: Names, log: Log, records: Records) -> Rebuilt:
    """Reads everything in one go. Raises StoreFault.

    Meta names: instance (bytes), group, outbox_id, counter (int), restored, republish (0 or 1), compared and
    suspended_clone (node ids separated by spaces), recovering (a line for each own feed and neighbour that holds more
    of it: publication, addressee or '-', seq up to which it does, the neighbour).
    """
    instance = records.meta("instance")
    if not isinstance(instance, bytes):
        raise StoreFault(StoreTrouble.REFUSED, "the store has no instance id")
    anchor = records.meta(ANCHOR)
    return Rebuilt(
        instance=instance,
        group=_number(records, "group"),
        outbox_id=max(_number(records, "outbox_id"), session.first(_OUTBOX_LAST)[0]),
        counter=_number(records, "counter"),
        feeds=records.feeds(),
        outbox_feeds=log.outbox_counts(),
        anchor=anchor if isinstance(anchor, bytes) else b"",
        seen=session.rows(_SEEN),
        statements=session.rows(_STATEMENTS),
        evidence=[(names.feed_name(feed), body) for feed, body in session.rows(_EVIDENCE)],
        restored=_number(records, "restored") == 1,
        compared=_nodes(records, "compared"),
        republish=_number(records, "republish") == 1,
        recovering=_recovering(records),
        suspended_clone=_nodes(records, "suspended_clone"),
    )


def _number(records: Records, name: str) -> int:
    value = records.meta(name)
    return value if isinstance(value, int) else 0


def _recovering(records: Records) -> dict[tuple[str, str], dict[str, int]]:
    value = records.meta("recovering")
    found: dict[tuple[str, str], dict[str, int]] = {}
    for line in value.splitlines() if isinstance(value, str) else ():
        publication, addressee, until, peer = line.split(" ")
        found.setdefault((publication, "" if addressee == "-" else addressee), {})[peer] = int(until)
    return found


def _nodes(records: Records, name: str) -> frozenset[str]:
    value = records.meta(name)
    return frozenset(value.split()) if isinstance(value, str) else frozenset()
