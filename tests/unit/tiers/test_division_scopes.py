"""Old division codes at the door: who may write a record of a code depends on the record's date (traps 2 to 5)."""

from __future__ import annotations

import datetime as dt
from functools import cache

import pytest

from node.divisions import divisions
from sync.reasons import Reason
from sync.scope import Scope, ScopeItem
from tests.unit.tiers.kit import CATALOGUE, NOTHING_KNOWN, a_case
from tiers.division_scopes import SINCE, dated_scope
from tiers.divisions import Change, Division, Divisions, Kind
from tiers.door import Door
from tiers.profile import PROFILES, Standing, carrying_scope, node_id, signing_scope
from tiers.regions import XINJIANG, XPCC

TODAY = "2026-11-22"


@cache
def door(region: str) -> Door:
    """The door of a city as it is invited today."""
    profile = PROFILES["city"]
    above = "cn-demo" if region in ("110000", "310000", "500000") else f"p{region[:2]}0000.cn-demo"
    scope = dated_scope(divisions(), signing_scope(profile, region), TODAY)
    parent = "n100000.cn-demo" if above == "cn-demo" else above
    node = node_id(profile, region, parent)
    return Door(CATALOGUE, Standing(node, profile, region, parent, "n100000.cn-demo", scope))


def comes_in(region: str, division: str, day: str) -> bool:
    at = (dt.date.fromisoformat(day) - dt.date(1970, 1, 1)).days * 86_400_000_000
    rows = [a_case(1, division=division, reported_at=at)]
    rejects = door(region).check_local_rows("case", rows, NOTHING_KNOWN).rejects
    assert all(r.reason is Reason.OUT_OF_SCOPE for r in rejects)
    return not rejects


DOORS = {
    "renamed under its code: 楚州区 became 淮安区": [
        ("320800", "320803", "2010-05-01", True),
        ("320800", "320803", TODAY, True),
    ],
    "re-coded in its city: 沙县": [("350400", "350427", "2020-05-01", True), ("350400", "350405", TODAY, True)],
    "merged in its city: 江干区 went to 上城区": [
        ("330100", "330104", "2020-05-01", True),
        ("330100", "330102", TODAY, True),
    ],
    "came from a city that is gone: 莱芜 went to 济南": [
        ("370100", "371202", "2017-05-01", True),
        ("370100", "371202", "2018-12-31", True),
        ("370100", "371202", "2019-01-01", False),
        ("370100", "370116", TODAY, True),
    ],
    "of a city that was divided among three: 巢湖": [
        ("340100", "341402", "2010-05-01", True),
        ("340100", "341422", "2010-05-01", False),
        ("340200", "341422", "2010-05-01", True),
        ("340500", "341424", "2010-05-01", True),
        ("340500", "341424", TODAY, False),
    ],
    "went to another city: 简阳 from 资阳 to 成都": [
        ("510100", "512081", "2015-05-01", True),
        ("510100", "512081", TODAY, False),
        ("512000", "512081", "2015-05-01", False),
        ("512000", "512002", TODAY, True),
    ],
    "a county became a city of the prefecture level: 儋州": [
        ("460400", "469003", "2014-05-01", True),
        ("460400", "469003", TODAY, False),
        ("460400", "460400", TODAY, True),
    ],
    "a prefecture became a city: 昌都": [("540300", "542121", "2013-05-01", True), ("540300", "540302", TODAY, True)],
    "re-coded across prefectures: 米泉 went to 乌鲁木齐": [
        ("650100", "652303", "2006-05-01", True),
        ("652300", "652303", "2006-05-01", False),
    ],
    "a municipality: 崇明县 became 崇明区": [
        ("310000", "310230", "2015-05-01", True),
        ("310000", "310151", TODAY, True),
    ],
    "a municipality's merged districts: 江北 and 渝北": [
        ("500000", "500105", "2024-05-01", True),
        ("500000", "500157", TODAY, True),
        ("500000", "510100", TODAY, False),
    ],
    "a code given to another place of one city: 万盛区, then 綦江区": [
        ("500000", "500110", "2010-05-01", True),
        ("500000", "500110", TODAY, True),
        ("500000", "500222", "2010-05-01", True),
    ],
    "a county straight under a province: 济源": [
        ("419001", "419001", TODAY, True),
        ("419001", "410100", TODAY, False),
        ("429004", "429004", TODAY, True),
        ("429004", "429005", TODAY, False),
    ],
    "a city without counties: 东莞, 中山, 嘉峪关": [
        ("441900", "441900", TODAY, True),
        ("442000", "442000", TODAY, True),
        ("620200", "620200", TODAY, True),
        ("441900", "442000", TODAY, False),
    ],
    "a city of the corps inside Xinjiang's prefix": [
        ("659001", "659001", TODAY, True),
        ("659001", "659013", TODAY, False),
        ("659001", "650100", TODAY, False),
        ("650100", "659001", TODAY, False),
    ],
}


