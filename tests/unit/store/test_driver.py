"""The driver: which SQLite is let in, how connections are set, what a failure is called."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlite_utils.utils

from node.store import driver
from node.store.faults import StoreFault, StoreTrouble, UnsafeSqlite
from node.store.session import Session
from node.store.store import Store
from sync.effects import UpsertRows
from tests.unit.store.world import FEED, ORIGIN, SCHEMA, row

VERSIONS = {
    (3, 6, 23): False,
    (3, 7, 0): False,
    (3, 40, 1): False,
    (3, 44, 5): False,
    (3, 44, 6): True,
    (3, 44, 9): True,
    (3, 45, 0): False,
    (3, 45, 6): False,
    (3, 50, 6): False,
    (3, 50, 7): True,
    (3, 51, 0): False,
    (3, 51, 2): False,
    (3, 51, 3): True,
    (3, 52, 0): True,
    (3, 53, 4): True,
    (4, 0, 0): True,
}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_gate_lets_in_only_versions_without_the_wal_reset_race(version: tuple[int, int, int]) -> None:
    """3.51.3 and later, and the two back-ports; the message says what to install."""
    if VERSIONS[version]:
        driver.check_version(version)
    else:
        with pytest.raises(UnsafeSqlite, match="pysqlite3"):
            driver.check_version(version)


@pytest.mark.parametrize("connect", ["connect_writer", "connect_reader"])
def test_no_connection_is_made_with_an_unsafe_library(
    connect: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate stands before the file is touched."""
    monkeypatch.setattr(driver, "VERSION", (3, 40, 1))
    with pytest.raises(UnsafeSqlite):
        getattr(driver, connect)(path)
    assert not path.exists()


def test_sqlite_utils_uses_the_same_library() -> None:
    """One SQLite per process: two copies of it in one process break each other's file locks."""
    assert sqlite_utils.utils.sqlite3.sqlite_version == driver.VERSION_TEXT
    assert driver.Connection.__module__.split(".")[0] == sqlite_utils.utils.sqlite3.Connection.__module__.split(".")[0]


def pragma(connection: driver.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_the_writer_is_durable_and_checkpoints(path: Path) -> None:
    """WAL with FULL, 8 KiB pages, a checkpoint at 32,000 pages at the latest, a 16 MiB cache, no trusted schema."""
    connection = driver.connect_writer(path)
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "page_size": 8192,
        "wal_autocheckpoint": 32000,
        "journal_size_limit": 8000 * 8192,
        "cache_size": -16384,
        "trusted_schema": 0,
        "busy_timeout": 5000,
    }
    found = {name: pragma(connection, name) for name in expected}
    connection.close()
    assert found == expected


def test_a_reader_cannot_write_and_never_checkpoints(path: Path) -> None:
    """Read-only file, query_only, small cache."""
    driver.connect_writer(path).close()
    connection = driver.connect_reader(path)
    found = [pragma(connection, n) for n in ("query_only", "wal_autocheckpoint", "cache_size")]
    with pytest.raises(driver.Error):
        connection.execute("CREATE TABLE t (a)")
    connection.close()
    assert found == [1, 0, -4096]


def test_a_missing_database_is_told_plainly(path: Path) -> None:
    """A reader does not make a database."""
    with pytest.raises(StoreFault, match="home folder"):
        driver.connect_reader(path)


FORBIDDEN = ["ATTACH ':memory:' AS x", "CREATE TABLE t (a)", "DROP TABLE meta", "ALTER TABLE meta ADD COLUMN b"]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_a_running_store_refuses_to_change_its_schema(store: Store, statement: str) -> None:
    """Once the tables stand, the connection attaches nothing and makes, drops and alters nothing."""
    with pytest.raises(driver.Error, match="not authorized"):
        store.session.connection.execute(statement)


def test_a_connection_belongs_to_its_thread(store: Store) -> None:
    """The library says threadsafety 1; use from another thread is refused, not undefined."""
    raised: list[BaseException] = []

    def use() -> None:
        try:
            store.meta("instance")
        except StoreFault as fault:
            raised.append(fault)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert "thread" in str(raised[0])


CODES = {
    sqlite3.SQLITE_FULL: StoreTrouble.DISK_FULL,
    sqlite3.SQLITE_IOERR: StoreTrouble.IO,
    sqlite3.SQLITE_IOERR_FSYNC: StoreTrouble.IO,
    sqlite3.SQLITE_CORRUPT: StoreTrouble.CORRUPT,
    sqlite3.SQLITE_NOTADB: StoreTrouble.CORRUPT,
    sqlite3.SQLITE_BUSY_SNAPSHOT: StoreTrouble.BUSY,
    sqlite3.SQLITE_READONLY: StoreTrouble.READ_ONLY,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: StoreTrouble.REFUSED,
    sqlite3.SQLITE_ERROR: StoreTrouble.OTHER,
}


