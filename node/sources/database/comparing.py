"""Which rows are gone: every key that the source has, beside every key that it ever brought.

A deleted row leaves no watermark behind, so this is the only way to learn of it. Both lists go into a file of the home
that is thrown away afterwards: memory does not grow with the table, and no two programs have to agree on an order.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from node.faults import Code, UserFault
from node.loading.convert import BadCell
from node.loading.load import Counts, IsOurs
from node.sources.books import Books
from node.sources.database.cells import cell_text
from node.sources.database.reading import Job
from node.sources.database.table import Cells, find, stream
from node.sources.declared import SOURCES_FOLDER
from node.store.driver import Connection, connect_scratch
from node.store.sources import Claimed, pack_key
from node.texts import N_
from sync.rows import key_text

KEYS_AT_ONCE: Final = 10_000
VOIDS_AT_ONCE: Final = 1_000
KEYS_SHOWN: Final = 100

_HERE = "CREATE TABLE here (key BLOB PRIMARY KEY) WITHOUT ROWID"
_BROUGHT = "CREATE TABLE brought (key BLOB PRIMARY KEY, shared INTEGER NOT NULL) WITHOUT ROWID"
_GONE = "FROM brought LEFT JOIN here USING (key) WHERE here.key IS NULL"
_MISSING = "FROM here LEFT JOIN brought USING (key) WHERE brought.key IS NULL"

Tell = Callable[[int], None]


@dataclass(slots=True)
class Comparison:
    """held: rows of this node that the source has; brought: those that it ever brought and that were not gone before;
    gone: brought and no more in the source; missing: in the source and never let in (rejected, not read yet, or become
    visible too late); unreadable: without a key that the dataset takes. voided: gone, and voided here.
    """

    source: str
    dataset: str
    dry_run: bool
    held: int = 0
    brought: int = 0
    gone: int = 0
    missing: int = 0
    unreadable: int = 0
    voided: int = 0
    kept: int = 0
    gone_keys: list[str] = field(default_factory=list)
    missing_keys: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def compare(job: Job, books: Books, tell: Tell, *, dry_run: bool = False, allow: int = 0) -> Comparison:
    """Voids what is gone. allow: so many may go, whatever share that is.

    Raises SourceAway when the list of keys is not whole (nothing is voided then), UserFault SOURCE_GUARDED when more
    would go than the source allows.
    """
    declared = job.declared
    found = Comparison(declared.name, declared.dataset, dry_run)
    state = books.ask(
        "source.begin", source=declared.name, dataset=declared.dataset, kind=declared.kind, shape=job.shape
    )
    with _scratch(books.home) as scratch:
        _read_here(job, scratch, books.own_regions(), found, tell)
        _read_brought(books, scratch, found)
        _count(scratch, found)
        if not dry_run:
            books.ask("source.compared", source=declared.name, held=found.held)
        _guard(job, found, allow)
        if not dry_run and found.gone:
            _void(books, scratch, found, state["position"])
    return found


@contextmanager
def _scratch(home: Path) -> Iterator[Connection]:
    prefix = ".compare-"
    with (
        tempfile.TemporaryDirectory(prefix=prefix, dir=home / SOURCES_FOLDER) as folder,
        closing(connect_scratch(Path(folder) / "keys.db")) as scratch,
    ):
        scratch.execute(_HERE)
        scratch.execute(_BROUGHT)
        yield scratch


def _read_here(job: Job, scratch: Connection, is_ours: IsOurs, found: Comparison, tell: Tell) -> None:
    """Every key of the source, from one end to the other: a row that was there all the time is in it."""
    database = job.declared.database
    assert database is not None
    with job.dialled.connection() as connection:
        table = find(connection, job.declared, job.converter.key_needs)
        if connection.execute(table.without_key()).first() is not None:
            raise _bad_key(job)
        wanted = [i for i, name in enumerate(table.asked) if name in job.converter.key_needs]
        names = [table.asked[i] for i in wanted]
        after: Cells | None = None
        while True:
            statement = table.keys(wanted, after, database.page_rows + 1)
            with closing(stream(connection, statement)) as rows:
                page, last = _one_page(job, names, rows, database.page_rows, after)
            connection.rollback()
            scratch.executemany("INSERT OR IGNORE INTO here (key) VALUES (?)", list(_keys(job, page, is_ours, found)))
            tell(len(page))
            if last is None:
                break
            after = last
    found.held = scratch.execute("SELECT count(*) FROM here").fetchone()[0]


def _one_page(
    job: Job, names: Sequence[str], rows: Iterator[Cells], limit: int, after: Cells | None
) -> tuple[list[dict[str, str | None]], Cells | None]:
    """(records of the key columns, the key of the last if more follow)."""
    zone, width = ZoneInfo(job.converter.mapping.source.time_zone), len(names)
    records: list[dict[str, str | None]] = []
    last = after
    for row in rows:
        key = tuple(row[width:])
        if key == last:
            raise _bad_key(job)
        if len(records) == limit:
            return records, last
        last = key
        cells = (cell_text(cell, zone, has_bits=job.dialled.has_bits) for cell in row[:width])
        records.append(dict(zip(names, cells, strict=True)))
    return records, None


def _keys(job: Job, records: list[dict[str, str | None]], is_ours: IsOurs, found: Comparison) -> Iterator[tuple[bytes]]:
    """The dataset's keys of those that are this node's."""
    converter = job.converter
    for record in records:
        region = converter.region(record)
        if region is None or (converter.mapping.ours is not None and not is_ours(region)):
            continue
        try:
            yield (pack_key(converter.key(record, region)),)
        except BadCell:
            found.unreadable += 1


def _read_brought(books: Books, scratch: Connection, found: Comparison) -> None:
    after = ""
    while True:
        keys = books.ask("source.claimed", source=found.source, after=after, limit=KEYS_AT_ONCE)["keys"]
        if not keys:
            return
        scratch.executemany(
            "INSERT INTO brought (key, shared) VALUES (?, ?)", [(bytes.fromhex(key), shared) for key, shared in keys]
        )
        found.brought += len(keys)
        after = keys[-1][0]


def _count(scratch: Connection, found: Comparison) -> None:
    found.gone = scratch.execute(f"SELECT count(*) {_GONE}").fetchone()[0]
    found.missing = scratch.execute(f"SELECT count(*) {_MISSING}").fetchone()[0]
    for source, shown in ((_GONE, found.gone_keys), (_MISSING, found.missing_keys)):
        rows = scratch.execute(f"SELECT key {source} ORDER BY key LIMIT {KEYS_SHOWN}").fetchall()
        shown.extend(key_text(Claimed(key, False).key) for (key,) in rows)


def _guard(job: Job, found: Comparison, allow: int) -> None:
    """Raises UserFault SOURCE_GUARDED: an emptied or half-restored table must not empty the platform."""
    database = job.declared.database
    assert database is not None
    if found.dry_run or found.gone <= allow:
        return
    if found.held and found.gone * 100 <= database.voids_percent_max * found.brought:
        return
    raise UserFault(
        Code.SOURCE_GUARDED,
        N_(
            "{gone} of the {brought} rows that came from '{source}' are not in it any more: more than {percent} %, or "
            "the source is empty. Nothing was voided."
        ),
        N_(
            "See with `tiersync source compare {source} --dry-run` which they are. If they are really gone: `tiersync "
            "source compare {source} --allow {gone}`."
        ),
        gone=found.gone,
        brought=found.brought,
        source=found.source,
        percent=database.voids_percent_max,
    )


def _void(books: Books, scratch: Connection, found: Comparison, position: str) -> None:
    load = int(books.ask("source.load", source=found.source)["load"])
    rows = scratch.execute(f"SELECT key, shared {_GONE} ORDER BY key")
    claims = _claims(rows)
    while part := list(islice(claims, VOIDS_AT_ONCE)):
        shared = [one.packed.hex() for one in part if one.shared]
        own = [one.key for one in part if not one.shared]
        if shared:
            books.ask("source.unclaim", source=found.source, keys=shared)
            found.kept += len(shared)
        if own:
            reason = f"gone from source {found.source}"
            voided, refused = books.void(found.dataset, own, reason, load, dry_run=False)
            found.voided += voided
            found.refused.extend(refused[: KEYS_SHOWN - len(found.refused)])
            books.took(found.source, load, position, Counts(), voided=voided)


def _claims(rows: Any) -> Iterator[Claimed]:
    for key, shared in rows:
        yield Claimed(key, bool(shared))


def _bad_key(job: Job) -> UserFault:
    database = job.declared.database
    assert database is not None
    return UserFault(
        Code.SOURCE_INVALID,
        N_("The key ({columns}) of source '{source}' is empty in a row, or the same in two."),
        N_("Declare another `key` in {file}: columns that are never empty and tell each row from all others."),
        columns=", ".join(database.key),
        source=job.declared.name,
        file=job.declared.file,
    )
