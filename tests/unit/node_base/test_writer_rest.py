"""The writer's pauses: the WAL goes into the database then, and not while something waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from node.clock import SystemClock
from node.engine import Engine
from node.intake import HERE
from node.writer import Writer

PATIENCE_S = 30


class StoreFake:
    """Counts checkpoints; its WAL is as full as it is told."""

    def __init__(self) -> None:
        self.wal_filled = 0.0
        self.moved_after: list[int] = []
        self.steps = 0
        self.moved = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def checkpoint(self) -> None:
        self.moved_after.append(self.steps)
        self.wal_filled = 0.0
        self.loop.call_soon_threadsafe(self.moved.set)

    def close(self) -> None:
        """Nothing to close."""


class EngineFake:
    """Takes items, each of which fills the WAL."""

    busy = False
    wake_at = None
    replica = None

    def __init__(self, store: StoreFake) -> None:
        self.store = store

    def step(self, items: Sequence[object], now: int) -> bool:
        self.store.steps += len(items)
        if items:
            self.store.wal_filled = 0.5
        return bool(items)


def test_a_writer_at_rest_checkpoints_once_and_after_its_work() -> None:
    """What is queued goes first; one checkpoint for it, and none again before something is written."""

    async def play() -> list[int]:
        store = StoreFake()
        writer = Writer(lambda _: cast(Engine, EngineFake(store)), SystemClock(), lambda _: None)
        for _ in range(200):
            writer.submit(cast(Any, object()), HERE, 400_000)
        await writer.start()
        async with asyncio.timeout(PATIENCE_S):
            await store.moved.wait()
        await writer.ask(lambda *_: None)
        await writer.stop()
        return store.moved_after

    assert asyncio.run(play()) == [200]
