"""Rows in and out by hand: put, void, query, trace."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from node.cli import rows
from tests.unit.cli.conftest import Call, Country

REPORTED = "2026-11-22T08:00:00+08:00"
REPORTED_US = 1_795_305_600_000_000


def case(key: str, **other: Any) -> dict[str, Any]:
    """A whole row as a person would write it."""
    return {
        "case_id": key,
        "category": "event",
        "source": "public",
        "division": "310000",
        "state": "handling",
        "reported_at": REPORTED,
        "supervised": True,
        **other,
    }


def test_a_row_goes_in_and_comes_out(call: Call, country: Country) -> None:
    """Taken once, unchanged the second time; a query gives it back with the moment as microseconds."""
    city = country.home("city")
    row = json.dumps(case("put-1", source_key="source-1"))
    assert call("--home", city, "put", "case", "--row", row, "--dry-run", "--json").json["accepted"] == 1
    told = call("--home", city, "put", "case", "--row", row, "--json").json
    assert (told["accepted"], told["unchanged"], told["rejected"], len(told["groups"])) == (1, 0, [], 1)
    assert call("--home", city, "put", "case", "--row", row, "--json").json["unchanged"] == 1
    wanted = json.dumps({"column": "case_id", "op": "=", "value": "put-1"})
    found = call("--home", city, "query", "case", "--filter", wanted, "--columns", "case_id,reported_at", "--json").json
    assert found == {"dataset": "case", "columns": ["case_id", "reported_at"], "rows": [["put-1", REPORTED_US]]}
    shown = call("--home", city, "query", "case", "--filter", wanted)
    assert "2026-11-22 08:00:00" in shown.out
    assert "1 rows" in shown.err


def test_rows_from_a_file_and_from_an_array(call: Call, country: Country, tmp_path: Path) -> None:
    """JSON lines and an array of objects are read alike; a reject is told by its place, and by the exit code."""
    lines = tmp_path / "rows.jsonl"
    lines.write_text("\n".join(json.dumps(case(f"lines-{i}")) for i in range(3)) + "\n\n", "utf-8")
    assert call("--home", country.home("city"), "put", "case", str(lines), "--json").json["accepted"] == 3
    array = tmp_path / "rows.json"
    array.write_text(json.dumps([case("array-1"), case("array-2", division="330100"), {"case_id": "array-3"}]), "utf-8")
    called = call("--home", country.home("city"), "put", "case", str(array), "--json")
    assert called.code == 3
    assert called.json["accepted"] == 1
    assert [(r["row"], r["name"]) for r in called.json["rejected"]] == [(2, "OUT_OF_SCOPE"), (3, "WRONG_TYPE")]
    said = call("--home", country.home("city"), "put", "case", str(array))
    assert said.code == 3
    assert "row 2: OUT_OF_SCOPE" in said.err


def test_a_row_that_breaks_a_check_of_severity_warn_is_let_in_and_told(call: Call, country: Country) -> None:
    """The exit code is that of success; the check's name and words stand in both languages."""
    city = country.home("city")
    row = json.dumps(case("warn-1", state="closed"))
    told = call("--home", city, "put", "case", "--row", row, "--json")
    assert (told.code, told.json["accepted"], told.json["warnings"]) == (0, 1, 1)
    (warned,) = told.json["warned"]
    assert (warned["row"], warned["key"]) == (1, '["warn-1"]')
    said = call("--home", city, "put", "case", "--row", row)
    assert "closed_has_time" in said.err
    assert "已结案而没有结案时间 / closed without a time of closing" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "number"),
    [
        (("put", "case"), 2, "E1008"),
        (("put", "case", "--row", "{"), 2, "E1008"),
        (("put", "case", "--row", "[1]"), 2, "E1008"),
        (("put", "case", "--row", '{"case_idd": "1"}'), 3, "E1011"),
        (("put", "cas", "--row", "{}"), 3, "E1010"),
        (("put", "case", "no-such-file"), 3, "E1201"),
        (("void", "case", '["a", "b"]', "--reason", "x"), 2, "E1008"),
        (("query", "cas"), 3, "E1010"),
        (("query", "case", "--columns", "nope"), 3, "E1903"),
        (("query", "case", "--filter", "{"), 3, "E1012"),
        (("query", "case", "--filter", '{"column": "nope", "op": "=", "value": 1}'), 3, "E1012"),
        (("trace", "no-such-row"), 3, "E1404"),
        (("trace", "x", "--dataset", "nope"), 3, "E1010"),
        (("put", "class_code", "--row", '{"table_name": "a", "code": "b"}'), 3, "E1903"),
    ],
)
def test_what_cannot_be_put_or_asked(
    call: Call, country: Country, arguments: tuple[str, ...], code: int, number: str
) -> None:
    """Each mistake has its number, in words on stderr and in JSON on stdout; no traceback."""
    called = call("--home", country.home("city"), *arguments)
    assert (called.code, called.out) == (code, "")
    assert f"Error {number}:" in called.err
    assert "Traceback" not in called.err
    assert call("--home", country.home("city"), "--json", *arguments).json["error"]["code"] == number


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("bad", "Expecting value"),
        ("1", "must be a"),
        ('{"column": "nope", "op": "="}', "'nope' is not a column"),
        ('{"column": "state", "op": "~", "value": "x"}', "filter.op"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_filter_that_is_none_is_told_how_to_write_one(call: Call, country: Country, given: str, said: str) -> None:
    """What is wrong, an example with a column of this dataset, the operators, the columns."""
    told = call("--home", country.home("city"), "query", "case", "--filter", given)
    assert said in told.err
    assert '{"column": "case_id", "op": "=", "value": "..."}' in told.err
    assert "is_null" in told.err
    assert "reported_at" in told.err


def test_csv_is_safe_for_spreadsheets(call: Call, country: Country) -> None:
    """The first line has the names; what a spreadsheet would run as a formula gets an apostrophe; an end of line of any
    kind stands in quotes."""
    row = json.dumps(case("csv-1", summary="=1+1", dispose_unit="浦东, 区", grid_code="a\rb"))
    call("--home", country.home("city"), "put", "case", "--row", row)
    wanted = json.dumps({"column": "case_id", "op": "=", "value": "csv-1"})
    columns = "case_id,summary,dispose_unit,overtime,grid_code"
    out = call("--home", country.home("city"), "query", "case", "--filter", wanted, "--columns", columns, "--csv").out
    assert list(csv.reader(io.StringIO(out, newline=""))) == [
        columns.split(","),
        ["csv-1", "'=1+1", "浦东, 区", "", "a\rb"],
    ]


@pytest.mark.parametrize(
    ("value", "written"),
    [("-1.50", "-1.50"), ("-3", "-3"), ("-1+2", "'-1+2"), ("+1", "'+1"), ("-", "'-"), (-1.5, -1.5)],
)
def test_a_negative_decimal_stays_a_number_in_csv(value: object, written: object) -> None:
    """Only what would run as a formula is told apart: an apostrophe before -1.50 would make a text of it."""
    assert rows.harmless(value) == written


def test_a_void_can_be_tried_before(call: Call, country: Country) -> None:
    """A void cannot be taken back: --dry-run says what it would do, and the row stays."""
    city = country.home("city")
    call("--home", city, "put", "case", "--row", json.dumps(case("try-1")))
    void = ("--home", city, "void", "case", "try-1", "try-none", "--reason", "x")
    tried = call(*void, "--dry-run", "--json").json
    assert (tried["accepted"], tried["unchanged"], tried["dry_run"], tried["groups"]) == (1, 1, True, [])
    assert "nothing was written" in call(*void, "--dry-run").out
    assert call(*void, "--json").json["accepted"] == 1


def test_a_void_of_what_is_not_there_says_so(call: Call, country: Country) -> None:
    """Nothing changed is no fault, and a slip of the pen in a key must not look like a removal."""
    void = ("--home", country.home("city"), "void", "case", "never-was", "--reason", "x")
    said = call(*void)
    assert (said.code, said.out.strip()) == (0, "0 voided, 1 not there (nothing to void), 0 rejected."), said
    told = call(*void, "--json").json
    assert (told["accepted"], told["unchanged"], told["groups"]) == (0, 1, [])


def test_a_row_is_traced_from_the_city_to_the_nation(call: Call, country: Country) -> None:
    """By key or by source number: the entries that carry it, who has signed for them; and its end after a void."""
    city, nation = country.home("city"), country.home("nation")
    call("--home", city, "put", "case", "--row", json.dumps(case("trace-1", source_key="source-77")))
    feed = f"{country.node('city')}/case.parent"
    country.level()
    country.until("city", lambda status: _all_signed(status, feed))
    found = call("--home", city, "trace", "source-77", "--json").json["rows"]
    assert [(row["key"], row["source"], row["load"]) for row in found] == [('["trace-1"]', "source-77", None)]
    entries = {entry["feed"]: entry for entry in found[0]["entries"]}
    assert entries[feed]["applied_by"] == [country.node("nation")]
    assert entries[feed]["says"] == "put"
    at_nation = call("--home", nation, "trace", "trace-1", "--json").json["rows"]
    assert at_nation[0]["origin"] == country.node("city")
    assert {entry["seq"] for entry in at_nation[0]["entries"]} == {entry["seq"] for entry in found[0]["entries"]}
    assert f"of {feed} (put)" in call("--home", city, "trace", "trace-1").out
    assert call("--home", city, "void", "case", "trace-1", "--reason", "twice", "--json").json["accepted"] == 1
    gone = call("--home", city, "trace", "trace-1", "--json").json["rows"]
    assert {entry["says"] for row in gone for entry in row["entries"]} <= {"void"}
    country.level()
    ended = call("--home", nation, "trace", "trace-1", "--json").json["rows"]
    assert "void" in {entry["says"] for row in ended for entry in row["entries"]}


def _all_signed(status: dict[str, Any], feed: str) -> bool:
    found = next(f for f in status["feeds"] if f["feed"] == feed)
    return any(r["applied"] >= found["seq"] for r in found["receipts"])
