"""Grades that were told, as people read them."""

from __future__ import annotations

import json

from tests.unit.cli.conftest import Call, Country


def test_grades_are_listed_with_the_faults_of_a_month(call: Call, country: Country) -> None:
    """For people and for programs; what is no month is said to be none."""
    nation = country.home("nation")
    found = json.loads(call("--home", nation, "--json", "child", "grades", "--month", "2026-03").out)
    assert (found["month"], found["faults"], found["episodes"]) == ("2026-03", [], [])
    assert call("--home", nation, "child", "grades").code == 0
    told = call("--home", nation, "child", "grades", "--month", "2026")
    assert told.code != 0
    assert "2026-03" in told.err
