"""Loads by the command line: in, twice, listed, rejected, rehearsed, and taken back."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from node.app import read_catalogue
from node.config import CONFIG_NAME, load_file
from node.faults import Code, UserFault
from node.loading.convert import bind
from node.loading.load import BATCH_ROWS, Loader
from node.loading.mapping import parse
from node.loading.sink import UNDER_WAY, open_sink
from node.loading.underway import held
from tests.unit.cli.conftest import Call, Country
from tests.unit.node_base.kit import everything, no_files
from tests.unit.node_base.test_to_stat_info import CLOSED, COLUMNS

MAPPING = """
name = "small"
title = { zh = "小", en = "small" }
dataset = "case"
[source]
format = "csv"
[columns]
case_id = "id"
category = { value = "event" }
source = { value = "public" }
state = { from = "state", table = "state" }
division = { value = "310000" }
reported_at = { value = "2026-01-01T00:00:00Z" }
supervised = { value = false }
summary = "text"
[tables.state]
[tables.state.values]
o = "handling"
c = "closed"
"""


@pytest.fixture
def mapping(tmp_path: Path) -> str:
    """A mapping file for small CSV files."""
    path = tmp_path / "small.toml"
    path.write_text(MAPPING, "utf-8")
    return str(path)


def written(folder: Path, name: str, rows: list[tuple[str, str, str]]) -> str:
    """A CSV file with these rows."""
    path = folder / name
    path.write_text("id,state,text\n" + "".join(",".join(row) + "\n" for row in rows), "utf-8")
    return str(path)


def test_a_load_twice_changes_nothing_and_doubles_no_reject(
    call: Call, country: Country, tmp_path: Path, mapping: str
) -> None:
    """The exit code says that lines were rejected; the books list them with line and reason, once."""
    file = written(tmp_path, "twice.csv", [("twice-1", "o", "a"), ("twice-2", "?", "b"), ("twice-3", "c", "c")])
    home = country.home("city")
    first = call("--home", home, "load", "case", file, "--map", mapping, "--json")
    assert first.code == 3
    one = first.json
    assert (one["read"], one["taken"], one["unchanged"], one["rejected"]) == (3, 2, 0, 1)
    assert one["rejects"][0]["line"] == 3
    assert (one["warnings"], [w["line"] for w in one["warned"]]) == (1, [4]), "closed without a time of closing"
    two = call("--home", home, "load", "case", file, "--map", mapping, "--json").json
    assert (two["taken"], two["unchanged"], two["rejected"]) == (0, 2, 1)
    assert two["load"] > one["load"]
    for number in (one["load"], two["load"]):
        told = call("--home", home, "loads", "rejects", str(number), "--json").json
        assert [(r["line"], r["name"]) for r in told["rejects"]] == [(3, one["rejects"][0]["name"])]
        assert told["listed_with"] == two["load"]
    listed = call("--home", home, "loads", "list", "--json").json["loads"]
    mine = {load["load"]: load for load in listed}
    assert (mine[one["load"]]["written"], mine[two["load"]]["unchanged"]) == (2, 2)
    assert all(mine[number]["ended"] for number in (one["load"], two["load"]))
    said = call("--home", home, "load", "case", file, "--map", mapping)
    assert said.code == 3
    assert "line 3" in said.err
    assert "3 read, 0 taken, 2 unchanged" in said.out
    assert "twice.csv" in call("--home", home, "loads", "list").out


def test_many_batches_under_way_keep_their_order(call: Call, country: Country, tmp_path: Path, mapping: str) -> None:
    """More batches than may be under way: every line is counted once, and rejects come in order of line."""
    count = BATCH_ROWS * (UNDER_WAY + 2) + 7
    rows = [(f"many-{i}", "?" if i % 1000 == 5 else "o", "") for i in range(count)]
    file = written(tmp_path, "many.csv", rows)
    told = call("--home", country.home("city"), "load", "case", file, "--map", mapping, "--json").json
    bad = [i + 2 for i in range(count) if i % 1000 == 5]
    assert [r["line"] for r in told["rejects"]] == bad
    assert (told["read"], told["taken"], told["rejected"]) == (count, count - len(bad), len(bad))
    assert call("--home", country.home("city"), "unload", str(told["load"]), "--json").json["rows"] == count - len(bad)


def test_a_dry_run_writes_nothing(call: Call, country: Country, tmp_path: Path, mapping: str) -> None:
    """It shows the first rows before and after, and asks the node's own door."""
    file = written(tmp_path, "dry.csv", [("dry-1", "o", "x"), ("dry-2", "?", "y")])
    home = country.home("city")
    told = call("--home", home, "load", "case", file, "--map", mapping, "--dry-run", "--json").json
    assert (told["load"], told["dry_run"], told["taken"], told["rejected"]) == (None, True, 1, 1)
    assert told["preview"][0]["before"]["id"] == "dry-1"
    assert told["preview"][0]["after"]["state"] == "handling"
    assert told["preview"][1]["rejected"]["line"] == 3
    said = call("--home", home, "load", "case", file, "--map", mapping, "--dry-run").out
    assert "case_id=dry-1" in said
    assert "reported_at=2026-01-01 08:00:00" in said, "as the clock on the wall says"
    assert call("--home", home, "trace", "dry-1").code == 3