@pytest.mark.parametrize("case", DOORS)
def test_the_date_of_a_record_decides_whose_its_code_is(case: str) -> None:
    for region, division, day, good in DOORS[case]:
        assert comes_in(region, division, day) is good, (region, division, day)


@cache
def city_scopes() -> dict[str, Scope]:
    """Of every city that may be invited today."""
    known, made = divisions(), {}
    for one in known.in_force(TODAY):
        direct = one.level == 3 and known.parent(one.code, TODAY) == known.at(f"{one.code[:2]}0000", TODAY)
        municipal = one.level == 1 and one.code[:2] in ("11", "12", "31", "50")
        if one.level == 2 or municipal or (direct and one.code[:2] not in ("11", "12", "31", "50")):
            made[one.code] = dated_scope(known, signing_scope(PROFILES["city"], one.code), TODAY)
    return made


def test_no_place_is_ever_in_two_hands() -> None:
    """Every county code that held since 2005, in every year: the default scopes of at most one city cover it; and where
    the data knows what became of it, within one city, exactly that city's does."""
    known, scopes = divisions(), city_scopes()
    assert len(scopes) > 360
    of_province: dict[str, set[str]] = {}
    for code, scope in scopes.items():
        for item in scope.items:
            of_province.setdefault(item.region[:2], set()).add(code)
    for code in known.codes():
        for span in known.spans(code):
            if span.level != 3 or (span.until and span.until <= SINCE):
                continue
            day = f"{int(span.until[:4]) - 1 if span.until else 2026}-06-30"
            found = {c for c in of_province.get(code[:2], ()) if scopes[c].covers(code, day)}
            assert len(found) <= 1, (code, day, found)
            became = known.became(code, day, TODAY)
            now = {c for d in became for c in of_province[d.code[:2]] if scopes[c].covers(d.code, TODAY)}
            if len(now) == 1:
                assert found == now, (code, day, found, now)


def test_what_a_province_and_the_nation_carry_holds_every_city_of_theirs() -> None:
    known = divisions()
    for code, scope in city_scopes().items():
        above = XPCC if code.startswith("6590") else f"{code[:2]}0000"
        if code in ("110000", "120000", "310000", "500000"):
            assert carrying_scope(PROFILES["national"], "100000").holds(scope)
        else:
            province = dated_scope(known, carrying_scope(PROFILES["provincial"], above), TODAY)
            assert province.holds(scope), code
    everything = carrying_scope(PROFILES["national"], "100000")
    assert dated_scope(known, everything, TODAY) == everything
    xinjiang = dated_scope(known, carrying_scope(PROFILES["provincial"], XINJIANG), TODAY)
    assert not xinjiang.covers("659013", TODAY)


def test_a_code_given_to_a_place_of_another_city_is_its_from_then_on() -> None:
    """No such code is in the data since 2005, and the rule must hold when one comes."""
    spans = [
        Division("010100", "甲市"),
        Division("010200", "乙市"),
        Division("010103", "旧区", "", "2020-01-01"),
        Division("010103", "新区", "2020-01-01"),
        Division("010203", "旧区", "2020-01-01"),
    ]
    known = Divisions(TODAY, spans, [Change("2020-01-01", Kind.RECODED, "010103", "010203")])
    first, second = (dated_scope(known, Scope.of(pattern), TODAY) for pattern in ("0101*", "0102*"))
    assert first.items[1:] == (ScopeItem("010103", since="2020-01-01"),)
    assert not first.covers("010103", "2019-06-30")
    assert first.covers("010103", "2020-06-30")
    assert second.covers("010103", "2019-06-30")
    assert not second.covers("010103", "2021-06-30")
