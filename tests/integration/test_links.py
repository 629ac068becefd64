"""How links end: every end is noticed at both sides, at once, and said in the audit log when it was no good order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog

from node import audit
from node.link.pipe import BACKLOG_BYTES_MAX, Pipe
from node.serve import AUDIT_FOLDER
from node.testing import DEMO, Topology
from sync.events import LinkClosed, LinkOpened
from sync.wire.v1.frame_pb2 import Frame, Notice
from tests.integration.kit import cases, has_no_link, put, run

SOON_S = 15.0
"""Far below the 80 s after which silence alone would tell."""


class _Writer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.to_release: list[Callable[[], None]] = []

    def submit(self, item: Any, source: int, size: int = 0, done: Callable[[], None] | None = None) -> None:
        self.told.append(item)
        if done is not None:
            self.to_release.append(done)


class _Ending:
    """A stream that has come to its end."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def read(self) -> bytes | None:
        self.ended.set()
        return None

    async def write(self, frame: bytes) -> None:
        return None


def test_the_writer_hears_of_the_end_however_often_the_call_is_cancelled() -> None:
    """grpc cancels a handler when the peer is gone, also one that is ending already: the link may not stay behind."""

    async def work() -> None:
        with ThreadPoolExecutor(1) as executor:
            for cancels in range(12):
                writer: Any = _Writer()
                opener: Any = None
                pipe = Pipe(7, "peer", writer, opener, executor, structlog.get_logger())
                stream = _Ending()
                task = asyncio.create_task(pipe.run(stream, dialled=False))
                ended = asyncio.create_task(stream.ended.wait())
                await asyncio.wait([task, ended], return_when=asyncio.FIRST_COMPLETED)
                assert ended.done(), task
                for _ in range(cancels):
                    await asyncio.sleep(0)
                while not task.done():
                    task.cancel()
                    await asyncio.sleep(0)
                await asyncio.gather(task, return_exceptions=True)
                assert writer.told == [LinkOpened(7, "peer", False, b""), LinkClosed(7)], cancels

    run(work())


class _Flooding:
    """A peer that sends notices of a megabyte and never waits for anything."""

    def __init__(self) -> None:
        # Bytes that cannot be taken for fields of a message, of which there may not be so many.
        self.frame = Frame(notice=Notice(detail="\x07" * 1_000_000)).SerializeToString()
        self.read_from = 0

    async def read(self) -> bytes | None:
        self.read_from += 1
        return self.frame

    async def write(self, frame: bytes) -> None:
        return None


def test_a_peer_that_does_not_keep_to_its_credit_is_read_no_further_than_that() -> None:
    """What waits for the writer has a bound; when the writer has done with some of it, reading goes on."""

    async def work() -> None:
        with ThreadPoolExecutor(1) as executor:
            writer: Any = _Writer()
            opener: Any = None
            pipe = Pipe(7, "peer", writer, opener, executor, structlog.get_logger())
            stream = _Flooding()
            task = asyncio.create_task(pipe.run(stream, dialled=False))
            async with asyncio.timeout(SOON_S):
                while pipe.backlog <= BACKLOG_BYTES_MAX:  # noqa: ASYNC110 - a pipe tells nobody
                    await asyncio.sleep(0)
                for _ in range(200):
                    await asyncio.sleep(0)
                held = stream.read_from
                assert pipe.backlog <= BACKLOG_BYTES_MAX + len(stream.frame)
                writer.to_release.pop(0)()
                while stream.read_from == held:  # noqa: ASYNC110 - a pipe tells nobody
                    await asyncio.sleep(0)
            assert stream.read_from == held + 1
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(work())


def test_a_parent_notices_at_once_that_its_child_has_stopped(tmp_path: Path) -> None:
    """Again and again: the link is gone from the parent's status when the child is stopped, and back when it starts."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            for _ in range(15):
                await net["province"].stop()
                await net["nation"].until(has_no_link(net["province"]), SOON_S)
                await net["province"].start()
                await net.settled()

    run(work())


def test_a_stop_after_a_kill_is_noticed_too(tmp_path: Path) -> None:
    """As in the demo: the province is killed, comes back, catches up and is stopped in order."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO, processes=True) as net:
            await put(net["hangzhou"], cases(50))
            for round_ in range(2):
                await net["province"].kill()
                await net["nation"].until(has_no_link(net["province"]), SOON_S)
                await put(net["hangzhou"], cases(20, first=100 * (round_ + 1), supervised=True))
                await net["province"].start()
                await net.level()
                await net["province"].stop()
                await net["nation"].until(has_no_link(net["province"]), SOON_S)
                await net["province"].start()
                await net.level()

    run(work())


def test_a_stop_in_good_order_alarms_nobody(tmp_path: Path) -> None:
    """Neither status nor audit log of the neighbours speaks of trouble when a node is stopped and started again."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            await net["province"].restart()
            await net.level()
            for member in net.members.values():
                assert (await member.status())["alarms"] == []
                events = [str(line["event"]) for line in audit.read(member.home / AUDIT_FOLDER)]
                assert "link_closed" not in events

    run(work())
