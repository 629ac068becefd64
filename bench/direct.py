"""The same rows straight into one SQLite file: what a tier could do if it had nothing else to do."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from bench.figures import Work
from bench.rows import SCHEMA
from node.store import driver
from sync.errors import LocalFault
from sync.schema import CellType
from sync.values import Row

_ROWS_PER_STATEMENT = 50
_TYPES = {
    CellType.TEXT: "TEXT",
    CellType.INTEGER: "INTEGER",
    CellType.TIMESTAMP: "INTEGER",
    CellType.FLOAT: "REAL",
}


class DirectSqlite:
    """One file, one writer, no tiers: the node's own driver and settings (WAL, FULL), multi-row upserts. T only."""

    name = "sqlite-direct"
    works = frozenset({Work.T})

    def __init__(self) -> None:
        self._home: Path | None = None
        self._store: driver.Connection | None = None

    def start(self) -> None:
        """An empty table in a new file."""
        self._home = Path(tempfile.mkdtemp(prefix="bench-sqlite-"))
        self._store = driver.connect_writer(self._home / "rows.db")
        self._store.execute(_TABLE)

    def throughput(self, rows: Sequence[Row], rows_per_set: int) -> float:
        """Seconds until the last commit returned."""
        assert self._store is not None
        begun = time.perf_counter()
        for start in range(0, len(rows), rows_per_set):
            self._store.execute("BEGIN IMMEDIATE")
            _upsert(self._store, rows[start : start + rows_per_set])
            self._store.execute("COMMIT")
        taken = time.perf_counter() - begun
        (stored,) = self._store.execute(f"SELECT count(*) FROM {SCHEMA.dataset}").fetchone()
        if stored != len(rows):
            raise LocalFault(f"{stored} rows stored of {len(rows)}")
        return taken

    def latency(self, rows: Sequence[Row], commits_per_s: int) -> list[float]:
        """Not for a store without tiers. Raises LocalFault."""
        raise LocalFault(f"one store has no tiers: {len(rows)} rows at {commits_per_s}/s have no nation to reach")

    def catch_up(self, rows: Sequence[Row], rows_per_set: int) -> float:
        """Not for a store without tiers. Raises LocalFault."""
        raise LocalFault(f"one store has no tiers: {len(rows)} rows in sets of {rows_per_set} have nobody to catch up")

    def stop(self) -> None:
        """Close and remove the file."""
        if self._store is not None:
            self._store.close()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
        self._store = self._home = None


_COLUMNS = ", ".join(f"{c.name} {_TYPES[c.type]}{'' if c.nullable else ' NOT NULL'}" for c in SCHEMA.columns)
_TABLE = f"CREATE TABLE {SCHEMA.dataset} ({_COLUMNS}, PRIMARY KEY ({', '.join(SCHEMA.key)}))"


def _statement(rows: int) -> str:
    one = f"({', '.join('?' * len(SCHEMA.names))})"
    updates = ", ".join(f"{name}=excluded.{name}" for name in SCHEMA.names if name not in SCHEMA.key)
    return (
        f"INSERT INTO {SCHEMA.dataset} ({', '.join(SCHEMA.names)}) VALUES {', '.join([one] * rows)}"
        f" ON CONFLICT ({', '.join(SCHEMA.key)}) DO UPDATE SET {updates}"
    )


_FULL_STATEMENT = _statement(_ROWS_PER_STATEMENT)


def _upsert(store: driver.Connection, rows: Sequence[Row]) -> None:
    for start in range(0, len(rows), _ROWS_PER_STATEMENT):
        some = rows[start : start + _ROWS_PER_STATEMENT]
        statement = _FULL_STATEMENT if len(some) == _ROWS_PER_STATEMENT else _statement(len(some))
        store.execute(statement, list(chain.from_iterable(some)))
