"""How tests/tools/divisions.py makes spans of codes out of the codes of today and the changes of each year."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tools.divisions import Change, Span, mended, read_change, unwound


def _event(year: int, sort: str, old: tuple[str, str] | None, new: tuple[str, str] | None, **more: Any) -> Change:
    sides = {
        side: {"code": f"{place[0]}000000", "name": place[1]} if place else {"code": None, "name": None}
        for side, place in (("old", old), ("new", new))
    }
    return read_change({"year": year, "type": sort, "curated": False, **sides, **more})


def test_a_county_that_became_a_district_and_was_renamed() -> None:
    changes = [
        _event(1990, "撤县设区", ("330121", "萧县"), ("330109", "萧区")),
        _event(2000, "更名", ("330109", "萧区"), ("330109", "山区")),
    ]
    spans, held = unwound({"330109": "山区"}, changes)

    assert spans == [
        Span("330109", "萧区", 1990, 2000),
        Span("330109", "山区", 2000, 0),
        Span("330121", "萧县", 0, 1990),
    ]
    assert [(c.year, c.kind) for c in held] == [(1990, "converted"), (2000, "renamed")]


def test_places_that_changed_codes_with_each_other_are_followed_by_name() -> None:
    changes = [
        _event(2003, "码位改派", ("440203", "甲区"), ("440203", "乙区")),
        _event(2003, "码位改派", ("440204", "乙区"), ("440204", "甲区")),
    ]
    spans, held = unwound({"440203": "乙区", "440204": "甲区"}, changes)

    assert Span("440203", "甲区", 0, 2003) in spans
    assert {(c.kind, c.old, c.new) for c in held} == {("recoded", "440203", "440204"), ("recoded", "440204", "440203")}


def test_a_reassignment_that_nothing_supports_was_a_renaming() -> None:
    changes = [_event(1987, "码位改派", ("440111", "郊区"), ("440111", "白云区"))]
    _spans, held = unwound({"440111": "白云区"}, changes)

    assert [c.kind for c in held] == ["renamed"]


def test_who_took_over_another_existed_before_and_goes_on() -> None:
    changes = [_event(2021, "撤销", ("330103", "下区"), ("330105", "墅区"), note="...")]
    spans, held = unwound({"330105": "墅区"}, changes)

    assert spans == [Span("330103", "下区", 0, 2021), Span("330105", "墅区", 0, 0)]
    assert [(c.kind, c.new) for c in held] == [("dissolved", "330105")]


def test_a_place_is_not_followed_to_another_province_by_its_name() -> None:
    changes = [_event(1988, "同名改码", ("130504", "郊区"), ("441611", "郊区"))]
    spans, held = unwound({"441611": "郊区"}, changes)

    assert Span("130504", "郊区", 0, 1988) in spans
    assert held == []


def test_what_is_to_be_dropped_must_be_there() -> None:
    with pytest.raises(ValueError, match="not in the source"):
        mended([], {"drop": [{"year": 2021, "old": "330110", "new": "330110"}], "add": []})