@pytest.mark.parametrize("code", CODES)
def test_each_failure_of_the_library_has_a_name_and_advice(code: int) -> None:
    """Extended codes count as their primary one; the words say what to do."""
    error = driver.library.OperationalError("said")
    error.sqlite_errorcode = code
    fault = driver.fault_of(error)
    assert fault.trouble is CODES[code]
    assert fault.trouble.value in str(fault)


def test_a_full_disk_ends_the_store_and_leaves_what_was_committed(path: Path) -> None:
    """After a failed write nothing more is done with that object; a new one finds the last commit."""
    store = Store.open(path, [SCHEMA])
    store.begin()
    store.perform(UpsertRows("demo", ORIGIN, FEED, SCHEMA.names, [row(1)], 1))
    store.commit()
    pages = store.session.connection.execute("PRAGMA page_count").fetchone()[0]
    store.session.connection.execute(f"PRAGMA max_page_count={pages + 2}").close()
    store.begin()
    with pytest.raises(StoreFault, match="disk is full") as caught:
        store.perform(UpsertRows("demo", ORIGIN, FEED, SCHEMA.names, [row(i, name="x" * 40) for i in range(2000)], 2))
    assert caught.value.trouble is StoreTrouble.DISK_FULL
    store.rollback()
    for again in (
        store.begin,
        store.commit,
        lambda: store.meta("group"),
        lambda: store.held("demo", ORIGIN, [("a", 1)]),
    ):
        with pytest.raises(StoreFault, match="disk is full"):
            again()
    store.close()
    reopened = Store.open(path, [SCHEMA])
    held = reopened.held("demo", ORIGIN, [("c000000", i) for i in range(3)])
    reopened.close()
    assert list(held) == [("c000000", 1)]


def test_a_checkpoint_does_not_wait_for_a_reader(path: Path) -> None:
    """An idle writer moves what it can; a reader in the middle of a look keeps what it sees."""
    store = Store.open(path, [SCHEMA])
    reader = driver.connect_reader(path)
    reader.execute("BEGIN").close()
    before = reader.execute("SELECT count(*) FROM rows_demo").fetchone()
    store.begin()
    store.perform(UpsertRows("demo", ORIGIN, FEED, SCHEMA.names, [row(1)], 1))
    store.commit()
    store.checkpoint()
    seen = reader.execute("SELECT count(*) FROM rows_demo").fetchone()
    reader.close()
    store.checkpoint()
    store.close()
    assert before == seen == (0,)


def test_a_wal_counts_as_full_until_it_is_moved(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fills by what is written, is empty after a checkpoint, and fills anew when it has begun again and grown."""
    monkeypatch.setattr("node.store.driver.WAL_KEPT_BYTES", 128 * 1024)
    monkeypatch.setattr("node.store.store.WAL_KEPT_BYTES", 128 * 1024)
    monkeypatch.setattr("node.store.store.WAL_BYTES_MAX", 1024 * 1024)
    store = Store.open(path, [SCHEMA])

    def write(rows: range) -> float:
        store.begin()
        store.perform(UpsertRows("demo", ORIGIN, FEED, SCHEMA.names, [row(i) for i in rows], 1))
        store.commit()
        return store.wal_filled

    store.checkpoint()
    filled = [store.wal_filled, write(range(2)), write(range(5_000)), write(range(5_000, 10_000))]
    store.checkpoint()
    after = [store.wal_filled, write(range(2)), write(range(10_000, 15_000))]
    store.close()
    assert filled[0] == filled[1] == 0.0 < filled[2] < filled[3] <= 1.0
    assert after[0] == after[1] == 0.0 < after[2] <= 1.0


def test_a_checkpoint_on_a_full_disk_leaves_the_session_whole() -> None:
    """All of it is in the WAL still; a disk that fails otherwise ends the session."""

    class Failing:
        in_transaction = False

        def __init__(self, code: int) -> None:
            self.code = code

        def execute(self, sql: str, parameters: object = ()) -> object:
            error = driver.library.OperationalError("disk")
            error.sqlite_errorcode = self.code
            raise error

    full = Session(Failing(driver.library.SQLITE_FULL))  # type: ignore[arg-type]
    full.checkpoint()
    full.checkpoint()
    broken = Session(Failing(driver.library.SQLITE_IOERR))  # type: ignore[arg-type]
    with pytest.raises(StoreFault) as said:
        broken.checkpoint()
    assert said.value.trouble is StoreTrouble.IO


def test_a_damaged_file_is_told_as_damaged(path: Path) -> None:
    """A file that is no database is corruption, not a program fault."""
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(StoreFault) as caught:
        Store.open(path, [SCHEMA])
    assert caught.value.trouble is StoreTrouble.CORRUPT


def test_what_the_caller_raises_while_reading_is_not_a_fault_of_the_store(store: Store) -> None:
    """Only the driver's exceptions end a store."""
    session: Session = store.session
    with pytest.raises(UnicodeError), session.stepping("SELECT 1"):
        b"\xff".decode()
    assert session.first("SELECT 1") == (1,)
