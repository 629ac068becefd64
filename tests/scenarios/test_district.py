"""A district below a city: four tiers. What is for the parent goes on to the province, carried by the city."""

from __future__ import annotations

import pytest

from node.sim import federation
from node.sim.places import Place, Tree, make_tree
from tests.scenarios.country import Country
from tiers.profile import PROFILES, node_id


def with_a_district(shape: tuple[int, int, int]) -> Tree:
    """The usual country, and d1 below the city c1."""
    tree = make_tree(shape)
    city = next(place for place in tree.places if place.short == "c1")
    region = f"{city.region[:4]}06"
    district = Place("d1", node_id(PROFILES["district"], region, city.node), "district", region, city.node)
    return Tree((*tree.places, district))


def test_a_districts_rows_come_to_its_city_and_its_province_and_supervised_ones_to_the_nation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each tier judges them by the district's own seal; nobody else has them. What is voided goes everywhere."""
    monkeypatch.setattr(federation, "make_tree", with_a_district)
    country = Country()
    country.case("d1", 1)
    country.case("d1", 2, supervised=True)
    country.settle()
    region = country["d1"].place.region
    one, two = f"{region}-001", f"{region}-002"
    for short in ("c1", "p1"):
        assert set(country.rows(short, "d1")) == {one, two}
    assert set(country.rows("n", "d1")) == {two}
    assert not country.rows("c2", "d1")
    to_city, to_province = country.feed("d1", "case.parent"), country.feed("d1", "case.parent", "p1")
    assert country.seq("c1", to_city)
    assert country.seq("p1", to_province)
    assert country.seq("c1", to_province) == country.seq("p1", to_province), "the city carries it"
    assert not country.seq("n", to_province)
    country.void("d1", 2)
    country.settle()
    assert {short: set(country.rows(short, "d1")) for short in ("c1", "p1", "n")} == {
        "c1": {one},
        "p1": {one},
        "n": set(),
    }
