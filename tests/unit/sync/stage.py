"""One real node on a stage: its replica, judge and store in memory are real; its neighbours are played by the test.

stage = Stage(PROVINCE)
city = stage.dial_in(CITY)          # hello and compare are done
city.run(forge.run([...]))          # a crafted frame arrives
assert city.said("notice")[-1].reason == Reason.BAD_SEAL
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar

from certs.suites import Ed25519Suite
from node.engine import Engine
from node.store.digests import digest_table
from node.store.fsck import Report, Rules, check_store
from node.store.store import Store
from sync.chain import open_run, run_size
from sync.core import Core, Identity, Seams
from sync.effects import Act, Alarm, CloseLink, Reply, Send
from sync.events import AnchorKnown, Event, FrameArrived, LinkClosed, LinkOpened, RegistryChange, RunArrived
from sync.judge import LocalRows
from sync.ports import Rebuilt
from sync.reasons import Reason
from sync.replica import Replica
from sync.suites import HEADER
from sync.values import Fate, FeedName, Lane, Route, Row
from sync.way import way_over
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody, EnrolmentRecord, EntryHeader, MoveBody
from sync.wire.v1.frame_pb2 import Ack, Credit, Cursor, Cursors, Entry, Frame, Hello, Pong, Run
from sync.wire.v1.frame_pb2 import FeedName as WireFeed
from tests.unit.sync.site import catalogue
from tests.vectors.world import (
    CITY,
    FEDERATION,
    NATION,
    OTHER_CITY,
    OTHER_PROVINCE,
    PROVINCE,
    TRANSPORT,
    Forge,
    anchor_body,
    key,
    record,
    sixteen,
)
from tiers.judging import TierJudge
from tiers.profile import PROFILES, Standing, signing_scope
from tiers.publishing import TierPublisher

START = 1_796_000_000_000_000
SECOND = 1_000_000
PARENT = {NATION: "", PROVINCE: NATION, OTHER_PROVINCE: NATION, CITY: PROVINCE, OTHER_CITY: PROVINCE}
REGION = {NATION: "100000", PROVINCE: "330000", OTHER_PROVINCE: "440000", CITY: "330100", OTHER_CITY: "330200"}
PROFILE = {NATION: "national", PROVINCE: "provincial", OTHER_PROVINCE: "provincial", CITY: "city", OTHER_CITY: "city"}


class Held:
    """Implements sync.judge.Known: the codes in force at the node, which a test may set, and its tasks."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.tables: dict[str, frozenset[str]] = {}

    def codes(self, table: str) -> frozenset[str]:
        return self.tables.get(table, frozenset())

    def task(self, task: str) -> Sequence[MoveBody]:
        return self.store.moves(task)

    def pending(self, task: str) -> Sequence[MoveBody]:
        return self.store.pending_moves(task)

    def succeeds(self, node: str, predecessor: str) -> bool:
        return False


class Numbered(Ed25519Suite):
    """Suite 1 under any number: what follows a change of suite can be shown before there is a second."""

    def __init__(self, number: int) -> None:
        self._number = number

    @property
    def number(self) -> int:
        return self._number


