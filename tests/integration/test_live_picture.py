"""The demo's moving picture, on something that says it is a terminal."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

from rich.console import Console

from node.demo.live import STAGE_TITLES, LivePicture
from node.testing import THREE, Topology
from node.texts import _


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
                async with asyncio.timeout(20):
                    while not all(m.place.name in picture.seen for m in net.members.values()):  # noqa: ASYNC110 - a picture tells nobody
                        await asyncio.sleep(0)

    asyncio.run(watch())
    drawn = out.getvalue()
    for wanted in (_(STAGE_TITLES["load"]), "city: 1 / 1", *(place.title for place in THREE), "exchange"):
        assert wanted in drawn, wanted
