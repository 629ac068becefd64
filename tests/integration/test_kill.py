"""kill -9, again and again, on real processes under load: nothing acknowledged is lost or doubled, every store is
sound, and no process is left behind, however its starter ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from node.control.client import ControlClient
from node.demo.reader import fsck
from node.faults import UserFault
from node.testing import Topology
from tests.integration.kit import COLUMNS, THREE_UP, cases, run, same_cases

VICTIMS = ("province", "city", "nation", "province", "city", "province")
ACKNOWLEDGED_BETWEEN = 25
ROWS_AT_ONCE = 3
GONE_S = 60.0


class Load:
    """Puts rows at the city as fast as it answers, over its kills; what was acknowledged is kept here, outside."""

    def __init__(self, net: Topology) -> None:
        self._net = net
        self.up = asyncio.Event()
        self.acknowledged: dict[str, str] = {}
        self.doubtful: dict[str, str] = {}
        """All that was sent: what was never acknowledged may be there or not, but not by half."""
        self._moved = asyncio.Condition()
        self._next = 1

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.up.wait()
            with suppress(UserFault):
                async with ControlClient(self._net["city"].home) as client:
                    await self._write(client)
            self.up.clear()

    async def _write(self, client: ControlClient) -> None:
        """Until the node is gone."""
        while True:
            rows = cases(ROWS_AT_ONCE, first=self._next, supervised=self._next % 2 == 0, text=f"批次{self._next}")
            self._next += ROWS_AT_ONCE
            said = {str(row[0]): str(row[-1]) for row in rows}
            self.doubtful.update(said)
            result = await client.put("case", COLUMNS, rows)
            assert result.accepted == ROWS_AT_ONCE, list(result.rejected)
            self.acknowledged.update(said)
            async with self._moved:
                self._moved.notify_all()

    async def more(self, transactions: int) -> None:
        """Returns when so many more were acknowledged."""
        wanted = len(self.acknowledged) + transactions * ROWS_AT_ONCE
        async with asyncio.timeout(120), self._moved:
            await self._moved.wait_for(lambda: len(self.acknowledged) >= wanted)


def test_killed_again_and_again_under_load_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Province, city and nation are killed in turn while the city writes; then all agree with the ledger."""

    async def work() -> None:
        async with Topology(tmp_path, processes=True) as net:
            pids = {member.pid for member in net.members.values()}
            load = Load(net)
            load.up.set()
            writing = asyncio.create_task(load.run())
            for victim in VICTIMS:
                await load.more(ACKNOWLEDGED_BETWEEN)
                await net[victim].kill()
                if victim != "city":
                    await load.more(ACKNOWLEDGED_BETWEEN)
                await net[victim].start()
                pids.add(net[victim].pid)
                load.up.set()
            await load.more(ACKNOWLEDGED_BETWEEN)
            assert not writing.done(), writing
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await net.level()
            assert same_cases(net, "city", THREE_UP) > len(VICTIMS) * ACKNOWLEDGED_BETWEEN * ROWS_AT_ONCE
            for name in ("city", "province"):
                client = await net[name].client()
                _, rows = await client.query("case", columns=("case_id", "summary"), limit=100_000)
                held = {str(key): str(text) for key, text in rows}
                assert len(held) == len(rows)
                assert load.acknowledged.items() <= held.items()
                extra = held.keys() - load.acknowledged.keys()
                assert extra <= load.doubtful.keys()
                assert len(extra) % ROWS_AT_ONCE == 0
            assert {s["state"] for s in (await net.settled()).values()} == {"working"}
            await net.stop()
            for member in net.members.values():
                report = fsck(member)
                assert report.sound, (member.place.name, report.findings[:3])
                assert report.entries > 0
            assert not [pid for pid in pids if alive(pid)]

    run(work())


def alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


STARTER = """
import asyncio, sys
from pathlib import Path
from node.testing import Topology

async def main() -> None:
    async with Topology(Path(sys.argv[1]), processes=True) as net:
        print(*(member.pid for member in net.members.values()), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_no_node_outlives_a_starter_that_was_killed(tmp_path: Path) -> None:
    """The process that brought up a topology is killed -9: its nodes see their life line end, and stop in order."""
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert starter.stdout is not None
        with starter.stdout as out:
            pids = [int(word) for word in out.readline().split()]
        assert len(pids) == 3
        waits = [os.pidfd_open(pid) for pid in pids]
        starter.send_signal(signal.SIGKILL)
        starter.wait()
        run(_all_gone(waits))
    finally:
        starter.kill()
        starter.wait()


async def _all_gone(waits: list[int]) -> None:
    """Each is a file descriptor that becomes readable when its process ends."""
    loop = asyncio.get_running_loop()
    gone: list[asyncio.Future[None]] = []
    for wait in waits:
        end: asyncio.Future[None] = loop.create_future()
        loop.add_reader(wait, _ended, loop, wait, end)
        gone.append(end)
    async with asyncio.timeout(GONE_S):
        await asyncio.gather(*gone)


def _ended(loop: asyncio.AbstractEventLoop, wait: int, end: asyncio.Future[None]) -> None:
    loop.remove_reader(wait)
    os.close(wait)
    end.set_result(None)


def test_a_topology_that_cannot_start_leaves_nothing_behind(tmp_path: Path) -> None:
    """A node that does not come up: its log is in the message, and those before it are ended."""

    async def work() -> None:
        net = Topology(tmp_path, processes=True, overrides='\n[publications."case.nation"]\nfilter = "nonsense ="\n')
        with pytest.raises((AssertionError, UserFault), match="nonsense"):
            async with net:
                pass
        assert all(member.running is None for member in net.members.values())

    run(work())
