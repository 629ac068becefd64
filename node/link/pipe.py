"""One session's bytes: frames from the stream become events, in order; frames from the core go out, in order.

Runs are opened (hashed, verified, decoded) in worker threads while the writer applies the one before: these steps
release the interpreter's lock. A small run is opened in place, because a hop through a thread costs more than that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from functools import partial
from typing import Protocol

from google.protobuf.message import DecodeError
from structlog.typing import FilteringBoundLogger

from node.writer import Writer
from sync import limits
from sync.chain import BadRun, OpenedRun
from sync.counting import count_parts
from sync.events import Event, FrameArrived, LinkClosed, LinkOpened, RunArrived
from sync.reasons import Reason
from sync.wire.v1.frame_pb2 import Frame, Notice, Run

OPEN_IN_PLACE_BYTES = 8 * limits.KIB
SCAN_FROM_BYTES = 64 * limits.KIB
RUN_PARTS_MAX = limits.RUN_ENTRIES_MAX + 64
"""A frame's second level: a run's entries and its own few fields."""
FRAME_PARTS_MAX = 8 * limits.RUN_ENTRIES_MAX
"""Down to the third level: the fields of entries, the heads of a statement, the headers of evidence."""
PREPARED_AHEAD_MAX = 8
OUT_FRAMES_MAX = 4_096
BACKLOG_BYTES_MAX = limits.URGENT_CREDIT_BYTES + limits.BULK_CREDIT_BYTES + limits.MESSAGE_BYTES_MAX
"""Read and not yet handled: a peer that keeps to its credit never gets there, and another is not read any further."""
LAST_WORDS_S = 1.0
ENDING_S = 10.0
"""For what was sent before the end: a peer that does not read would else keep the session as long as it likes."""

Opener = Callable[[Run], OpenedRun | BadRun]


class Stream(Protocol):
    """The two directions of a call, as bytes. `read` gives b'' or None at the end."""

    async def read(self) -> bytes | None: ...

    async def write(self, frame: bytes) -> None: ...


class LinkTrouble(Exception):
    """Why a session ended: the core or the peer said so."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.name}: {detail}")
        self.reason = reason
        self.detail = detail


