"""The demo from start to verdict. Exit code 0 only if every check held and every digest agrees."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from node.clock import SystemRandomness
from node.demo.live import LivePicture, Silent, verdict_tables
from node.demo.scene import Demo
from node.demo.stages import STAGES
from node.demo.verdict import Verdict
from node.demo.words import plain
from node.faults import UserFault
from node.store import driver
from node.testing import DEMO, Topology
from node.testing.peer import SessionOver
from node.texts import N_, Text, _
from sync.errors import SyncError

ENDS_EARLY = (AssertionError, OSError, SessionOver, UserFault, SyncError, driver.Error)
"""What a node that does wrong, or is gone, makes the stages end with: a failed verdict. Anything else is a bug here."""


def main(*, as_json: bool = False, keep: bool = False, live: bool = True) -> int:
    """Runs the demo in a temporary folder, which stays if `keep`. 0 passed, 1 failed."""
    watched = live and not as_json and sys.stderr.isatty()
    console = Console(stderr=True)
    if keep:
        kept = Path(tempfile.mkdtemp(prefix="tiersync-demo-"))
        verdict = asyncio.run(_run(kept, console, watched))
        console.print(_("The five homes are in {folder}").format(folder=kept))
    else:
        with tempfile.TemporaryDirectory(prefix="tiersync-demo-") as folder:
            verdict = asyncio.run(_run(Path(folder), console, watched))
    value = verdict.as_json()
    console.print(verdict_tables(value))
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    return 0 if verdict.passed else 1


async def _run(folder: Path, console: Console, watched: bool) -> Verdict:
    verdict = Verdict()
    started = time.monotonic()
    picture = LivePicture(console) if watched else Silent(console)
    async with picture:
        picture.stage("start")
        net = Topology(folder, DEMO, processes=True)
        try:
            async with net:
                picture.watch(net)
                demo = Demo(net, verdict, picture, SystemRandomness())
                for stage in STAGES:
                    await stage(demo)
        except ENDS_EARLY as error:
            notes = "\n".join(getattr(error, "__notes__", ()))
            what = plain(f"{type(error).__name__}: {error}\n{notes}")
            verdict.check("went_through", False, Text(N_("The demo goes through to its end")), what)
    verdict.seconds = time.monotonic() - started
    return verdict
