"""All sessions of this node: gives each a number, brings the core's sends to the right one, opens what arrives."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from structlog.typing import FilteringBoundLogger

from node.link.pipe import LinkTrouble, Pipe
from node.writer import Writer
from sync.chain import BadRun, OpenedRun, open_run
from sync.core import Core
from sync.effects import CloseLink, Send
from sync.reasons import Reason
from sync.values import FeedName, Kind
from sync.way import way_over
from sync.wire.v1.entry_pb2 import EntryHeader
from sync.wire.v1.frame_pb2 import Run

OPENING_THREADS = 1
"""Beside the loop and the writer. A second one made them wait for the interpreter more than it helped (ADR 0007)."""


class Switchboard:
    """Knows the live pipes by number. Used in the asyncio loop only, except `open`, which runs in worker threads."""

    def __init__(
        self,
        writer: Writer,
        core: Callable[[], Core],
        log: FilteringBoundLogger,
        troubled: Callable[[str, LinkTrouble], None],
    ) -> None:
        """troubled: told (peer, why) of each session that did not end in good order."""
        self._writer = writer
        self._core = core
        self._log = log
        self._troubled = troubled
        self._pipes: dict[int, Pipe] = {}
        self._numbers = itertools.count(1)
        self._executor = ThreadPoolExecutor(OPENING_THREADS, thread_name_prefix="open-run")

    def pipe(self, peer: str) -> Pipe:
        """A pipe for a new session with `peer`."""
        number = next(self._numbers)
        pipe = Pipe(number, peer, self._writer, partial(self.open, number), self._executor, self._log)
        self._pipes[pipe.number] = pipe
        return pipe

    def release(self, pipe: Pipe) -> None:
        """The session is over."""
        self._pipes.pop(pipe.number, None)
        if pipe.trouble is not None:
            self._troubled(pipe.peer, pipe.trouble)

    def end_all(self) -> None:
        """Ends every session in good order, after what was sent before."""
        for pipe in self._pipes.values():
            pipe.end(Reason.NONE, "")

    def send(self, act: Send) -> None:
        """A frame for a link; one that is gone meanwhile is let go: its peer will ask again."""
        pipe = self._pipes.get(act.link)
        if pipe is not None:
            pipe.send(act.frame)

    def close(self, act: CloseLink) -> None:
        """Ends a session for the core."""
        pipe = self._pipes.get(act.link)
        if pipe is not None:
            pipe.end(act.reason, act.detail)

    def open(self, link: int, run: Run) -> OpenedRun | BadRun:
        """Looks at a run with what the registry says now; the replica checks the head again."""
        core = self._core()

        def wanted(header: EntryHeader) -> bool:
            if int(header.kind) == Kind.ADOPTION:
                return True
            feed = FeedName(header.origin, header.publication, header.addressee)
            return core.applies(feed, int(header.route))

        return open_run(run, core.registry, core.seams.suites, core.seams.judge.schema, wanted, way_over(core, link))

    def shut(self) -> None:
        """Ends the worker threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)
