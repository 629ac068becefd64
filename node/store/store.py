"""The store of one node, as its writer thread uses it: performs the core's writes and answers its reads.

    store = Store.open(path, schemas)
    state = store.load_state()
    store.begin(); store.perform(write) ...; store.commit()

After a StoreFault the object is done with: close it, open another, rebuild the replica from load_state().
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from node.store.answers import Answers
from node.store.changes import Changes
from node.store.daybook import Daybook
from node.store.driver import (
    WAL_BYTES_MAX,
    WAL_KEPT_BYTES,
    Connection,
    connect_memory,
    connect_writer,
    wal_bytes,
)
from node.store.dues import Dues
from node.store.faults import StoreFault, StoreTrouble
from node.store.grades import Grades
from node.store.heard import HeardList
from node.store.invites import Invites
from node.store.loads import Loads
from node.store.log import Log
from node.store.marks import Marks
from node.store.migrations import migrate
from node.store.names import Names
from node.store.people import People
from node.store.records import Records
from node.store.reread import RereadList
from node.store.rows import Rows
from node.store.session import Session
from node.store.sources import Sources
from node.store.state import load_state
from node.store.tokens import Tokens
from node.store.turned import Turned
from node.store.windows import WindowsSeen
from sync.effects import (
    Append,
    BurnInvite,
    ClearOutbox,
    DeleteRows,
    DropImages,
    DropMoves,
    DropReread,
    HeldRow,
    LogEntry,
    OutboxItem,
    PatchRows,
    Queue,
    SaveAnchor,
    SaveEvidence,
    SaveFates,
    SaveFeed,
    SaveHeard,
    SaveHeirs,
    SaveImages,
    SaveMeta,
    SaveMoves,
    SaveReread,
    SaveSeen,
    SaveStatement,
    Unqueue,
    UpsertRows,
    Write,
)
from sync.ports import ParkedRef, Rebuilt
from sync.schema import RowSchema
from sync.values import FeedName, Head, Key, Row
from sync.wire.v1.entry_pb2 import MoveBody

INSTANCE = "instance"


class Store:
    """One writer connection, used from the thread that opened it. Implements sync.ports.Log.

    `answers`, `changes`, `daybook`, `heard`, `invites`, `loads`, `people`, `reread`, `sources` and `tokens` are for
    the runner, inside the transaction it has begun. Raises StoreFault.
    """

    def __init__(self, connection: Connection, schemas: Iterable[RowSchema], path: Path | None = None) -> None:
        self._session = Session(connection)
        self._path = path
        self._moved_bytes = 0
        self._names = Names(self._session)
        self.daybook = Daybook(self._session)
        self._log = Log(self._session, self._names, self.daybook)
        self._rows = Rows(self._session, self._names)
        self._records = Records(self._session, self._names)
        self._marks = Marks(self._session, self._names)
        self.invites = Invites(self._session)
        self.loads = Loads(self._session)
        self.turned = Turned(self._session)
        self.heard = HeardList(self._session)
        self.reread = RereadList(self._session)
        self.tokens = Tokens(self._session)
        self.answers = Answers(self._session)
        self.changes = Changes(self._session)
        self.sources = Sources(self._session)
        self.dues = Dues(self._session)
        self.windows = WindowsSeen(self._session)
        self.grades = Grades(self._session)
        self.people = People(self._session)
        self._acts = self._table_of_writes()
        try:
            self.add_schemas(schemas)
            if self.changes.life():
                # Whoever opens a store whose changes are followed writes them down too.
                self._rows.touched = self.changes.touched
        except BaseException:
            connection.close()
            raise

    @classmethod
    def open(cls, path: Path, schemas: Iterable[RowSchema], *, durable: bool = True) -> Store:
        """Opens or makes the database. Raises UnsafeSqlite, StoreFault. durable=False is for simulations only."""
        return cls(connect_writer(path, durable=durable), schemas, path)

    @classmethod
    def in_memory(cls, schemas: Iterable[RowSchema], instance: bytes = b"") -> Store:
        """A store that ends with the process, for simulations and tests; a crash is rollback and load_state."""
        store = cls(connect_memory(), schemas)
        if instance:
            store.begin()
            store.perform(SaveMeta(INSTANCE, instance))
            store.commit()
        return store

    def follow_changes(self, keep_us: int, life: bytes, now: Callable[[], int]) -> None:
        """Switches the journal of changes on or off (as Changes.switch), in the open transaction."""
        self._rows.touched = self.changes.touched if self.changes.switch(keep_us, life, now) else None

    def add_schemas(self, schemas: Iterable[RowSchema]) -> None:
        """Takes datasets of the catalogue, or newer versions of them, between transactions."""
        wanted = list(schemas)
        migrate(self._session.connection, wanted)
        self._rows.learn(wanted)

    def schemas(self) -> list[RowSchema]:
        """The datasets that have a row table here."""
        return self._rows.schemas()

    @property
    def session(self) -> Session:
        """The connection, for fsck and digests of a store in memory."""
        return self._session

    # --- transactions

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._session.in_transaction

    def begin(self) -> None:
        """Opens the transaction that the following writes belong to."""
        self._session.begin()

    def perform(self, write: Write) -> None:
        """Does one write in the open transaction. Raises StoreFault, and InviteSpent for a burnt invite."""
        if not self._session.in_transaction:
            raise StoreFault(StoreTrouble.REFUSED, f"{type(write).__name__} outside a transaction")
        self._acts[type(write)](write)

    def commit(self) -> None:
        """Returns when the transaction is durable. On StoreFault it may or may not be: only a reopening tells."""
        self.daybook.flush()
        self._session.commit()

    def rollback(self) -> None:
        """Drops the open transaction, if any; never raises."""
        self._session.rollback()
        self.daybook.forget()
        self._marks.forget()
        self._names.forget()
        self._rows.forget()

    @property
    def wal_filled(self) -> float:
        """How full the WAL is: 0.0 while it is small, 1.0 where a commit checkpoints in the midst of work."""
        size = 0 if self._path is None else wal_bytes(self._path)
        if size == self._moved_bytes:
            return 0.0
        self._moved_bytes = 0
        return min(1.0, size / WAL_BYTES_MAX) if size > WAL_KEPT_BYTES else 0.0

    def checkpoint(self) -> None:
        """Moves what it can from the WAL into the database, for idle moments; never waits for a reader."""
        self._session.checkpoint()
        self._moved_bytes = 0 if self._path is None else wal_bytes(self._path)

    def close(self) -> None:
        """Drops the open transaction, if any, and closes the connection."""
        self._session.close()

    def load_state(self) -> Rebuilt:
        """All that a replica starts from, as committed."""
        return load_state(self._session, self._names, self._log, self._records)

    # --- reads of the core (sync.ports.Log)

    def entries(self, feed: FeedName, epoch: bytes, from_seq: int, bytes_max: int, entries_max: int) -> list[LogEntry]:
        """Entries from from_seq on that end at a sealed one: as many as fit a run, but at least up to the first."""
        return self._log.entries(feed, epoch, from_seq, bytes_max, entries_max)

    def entry(self, feed: FeedName, epoch: bytes, seq: int) -> LogEntry | None:
        """One entry."""
        return self._log.entry(feed, epoch, seq)

    def headers(self, feed: FeedName, epoch: bytes, from_seq: int, entries_max: int) -> list[LogEntry]:
        """Entries without payload up to and with the first sealed one, at most entries_max."""
        return self._log.headers(feed, epoch, from_seq, entries_max)

    def epochs(self, feed: FeedName) -> list[Head]:
        """Heads of all epochs of which entries are held, oldest first."""
        return self._log.epochs(feed)

    def outbox(self, feed: FeedName, bytes_max: int, items_max: int) -> list[OutboxItem]:
        """The oldest items that wait, at least one if there is any."""
        return self._log.outbox(feed, bytes_max, items_max)

    def held(self, dataset: str, origin: str, keys: Collection[Key]) -> dict[Key, HeldRow]:
        """The rows held of these keys; a key without a row is left out."""
        return self._rows.held(dataset, origin, keys)

    def parked_after(self, feed: FeedName, epoch: bytes, after: tuple[int, int], limit: int) -> list[ParkedRef]:
        """As sync.ports.Log.parked_after."""
        return self._records.parked_after(feed, epoch, after, limit)

    def parked_among(self, feed: FeedName, epoch: bytes, rows: Collection[tuple[str, str]]) -> list[ParkedRef]:
        """As sync.ports.Log.parked_among."""
        return self._records.parked_among(feed, epoch, rows)

    def refused(self, feed: FeedName, epoch: bytes, after_seq: int) -> frozenset[tuple[int, int]]:
        """As sync.ports.Log.refused."""
        return self._records.refused(feed, epoch, after_seq)

    def first_parked(self, feed: FeedName) -> int:
        """Smallest seq with a parked row in the feed's newest epoch, 0 if none."""
        return self._records.first_parked(feed)

    # --- reads of the runner

    def parked(self, feed: FeedName | None, limit: int) -> list[ParkedRef]:
        """Parked rows in order of feed, epoch, seq, place; of one feed or of all."""
        return self._records.parked(feed, limit)

    def not_applied(self, feed: FeedName, epoch: bytes) -> dict[int, frozenset[int]]:
        """Places of rows of a feed that are not in effect here, by seq; -1 stands for a whole entry."""
        return self._records.not_applied(feed, epoch)

    def inherited(self, node: str) -> list[tuple[str, str]]:
        """(predecessor, pattern of regions) of all that passed to a node, directly or through others."""
        return self._records.inherited(node)

    def read_rows(self, dataset: str, origin: str, keys: Collection[Key]) -> dict[Key, tuple[int, Row]]:
        """(version, cells in schema order) of each key that has a row: `before` of LocalRows."""
        return self._rows.read(dataset, origin, keys)

    def written(self, dataset: str) -> int:
        """A number that changes whenever a row of the dataset is written or a transaction is dropped."""
        return self._rows.written[dataset]

    def scan(self, dataset: str, origin: str | None) -> Iterator[tuple[Key, int, Row]]:
        """(key, version, cells in schema order) of every row of an origin (None: of all). Read to the end before
        writing.
        """
        return self._rows.scan(dataset, origin)

    def page(self, dataset: str, origin: str, after: Key | None, limit: int) -> list[tuple[Key, int, Row]]:
        """(key, version, cells in schema order) of so many rows of an origin, in order of key, from behind `after`."""
        return self._rows.page(dataset, origin, after, limit)

    def count(self, dataset: str, origin: str) -> int:
        """Number of rows of an origin."""
        return self._rows.count(dataset, origin)

    def moves(self, task: str) -> list[MoveBody]:
        """Numbered moves of a task, in order of number."""
        return self._records.moves(task)

    def openings(self, holding: str) -> list[MoveBody]:
        """First moves of the tasks in whose first move a text stands, the oldest first."""
        return self._records.openings(holding)

    def pending_moves(self, task: str, *, refused: bool = False) -> list[MoveBody]:
        """This node's own moves of a task that the arbiter has not answered, oldest first; or those that were refused
        without a number."""
        return self._records.pending_moves(task, refused)

    def meta(self, name: str) -> int | str | bytes | None:
        """One value kept with SaveMeta."""
        return self._records.meta(name)

    def _save_statement(self, write: SaveStatement) -> None:
        self._records.save_statement(write)
        self._marks.note(write)

    def _table_of_writes(self) -> dict[type[Any], Callable[[Any], None]]:
        log, rows, records = self._log, self._rows, self._records
        return {
            SaveFeed: records.save_feed,
            Append: log.append,
            Queue: log.queue,
            Unqueue: log.unqueue,
            ClearOutbox: log.clear_outbox,
            UpsertRows: rows.upsert,
            PatchRows: rows.patch,
            DeleteRows: rows.delete,
            SaveImages: rows.save_images,
            DropImages: rows.drop_images,
            SaveFates: records.save_fates,
            SaveHeard: records.save_heard,
            SaveAnchor: records.save_anchor,
            SaveHeirs: records.save_heirs,
            SaveSeen: records.save_seen,
            SaveStatement: self._save_statement,
            SaveEvidence: records.save_evidence,
            SaveMoves: records.save_moves,
            DropMoves: records.drop_moves,
            SaveReread: self.reread.save,
            DropReread: self.reread.drop,
            SaveMeta: records.save_meta,
            BurnInvite: self.invites.burn,
        }
