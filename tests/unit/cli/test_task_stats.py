"""Statistics of tasks as a person asks for them."""

from __future__ import annotations

import csv
import io
import json

from tests.unit.cli.conftest import Call, Country


def test_twelve_months_of_which_nothing_is_known_yet(call: Call, country: Country) -> None:
    """Not heard is no zero; in both languages, and as a table for a spreadsheet."""
    city = country.home("city")
    found = call("--home", city, "task", "stats", "--period", "2025-03", "--json").json
    assert (found["months"][0], found["months"][-1], len(found["months"])) == ("2024-04", "2025-03", 12)
    assert {one["state"] for one in found["here"]["months"]} == {"unknown"}
    assert found["here"]["past"]["months"] == 0
    assert found["below"] == []
    assert "not heard" in call("--home", city, "task", "stats", "--period", "2025-03").out
    assert "按时办结率" in call("--home", city, "--lang", "zh", "task", "stats").out
    rows = list(csv.DictReader(io.StringIO(call("--home", city, "task", "stats", "--csv").out)))
    assert len(rows) == 12
    assert list(rows[0])[:5] == ["division", "title", "period", "state", "issued"]


def test_a_month_that_was_worked_out_shows_zeros_and_no_rates(call: Call, country: Country) -> None:
    """Before the nodes joined nothing was expected; figures that were put in stand beside what is not known."""
    city = country.home("city")
    division = call("--home", city, "task", "stats", "--json").json["here"]["division"]
    row = {"division": division, "period": "2025-05", "dim_tier": "*", "dim_flow": "*", "complete": True, "final": True}
    counts = dict.fromkeys(("issued", "closed", "closed_in_time", "open"), 3)
    assert call("--home", city, "put", "task_stat", "--row", json.dumps({**row, **counts}), "--json").code == 0
    found = call("--home", city, "task", "stats", "--period", "2025-06", "--json").json["here"]
    assert [one["state"] for one in found["months"][-2:]] == ["counted", "unknown"]
    assert (found["months"][-2]["in_time_rate"], found["months"][-2]["return_rate"]) == ("1.0000", None)
    assert (found["past"]["months"], found["past"]["closed"]) == (1, 3)
    assert "100 %" in call("--home", city, "task", "stats", "--period", "2025-05").out
    of_flow = call("--home", city, "task", "stats", "--period", "2025-05", "--flow", "W1", "--json").json["here"]
    assert (of_flow["months"][-1]["state"], of_flow["months"][-1]["closed"]) == ("zero", 0)


def test_what_cannot_be_asked_for_is_told(call: Call, country: Country) -> None:
    city = country.home("city")
    for wish in (("--period", "2026Q1"), ("--period", "9999-12"), ("--period", "0001-01"), ("--tier", "village")):
        assert call("--home", city, "task", "stats", *wish, "--json").json["error"]["code"] == "E1008", wish
    assert call("--home", city, "task", "stats", "--flow", "W99", "--json").json["error"]["code"] == "E1502"
