"""The one module that imports a SQLite driver, so that a process has one SQLite library and one set of exceptions.

The rule is sqlite-utils' own (sqlite_utils/utils.py): the pysqlite3 wheel if it is there, else the standard library.
pysqlite3 says threadsafety 1: a connection belongs to the thread that made it, and the library enforces it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from node.store.faults import StoreFault, StoreTrouble, UnsafeSqlite

if TYPE_CHECKING:
    import sqlite3 as library
else:
    try:
        from pysqlite3 import dbapi2 as library
    except ImportError:
        import sqlite3 as library

Connection = library.Connection
Cursor = library.Cursor
Error = library.Error

VERSION: tuple[int, int, int] = library.sqlite_version_info[:3]
VERSION_TEXT = library.sqlite_version
LIBRARY = library.__name__

PAGE_BYTES = 8_192
CHECKPOINT_PAGES = 8_000
"""From here on the writer moves the WAL into the database as soon as it has nothing else to do."""
CHECKPOINT_PAGES_MAX = 32_000
"""Where a commit does so itself: a burst of up to 256 MiB is written once while it lasts."""
WAL_KEPT_BYTES = CHECKPOINT_PAGES * PAGE_BYTES
WAL_BYTES_MAX = CHECKPOINT_PAGES_MAX * PAGE_BYTES
WRITER_CACHE_KIB = 16 * 1_024
"""More costs more than it saves: fresh memory is dear, and what SQLite misses stands in the page cache (ADR 0007)."""
READER_CACHE_KIB = 4 * 1_024
BUSY_MS = 5_000
STATEMENTS_CACHED = 512
STEPS_BETWEEN_LOOKS = 100_000
"""Of SQLite's machine, a few milliseconds: how soon a reader notices that it is over."""

_SAFE_FROM = (3, 51, 3)
_BACK_PORTS = {(3, 50): 7, (3, 44): 6}

# Statements that a running node never makes; denied once the tables stand, so that nothing can smuggle them in.
_DENIED = frozenset(
    {
        library.SQLITE_ATTACH,
        library.SQLITE_DETACH,
        library.SQLITE_CREATE_INDEX,
        library.SQLITE_CREATE_TABLE,
        library.SQLITE_CREATE_TRIGGER,
        library.SQLITE_CREATE_VIEW,
        library.SQLITE_CREATE_VTABLE,
        library.SQLITE_DROP_INDEX,
        library.SQLITE_DROP_TABLE,
        library.SQLITE_DROP_TRIGGER,
        library.SQLITE_DROP_VIEW,
        library.SQLITE_ALTER_TABLE,
    }
)


def check_version(version: tuple[int, int, int]) -> None:
    """Raises UnsafeSqlite for a version with the WAL-reset race (3.7.0 to 3.51.2 without back-port) or without WAL."""
    back_port = _BACK_PORTS.get(version[:2])
    if version >= _SAFE_FROM or (back_port is not None and version[2] >= back_port):
        return
    raise UnsafeSqlite(".".join(map(str, version)))


def connect_writer(path: Path, *, durable: bool = True) -> Connection:
    """The one connection that writes and checkpoints: WAL, FULL, autocommit (transactions are begun by hand).

    durable=False gives up every promise about crashes, for simulations. Raises UnsafeSqlite, StoreFault.
    """
    check_version(VERSION)
    connection = _open(path.absolute().as_uri())
    try:
        mode = "WAL" if durable else "MEMORY"
        _pragmas(connection, "trusted_schema=OFF", f"busy_timeout={BUSY_MS}", f"page_size={PAGE_BYTES}")
        said = connection.execute(f"PRAGMA journal_mode={mode}").fetchone()[0]
        if said.upper() != mode:
            raise StoreFault(StoreTrouble.OTHER, f"journal mode is {said}, not {mode} (a network file system?)")
        _pragmas(
            connection,
            f"synchronous={'FULL' if durable else 'OFF'}",
            f"cache_size=-{WRITER_CACHE_KIB}",
            f"wal_autocheckpoint={CHECKPOINT_PAGES_MAX}",
            f"journal_size_limit={WAL_KEPT_BYTES}",
        )
    except Error as error:
        connection.close()
        raise fault_of(error) from error
    except StoreFault:
        connection.close()
        raise
    return connection


