"""Three real nodes for the contest, from the project's own testing kit."""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from node.control.place import socket_path
from node.store.home import DATABASE_FILE
from node.testing import THREE, Member, Topology
from node.testing.running import OwnProcess
from sync.errors import LocalFault


class NodeTier:
    """One node, as bench.tiersync.Tier wants it. Its process is started and ended without waiting for its word."""

    def __init__(self, member: Member, runner: asyncio.Runner) -> None:
        self._member = member
        self._runner = runner
        self._threads = ThreadPoolExecutor(1)
        self._starting: Future[OwnProcess] | None = None

    @property
    def control(self) -> str:
        """Address of the control socket."""
        return f"unix:{socket_path(self._member.home)}"

    @property
    def node(self) -> str:
        """Its node id."""
        return self._member.node

    @property
    def database(self) -> Path:
        """The store's file."""
        return self._member.home / DATABASE_FILE

    @property
    def link_port(self) -> int:
        """Where children dial."""
        return int(self._member.listen.exchange.rpartition(":")[2])

    def start(self) -> None:
        """Runs the home again; returns at once."""
        process = OwnProcess(self._member.home)
        # Its word that it is ready is awaited beside the contest, whose clock starts when its port opens.
        self._starting = self._threads.submit(asyncio.run, process.start())
        self._member.running = process

    def halt(self) -> None:
        """Orderly end."""
        if self._starting is not None:
            self._starting.result()
            self._starting = None
        self._runner.run(self._member.stop())


class Nodes:
    """Nation, province and city in a temporary folder, enrolled and linked, all knowing `dataset` (TOML)."""

    def __init__(self, dataset: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tiersync-bench-")
        self._runner = asyncio.Runner()
        self._net = Topology(Path(self._folder.name), THREE, processes=True, catalogue=dataset)
        try:
            self._runner.run(self._net.__aenter__())
        except AssertionError as error:
            self._runner.close()
            self._folder.cleanup()
            raise LocalFault(f"the nodes did not come up: {error}") from error
        self.city, self.province, self.nation = (
            NodeTier(self._net[name], self._runner) for name in ("city", "province", "nation")
        )

    def close(self) -> None:
        """Ends the processes, removes the folder."""
        for tier in (self.city, self.province, self.nation):
            tier.halt()
        self._runner.close()
        self._folder.cleanup()
