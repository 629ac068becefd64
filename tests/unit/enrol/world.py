"""Parents that run: home, writer thread, enrolment port; and a link between two of them, all in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from certs.anchor import open_anchor
from certs.invite import Approval
from certs.suites import SUITES
from node import audit
from node.audit import AuditLog
from node.certifying import NoCertificate
from node.clock import SystemClock, SystemRandomness
from node.config import Config, ListenSection
from node.engine import Engine
from node.enrol.client import NO_CHILDREN, Joined, Progress, join
from node.enrol.invites import Invitations, Made, advertised
from node.enrol.lists import Wish
from node.enrol.service import Certificates, EnrolmentServer, EnrolmentService, Limits, make_issuer
from node.faults import UserFault
from node.founding import Founded, found_nation
from node.identity import NodeIdentity, read_home
from node.link.papers import server_credentials
from node.store.home import DATABASE_FILE, check_instance
from node.store.store import Store
from node.writer import Writer
from sync.chain import BadRun, OpenedRun, open_run
from sync.core import Core, Identity, Seams
from sync.effects import Act, Reply, Send
from sync.errors import RemoteFault
from sync.events import AnchorKnown, FrameArrived, LinkOpened, RunArrived
from sync.judge import Judgement, Known, LocalRows, MoveJudgement, Outgoing, Signer
from sync.ports import Rebuilt
from sync.reasons import Reason
from sync.replica import Replica
from sync.rows import RowBatch
from sync.schema import RowSchema
from sync.values import REGISTRY, Fate, FeedName, Row
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody, EntryHeader, MoveBody
from sync.wire.v1.frame_pb2 import Frame, Run

FEDERATION = "cn-test"
NATION = "n100000.cn-test"
PROVINCE = "p330000.cn-test"
CITY = "c330100.p330000.cn-test"
MUNICIPALITY = "c310000.cn-test"
DAY_US = 86_400 * 1_000_000
LISTEN = ListenSection(exchange="127.0.0.1:0", enrolment="127.0.0.1:0", advertise_exchange="127.0.0.1:7001")
RANDOM = SystemRandomness()
MUNICIPAL = Wish("310000", "city", "上海市", approval=Approval.AUTOMATIC)
PROVINCIAL = Wish("330000", "provincial", "浙江省", approval=Approval.AUTOMATIC)


class ShiftedClock:
    """The machine's clock, moved: `shift_us` may change while a test runs."""

    def __init__(self, shift_us: int = 0) -> None:
        self.shift_us = shift_us
        self._clock = SystemClock()

    def now_us(self) -> int:
        return self._clock.now_us() + self.shift_us

    def monotonic_us(self) -> int:
        return self._clock.monotonic_us() + self.shift_us


CLOCK = ShiftedClock()
USUAL = Limits()


class Nobody:
    """Above a node that has a CA of its own nobody is asked."""

    async def obtain(self, node: str, csr: bytes) -> Sequence[bytes]:
        raise NoCertificate(Reason.NONE, f"nobody issues for {node}", NATION)


NOBODY = Nobody()


class NoData:
    """Judge, Publisher and Known of a node that has no datasets."""

    def schema(self, publication: str, dataset: str) -> RowSchema | None:
        return None

    def records(self, header: EntryHeader, batch: RowBatch, signer: Signer, known: Known) -> Judgement:
        return Judgement([], [])

    def move(
        self, header: EntryHeader, body: MoveBody, signer: Signer, known: Known, here: str, now: int
    ) -> MoveJudgement:
        return MoveJudgement(Fate.REFUSED, Reason.UNKNOWN_FLOW, "")

    def lacks(self, dataset: str, columns: Sequence[str], row: Row) -> bool:
        return False

    def publish(self, rows: LocalRows) -> Sequence[Outgoing]:
        return ()

    def levelled(self) -> None:
        pass

    def codes(self, table: str) -> frozenset[str]:
        return frozenset()

    def task(self, task: str) -> Sequence[MoveBody]:
        return ()

    def pending(self, task: str) -> Sequence[MoveBody]:
        return ()

    def succeeds(self, node: str, predecessor: str) -> bool:
        return False


@dataclass
class Parent:
    """A running parent."""

    config: Config
    identity: NodeIdentity
    writer: Writer
    invitations: Invitations
    service: EnrolmentService
    address: str
    audit_folder: Path
    sent: dict[int, Callable[[bytes], None]] = field(default_factory=dict)

    def core(self) -> Core:
        engine = self.writer.engine
        assert engine is not None
        return engine.replica.core

    async def invited(self, wish: Wish = MUNICIPAL) -> Made:
        """A new invite."""
        return await self.invitations.make(wish)

    async def registry_items(self) -> int:
        """Entries of the own feed `registry` that are sealed or wait."""
        feed = FeedName(self.identity.node, REGISTRY)

        def count(replica: Replica, store: Store) -> int:
            state = replica.core.feeds.get(feed)
            return (state.head.seq if state else 0) + len(store.outbox(feed, 1 << 30, 1 << 20))

        return await self.writer.ask(count)

    async def version_of(self, node: str) -> int:
        """The newest enrolment version that the registry holds of a node, 0 for none."""

        def newest(replica: Replica, _: Store) -> int:
            found = replica.core.registry.newest(node)
            return found.version if found else 0

        return await self.writer.ask(newest)

    def events(self) -> list[str]:
        """Names of the audited events, in order."""
        assert audit.verify(self.audit_folder).ok
        return [str(r["event"]) for r in audit.read(self.audit_folder)]


