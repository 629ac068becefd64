"""Looks for what should have stayed at a city in everything that another node holds.

canaries = [text_canary("phone", "13800000000"), float_canary("longitude", 118.29401771)]
report = scan_home(province.home, canaries, case.held_back)
assert not report.leaks

Three looks, because each sees what another does not: every payload of log, outbox and payload table, inflated and
decoded (columns and cells by name); every cell of every table, also inflated where it is compressed; and the raw bytes
of every file in the home, the WAL, logs, audit and free pages of the database among them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import zstandard

from node.store.driver import Connection, connect_reader
from node.store.home import DATABASE_FILE
from sync.limits import PLAIN_BYTES_MAX
from sync.payload import CODEC_MESSAGE, CODEC_ROWS, CODEC_ROWS_ZSTD, inflate
from sync.wire.v1.entry_pb2 import EntryHeader

LEAKS_KEPT_MAX = 1_000
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
_ENTRIES = """SELECT id, header,
    coalesce(payload, (SELECT bytes FROM payload WHERE payload.digest = log.payload_digest)) FROM log ORDER BY id"""
_OUTBOX = "SELECT id, codec, plain_size, rows, payload FROM outbox ORDER BY id"
_ROW_TABLE = "rows_"


class Canary(NamedTuple):
    """Something that must be found nowhere, in every form of bytes that it may take."""

    name: str
    patterns: tuple[bytes, ...]


class Leak(NamedTuple):
    """One find: which canary or column, and where it stands."""

    what: str
    where: str


@dataclass(slots=True)
class LeakReport:
    """What was looked at, so that a test can tell that it was looked at at all; and what was found."""

    payloads: int = 0
    rows: int = 0
    """Rows that the payloads hold."""
    tables: int = 0
    cells: int = 0
    files: int = 0
    bytes: int = 0
    leaks: list[Leak] = field(default_factory=list)

    def add(self, leak: Leak) -> None:
        """Keeps a find."""
        if len(self.leaks) < LEAKS_KEPT_MAX:
            self.leaks.append(leak)

    def found(self, what: str, within: str = "") -> bool:
        """Whether this canary or column was found, in a place that is named so."""
        return any(leak.what == what and within in leak.where for leak in self.leaks)


def text_canary(name: str, text: str) -> Canary:
    """A text as UTF-8, and as JSON escapes it (logs)."""
    assert len(text) >= 6, "too short to be unique"
    escaped = text.encode("ascii", "backslashreplace")
    return Canary(name, tuple({text.encode(), escaped}))


def float_canary(name: str, value: float) -> Canary:
    """A number as 8 bytes in either order (msgpack and SQLite write the greater end first), and as text."""
    assert not value.is_integer(), "SQLite keeps whole numbers otherwise"
    return Canary(name, (struct.pack(">d", value), struct.pack("<d", value), repr(value).encode()))


def scan_home(home: Path, canaries: Sequence[Canary], columns: Collection[str] = ()) -> LeakReport:
    """All of a home, running or stopped. columns: names that no payload may list, and whose cells must all be empty
    in the row tables. Raises RemoteFault for a payload that cannot be read: what is not understood proves nothing.
    """
    report = LeakReport()
    with closing(connect_reader(home / DATABASE_FILE)) as connection:
        connection.execute("BEGIN")
        _scan_payloads(connection, canaries, columns, report)
        _scan_tables(connection, canaries, columns, report)
    _scan_files(home, canaries, report)
    return report


# --- payloads ---------------------------------------------------------------------------------------------------------


def _scan_payloads(
    connection: Connection, canaries: Sequence[Canary], columns: Collection[str], report: LeakReport
) -> None:
    for number, header_bytes, payload in connection.execute(_ENTRIES).fetchall():
        header = EntryHeader.FromString(header_bytes)
        where = f"entry {header.seq} of {header.origin}/{header.publication} (log {number})"
        assert payload is not None, f"{where} has no payload"
        _scan_payload(header, payload, where, canaries, columns, report)
    for number, codec, plain_size, rows, payload in connection.execute(_OUTBOX).fetchall():
        header = EntryHeader(codec=codec, plain_size=plain_size, rows=rows, payload_size=len(payload))
        _scan_payload(header, payload, f"item {number} of the outbox", canaries, columns, report)


def _scan_payload(
    header: EntryHeader,
    payload: bytes,
    where: str,
    canaries: Sequence[Canary],
    columns: Collection[str],
    report: LeakReport,
) -> None:
    plain = inflate(header, payload)
    report.payloads += 1
    _search(plain, f"payload of {where}", canaries, report)
    if header.codec not in (CODEC_ROWS, CODEC_ROWS_ZSTD):
        assert header.codec == CODEC_MESSAGE, f"codec {header.codec} in {where}"
        return
    _, named, puts, ends = msgspec.msgpack.decode(plain)
    report.rows += len(puts) + len(ends)
    for name in set(named) & set(columns):
        report.add(Leak(name, f"columns of {where}"))
    for row in puts:
        _search_row(named, row, where, canaries, report)


# --- tables -----------------------------------------------------------------------------------------------------------


def _scan_tables(
    connection: Connection, canaries: Sequence[Canary], columns: Collection[str], report: LeakReport
) -> None:
    for (table,) in connection.execute(_TABLES).fetchall():
        report.tables += 1
        cursor = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - from sqlite_master
        names = [about[0] for about in cursor.description]
        forbidden = set(columns) if table.startswith(_ROW_TABLE) else set()
        for row in cursor:
            report.cells += len(row)
            for name, cell in zip(names, row, strict=True):
                if name in forbidden and cell is not None:
                    report.add(Leak(name, f"column {name} of table {table}"))
            _search_row(names, row, f"table {table}", canaries, report)


def _search_row(
    names: Sequence[str], row: Sequence[Any], where: str, canaries: Sequence[Canary], report: LeakReport
) -> None:
    """A row's cells: all at once, and one by one only if something is there."""
    cells = [_bytes_of(cell) for cell in row]
    seen = LeakReport()
    _search(b"\0".join(cells), "", canaries, seen)
    if seen.leaks:
        for name, cell in zip(names, cells, strict=True):
            _search(cell, f"column {name} of {where}", canaries, report)
    for name, cell in zip(names, cells, strict=True):
        for plain in _inflated(cell):
            _search(plain, f"column {name} of {where}, inflated", canaries, report)


