"""The one writer: takes events, performs what the replica asks for, in order, one transaction for a batch of events.

Used alike by the running node (in its writer thread) and by the simulator (in the test's own thread). After a failure
the replica is thrown away and rebuilt from the store, which is also how it starts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from node.republish import find_differences
from node.store.state import REVISION
from node.store.store import Store
from sync.effects import Act, Effect, Reply, Republish, SaveMeta, WakeAt
from sync.errors import LocalFault
from sync.events import (
    BeforeCommit,
    Committed,
    Event,
    FetchAttachment,
    LocalDifferences,
    LocalMove,
    LocalPut,
    LocalRevised,
    RegistryChange,
    Tick,
)
from sync.judge import Publisher
from sync.ports import Rebuilt
from sync.replica import Replica


class Job(Protocol):
    """Work of the node itself that reads or writes the store inside the batch's transaction, and may yield events."""

    @property
    def token(self) -> object:
        """What answers the caller."""
        ...

    def run(self, store: Store) -> Sequence[Step]:
        """Called with a transaction open. A LocalFault it raises goes to `token`, and by contract nothing was written
        before it. What it returns is done in order, up to an event that is refused; a Reply is given once the
        transaction is durable.
        """
        ...


Item = Event | Job
Step = Event | Reply | Callable[[Store], None]
"""Of a job. A function writes what goes with the events before it, which the replica has taken by then."""


class Engine:
    """Replica and store of one node under one owner.

    build makes a replica from what the store holds; do performs one act (sends, alarms, replies); between is called
    before each effect and may raise, which is how the simulator crashes a node at any point; compared is called before
    own rows are compared with own feeds, outside of a transaction.
    """

    def __init__(
        self,
        store: Store,
        build: Callable[[Rebuilt], Replica],
        publisher: Publisher,
        do: Callable[[Act], None],
        between: Callable[[], None] | None = None,
        compared: Callable[[Store], None] | None = None,
    ) -> None:
        self.store = store
        self._build = build
        self._publisher = publisher
        self._do = do
        self._between = between
        self._compared = compared
        self._wake_at: int | None = None
        self._queue: deque[Event] = deque()
        self.replica = build(store.load_state())

    @property
    def wake_at(self) -> int | None:
        """When the replica wants a Tick (microseconds); None = when something happens."""
        return self._wake_at

    @property
    def busy(self) -> bool:
        """Whether a step should follow at once, without waiting for a new event."""
        return bool(self._queue) or self.replica.more

    def step(self, items: Sequence[Item], now: int) -> bool:
        """One transaction: all the items, a Tick if one is due, the seals; then the commit; then the acts, in order.
        Whether anything was written.

        Raises StoreFault if the store failed (nothing was said; the caller reopens it), and whatever `between` raises.
        """
        acts: list[Act] = []
        replica = self.replica
        events: list[Item] = [*self._queue, *items]
        self._queue.clear()
        if replica.more or (self._wake_at is not None and self._wake_at <= now):
            self._wake_at = None
            events.append(Tick())
        for item in events:
            self._one(item, now, acts)
        self._perform(replica.handle(BeforeCommit(), now), acts)
        wrote = self.store.in_transaction
        if wrote:
            self._pause()
            self.store.commit()
        self._act(acts)
        after: list[Act] = []
        self._perform(replica.handle(Committed(), now), after)
        assert not self.store.in_transaction, "passing on writes nothing"
        self._act(after)
        return wrote

    def rebuild(self) -> None:
        """Drops what is not committed and starts again from the store, as after a crash."""
        self.store.rollback()
        self._queue.clear()
        self._wake_at = None
        self.replica = self._build(self.store.load_state())

    def _one(self, item: Item, now: int, acts: list[Act]) -> None:
        if isinstance(item, Event):
            found: Sequence[Step] = (item,)
        else:
            self._begin()
            try:
                found = item.run(self.store)
            except LocalFault as fault:
                acts.append(Reply(item.token, fault))
                return
        for step in found:
            if isinstance(step, Reply):
                acts.append(step)
            elif not isinstance(step, Event):
                step(self.store)
            elif not self._taken(step, now, acts):
                return

    def _taken(self, event: Event, now: int, acts: list[Act]) -> bool:
        """Gives an event to the replica. False if it refused a local change, whose caller is then told."""
        try:
            effects = self.replica.handle(event, now)
        except LocalFault as fault:
            if not isinstance(event, LocalPut | LocalMove | LocalRevised | RegistryChange | FetchAttachment):
                raise
            acts.append(Reply(event.token, fault))
            return False
        self._perform(effects, acts)
        if isinstance(event, LocalDifferences):
            self._begin()
            self.store.perform(SaveMeta(REVISION, b""))
            self._publisher.levelled()
        return True

    def _begin(self) -> None:
        if not self.store.in_transaction:
            self.store.begin()

    def _perform(self, effects: Sequence[Effect], acts: list[Act]) -> None:
        """Writes go into the transaction now, acts wait for the commit."""
        for effect in effects:
            if isinstance(effect, Act):
                acts.append(effect)
                continue
            self._begin()
            self._pause()
            self.store.perform(effect)

    def _act(self, acts: Sequence[Act]) -> None:
        for act in acts:
            self._pause()
            if isinstance(act, WakeAt):
                self._wake_at = act.at if self._wake_at is None else min(self._wake_at, act.at)
            elif isinstance(act, Republish):
                if self._compared is not None:
                    self._compared(self.store)
                self._queue.append(find_differences(self.store, self._publisher, self.replica))
            else:
                self._do(act)

    def _pause(self) -> None:
        if self._between is not None:
            self._between()