@asynccontextmanager
async def running(
    home: Path, clock: ShiftedClock = CLOCK, limits: Limits = USUAL, certificates: Certificates = NOBODY
) -> AsyncIterator[Parent]:
    """The node of a whole home, as far as enrolment needs it."""
    config, identity = read_home(home, clock.now_us())
    sent: dict[int, Callable[[bytes], None]] = {}

    def act(acts: Sequence[Act]) -> None:
        for one in acts:
            if isinstance(one, Reply):
                one.token.resolve(one.value)  # type: ignore[attr-defined] # tokens here are Tickets and their like
            elif isinstance(one, Send) and one.link in sent:
                sent[one.link](one.frame)

    writer = Writer(lambda do: engine_of(home, config, identity, do), clock, act)
    await writer.start()
    log = AuditLog(home / "audit", clock)

    def core() -> Core:
        assert writer.engine is not None
        return writer.engine.replica.core

    issuer = make_issuer(identity, config, RANDOM, core)
    exchange = advertised(config, "exchange")
    service = EnrolmentService(writer, issuer, lambda: identity, exchange, clock, log, certificates, limits)
    server = EnrolmentServer(service)
    try:
        writer.submit(AnchorKnown(identity.anchor))
        port = await server.start(config.listen.enrolment, server_credentials(lambda: identity, for_children=False))
        address = advertised(config, "enrolment", port)
        invitations = Invitations(writer, core, identity, config, address, RANDOM, log)
        yield Parent(config, identity, writer, invitations, service, address, home / "audit", sent)
    finally:
        await server.stop()
        await writer.stop()


def engine_of(
    home: Path,
    config: Config,
    identity: NodeIdentity,
    do: Callable[[Act], None],
    between: Callable[[], None] | None = None,
) -> Engine:
    """The engine of a whole home. `between`: see Engine."""
    store = Store.open(home / DATABASE_FILE, ())
    check_instance(home, store)
    none = NoData()

    def verify(anchor: Anchor) -> AnchorBody | None:
        try:
            return open_anchor(anchor, identity.trust.root, identity.federation)
        except RemoteFault:
            return None

    seams = Seams(SUITES, identity.log_key, none, none, none, store, verify)
    above = config.parent.node_id if config.parent else ""

    def build(rebuilt: Rebuilt) -> Replica:
        me = Identity(identity.federation, identity.node, above, rebuilt.instance, RANDOM.bytes(16), "test")
        return Replica(me, seams, rebuilt)

    return Engine(store, build, none, do, between)


def link(upper: Parent, lower: Parent) -> None:
    """A session between two running nodes, without a network."""

    def towards(there: Parent) -> Callable[[bytes], None]:
        def send(data: bytes) -> None:
            frame = Frame.FromString(data)
            if frame.WhichOneof("kind") == "run":
                there.writer.submit(RunArrived(1, _opened(there.core(), frame.run)))
            else:
                there.writer.submit(FrameArrived(1, frame))

        return send

    upper.sent[1], lower.sent[1] = towards(lower), towards(upper)
    upper.writer.submit(LinkOpened(1, lower.identity.node, False, lower.identity.own.key_hash))
    lower.writer.submit(LinkOpened(1, upper.identity.node, True))


def _opened(core: Core, run: Run) -> OpenedRun | BadRun:
    return open_run(run, core.registry, SUITES, core.seams.judge.schema, lambda _: True)


async def until(true: Callable[[], bool]) -> None:
    """Returns once the writers have made it true."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - the writer's state has no event to wait for
            await asyncio.sleep(0.005)


def found(folder: Path, clock: ShiftedClock = CLOCK, listen: ListenSection = LISTEN) -> Founded:
    """A nation in `folder`/nation, its root in `folder`/root."""
    return found_nation(folder / "nation", folder / "root", FEDERATION, "100000", "国家平台", listen, clock, RANDOM)


async def joined(
    text: str,
    home: Path,
    wait_s: float = 0.0,
    clock: ShiftedClock = CLOCK,
    progress: Callable[[Progress], None] = lambda _: None,
    listen: ListenSection = NO_CHILDREN,
) -> Joined:
    """`join` with short pauses."""
    return await join(text, home, clock, RANDOM, listen=listen, wait_s=wait_s, poll_s=0.02, progress=progress)


async def refused(text: str, home: Path, clock: ShiftedClock = CLOCK) -> UserFault:
    """The fault that joining ends in."""
    with pytest.raises(UserFault) as caught:
        await joined(text, home, clock=clock)
    assert "{" not in str(caught.value.message) + str(caught.value.next_step)
    return caught.value


def municipal(**changes: object) -> Wish:
    """A municipality's wish, varied."""
    return replace(MUNICIPAL, **changes)  # type: ignore[arg-type] # fields of Wish