def _bytes_of(cell: Any) -> bytes:
    """A cell in the bytes it is made of."""
    if isinstance(cell, str):
        return cell.encode("utf-8", "surrogatepass")
    if isinstance(cell, float):
        return struct.pack(">d", cell)
    return cell if isinstance(cell, bytes) else b""


def _inflated(data: bytes) -> Iterator[bytes]:
    """Whatever zstd frames stand anywhere in the bytes."""
    start = data.find(_ZSTD_MAGIC)
    while start >= 0:
        with suppress(zstandard.ZstdError):  # those four bytes may stand there by chance
            yield zstandard.ZstdDecompressor().decompressobj().decompress(data[start:])[:PLAIN_BYTES_MAX]
        start = data.find(_ZSTD_MAGIC, start + 1)


# --- files ------------------------------------------------------------------------------------------------------------


def _scan_files(home: Path, canaries: Sequence[Canary], report: LeakReport) -> None:
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            report.files += 1
            report.bytes += len(data)
            _search(data, f"file {path.relative_to(home)}", canaries, report)


def _search(data: bytes, where: str, canaries: Sequence[Canary], report: LeakReport) -> None:
    holds: Callable[[bytes], bool] = data.__contains__
    for canary in canaries:
        if any(map(holds, canary.patterns)):
            report.add(Leak(canary.name, where))
