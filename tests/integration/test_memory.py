"""What a node holds in memory does not grow with the sessions and runs that it has seen."""

from __future__ import annotations

from pathlib import Path

from node.clock import SystemRandomness
from node.testing import Topology
from node.testing.peer import dial, held, run_of
from node.testing.running import resident_kib
from sync.values import FeedName
from tests.integration.kit import cases, put, run, seq

RUNS = 10
"""Of each session."""
WARM_UP = 50
SESSIONS = 200
GROWTH_KIB_MAX = 6
"""Of a session with its runs. A link, a task or an entry that is kept is more."""


def test_sessions_and_runs_leave_nothing_behind(tmp_path: Path) -> None:
    """A child that dials hundreds of times and brings thousands of runs: the parent's resident memory stays."""

    async def work() -> None:
        async with Topology(tmp_path, processes=True) as net:
            city, province = net["city"], net["province"]
            name = FeedName(city.node, "case.parent")
            await put(city, cases(50))
            await province.until(lambda s: seq(s, str(name)) == 1)
            await city.stop()
            state, entries = held(city.home, name, 1)
            # What is held already is answered and not stored again: the store's own cache stays as it is.
            known = run_of(name, state.head.epoch, entries)
            boot, warm = SystemRandomness().bytes(16), 0
            for session in range(WARM_UP + SESSIONS):
                if session == WARM_UP:
                    warm = resident_kib(province.pid)
                async with dial(city.home, boot=boot) as peer:
                    for _ in range(RUNS):
                        assert (await peer.offer(known)).WhichOneof("kind") == "ack"
            assert resident_kib(province.pid) - warm <= SESSIONS * GROWTH_KIB_MAX
            await city.start()
            await net.level()

    run(work())
