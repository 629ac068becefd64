"""The composition root: a home folder becomes a running node. All is made once, here, from explicit arguments."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Sized
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from structlog.typing import FilteringBoundLogger

from certs.anchor import open_anchor
from certs.files import HomeFiles
from certs.suites import SUITES
from node import publications
from node.attachments.files import Held
from node.attachments.referring import Referrer, RowReferrer, TaskReferrer
from node.attachments.service import Attachments, Taken, not_here
from node.attachments.travel import Travel
from node.audit import AuditLog, SparingAudit, SteadyAudit
from node.audit import Event as AuditEvent
from node.builtin import builtin_texts
from node.calendar import DATASET as CALENDAR
from node.calendar import KeptCalendar
from node.certifying import Certifier
from node.clock import Clock, Randomness, iso
from node.config import CATALOGUE_BYTES_MAX, CONFIG_NAME, Config, check_marked, overrides
from node.engine import Engine, Job
from node.enrol.home import in_use
from node.excused import Excused
from node.extensions import extensions_in_use, unregistered
from node.faults import Code, UserFault
from node.granting import GrantJob, take_granted, take_granted_before_compare
from node.identity import NodeIdentity
from node.intake import HERE
from node.jobs import MoveJob, MoveWish, PutJob, PutResult
from node.kept import take_catalogue
from node.known import StoreKnown
from node.link.dialler import Dialler
from node.link.gate import Gatekeeper
from node.link.papers import server_credentials
from node.link.parent import Parent
from node.link.pipe import LinkTrouble
from node.link.server import LinkServer
from node.link.switchboard import Switchboard
from node.link.watch import Watch
from node.reader_thread import ReaderThread
from node.reading import text_of
from node.reads import Read, is_watched
from node.revising import PAUSE_S_MAX, ReviseJob
from node.silence import LOOKED_EVERY_S, Silent, find_silent, spans_declared
from node.store.changes import LIFE_BYTES
from node.store.faults import HomeFault, StoreFault, StoreTrouble
from node.store.home import DATABASE_FILE, HomeLock, check_instance
from node.store.readers import Reader
from node.store.store import Store
from node.texts import N_
from node.version import VERSION
from node.writer import Writer
from sync.core import Core, Identity, Seams
from sync.effects import Act, Alarm, CloseLink, KeepAttachment, ReadAttachment, Reply, Send
from sync.errors import InputFault, LocalFault, RemoteFault
from sync.events import AnchorKnown, Drain
from sync.judge import Judgement, Known, Signer
from sync.origin import check_living
from sync.ports import Rebuilt
from sync.reasons import Reason
from sync.replica import Replica
from sync.rows import RowBatch
from sync.values import Key, Row
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody, EntryHeader
from tiers.calendar import WorkCalendar
from tiers.catalogue import Catalogue
from tiers.door import Door, TypedRows
from tiers.flows.clocks import Calendar
from tiers.judging import TierJudge
from tiers.people import Roster
from tiers.periods import day_of
from tiers.profile import PROFILES, Standing, signing_scope
from tiers.publishing import TierPublisher
from tiers.subscriptions import SUBSCRIPTION
from tiers.ways import Way

T = TypeVar("T")

ALARMS_KEPT = 200
DISK_ASKED_EVERY_US = 2_000_000
DRAIN_US = 2_000_000
DAY_US = 86_400_000_000
EXTENSIONS_EVERY_US = 60_000_000
"""How old the count of unregistered extension codes in a status may be."""
ROW_BYTES_ABOUT = 500
"""Of a row in memory, where it was not measured."""
_AUDITED: Mapping[str, tuple[AuditEvent, ...]] = {
    "fork": (AuditEvent.FORK_FOUND, AuditEvent.FEED_FROZEN),
    "clone": (AuditEvent.CLONE_FOUND,),
    "run_dropped": (AuditEvent.RUN_REFUSED,),
    "feed_withheld": (AuditEvent.FEED_WITHHELD,),
    "anchor_refused": (AuditEvent.SEAL_REFUSED,),
    "link_closed": (AuditEvent.LINK_CLOSED,),
    "held_back_refused": (AuditEvent.HELD_BACK_REFUSED,),
}
_WHO_AND_WHY = ("peer", "origin", "reason")
"""The fields of an alarm by which its lines of audit are counted together."""


def read_catalogue(home: Path, config: Config, changed: Sequence[Path] = ()) -> Catalogue:
    """What is built in and what this site declares; `changed` files stand in the place of the site's of the same name,
    or beside them. Raises CatalogueFault with all mistakes, UserFault, OSError."""
    instead = {path.name: path for path in changed}
    files = [(name, instead.pop(Path(name).name, home / name)) for name in config.data.catalogue]
    files += instead.items()
    site = [(name, text_of(path, CATALOGUE_BYTES_MAX)) for name, path in files]
    if changes := overrides(config):
        site.append((CONFIG_NAME, changes))
    catalogue = Catalogue.build(builtin_texts(), site)
    check_marked(config, catalogue.datasets)
    return catalogue


class _WatchfulJudge(TierJudge):
    """Tells of columns that should have stayed where they are: somebody's catalogue or program went wrong."""

    def __init__(self, catalogue: Catalogue, calendar: Callable[[], Calendar], tell: Callable[[Act], None]) -> None:
        super().__init__(catalogue, calendar)
        self._tell = tell

    def records(self, header: EntryHeader, batch: RowBatch, signer: Signer, known: Known) -> Judgement:
        """As TierJudge.records."""
        found = super().records(header, batch, signer, known)
        reason = Reason.HELD_BACK_PRESENT
        if count := sum(bad.reason is reason for bad in found.bad):
            fields = {"origin": header.origin, "publication": header.publication, "dataset": batch.dataset}
            self._tell(Alarm("held_back_refused", {**fields, "rows": count, "reason": reason.name}))
        return found


