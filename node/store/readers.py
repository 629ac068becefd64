"""Reading beside the writer: a connection of its own, which sees what is committed and never waits or checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from node.store.absent import stand_in
from node.store.changes import Changes
from node.store.daily import Daily
from node.store.daybook import Daybook
from node.store.driver import connect_reader, fence
from node.store.dues import Dues
from node.store.faults import StoreFault, StoreTrouble
from node.store.grades import Grades
from node.store.invites import Invites, KeptInvite
from node.store.loads import LOAD_MAX, Load, Loads, Reject
from node.store.log import Log
from node.store.marks import Marks, Signed
from node.store.names import Names
from node.store.people import People
from node.store.reads import Reads
from node.store.records import Records
from node.store.reread import Listed, RereadList
from node.store.rows import Rows
from node.store.rowsql import RowTable, quoted
from node.store.session import Session
from node.store.sources import Claimed, SourceDay, Sources, SourceState
from node.store.state import load_state
from node.store.tokens import Token, Tokens
from node.store.turned import Turned
from node.store.windows import WindowsSeen
from sync.effects import FateRow, FeedState, LogEntry
from sync.phrase import unpacked
from sync.ports import ParkedRef, Rebuilt
from sync.reasons import Reason
from sync.schema import CellType, RowSchema
from sync.values import Cell, Fate, FeedName, Head, Key, Row
from sync.wire.v1.entry_pb2 import MoveBody, Refusal

_FATES = """SELECT chain.feed, chain.epoch, seq, place, dataset, key, fate, reason, detail
    FROM fate JOIN chain ON chain.id = fate.chain
    WHERE (?1 IS NULL OR chain.feed = ?1) AND (?2 IS NULL OR fate = ?2)
    ORDER BY fate.chain DESC, seq DESC, place LIMIT ?3"""
_HEARD = "SELECT by_node, body FROM heard ORDER BY open DESC, rowid DESC LIMIT ?"
_HEARD_OF = """SELECT by_node, body FROM heard WHERE publication = ? AND addressee = ?
    ORDER BY open DESC, rowid DESC LIMIT ?"""
_HEARD_OPEN = "SELECT count(*) FROM heard WHERE open = 1"
_STATEMENTS = "SELECT sort, by_node, about, body, signature, detail FROM statement ORDER BY sort, by_node, about"
_OUTBOX = "SELECT feed, count(*), sum(length(payload)), min(id) FROM outbox GROUP BY feed"
# SQLite takes the other columns of a group from the row that has its maximum.
_TASKS = "SELECT body, max(number) FROM move GROUP BY task ORDER BY rowid DESC LIMIT ?"
# CROSS: the few first moves come first, and not every move of the store.
_TASKS_OF = """SELECT first.body, last.body FROM move AS first CROSS JOIN move AS last ON last.task = first.task
    AND last.number = (SELECT max(number) FROM move WHERE task = first.task)
    WHERE first.number = 1 AND instr(first.body, ?) > 0 AND instr(first.body, ?) > 0 ORDER BY last.rowid DESC"""
_MOVED = "SELECT rowid, task FROM move WHERE rowid > ? ORDER BY rowid LIMIT ?"
_TASKS_AFTER = "SELECT DISTINCT task FROM move WHERE task > ? ORDER BY task LIMIT ?"
_NEWEST_MOVE = "SELECT coalesce(max(rowid), 0) FROM move"
_MOVES_SINCE = "SELECT rowid, body FROM move WHERE rowid > ? ORDER BY rowid LIMIT ?"
_MOVES_HOLDING = """SELECT body FROM move WHERE instr(body, ?1) > 0 AND instr(body, ?2) > 0 UNION ALL
    SELECT body FROM pending_move WHERE refused = 0 AND instr(body, ?1) > 0 AND instr(body, ?2) > 0 LIMIT ?3"""
_EVIDENCE = "SELECT feed, body FROM evidence ORDER BY id"
_FATES_ABOUT = """SELECT chain.feed, chain.epoch, seq, place, dataset, key, fate, reason, detail
    FROM fate JOIN chain ON chain.id = fate.chain WHERE key = ? AND dataset = ? ORDER BY fate.chain, seq LIMIT ?"""
_FATES_AT = """SELECT chain.feed, chain.epoch, seq, place, dataset, key, fate, reason, detail
    FROM fate JOIN chain ON chain.id = fate.chain
    WHERE chain.feed = ? AND chain.epoch = ? AND seq = ? ORDER BY place LIMIT ?"""
_HEARD_AT = """SELECT by_node, body FROM heard
    WHERE publication = ? AND addressee = ? AND epoch = ? AND seq = ? ORDER BY rowid LIMIT ?"""
_HEARD_ABOUT = "SELECT by_node, body FROM heard WHERE key = ? AND dataset = ? ORDER BY rowid LIMIT ?"
_QUEUED = "SELECT feed, count(*) FROM outbox WHERE change_group = ? GROUP BY feed"
_NODES = "SELECT name FROM node ORDER BY name"
_ORIGINS = "SELECT id, name FROM node"
_ANY_HEIR = "SELECT 1 FROM heir LIMIT 1"
_SIZE = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"

_OF_EACH_ROW = ("_origin", "_version", "_feed")


class Told(NamedTuple):
    """A row's fate with the feed and epoch it stands in."""

    feed: FeedName
    epoch: bytes
    row: FateRow


