"""Input that no store can hold, or that is not what it seems: refused with words, and the node goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from node import queries
from node.cli import rows as rows_verbs
from node.cli.output import moment, pairs
from tests.unit.cli.conftest import Call, Country
from tests.unit.cli.test_loading import MAPPING
from tests.unit.cli.test_rows import case

GBK = os.fsdecode("案".encode("gb18030"))
BEYOND = "99999999999999999999"
JSON_MAPPING = MAPPING.replace('format = "csv"', 'format = "jsonl"')


def still_answers(call: Call, country: Country, name: str = "city") -> bool:
    """Whether the writer and the reader of a node still do their work."""
    home = country.home(name)
    answers = [call("--home", home, *verb, "--json") for verb in (("status",), ("query", "org_unit"))]
    return [answer.code for answer in answers] == [0, 0]


def test_a_long_sentence_without_spaces_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Chinese has none: it was cut with dots where the line ended."""
    pairs([("含义", "督" * 500)])
    assert capsys.readouterr().out.count("督") == 500


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("city", ("task", "sign", GBK)),
        ("city", ("task", "show", GBK)),
        ("city", ("trace", GBK)),
        ("city", ("trace", f'["t", "c", {BEYOND}]')),
        ("city", ("trace", '["\\ud800"]')),
        ("city", ("void", "case", GBK, "--reason", "x")),
        ("city", ("void", "case", "a", "--reason", GBK)),
        ("city", ("put", "case", "--row", json.dumps(case("odd", summary="\ud800")))),
        ("city", ("put", "case", "--row", f'{{"case_id": "odd", "reported_at": {BEYOND}}}')),
        ("city", ("query", "case", "--origin", GBK)),
        ("city", ("query", "case", "--columns", GBK)),
        ("city", ("query", "case", "--filter", '{"column": "case_id", "op": "=", "value": "\\ud800"}')),
        ("city", ("query", "case", "--filter", f'{{"column": "reported_at", "op": "=", "value": {BEYOND}}}')),
        ("city", ("query", "case", "--limit", BEYOND)),
        ("city", ("audit", "show", "--limit", BEYOND)),
        ("city", ("loads", "rejects", BEYOND)),
        ("nation", ("invite", "withdraw", GBK)),
        ("nation", ("invite", "make", "--profile", "city", "--region", "120000", "--title", GBK)),
    ],
)
def test_what_no_store_can_hold_is_refused(call: Call, country: Country, name: str, arguments: tuple[str, ...]) -> None:
    """Half a character and a number beyond 64 bits come no further than the command."""
    called = call("--home", country.home(name), *arguments)
    assert called.code in (2, 3), called
    assert "Traceback" not in called.err
    assert still_answers(call, country, name)


def test_arguments_too_deep_to_read_are_refused(call: Call, country: Country) -> None:
    """What a script sends around the command line is checked alike."""
    from node.control.v1 import control_pb2 as pb

    async def said(arguments: str) -> int:
        client = await country.net["city"].client()
        request = pb.CommandRequest(name="task.show", arguments=arguments)
        return [reply.error async for reply in client.stub.Command(request)][-1]

    for arguments in ("[" * 100_000, "{", f'{{"task": {BEYOND}}}', '{"task": ["\\udc00"]}', '{"\\udc00": 1}'):
        assert country.do(said(arguments)) == 1008
    assert still_answers(call, country)


def test_a_file_whose_name_is_not_utf8_is_loaded(call: Call, country: Country, tmp_path: Path) -> None:
    """The books keep its name in a form that can be kept, and its rejects with what half characters they hold."""
    mapping = tmp_path / "m.toml"
    mapping.write_text(JSON_MAPPING, "utf-8")
    file = tmp_path / f"{GBK}.jsonl"
    file.write_text('{"id": "odd-1", "state": "o", "text": ""}\n{"id": "odd-2", "state": "\\ud800", "text": ""}\n')
    home = country.home("city")
    load = ("--home", home, "load", "case", str(file), "--map", str(mapping))
    told = call(*load, "--json")
    assert (told.code, told.json["taken"], told.json["rejected"]) == (3, 1, 1)
    assert call(*load).code == 3
    assert call("--home", home, "load", "case", f"{file}.not", "--map", str(mapping), "--json").json["error"]
    listed = call("--home", home, "loads", "list", "--json").json["loads"]
    assert "\\udcb0\\udcb8.jsonl" in [one["file"] for one in listed]
    rejected = call("--home", home, "loads", "rejects", str(told.json["load"]), "--json").json["rejects"]
    assert [r["line"] for r in rejected] == [2]
    assert still_answers(call, country)


