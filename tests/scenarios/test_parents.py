"""Parents that were put back or got a new key: what their children hold of them, and what goes on below."""

from __future__ import annotations

import pytest

from node.sim.federation import TRANSPORT_KEY
from node.sim.keys import SimKey
from node.sim.words import record_for
from sync.events import RegistryChange
from sync.values import REGISTRY
from tests.scenarios.country import Country

CODES = "class_code.all"


def test_a_restored_nation_gets_its_own_feeds_back_and_those_of_its_children() -> None:
    """Of its codes one child holds more than the other; it seals nothing before both were compared, and what it wrote
    meanwhile goes out behind."""
    country = Country()
    country.code("0101")
    country.case("c1", 1, supervised=True)
    country.run(6)
    backup = country.copy("n")
    country.code("0102")
    country.run(6)
    country.net.cut("c3")
    country.code("0103")
    country.case("c1", 2, supervised=True)
    country.run(6)
    codes = country.feed("n", CODES)
    longest = country.held("p1", codes).head
    assert country.seq("c3", codes) < longest.seq
    country.restore("n", backup)
    country.code("0104")
    country.run(10)
    assert country["n"].core.restored
    assert country.held("n", codes).head == longest
    country.net.heal("c3")
    country.settle()
    assert not country["n"].core.restored
    assert country.seq("c3", codes) == country.seq("p1", codes) == longest.seq + 1
    assert len(country.rows("c3", "n", "class_code")) == 4
    assert len(country.rows("n", "c1")) == 2
    assert not country["p1"].core.evidence


def _new_key(country: Country, short: str, *, lost: bool) -> None:
    """The node starts with another log key, and its parent records that; lost: the old one is not at hand any more."""
    node = country[short]
    country.net.crash(node)
    node.old_key = None if lost else node.key
    node.key = SimKey(b"another", country.net.suite)
    country.net.restart(node)
    record = record_for(node.place, node.key.public_key, TRANSPORT_KEY, 2)
    record.key_lost = lost
    country.net.submit(country.net.node_of(node.place.parent), RegistryChange(0, [record]))


@pytest.mark.parametrize("lost", [False, True], ids=["rotated", "lost"])
def test_a_parent_re_enrolled_with_a_new_key_goes_on_and_so_do_its_children(lost: bool) -> None:
    """Records under the old key count as before, its registry feed passes to the new one, and new records count."""
    country = Country((1, 1, 4), besides=("c2",))
    country.case("c1", 1, supervised=True)
    country.run(6)
    registry = country.feed("p1", REGISTRY)
    _new_key(country, "p1", lost=lost)
    country.net.enrol("c2")
    country.run(6)
    country.case("c1", 2, supervised=True)
    country.case("c2", 1, supervised=True)
    country.settle()
    for holder in ("n", "p1", "c1", "c2", "c3"):
        assert country.held(holder, registry).enrolment == 2
        assert country[holder].core.registry.newest(country["p1"].id).version == 2
    assert len(country.rows("n", "c1")) == 2
    assert len(country.rows("n", "c2")) == 1
    under = [header.enrolment for header in country.headers("n", registry)]
    assert sorted(under) == under
    assert set(under) == {1, 2}
