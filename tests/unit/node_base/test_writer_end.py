"""Whatever ends the writer, nobody waits for ever for an answer of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from node.clock import SystemClock
from node.engine import Engine
from node.store.faults import StoreFault, StoreTrouble
from node.writer import Ticket, Writer

PATIENCE_S = 30


class StoreFake:
    """Nothing in it."""

    wal_filled = 0.0

    def close(self) -> None:
        """Nothing to close."""


class EngineFake:
    """Fails at the first thing it is given."""

    busy = False
    wake_at = None
    replica = None

    def __init__(self, fault: Exception) -> None:
        self.store = StoreFake()
        self.fault = fault

    def step(self, items: Sequence[object], now: int) -> bool:
        raise self.fault


class Job:
    """Anything that is answered."""

    def __init__(self, ticket: Ticket[Any]) -> None:
        self.token = ticket


@pytest.mark.parametrize(
    "fault", [StoreFault(StoreTrouble.IO, "the disk is gone"), AssertionError("a mistake of ours")]
)
def test_every_piece_that_was_brought_is_answered(fault: Exception) -> None:
    """Those of the batch that failed, those that waited behind it, and those that come too late."""

    async def play() -> list[BaseException | None]:
        writer = Writer(lambda _: cast(Engine, EngineFake(fault)), SystemClock(), lambda _: None)
        tickets = [writer.ticket() for _ in range(200)]
        for ticket in tickets:
            writer.submit(cast(Any, Job(ticket)))
        await writer.start()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait([ticket.future for ticket in tickets])
            late = writer.ticket()
            writer.submit(cast(Any, Job(late)))
            await asyncio.wait([late.future])
        with pytest.raises(type(fault)):
            await writer.stop()
        return [ticket.future.exception() for ticket in (*tickets, late)]

    assert asyncio.run(play()) == [fault] * 201


def test_after_a_stop_the_answer_is_that_it_has_stopped() -> None:
    """A question that comes late is no mistake of the store."""

    async def play() -> None:
        writer = Writer(lambda _: cast(Engine, EngineFake(AssertionError())), SystemClock(), lambda _: None)
        writer._open_engine = lambda _: cast(Engine, _Idle(AssertionError()))
        await writer.start()
        await writer.stop()
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(StoreFault, match="the node has stopped"):
                await writer.ask(lambda *_: None)

    asyncio.run(play())


class _Idle(EngineFake):
    def step(self, items: Sequence[object], now: int) -> bool:
        return False
