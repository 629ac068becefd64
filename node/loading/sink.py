"""A load through the control socket of a running node: batches, several under way at once, and the load's books.

    with open_sink(home, dataset, file, loader) as sink:
        report = loader.run(sink, on_reject=sink.keep)
        sink.finish(report.counts)

The loader converts in the caller's thread while a thread of the sink's own sends and receives. How many batches are
under way is fixed, so that the same file gives its rejects in the same order every time.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from node.control.client import ControlClient, put_request
from node.control.v1 import control_pb2 as pb
from node.faults import Code, UserFault
from node.loading.load import Batch, Counts, Loader, Outcome, Reject, Rejected
from node.loading.underway import held
from node.storable import visible
from node.texts import N_
from sync.phrase import Phrase
from sync.reasons import Reason

T = TypeVar("T")

UNDER_WAY: Final = 4
REJECTS_AT_ONCE: Final = 1_000


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="sink", daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs work there, and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def end(self) -> None:
        self.do(_settle())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _settle() -> None:
    """Ends what still runs in this loop: a call that was broken off has its own end to tell."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


class ControlSink:
    """Implements node.loading.load.Sink and Pipeline, and keeps the load's books. Used from one thread.

    number: the load's id in the node's books; 0 for a dry run, which has none.
    """

    def __init__(self, client: ControlClient, loop: Loop, number: int) -> None:
        self.number = number
        self._client = client
        self._loop = loop
        self._counts = Counts()
        self._rejects: list[dict[str, Any]] = []
        self._finished = not number

    def put(self, batch: Batch) -> Outcome:
        """One batch. Raises UserFault."""
        ((_, outcome),) = self.put_all([batch])
        return outcome

    def put_all(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Outcome]]:
        """Each batch with its outcome, in order. Raises UserFault."""
        stream = _Stream(self._client, self._loop.loop)
        waiting: deque[Batch] = deque()
        try:
            for batch in batches:
                stream.send(self._request(batch))
                waiting.append(batch)
                if len(waiting) >= UNDER_WAY:
                    yield waiting.popleft(), self._outcome(stream.receive())
            stream.send(None)
            while waiting:
                yield waiting.popleft(), self._outcome(stream.receive())
        finally:
            stream.close()

    @property
    def done(self) -> int:
        """Rows that the node has answered for, and let in."""
        return self._counts.taken + self._counts.unchanged

    def keep(self, reject: Reject) -> None:
        """Puts a reject into the load's books; a dry run keeps none. Raises UserFault."""
        self._rejects.append(
            {
                "line": reject.line,
                "reason": int(reject.reason),
                "detail": visible(reject.detail.say()),
                "key": reject.key,
                "source": reject.source,
            }
        )
        if len(self._rejects) >= REJECTS_AT_ONCE:
            self._send_rejects()

    def finish(self, counts: Counts | None = None) -> None:
        """Closes the load's books, with what went through this sink if nothing else is said. Raises UserFault."""
        self._send_rejects()
        if self._finished:
            return
        self._finished = True
        said = counts or self._counts
        about: dict[str, Any] = {"written": said.taken, "unchanged": said.unchanged, "rejected": said.rejected}
        lines = said.taken + said.unchanged + said.rejected
        self._loop.do(self._client.command("load.finish", load=self.number, lines=lines, **about))

    def flush(self) -> None:
        """Puts what was kept so far into the books. Raises UserFault."""
        self._send_rejects()

    def _send_rejects(self) -> None:
        waiting, self._rejects = self._rejects, []
        if waiting and self.number:
            self._loop.do(self._client.command("load.rejects", load=self.number, rejects=waiting))

    def _request(self, batch: Batch) -> pb.PutRows:
        return put_request(
            batch.dataset, batch.columns, batch.rows, dry_run=batch.dry_run, load=self.number, lines=batch.lines
        )

    def _outcome(self, result: pb.PutResult) -> Outcome:
        rejected = [Rejected(r.index, _reason(r.reason), Phrase(*r.words), r.key) for r in result.rejected]
        warned = [Rejected(w.index, Reason.NONE, Phrase(*w.words), w.key) for w in result.warned]
        self._counts.taken += result.accepted
        self._counts.unchanged += result.unchanged
        self._counts.rejected += len(rejected)
        return Outcome(result.accepted, result.unchanged, rejected, warned, result.warnings)


@contextmanager
def open_sink(home: Path, dataset: str, file: Path, loader: Loader, *, dry_run: bool = False) -> Iterator[ControlSink]:
    """A sink into the running node of a home.

    A load that breaks off stays open in the books. Raises UserFault that says what is in then, and what to do.
    """
    loop = Loop()
    client = ControlClient(home)
    try:
        loop.do(client.__aenter__())
        if dry_run:
            yield ControlSink(client, loop, 0)
            return
        begun = loop.do(client.command("load.start", dataset=dataset, file=visible(file.name), digest=loader.digest))
        sink = ControlSink(client, loop, int(begun["load"]))
        with held(home, sink.number), _told(sink):
            yield sink
            sink.finish()
    finally:
        loop.do(client.__aexit__(None, None, None))
        loop.end()


@contextmanager
def _told(sink: ControlSink) -> Iterator[None]:
    """A fault in the middle of a load also says how far the load came."""
    try:
        yield
    except UserFault as fault:
        if fault.code is Code.FILE_HEADER and not sink.done:
            sink.finish()
            raise
        raise UserFault(
            fault.code,
            N_("Load {load} broke off; {rows} rows of the file or more are in, and stay. {fault}"),
            N_(
                "Load the file again when this is mended: what is in is not doubled (`tiersync unload {load}` would "
                "take it back). To mend it: {todo}"
            ),
            fault=fault.message,
            todo=fault.next_step,
            load=sink.number,
            rows=sink.done,
        ) from fault


class _Stream:
    """One Put call, driven from a thread that is not the loop's."""

    def __init__(self, client: ControlClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self._requests: asyncio.Queue[pb.PutRows | None] = asyncio.Queue()
        self._results: SimpleQueue[pb.PutResult | BaseException] = SimpleQueue()
        self._running = asyncio.run_coroutine_threadsafe(self._run(), loop)

    def send(self, request: pb.PutRows | None) -> None:
        """Sends a transaction; None: no more come."""
        self._loop.call_soon_threadsafe(self._requests.put_nowait, request)

    def receive(self) -> pb.PutResult:
        """The next result. Raises what the call met."""
        result = self._results.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def close(self) -> None:
        """Ends the call, finished or not."""
        self._running.cancel()

    async def _run(self) -> None:
        try:
            async for result in self._client.put_many(self._ahead()):
                self._results.put(result)
        except BaseException as error:
            self._results.put(error)
            if not isinstance(error, UserFault):
                raise
        # A node that ends the stream early would leave the loader waiting for ever.
        self._results.put(_ended())

    async def _ahead(self) -> AsyncIterator[pb.PutRows]:
        while (request := await self._requests.get()) is not None:
            yield request


def _ended() -> UserFault:
    return UserFault(
        Code.NODE_NOT_RUNNING,
        N_("The node ended the transfer before all rows were in."),
        N_("Start it with `tiersync run` (or systemctl start tiersync)."),
    )


def _reason(number: int) -> Reason:
    """A reason of a node that is newer than this program counts as a broken rule; its words say what it was."""
    return Reason(number) if number in Reason._value2member_map_ else Reason.RULE_BROKEN