@dataclass
class Played:
    """A neighbour that the test plays, over one link."""

    stage: Stage
    node: str
    link: int
    frames: list[Frame] = field(default_factory=list)
    closed: CloseLink | None = None
    answered: int = 0
    """So many of its frames `answer` has seen."""

    def say(self, **frame: Any) -> None:
        """A frame of any kind arrives from this neighbour, and the node does all that follows at once."""
        self.raw(Frame(**frame).SerializeToString())

    def raw(self, data: bytes) -> None:
        """The same, as bytes."""
        frame = Frame.FromString(data)
        if frame.WhichOneof("kind") == "run":
            self.stage.step(RunArrived(self.link, self.stage.opened(frame.run, self.link)))
        else:
            self.stage.step(FrameArrived(self.link, frame))

    def run(self, run: Run) -> None:
        """A run arrives."""
        self.say(run=run)

    def answer(self) -> None:
        """Answers what came since the last time as an honest neighbour does: pings, and runs with their Ack."""
        fresh, self.answered = self.frames[self.answered :], len(self.frames)
        for frame in fresh:
            if self.closed is None and frame.WhichOneof("kind") == "ping":
                self.say(pong=Pong(nonce=frame.ping.nonce))
            elif self.closed is None and frame.WhichOneof("kind") == "run":
                self.acknowledge(frame.run)

    def acknowledge(self, run: Run) -> None:
        """Says that a run is durable here."""
        last = run.entries[-1].header
        held = Cursor(
            feed=run.feed,
            epoch=run.epoch,
            seq=EntryHeader.FromString(last).seq,
            header_hash=self.stage.suites[1].hash(HEADER + last),
        )
        self.say(ack=Ack(committed=[held], credit=[Credit(lane=run.lane, bytes=run_size(run))]))

    def hello(self, **fields: Any) -> None:
        """Says Hello, well if `fields` do not say otherwise."""
        made: dict[str, Any] = {
            "format": 1,
            "federation": FEDERATION,
            "node": self.node,
            "instance": sixteen("instance " + self.node),
            "boot": sixteen("boot " + self.node),
        } | fields
        self.say(hello=Hello(**made))

    def end(self, *cursors: Cursor) -> None:
        """Says its cursors, and that there are no more."""
        self.say(cursors=Cursors(cursors=cursors, end=True))

    def said(self, kind: str) -> list[Any]:
        """What the node has said to this neighbour, of one kind of frame."""
        return [getattr(f, kind) for f in self.frames if f.WhichOneof("kind") == kind]

    def notices(self) -> list[Reason]:
        """Reasons of the notices it got."""
        return [Reason(n.reason) for n in self.said("notice")]

    def runs(self, feed: FeedName) -> list[Run]:
        """The runs of a feed it got."""
        return [r for r in self.said("run") if FeedName(r.feed.origin, r.feed.publication, r.feed.addressee) == feed]

    def ended(self) -> Reason | None:
        """Why the node closed the session; None while it has not."""
        return self.closed.reason if self.closed else None

    @property
    def acked(self) -> int:
        """Highest seq the node has acknowledged to this neighbour, of any feed but the registry."""
        seqs = [c.seq for a in self.said("ack") for c in a.committed if c.feed.publication != "registry"]
        return max(seqs, default=0)


