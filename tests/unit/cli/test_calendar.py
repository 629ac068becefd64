"""The working calendar at the command line: looked at, reckoned with by hand, and set for a region."""

from __future__ import annotations

from typing import Any

from tests.unit.cli.conftest import Call, Country


def days(call: Call, home: str, *more: str) -> dict[str, Any]:
    found = call("--home", home, "calendar", "show", *more, "--json").json
    return {one["day"]: one for one in found["days"]} | {"complete": found["complete"]}


def test_a_month_shows_each_day_and_who_says_so(call: Call, country: Country) -> None:
    city = country.home("city")
    october = days(call, city, "--month", "2026-10")
    assert len(october) == 32
    assert [october[f"2026-10-{day:02}"]["kind"] for day in (1, 7, 8, 10, 11)] == [
        *("holiday", "holiday", "working", "working", "rest"),
    ]
    assert october["2026-10-10"]["source"] == "published"
    assert october["2026-10-08"]["hours"] == ["08:00-12:00", "14:00-18:00"]
    assert october["complete"] == {"2026": True}
    assert "国庆节" in call("--home", city, "--lang", "zh", "calendar", "show", "--month", "2026-10").out
    assert "National Day" in call("--home", city, "--lang", "en", "calendar", "show", "--year", "2026").out
    assert call("--home", city, "calendar", "show").code == 0


def test_a_limit_is_reckoned_by_hand(call: Call, country: Country) -> None:
    city = country.home("city")
    ask = ("--home", city, "calendar", "due", "--from", "2026-09-29T16:00", "--limit")
    found = call(*ask, "3 工作日", "--json").json
    assert (found["due"], found["provisional"]) == ("2026-10-09T10:00:00.000000Z", False)
    assert found["limit"] == "3 work_day"
    assert found["warn"] < found["due"]
    stood = call(*ask, "3 工作日", "--suspended", "2026-10-08T10:00..2026-10-09T15:00", "--json").json
    assert stood["due"] == "2026-10-12T10:00:00.000000Z"
    assert "2026-10-09 18:00:00" in call(*ask, "3 work_day").out
    later = call("--home", city, "--lang", "en", "calendar", "due", "--from", "2029-03-01T09:00", "--limit", "1 工作日")
    assert "2029-03-02 18:00:00" in later.out
    assert "may still move" in later.err


def test_a_nation_s_list_goes_down_and_makes_its_year_certain(call: Call, country: Country) -> None:
    """And a city's own row counts before it, at that city alone."""
    nation, city = country.home("nation"), country.home("city")
    said = ("--name-zh", "春节", "--name-en", "Spring Festival", "--document", "通知", "--whole-year")
    spring = ("calendar", "set", "2031-01-22..2031-01-29", "holiday", *said)
    dry = call("--home", nation, *spring, "--dry-run", "--json").json
    assert (dry["accepted"], dry["dry_run"]) == (8, True)
    assert days(call, nation, "--year", "2031")["complete"] == {"2031": False}
    assert call("--home", nation, *spring).code == 0
    assert call("--home", nation, "calendar", "set", "2031-01-19", "working", *said[:2], "--whole-year").code == 0
    assert call("--home", city, "calendar", "set", "2031-01-30", "holiday").code == 0
    country.level()
    january = days(call, city, "--month", "2031-01")
    assert january["complete"] == {"2031": True}
    assert {one["kind"] for day, one in january.items() if "2031-01-22" <= day <= "2031-01-30"} == {"holiday"}
    at = january["2031-01-22"]
    assert (at["name"], at["source"], at["division"], at["document"]) == ("春节", "table", "100000", "通知")
    assert (january["2031-01-19"]["kind"], january["2031-01-31"]["provisional"]) == ("working", False)
    limit = ("calendar", "due", "--from", "2031-01-21T09:00", "--limit", "1 工作日", "--json")
    assert call("--home", city, *limit).json["due"] == "2031-01-31T10:00:00.000000Z"
    assert call("--home", nation, *limit).json["due"] == "2031-01-30T10:00:00.000000Z"
    assert call("--home", nation, *limit, "--region", "310000").json["due"] == "2031-01-31T10:00:00.000000Z"
    year = call("--home", city, "--lang", "zh", "calendar", "show", "--year", "2031").out
    assert "工作日历表 310000" in year
    assert "2031-01-31" not in year


def test_what_cannot_be_is_refused_with_what_to_do(call: Call, country: Country) -> None:
    city = country.home("city")
    due = ("--home", city, "calendar", "due")
    assert "not a limit" in call(*due, "--from", "2026-09-29T16:00", "--limit", "3 weeks").err
    assert "not a day and time" in call(*due, "--from", "today", "--limit", "3 工作日").err
    assert "not a day and time" in call(*due, "--from", "2026-09-29", "--limit", "3 工作日", "--suspended", "x").err
    assert "no end" in call(*due, "--from", "9999-12-30", "--limit", "9 工作日").err
    assert "division code" in call(*due, "--from", "2026-09-29", "--limit", "1 工作日", "--region", "31").err
    assert "month" in call("--home", city, "calendar", "show", "--month", "October").err
    turned = call("--home", city, "calendar", "set", "2031-02-02..2031-02-01", "rest")
    assert "span of 1 to" in turned.err
    assert call("--home", city, "calendar", "set", "2031-02-01", "fest").code != 0
    assert call("--home", city, "calendar", "set", "2031-02-01", "rest", "--region", "330000").code == 3
