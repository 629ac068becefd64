"""The tasks of the demo: a key task in parts, supervision through an outage, and the proof of both by files."""

from __future__ import annotations

import time

from node.demo import cut_off, key_task
from node.demo.proof import prove
from node.demo.scene import Demo


async def coordination(demo: Demo) -> None:
    """All three; how long they took together is a figure of its own."""
    started = time.monotonic()
    whole = await key_task.work_through(demo)
    crossed = await cut_off.work_through(demo)
    await prove(demo, {"nation": (whole, crossed)})
    demo.verdict.coordination_seconds = time.monotonic() - started
