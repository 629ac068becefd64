"""A city that merges into another: what the registry takes, and what becomes of its feeds (ADR 0015)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync.reasons import Reason
from sync.registry import Registry, Succession
from sync.scope import common_pattern
from sync.wire.v1.entry_pb2 import Closing, EnrolmentRecord
from tests.unit.sync.stage import CASE_FEED, begun
from tests.vectors.records import succeeded
from tests.vectors.world import CITY, OTHER_CITY, PROVINCE, record, registry

THIRD_CITY = f"c330300.{PROVINCE}"


def three() -> Registry:
    made = registry()
    assert made.admit(PROVINCE, record(THIRD_CITY, PROVINCE, "330300"))[0] is Reason.NONE
    return made


def test_what_passed_is_known_of_the_successor_and_of_its_successor() -> None:
    """Patterns are intersected along the line: what was not passed on stays with who had it."""
    made = three()
    assert made.inherited(OTHER_CITY) == ()
    assert made.admit(PROVINCE, succeeded(CITY, "330100", 3, (OTHER_CITY, "3301*")))[0] is Reason.NONE
    assert made.inherited(OTHER_CITY) == (Succession(CITY, ("3301*",)),)
    only = succeeded(OTHER_CITY, "330200", 2, (THIRD_CITY, "3302*,330106"))
    only.log_public_key = made.newest(OTHER_CITY).public_key  # type: ignore[union-attr]
    assert made.admit(PROVINCE, only)[0] is Reason.NONE
    assert made.inherited(THIRD_CITY) == (Succession(CITY, ("330106",)), Succession(OTHER_CITY, ("3302*", "330106")))
    assert made.heirs() == (OTHER_CITY, THIRD_CITY)


def test_a_city_divided_among_two_passes_each_its_part() -> None:
    """Said in two acts; what was said first is said again, and nothing comes back."""
    made = three()
    assert made.admit(PROVINCE, succeeded(CITY, "330100", 3, (OTHER_CITY, "330106")))[0] is Reason.NONE
    both = succeeded(CITY, "330100", 4, (OTHER_CITY, "330106"), (THIRD_CITY, "330108"))
    assert made.admit(PROVINCE, both)[0] is Reason.NONE
    assert made.inherited(THIRD_CITY) == (Succession(CITY, ("330108",)),)
    assert made.inherited(OTHER_CITY) == (Succession(CITY, ("330106",)),)
    back = succeeded(CITY, "330100", 5, (THIRD_CITY, "330108"))
    assert made.admit(PROVINCE, back)[0] is Reason.RULE_BROKEN
    twice = succeeded(CITY, "330100", 5, (OTHER_CITY, "330106"), (THIRD_CITY, "3301*"))
    assert made.admit(PROVINCE, twice)[0] is Reason.RULE_BROKEN, "a region in two hands"


def test_who_was_succeeded_never_lives_again_and_no_circle_closes() -> None:
    made = three()
    assert made.admit(PROVINCE, succeeded(CITY, "330100", 3, (OTHER_CITY, "3301*")))[0] is Reason.NONE
    assert made.admit(PROVINCE, record(CITY, PROVINCE, "330100", 4))[0] is Reason.RULE_BROKEN
    circle = succeeded(OTHER_CITY, "330200", 2, (CITY, "3302*"))
    circle.log_public_key = made.newest(OTHER_CITY).public_key  # type: ignore[union-attr]
    assert made.admit(PROVINCE, circle)[0] is Reason.RULE_BROKEN
    third = succeeded(THIRD_CITY, "330300", 2, (CITY, "3303*"))
    third.log_public_key = made.newest(THIRD_CITY).public_key  # type: ignore[union-attr]
    assert made.admit(PROVINCE, third)[0] is Reason.RULE_BROKEN, "name the last one of the line"


def test_its_feeds_count_up_to_where_they_are_closed_and_nothing_counts_under_its_last_version() -> None:
    stage, forge, city, _ = begun()
    closing = Closing(publication="case.parent", epoch=forge.epoch, seq=2)
    stage.enrol(succeeded_now(stage.core.registry, closing))
    assert not stage.core.feeds[CASE_FEED].frozen
    assert stage.core.registry.closed_at(CITY, 2, "case.parent", "") == (b"", 0)
    city.run(forge.run([forge.put()]))
    assert city.notices() == [Reason.ENROLMENT_CLOSED]
    assert stage.head(CASE_FEED) == 2
    assert len(stage.rows("case", CITY)) == 2
    assert stage.store.inherited(OTHER_CITY) == [(CITY, "3301*")]
    assert not stage.core.is_awaited(CITY), "a restored parent does not wait for who may never come"
    assert stage.core.is_awaited(OTHER_CITY)


def succeeded_now(made: Registry, *closings: Closing) -> EnrolmentRecord:
    said = succeeded(CITY, "330100", 2, (OTHER_CITY, "3301*"), closings=closings)
    said.log_public_key = made.newest(CITY).public_key  # type: ignore[union-attr]
    return said


_patterns = st.one_of(
    st.text("013", min_size=6, max_size=6), st.text("013", max_size=5).map(lambda prefix: prefix + "*")
)


@given(_patterns, _patterns, st.text("013", min_size=6, max_size=6))
def test_the_common_pattern_matches_what_both_match(one: str, other: str, code: str) -> None:
    def matches(pattern: str) -> bool:
        return code.startswith(pattern[:-1]) if pattern.endswith("*") else code == pattern

    common = common_pattern(one, other)
    assert (bool(common) and matches(common)) is (matches(one) and matches(other))
    assert common == common_pattern(other, one)
