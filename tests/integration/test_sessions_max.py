"""A parent whose places are all taken says so, and when to come again; a child that was turned away comes in later."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from node.link import server
from node.link.server import SESSIONS_PER_CHILD_MAX, LinkServer
from node.serve import LOG_FOLDER
from node.telemetry import LOG_NAME
from node.testing import DEMO, Member, Topology
from node.testing.peer import SessionOver, dial
from tests.integration.kit import cases, has_no_link, node_of, put, run


async def without(province: Member, *children: Member) -> LinkServer:
    """Stops the children and waits until their parent has seen it; who keeps the places there."""
    for child in children:
        await child.stop()
    for child in children:
        await province.until(has_no_link(child))
    listening = node_of(province)._server
    assert listening is not None
    return listening


def test_more_children_than_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One place for two cities: the second waits outside, and gets in when the first is gone."""
    monkeypatch.setattr(server, "RETRY_AFTER_S", 1)

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            inside, outside, province = net["hangzhou"], net["ningbo"], net["province"]
            places = await without(province, inside, outside)
            places._children_max = 1
            await inside.start()
            await put(inside, cases(3))
            await province.until(lambda s: any(link["peer"] == inside.node for link in s["links"]))
            await outside.start()
            status = await outside.until(lambda s: s["parent_link"]["state"] == "refused")
            assert status["parent_link"]["detail"] == "too many sessions; come again later"
            assert '"sessions_full"' in (province.home / LOG_FOLDER / LOG_NAME).read_text("utf-8")
            await inside.stop()
            await outside.until(lambda s: s["parent_link"]["state"] == "connected")
            places._children_max = 2
            await inside.start()
            await net.level()

    run(work())


def test_one_child_cannot_take_the_places_of_the_others(tmp_path: Path) -> None:
    """It holds a few sessions at a time; the next one is turned away, and another child comes in all the same."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            greedy, other, province = net["hangzhou"], net["ningbo"], net["province"]
            places = await without(province, greedy, other)
            places._children_max = 2
            async with AsyncExitStack() as sessions:
                for _ in range(SESSIONS_PER_CHILD_MAX):
                    await (await sessions.enter_async_context(dial(greedy.home, hello=False))).settle()
                with pytest.raises(SessionOver, match="too many sessions"):
                    await sessions.enter_async_context(dial(greedy.home, hello=False))
                await other.start()
                await other.until(lambda s: s["parent_link"]["state"] == "connected")
            await province.until(has_no_link(greedy))
            await greedy.start()
            await net.level()

    run(work())
