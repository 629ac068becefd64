"""The demo's moving picture, on something that says it is a terminal."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from node.demo.live import STAGE_TITLES, LivePicture
from node.testing import THREE, Topology
from node.texts import _

ALL_LINKED = {"nation": "", "province": "exchange", "city": "exchange"}


async def _until(shown: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not shown():  # noqa: ASYNC110 - a picture tells nobody
            await asyncio.sleep(0.01)


def test_the_picture_shows_the_stage_the_tree_and_the_links(tmp_path: Path) -> None:
    """It draws from the first moment, before any node is known, and then every node with the state of its link."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=140, height=40)

    async def watch() -> None:
        async with LivePicture(console) as picture:
            picture.stage("start")
            async with Topology(tmp_path, THREE) as net:
                picture.watch(net)
                picture.stage("load")
                picture.says("city: 1 / 1")
                await _until(lambda: picture.shown == ALL_LINKED)

    asyncio.run(watch())
    drawn = out.getvalue()
    for wanted in (_(STAGE_TITLES["load"]), "city: 1 / 1", *(place.title for place in THREE), _("linked")):
        assert wanted in drawn, wanted


def test_the_picture_follows_a_node_through_its_restart(tmp_path: Path) -> None:
    """Away while it is away, its city without a link; and as soon as they work again it says so, again and again."""
    console = Console(file=io.StringIO(), force_terminal=True, width=140, height=40)

    async def watch() -> None:
        async with LivePicture(console) as picture, Topology(tmp_path, THREE) as net:
            picture.watch(net)
            await _until(lambda: picture.shown == ALL_LINKED)
            for _round in range(3):
                await net["province"].stop()
                await _until(lambda: picture.shown == {"nation": "", "city": ""})
                await net["province"].start()
                await _until(lambda: picture.shown == ALL_LINKED)

    asyncio.run(watch())
