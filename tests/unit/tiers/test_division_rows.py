"""The rows of admin_division that the built-in division codes give."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import pytest

from tiers.division_rows import RELIABLE_SINCE, rows, unit_type
from tiers.divisions import Division, Divisions


@cache
def _rows() -> list[dict[str, str]]:
    folder = files("tiers") / "divisions"
    known = Divisions.parse(*((folder / name).read_text("utf-8") for name in ("units.tsv", "changes.tsv")))
    return list(rows(known, "2026-11-22"))


def test_a_district_that_was_dissolved_names_who_took_over() -> None:
    found = [row for row in _rows() if row["code"] == "330104"]

    assert found == [
        {
            "code": "330104",
            "valid_from": "1980-12-31",
            "valid_to": "2020-12-31",
            "name": "江干区",
            "level": "county",
            "unit_type": "district",
            "parent_code": "330100",
            "successor_codes": "330102,330114",
        }
    ]


def test_a_city_of_the_corps_names_who_administers_it_and_a_province_nothing_above() -> None:
    by_code = {row["code"]: row for row in _rows() if "valid_to" not in row}

    assert (by_code["659001"]["parent_code"], by_code["659001"]["administering_code"]) == ("650000", "660000")
    assert "administering_code" not in by_code["653229"]
    assert "parent_code" not in by_code["330000"]
    assert by_code["429021"]["parent_code"] == "420000"


def test_every_row_has_a_key_of_its_own_and_ends_no_earlier_than_it_begins() -> None:
    keys = {(row["code"], row["valid_from"]) for row in _rows()}

    assert len(keys) == len(_rows())
    for row in _rows():
        assert "valid_to" not in row or row["valid_from"] <= row["valid_to"], row
        assert row.get("valid_to", RELIABLE_SINCE) >= "1984-12-31"


@pytest.mark.parametrize(
    ("code", "name", "kind"),
    [
        ("650000", "新疆维吾尔自治区", "autonomous_region"),
        ("310000", "上海市", "municipality"),
        ("330100", "杭州市", "prefecture_city"),
        ("152500", "锡林郭勒盟", "league"),
        ("653200", "和田地区", "prefecture"),
        ("532300", "楚雄彝族自治州", "autonomous_prefecture"),
        ("429021", "神农架林区", "forest_district"),
        ("520203", "六枝特区", "special_district"),
        ("150724", "鄂温克族自治旗", "autonomous_banner"),
        ("330106", "西湖区", "district"),
        ("419001", "济源市", "county_city"),
    ],
)
def test_the_kind_of_unit_follows_from_the_name(code: str, name: str, kind: str) -> None:
    assert unit_type(Division(code, name)) == kind
