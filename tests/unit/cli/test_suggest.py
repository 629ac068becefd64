"""tiersync map suggest: a draft on stdout, and in JSON what it rests on."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from node.loading.mapping import parse
from tests.unit.cli.conftest import Call
from tests.unit.node_base.kit import no_files


def test_a_draft_for_each_kind_of_file(call: Call, tmp_path: Path) -> None:
    """The same columns, the same draft; a heading further down; no node is needed."""
    rows = [("案件标识", "上报时间"), ("A1", "2026-03-01 10:00:00")]
    (tmp_path / "a.csv").write_text("\n".join(",".join(row) for row in rows), "gb18030")
    (tmp_path / "a.jsonl").write_text('{"案件标识": "A1", "上报时间": "2026-03-01 10:00:00"}\n', "utf-8")
    book = Workbook()
    for row in (("表",), *rows):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    pq.write_table(pa.table({"案件标识": ["A1"], "上报时间": [rows[1][1]], "list": [[1]]}), tmp_path / "a.parquet")
    for name in ("a.csv", "a.jsonl", "a.xlsx", "a.parquet"):
        more = ("--header", "2") if name == "a.xlsx" else ()
        told = call("map", "suggest", str(tmp_path / name), "case", *more, "--json").json
        assert {one["column"]: one["from"] for one in told["placed"]} == {
            "case_id": rows[0][0],
            "reported_at": rows[0][1],
        }
        assert "division" in told["missing"]
        made = parse(name, told["mapping"], no_files)
        assert (made.dataset, made.source.format) == ("case", name.removeprefix("a."))
        assert made.source.header == (2 if more else 1)
    said = call("map", "suggest", str(tmp_path / "a.csv"), "case")
    assert parse("said", said.out, no_files).rules
    assert "--dry-run" in said.err


@pytest.mark.parametrize(
    ("content", "arguments", "code", "number"),
    [
        ("ID\n1\n", ("no-such-dataset",), 3, "E1010"),
        ("ID\n1\n", ("case", "--format", "xls"), 2, "E1008"),
        ("ID\n1\n", ("case", "--format", "xlsx"), 3, "E1202"),
        ("", ("case",), 3, "E1202"),
        ("ID,A\n", ("case",), 3, "E1204"),
    ],
)
def test_what_cannot_be_drafted(
    call: Call, tmp_path: Path, content: str, arguments: tuple[str, ...], code: int, number: str
) -> None:
    """A dataset or format that is not there, a file without rows."""
    (tmp_path / "a.csv").write_text(content, "utf-8")
    done = call("map", "suggest", str(tmp_path / "a.csv"), *arguments)
    assert (done.code, number in done.err) == (code, True)