def test_a_row_that_never_came_in_is_traced_to_the_line_that_was_rejected(
    call: Call, country: Country, tmp_path: Path, mapping: str
) -> None:
    """By its key and by its number in its source, whether the conversion or the door rejected it."""
    numbered = tmp_path / "numbered.toml"
    text = Path(mapping).read_text("utf-8").replace("[columns]", '[columns]\nsource_key = "text"')
    numbered.write_text(text.replace('division = { value = "310000" }', 'division = "text2"'), "utf-8")
    file = tmp_path / "lost.csv"
    file.write_text("id,state,text,text2\nlost-1,?,S-1,310000\nlost-2,o,S-2,440106\n", "utf-8")
    home = country.home("city")
    told = call("--home", home, "load", "case", str(file), "--map", str(numbered), "--json").json
    assert told["rejected"] == 2
    for what, line, reason in (
        ("lost-1", 2, "UNKNOWN_CODE"),
        ("S-1", 2, "UNKNOWN_CODE"),
        ("lost-2", 3, "OUT_OF_SCOPE"),
        ("S-2", 3, "OUT_OF_SCOPE"),
    ):
        (row,) = call("--home", home, "trace", what, "--json").json["rows"]
        assert [(r["load"], r["line"], r["reason"]) for r in row["rejects"]] == [(told["load"], line, reason)], what
        assert row["entries"] == []
        assert f"line {line}" in call("--home", home, "trace", what).out


def test_only_untouched_rows_of_a_load_are_taken_back(
    call: Call, country: Country, tmp_path: Path, mapping: str
) -> None:
    """What was there before, or was changed or voided since, is left alone and counted; twice does nothing more."""
    home = country.home("city")
    call("--home", home, "load", "case", written(tmp_path, "old.csv", [("un-1", "o", "old")]), "--map", mapping)
    rows = [("un-1", "c", "new"), ("un-2", "o", ""), ("un-3", "o", ""), ("un-4", "o", ""), ("un-5", "o", "")]
    load = call("--home", home, "load", "case", written(tmp_path, "un.csv", rows), "--map", mapping, "--json").json
    call("--home", home, "load", "case", written(tmp_path, "later.csv", [("un-3", "c", "")]), "--map", mapping)
    call("--home", home, "void", "case", "un-4", "--reason", "x")
    number, left = str(load["load"]), {"changed_since": 1, "gone": 1, "not_created": 1}
    planned = call("--home", home, "unload", number, "--dry-run", "--json").json
    assert (planned["rows"], planned["left"], planned["dry_run"]) == (2, left, True)
    done = call("--home", home, "unload", number, "--json").json
    assert (done["rows"], done["left"]) == (2, left)
    assert done["examples"]["changed_since"] == ['["un-3"]']
    again = call("--home", home, "unload", number)
    assert "0 rows of load" in again.out
    rest = call("--home", home, "query", "case", "--columns", "case_id,summary", "--json").json["rows"]
    assert sorted((key, text or "") for key, text in rest if key.startswith("un-")) == [("un-1", "new"), ("un-3", "")]
    country.level()
    at_nation = call("--home", country.home("nation"), "query", "case", "--columns", "case_id", "--json").json["rows"]
    assert sorted(row[0] for row in at_nation if row[0].startswith("un-")) == ["un-1", "un-3"]


