"""Administrations never upgrade on the same day: nodes of one federation that know different releases."""

from __future__ import annotations

import pytest

from node.sim.releases import BRIEF, CASE_COLUMNS, FIRST, NEW_DATASET, NEWEST, SECOND, THIRD
from node.sim.work import Put, code_row, thing_row
from sync.values import FeedName
from tests.scenarios.country import Country


def _parked(country: Country, short: str, feed: FeedName) -> int:
    return country.held(short, feed).parked


def _put(country: Country, short: str, put: Put) -> None:
    country.net.submit(country[short], put)
    country.run(3)


def test_a_province_that_is_behind_carries_on_and_catches_up_by_itself() -> None:
    """The nation has applied what the province between cannot read; after its upgrade it holds the same."""
    country = Country()
    country.upgrade(SECOND, "c1", "n")
    country.case("c1", 1, 2, state="reopened", supervised=True)
    country.run(3)
    assert len(country.rows("n", "c1")) == 2
    assert country.rows("p1", "c1") == {}
    assert _parked(country, "p1", country.feed("c1", "case.parent")) == 1
    country.upgrade(SECOND, "p1")
    assert country.rows("p1", "c1")["330100-001"][CASE_COLUMNS[SECOND]] == "r2 reopened"
    country.settle()


def test_a_province_that_is_ahead_of_both_its_neighbours() -> None:
    """Its codes wait at the city, its units at the nation; what both know goes through as ever."""
    country = Country()
    country.upgrade(THIRD, "p1")
    province = country["p1"]
    row = code_row("1", "-", release=THIRD, table="local:330000")
    _put(country, "p1", Put(province.id, "class_code", [row]))
    country.case("c1", 1, supervised=True)
    country.run(3)
    assert country.rows("n", "c1").keys() == country.rows("p1", "c1").keys() == {"330100-001"}
    assert _parked(country, "c1", country.feed("p1", "class_code.all")) == 1
    country.upgrade(THIRD, "c1", "c2", "n")
    assert len(country.rows("c1", "p1", "class_code")) == 1
    country.settle()


@pytest.mark.parametrize("between", [FIRST, SECOND])
def test_publications_and_datasets_that_nobody_above_knows(between: int) -> None:
    """They wait at every tier they are for, and are applied there, whichever tier is upgraded first."""
    country = Country()
    country.upgrade(between, "p1")
    country.upgrade(THIRD, "c1")
    city = country["c1"]
    country.case("c1", 1)
    _put(country, "c1", Put(city.id, NEW_DATASET, [thing_row("330100", 1, THIRD)]))
    brief, thing = country.feed("c1", BRIEF), country.feed("c1", f"{NEW_DATASET}.up")
    for short in ("p1", "n"):
        assert _parked(country, short, brief) == _parked(country, short, thing) == 1
    for short in ("n", "p1"):
        country.upgrade(THIRD, short)
        rows = country.rows(short, "c1", NEW_DATASET)
        assert rows == {"330100-1": {"thing_id": "330100-1", "division": "330100", "kept": None}}
    assert country.rows("n", "c1")["330100-001"]["state"] == "reported"
    country.upgrade(NEWEST, "c2", "c3")
    country.settle()


def test_what_waits_since_the_upgrade_is_overtaken_by_what_waited_with_it() -> None:
    """After an upgrade the first version of a case waits for its code, and the second, which needs none, is applied.
    When the code comes the first does not come back. (Seed 4 of 2 + 5 nodes found it.)"""
    country = Country()
    country.upgrade(SECOND, "c1")
    country.case("c1", 1, code="0101")
    country.case("c1", 1, state="closed")
    country.run(2)
    assert _parked(country, "p1", country.feed("c1", "case.parent")) == 2
    country.upgrade(SECOND, "p1")
    country.code("0101")
    country.run(3)
    assert country.rows("p1", "c1")["330100-001"]["state"] == "closed"
    country.upgrade(SECOND, "n", "c2", "c3")
    country.settle()
