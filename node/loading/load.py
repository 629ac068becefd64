"""The pipeline: file -> records -> rows in batches -> sink, and what was rejected. No I/O but reading the file.

A batch is one transaction. Every record ends in exactly one count: taken, unchanged, not ours, or rejected. Loading the
same file with the same mapping gives the same rows, rejects and load id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple, Protocol, runtime_checkable

from node.faults import Code, UserFault
from node.loading.convert import BadCell, Converter
from node.loading.found import Found, Survey, Unreadable
from node.loading.mapping import Source
from node.loading.readers import records, survey
from node.texts import N_, Text
from node.trial import TRIAL_COLUMN
from sync.limits import KIB
from sync.reasons import Reason
from sync.rows import key_text
from sync.values import Cell, Key, Row
from tiers.dataset import SOURCE_COLUMN

BATCH_ROWS: Final = 1_000
BATCH_BYTES: Final = 512 * KIB
"""Rows of one transaction become one entry per feed, which has a bound: wide rows travel in smaller batches."""
REJECTS_KEPT: Final = 1_000
WARNED_KEPT: Final = 100
PREVIEW_ROWS: Final = 5
LOAD_ID_CHARACTERS: Final = 16

IsOurs = Callable[[str], bool]
"""Whether a region is one whose rows this node writes."""


class Batch(NamedTuple):
    """Rows of one transaction: cells in schema order, and each row's line in the file."""

    dataset: str
    columns: tuple[str, ...]
    rows: Sequence[Row]
    lines: Sequence[int]
    load_id: str
    dry_run: bool


class Rejected(NamedTuple):
    """A row that the sink did not let in; `place` is where it stands in the batch."""

    place: int
    reason: Reason
    detail: str
    key: str


class Outcome(NamedTuple):
    """What became of a batch; accepted + unchanged + rejected are all its rows.

    warned: the first of the `warnings` about rows that were let in all the same (reason NONE).
    """

    accepted: int
    unchanged: int
    rejected: Sequence[Rejected] = ()
    warned: Sequence[Rejected] = ()
    warnings: int = 0


class Sink(Protocol):
    """Where batches go: the control service of a running node, or a store under the home's lock."""

    def put(self, batch: Batch) -> Outcome:
        """Takes a batch in one transaction; returns when it is durable. Raises UserFault when no more can be taken."""
        ...


@runtime_checkable
class Pipeline(Protocol):
    """A sink that may have several batches under way."""

    def put_all(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Outcome]]:
        """Each batch with its outcome, in order, each durable. Raises as Sink.put."""
        ...


class Reject(NamedTuple):
    """A record that was not let in: its line in the file, why, and as far as it tells them its key (JSON text) and its
    number in the system it comes from.
    """

    line: int
    reason: Reason
    detail: Text
    key: str = ""
    source: str = ""


@dataclass(slots=True)
class Counts:
    """Records by what became of them."""

    read: int = 0
    taken: int = 0
    unchanged: int = 0
    not_ours: int = 0
    rejected: int = 0


@dataclass(slots=True)
class Report:
    """What a load did. `rejects` holds the first REJECTS_KEPT; `reasons` counts all of them.

    `warnings` counts broken checks of rows that were let in; `warned` holds the first WARNED_KEPT (reason NONE).
    """

    file: str
    digest: str
    format: str
    encoding: str
    dataset: str
    load_id: str
    dry_run: bool
    counts: Counts = field(default_factory=Counts)
    reasons: Counter[Reason] = field(default_factory=Counter)
    rejects: list[Reject] = field(default_factory=list)
    warnings: int = 0
    warned: list[Reject] = field(default_factory=list)


class Shown(NamedTuple):
    """One record before and after, for a dry run. `after` is the row by column, a Reject, or None for not ours."""

    line: int
    before: Mapping[str, str | None]
    after: Mapping[str, Cell] | Reject | None


def load_id(file_digest: str, mapping_digest: str, dataset: str, source: Source) -> str:
    """Names a load by what determines its rows: the file, the mapping, the dataset, how it is read and which sheet."""
    text = "\0".join((file_digest, mapping_digest, dataset, source.format, source.sheet))
    return sha256(text.encode()).hexdigest()[:LOAD_ID_CHARACTERS]