@pytest.mark.parametrize(
    ("arguments", "code", "number"),
    [
        (("load", "case", "no-such.csv", "--map", "myla311"), 3, "E1201"),
        (("load", "case", "-", "--map", "myla311"), 3, "E1202"),
        (("load", "case", ".", "--map", "myla311"), 3, "E1202"),
        (("load", "case", "{file}", "--map", "no-such-mapping"), 3, "E1201"),
        (("load", "class_code", "{file}", "--map", "myla311"), 3, "E1203"),
        (("load", "nope", "{file}", "--map", "myla311"), 3, "E1010"),
        (("load", "case", "{file}", "--map", "myla311"), 3, "E1204"),
        (("load", "case", "{file}", "--map", "myla311", "--format", "xls"), 2, "E1008"),
        (("load", "case", "{file}", "--map", "myla311", "--format", "parquet"), 3, "E1202"),
        (("unload", "999"), 4, "E1209"),
        (("unload", "999", "--dry-run"), 4, "E1209"),
        (("loads", "rejects", "999"), 4, "E1209"),
    ],
)
def test_what_cannot_be_loaded(
    call: Call, country: Country, tmp_path: Path, arguments: tuple[str, ...], code: int, number: str
) -> None:
    """Each mistake has its number; nothing is registered for a file that cannot be read."""
    file = written(tmp_path, "x.csv", [("a", "o", "")])
    called = call("--home", country.home("city"), *(a.format(file=file) for a in arguments))
    assert (called.code, f"Error {number}:" in called.err) == (code, True), called.err
    assert "Traceback" not in called.err


def test_a_load_that_breaks_off_stays_open_and_can_be_repeated(
    call: Call, country: Country, tmp_path: Path, mapping: str
) -> None:
    """The node stops in the middle: the fault says what to do, the load is not ended in the books; again is enough."""
    home = Path(country.home("city"))
    file = Path(written(tmp_path, "broken.csv", [(f"broken-{i}", "o", "") for i in range(3)]))
    parsed = parse(mapping, Path(mapping).read_text("utf-8"), no_files)
    catalogue = read_catalogue(home, load_file(home / CONFIG_NAME))
    loader = Loader(file, bind(mapping, parsed, catalogue.datasets["case"]), everything)
    with pytest.raises(UserFault) as met, open_sink(home, "case", file, loader) as sink:
        country.do(country.net["city"].stop())
        loader.run(sink)
    country.do(country.net["city"].start())
    country.do(country.net.settled())
    assert met.value.code is Code.NODE_NOT_RUNNING
    number = sink.number
    assert f"Load {number} broke off; 0 rows" in str(met.value.message)
    assert f"Load the file again when this is mended: what is in is not doubled (`tiersync unload {number}`" in str(
        met.value.next_step
    )
    listed = call("--home", str(home), "loads", "list", "--json").json["loads"]
    assert [(load["ended"], load["state"]) for load in listed if load["load"] == number] == [("", "broken_off")]
    again = call("--home", str(home), "load", "case", str(file), "--map", mapping, "--json").json
    assert (again["taken"], again["rejected"]) == (3, 0)


