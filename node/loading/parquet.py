"""Parquet files, read in small batches by pyarrow, which is installed only where such files are read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final
from zoneinfo import ZoneInfo

from node.faults import Code, UserFault
from node.loading.convert import Record
from node.loading.found import Found, Survey, Unreadable, as_asked, bad_heading, broken, heading_problem, unreadable
from node.loading.mapping import Source
from node.loading.typed import text_of
from node.texts import N_, Text
from sync.limits import MIB
from sync.reasons import Reason

BATCH_ROWS: Final = 1_000
GROUP_BYTES_MAX: Final = 1_024 * MIB
"""What the columns of one row group that are read may unpack to."""
_BUFFER_BYTES: Final = 256 * 1024
_STRUCTURE_BYTES_MAX: Final = 64 * MIB


def _pyarrow(path: Path) -> Any:
    """The library. Raises UserFault that says what to install."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        todo = N_(
            "Install pyarrow into the program's environment (`pip install pyarrow`, from a file where there is no "
            "internet), or save the data as CSV."
        )
        message = N_("'{file}' is a Parquet file, and the library that reads them, pyarrow, is not installed.")
        raise UserFault(Code.FILE_UNREADABLE, message, todo, file=path) from error
    return pyarrow


def records(at: Survey, raw: IO[bytes], source: Source, wanted: frozenset[str] | None) -> Iterator[Found | Unreadable]:
    """The rows. Raises UserFault FILE_HEADER, or FILE_UNREADABLE for a broken file."""
    pa = _pyarrow(at.path)
    try:
        file = pa.parquet.ParquetFile(
            raw,
            buffer_size=_BUFFER_BYTES,
            page_checksum_verification=True,
            thrift_string_size_limit=_STRUCTURE_BYTES_MAX,
            thrift_container_size_limit=_STRUCTURE_BYTES_MAX,
        )
        schema = file.schema_arrow
        needs = frozenset(_single(pa, schema)) if wanted is None else wanted
        asked = as_asked(schema.names, needs)
        problem = heading_problem(asked, needs)
        needs = frozenset(name for name, as_written in zip(schema.names, asked, strict=True) if as_written in needs)
        problem = problem or _odd_type(pa, schema, needs)
        if problem is not None:
            raise bad_heading(at.path, problem)
        _check_groups(at.path, file.metadata, needs)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise unreadable(at.path, _first_line(error)) from error
    columns = [name for name in schema.names if name in needs]
    names = as_asked(columns, wanted or needs)
    zone = ZoneInfo(source.time_zone)
    number = 0
    try:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns, use_threads=False):
            for one in _rows(pa, batch, names, zone, number + 1):
                number += 1
                yield one
    except (pa.ArrowException, OSError) as error:
        raise broken(at.path, _first_line(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _odd_type(pa: Any, schema: Any, needs: frozenset[str]) -> Text | None:
    """Names the first column whose cells are no single values."""
    single = set(_single(pa, schema))
    for field in schema:
        if field.name in needs and field.name not in single:
            return Text(
                N_("the column '{column}' is of the type {type}, which no column takes"),
                column=field.name,
                type=str(field.type)[:80],
            )
    return None


def _single(pa: Any, schema: Any) -> Iterator[str]:
    """The columns whose cells are single values."""
    types = pa.types
    for field in schema:
        kind = field.type.value_type if types.is_dictionary(field.type) else field.type
        if not (types.is_nested(kind) or types.is_duration(kind) or types.is_interval(kind)):
            yield field.name


def _check_groups(path: Path, metadata: Any, needs: frozenset[str]) -> None:
    """Raises UserFault for a row group that would not fit into memory."""
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        chunks = (group.column(place) for place in range(group.num_columns))
        if sum(c.total_uncompressed_size for c in chunks if c.path_in_schema in needs) > GROUP_BYTES_MAX:
            most = GROUP_BYTES_MAX // MIB
            raise unreadable(
                path, Text(N_("a row group unpacks to more than {most} MiB: write smaller ones"), most=most)
            )


def _rows(pa: Any, batch: Any, names: list[str], zone: dt.tzinfo, first: int) -> Iterator[Found | Unreadable]:
    columns = [_values(pa, column) for column in batch.columns]
    for place in range(batch.num_rows):
        yield _row(first + place, [column[place] for column in columns], names, zone)


def _values(pa: Any, column: Any) -> list[Any]:
    """The cells of a column; in the place of one that cannot be read, the error that says so."""
    if pa.types.is_timestamp(column.type):
        # Nanoseconds are more than a Python datetime holds; an offset is UTC whatever zone is shown.
        column = column.cast(pa.timestamp("us", "UTC" if column.type.tz else None), safe=False)
    try:
        values: list[Any] = column.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError):
        return [_value(pa, cell) for cell in column]
    return values


def _value(pa: Any, cell: Any) -> Any:
    try:
        return cell.as_py()
    except (pa.ArrowException, ValueError, OverflowError) as error:
        return error


def _row(number: int, cells: list[Any], names: list[str], zone: dt.tzinfo) -> Found | Unreadable:
    record: dict[str, str | None] = {}
    for name, cell in zip(names, cells, strict=True):
        try:
            if isinstance(cell, Exception):
                raise TypeError(name)
            record[name] = text_of(cell, zone)
        except (TypeError, OverflowError):
            return Unreadable(number, Reason.WRONG_TYPE, Text(N_("column '{column}' cannot be read"), column=name))
    found: Record = record
    return Found(number, found)
