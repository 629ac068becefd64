"""Of whom figures are expected, and when periods are due and closed."""

from __future__ import annotations

from datetime import UTC

import pytest

from sync.registry import Registry
from sync.wire.v1.entry_pb2 import ENROLMENT_STATUS_RETIRED
from tests.unit.tiers.kit import CATALOGUE
from tests.vectors.world import CITY, NATION, PROVINCE, record, registry
from tiers.deadlines import TIER_STEP_US, cut_off_us, due_us
from tiers.parts import children_of, height_of, parts_of
from tiers.periods import midnight_us, parse_period

CASES = CATALOGUE.datasets["case"]


def of_city(*said: tuple[str, bool]) -> Registry:
    """Further versions of the city: from when on, and whether it is enrolled."""
    made = registry()
    for version, (effective, enrolled) in enumerate(said, start=3):
        new = record(CITY, PROVINCE, "330100", version, effective=effective)
        if not enrolled:
            new.status = ENROLMENT_STATUS_RETIRED
        assert made.admit(PROVINCE, new)[0] == 0
    return made


@pytest.mark.parametrize(
    ("said", "day", "expected"),
    [
        ([], "2026-01-01", True),
        ([("2026-03-01", False)], "2026-02-28", True),
        ([("2026-03-01", False)], "2026-03-01", False),
        ([("2026-03-01", False), ("2026-05-01", True)], "2026-04-30", False),
        ([("2026-03-01", False), ("2026-05-01", True)], "2026-05-01", True),
    ],
)
def test_a_node_is_expected_while_it_was_in_force(said: list[tuple[str, bool]], day: str, expected: bool) -> None:
    """At the period's end, not now: a city that left in March still owes February."""
    made = of_city(*said)
    assert (CITY in {child.node for child in children_of(made, PROVINCE, day)}) is expected
    assert (made.in_force(CITY, day) is not None) is expected
    (province,) = [child for child in children_of(made, NATION, day) if child.node == PROVINCE]
    others = parts_of(registry(), province, day, CASES) - 1
    assert parts_of(made, province, day, CASES) == others + int(expected)
    assert (height_of(made, NATION, day), height_of(made, CITY, day)) == (2, 0)


def test_each_tier_closes_after_the_one_below() -> None:
    """So that what a city closed with is in when its province closes."""
    stat, day = CATALOGUE.datasets["case_stat"], parse_period("2026-03-02")
    assert due_us(stat, day, UTC) == midnight_us(parse_period("2026-03-04").first, UTC)
    assert cut_off_us(stat, day, UTC) == midnight_us(parse_period("2026-03-06").first, UTC)
    assert cut_off_us(stat, day, UTC, height=2) - cut_off_us(stat, day, UTC) == 2 * TIER_STEP_US
    with pytest.raises(KeyError):
        due_us(stat, parse_period("2026"), UTC)
