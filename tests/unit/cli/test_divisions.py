"""Division codes at the command line: looked up without a node, and remarked on where somebody types a region."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.divisions import remarks_on
from tests.unit.cli.conftest import Call, Country

TODAY = "2026-11-22"


def test_a_code_that_ended_is_shown_with_what_it_became(call: Call) -> None:
    shown = call("divisions", "show", "330104", "--at", "2021-12-31")

    assert shown.code == 0
    assert "stands for nothing on 2021-12-31" in shown.out
    assert "330102 上城区, 330114 钱塘区" in shown.out
    assert "江干区" in shown.out


def test_the_same_for_a_script(call: Call) -> None:
    told = call("divisions", "show", "330110", "--at", "2020-06-01", "--json").json

    assert told["division"] == {
        "code": "330110",
        "name": "余杭区",
        "level": 3,
        "valid_from": "2001-01-01",
        "valid_to": None,
    }
    assert told["above"]["name"] == "杭州市"
    assert told["administered_by"] == "330100"
    assert told["fate"] == "in_force"
    assert [d["code"] for d in told["became"]] == ["330110", "330113"]
    assert told["as_of"] == "2026-09-11"
    assert not told["year_of_change"]


def test_of_a_city_of_the_corps_it_is_said_who_administers_it(call: Call) -> None:
    shown = call("divisions", "show", "659012")

    assert "650000 新疆维吾尔自治区" in shown.out
    assert "660000 (a proposal)" in shown.out


def test_in_the_year_of_a_change_it_is_said_that_the_day_is_not_known(call: Call) -> None:
    assert "the day is not known" in call("divisions", "show", "350405", "--at", "2021-02-01").err
    assert "the day is not known" not in call("divisions", "show", "350405", "--at", "2022-02-01").err


def test_an_unreliable_time_is_called_so(call: Call) -> None:
    assert "not reliable" in call("divisions", "show", "430502", "--at", "1983-02-01").err


def test_what_stands_below_a_province_and_below_the_nation(call: Call) -> None:
    province = call("divisions", "list", "--under", "420000", "--at", TODAY, "--json").json["divisions"]
    nation = call("divisions", "list", "--at", TODAY)

    assert {"420100", "429021"} <= {d["code"] for d in province}
    assert "420102" not in {d["code"] for d in province}
    assert "330000" in nation.out
    assert "since" in nation.out


def test_a_city_without_counties_has_nothing_below_it(call: Call) -> None:
    assert call("divisions", "list", "--under", "441900").out.strip() == "none"


def test_changes_are_listed_with_the_names_of_their_time(call: Call) -> None:
    listed = call("divisions", "changes", "500157")
    told = call("divisions", "changes", "659012", "--json").json["changes"]

    assert "500105 江北区" in listed.out
    assert "was dissolved into" in listed.out
    assert told == [{"year": 2022, "kind": "founded", "old": "", "old_name": "", "new": "659012", "new_name": "白杨市"}]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("show", "999999"), 3, "E1013"),
        (("show", "3301"), 2, "six digits"),
        (("show", "33010\uff14"), 2, "six digits"),
        (("changes", "330199"), 3, "E1013"),
        (("list", "--under", "x"), 2, "six digits"),
        (("list", "--at", "2020-02-30"), 2, "is not a date"),
    ],
)
def test_what_is_no_code_or_no_date(call: Call, arguments: tuple[str, ...], code: int, words: str) -> None:
    called = call("divisions", *arguments)

    assert called.code == code
    assert words in called.err


def test_remarks_are_made_on_what_is_not_in_force_and_on_nothing_else() -> None:
    said = ["330104", "330103", "999999", "34990*", "33*", "330106", "660000", "100000", "*", "no pattern", "330104"]
    told = [str(text) for text in remarks_on([*said, "640103"], TODAY)]

    assert len(told) == 5
    assert any(t.startswith("330104") and "330102 上城区" in t for t in told)
    assert any(t.startswith("999999") for t in told)
    assert any(t.startswith("34990*") for t in told)
    assert any(t.startswith("640103") for t in told)
    assert sum(t.startswith("330104") for t in told) == 1


def test_an_invite_with_a_district_that_is_no_more_is_made_with_a_remark(country: Country, call: Call) -> None:
    wish = ("--profile", "city", "--title", "某市平台", "--region", "530100", "--dry-run")
    made = call("--home", country.home("nation"), "invite", "make", *wish, "--signing", "330104 330102 33010*-330199")

    assert made.code == 0, made.err
    assert made.err.count("330104 江干区 ended in 2021; now: 330102 上城区, 330114 钱塘区.") == 1
    assert "330102 上城区 ended" not in made.err


def test_a_list_of_invites_is_remarked_on_line_by_line(country: Country, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(
        "region,profile,title,signing\n530000,provincial,云南省平台,\n999900,city,某市平台,350427\n", "utf-8"
    )
    made = call("--home", country.home("nation"), "invite", "make", "--list", str(file), "--dry-run")

    assert made.code == 0, made.err
    assert "999900 is not among the division codes" in made.err
    assert "350427 沙县 ended in 2021; now: 350405 沙县区." in made.err
    assert "530000" not in made.err


def test_the_nation_takes_the_rows_that_are_exported_and_takes_them_once(
    country: Country, call: Call, tmp_path: Path
) -> None:
    file = tmp_path / "divisions.jsonl"
    file.write_text(call("divisions", "export").out, "utf-8")
    put = call("--home", country.home("nation"), "put", "admin_division", str(file), "--dry-run", "--json")

    assert put.code == 0, put.out[:2000]
    assert put.json["accepted"] == len(file.read_text("utf-8").splitlines())
    assert put.json["rejected"] == []


def test_doctor_says_how_old_the_codes_are(call: Call, tmp_path: Path) -> None:
    checks = call("--home", str(tmp_path), "doctor", "--json").json["checks"]
    found = {c["check"]: c["found"] for c in checks}

    assert found["division codes"] == "as of 2026-09-11"