KILLED = """
import os, sys
from node.cli import loading
from node.cli.main import run
loading.counted = lambda counts: os.kill(os.getpid(), 9)
run(sys.argv[1:])
"""


def test_a_load_that_its_heading_stopped_is_not_broken_off(
    call: Call, country: Country, tmp_path: Path, mapping: str
) -> None:
    """Nothing of it began: the fault is the heading's own, and nobody is told to load it again or to take it back."""
    home, file = country.home("city"), tmp_path / "other.csv"
    file.write_text("some,other\n1,2\n")
    error = call("--home", home, "load", "case", str(file), "--map", mapping, "--json").json["error"]
    assert (error["name"], "broke off" in error["message"]) == ("FILE_HEADER", False)
    newest = call("--home", home, "loads", "list", "--json").json["loads"][0]
    assert (newest["file"], newest["state"], newest["lines"]) == ("other.csv", "ended", 0)


def test_a_load_that_was_killed_is_shown_as_broken_off(
    call: Call, country: Country, tmp_path: Path, mapping: str
) -> None:
    """With what came in of it, and what to do; while it ran it was shown as running, once repeated it is ended."""
    home = country.home("city")
    file = written(tmp_path, "killed.csv", [(f"killed-{i}", "o", "") for i in range(BATCH_ROWS * (UNDER_WAY + 1))])
    load = ("--home", home, "load", "case", file, "--map", mapping, "--json")
    done = subprocess.run([sys.executable, "-c", KILLED, *load], capture_output=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done

    def newest() -> dict[str, Any]:
        one: dict[str, Any] = call("--home", home, "loads", "list", "--json").json["loads"][0]
        assert one["file"] == "killed.csv"
        return one

    assert newest()["state"] == "broken_off"
    shown = call("--home", home, "loads", "list")
    assert "broken off" in shown.out
    assert "Load the file again" in shown.err
    number = newest()["load"]
    with held(Path(home), number):
        assert newest()["state"] == "running"
    again = call(*load).json
    assert again["unchanged"] >= BATCH_ROWS
    assert again["taken"] + again["unchanged"] == BATCH_ROWS * (UNDER_WAY + 1)
    assert newest()["state"] == "ended"
    broken = call("--home", home, "loads", "rejects", str(number), "--json").json["load"]
    assert (broken["state"], broken["written"]) == ("broken_off", again["unchanged"])
    assert call("--home", home, "unload", str(number), "--json").json["rows"] == again["unchanged"]


def test_a_sheet_of_a_workbook_is_loaded(call: Call, country: Country, tmp_path: Path) -> None:
    """As any other file, shown before and taken; which of several sheets is meant is asked, not guessed."""
    book = Workbook()
    book.active.append(("notes",))
    sheet = book.create_sheet("案件")
    rows = [{**CLOSED, "cell_id": "310106001001001", "rec_id": f"xl-{n}"} for n in range(2)]
    for row in ({name: name for name in COLUMNS}, *rows, {**CLOSED, "rec_id": "xl-bad", "event_state_id": "2"}):
        sheet.append([row.get(name) for name in COLUMNS])
    sheet["C2"] = dt.datetime(2026, 3, 1, 10, 0, 0)  # noqa: DTZ001 - Excel knows no zones
    book.save(tmp_path / "cases.xlsx")
    load = ("--home", country.home("city"), "load", "case", str(tmp_path / "cases.xlsx"), "--map", "to_stat_info")
    asked = call(*load)
    assert (asked.code, "E1204" in asked.err, "案件" in asked.err) == (3, True, True)
    shown = call(*load, "--sheet", "案件", "--dry-run", "--json").json["preview"][0]
    assert (shown["line"], shown["before"]["create_time"]) == (2, "2026-03-01T10:00:00")
    told = call(*load, "--sheet", "案件", "--json").json
    assert (told["format"], told["encoding"], told["taken"], told["rejected"]) == ("xlsx", None, 2, 1)
    assert [reject["line"] for reject in told["rejects"]] == [4]