class Stage:
    """The node under test. Its neighbours' and its own records are known to it as if the registry had brought them."""

    made: ClassVar[list[Stage]] = []
    """Stages of the test at hand: each is proved from its stored bytes when the test ends (conftest.py)."""

    def __init__(self, node: str = PROVINCE, *, with_site: bool = True, suites: int = 1) -> None:
        Stage.made.append(self)
        self.node, self.now, self._ids = node, START, count(1)
        self.suites = {n: Numbered(n) for n in range(1, suites + 1)}
        self.alarms: list[Alarm] = []
        self.replies: list[Any] = []
        self.played: dict[int, Played] = {}
        self.links: list[Played] = []
        self.unsound: set[str] = set()
        """Names of the faults that fsck must find at the end: those that the test brought about."""
        cat = catalogue(with_site)
        profile = PROFILES[PROFILE[node]]
        scope = signing_scope(profile, REGION[node])
        self.publisher = TierPublisher(cat, Standing(node, profile, REGION[node], PARENT[node], NATION, scope))
        self.judge = TierJudge(cat)
        schemas = [d.schema for d in cat.datasets.values()]
        self.store = Store.in_memory(schemas, instance=sixteen("instance " + node))
        self.known = Held(self.store)
        self.boots = count(1)
        self.engine = Engine(self.store, self._build, self.publisher, self._do)
        self.enrol_all()

    def _build(self, rebuilt: Rebuilt) -> Replica:
        boot = sixteen(f"boot {self.node} {next(self.boots)}")
        me = Identity(FEDERATION, self.node, PARENT[self.node], rebuilt.instance, boot, "stage")

        def read(anchor: Anchor) -> AnchorBody | None:
            return AnchorBody.FromString(anchor.body) if anchor.signature == b"s" else None

        seams = Seams(self.suites, key(self.node), self.judge, self.publisher, self.known, self.store, read)
        return Replica(me, seams, rebuilt)

    @property
    def core(self) -> Core:
        """The replica's state."""
        return self.engine.replica.core

    def enrol_all(self) -> None:
        """The anchor, and the first record of every node, as if their registry feeds had come."""
        anchor = Anchor(body=anchor_body().SerializeToString(), signature=b"s").SerializeToString()
        self.step(AnchorKnown(anchor))
        for node in (PROVINCE, OTHER_PROVINCE, CITY, OTHER_CITY):
            self.enrol(record(node, PARENT[node], REGION[node]))

    def remember(self) -> None:
        """After a rebuild: the records that no registry feed here holds, since they were not brought by one."""
        for node in (PROVINCE, OTHER_PROVINCE, CITY, OTHER_CITY):
            self.core.registry.admit(PARENT[node], record(node, PARENT[node], REGION[node]))

    def enrol(self, said: EnrolmentRecord) -> None:
        """A record arrives: by the node's own hand, or by its parent's registry."""
        if said.parent == self.node:
            self.step(RegistryChange("enrol", [said]))
            return
        reason, detail = self.core.registry.admit(said.parent, said)
        assert reason is Reason.NONE, detail
        self.core.registry_grew = True
        self.engine.replica._after_registry()

    def _do(self, act: Act) -> None:
        if isinstance(act, Send):
            self.played[act.link].frames.append(Frame.FromString(act.frame))
        elif isinstance(act, CloseLink):
            self.played.pop(act.link).closed = act
        elif isinstance(act, Alarm):
            self.alarms.append(act)
        elif isinstance(act, Reply):
            self.replies.append(act.value)

    def opened(self, run: Run, link: int = 0) -> Any:
        """As the node's own preparation does for a link; 0: before anything was known of that."""
        return open_run(
            run,
            self.core.registry,
            self.suites,
            self.judge.schema,
            lambda h: self.core.applies(FeedName(h.origin, h.publication, h.addressee), int(h.route)),
            way_over(self.core, link),
        )

    def step(self, *events: Event) -> None:
        """Events, and all that needs no further time."""
        self.engine.step(events, self.now)
        for _ in range(1000):
            if not self.engine.busy:
                return
            self.engine.step((), self.now)
        raise AssertionError("the node does not come to rest")

    def wait(self, seconds: float) -> None:
        """Time passes; what is due is done when it is due."""
        end = self.now + int(seconds * SECOND)
        while (due := self.engine.wake_at) is not None and due <= end:
            self.now = max(self.now, due)
            self.step()
        self.now = end
        self.step()

    def live(self, seconds: float) -> None:
        """Time passes, and the neighbours answer."""
        for _ in range(int(seconds)):
            self.wait(1)
            for played in list(self.played.values()):
                played.answer()

    def dial(self, node: str, key_hash: bytes = TRANSPORT) -> Played:
        """A link stands; nothing is said yet by the neighbour."""
        dialled = node == PARENT[self.node]
        made = Played(self, node, next(self._ids))
        self.played[made.link] = made
        self.links.append(made)
        self.step(LinkOpened(made.link, node, dialled, key_hash))
        return made

    def dial_in(self, node: str, /, *cursors: Cursor, **hello: Any) -> Played:
        """A link past compare."""
        made = self.dial(node)
        made.hello(**hello)
        made.end(*cursors)
        return made

    def cut(self, played: Played) -> None:
        """The link is gone."""
        self.played.pop(played.link, None)
        self.step(LinkClosed(played.link))

    def proved(self) -> Report:
        """What fsck says of the store."""

        def key_of(node: str, version: int) -> tuple[int, bytes] | None:
            found = self.core.registry.enrolment(node, version)
            return (found.suite, found.public_key) if found else None

        def applies(feed: FeedName, route: Route) -> bool:
            return self.core.applies(feed, int(route))

        schemas = self.store.schemas()
        known = self.core.registry
        rules = Rules(self.node, FEDERATION, self.suites, key_of, schemas, self.judge.schema, applies, registry=known)
        return check_store(self.store.session, rules)

    # --- what the node holds ---

    def head(self, feed: FeedName) -> int:
        """Seq of a feed's head, 0 if it is not held."""
        state = self.core.feeds.get(feed)
        return state.head.seq if state else 0

    def alarmed(self) -> list[str]:
        """Names of all alarms so far."""
        return [a.name for a in self.alarms]

    def rows(self, dataset: str, origin: str) -> dict[Any, Row]:
        """Rows held of an origin, by key."""
        return {k: cells for k, _, cells in self.store.scan(dataset, origin)}

    def fates(self, feed: FeedName) -> list[tuple[int, int, str, str]]:
        """(seq, place, fate, reason) of the rows of a feed that were refused or parked."""
        sql = """SELECT seq, place, fate, reason FROM fate JOIN chain ON chain.id = fate.chain
            JOIN feed ON feed.id = chain.feed
            WHERE origin = ? AND publication = ? AND addressee = ? ORDER BY seq, place"""
        told = self.store.session.connection.execute(sql, feed).fetchall()
        return [(seq, place, Fate(fate).name, Reason(reason).name) for seq, place, fate, reason in told]

    def locally(self, dataset: str, *rows: Row) -> LocalRows:
        """Rows of this node's own, with what was before."""
        schema = self.judge.schema("", dataset)
        assert schema is not None
        keys = [tuple(row[schema.names.index(k)] for k in schema.key) for row in rows]
        return LocalRows(dataset, rows, (), self.store.read_rows(dataset, self.node, keys))


