"""The writer thread: it alone owns the replica and the store. Everybody else puts items in its queue and awaits.

asyncio only moves bytes; one hop through this thread carries a whole batch of what has come meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from node.clock import Clock
from node.engine import Engine, Item
from node.intake import HERE, Intake, Waiting
from node.store.faults import StoreFault, StoreTrouble
from node.store.store import Store
from sync import limits
from sync.effects import Act, Alarm
from sync.replica import Replica

T = TypeVar("T")

BATCH_ITEMS_MAX = 64
BATCH_BYTES_MAX = 512 * limits.KIB
"""Of runs in one transaction: what is passed on waits for it, and so does every Ack."""
REST_S = 1.0
"""When nothing came for so long, the WAL is moved into the database. The fuller it is, the shorter a rest will do."""
_ASKED_STOP = object()


class Ticket(Generic[T]):
    """An answer to come: the token of a local event, resolved in the asyncio loop once its transaction is durable."""

    __slots__ = ("_loop", "future")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.future: asyncio.Future[T] = loop.create_future()

    def resolve(self, value: T | BaseException) -> None:
        """Called in the loop."""
        if self.future.done():
            return
        if isinstance(value, BaseException):
            self.future.set_exception(value)
        else:
            self.future.set_result(value)


@dataclass(slots=True)
class Ask(Generic[T]):
    """A question about replica and store, answered in the writer's thread between other work; writes nothing."""

    token: Ticket[T]
    question: Callable[[Replica, Store], T]


