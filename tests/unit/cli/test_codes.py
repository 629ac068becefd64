"""Code tables at the command line: drafted, put in force, retired by the nation; extended by a city."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.conftest import Call, Country
from tests.unit.cli.test_rows import case


def test_a_code_is_drafted_put_in_force_and_retired(call: Call, country: Country) -> None:
    nation = country.home("nation")
    of = ("T-life", "0110")
    dry = call("--home", nation, "codes", "draft", *of, "--name-zh", "垃圾", "--dry-run", "--json").json
    assert dry["accepted"] == 1
    assert call("--home", nation, "codes", "list", "T-life", "--json").json["codes"] == []
    assert call("--home", nation, "codes", "draft", *of, "--name-zh", "垃圾").code == 0
    assert call("--home", nation, "codes", "activate", *of, "--from", "2026-01-01").code == 0
    assert call("--home", nation, "codes", "retire", *of, "--after", "2026-12-31").code == 0
    (code,) = call("--home", nation, "codes", "show", *of, "--json").json["codes"]
    assert (code["status"], code["row"]["effective_on"], code["row"]["retired_on"]) == (
        "retired",
        "2026-01-01",
        "2026-12-31",
    )
    back = call("--home", nation, "codes", "activate", *of, "--from", "2026-01-01", "--json")
    assert back.code == 3
    assert "never comes back" in back.json["rejected"][0]["detail"]
    kept = call("--home", nation, "void", "class_code", '["T-life", "0110", 1]', "--reason", "x", "--json")
    assert "never removed" in kept.json["rejected"][0]["detail"]
    assert "T-life" in call("--home", nation, "codes", "list").out
    assert "retired" in call("--home", nation, "codes", "list", "T-life").out


def test_a_city_registers_an_extension_and_its_rows_count_under_the_standard_class(
    call: Call, country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W11: before, the row is taken, and told as unregistered; afterwards it counts under the class."""
    monkeypatch.setattr("node.app.EXTENSIONS_EVERY_US", -1)
    city = country.home("city")
    row = case("extended-1", class_scheme="local:310000", class_code="7")
    assert call("--home", city, "put", "case", "--row", json.dumps(row)).code == 0
    before = call("--home", city, "codes", "extensions", "--json").json
    assert [(o["rows"], o["counts_under"]) for o in before["in_use"] if o["code"] == "7"] == [(1, None)]
    counted = before["unregistered"]  # with those of other tests in this city
    said = "{codes} codes in {rows} rows".format(**counted)
    assert f"Unregistered: {said}" in call("--home", city, "codes", "extensions").err
    assert said in call("--home", city, "status").out
    extend = ("codes", "extend", "local:310000", "7", "--name-zh", "井盖异响", "--mapped-to", "01")
    done = call("--home", city, *extend, "--mapped-table", "T-not-here-yet")
    assert done.code == 0
    after = call("--home", city, "codes", "show", "local:310000", "7", "--json").json
    assert after["in_use"][0]["counts_under"] == {"table": "T-not-here-yet", "code": "01"}
    left = {"codes": counted["codes"] - 1, "rows": counted["rows"] - 1}
    assert call("--home", city, "codes", "extensions", "--json").json["unregistered"] == left


def test_what_no_city_may_add_is_told_with_what_it_may(call: Call, country: Country) -> None:
    city = country.home("city")
    told = call("--home", city, "codes", "extend", "GB", "0110", "--name-zh", "x", "--mapped-to", "01")
    assert told.code != 0
    assert "..70-99" in told.err
    assert "local:" in told.err
    assert call("--home", city, "codes", "draft", "GB", "0110", "--name-zh", "x").code != 0
    assert "no code '0110'" in call("--home", city, "codes", "retire", "GB", "0110", "--after", "2026-01-01").err
    assert (
        "not a date"
        in call(
            "--home", city, "codes", "extend", "local:1", "1", "--name-zh", "x", "--mapped-to", "1", "--from", "x"
        ).err
    )
