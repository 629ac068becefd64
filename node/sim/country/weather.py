"""What lines and machines do in a simulated country: links cut for days, connections that break, nodes that stop."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from node.sim.federation import SECOND, Federation
from node.sim.simnode import SimNode

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
CUT_MAX_S = 7 * DAY_S
SILENT_CUT_MAX_S = 5 * DAY_S
"""Who is cut off in silence finds it out up to 32 hours after the way is open again (pace.py)."""
CUT_SHARE = 0.4
"""Of all nodes: cut off from the node above at least once."""
SILENT_SHARE = 0.2
CUT_DOWN_SHARE = 0.5
"""Of all nodes that are cut off: started again meanwhile, as people do who look for the reason."""
DOWN_SHARE = 0.2
DOWN_MEAN_S = 2 * HOUR_S
DOWN_MAX_S = DAY_S
FUSE_SHARE = 0.5
"""Of all stops: between two effects of a transaction or of what follows it, not between two transactions."""
RESET_SHARE = 0.5
SKEW_SHARE = 0.2
SKEW_MAX_US = 600 * SECOND
DIAL_MAX_US = 1_800 * SECOND


class Weather:
    """Arranged at once for the whole time, and over with it."""

    def __init__(self, net: Federation, random: Random) -> None:
        self._net, self._random = net, random
        self.over = False
        self.cuts: list[float] = []
        """Seconds of each cut."""
        self.stops = self.resets = 0
        net.delay_us = (20_000, 400_000)
        net.dial_max_us = DIAL_MAX_US
        net.on_crash = self._crashed
        for node in net.nodes.values():
            if random.random() < SKEW_SHARE:
                node.skew = random.randint(-SKEW_MAX_US, SKEW_MAX_US)

    def arrange(self, seconds: float) -> None:
        """For so long from now on. One cut is as long as any may be."""
        random, below = self._random, [node for node in self._net.nodes.values() if node.place.parent]
        cut = random.sample(below, max(1, round(len(below) * CUT_SHARE)))
        for node in cut:
            silent = node is not cut[0] and random.random() < SILENT_SHARE
            most = min(SILENT_CUT_MAX_S if silent else CUT_MAX_S, seconds / 2)
            length = most if node is cut[0] else random.uniform(HOUR_S, most)
            begin = random.uniform(0, seconds - length)
            self._at(begin, self._cut, node, length, silent)
            if random.random() < CUT_DOWN_SHARE:
                self._at(begin + random.uniform(0, length), self._stop, node)
        for node in self._net.nodes.values():
            if random.random() < DOWN_SHARE:
                self._at(random.uniform(0, seconds), self._stop, node)
            if random.random() < RESET_SHARE:
                self._at(random.uniform(0, seconds), self._reset, node)

    def _at(self, seconds: float, what: Callable[..., None], *about: object) -> None:
        self._net.later(seconds, lambda: None if self.over else what(*about))

    def _cut(self, node: SimNode, length: float, silent: bool) -> None:
        self.cuts.append(length)
        self._net.cut(node.label, silent)
        self._net.later(length, lambda: self._net.heal(node.label))

    def _reset(self, node: SimNode) -> None:
        self.resets += 1
        self._net.reset(node)

    def _stop(self, node: SimNode) -> None:
        self.stops += 1
        if self._random.random() < FUSE_SHARE:
            node.fuse = self._random.randint(1, 40)
        else:
            self._net.crash(node)
            self._crashed(node)

    def _crashed(self, node: SimNode) -> None:
        self._net.later(min(DOWN_MAX_S, self._random.expovariate(1 / DOWN_MEAN_S)), lambda: self._net.restart(node))

    def end(self) -> None:
        """Every way is open, every node runs, and no fuse burns."""
        self.over = True
        self._net.blocked.clear()
        for node in self._net.nodes.values():
            node.fuse = 0
            self._net.restart(node)
