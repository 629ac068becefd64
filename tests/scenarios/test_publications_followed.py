"""A change of publications is followed in steps, and whatever comes in between, the feeds say the rows in the end."""

from __future__ import annotations

import pytest

from node.revising import job_of
from node.sim.places import ALL_CASES
from tests.scenarios.country import Country

ROWS = range(1, 31)
SUPERVISED = range(1, 31, 5)


def country_with_cases() -> Country:
    country = Country()
    country.case("c1", *(n for n in ROWS if n not in SUPERVISED))
    country.case("c1", *SUPERVISED, supervised=True)
    country.run(3)
    return country


def change(country: Country, site: str) -> None:
    """An administrator edits what is published, and starts the node again."""
    node = country["c1"]
    node.publish(site)
    country.net.crash(node, lost=False)
    country.net.restart(node)


def at_nation(country: Country) -> set[str]:
    return set(country.rows("n", "c1"))


def name(number: int) -> str:
    return f"330100-{number:03d}"


def test_work_goes_on_between_the_steps() -> None:
    """Rows that are put, changed and voided before the job comes to them, and behind it, are where they belong."""
    country = country_with_cases()
    change(country, ALL_CASES)
    node = country["c1"]
    assert job_of(node.store)[0]["rows"] == len(ROWS)
    node.step(country.net.now)
    node.step(country.net.now)
    (job,) = job_of(node.store)
    assert 0 < job["rows_done"] < job["rows"]
    country.case("c1", 1, 15, 29, state="closed")
    country.void("c1", 2)
    country.void("c1", 28)
    country.settle()
    assert not job_of(node.store)
    assert at_nation(country) == {name(n) for n in ROWS if n not in (2, 28)}
    assert country.rows("n", "c1")[name(29)]["state"] == "closed"


@pytest.mark.parametrize("steps", [1, 2, 4, 6])
def test_killed_on_its_way_it_goes_on_from_where_it_was(steps: int) -> None:
    """Also while the settings are changed once more before it is done: what may no longer be there leaves."""
    country = country_with_cases()
    change(country, ALL_CASES)
    node = country["c1"]
    for _ in range(steps):
        node.step(country.net.now)
    (before,) = job_of(node.store)
    country.net.crash(node)
    country.net.restart(node)
    assert job_of(node.store) == [before]
    change(country, "")
    country.case("c1", 3, 27, supervised=True)
    country.settle()
    assert at_nation(country) == {name(n) for n in {*SUPERVISED, 3, 27}}
    change(country, ALL_CASES)
    country.settle()
    assert at_nation(country) == {name(n) for n in ROWS}


def test_what_waits_by_the_settings_of_before_is_not_sent() -> None:
    """Unsealed rows that may no longer leave never do."""
    country = country_with_cases()
    change(country, ALL_CASES)
    country.settle()
    node = country["c1"]
    country.net.cut("c1")
    country.run(1)
    country.case("c1", 31, 32)
    country.case("c1", 33, supervised=True)
    change(country, "")
    country.net.heal("c1")
    country.settle()
    assert at_nation(country) == {name(n) for n in (*SUPERVISED, 33)}
    said = [header.rows for header in country.headers("n", country.feed("c1", "case.nation", "n"))]
    taken_back = len(ROWS) - len(SUPERVISED)
    assert sum(said) == len(ROWS) + taken_back + 1
    assert not job_of(node.store)


def test_a_comparison_of_all_rows_in_the_middle_leaves_digests_right() -> None:
    """What waits unsealed when settings change again makes a node compare all rows with all feeds, while some of them
    are still said as settings before had it. Every state that is kept is held against what the feed says."""
    country = Country()
    country.upgrade(2, "n", "p1", "c1")  # its case has a published column behind the held-back ones
    country.case("c1", *ROWS)
    country.run(3)
    country.net.cut("c1")
    country.run(1)
    change(country, ALL_CASES)
    node = country["c1"]
    node.step(country.net.now)
    node.step(country.net.now)
    assert job_of(node.store)
    change(country, "")
    assert not job_of(node.store), "compared at once"
    country.net.heal("c1")
    country.settle()
    assert not at_nation(country)