class Shower(Protocol):
    """Something that says how it stands."""

    def shown(self) -> dict[str, Any]:
        """For the status."""
        ...


class Node:
    """A node that runs: links, writer, door. Used from one asyncio loop."""

    def __init__(
        self,
        home: Path,
        config: Config,
        identity: NodeIdentity,
        clock: Clock,
        randomness: Randomness,
        audit: AuditLog,
        log: FilteringBoundLogger,
    ) -> None:
        self.home = home
        self.config = config
        self.identity = identity
        """Made anew when the certificate is (node/renewing.py)."""
        self.clock = clock
        self.randomness = randomness
        self.audit = audit
        self._steady = SteadyAudit(audit, self._audit_failed)
        self._sparing = SparingAudit(self._steady, clock)
        self.log = log
        self.catalogue = read_catalogue(home, config)
        self.profile = PROFILES[config.node.tier]
        self.parent = config.parent.node_id if config.parent else ""
        self.changed = asyncio.Event()
        """Set, and made anew, whenever something was committed: what follows the status waits for it."""
        self.alarms: list[dict[str, Any]] = []
        self.alarm_count = 0
        self.personal: Counter[tuple[str, str, str]] = Counter()
        """Cells with numbers of persons that came to the door since the start, by (dataset, column, rule)."""
        self.link_state: tuple[str, str] = ("", "")
        self.exchange_port = 0
        self.http_port = 0
        self.dues: dict[str, Any] = {"overdue": 0, "reminded": 0, "at": ""}
        """What was overdue, and what others reminded of, when it was last looked (node/dues.py)."""
        self.seen: dict[str, Any] = {}
        """By dataset what of its periods was here, and as of which rows (node/dues.py)."""
        self.rolling = asyncio.Lock()
        """Held while statistics are worked out: what two at a time wrote would not add up."""
        self.subscribing = asyncio.Lock()
        """Held from reading what a subscription says until what follows from it is written."""
        self.webhooks: Sequence[Shower] = ()
        self.people = Roster()
        """As in the store: read at the start, and again by each command that changes them."""
        self.tokens_changed = 0
        """Rises whenever a token of the API is made or revoked: what is remembered of them is old then."""
        self._unregistered: tuple[int, dict[str, int]] | None = None
        self._lock: HomeLock | None = None
        self._judge = TierJudge(self.catalogue)
        self._known: StoreKnown | None = None
        self._publisher: TierPublisher | None = None
        self._republished: tuple[str, ...] = ()
        self._tasks: list[asyncio.Task[None]] = []
        self.silent: list[Silent] = []
        """Who had fallen silent when it was last looked."""
        self.excused = Excused(config.node.node_id, lambda: self.clock.now_us(), self.core)
        """What announced maintenance excuses (node/maintenance.py)."""
        self.standing = self._standing(identity.nation, signing=None)
        self.door = Door(self.catalogue, self.standing)
        self.writer = Writer(self._open_engine, clock, self._act)
        self.board = Switchboard(self.writer, self.core, log, self._link_troubled)
        self.watch = Watch(clock.now_us)
        self._gate = Gatekeeper(
            config.node.node_id, identity.trust, self.core, clock, self.watch, self._sparing, self._alarm, log
        )
        self._server: LinkServer | None = None
        self.certifier = Certifier(
            identity,
            self.core,
            self._whom_to_dial,
            lambda: self.link_state[0] == "connected",
            lambda: self.changed,
            clock,
            randomness,
            self.note,
            self.note_sparingly,
        )
        self.attachments = Attachments(home, config.attachments, self.check_disk, self.alarm)
        self.referrers: list[Referrer] = [
            RowReferrer(self.catalogue, config.node.node_id, self._ways, lambda: self.core().registry),
            TaskReferrer(config.node.node_id),
        ]
        """Who may have an attachment: whoever one of these says that it is shared with."""
        self.travel = Travel(self)
        self.push_waiting: Sized = ()
        """Attachments that publications push here and that have not come yet."""
        self._disk_low = False
        self._disk_asked_us = -DISK_ASKED_EVERY_US
        schemas = [d.schema for d in self.catalogue.datasets.values()]
        self._readers = ReaderThread(home / DATABASE_FILE, schemas, lambda: self.clock.monotonic_us())

    # --- start and stop ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Returns when the node is ready: store open, children let in, the parent being dialled.

        Raises UserFault HOME_IN_USE (second process) and PORT_TAKEN, HomeFault (copied home), StoreFault, UnsafeSqlite,
        OSError.
        """
        try:
            self._lock = HomeLock(self.home, os.getpid(), iso(self.clock.now_us()))
        except HomeFault as fault:
            raise in_use(fault) from fault
        try:
            await self.attachments.start(self.clock.now_us())
            await self.writer.start()
            if self._republished:
                self.note(AuditEvent.PUBLICATION_CHANGED, publications=" ".join(self._republished))
                self.log.info("publications_changed", publications=self._republished)
            self._tasks.append(asyncio.create_task(self._follow_publications(), name="follow publications"))
            self.writer.submit(AnchorKnown(self.identity.anchor))
            self._follow_scope()
            if self.config.listen.exchange:
                limit = self.config.limits.sessions_max
                certify = self.certifier.answer
                papers = server_credentials(lambda: self.identity, for_children=True)
                self._server = LinkServer(self.board, self._gate, self.watch, limit, certify, self.log)
                self.exchange_port = await self._server.start(self.config.listen.exchange, papers)
            if self.config.parent is not None:
                dialler = Dialler(
                    self.board,
                    self._whom_to_dial(),
                    self.watch,
                    self.clock,
                    self.randomness,
                    self._note_link,
                    self._dialler_failed,
                )
                self._tasks.append(asyncio.create_task(dialler.run(), name="dialler"))
            self._tasks.append(asyncio.create_task(self._watch_silence(), name="silence"))
        except BaseException:
            await self.stop()
            raise
        self.note(AuditEvent.NODE_STARTED, node=self.config.node.node_id, version=VERSION)

    async def stop(self) -> None:
        """Ends links once what is under way was answered, finishes what is queued, closes the store.

        Every step is taken, whatever became of those before it; then the first failure is raised.
        """
        failures: list[Exception] = []
        # Reading ends before the writer: only the last connection to go moves the WAL into the database and takes it
        # away.
        for step in (
            self._drain,
            self._end_links,
            self._end_attachments,
            self._readers.end,
            self.writer.stop,
            self._leave_home,
        ):
            try:
                await step()
            except Exception as error:
                self.log.error("stop_failed", step=step.__name__, exc_info=error)
                failures.append(error)
        if failures:
            raise failures[0]

    async def _end_links(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self.board.end_all()
        try:
            if self._server is not None:
                await self._server.stop()
        finally:
            self.board.shut()

    async def _end_attachments(self) -> None:
        await self.travel.stop()
        await asyncio.get_running_loop().run_in_executor(None, self.attachments.close)

    def _ways(self) -> Mapping[str, tuple[Way, ...]]:
        return self._publisher.ways() if self._publisher is not None else {}

    async def _leave_home(self) -> None:
        if self._lock is not None:
            self._sparing.flush()
            self.note(AuditEvent.NODE_STOPPED, node=self.config.node.node_id)
            self._lock.release()
            self._lock = None

    async def _drain(self) -> None:
        """Tells neighbours that no more comes, and waits a moment for their last answers."""
        if self.writer.engine is None or self.writer.stopped.done():
            return
        deadline = self.clock.monotonic_us() + DRAIN_US
        self.writer.submit(Drain(self.clock.now_us() + DRAIN_US))
        while self.clock.monotonic_us() < deadline:
            changed = self.changed
            if await self.writer.ask(lambda replica, _: not any(link.sent for link in replica.core.links.values())):
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), (deadline - self.clock.monotonic_us()) / 1e6)

    # --- what the faces call ----------------------------------------------------------------------------------------

    async def put(
        self,
        dataset: str,
        rows: Sequence[Row],
        voids: Sequence[Key] = (),
        void_reason: str = "",
        *,
        dry_run: bool = False,
        load: int = 0,
    ) -> PutResult:
        """One local transaction at this node's door; rows whole and in schema order. Raises InputFault."""
        return await self.put_soon(dataset, rows, voids, void_reason, dry_run=dry_run, load=load)

    def put_soon(
        self,
        dataset: str,
        rows: Sequence[Row],
        voids: Sequence[Key] = (),
        void_reason: str = "",
        *,
        dry_run: bool = False,
        load: int = 0,
        around: Callable[[PutJob], Job] | None = None,
    ) -> asyncio.Future[PutResult]:
        """The same, queued now and awaited later: several may be under way, in order. around: makes the job that runs
        it out of it; what that job answers is what the future holds.
        """
        if dataset == SUBSCRIPTION:
            # What an owner's row says is what leaves: whoever may put rows of all datasets must not grant by it.
            ticket = self.writer.ticket()
            ticket.resolve(
                UserFault(
                    Code.BAD_ARGUMENT,
                    N_("Rows of '{dataset}' are not put in from outside: they say what this node sends to others."),
                    N_("`tiersync subscription list` shows what can be done with each."),
                    dataset=dataset,
                )
            )
            return ticket.future
        return self._queue(dataset, rows, voids, void_reason, dry_run=dry_run, load=load, around=around)

    def _queue(
        self,
        dataset: str,
        rows: Sequence[Row],
        voids: Sequence[Key] = (),
        void_reason: str = "",
        *,
        dry_run: bool = False,
        load: int = 0,
        around: Callable[[PutJob], Job] | None = None,
    ) -> asyncio.Future[PutResult]:
        schema = self._judge.schema("", dataset)
        ticket = self.writer.ticket()
        if schema is None:
            known = ", ".join(sorted(self.catalogue.datasets))
            ticket.resolve(InputFault(Reason.UNKNOWN_DATASET, f"dataset '{dataset}'; known here: {known}"))
            return ticket.future
        try:
            check_living(self.core())
        except InputFault as fault:
            ticket.resolve(fault)
            return ticket.future
        try:
            self.check_disk()
        except InputFault as fault:
            ticket.resolve(fault)
            return ticket.future
        assert self._known is not None
        job = PutJob(
            ticket,
            schema,
            rows,
            voids,
            void_reason,
            self.door,
            self._known,
            self.config.node.node_id,
            self.clock.now_us(),
            dry_run,
            load,
        )
        # Rows take about a quarter of their size in an entry; that is what a transaction is bounded by.
        size = rows.size if isinstance(rows, TypedRows) else ROW_BYTES_ABOUT * len(rows)
        self.writer.submit(job if around is None else around(job), HERE, size // 4)
        if not dry_run:
            ticket.future.add_done_callback(partial(self._note_personal, dataset))
        return ticket.future

    async def put_subscriptions(self, rows: Sequence[Row], *, dry_run: bool = False) -> PutResult:
        """Rows of `subscription`, and what they grant or end, in one transaction. Raises InputFault."""
        publisher = self._publisher
        assert publisher is not None
        return await self._queue(
            SUBSCRIPTION, rows, dry_run=dry_run, around=lambda put: GrantJob(put, publisher, self.core, put.at)
        )

    async def _watch_silence(self) -> None:
        """Now and then; the first time when what waited for the start has had time to come."""
        while True:
            await asyncio.sleep(LOOKED_EVERY_S)
            try:
                await self.look_for_silence()
            except StoreFault as fault:
                self.log.warning("silence_not_looked_for", detail=str(fault))

    def _note_personal(self, dataset: str, done: asyncio.Future[PutResult]) -> None:
        if not done.cancelled() and done.exception() is None:
            for (column, rule), cells in done.result().personal.items():
                self.personal[dataset, column, rule] += cells

    def check_disk(self) -> None:
        """Raises InputFault DISK_FULL where the door is shut for want of room."""
        if self._disk_is_low():
            reserve = self.config.limits.disk_reserve_bytes
            raise InputFault(Reason.DISK_FULL, f"less than {reserve} bytes of disk are left")

    def _disk_is_low(self) -> bool:
        """Whether the door is shut: what comes over links is still taken, so that nothing upstream piles up."""
        now = self.clock.monotonic_us()
        if now - self._disk_asked_us >= DISK_ASKED_EVERY_US:
            self._disk_asked_us = now
            low = shutil.disk_usage(self.home).free < self.config.limits.disk_reserve_bytes
            if low and not self._disk_low:
                self._alarm(Alarm("disk_low", {"reserve_bytes": self.config.limits.disk_reserve_bytes}))
            self._disk_low = low
        return self._disk_low

    async def attach(self, data: bytes, by: str, *, dry_run: bool = False) -> Taken:
        """A file becomes an attachment; when this returns it is durable, and audited. Raises as Attachments.take."""
        taken = await self.attachments.take(data, dry_run=dry_run)
        if not dry_run:
            self.note(AuditEvent.ATTACHMENT_TAKEN, hash=taken.hash, size=taken.size, kind=taken.kind, by=by)
        return taken

    async def attachment(self, name: str, by: str) -> Held:
        """An attachment that is here and is about to be read. Raises UserFault ATTACHMENT_NOT_HAD."""
        held = await self.attachments.find(name)
        if held is None:
            raise not_here(name)
        self.note_sparingly(AuditEvent.ATTACHMENT_READ, f"{by} {name}", hash=name, by=by)
        return held

    async def move(self, wish: MoveWish) -> str:
        """Makes a move of a flow that follows from no person's act; its id. Raises InputFault."""
        move_id = wish.move_id or self.randomness.bytes(16).hex()
        now = self.clock.now_us()
        flows = self.catalogue.flows
        made = await self.writer.call(lambda t: MoveJob(t, wish, self.standing, flows, move_id, now, self.calendar))
        return str(made)

    def today(self) -> date:
        """The day at this node."""
        return day_of(self.clock.now_us(), ZoneInfo(self.config.run.time_zone))

    def note_sparingly(self, event: AuditEvent, key: str, **fields: object) -> None:
        """Audits what strangers can bring about as often as they like; as SparingAudit.append. In the loop."""
        self._sparing.append(event, key, **fields)

    def note_read(self, read: Read) -> None:
        """Audits that rows were read, if they are of a dataset that is watched. The same question asked again and again
        is counted, as note_sparingly does. In the loop, before the answer goes out."""
        dataset = self.catalogue.datasets.get(read.dataset)
        if dataset is not None and is_watched(dataset):
            said = {name: value for name, value in read._asdict().items() if value != ""}
            self.note_sparingly(AuditEvent.ROWS_READ, read.key, **said)

    def note(self, event: AuditEvent, **fields: object) -> None:
        """Audits what has happened here; as SteadyAudit.append. In the loop."""
        self._steady.append(event, **fields)

    def alarm(self, name: str, **fields: str | int) -> None:
        """Tells who runs the node of something that a person should look at. In the loop.

        Once the writer is over nothing is told any more: it said itself why, and all that failed by it would hide that.
        """
        if self.writer.stopped.done():
            return
        self._alarm(Alarm(name, fields))
        self._notify()

    async def read(self, question: Callable[[Reader], T], limit_s: float = 0) -> T:
        """Asks the store something beside the writer, on a connection of its own. With a limit it may take so long:
        all that is read waits for what is being read. Raises UserFault READ_TOO_SLOW past it.
        """
        return await self._readers.read(question, limit_s)

    async def unregistered(self) -> dict[str, int]:
        """Extension codes that nobody registered, counted now and then: it reads every row that may have one."""
        now = self.clock.monotonic_us()
        if self._unregistered is None or now - self._unregistered[0] > EXTENSIONS_EVERY_US:
            used = await self.read(lambda reader: extensions_in_use(reader, self.catalogue))
            self._unregistered = (now, unregistered(used))
        return self._unregistered[1]

    def calendar(self) -> WorkCalendar:
        """The calendar of this node as an issuer of tasks. In the writer's thread."""
        return self._calendar.now()

    def core(self) -> Core:
        """The replica's state, for reads that are safe from any thread (registry, judge)."""
        engine = self.writer.engine
        assert engine is not None
        return engine.replica.core

    async def look_for_silence(self) -> None:
        """Tells of every source, and every dataset of another node, that fell silent since this was last asked."""
        own, now, catalogue = self.config.node.node_id, self.clock.now_us(), self.catalogue
        factor = self.config.data.silence_factor
        found = await self.read(
            lambda reader: find_silent(
                reader, catalogue, own, factor, now, spans_declared(self.home), self.excused.covered_us
            )
        )
        told = {one[:3] for one in self.silent}
        self.silent = found
        for one in found:
            if one[:3] not in told:
                fields = {name: value for name, value in one.shown().items() if value != ""}
                if one.origin == own:
                    self._alarm(Alarm("source_silent", fields))
                else:
                    self._alarm(Alarm("dataset_silent", fields))
        self._notify()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _open_engine(self, do: Callable[[Act], None]) -> Engine:
        """In the writer's thread."""
        path = self.home / DATABASE_FILE
        if not path.is_file():
            # An empty one in its place would throw away the WAL beside it, which may hold all of the rest.
            raise StoreFault(StoreTrouble.MISSING, f"{path} is missing")
        store = Store.open(path, ())
        try:
            check_instance(self.home, store)
            take_catalogue(store, self.catalogue)
            self.people = store.people.roster()
            self._known = StoreKnown(store, self.catalogue)
            store.begin()
            keep_us = self.config.http.changes_keep_days * DAY_US
            store.follow_changes(keep_us, self.randomness.bytes(LIFE_BYTES), self.writer.now)
            store.commit()
            publisher = TierPublisher(self.catalogue, self._standing(self.identity.nation, signing=None))
            self._publisher = publisher
            self._calendar = KeptCalendar(store, self.config, self.catalogue.datasets[CALENDAR].schema)
            judge = _WatchfulJudge(self.catalogue, self.calendar, do)
            seams = Seams(SUITES, self.identity.log_key, judge, publisher, self._known, store, self._verify_anchor)
            boot = self.randomness.bytes(16)

            def build(rebuilt: Rebuilt) -> Replica:
                me = Identity(
                    self.config.node.federation,
                    self.config.node.node_id,
                    self.parent,
                    rebuilt.instance,
                    boot,
                    f"tiersync {VERSION}",
                )
                return Replica(me, seams, rebuilt)

            take_granted(publisher, store, self.clock.now_us())
            compared = partial(take_granted_before_compare, publisher, self.clock.now_us)
            engine = Engine(store, build, publisher, do, compared=compared)
            self._republished = publications.follow(engine, publisher, self.writer.now())
            return engine
        except BaseException:
            store.close()
            raise

    async def _follow_publications(self) -> None:
        """Own feeds are made to say what is published now, some rows at a time, behind whatever else is to be done."""
        publisher = self._publisher
        assert publisher is not None
        was_under_way = False
        while not self.writer.stopped.done():
            changed = self.changed
            if publisher.revision is None:
                if was_under_way:
                    self.log.info("publications_followed")
                was_under_way = False
                await changed.wait()
                continue
            was_under_way = True
            began = self.clock.monotonic_us()
            try:
                await self.writer.call(lambda ticket: ReviseJob(ticket, publisher, self.config.node.node_id))
            except InputFault:
                # All rows are to be compared with all feeds, once its own tail is back: that does it too.
                await changed.wait()
            # Half of the writer's time at most: other work waits for one step, never for the job.
            await asyncio.sleep(min((self.clock.monotonic_us() - began) / 1e6, PAUSE_S_MAX))

    def _follow_scope(self) -> bool:
        """The door keeps to the scope that the registry says, from the moment it says it. Whether it changed."""
        mine = self.core().registry.newest(self.config.node.node_id)
        if mine is not None and mine.signing != self.standing.scope:
            self.standing = self._standing(self.identity.nation, mine.signing)
            self.door = Door(self.catalogue, self.standing)
            return True
        return False

    def _standing(self, nation: str, signing: Any) -> Standing:
        own = self.config.node
        scope = signing or signing_scope(self.profile, own.region)
        return Standing(own.node_id, self.profile, own.region, self.parent, nation, scope)

    def _verify_anchor(self, anchor: Anchor) -> AnchorBody | None:
        try:
            return open_anchor(anchor, self.identity.trust.root, self.config.node.federation)
        except RemoteFault:
            return None

    def _link_troubled(self, peer: str, trouble: LinkTrouble) -> None:
        """A session ended for a reason that a person may have to know."""
        if trouble.reason is not Reason.CLONE:  # the core says so itself
            said = {"peer": peer, "reason": trouble.reason.name, "detail": trouble.detail}
            self._alarm_unless_excused(Alarm("link_closed", said))

    def _whom_to_dial(self) -> Parent:
        parent = self.config.parent
        assert parent is not None
        verify = partial(self._gate.verify_parent, parent.node_id)
        return Parent(parent.node_id, parent.address, HomeFiles(self.home), lambda: self.identity, verify)

    def _note_link(self, state: str, detail: str) -> None:
        ended = self.identity.own.not_after
        if state != "connected" and self.clock.now_us() > ended:
            # TLS at the parent only hangs up: nobody but this node can say why.
            state, detail = "refused", f"{Reason.CERTIFICATE_EXPIRED.name}: this node's own ended on {iso(ended)}"
        if (state, detail) != self.link_state:
            self.log.info("parent_link", state=state, detail=detail)
            if state == "connected":
                self._gate.accepted(self.parent)
        self.link_state = (state, detail)
        self._notify()

    def _dialler_failed(self, error: Exception) -> None:
        detail = f"{type(error).__name__}: {error}"
        self._alarm(Alarm("dialler_failed", {"detail": detail}))
        self.log.error("dialler_failed", exc_info=error)
        self._note_link("closed", detail)

    def _audit_failed(self, fault: LocalFault) -> None:
        self._alarm(Alarm("audit_failed", {"detail": str(fault)}))

    def _act(self, acts: Sequence[Act]) -> None:
        """What the core asks for, in order, after the commit. In the loop."""
        for act in acts:
            if isinstance(act, Send):
                self.board.send(act)
            elif isinstance(act, Reply):
                act.token.resolve(act.value)  # type: ignore[attr-defined] # tokens are Tickets and their like
            elif isinstance(act, CloseLink):
                self.board.close(act)
            elif isinstance(act, Alarm):
                self._alarm_unless_excused(act)
            elif isinstance(act, KeepAttachment):
                self.travel.keep(act)
            elif isinstance(act, ReadAttachment):
                self.travel.answer(act)
        if self._follow_scope():
            self.note(AuditEvent.SCOPE_CHANGED, scope=str(self.standing.scope))
        self._notify()

    def _alarm_unless_excused(self, act: Alarm) -> None:
        if not self.excused.holds(act):
            self._alarm(act)
            return
        self.log.info("alarm_in_maintenance", alarm=act.name, **{f"about_{k}": v for k, v in act.fields.items()})
        self._audit_alarm(act)

    def _alarm(self, act: Alarm) -> None:
        self.alarm_count += 1
        self.alarms.append({"name": act.name, "at": iso(self.clock.now_us()), **act.fields})
        del self.alarms[:-ALARMS_KEPT]
        self.log.warning("alarm", alarm=act.name, **{f"about_{k}": v for k, v in act.fields.items()})
        self._audit_alarm(act)

    def _audit_alarm(self, act: Alarm) -> None:
        fields = {k: str(v) for k, v in act.fields.items()}
        for event in _AUDITED.get(act.name, ()):
            # Whoever runs a neighbour can bring these about without end.
            self._sparing.append(event, " ".join(fields.get(k, "") for k in _WHO_AND_WHY), **fields)

    def _notify(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()
