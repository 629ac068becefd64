"""A session whose peer does not read: what waits for it is bounded, and so is the time that it holds the session."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import Any, cast

import pytest
import structlog

from node.link import pipe
from node.link.pipe import OUT_FRAMES_MAX, Opener, Pipe
from node.writer import Writer
from sync.events import LinkClosed
from sync.reasons import Reason

PATIENCE_S = 30


class Deaf:
    """A stream whose peer lives, says nothing and takes nothing."""

    def __init__(self) -> None:
        self.offered: list[bytes] = []

    async def read(self) -> bytes:
        await asyncio.Event().wait()
        return b""

    async def write(self, frame: bytes) -> None:
        self.offered.append(frame)
        await asyncio.Event().wait()


class WriterFake:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def submit(self, item: Any, *_: object) -> None:
        self.told.append(item)


def piped() -> tuple[Pipe, WriterFake]:
    """A pipe, and what stands behind it."""
    writer = WriterFake()
    log = structlog.get_logger()
    return Pipe(1, "c", cast(Writer, writer), cast(Opener, None), cast(Executor, None), log), writer


@pytest.mark.parametrize(
    ("sent", "reason"),
    [(OUT_FRAMES_MAX + 2, Reason.LIMIT_EXCEEDED), (3, Reason.TIMEOUT)],
    ids=["too much waits", "the core ends it"],
)
def test_a_peer_that_does_not_read_cannot_keep_its_session(
    monkeypatch: pytest.MonkeyPatch, sent: int, reason: Reason
) -> None:
    """It ends with its reason though nothing can be said any more, the core hears of it, and nothing more is queued."""
    for name in ("ENDING_S", "LAST_WORDS_S"):
        monkeypatch.setattr(pipe, name, 0.0)

    async def play() -> None:
        carrying, writer = piped()
        stream = Deaf()
        running = asyncio.create_task(carrying.run(stream, dialled=False))
        for _ in range(sent):
            carrying.send(b"frame")
        if reason is not Reason.LIMIT_EXCEEDED:
            carrying.end(reason, "nothing comes")
        carrying.send(b"late")
        assert carrying._out.qsize() <= OUT_FRAMES_MAX + 1
        async with asyncio.timeout(PATIENCE_S):
            trouble = await running
        assert trouble is not None
        assert trouble.reason is reason
        assert isinstance(writer.told[-1], LinkClosed)
        assert len(stream.offered) <= 1

    asyncio.run(play())
