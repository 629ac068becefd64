"""One reading of a source: from the newest watermark on, page by page; each page is in before its place is kept.

Whatever breaks off, here, there or between, the next reading goes on behind the last page that is in. A page that was
in, and whose place was not kept, is read again: its rows are unchanged then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo

from node.faults import Code, UserFault
from node.loading.convert import Converter
from node.loading.found import Found
from node.loading.load import Counts, Inlet, Reject, Report
from node.loading.mapping import FileMapping
from node.loading.sink import ControlSink
from node.sources.books import Books
from node.sources.database.cells import cell_text
from node.sources.database.dialling import Dialled
from node.sources.database.position import (
    MARKED,
    UNMARKED,
    Position,
    UnfitCell,
    as_text,
    begun,
    ended,
    of_text,
    passed,
)
from node.sources.database.table import Cells, Table, find, server_time, stream
from node.sources.declared import Declared
from node.texts import N_, Text

SHAPE_CHARACTERS: Final = 32
_NUMBER_BYTES: Final = 6
_KEY_CHARACTERS: Final = 100
_REJECTS_SHOWN: Final = 100

Tell = Callable[[Counts], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What it takes to read a source: its declaration, its mapping in the declared time zone, its database."""

    declared: Declared
    converter: Converter
    dialled: Dialled

    @property
    def shape(self) -> str:
        """A digest of all that decides what is read and what becomes of it, and of no secret."""
        database = self.declared.database
        assert database is not None
        parts = (
            self.declared.kind,
            self.declared.dataset,
            self.converter.mapping.digest,
            database.url,
            database.table,
            database.select,
            database.watermark,
            database.time_zone,
            *database.key,
        )
        return sha256("\0".join(parts).encode()).hexdigest()[:SHAPE_CHARACTERS]


def in_zone(mapping: FileMapping, zone: str) -> FileMapping:
    """The mapping with the zone of the source in the place of its own; a column's own stays."""
    if not zone:
        return mapping
    own = mapping.source.time_zone
    rules = tuple(replace(r, time_zone=zone) if r.time_zone == own else r for r in mapping.rules)
    return replace(mapping, source=replace(mapping.source, time_zone=zone), rules=rules)


def read(job: Job, books: Books, tell: Tell, *, dry_run: bool = False, stop: Callable[[], bool] = bool) -> Report:
    """Reads what is new. stop: asked after each page, whether to leave the rest for later.

    Raises SourceAway, UserFault; what came in before is in and is not read again.
    """
    declared = job.declared
    state = books.ask(
        "source.begin", source=declared.name, dataset=declared.dataset, kind=declared.kind, shape=job.shape
    )
    return _Reading(job, books, tell, dry_run).run(of_text(state["position"]), stop)


