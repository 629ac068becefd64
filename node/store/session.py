"""One connection with its open transaction: every statement of the store goes through here.

A driver's exception never leaves this module: it becomes a StoreFault, and from then on nothing more is done. A failed
fsync must not be tried again (the kernel may have dropped the pages), so the only way on is to open the store anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from node.store.driver import Connection, Error, fault_of
from node.store.faults import StoreFault, StoreTrouble

Parameters = Sequence[Any]
_FAULTS = (Error, OverflowError, UnicodeError)


class Session:
    """A connection used from one thread. Every method raises StoreFault, and after the first one only that."""

    __slots__ = ("_fault", "connection")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._fault: StoreFault | None = None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.connection.in_transaction

    def begin(self) -> None:
        """Opens the transaction, as a writer from the start."""
        self.run("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Makes the transaction durable; returns only after the disk said so."""
        self.run("COMMIT")

    def checkpoint(self) -> None:
        """Moves what it can from the WAL into the database. On a full disk all of it stays in the WAL."""
        try:
            self._check()
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except _FAULTS as error:
            if fault_of(error).trouble is not StoreTrouble.DISK_FULL:
                raise self._failed(error) from error

    def rollback(self) -> None:
        """Drops what was not committed; never raises, for it is called after faults too."""
        with suppress(*_FAULTS):
            # After SQLITE_FULL and the like SQLite has rolled back by itself, and a second ROLLBACK is an error.
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def run(self, sql: str, parameters: Parameters = ()) -> int:
        """Executes one statement; the number of rows it changed."""
        try:
            self._check()
            return self.connection.execute(sql, parameters).rowcount
        except _FAULTS as error:
            raise self._failed(error) from error

    def run_many(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Executes one statement for each row of parameters; the number of rows changed."""
        try:
            self._check()
            return self.connection.executemany(sql, rows).rowcount
        except _FAULTS as error:
            raise self._failed(error) from error

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """All rows of a query."""
        try:
            self._check()
            return self.connection.execute(sql, parameters).fetchall()
        except _FAULTS as error:
            raise self._failed(error) from error

    def first(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first row of a query as a tuple, or None."""
        with self.stepping(sql, parameters) as rows:
            return next(rows, None)

    @contextmanager
    def stepping(self, sql: str, parameters: Parameters = ()) -> Iterator[Iterator[Any]]:
        """The rows of a query one by one; leaving the block ends the query, so that no read stays open."""
        try:
            self._check()
            cursor = self.connection.execute(sql, parameters)
        except _FAULTS as error:
            raise self._failed(error) from error
        try:
            yield cursor
        except Error as error:  # only the driver's: what the caller's own block raises is not the store's fault
            raise self._failed(error) from error
        finally:
            cursor.close()

    def close(self) -> None:
        """Drops an open transaction and closes the connection."""
        self.rollback()
        self.connection.close()

    def _check(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _failed(self, error: BaseException) -> StoreFault:
        self._fault = fault_of(error)
        return self._fault
