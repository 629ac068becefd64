"""A relay that keeps a city's work from the nation: it can delay, but not unseen."""

from __future__ import annotations

from random import Random

from node.sim.federation import Federation
from node.sim.heal import frozen_feeds
from node.sim.network import Connection
from node.sim.simnode import SimNode
from node.sim.violation import Violation
from node.sim.work import Put, case_row
from sync.limits import WITHHELD_AFTER_US
from sync.wire.v1.frame_pb2 import Frame, HeadsBody

STATED_WITHIN_S = 15
NUMBER = 900
"""A case that the ordinary work leaves alone."""


class Swallower:
    """Stands in the way of what one node sends up: runs of one origin go no further, and later nor does its word."""

    def __init__(self, label: str, origin: str) -> None:
        self.label = label
        self._origin = origin
        self.statements_too = False

    def pass_on(self, node: SimNode, wire: Connection, data: bytes) -> list[tuple[Connection, bytes]]:
        """What really goes out instead of a frame, and where."""
        if node.label != self.label or wire.child is not node:
            return [(wire, data)]
        frame = Frame.FromString(data)
        kind = frame.WhichOneof("kind")
        if kind == "run" and frame.run.feed.origin == self._origin:
            return []
        if kind == "statements" and self.statements_too:
            for index in reversed(range(len(frame.statements.heads))):
                if HeadsBody.FromString(frame.statements.heads[index].body).origin == self._origin:
                    del frame.statements.heads[index]
            return [(wire, frame.SerializeToString())]
        return [(wire, data)]


def swallow(net: Federation, random: Random) -> str:
    """A city of a level federation has a case for the nation, and its province keeps it back, then all statements of
    that city too. Says which city. Raises Violation if the nation raises no alarm in time."""
    frozen = {feed.origin for feed in frozen_feeds(net)}
    able = [n for n in net.nodes.values() if n.place.profile == "city" and n.id not in frozen]
    able = [n for n in able if n.label not in net.succeeded]
    able = [n for n in able if net.node_of(n.place.parent).place.profile == "provincial"]
    if not able:
        return ""
    city, nation = random.choice(able), net["n"]
    relay = net.node_of(city.place.parent)
    before = nation.alarms["feed_withheld"]
    net.liar = swallower = Swallower(relay.label, city.id)
    row = case_row(NUMBER, city.place.region, supervised=True, at=net.now, release=city.release)
    net.submit(city, Put(city.id, "case", [row]))
    net.run(STATED_WITHIN_S)
    swallower.statements_too = True
    net.run(WITHHELD_AFTER_US / 1_000_000 + STATED_WITHIN_S)
    net.liar = None
    net.reset(relay)
    if nation.alarms["feed_withheld"] == before:
        raise Violation(
            "withheld_unseen", f"{relay.label} keeps back what {city.label} stated, and the nation is silent"
        )
    return city.label
