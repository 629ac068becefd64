"""Making the tables and bringing an older store up to date, with sqlite-utils' numbered migrations.

Each migration and the record of it (table _sqlite_migrations) are one transaction. A migration, once released, is
never changed; a new one is added below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from node.store.daybook import Daybook
from node.store.driver import Connection, Error, fault_of, fence, unfence
from node.store.faults import StoreFault, StoreTrouble
from node.store.names import seq_of
from node.store.records import is_open
from node.store.rowsql import OF_EACH_ROW, TAKEN_OVER, RowTable, make_views
from node.store.schema import (
    API_TABLES,
    CHANGE_TABLES,
    COUNTS_AND_MARKS,
    DOOR_REJECTS,
    DUE_TABLES,
    FIRST_TABLES,
    GRADE_TABLES,
    HEARD_BY_ROW,
    HEARD_OPEN,
    HEIR_TABLE,
    PEOPLE_TABLES,
    SEQ_BITS,
    SOURCE_TABLES,
    WINDOW_OVER,
    WINDOW_TABLE,
)
from node.store.session import Session
from sync.schema import CellType, RowSchema
from sync.wire.v1.entry_pb2 import EntryHeader, Refusal

_migrations = Migrations("tiersync")
_FIRST = "0001_first_tables"
_SOURCES = "0002_sources"
_COUNTS = "0003_counts_and_marks"
_API = "0004_api"
_DUES = "0005_dues"
_CHANGES = "0006_changes"
_HEIRS = "0007_heirs"
_HEARD = "0008_heard_open"
_PEOPLE = "0009_people"
_REJECTS = "0010_door_rejects"
_WINDOWS = "0011_windows"
_GRADES = "0012_grades"
_CORRECTED = "0013_heard_by_row"
_WINDOWS_OVER = "0014_windows_over"
NAMES = (
    *(_FIRST, _SOURCES, _COUNTS, _API, _DUES, _CHANGES, _HEIRS, _HEARD, _PEOPLE, _REJECTS, _WINDOWS, _GRADES),
    *(_CORRECTED, _WINDOWS_OVER),
)
"""All migrations of this program, in order."""

# Text, decimal and date stay text, so that a decimal keeps its digits; booleans are 0 and 1.
_PYTHON_TYPES: dict[CellType, type] = {
    CellType.TEXT: str,
    CellType.DECIMAL: str,
    CellType.DATE: str,
    CellType.INTEGER: int,
    CellType.TIMESTAMP: int,
    CellType.BOOLEAN: int,
    CellType.FLOAT: float,
    CellType.BYTES: bytes,
}
_SQL_TYPES = {str: "TEXT", int: "INTEGER", float: "REAL", bytes: "BLOB"}


@_migrations(name=_FIRST)
def _first_tables(db: Database) -> None:
    for statement in FIRST_TABLES:
        db.execute(statement)


@_migrations(name=_SOURCES)
def _source_tables(db: Database) -> None:
    for statement in SOURCE_TABLES:
        db.execute(statement)


@_migrations(name=_COUNTS)
def _counts_and_marks(db: Database) -> None:
    for statement in COUNTS_AND_MARKS:
        db.execute(statement)
    daybook = Daybook(Session(db.conn))
    for number, header, rows in db.execute("SELECT id, header, rows FROM log ORDER BY id"):
        daybook.entries(number >> SEQ_BITS, seq_of(number), [rows], [EntryHeader.FromString(header).hlc])
    daybook.flush()


@_migrations(name=_API)
def _api_tables(db: Database) -> None:
    for statement in API_TABLES:
        db.execute(statement)


@_migrations(name=_DUES)
def _due_tables(db: Database) -> None:
    for statement in DUE_TABLES:
        db.execute(statement)


@_migrations(name=_CHANGES)
def _change_tables(db: Database) -> None:
    for statement in CHANGE_TABLES:
        db.execute(statement)


@_migrations(name=_HEIRS)
def _heir_table(db: Database) -> None:
    db.execute(HEIR_TABLE)


@_migrations(name=_HEARD)
def _heard_open(db: Database) -> None:
    for statement in HEARD_OPEN:
        db.execute(statement)
    said = db.execute("SELECT rowid, body FROM heard")
    settled = [row for row, body in said if not is_open(Refusal.FromString(body))]
    db.conn.executemany("UPDATE heard SET open = 0 WHERE rowid = ?", [(row,) for row in settled])


@_migrations(name=_PEOPLE)
def _people_tables(db: Database) -> None:
    for statement in PEOPLE_TABLES:
        db.execute(statement)


@_migrations(name=_REJECTS)
def _door_rejects(db: Database) -> None:
    for statement in DOOR_REJECTS:
        db.execute(statement)


@_migrations(name=_WINDOWS)
def _window_table(db: Database) -> None:
    db.execute(WINDOW_TABLE)


@_migrations(name=_GRADES)
def _grade_tables(db: Database) -> None:
    for statement in GRADE_TABLES:
        db.execute(statement)


@_migrations(name=_CORRECTED)
def _heard_by_row(db: Database) -> None:
    db.execute(HEARD_BY_ROW)


@_migrations(name=_WINDOWS_OVER)
def _windows_over(db: Database) -> None:
    db.execute(WINDOW_OVER)


def migrate(connection: Connection, schemas: Iterable[RowSchema]) -> None:
    """Makes or updates all tables, then fences the connection. Raises StoreFault, OUTDATED for a newer store."""
    unfence(connection)
    try:
        db = _database(connection)
        newer = [migration.name for migration in _migrations.applied(db) if migration.name not in NAMES]
        if newer:
            raise StoreFault(StoreTrouble.OUTDATED, f"migration {newer[0]} is unknown here")
        _migrations.apply(db)
        with db.atomic():
            _make_rows_tables(db, schemas)
    except Error as error:
        raise fault_of(error) from error
    finally:
        fence(connection)


def _database(connection: Connection) -> Database:
    # Plug-ins of other programs have no business in our store.
    return Database(connection, recursive_triggers=False, execute_plugins=False)


def _make_rows_tables(db: Database, schemas: Iterable[RowSchema]) -> None:
    """The datasets' tables: made, or given the columns that a newer schema version adds. Their views are made anew."""
    schemas, there = list(schemas), set(db.table_names())
    hiding = any(schema.dataset == TAKEN_OVER for schema in schemas)
    for schema in schemas:
        of_each = dict.fromkeys(OF_EACH_ROW, int)
        wanted = {"_origin": int, **{c.name: _PYTHON_TYPES[c.type] for c in schema.columns}, **of_each}
        name = RowTable.name_of(schema.dataset)
        if name in there:
            _fit(db, schema, wanted)
        else:
            # Not table.create(): its look-ups cost more than the table, and simulations make thousands of stores.
            key = ["_origin", *schema.key]
            db.execute(db.create_table_sql(name, wanted, pk=key, not_null=["_version"], strict=True))
        for view in (RowTable.view_of(schema.dataset), RowTable.held_of(schema.dataset)):
            db.execute(f'DROP VIEW IF EXISTS "{view}"')
        for statement in make_views(schema, hiding):
            db.execute(statement)


def _fit(db: Database, schema: RowSchema, wanted: Mapping[str, type]) -> None:
    table = db.table(RowTable.name_of(schema.dataset))
    found = {column.name: column for column in table.columns}
    if table.pks != ["_origin", *schema.key]:
        raise StoreFault(StoreTrouble.OUTDATED, f"dataset {schema.dataset} has another key here: {table.pks[1:]}")
    dropped = [name for name in found if name not in wanted]
    if dropped:
        raise StoreFault(StoreTrouble.OUTDATED, f"dataset {schema.dataset} has a column {dropped[0]} here")
    for name, kind in wanted.items():
        if name not in found:
            table.add_column(name, kind)
        elif found[name].type != _SQL_TYPES[kind]:
            raise StoreFault(StoreTrouble.OUTDATED, f"column {schema.dataset}.{name} is {found[name].type} here")