def test_a_reader_that_failed_is_replaced(call: Call, country: Country) -> None:
    """One question that the store cannot answer is one answer missing, not all that follow."""
    from node.store.faults import StoreFault
    from node.store.readers import Reader
    from tests.integration.kit import node_of

    def impossible(reader: Reader) -> object:
        return reader.query("case", '"case_id" = ?', ("\ud800",), ("case_id",), 1)

    async def ask() -> None:
        with pytest.raises(StoreFault):
            await node_of(country.net["city"]).read(impossible)

    country.do(ask())
    assert still_answers(call, country)


def test_rows_that_are_not_utf8_are_not_put(
    call: Call, country: Country, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is put in the place of what cannot be read, nor is half of a long file taken."""
    home = country.home("city")
    file = tmp_path / "rows.jsonl"
    file.write_bytes(json.dumps(case("gbk-1", summary="路面破损"), ensure_ascii=False).encode("gb18030"))
    for verb in (
        ("put", "case", str(file)),
        ("load", "case", str(file), "--map", str(file)),
        ("catalogue", "check", str(file)),
    ):
        called = call("--home", home, *verb, "--json")
        assert (called.code, called.json["error"]["code"]) == (3, "E1205")
    file.write_text(json.dumps(case("long-1")), "utf-8")
    monkeypatch.setattr(rows_verbs, "INPUT_BYTES_MAX", file.stat().st_size - 1)
    assert call("--home", home, "put", "case", str(file), "--json").json["error"]["code"] == "E1202"
    monkeypatch.setattr(rows_verbs, "INPUT_BYTES_MAX", file.stat().st_size)
    assert call("--home", home, "put", "case", str(file), "--json").json["accepted"] == 1


def test_only_a_line_feed_ends_a_line_of_rows(call: Call, country: Country, tmp_path: Path) -> None:
    """Other characters that Python takes for the end of a line are lawful inside a text."""
    file, text = tmp_path / "rows.jsonl", "a\u2028b\u2029c\u0085d"
    lines = [json.dumps(case(f"lf-{i}", summary=text), ensure_ascii=False) for i in range(2)]
    file.write_bytes("\r\n".join(lines).encode())
    home = country.home("city")
    assert call("--home", home, "put", "case", str(file), "--json").json["accepted"] == 2
    wanted = json.dumps({"column": "case_id", "op": "in", "value": ["lf-0", "lf-1"]})
    found = call("--home", home, "query", "case", "--filter", wanted, "--columns", "summary", "--json").json["rows"]
    assert found == [[text], [text]]


def test_a_query_gives_all_rows_or_says_that_it_cannot(
    call: Call, country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that was cut would be taken for the whole."""
    home = country.home("city")
    for number in range(3):
        call("--home", home, "put", "case", "--row", json.dumps(case(f"most-{number}")))
    wanted = json.dumps({"column": "case_id", "op": "in", "value": [f"most-{number}" for number in range(3)]})
    query = ("--home", home, "query", "case", "--filter", wanted, "--json")
    monkeypatch.setattr(queries, "ROWS_MAX", 3)
    assert len(call(*query).json["rows"]) == 3
    monkeypatch.setattr(queries, "ROWS_MAX", 2)
    for limit in ((), ("--limit", "0"), ("--limit", "3")):
        told = call(*query, *limit)
        assert (told.code, told.json["error"]["code"]) == (2, "E1008")
        assert "--limit 2" in told.json["error"]["next"]
    assert len(call(*query, "--limit", "2").json["rows"]) == 2


def test_open_tasks_behind_final_ones_are_listed(call: Call, country: Country) -> None:
    """The limit counts what is listed, not what was looked at."""
    nation, city = country.home("nation"), country.node("city")
    made = ("--home", nation, "task", "new", city, "--title", "x", "--register-only", "--task")
    call(*made, "open-1")
    for number in range(6):
        call(*made, f"ended-{number}")
        call("--home", nation, "task", "withdraw", f"ended-{number}", "not needed")
    listed = call("--home", nation, "task", "list", "--open", "--limit", "1", "--json").json["tasks"]
    assert [task["task"] for task in listed] == ["open-1"]


@pytest.mark.parametrize(
    ("us", "shown"),
    [
        (1 << 62, str(1 << 62)),
        (-(1 << 62), str(-(1 << 62))),
        (253_402_300_799_000_000, "253402300799000000"),
        (1_795_305_600_000_000, "2026-11-22 08:00:00"),
    ],
)
def test_moments_outside_the_calendar_are_shown_as_they_stand(us: int, shown: str) -> None:
    """A column of moments may hold any number."""
    assert moment(us, "Asia/Shanghai") == shown