class Waiting(NamedTuple):
    """What waits in the outbox of one feed: items, bytes of payload, id of the oldest."""

    items: int
    bytes: int
    oldest_id: int


class Reader:
    """Reads of one thread; `daily` those of what was counted per day. Every method raises StoreFault; a Reader is
    closed by the thread that made it.
    """

    def __init__(self, path: Path, schemas: Iterable[RowSchema], over: Callable[[], bool] | None = None) -> None:
        """Opens the database read-only; a dataset whose table does not stand yet is empty. `over` as connect_reader.
        Raises UnsafeSqlite, StoreFault.
        """
        known = list(schemas)
        connection = connect_reader(path, over)
        self._session = Session(connection)
        try:
            stand_in(self._session, known)
        except BaseException:
            connection.close()
            raise
        fence(connection)
        self._names = Names(self._session)
        self._log = Log(self._session, self._names, Daybook(self._session))
        self.daily = Daily(self._session, self._names)
        self._records = Records(self._session, self._names)
        self._rows = Rows(self._session, self._names)
        self._rows.learn(known)
        self._tables = {schema.dataset: RowTable(schema) for schema in self._rows.schemas()}
        self._invites = Invites(self._session)
        self._loads = Loads(self._session)
        self._marks = Marks(self._session, self._names)
        self._reread = RereadList(self._session)
        self._sources = Sources(self._session)
        self._tokens = Tokens(self._session)
        self.turned = Turned(self._session)
        self.dues = Dues(self._session)
        self.windows = WindowsSeen(self._session)
        self.grades = Grades(self._session)
        self.people = People(self._session)
        self.changes = Changes(self._session)
        """Its reads alone are for use here."""

    @property
    def session(self) -> Session:
        """The connection, for fsck and digests."""
        return self._session

    def close(self) -> None:
        """Closes the connection."""
        self._session.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside the block see one state. Keep it short: the WAL cannot shrink meanwhile."""
        self._session.run("BEGIN")
        try:
            yield
        finally:
            self._session.rollback()

    # --- rows

    def query(
        self,
        dataset: str,
        where: str = "",
        parameters: Sequence[Cell] = (),
        columns: Sequence[str] = (),
        limit: int = 1_000,
        offset: int = 0,
    ) -> list[Row]:
        """Rows in order of origin and key; `columns` (default: all of the schema) may name _origin and _version too.

        `where` is SQL text made by the filter compiler, never by a person or a peer; values only in `parameters`.
        """
        table = self._table(dataset)
        names = tuple(columns) or table.schema.names
        chosen = ", ".join(self._column(table, name) for name in names)
        keys = ", ".join(map(quoted, table.schema.key))
        condition = f" WHERE {where}" if where else ""
        sql = f'SELECT {chosen} FROM "{table.view}"{condition} ORDER BY "_origin", {keys} LIMIT ? OFFSET ?'  # noqa: S608 - names pass `quoted`
        found = self._session.rows(sql, (*parameters, limit, offset))
        booleans = [i for i, name in enumerate(names) if _is_boolean(table, name)]
        return [_with_booleans(row, booleans) for row in found] if booleans else found

    def nodes(self) -> list[str]:
        """Ids of all nodes whose rows may be held, in order."""
        return [name for (name,) in self._session.rows(_NODES)]

    def page(
        self,
        dataset: str,
        origin: str,
        after: Key | None,
        columns: Sequence[str],
        limit: int,
        where: str = "",
        parameters: Sequence[Cell] = (),
    ) -> list[Row]:
        """Rows of an origin in order of key, from behind `after` on; columns and `where` as in `query`."""
        table = self._table(dataset)
        chosen = ", ".join(self._column(table, name) for name in columns)
        keys = ", ".join(map(quoted, table.schema.key))
        conditions = ['"_origin" = ?', *([f"({where})"] if where else [])]
        if after is not None:
            conditions.append(f"({keys}) > ({', '.join('?' * len(after))})")
        sql = f'SELECT {chosen} FROM "{table.view}" WHERE {" AND ".join(conditions)} ORDER BY {keys} LIMIT ?'  # noqa: S608 - names pass `quoted`
        found = self._session.rows(sql, (origin, *parameters, *(after or ()), limit))
        booleans = [i for i, name in enumerate(columns) if _is_boolean(table, name)]
        return [_with_booleans(row, booleans) for row in found] if booleans else found

    def count(self, dataset: str, where: str = "", parameters: Sequence[Cell] = ()) -> int:
        """Number of rows."""
        table = self._table(dataset)
        # Without a condition the bare table is counted, which needs no look at each row; but not what was taken over.
        bare = not where and self._session.first(_ANY_HEIR) is None
        chosen = f'"{table.name}"' if bare else f'"{table.view}"' + (f" WHERE {where}" if where else "")
        sql = f"SELECT count(*) FROM {chosen}"  # noqa: S608 - the names pass `quoted`
        return int(self._session.first(sql, parameters)[0])

    def tally(
        self, dataset: str, columns: Sequence[str], where: str, parameters: Sequence[Cell], limit: int
    ) -> list[tuple[str, Row, int]]:
        """(origin, cells of `columns`, number of rows) of each combination that rows have; `where` as in `query`."""
        table = self._table(dataset)
        names = ", ".join(['"_origin"', *(self._column(table, name) for name in columns)])
        sql = f'SELECT {names}, count(*) FROM "{table.view}" WHERE {where} GROUP BY {names} LIMIT ?'  # noqa: S608 - names pass `quoted`
        return [(row[0], tuple(row[1:-1]), row[-1]) for row in self._session.rows(sql, (*parameters, limit))]

    def groups(self, dataset: str, columns: Sequence[str], where: str, parameters: Sequence[Cell]) -> list[Row]:
        """Each combination of cells that stands there, in no order; columns and where as in `query`."""
        table = self._table(dataset)
        chosen = ", ".join(self._column(table, name) for name in columns)
        sql = f'SELECT DISTINCT {chosen} FROM "{table.view}" WHERE {where}'  # noqa: S608 - names pass `quoted`
        return self._session.rows(sql, parameters)

    def schema(self, dataset: str) -> RowSchema:
        """The schema of a dataset that has a table here. Raises StoreFault."""
        return self._table(dataset).schema

    def counts(self) -> dict[str, int]:
        """Number of rows of each dataset."""
        return {dataset: self.count(dataset) for dataset in self._tables}

    def read_rows(self, dataset: str, origin: str, keys: Collection[Key]) -> dict[Key, tuple[int, Row]]:
        """(version, cells in schema order) of each key that has a row."""
        return self._rows.read(dataset, origin, keys)

    def scan(self, dataset: str, origin: str | None) -> Iterator[tuple[Key, int, Row]]:
        """(key, version, cells in schema order) of every row of an origin (None: of all), in order of key."""
        return self._rows.scan(dataset, origin)

    # --- log and fates

    def feeds(self) -> list[FeedState]:
        """States of all feeds, in the order in which they were first seen."""
        return self._records.feeds()

    def epochs(self, feed: FeedName) -> list[Head]:
        """Heads of all epochs held of a feed, oldest first."""
        return self._log.epochs(feed)

    def entry(self, feed: FeedName, epoch: bytes, seq: int) -> LogEntry | None:
        """One entry."""
        return self._log.entry(feed, epoch, seq)

    def entries(self, feed: FeedName, epoch: bytes, from_seq: int, bytes_max: int, entries_max: int) -> list[LogEntry]:
        """Entries that end at a seal, as sync.ports.Log.entries."""
        return self._log.entries(feed, epoch, from_seq, bytes_max, entries_max)

    def stored(self, feed: FeedName, epoch: bytes, from_seq: int, entries_max: int) -> list[LogEntry]:
        """Entries from from_seq on as they are held; a payload that is no longer held is empty."""
        return self._log.stored(feed, epoch, from_seq, entries_max)

    def parked(self, feed: FeedName | None, limit: int) -> list[ParkedRef]:
        """Rows that wait."""
        return self._records.parked(feed, limit)

    def fates(self, feed: FeedName | None, fate: Fate | None, limit: int) -> list[Told]:
        """What became of rows that were not simply applied, newest first; of one feed or fate, or of all."""
        number = None if feed is None else self._names.find_feed(feed)
        if feed is not None and number is None:
            return []
        wanted = None if fate is None else fate.value
        return self._told(_FATES, (number, wanted, limit))

    def not_applied(self, feed: FeedName, epoch: bytes) -> dict[int, frozenset[int]]:
        """Places of rows of a feed that are not in effect here, by seq; -1 stands for a whole entry."""
        return self._records.not_applied(feed, epoch)

    def heard(self, limit: int, feed: FeedName | None = None) -> list[tuple[str, Refusal]]:
        """(node, refusal): what other nodes said of this node's rows, or of those in one feed of its own; first what is
        refused or parked there still, the newest first."""
        asked = (_HEARD, (limit,)) if feed is None else (_HEARD_OF, (feed.publication, feed.addressee, limit))
        return [(by, Refusal.FromString(body)) for by, body in self._session.rows(*asked)]

    def heard_open(self) -> int:
        """How many of them are refused or parked there still, and were not changed here since."""
        return int(self._session.first(_HEARD_OPEN)[0])

    def fates_about(self, dataset: str, key: str, limit: int) -> list[Told]:
        """What became here of a row, by its key as JSON text; reads the whole list of fates."""
        return self._told(_FATES_ABOUT, (key, dataset, limit))

    def fates_at(self, feed: FeedName, epoch: bytes, seq: int, limit: int) -> list[Told]:
        """What became here of the rows of one entry, in order of place."""
        return self._told(_FATES_AT, (self._names.find_feed(feed), epoch, seq, limit))

    def heard_at(self, feed: FeedName, epoch: bytes, seq: int, limit: int) -> list[tuple[str, Refusal]]:
        """(node, refusal): what other nodes said of the rows of one entry of an own feed, oldest first."""
        found = self._session.rows(_HEARD_AT, (feed.publication, feed.addressee, epoch, seq, limit))
        return [(by, Refusal.FromString(body)) for by, body in found]

    def heard_about(self, dataset: str, key: str, limit: int) -> list[tuple[str, Refusal]]:
        """(node, refusal): what other nodes said of a row, oldest first."""
        found = self._session.rows(_HEARD_ABOUT, (key, dataset, limit))
        return [(by, Refusal.FromString(body)) for by, body in found]

    def queued(self, group: int) -> dict[FeedName, int]:
        """Items of one transaction that wait to be sealed, per feed."""
        return {self._names.feed_name(feed): count for feed, count in self._session.rows(_QUEUED, (group,))}

    def outbox(self) -> dict[FeedName, Waiting]:
        """What waits to be sealed, per feed."""
        return {self._names.feed_name(feed): Waiting(*rest) for feed, *rest in self._session.rows(_OUTBOX)}

    # --- tasks, neighbours, the node itself

    def tasks(self, limit: int) -> list[MoveBody]:
        """The last numbered move of each task, the most recently moved task first."""
        return [MoveBody.FromString(body) for body, _ in self._session.rows(_TASKS, (limit,))]

    def tasks_of(self, flow: str, issuer: str = "") -> list[tuple[MoveBody, MoveBody]]:
        """(first, last numbered move) of all tasks of a flow, of one issuer or of all, the most recently moved first.

        There is no limit: what a node does by itself must not depend on how many tasks others have opened since.
        """
        found = self._session.rows(_TASKS_OF, (flow.encode(), issuer.encode()))
        pairs = [(MoveBody.FromString(first), MoveBody.FromString(last)) for first, last in found]
        return [pair for pair in pairs if pair[0].flow == flow and issuer in ("", pair[0].issuer)]

    def tasks_after(self, task: str, limit: int) -> list[str]:
        """Ids of tasks that have a numbered move, in their order, from behind one on."""
        return [str(found) for (found,) in self._session.rows(_TASKS_AFTER, (task, limit))]

    def moved_after(self, place: int, limit: int) -> list[tuple[int, str]]:
        """(place, task) of numbered moves in the order in which they were kept here, from behind a place."""
        return [(int(at), str(task)) for at, task in self._session.rows(_MOVED, (place, limit))]

    def newest_move(self) -> int:
        """The last such place. Less than before, once moves were taken back."""
        return int(self._session.rows(_NEWEST_MOVE)[0][0])

    def moves(self, task: str) -> list[MoveBody]:
        """Numbered moves of a task, in order of number."""
        return self._records.moves(task)

    def openings(self, holding: str) -> list[MoveBody]:
        """First moves of the tasks in whose first move a text stands, the oldest first."""
        return self._records.openings(holding)

    def moves_since(self, place: int, limit: int) -> list[tuple[int, MoveBody]]:
        """(place, move) of numbered moves kept since a place, in the order in which they came; places rise."""
        return [(at, MoveBody.FromString(body)) for at, body in self._session.rows(_MOVES_SINCE, (place, limit))]

    def moves_holding(self, text: str, other: str, limit: int) -> list[MoveBody]:
        """Moves in which two texts stand: those that were decided, and those that wait for the arbiter.

        It looks at every move: for what a person asks, or what is remembered.
        """
        values = (text.encode(), other.encode(), limit)
        return [MoveBody.FromString(body) for (body,) in self._session.rows(_MOVES_HOLDING, values)]

    def pending_moves(self, task: str, *, refused: bool = False) -> list[MoveBody]:
        """Moves of a task that the arbiter has not answered, or those it refused; oldest first."""
        return self._records.pending_moves(task, refused)

    def statements(self) -> list[tuple[str, str, str, bytes, bytes, bytes]]:
        """(sort, by, about, body, signature, detail)."""
        return self._session.rows(_STATEMENTS)

    def evidence(self) -> list[tuple[FeedName, bytes]]:
        """Proofs of forks, oldest first."""
        return [(self._names.feed_name(feed), body) for feed, body in self._session.rows(_EVIDENCE)]

    def meta(self, name: str) -> int | str | bytes | None:
        """One value of the node itself."""
        return self._records.meta(name)

    def invites(self) -> list[KeptInvite]:
        """All invites, oldest first."""
        return self._invites.all()

    def loads(self, limit: int, before: int = LOAD_MAX) -> list[Load]:
        """The newest loads before one, newest first."""
        return self._loads.newest(limit, before)

    def load(self, load: int) -> Load | None:
        """One load."""
        return self._loads.get(load)

    def load_batches(self, load: int) -> list[tuple[int, bytes]]:
        """(group, packed keys) of each transaction of a load."""
        return self._loads.batches(load)

    def load_of_group(self, group: int) -> int | None:
        """The load that a transaction belongs to; None if it was no load's."""
        return self._loads.of_group(group)

    def reread(self, limit: int) -> Sequence[Listed]:
        """Rows of this node that are to be read again from their source, in order of dataset and key."""
        return self._reread.all(limit)

    def reread_count(self) -> int:
        """How many lines that list has."""
        return self._reread.count()

    def rejects(self, load: int, limit: int) -> list[Reject]:
        """Lines of a load that were not let in."""
        return self._loads.rejects(load, limit)

    def origins(self) -> dict[int, str]:
        """Nodes by their numbers in this store."""
        return dict(self._session.rows(_ORIGINS))

    def tokens(self) -> list[Token]:
        """All tokens of the API that were ever made, oldest first."""
        return self._tokens.all()

    def rejects_of(self, dataset: str, key: str, source: str, limit: int) -> list[tuple[int, Reject]]:
        """(load, line not let in) of a row, by its key as JSON text or its number in its source; newest load first."""
        return self._loads.rejects_of(dataset, key, source, limit)

    def first_signed(self, by: str, feed: FeedName, epoch: bytes, seq: int) -> Signed:
        """When a node first signed for an entry."""
        return self._marks.first(by, feed, epoch, seq)

    def reads(self) -> Reads:
        """The core's reads, for a replica that is rebuilt only to be looked at."""
        return Reads(self._log, self._rows, self._records)

    def sources(self) -> list[SourceState]:
        """Every source that was ever read, in order of name."""
        return self._sources.all()

    def brought_at(self, dataset: str) -> int:
        """When a load of a dataset ended last, or a source of it answered last (microseconds); 0 if never."""
        contacts = [source.contact for source in self._sources.all() if source.dataset == dataset]
        return max([self._loads.last_ended(dataset), *contacts])

    def source_days(self, first: str, last: str) -> Sequence[SourceDay]:
        """What came of the sources from one day to another (ISO dates, both included), in order of day and name."""
        return self._sources.days(first, last)

    def source_claimed(self, source: str, after: bytes, limit: int, others: Sequence[str]) -> list[Claimed]:
        """As node.store.sources.Sources.claimed."""
        known = self._sources.get(source)
        return [] if known is None else self._sources.claimed(known, after, limit, others)

    def load_state(self) -> Rebuilt:
        """All that a replica starts from, as committed."""
        return load_state(self._session, self._names, self._log, self._records)

    def bytes_on_disk(self) -> int:
        """Size of the database without its WAL."""
        return int(self._session.first(_SIZE)[0])

    def _told(self, sql: str, parameters: Sequence[Cell]) -> list[Told]:
        return [
            Told(self._names.feed_name(of), epoch, FateRow(seq, place, ds, key, Fate(f), Reason(why), unpacked(detail)))
            for of, epoch, seq, place, ds, key, f, why, detail in self._session.rows(sql, parameters)
        ]

    def _table(self, dataset: str) -> RowTable:
        table = self._tables.get(dataset)
        if table is None:
            raise StoreFault(StoreTrouble.REFUSED, f"dataset {dataset!r} is not in the catalogue")
        return table

    @staticmethod
    def _column(table: RowTable, name: str) -> str:
        if name in _OF_EACH_ROW:
            return f'"{name}"'
        if name not in table.schema.names:
            raise StoreFault(StoreTrouble.REFUSED, f"dataset {table.schema.dataset} has no column {name!r}")
        return quoted(name)


def _is_boolean(table: RowTable, name: str) -> bool:
    return name not in _OF_EACH_ROW and table.schema.column(name).type is CellType.BOOLEAN


def _with_booleans(row: Row, places: Sequence[int]) -> Row:
    cells = list(row)
    for i in places:
        cells[i] = None if cells[i] is None else bool(cells[i])
    return tuple(cells)