def connect_memory() -> Connection:
    """A private database in memory, for simulations and tests."""
    check_version(VERSION)
    connection = library.connect(":memory:", isolation_level=None, cached_statements=STATEMENTS_CACHED)
    _pragmas(connection, "trusted_schema=OFF", "synchronous=OFF", "journal_mode=MEMORY")
    return connection


def connect_scratch(path: Path) -> Connection:
    """A database for the time of one piece of work, in a file that nobody needs afterwards. Raises StoreFault."""
    connection = _open(path.absolute().as_uri())
    _pragmas(connection, "trusted_schema=OFF", "synchronous=OFF", "journal_mode=OFF", f"cache_size=-{WRITER_CACHE_KIB}")
    return connection


def connect_reader(path: Path, over: Callable[[], bool] | None = None) -> Connection:
    """A connection that can only read and never checkpoints; small cache. Raises UnsafeSqlite, StoreFault.

    over: looked at while statements run, which end as soon as it says so.
    """
    check_version(VERSION)
    connection = _open(path.absolute().as_uri() + "?mode=ro")
    try:
        _pragmas(
            connection,
            "trusted_schema=OFF",
            f"busy_timeout={BUSY_MS}",
            "query_only=ON",
            "wal_autocheckpoint=0",
            f"cache_size=-{READER_CACHE_KIB}",
        )
        if over is not None:
            connection.set_progress_handler(over, STEPS_BETWEEN_LOOKS)
    except Error as error:
        connection.close()
        raise fault_of(error) from error
    return connection


def wal_bytes(path: Path) -> int:
    """Size of the WAL's file; 0 where there is none. After a checkpoint it stays until the WAL begins anew, and then is
    cut down to WAL_KEPT_BYTES: above that it tells what was written since.

    Only ever stat: to open and close a file of the database would drop every lock SQLite holds on it in this process
    (sqlite.org/howtocorrupt.html, section 2.2).
    """
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except FileNotFoundError:
        return 0


def fence(connection: Connection) -> None:
    """From here on the connection refuses to attach databases and to change the schema."""
    connection.set_authorizer(_authorize)


def unfence(connection: Connection) -> None:
    """Lets the schema change again, for migrations and new datasets."""
    connection.set_authorizer(None)


def fault_of(error: BaseException) -> StoreFault:
    """The StoreFault that tells what a driver's exception means."""
    code = getattr(error, "sqlite_errorcode", None)
    trouble = _TROUBLES.get(code & 0xFF, StoreTrouble.OTHER) if isinstance(code, int) else StoreTrouble.OTHER
    if isinstance(error, OverflowError | UnicodeError | library.ProgrammingError):
        trouble = StoreTrouble.REFUSED
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return StoreFault(trouble, f"{name}: {error}")


_TROUBLES = {
    library.SQLITE_FULL: StoreTrouble.DISK_FULL,
    library.SQLITE_IOERR: StoreTrouble.IO,
    library.SQLITE_CORRUPT: StoreTrouble.CORRUPT,
    library.SQLITE_NOTADB: StoreTrouble.CORRUPT,
    library.SQLITE_BUSY: StoreTrouble.BUSY,
    library.SQLITE_LOCKED: StoreTrouble.BUSY,
    library.SQLITE_READONLY: StoreTrouble.READ_ONLY,
    library.SQLITE_CANTOPEN: StoreTrouble.READ_ONLY,
    library.SQLITE_CONSTRAINT: StoreTrouble.REFUSED,
    library.SQLITE_MISMATCH: StoreTrouble.REFUSED,
    library.SQLITE_INTERRUPT: StoreTrouble.STOPPED,
}


def _open(uri: str) -> Connection:
    try:
        return library.connect(uri, uri=True, isolation_level=None, cached_statements=STATEMENTS_CACHED)
    except Error as error:
        raise fault_of(error) from error


def _pragmas(connection: Connection, *settings: str) -> None:
    for setting in settings:
        connection.execute(f"PRAGMA {setting}").close()


def _authorize(action: int, *_: object) -> int:
    return library.SQLITE_DENY if action in _DENIED else library.SQLITE_OK
