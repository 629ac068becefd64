"""Nodes that run in a loop of another thread, for tests that call them as another program would."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from node.testing.topology import Place, Topology

T = TypeVar("T")


class Beside:
    """A tree of nodes, running until `end`."""

    WAIT_S: ClassVar[float] = 20.0

    def __init__(self, folder: Path, places: Sequence[Place], **settings: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.net = Topology(folder, places, **settings)
        self.do(self.net.__aenter__())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs work in the nodes' loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(self.WAIT_S)

    def end(self) -> None:
        """Stops the nodes and their loop."""
        self.do(self.net.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