class Inlet:
    """Records on their way into one dataset, by a mapping.

    is_ours: by the record's region ('' without [ours] in the mapping: such records are always this node's).
    """

    def __init__(self, converter: Converter, is_ours: IsOurs, load_id: str) -> None:
        self._converter = converter
        self._is_ours = is_ours
        self._columns = converter.dataset.schema.names
        self._key_at = tuple(self._columns.index(name) for name in converter.dataset.key)
        self._source_at = self._columns.index(SOURCE_COLUMN) if SOURCE_COLUMN in self._columns else None
        self.load_id = load_id

    def pour(
        self,
        found: Iterator[Found | Unreadable],
        sink: Sink,
        report: Report,
        on_reject: Callable[[Reject], None] | None = None,
        on_progress: Callable[[Counts], None] | None = None,
    ) -> None:
        """Converts and puts all of them, and adds to the report; the callbacks hear each reject, and the counts after
        each batch. Each is durable at the end. Raises as Sink.put.
        """
        tell = _Teller(report, on_reject)
        for batch, outcome in _through(sink, self._batches(found, tell, report.dry_run)):
            tell.outcome(batch, outcome, self._key_at, self._source_at)
            if on_progress is not None:
                on_progress(report.counts)
        counts = report.counts
        assert counts.read == counts.taken + counts.unchanged + counts.not_ours + counts.rejected

    def _convert(self, found: Found) -> Row | Reject | None:
        """The row of a record, why it has none, or None when it is another node's."""
        region = self._converter.region(found.record)
        if region is None:
            return self._regionless(found)
        if self._converter.mapping.ours is not None and not self._is_ours(region):
            return None
        try:
            return self._converter.row(found.record, region)
        except BadCell as bad:
            return Reject(found.line, bad.reason, bad.detail, *self._converter.names(found.record, region))

    def _regionless(self, found: Found) -> Reject | None:
        ours = self._converter.mapping.ours
        assert ours is not None
        if ours.unknown == "not_ours":
            return None
        problem = Text(N_("column '{column}' names no known region"), column=ours.column)
        return Reject(found.line, Reason.OUT_OF_SCOPE, problem)

    def _batches(self, found: Iterator[Found | Unreadable], tell: _Teller, dry_run: bool) -> Iterator[Batch]:
        """Rows in batches, bounded in rows and bytes; a key stands once in a batch, so that its versions stay in
        order.
        """
        rows: list[Row] = []
        lines: list[int] = []
        keys: set[Key] = set()
        size = 0

        def full() -> Batch:
            nonlocal size
            batch = Batch(self._converter.dataset.id, self._columns, tuple(rows), tuple(lines), self.load_id, dry_run)
            rows.clear()
            lines.clear()
            keys.clear()
            size = 0
            return batch

        for one in found:
            row = tell.of(one, self._convert)
            if row is None:
                continue
            key = tuple(row[i] for i in self._key_at)
            more = _weight(row)
            if rows and (len(rows) >= BATCH_ROWS or size + more > BATCH_BYTES or key in keys):
                yield full()
            rows.append(row)
            lines.append(one.line)
            keys.add(key)
            size += more
        if rows:
            yield full()


