"""Work that goes on in the loop for as long as the node runs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


class Background:
    """One task of the loop. What it does can be ended anywhere: what is left is found again after the next start."""

    def __init__(self) -> None:
        self._running: asyncio.Task[None] | None = None

    def begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Starts it."""
        self._running = asyncio.create_task(work, name=name)

    async def stop(self) -> None:
        """Ends it wherever it is."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
