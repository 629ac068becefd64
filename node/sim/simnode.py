"""One simulated node: the real engine over the real store, in memory, with a fuse that can blow between two effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import TYPE_CHECKING

from node.engine import Engine, Item
from node.granting import take_granted, take_granted_before_compare
from node.kept import take_catalogue
from node.known import StoreKnown
from node.publications import follow, settings_of
from node.revising import ReviseJob, resume
from node.sim.keys import SimKey
from node.sim.places import FEDERATION, Place, Tree, catalogue
from node.sim.releases import FIRST
from node.sim.violation import Crash
from node.store.driver import Connection, connect_memory
from node.store.state import PUBLICATIONS
from node.store.store import Store
from sync.chain import open_run
from sync.core import Identity, Seams
from sync.effects import Act, SaveMeta, Write
from sync.events import Event, FrameArrived, RunArrived
from sync.ports import Rebuilt
from sync.replica import Replica
from sync.schema import RowSchema
from sync.suites import Suites
from sync.values import FeedName
from sync.way import way_over
from sync.wire.v1.entry_pb2 import AnchorBody, EntryHeader
from sync.wire.v1.frame_pb2 import Frame
from tiers.flows.clocks import Calendar
from tiers.judging import TierJudge
from tiers.publishing import TierPublisher

if TYPE_CHECKING:
    from node.sim.network import Connection as Wire

REVISED_ROWS = 3
"""Rows of a changed publication followed in one transaction: few, so that much comes in between."""

OnCommit = Callable[["SimNode", Sequence[Write]], None]


class WatchedStore(Store):
    """A store that tells what each committed transaction wrote."""

    def __init__(self, connection: Connection, schemas: Iterable[RowSchema]) -> None:
        self.written_now: list[Write] = []
        self.on_commit: Callable[[Sequence[Write]], None] = lambda _: None
        super().__init__(connection, schemas)

    def perform(self, write: Write) -> None:
        super().perform(write)
        self.written_now.append(write)

    def commit(self) -> None:
        super().commit()
        written, self.written_now = self.written_now, []
        self.on_commit(written)

    def rollback(self) -> None:
        self.written_now = []
        super().rollback()


class SimNode:
    """A node and what surrounds it: its links, its inbox, its clock's skew, whether it runs."""

    def __init__(
        self,
        place: Place,
        tree: Tree,
        key: SimKey,
        suites: Suites,
        random: Random,
        on_commit: OnCommit,
        copy: str = "",
        calendar: Calendar | None = None,
    ) -> None:
        self.place = place
        self.label = place.short + copy
        self.id = place.node
        self.key = key
        self.old_key: SimKey | None = None
        self.random = random
        self.suites = suites
        self.up = True
        self.enrolled = False
        self.skew = 0
        self.fuse = 0
        self.links: dict[int, Wire] = {}
        self.inbox: list[Item] = []
        self.step_at: int | None = None
        self.dial_at: int | None = None
        self.dial_wait = 0
        self.alarms: Counter[str] = Counter()
        self.replies: list[object] = []
        self.act: Callable[[Act], None] = lambda _: None
        self.standing = tree.standing(place)
        self._site = ""
        self._calendar = calendar
        self.upgrade(FIRST)
        self.clock: Callable[[], int] = lambda: 0
        self._on_commit = on_commit
        self.starts = 0
        self.idle_steps = (0, 0)
        """(second, steps in it since something came)."""

    # --- life -------------------------------------------------------------------------------------------------------

    def start_new(self) -> None:
        """Begins with an empty store and a new instance."""
        store = WatchedStore.in_memory(self.schemas, instance=self.random.randbytes(16))
        assert isinstance(store, WatchedStore)
        self.use(store)
        self.note_settings()

    def note_settings(self) -> None:
        """As the first start of a node leaves it: nothing was published by other settings than these."""
        self.store.begin()
        self.store.perform(SaveMeta(PUBLICATIONS, settings_of(self.publisher)))
        self.store.commit()

    def use(self, store: WatchedStore) -> None:
        """Runs on this store from now on."""
        store.on_commit = lambda _: None
        take_catalogue(store, self.catalogue)
        store.on_commit = lambda written: self._on_commit(self, written)
        store.written_now = []
        take_granted(self.publisher, store, self.clock())
        resume(store, self.publisher)
        self.store = store
        publisher = self.publisher
        self.engine = Engine(
            store,
            self._build,
            publisher,
            lambda act: self.act(act),
            self._between,
            lambda store: take_granted_before_compare(publisher, self.clock, store),
        )

    def restart(self) -> None:
        """Starts again from what is committed, with a new boot id and the settings of now."""
        self.up = True
        self.store.rollback()
        self.use(self.store)
        self.follow()

    def follow(self) -> None:
        """Own feeds are made to say what the settings are now, as at every start of a node."""
        follow(self.engine, self.publisher, self.clock())

    def publish(self, site: str) -> None:
        """An administrator edits what is published; it counts from the next start on."""
        self._site = site
        self.publisher = TierPublisher(catalogue(site, self.release), self.standing)

    def own_publisher(self) -> TierPublisher:
        """One that publishes alike, for a copy of this node: how far it has followed a change is its own affair."""
        return TierPublisher(catalogue(self._site, self.release), self.standing)

    def upgrade(self, release: int) -> None:
        """The program is replaced by one of this release of the catalogue; it counts from the next start on."""
        self.release = release
        self.catalogue = catalogue(release=release)
        self.judge = TierJudge(self.catalogue, self._own_calendar if self._calendar is not None else None)
        self.publish(self._site)

    def _own_calendar(self) -> Calendar:
        assert self._calendar is not None
        return self._calendar

    @property
    def schemas(self) -> list[RowSchema]:
        """Of every dataset that this node's release knows."""
        return [dataset.schema for dataset in self.catalogue.datasets.values()]

    def copy_store(self) -> WatchedStore:
        """A byte copy of the committed database."""
        assert not self.store.in_transaction
        target = connect_memory()
        self.store.session.connection.backup(target)
        return WatchedStore(target, self.store.schemas())

    def _build(self, rebuilt: Rebuilt) -> Replica:
        self.starts += 1
        me = Identity(FEDERATION, self.id, self.place.parent, rebuilt.instance, self.random.randbytes(16), "sim")
        known = StoreKnown(self.store, self.catalogue)
        seams = Seams(
            self.suites, self.key, self.judge, self.publisher, known, self.store, _anchor_body, old_signer=self.old_key
        )
        return Replica(me, seams, rebuilt)

    def _between(self) -> None:
        if self.fuse:
            self.fuse -= 1
            if not self.fuse:
                raise Crash

    @property
    def links_up(self) -> bool:
        """Whether a connection to the parent is open at this end."""
        return any(wire.child is self for wire in self.links.values())

    # --- work -------------------------------------------------------------------------------------------------------

    @property
    def core(self):  # type: ignore[no-untyped-def]
        """The replica's state, for looking at."""
        return self.engine.replica.core

    def receive(self, link: int, data: bytes) -> bool:
        """Decodes a frame as the real node does and puts what it is into the inbox. Whether it ends the session: any
        other sign of life lets the child dial soon again."""
        frame = Frame.FromString(data)
        event: Event = FrameArrived(link, frame)
        if frame.WhichOneof("kind") == "run":
            core = self.engine.replica.core

            def applies(header: EntryHeader) -> bool:
                return core.applies(FeedName(header.origin, header.publication, header.addressee), int(header.route))

            schema, way = self.judge.schema, way_over(core, link)
            event = RunArrived(link, open_run(frame.run, core.registry, self.suites, schema, applies, way))
        self.inbox.append(event)
        return frame.notice.closing

    def step(self, now: int) -> None:
        """One transaction with all that has come. Raises Crash when the fuse blows."""
        items, self.inbox = self.inbox, []
        if self.publisher.revision is not None:
            items.append(ReviseJob(None, self.publisher, self.id, REVISED_ROWS))
        self.engine.step(items, now + self.skew)

    @property
    def busy(self) -> bool:
        """Whether a step should follow at once."""
        core = self.core
        return self.engine.busy or (self.publisher.revision is not None and not (core.recovering or core.settle_due))


def _anchor_body(anchor: object) -> AnchorBody:
    # The root's signature is certs' affair and tested there.
    return AnchorBody.FromString(anchor.body)  # type: ignore[attr-defined]
