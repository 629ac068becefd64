"""Tier profiles: names of nodes and default scopes."""

from __future__ import annotations

import pytest

from sync.errors import InputFault
from sync.reasons import Reason
from sync.scope import Scope
from sync.values import is_node_id
from tests.unit.tiers.kit import CITY, DISTRICT, MUNICIPALITY, NATION, PROVINCE
from tiers.profile import PROFILES, carrying_scope, node_id, profile_of, signing_scope, stands_below
from tiers.regions import XINJIANG, XPCC, XPCC_CITIES


def test_node_ids_spell_the_tree_without_the_nation() -> None:
    """A node id is its own label and what its parent lends; the nation's label stands in its own id only."""
    assert NATION == "n100000.cn-demo"
    assert PROVINCE == "p330000.cn-demo"
    assert MUNICIPALITY == "c310000.cn-demo"
    assert CITY == "c330100.p330000.cn-demo"
    assert DISTRICT == "d330106.c330100.p330000.cn-demo"
    assert all(map(is_node_id, (NATION, PROVINCE, MUNICIPALITY, CITY, DISTRICT)))


def test_a_profile_can_be_read_back_from_a_node_id() -> None:
    """The first label tells the profile; an id of another form tells none."""
    read = [profile_of(n) for n in (NATION, PROVINCE, CITY, DISTRICT)]
    assert [p.id for p in read if p] == ["national", "provincial", "city", "district"]
    assert profile_of("relay.example.cn") is None


IMPOSSIBLE = {
    "a province below a city": ("provincial", "330000", CITY, Reason.NOT_ENROLLED),
    "anything below a district": ("district", "330107", DISTRICT, Reason.NOT_ENROLLED),
    "a nation below a nation": ("national", "100000", NATION, Reason.NOT_ENROLLED),
    "a province with a city's code": ("provincial", "330100", NATION, Reason.OUT_OF_SCOPE),
    "a region that is no code": ("city", "3301", PROVINCE, Reason.OUT_OF_SCOPE),
    "a federation that is no DNS name": ("national", "100000", "CN demo", Reason.MALFORMED),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_a_node_that_cannot_be_has_no_id(case: str) -> None:
    """Each impossible node is told by its reason."""
    profile, region, above, reason = IMPOSSIBLE[case]
    with pytest.raises(InputFault) as told:
        node_id(PROFILES[profile], region, above)
    assert told.value.reason is reason


SCOPES = {
    "nation": ("national", "100000", Scope.of("100000"), Scope.of("*")),
    "province": ("provincial", "330000", Scope.of("330000"), Scope.of("33*")),
    "city": ("city", "330100", Scope.of("3301*"), Scope.of("3301*")),
    "municipality": ("city", "310000", Scope.of("31*"), Scope.of("31*")),
    "county-level city straight under a province": ("city", "419001", Scope.of("419001"), Scope.of("419001")),
    "district": ("district", "330106", Scope.of("330106"), Scope.of("330106")),
}


@pytest.mark.parametrize("case", SCOPES)
def test_default_scopes_follow_from_profile_and_region(case: str) -> None:
    """Each tier signs for its own and carries what stands below it."""
    profile, region, signing, carrying = SCOPES[case]
    assert signing_scope(PROFILES[profile], region) == signing
    assert carrying_scope(PROFILES[profile], region) == carrying


def test_neither_xinjiang_nor_the_corps_may_carry_the_other() -> None:
    """XPCC's cities lie inside Xinjiang's prefix, and each place lies in one of the two scopes only."""
    xinjiang = carrying_scope(PROFILES["provincial"], XINJIANG)
    corps = carrying_scope(PROFILES["provincial"], XPCC)
    for city in XPCC_CITIES:
        assert corps.covers(city)
        assert not xinjiang.covers(city)
    assert xinjiang.covers("650100")
    assert not corps.covers("650100")
    nation = carrying_scope(PROFILES["national"], "100000")
    assert nation.holds(xinjiang)
    assert nation.holds(corps)
    for city in XPCC_CITIES:
        assert corps.holds(signing_scope(PROFILES["city"], city))
        assert not xinjiang.holds(signing_scope(PROFILES["city"], city))


def test_a_scope_is_not_made_from_what_is_no_code() -> None:
    """A default scope needs a division code."""
    with pytest.raises(InputFault):
        signing_scope(PROFILES["city"], "33*")


def test_a_municipality_owns_as_a_city_and_as_a_province() -> None:
    """Straight below the nation a city node acts as province too; below a province it does not."""
    city = PROFILES["city"]
    assert set(city.tiers(NATION)) == {"city", "provincial"}
    assert set(city.tiers(PROVINCE)) == {"city"}
    assert set(PROFILES["district"].tiers(CITY)) == {"district", "city"}


def test_standing_below_is_told_by_ids() -> None:
    """Everyone stands below the nation; a city stands below its own province only; nobody below itself."""
    national, provincial = PROFILES["national"], PROFILES["provincial"]
    assert all(stands_below(n, NATION, national) for n in (PROVINCE, CITY, DISTRICT, MUNICIPALITY))
    assert stands_below(DISTRICT, PROVINCE, provincial)
    assert not stands_below(MUNICIPALITY, PROVINCE, provincial)
    assert not stands_below(PROVINCE, PROVINCE, provincial)
    assert not stands_below("c440100.p440000.cn-demo", PROVINCE, provincial)


def test_every_profile_says_who_may_stand_below_it() -> None:
    """Profiles name only profiles, one of them is the root, and nothing stands above the root."""
    assert [p.id for p in PROFILES.values() if p.is_root] == ["national"]
    for profile in PROFILES.values():
        assert set(profile.below) <= set(PROFILES)
        assert "national" not in profile.below
