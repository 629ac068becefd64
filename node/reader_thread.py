"""Questions for the store beside the writer: in one thread, on one read-only connection."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from node.faults import Code, UserFault
from node.store.faults import StoreFault, StoreTrouble
from node.store.readers import Reader
from node.texts import N_
from sync.schema import RowSchema

T = TypeVar("T")
Question = Callable[[Reader], T]


class ReaderThread:
    """Used from one asyncio loop. monotonic_us: the clock that a question's limit is taken from."""

    def __init__(self, database: Path, schemas: Sequence[RowSchema], monotonic_us: Callable[[], int]) -> None:
        self._database = database
        self._schemas = schemas
        self._monotonic_us = monotonic_us
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._reader: Reader | None = None
        self._until_us = 0
        self._over = threading.Event()
        """Set in a stop: what is being read ends at once, and nothing more is."""

    async def read(self, question: Question[T], limit_s: float = 0) -> T:
        """With a limit it may take so long: all that is read waits for what is being read.

        Raises UserFault READ_TOO_SLOW past the limit, StoreFault.
        """
        ask = self._ask if not limit_s else partial(self._within, limit_s)
        return await asyncio.get_running_loop().run_in_executor(self._thread, ask, question)

    async def end(self) -> None:
        """What is being read is given up, and the connection closed."""
        self._over.set()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    # --- in the thread, which alone uses the reader -------------------------------------------------------------------

    def _within(self, limit_s: float, question: Question[T]) -> T:
        self._until_us = self._monotonic_us() + int(limit_s * 1e6)
        try:
            return self._ask(question)
        except StoreFault as fault:
            if fault.trouble is StoreTrouble.STOPPED and not self._over.is_set():
                raise UserFault(
                    Code.READ_TOO_SLOW,
                    N_("What was asked for takes longer than {seconds} s to find."),
                    N_("Ask for less: a filter on the key or on few rows, fewer rows at a time."),
                    seconds=f"{limit_s:g}",
                ) from fault
            raise
        finally:
            self._until_us = 0

    def _is_over(self) -> bool:
        """Asked while a statement runs."""
        late = self._until_us and self._monotonic_us() > self._until_us
        return bool(late) or self._over.is_set()

    def _ask(self, question: Question[T]) -> T:
        if self._over.is_set():
            raise StoreFault(StoreTrouble.STOPPED, "the node has stopped")
        if self._reader is None:
            self._reader = Reader(self._database, self._schemas, self._is_over)
        try:
            return question(self._reader)
        except StoreFault:
            # It answers nothing more; the next question gets a new one.
            self._close()
            raise

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