class Writer:
    """Runs an Engine in its own thread. `act` is called in the asyncio loop with acts in order, after each commit."""

    def __init__(
        self,
        open_engine: Callable[[Callable[[Act], None]], Engine],
        clock: Clock,
        act: Callable[[Sequence[Act]], None],
    ) -> None:
        self._open_engine = open_engine
        self._clock = clock
        self._act = act
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Waiting[Any]] = SimpleQueue()
        self._intake: Intake[Any] = Intake(BATCH_ITEMS_MAX, BATCH_BYTES_MAX)
        self._asked_stop = False
        self._wrote = True
        self._said: list[Act] = []
        self._waited_for: set[Ticket[Any]] = set()
        self._wall = clock.now_us() - clock.monotonic_us()
        self.engine: Engine | None = None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._started: asyncio.Future[None] = self._loop.create_future()
        self.stopped: asyncio.Future[None] = self._loop.create_future()

    async def start(self) -> None:
        """Returns when the store is open and the replica stands. Raises what opening raises."""
        self._thread.start()
        await self._started

    def now(self) -> int:
        """Microseconds since 1970, never going back: the wall clock at start plus the monotonic one."""
        return self._wall + self._clock.monotonic_us()

    def ticket(self) -> Ticket[Any]:
        """A token for a local event or job. One that is still open when the thread ends is told why it did."""
        ticket: Ticket[Any] = Ticket(self._loop)
        if self.stopped.done():
            ticket.resolve(self._why_over())
        else:
            self._waited_for.add(ticket)
            ticket.future.add_done_callback(lambda _: self._waited_for.discard(ticket))
        return ticket

    def submit(
        self, item: Item | Ask[Any], source: int = HERE, size: int = 0, done: Callable[[], None] | None = None
    ) -> None:
        """Queues an item behind those of its source; `size` and `done` as node.intake.Waiting. From any thread."""
        self._queue.put(Waiting(source, item, size, done))

    async def call(self, make: Callable[[Ticket[Any]], Item]) -> Any:
        """Submits what `make` builds around a fresh token, and waits for its Reply. Raises what the Reply holds."""
        ticket = self.ticket()
        self.submit(make(ticket))
        return await ticket.future

    async def ask(self, question: Callable[[Replica, Store], T]) -> T:
        """Asks replica and store something, in their thread."""
        ticket: Ticket[T] = self.ticket()
        self.submit(Ask(ticket, question))
        return await ticket.future

    async def stop(self) -> None:
        """Finishes what this node itself has queued, closes the store, ends the thread.

        What links brought and was not taken yet is dropped: nothing of it was acknowledged, and a peer would else say
        how long this takes. Raises what made the thread fail, now or before.
        """
        if self._thread.ident is None or self.engine is None:
            return
        self._queue.put(Waiting(HERE, _ASKED_STOP))
        await asyncio.wait([self.stopped])
        self.stopped.result()

    # --- in the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            engine = self.engine = self._open_engine(self._said.append)
        except BaseException as error:
            self._loop.call_soon_threadsafe(self._started.set_exception, error)
            return
        self._loop.call_soon_threadsafe(self._started.set_result, None)
        failure: BaseException | None = None
        try:
            with closing(engine.store):
                self._work(engine)
        except BaseException as error:
            failure = error
        # Whatever happened, also in closing: who waits for the thread hears that it is over.
        self._loop.call_soon_threadsafe(self._end, failure)

    def _work(self, engine: Engine) -> None:
        """Batch after batch until asked to stop."""
        try:
            while self._round(engine):
                pass
        except BaseException as error:
            # The store is final after a fault (fsync errors are), and a mistake of ours must not go on with half a
            # thought: the process ends, and is started again by systemd from what is committed.
            said = {"detail": f"{type(error).__name__}: {error}"}
            of_store = isinstance(error, StoreFault)
            # What it said before is of what was committed.
            self._tell([*self._said, Alarm("store_failed", said) if of_store else Alarm("writer_failed", said)])
            raise

    def _end(self, error: BaseException | None) -> None:
        """In the loop: says that the thread is over."""
        if self.stopped.done():
            return
        if error is None:
            self.stopped.set_result(None)
        else:
            self.stopped.set_exception(error)
            self.stopped.exception()  # looked at, so that asyncio does not complain where nobody waits
        for ticket in list(self._waited_for):
            ticket.resolve(self._why_over())

    def _why_over(self) -> BaseException:
        return self.stopped.exception() or StoreFault(StoreTrouble.STOPPED, "the node has stopped")

    def _round(self, engine: Engine) -> bool:
        """One batch; False when asked to stop and nothing waits any more."""
        items: list[Item] = []
        batch = self._take(engine)
        for waiting in batch:
            if isinstance(waiting.item, Ask):
                self._answer(waiting.item, engine)
            else:
                items.append(waiting.item)
        self._wrote = engine.step(items, self.now()) or self._wrote
        if items or self._said:
            # Also when nothing is to be done: whoever follows the status wants to see what the events changed.
            self._tell(list(self._said))
            self._said.clear()
        done = [waiting.done for waiting in batch if waiting.done is not None]
        if done:
            self._loop.call_soon_threadsafe(_call, done)
        return not self._asked_stop or bool(self._intake)

    def _take(self, engine: Engine) -> list[Waiting[Any]]:
        """What waits in the queue, after waiting for something to do."""
        wait: float | None = 0.0
        if not engine.busy and not self._intake and not self._asked_stop:
            wait = None if engine.wake_at is None else max(0.0, (engine.wake_at - self.now()) / 1e6)
        filled = engine.store.wal_filled if self._wrote and wait != 0.0 else 0.0
        rest = REST_S * (1 - filled)
        resting = bool(filled) and (wait is None or wait > rest)
        try:
            self._let_in(self._queue.get(block=wait != 0.0, timeout=rest if resting else wait))
            while True:
                self._let_in(self._queue.get_nowait())
        except Empty:
            if self._asked_stop:
                self._intake.keep(HERE)
            batch = self._intake.take()
        if resting and not batch:
            engine.store.checkpoint()
            self._wrote = False
        return batch

    def _let_in(self, waiting: Waiting[Any]) -> None:
        if waiting.item is _ASKED_STOP:
            self._asked_stop = True
        else:
            self._intake.add(waiting)

    def _answer(self, ask: Ask[Any], engine: Engine) -> None:
        try:
            value: Any = ask.question(engine.replica, engine.store)
        except Exception as error:
            value = error
        self._loop.call_soon_threadsafe(ask.token.resolve, value)

    def _tell(self, acts: Sequence[Act]) -> None:
        self._loop.call_soon_threadsafe(self._act, acts)


def _call(done: Sequence[Callable[[], None]]) -> None:
    for one in done:
        one()