class Loader(Inlet):
    """One file on its way into one dataset; is_ours as of an Inlet.

    source: how the file is written, where that is not as the mapping says. live: whether rows of a trial are refused.
    Raises UserFault as `survey` does when made, and as `records` does when run.
    """

    def __init__(
        self, path: Path, converter: Converter, is_ours: IsOurs, source: Source | None = None, live: bool = False
    ) -> None:
        self._live = live
        self._source = source or converter.mapping.source
        self._survey: Survey = survey(path, self._source)
        named = load_id(self._survey.digest, converter.mapping.digest, converter.dataset.id, self._source)
        super().__init__(converter, is_ours, named)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the file as it lies on disk."""
        return self._survey.digest

    def preview(self, rows: int = PREVIEW_ROWS) -> list[Shown]:
        """The first records before and after; nothing goes anywhere."""
        shown: list[Shown] = []
        with records(self._survey, self._source, self._converter.needs) as found:
            for one in found:
                if len(shown) >= rows:
                    break
                shown.append(self._show(one))
        return shown

    def run(
        self,
        sink: Sink,
        dry_run: bool = False,
        on_reject: Callable[[Reject], None] | None = None,
        on_progress: Callable[[Counts], None] | None = None,
    ) -> Report:
        """Loads the whole file; the callbacks hear each reject, and the counts after each batch."""
        at = self._survey
        report = Report(
            at.path.name, at.digest, at.format, at.encoding, self._converter.dataset.id, self.load_id, dry_run
        )
        with records(at, self._source, self._converter.needs) as found:
            checked = _of_no_trial(found, at.path) if self._live else found
            self.pour(checked, sink, report, on_reject, on_progress)
        return report

    def _show(self, one: Found | Unreadable) -> Shown:
        if isinstance(one, Unreadable):
            return Shown(one.line, {}, Reject(*one))
        result = self._convert(one)
        if result is None or isinstance(result, Reject):
            return Shown(one.line, one.record, result)
        return Shown(one.line, one.record, dict(zip(self._columns, result, strict=True)))


def _of_no_trial(found: Iterator[Found | Unreadable], path: Path) -> Iterator[Found | Unreadable]:
    """The records of a file that was not exported from a trial. Raises UserFault FILE_HEADER."""
    for one in found:
        if isinstance(one, Found) and TRIAL_COLUMN in one.record:
            raise UserFault(
                Code.FILE_HEADER,
                N_("{file} was exported from the trial '{name}': its rows do not count, and are not let in here."),
                N_("Load the file that the live system writes; a trial's rows go into a node of the trial."),
                file=path.name,
                name=one.record[TRIAL_COLUMN] or "",
            )
        yield one


def _through(sink: Sink, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Outcome]]:
    if isinstance(sink, Pipeline):
        return sink.put_all(batches)
    return ((batch, sink.put(batch)) for batch in batches)


class _Teller:
    """Keeps the report: every record is counted once."""

    def __init__(self, report: Report, on_reject: Callable[[Reject], None] | None) -> None:
        self._report = report
        self._on_reject = on_reject

    def of(self, one: Found | Unreadable, convert: Callable[[Found], Row | Reject | None]) -> Row | None:
        """The row of a record; one that has none is counted and told here."""
        counts = self._report.counts
        counts.read += 1
        result = Reject(*one) if isinstance(one, Unreadable) else convert(one)
        if isinstance(result, Reject):
            self.reject(result)
            return None
        if result is None:
            counts.not_ours += 1
        return result

    def outcome(self, batch: Batch, outcome: Outcome, key_at: tuple[int, ...], source_at: int | None) -> None:
        """Counts what a sink made of a batch."""
        counts = self._report.counts
        assert outcome.accepted + outcome.unchanged + len(outcome.rejected) == len(batch.rows)
        counts.taken += outcome.accepted
        counts.unchanged += outcome.unchanged
        for bad in outcome.rejected:
            row = batch.rows[bad.place]
            key = bad.key or key_text([row[i] for i in key_at])
            source = "" if source_at is None else str(row[source_at] or "")
            self.reject(Reject(batch.lines[bad.place], bad.reason, Text("{detail}", detail=bad.detail), key, source))
        report = self._report
        report.warnings += outcome.warnings
        for one in outcome.warned[: WARNED_KEPT - len(report.warned)]:
            line, said = batch.lines[one.place], Text("{detail}", detail=one.detail)
            report.warned.append(Reject(line, one.reason, said, one.key))

    def reject(self, reject: Reject) -> None:
        report = self._report
        report.counts.rejected += 1
        report.reasons[reject.reason] += 1
        if len(report.rejects) < REJECTS_KEPT:
            report.rejects.append(reject)
        if self._on_reject is not None:
            self._on_reject(reject)


def _weight(row: Row) -> int:
    """Roughly the bytes that a row takes in an entry."""
    return sum(_cell_weight(cell) for cell in row)


def _cell_weight(cell: Cell) -> int:
    if isinstance(cell, str):
        return len(cell) + 2 if cell.isascii() else 3 * len(cell)
    return len(cell) + 2 if isinstance(cell, bytes) else 9
