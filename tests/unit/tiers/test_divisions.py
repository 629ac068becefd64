"""Division codes with their history: the events that administrators know, and what holds for every code."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.scope import Scope
from tiers.divisions import NATION_CODE, Change, Division, Divisions, Fate, Kind, level_of
from tiers.profile import PROFILES, signing_scope
from tiers.regions import XINJIANG, XPCC, XPCC_CITIES

TODAY = "2026-11-22"
CITIES_WITHOUT_COUNTIES = {"441900", "442000", "460400", "620200"}
"""东莞, 中山, 儋州, 嘉峪关."""
DIRECT_COUNTIES = {"41": 1, "42": 4, "46": 15, "65": 13}
"""Counties right below a province: 济源; 仙桃, 潜江, 天门, 神农架; those of Hainan; the cities of the corps."""


@cache
def _known() -> Divisions:
    folder = files("tiers") / "divisions"
    return Divisions.parse(*((folder / name).read_text("utf-8") for name in ("units.tsv", "changes.tsv")))


def _codes() -> list[str]:
    folder = files("tiers") / "divisions"
    lines = (folder / "units.tsv").read_text("utf-8").splitlines()[2:]
    return sorted({line[:6] for line in lines})


def _became(code: str, date: str, by: str = TODAY) -> list[str]:
    return [f"{d.code} {d.name}" for d in _known().became(code, date, by)]


# --- events -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "date", "name", "became"),
    [
        ("330104", "2020-06-01", "江干区", ["330102 上城区", "330114 钱塘区"]),
        ("330103", "2020-06-01", "下城区", ["330105 拱墅区"]),
        ("330110", "2020-06-01", "余杭区", ["330110 余杭区", "330113 临平区"]),
        ("350427", "2020-06-01", "沙县", ["350405 沙县区"]),
        ("540422", "2022-06-01", "米林县", ["540481 米林市"]),
        ("540530", "2022-06-01", "错那县", ["540581 错那市"]),
        ("500105", "2024-06-01", "江北区", ["500157 两江新区"]),
        ("500112", "2024-06-01", "渝北区", ["500157 两江新区"]),
        ("410322", "2020-06-01", "孟津县", ["410308 孟津区"]),
        ("410306", "2020-06-01", "吉利区", ["410308 孟津区"]),
        ("320800", "1999-06-01", "淮阴市", ["320800 淮安市"]),
    ],
)
def test_what_became_of_a_place(code: str, date: str, name: str, became: list[str]) -> None:
    found = _known().at(code, date)

    assert found is not None
    assert found.name == name
    assert _became(code, date) == became


@pytest.mark.parametrize(
    ("code", "name", "year"), [("659012", "白杨市", 2022), ("653229", "和安县", 2024), ("653228", "和康县", 2024)]
)
def test_what_was_founded_was_not_there_before(code: str, name: str, year: int) -> None:
    found = _known().at(code, f"{year}-12-31")

    assert found is not None
    assert found.name == name
    assert found.is_year_of_change(f"{year}-12-31")
    assert _known().at(code, f"{year - 1}-12-31") is None
    assert _known().fate(code, f"{year - 1}-12-31") is Fate.LATER
    assert _known().changes(code) == (Change(f"{year}-01-01", Kind.FOUNDED, "", code),)


def test_two_districts_that_merged_have_one_end_and_the_new_one_did_not_exist() -> None:
    change = _known().changes("500157")

    assert {(c.old, c.kind) for c in change} == {("500105", Kind.DISSOLVED), ("500112", Kind.DISSOLVED)}
    assert _known().at("500157", "2024-12-31") is None
    assert _known().fate("500105", TODAY) is Fate.ENDED


def test_a_code_that_was_used_again_names_another_place() -> None:
    """浈江 and 武江 of 韶关 changed codes in 2003: the code alone says nothing."""
    names = [d.name for date in ("2002-06-01", "2004-06-01") if (d := _known().at("440203", date))]

    assert names == ["浈江区", "武江区"]
    assert _became("440203", "2002-06-01") == ["440204 浈江区"]
    assert _became("440203", "2004-06-01") == ["440203 武江区"]


def test_a_code_that_lay_idle_was_given_to_another_place() -> None:
    """419001 was 义马市 until 1995, and is 济源市 since 1997."""
    assert _became("419001", "1990-06-01") == ["411281 义马市"]
    assert _known().at("419001", "1996-06-01") is None
    assert _became("419001", "1998-06-01") == ["419001 济源市"]


def test_what_ended_without_a_word_became_nothing_that_is_known() -> None:
    assert _became("640103", "2001-06-01") == []
    assert _known().changes("640103")[-1].kind is Kind.ENDED


def test_a_chain_is_followed_only_as_far_as_was_asked() -> None:
    """江津县 became a city, got other codes, came to another province, and became a district."""
    assert _became("510225", "1990-06-01", "1993-06-01") == ["519007 江津市"]
    assert _became("510225", "1990-06-01") == ["500116 江津区"]


# --- places with a nature of their own --------------------------------------------------------------------------------


def test_today_there_are_so_many_units() -> None:
    levels = [d.level for d in _known().in_force(TODAY)]

    assert [levels.count(level) for level in (1, 2, 3)] == [34, 333, 2847]
    assert len(_known().children(NATION_CODE, TODAY)) == 34


def test_municipalities_have_counties_and_no_prefectures() -> None:
    counts = {code: _known().children(code, TODAY) for code in ("110000", "120000", "310000", "500000")}

    assert [len(found) for found in counts.values()] == [16, 16, 16, 37]
    assert {d.level for found in counts.values() for d in found} == {3}


def test_counties_right_below_a_province_are_these() -> None:
    found = {}
    for province in _known().children(NATION_CODE, TODAY):
        below = _known().children(province.code, TODAY)
        if any(d.level == 2 for d in below):
            found[province.code[:2]] = sum(d.level == 3 for d in below)

    assert {code: count for code, count in found.items() if count} == DIRECT_COUNTIES
    assert (above := _known().parent("429021", TODAY)) is not None
    assert above.name == "湖北省"


def test_cities_without_counties_are_these() -> None:
    empty = {d.code for d in _known().in_force(TODAY) if d.level == 2 and not _known().children(d.code, TODAY)}

    assert empty == CITIES_WITHOUT_COUNTIES


def test_the_cities_of_the_corps_lie_in_xinjiang_by_their_digits_and_are_administered_by_the_corps() -> None:
    cities = [d.code for d in _known().children(XPCC, TODAY)]

    assert list(XPCC_CITIES) == cities
    for code in cities:
        assert (above := _known().parent(code, TODAY)) is not None
        assert above.code == XINJIANG
        assert _known().keeper(code, TODAY) == XPCC
    assert _known().keeper("653229", TODAY) == "653200"


def test_neither_xinjiang_nor_the_corps_has_the_other_in_its_scope() -> None:
    xinjiang, corps = (
        Scope.of("65*", leaving_out=("6590*",)),
        signing_scope(PROFILES["provincial"], XPCC),
    )

    assert _known().lies_in(xinjiang, "653229", TODAY)
    assert not _known().lies_in(xinjiang, "659001", TODAY)
    assert not _known().lies_in(corps, "653229", TODAY)


def test_a_prefix_covers_what_was_in_force_and_nothing_else() -> None:
    hangzhou = Scope.of("3301*")

    assert _known().lies_in(hangzhou, "330104", "2020-12-31")
    assert not _known().lies_in(hangzhou, "330104", TODAY)
    assert not _known().lies_in(hangzhou, "330199", TODAY)
    assert "330113" in [d.code for d in _known().codes_of("3301*", TODAY)]
    assert "330113" not in [d.code for d in _known().codes_of("3301*", "2020-12-31")]
    assert [d.name for d in _known().codes_of("330104", "2020-12-31")] == ["江干区"]
    assert _known().codes_of("330104", TODAY) == []


def test_the_nation_the_corps_and_no_code_at_all() -> None:
    assert _known().fate(NATION_CODE, TODAY) is Fate.IN_FORCE
    assert _known().fate(XPCC, TODAY) is Fate.IN_FORCE
    assert _known().fate("999999", TODAY) is Fate.UNKNOWN
    assert _known().parent(NATION_CODE, TODAY) is None
    assert _known().keeper("999999", TODAY) == ""
    assert _known().became("999999", "2020-01-01", TODAY) == ()
    assert _known().spans("999999") == ()


# --- what holds for all -----------------------------------------------------------------------------------------------


def test_spans_end_after_they_began_and_do_not_overlap() -> None:
    for code in _codes():
        spans = _known().spans(code)
        for span in spans:
            assert not span.until or span.since < span.until, span
        for before, after in pairwise(spans):
            assert before.until, code
            assert before.until <= after.since, code


def test_every_change_leads_from_what_was_to_what_is() -> None:
    for code in _codes():
        for change in _known().changes(code):
            assert change.kind is Kind.FOUNDED or _known().was(change.old, change.date) is not None, change
            assert change.kind is Kind.ENDED or _known().at(change.new, change.date) is not None, change
            assert (change.old == change.new) == (change.kind is Kind.RENAMED), change


def test_no_place_is_followed_into_another_province_but_when_a_province_was_split() -> None:
    """The source follows some by name alone, such as a 郊区 to one 2,000 km away."""
    provinces = {(c.old[:2], c.new[:2]) for code in _codes() for c in _known().changes(code) if c.old and c.new}

    assert {(old, new) for old, new in provinces if old != new} == {("44", "46"), ("51", "50")}


def test_whatever_was_in_force_had_something_above_it() -> None:
    """In each year of its life; there are no exceptions, but provinces, which have the nation."""
    for year in range(1980, 2027):
        date = f"{year}-06-30"
        for found in _known().in_force(date):
            above = _known().parent(found.code, date)
            assert above is not None, (found, date)
            assert above.level < found.level


@given(st.sampled_from(_codes()), st.integers(1980, 2026), st.integers(0, 46))
def test_following_what_became_ends_in_what_is_in_force(code: str, year: int, later: int) -> None:
    date, by = f"{year}-06-30", f"{year + later}-06-30"
    stood = _known().at(code, date)
    found = _known().became(code, date, by)

    assert all(d.holds(by) for d in found)
    assert stood is not None or not found
    if stood is not None and stood.holds(by):
        assert stood in found


@given(st.sampled_from(_codes()), st.integers(1980, 2024), st.integers(1, 20), st.integers(1, 20))
def test_going_in_two_steps_arrives_where_one_step_does(code: str, year: int, first: int, second: int) -> None:
    start, middle, end = (f"{y}-06-30" for y in (year, year + first, year + first + second))
    steps = {d for one in _known().became(code, start, middle) for d in _known().became(one.code, middle, end)}

    assert steps == set(_known().became(code, start, end))


@given(st.sampled_from(_codes()), st.integers(1980, 2026))
def test_what_is_above_has_it_below(code: str, year: int) -> None:
    date = f"{year}-06-30"
    found, above = _known().at(code, date), _known().parent(code, date)

    if found is not None and above is not None:
        assert found in _known().children(above.code, date)


def test_the_level_is_in_the_digits() -> None:
    assert [level_of(code) for code in ("330000", "330100", "330106", "419001")] == [1, 2, 3, 3]
    assert Division(NATION_CODE, "").level == 0


@pytest.mark.parametrize("units", ["# x as of 2026-01-01\nh\n330000\tA\t20x1", "# x\nh\n330000\tA\t21"])
def test_a_year_that_is_none_is_refused(units: str) -> None:
    with pytest.raises(ValueError, match="is not a year"):
        Divisions.parse(units, "# x\nh\n")
