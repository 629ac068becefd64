"""Parquet files: typed columns go through the same door; what has no place in a cell is named."""

from __future__ import annotations

import datetime as dt
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from node.faults import Code, UserFault
from node.loading import parquet
from node.loading.load import Report
from node.texts import translator
from tests.unit.node_base import kit
from tests.unit.node_base.fakes import ListSink

AT = 1_772_330_400_000_000
MOMENT = dt.datetime(2026, 3, 1, 2, 0, 0, tzinfo=dt.UTC)


def _bytes(table: pa.Table, **how: Any) -> bytes:
    out = pa.BufferOutputStream()
    pq.write_table(table, out, **how)
    return out.getvalue().to_pybytes()


def _run(folder: Path, content: bytes, columns: str = kit.COLUMNS) -> tuple[Report, list[dict[str, object]]]:
    made, sink = kit.converter(columns), ListSink()
    report = kit.loader(folder, content, made, "in.parquet").run(sink)
    names = made.dataset.schema.names
    return report, [{n: c for n, c in zip(names, row, strict=True) if c is not None} for row in sink.rows()]


def _fault(folder: Path, content: bytes) -> tuple[Code, str]:
    with pytest.raises(UserFault) as met:
        _run(folder, content)
    return met.value.code, met.value.message.say(translator("en"))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.timestamp("ns", "UTC"), [MOMENT]),
        (pa.timestamp("us", "America/New_York"), [MOMENT]),
        (pa.timestamp("ms"), [dt.datetime(2026, 3, 1, 10, 0, 0)]),  # noqa: DTZ001 - local, as the mapping says
    ],
)
def test_moments_with_and_without_a_zone(kind: pa.DataType, values: list[dt.datetime], tmp_path: Path) -> None:
    """Both are the same moment, and the day is the one of the mapping's zone."""
    table = pa.table({"id": ["a"], "at": pa.array(values, kind)})
    _, rows = _run(tmp_path, _bytes(table), 'id = "id"\nat = "at"\nday = "at"')
    assert rows == [{"id": "a", "at": AT, "day": "2026-03-01"}]


def test_typed_cells_become_cells_of_the_dataset(tmp_path: Path) -> None:
    """Decimals keep their digits, whole floats are integers, words of a dictionary are texts, bytes stay bytes."""
    table = pa.table(
        {
            "id": pa.array(["a", "b"]).dictionary_encode(),
            "count": pa.array([5.0, None]),
            "amount": pa.array([Decimal("12.50"), Decimal("-0.01")]),
            "lon": pa.array([120.12345, 1e-9]),
            "open": pa.array([True, None]),
            "day": pa.array([dt.date(2026, 3, 1), None]),
            "raw": pa.array([b"\x01\xff", None]),
            "nested": pa.array([[1, 2], [3]]),
        }
    )
    names = ("id", "count", "amount", "open", "day", "raw")
    columns = "\n".join(f'{name} = "{name}"' for name in names) + '\nlon = { from = "lon", round = 3 }'
    report, rows = _run(tmp_path, _bytes(table), columns)
    assert (report.format, report.counts.rejected) == ("parquet", 0)
    one = {"id": "a", "count": 5, "amount": "12.50", "lon": 120.123, "open": True}
    assert rows == [{**one, "day": "2026-03-01", "raw": b"\x01\xff"}, {"id": "b", "amount": "-0.01", "lon": 0.0}]


def test_a_cell_that_cannot_be_read_rejects_its_row_alone(tmp_path: Path) -> None:
    """A text that is not UTF-8, a moment outside the calendar: told by number and column; the others are in."""
    texts = pa.array([b"good", b"\xff\xfe", b"fine"]).view(pa.string())
    table = pa.table({"ID": ["a", "b", "c"], "A": texts, "N": [1, 2, 3]})
    report, rows = _run(tmp_path, _bytes(table))
    assert [row["id"] for row in rows] == ["a", "c"]
    assert [(r.line, r.detail.say(translator("en"))) for r in report.rejects] == [(2, "column 'A' cannot be read")]
    far = pa.table({"id": ["a", "b"], "at": pa.array([2**62, 0], pa.timestamp("us"))})
    report, rows = _run(tmp_path, _bytes(far), 'id = "id"\nat = "at"')
    assert ([row["id"] for row in rows], report.counts.rejected) == (["b"], 1)


def test_many_row_groups_are_one_count_of_rows(tmp_path: Path) -> None:
    """Rows keep their number through groups and batches."""
    count = parquet.BATCH_ROWS * 2 + 7
    numbers = ["x" if n == count - 1 else str(n) for n in range(count)]
    table = pa.table({"ID": [f"r{n}" for n in range(count)], "A": ["n"] * count, "N": numbers})
    report, rows = _run(tmp_path, _bytes(table, row_group_size=700))
    assert (len(rows), [reject.line for reject in report.rejects]) == (count - 1, [count])


def test_columns_that_no_cell_can_hold_are_named(tmp_path: Path) -> None:
    """A nested or span type in a column that is asked for; a column that lacks; a file with too many."""
    good = {"ID": ["a"], "N": [1]}
    nested = pa.table({**good, "A": [{"x": 1}]})
    assert _fault(tmp_path, _bytes(nested)) == (
        Code.FILE_HEADER,
        f"'{tmp_path / 'in.parquet'}': the column 'A' is of the type struct<x: int64>, which no column takes.",
    )
    span = pa.table({**good, "A": [dt.timedelta(hours=1)]})
    assert "the type duration[us]" in _fault(tmp_path, _bytes(span))[1]
    assert "the header lacks: A" in _fault(tmp_path, _bytes(pa.table(good)))[1]
    wide = pa.table({**good, "A": ["n"], **{f"c{n}": [n] for n in range(10_000)}})
    assert "more than 2000 columns" in _fault(tmp_path, _bytes(wide))[1]


def test_broken_files_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its end, with another end, with pages that are damaged, with groups too large to hold."""
    good = _bytes(pa.table({"ID": ["a" * 50], "A": ["n"], "N": [1]}), write_page_checksum=True, compression="none")
    assert _fault(tmp_path, good[:-20])[0] is Code.FILE_UNREADABLE
    assert _fault(tmp_path, good[:-8] + b"\xff\xff\xff\x7fPAR1")[0] is Code.FILE_UNREADABLE
    assert _fault(tmp_path, good.replace(b"a" * 50, b"b" * 50, 1))[0] is Code.FILE_UNREADABLE
    assert "it is not a Parquet file" in _fault(tmp_path, b"ID,A,N\n")[1]
    monkeypatch.setattr(parquet, "GROUP_BYTES_MAX", 10)
    assert "write smaller ones" in _fault(tmp_path, good)[1]


def test_without_the_library_the_fault_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no part of a node that reads no such files."""
    content = _bytes(pa.table({"ID": ["a"], "A": ["n"], "N": [1]}))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserFault) as met:
        _run(tmp_path, content)
    assert met.value.code is Code.FILE_UNREADABLE
    assert "pip install pyarrow" in met.value.next_step.say(translator("en"))