# --- what neighbours write ---


CASE_FEED = FeedName(CITY, "case.parent")
CASES = catalogue().publications["case.parent"].columns


def a_case(number: int = 1, **cells: Any) -> list[Any]:
    """A good published row of `case`, with cells set otherwise."""
    made: dict[str, Any] = dict.fromkeys(CASES)
    made.update(
        case_id=f"case-{number}",
        category="event",
        source="inspector",
        division="330106",
        state="handling",
        reported_at=START,
        supervised=False,
    )
    made.update(cells)
    return list(made.values())


class Cases(Forge):
    """The city's feed of cases to its parent."""

    def __init__(self, publication: str = "case.parent", **fields: Any) -> None:
        made: dict[str, Any] = {"route": Route.PARENT, "lane": Lane.NORMAL} | fields
        signer = made.pop("signer", None) or key(CITY)
        super().__init__(FeedName(CITY, publication), signer, **made)

    def put(self, *rows: Sequence[Any], ends: Sequence[Any] = (), **fields: Any) -> Entry:
        """An entry of cases."""
        made: dict[str, Any] = {"columns": CASES, "dataset": "case"} | fields
        return self.records(list(rows) or [a_case(self.seq + 1)], ends, **made)

    def next_run(self, *rows: Sequence[Any], **fields: Any) -> Run:
        """A run of one entry."""
        return self.run([self.put(*rows, **fields)])


def cursor(forge: Forge, seq: int | None = None, said: bytes = b"") -> Cursor:
    """A cursor of a played feed."""
    feed = WireFeed(origin=forge.feed.origin, publication=forge.feed.publication, addressee=forge.feed.addressee)
    return Cursor(
        feed=feed,
        epoch=forge.epoch,
        seq=forge.seq if seq is None else seq,
        header_hash=said or forge.head,
    )


def begun() -> tuple[Stage, Cases, Played, Played]:
    """A province that holds two entries of the city, and links to both its cities."""
    stage, forge = Stage(), Cases()
    city, other = stage.dial_in(CITY), stage.dial_in(OTHER_CITY)
    city.run(forge.run([forge.put(), forge.put()]))
    assert city.acked == 2
    return stage, forge, city, other


def second_version(stage: Stage, **fields: Any) -> EnrolmentRecord:
    """The parent says the city's second enrolment version."""
    said = record(CITY, PROVINCE, "330100", 2, **fields)
    stage.enrol(said)
    return said


def digest_holds(stage: Stage, feed: FeedName, dataset: str = "case") -> bool:
    """The digest kept step by step is that of the rows, by an implementation of its own."""
    state = stage.core.feeds[feed]
    schema = stage.judge.schema("", dataset)
    assert schema is not None
    made = digest_table(stage.store.session.connection, schema, feed.origin, feed)
    return (state.rows, state.digest) == (made.rows, made.digest)