class Pipe:
    """Carries one session between a stream and the writer."""

    def __init__(
        self, number: int, peer: str, writer: Writer, opener: Opener, executor: Executor, log: FilteringBoundLogger
    ) -> None:
        self.number = number
        self.peer = peer
        self._writer = writer
        self._open = opener
        self._executor = executor
        self._log = log
        self._out: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._ordered: asyncio.Queue[tuple[Awaitable[Event] | Event, int] | None] = asyncio.Queue(PREPARED_AHEAD_MAX)
        self.backlog = 0
        """Bytes of frames that were read and that the writer has not handled."""
        self._room = asyncio.Event()
        self._ended: LinkTrouble | None = None
        self._ending = asyncio.Event()
        self.heard = asyncio.Event()
        """Set by the first frame that came: the peer lives."""

    # --- from the core ----------------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Queues a frame; what may be under way is bounded by the core's credit."""
        if self._ended is not None:
            return
        if self._out.qsize() >= OUT_FRAMES_MAX:
            self.end(Reason.LIMIT_EXCEEDED, "the peer does not read")
            return
        self._out.put_nowait(frame)

    def end(self, reason: Reason, detail: str) -> None:
        """Ends the session after what was sent before. Reason.NONE: in good order."""
        if self._ended is None:
            self._ended = LinkTrouble(reason, detail)
            self._out.put_nowait(None)
            self._ending.set()

    def break_off(self, reason: Reason, detail: str) -> None:
        """Ends the session from outside of the core; the peer is told why."""
        notice = Notice(reason=int(reason), detail=detail, closing=True)
        self.send(Frame(notice=notice).SerializeToString())
        self.end(reason, detail)

    @property
    def trouble(self) -> LinkTrouble | None:
        """Why the session ended, if not in good order and somebody said so."""
        return self._ended if self._ended is not None and self._ended.reason is not Reason.NONE else None

    # --- running ----------------------------------------------------------------------------------------------------

    async def run(self, stream: Stream, *, dialled: bool, transport_key_hash: bytes = b"") -> LinkTrouble | None:
        """Until either side ends it; says why, if somebody said so. Whatever happens, the writer hears of the end."""
        self._writer.submit(LinkOpened(self.number, self.peer, dialled, transport_key_hash), self.number)
        tasks = [
            asyncio.create_task(self._read(stream), name=f"read {self.peer}"),
            asyncio.create_task(self._forward(), name=f"forward {self.peer}"),
            asyncio.create_task(self._write(stream), name=f"write {self.peer}"),
            asyncio.create_task(self._outlast(), name=f"outlast {self.peer}"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._ended is not None and tasks[2] not in done:
                await asyncio.wait([tasks[2]], timeout=LAST_WORDS_S)
            for task in done:
                error = task.exception()
                if error is not None:
                    self._log.info("link_broke", peer=self.peer, error=type(error).__name__)
        finally:
            for task in tasks:
                task.cancel()
            try:
                await asyncio.gather(*tasks, return_exceptions=True)
            finally:
                # grpc may cancel a second time while we wait: the peer's end of stream and its reset come apart.
                self._writer.submit(LinkClosed(self.number), self.number)
        return self.trouble

    async def _read(self, stream: Stream) -> None:
        try:
            await self._read_all(stream)
        except LinkTrouble as trouble:
            # The peer may dial again: it compares anew, so nothing is lost.
            self.break_off(trouble.reason, trouble.detail)

    async def _read_all(self, stream: Stream) -> None:
        while data := await stream.read():
            self.heard.set()
            if len(data) > limits.MESSAGE_BYTES_MAX:
                raise LinkTrouble(Reason.LIMIT_EXCEEDED, f"a frame of {len(data)} bytes")
            self.backlog += len(data)
            await self._ordered.put((self._event(data), len(data)))
            while self.backlog > BACKLOG_BYTES_MAX:
                self._room.clear()
                await self._room.wait()
        await self._ordered.put(None)
        await asyncio.sleep(LAST_WORDS_S)

    def _event(self, data: bytes) -> Awaitable[Event] | Event:
        if len(data) > SCAN_FROM_BYTES and (
            count_parts(data, RUN_PARTS_MAX) > RUN_PARTS_MAX
            or count_parts(data, FRAME_PARTS_MAX, depth=3) > FRAME_PARTS_MAX
        ):
            raise LinkTrouble(Reason.LIMIT_EXCEEDED, "a frame of too many parts")
        try:
            frame = Frame.FromString(data)
        except DecodeError as error:
            raise LinkTrouble(Reason.MALFORMED, "a frame does not parse") from error
        if frame.WhichOneof("kind") != "run":
            return FrameArrived(self.number, frame)
        if len(data) <= OPEN_IN_PLACE_BYTES and self._ordered.empty():
            return RunArrived(self.number, self._open(frame.run))
        return asyncio.get_running_loop().run_in_executor(self._executor, self._opened, frame.run)

    def _opened(self, run: Run) -> Event:
        return RunArrived(self.number, self._open(run))

    async def _forward(self) -> None:
        while (item := await self._ordered.get()) is not None:
            coming, size = item
            event = await coming if isinstance(coming, Awaitable) else coming
            brings = event.run.size if isinstance(event, RunArrived) else 0
            self._writer.submit(event, self.number, brings, partial(self._handled, size))

    def _handled(self, size: int) -> None:
        self.backlog -= size
        self._room.set()

    async def _write(self, stream: Stream) -> None:
        while (frame := await self._out.get()) is not None:
            await stream.write(frame)

    async def _outlast(self) -> None:
        """Returns when the end has come and the time for what was sent before is over too."""
        await self._ending.wait()
        await asyncio.sleep(ENDING_S)
