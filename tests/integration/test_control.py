"""The control socket when one end goes away: nothing is left behind at the other, and everything is answered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from node import texts
from node.app import Node
from node.control.client import ControlClient, put_request
from node.control.service import PUTS_UNDER_WAY_MAX
from node.control.v1 import control_pb2 as pb
from node.faults import Code, UserFault
from node.testing import THREE, Topology
from node.texts import LANGUAGES, Text, reasons
from sync.reasons import Reason
from tests.integration.kit import COLUMNS, cases, node_of, put, run
from tiers.door import VOID_REASON_MAX

SOON_S = 15.0
BEHIND = 4 * PUTS_UNDER_WAY_MAX
OFTEN = 10
"""Two in five such calls ended in words of gRPC alone, while the fault was the status of the call."""
UNKNOWN = put_request("nothing", (), ())


def one(number: int) -> pb.PutRows:
    return put_request("case", COLUMNS, cases(1, first=number))


async def without_end(first: pb.PutRows) -> AsyncIterator[pb.PutRows]:
    """A request, and never another."""
    yield first
    await asyncio.Event().wait()


def moving_puts() -> list[asyncio.Task[Any]]:
    """The tasks of both ends that carry requests of a Put, our own or grpc's."""
    carriers = ("Put.<locals>.take", "_send_all", "_consume_request_iterator")
    return [task for task in asyncio.all_tasks() if any(name in repr(task) for name in carriers)]


async def all_end() -> None:
    """Returns when nothing moves puts any more. TimeoutError."""
    async with asyncio.timeout(SOON_S):
        while moving_puts():  # noqa: ASYNC110 - a task that is left behind tells nobody
            await asyncio.sleep(0)


def test_a_caller_that_goes_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with as many puts under way as there may be, none of them answered yet."""
    plain, taken, full = Node.put_soon, [], asyncio.Event()

    def counting(node: Node, *about: Any, **more: Any) -> Any:
        taken.append(about)
        if len(taken) >= PUTS_UNDER_WAY_MAX:
            full.set()
        return plain(node, *about, **more)

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            client = await city.client()
            monkeypatch.setattr(Node, "put_soon", counting)
            go_on = threading.Event()
            held = asyncio.create_task(node_of(city).writer.ask(lambda *_: go_on.wait(SOON_S)))
            call: Any = client.stub.Put()
            for number in range(1, PUTS_UNDER_WAY_MAX + 4):
                await call.write(one(number))
            await full.wait()
            for _ in range(200):
                await asyncio.sleep(0)
            assert len(taken) == PUTS_UNDER_WAY_MAX
            call.cancel()
            await all_end()
            go_on.set()
            assert await held
            await put(city, cases(1, first=500))

    run(work())


def test_requests_that_do_not_end_do_not_outlive_the_call(tmp_path: Path) -> None:
    """The caller leaves after a result, or the node refuses: neither end keeps a task that waits for more."""

    async def work() -> None:
        async with Topology(tmp_path) as net, ControlClient(net["city"].home) as client:
            async with aclosing(client.put_many(without_end(one(1)))) as results:
                assert (await anext(results)).accepted == 1
            await all_end()
            with pytest.raises(UserFault) as said:
                await anext(client.put_many(without_end(UNKNOWN)))
            assert said.value.code is Code.INPUT_FAULT
            await all_end()

    run(work())


def test_a_refusal_is_heard_by_a_caller_who_goes_on_writing(tmp_path: Path) -> None:
    """The results before it too."""
    requests = [one(1), UNKNOWN, *(put_request("case", COLUMNS, cases(50, first=100)) for _ in range(BEHIND))]

    async def work() -> None:
        async with Topology(tmp_path) as net, ControlClient(net["city"].home) as client:
            for _ in range(OFTEN):
                results = []
                with pytest.raises(UserFault) as said:
                    async for result in client.put_many(requests):
                        results.append(result)  # noqa: PERF401 - it raises
                assert said.value.code is Code.INPUT_FAULT
                assert len(results) == 1
            await all_end()

    run(work())


def test_what_the_requests_raise_comes_after_the_results_before_it(tmp_path: Path) -> None:
    """The first is in; the caller hears of both."""

    async def broken() -> AsyncIterator[pb.PutRows]:
        yield one(1)
        raise ValueError("the file ends here")

    async def work() -> None:
        async with Topology(tmp_path) as net, ControlClient(net["city"].home) as client:
            accepted = []
            with pytest.raises(ValueError, match="the file ends here"):
                async for result in client.put_many(broken()):
                    accepted.append(result.accepted)  # noqa: PERF401 - it raises
            assert accepted == [1]

    run(work())


def test_a_put_that_is_refused_leaves_no_trace_in_the_books_of_its_load(tmp_path: Path) -> None:
    """Its number goes to another transaction, whose rows are not the load's to take back."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            client = await city.client()
            rows = cases(2_500)
            await put(city, rows)
            load = (await city.command("load.start", dataset="case", file="x.csv", digest="00" * 32))["load"]
            keys = [row[:1] for row in rows[1:]]
            changed = [(*rows[0][:-1], "changed")]
            with pytest.raises(UserFault) as said:
                await client.put("case", COLUMNS, changed, keys, "理" * VOID_REASON_MAX, load=load)
            assert said.value.code is Code.INPUT_FAULT
            assert await node_of(city).writer.ask(lambda _, store: store.loads.batches(load)) == []
            result = await client.put("case", COLUMNS, changed, load=load)
            written = await node_of(city).writer.ask(lambda _, store: store.loads.batches(load))
            assert [group for group, _ in written] == [result.group]

    run(work())


def test_errors_come_in_the_language_of_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the node itself speaks: those of a put, of a query and of a command."""
    monkeypatch.setenv("TIERSYNC_LANG", "en")
    wanted = {
        language: Text(reasons.words(Reason.UNKNOWN_DATASET).title).say(texts.translator(language))
        for language in LANGUAGES
    }

    async def work() -> None:
        async with Topology(tmp_path, THREE[:1], processes=True) as net, ControlClient(net["nation"].home) as client:
            for language in LANGUAGES:
                monkeypatch.setattr(texts._chosen, "language", language)
                for asked in (
                    client.put("nothing", (), ()),
                    client.query("nothing"),
                    client.command("load.start", dataset="nothing", file="x.csv", digest="00" * 32),
                ):
                    with pytest.raises(UserFault) as said:
                        await asked
                    assert str(said.value.message).startswith(wanted[language])

    run(work())
