"""Transactions that wait together are made durable together, and nobody is answered before."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from node.app import Node
from node.clock import SystemClock, SystemRandomness
from node.founding import found_nation
from node.serve import Served
from node.store.faults import StoreFault, StoreTrouble
from node.store.store import Store
from node.writer import Writer
from sync.effects import Reply
from tests.integration.kit import run
from tests.integration.test_serving import LISTEN

WAITING = 20


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A nation that was founded and not yet started."""
    made = tmp_path / "nation"
    found_nation(made, tmp_path / "root", "cn-test", "100000", "国家平台", LISTEN, SystemClock(), SystemRandomness())
    return made


@asynccontextmanager
async def busy(writer: Writer) -> AsyncIterator[None]:
    """The writer has begun something else, and is done with it when the block ends."""
    begun, free = threading.Event(), threading.Event()

    def something_else(*_: object) -> None:
        begun.set()
        free.wait()

    asked = asyncio.ensure_future(writer.ask(something_else))
    await asyncio.to_thread(begun.wait)
    yield
    free.set()
    await asked


async def put_all(node: Node) -> list[object]:
    """Each its own transaction, brought while the writer is busy; their answers."""
    names = node.catalogue.datasets["class_code"].schema.names
    async with busy(node.writer):
        puts = [
            node.put_soon("class_code", [tuple({**dict.fromkeys(names), **code(n)}[name] for name in names)])
            for n in range(WAITING)
        ]
    return await asyncio.gather(*puts, return_exceptions=True)


def code(number: int) -> dict[str, object]:
    return {
        "table_name": "x_kinds",
        "code": f"{number:02d}",
        "table_version": 1,
        "name_zh": "类别",
        "is_extension": True,
        "status": "effective",
    }


async def codes(node: Node) -> int:
    return len(await node.read(lambda reader: reader.query("class_code", "1", (), ("code",), 1_000)))


def test_transactions_that_wait_share_one_commit_and_are_answered_after_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty transactions, twenty numbers, one fsync; nothing was said before it."""
    early: list[list[Reply]] = []
    plain = Store.commit

    async def work() -> None:
        async with Served(home) as serving:
            node = serving.node

            def commit(self: Store) -> None:
                early.append([act for act in node.writer._said if isinstance(act, Reply)])
                plain(self)

            await node.writer.ask(lambda *_: None)
            monkeypatch.setattr(Store, "commit", commit)
            answers = await put_all(node)
            assert early == [[]]
            assert len({answer.group for answer in answers}) == WAITING  # type: ignore[attr-defined]
            assert await codes(node) == WAITING

    run(work())


def test_when_the_shared_commit_fails_nobody_is_told_that_it_is_done(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All hear of the fault, and after the next start nothing of theirs is there."""

    def failing(_: Store) -> None:
        raise StoreFault(StoreTrouble.IO, "the disk is gone")

    async def work() -> None:
        with monkeypatch.context() as broken, pytest.raises(StoreFault):
            async with Served(home) as serving:
                await serving.node.writer.ask(lambda *_: None)
                broken.setattr(Store, "commit", failing)
                answers = await put_all(serving.node)
                assert [type(answer) for answer in answers] == [StoreFault] * WAITING
        async with Served(home) as serving:
            assert await codes(serving.node) == 0

    run(work())