class _Reading:
    def __init__(self, job: Job, books: Books, tell: Tell, dry_run: bool) -> None:
        declared = job.declared
        assert declared.database is not None
        self._job = job
        self._declared = declared
        self._database = declared.database
        self._books = books
        self._tell = tell
        self._inlet = Inlet(job.converter, books.own_regions(), "")
        self._zone = ZoneInfo(job.converter.mapping.source.time_zone)
        self._total = _report(declared, dry_run)
        self._load = 0
        self._named: dict[int, str] = {}
        self._shown = _shown_keys(job)

    def run(self, position: Position, stop: Callable[[], bool]) -> Report:
        with self._job.dialled.connection() as connection:
            table = find(connection, self._declared, self._job.converter.needs)
            now = server_time(connection, self._zone)
            connection.rollback()
            part = MARKED if self._database.watermark else UNMARKED
            position = begun(position, self._overlap(), now, part)
            while True:
                position, more = self._page(connection, table, position)
                if not more:
                    if position.part == UNMARKED or not self._database.empty_watermark:
                        break
                    position = replace(position, part=UNMARKED, after=None)
                if stop():
                    return self._total
        self._keep(ended(position, self._zone), Counts())
        return self._total

    def _overlap(self) -> dt.timedelta | int:
        database = self._database
        return dt.timedelta(seconds=database.overlap) if database.overlap_is_time else database.overlap

    def _page(self, connection: Any, table: Table, position: Position) -> tuple[Position, bool]:
        """Brings one page in. (the place behind it, whether there may be more)."""
        limit = self._database.page_rows
        statement = table.page(position.part, position.low, position.after, limit + 1)
        page = _Page(self, table, position, stream(connection, statement), limit)
        report = _report(self._declared, self._total.dry_run)
        first = page.first()
        if first is None:
            connection.rollback()
            return position, False
        if not self._load and not self._total.dry_run:
            self._load = int(self._books.ask("source.load", source=self._declared.name)["load"])
        self._named.clear()
        sink = self._books.sink(self._load)
        try:
            self._inlet.pour(page.records(first), sink, report, lambda reject: sink.keep(self._worded(reject)))
        except BaseException:
            self._count_part(sink, position, report.counts)
            raise
        finally:
            page.close()
        sink.flush()
        connection.rollback()
        self._add(report)
        self._keep(page.position, report.counts)
        self._tell(self._total.counts)
        return page.position, page.is_full

    def _count_part(self, sink: ControlSink, position: Position, counts: Counts) -> None:
        """What was in of a page when it broke off: it counts once, for when it is read again it is unchanged."""
        counts.read = counts.taken + counts.unchanged + counts.rejected + counts.not_ours
        # Why it broke off is what the caller has to hear, also where that is why nothing can be counted.
        with suppress(UserFault):
            sink.flush()
            self._keep(position, counts)

    def _keep(self, position: Position, counts: Counts) -> None:
        if self._total.dry_run:
            return
        try:
            kept = as_text(position)
        except UnfitCell as unfit:
            raise self._wrong(N_("a key or watermark of the kind {kind} cannot be kept"), kind=str(unfit)) from None
        self._books.took(self._declared.name, self._load, kept, counts)

    def record(self, table: Table, row: Cells) -> Found:
        """A row as a mapping reads it. Its number is made from its key, so that it is the same each time."""
        has_bits = self._job.dialled.has_bits
        cells = [cell_text(cell, self._zone, has_bits=has_bits) for cell in row]
        record = dict(zip(table.asked, cells, strict=True))
        named = "\0".join(cells[i] or "" for i in table.key)
        number = int.from_bytes(sha256(named.encode("utf-8", "surrogatepass")).digest()[:_NUMBER_BYTES])
        self._named[number] = ", ".join(f"{n}={record[n]}" for n in self._database.key if n in self._shown)
        return Found(number, record)

    def check(self, table: Table, before: tuple[Any, ...] | None, place: tuple[Any, ...]) -> None:
        """Raises UserFault for a row that paging could lose."""
        columns = ", ".join(self._database.key)
        if any(cell is None for cell in place[-len(table.key) :]):
            raise self._wrong(N_("the key ({columns}) is empty in a row"), columns=columns)
        if before == place:
            raise self._wrong(N_("two rows have the same key ({columns})"), columns=columns)

    def _wrong(self, problem: str, **fields: object) -> UserFault:
        return UserFault(
            Code.SOURCE_INVALID,
            N_("Source '{source}' cannot be read: {problem}."),
            N_("Declare another `key` in {file}: columns that are never empty and tell each row from all others."),
            source=self._declared.name,
            file=self._declared.file,
            problem=Text(problem, **fields),
        )

    def _worded(self, reject: Reject) -> Reject:
        """A reject with the key in the source's own words: nobody knows its number."""
        key = self._named.get(reject.line, "")[:_KEY_CHARACTERS]
        detail = Text("{key}: {detail}", key=key, detail=reject.detail) if key else reject.detail
        return reject._replace(detail=detail)

    def _add(self, page: Report) -> None:
        total, counts = self._total, page.counts
        total.counts.read += counts.read
        total.counts.taken += counts.taken
        total.counts.unchanged += counts.unchanged
        total.counts.not_ours += counts.not_ours
        total.counts.rejected += counts.rejected
        total.reasons.update(page.reasons)
        total.rejects.extend(self._worded(reject) for reject in page.rejects)
        total.warnings += page.warnings
        total.warned.extend(page.warned)
        del total.rejects[_REJECTS_SHOWN:], total.warned[_REJECTS_SHOWN:]


class _Page:
    """The rows of one page on their way; one more than it holds is looked at, never taken."""

    def __init__(
        self, reading: _Reading, table: Table, position: Position, rows: Generator[Cells, None, None], limit: int
    ) -> None:
        self._reading = reading
        self._table = table
        self._rows = rows
        self._limit = limit
        self._last = position.after
        self._before = position
        self.is_full = False

    @property
    def position(self) -> Position:
        """Behind the last row that was given. Rows come in order, so none of them has a newer watermark."""
        return self._before if self._last is None else passed(self._before, self._last)

    def first(self) -> Cells | None:
        """The first row, if there is one."""
        return next(self._rows, None)

    def close(self) -> None:
        """What is left of the answer is not wanted."""
        self._rows.close()

    def records(self, first: Cells) -> Iterator[Found]:
        """As Inlet.pour takes them. Raises UserFault, and what the driver raises."""
        for count, row in enumerate(_chained(first, self._rows)):
            place = self._table.place(self._before.part, row)
            self._reading.check(self._table, self._last, place)
            if count == self._limit:
                self.is_full = True
                return
            self._last = place
            yield self._reading.record(self._table, row)


def _chained(first: Cells, rest: Iterator[Cells]) -> Iterator[Cells]:
    yield first
    yield from rest


def _report(declared: Declared, dry_run: bool) -> Report:
    return Report(declared.name, "", declared.kind, "", declared.dataset, "", dry_run)


def _shown_keys(job: Job) -> Sequence[str]:
    """Key columns that may be named in a reason: those that fill nothing that is held back."""
    held = {field.column.name for field in job.converter.dataset.fields if field.held_back}
    hidden = {name for rule in job.converter.mapping.rules if rule.target in held for name in rule.sources}
    database = job.declared.database
    assert database is not None
    return [name for name in database.key if name not in hidden]
