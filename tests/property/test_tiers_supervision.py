"""What is supervised by itself: of each cadence the one period that is overdue by whole cycles, once, and patiently."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tiers.kit import CATALOGUE
from tiers.deadlines import due_us
from tiers.supervision import PATIENCE_US, Patience, Supervised, case_task, data_task, is_wanted, overdue_by

ZONE = ZoneInfo("Asia/Shanghai")
DATASET = CATALOGUE.datasets["case_stat"]
NOW = st.integers(1_700_000_000, 1_900_000_000).map(lambda s: s * 1_000_000)
TIMES = st.integers(0, 100)


@given(NOW, st.integers(1, 12))
def test_the_newest_period_is_found_that_is_overdue_by_so_many_cycles(now: int, cycles: int) -> None:
    """As many periods after it are due as well, and of the next one not so many."""
    found = overdue_by(DATASET, cycles, now, ZONE)
    assert [one.cadence for one in found] == list(DATASET.deadlines)
    for one in found:
        later = one
        for _ in range(cycles):
            later = later.after()
        assert due_us(DATASET, later, ZONE) <= now < due_us(DATASET, later.after(), ZONE)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=20))
def test_one_supervision_at_a_time_and_none_twice(days: list[tuple[int, int]]) -> None:
    """Two about the same are never open, and the next begins only with what became due since the last one ended."""
    begun: list[Supervised] = []
    for number, (day, length) in enumerate(days):
        due = number * 10 + 1
        period = f"2026-03-{day + 1:02}"
        if is_wanted("case_stat", period, "c", due, begun):
            assert all(one.ended_us and one.ended_us < due for one in begun)
            assert period not in [one.period for one in begun]
            begun.append(Supervised("case_stat", period, "c"))
        elif begun and not begun[-1].ended_us and length == 0:
            begun[-1] = begun[-1]._replace(ended_us=number * 10 + 5)
        assert sum(not one.ended_us for one in begun) <= 1


def test_another_node_dataset_or_cadence_is_another_matter() -> None:
    begun = [Supervised("case_stat", "2026-03-02", "c")]
    assert not is_wanted("case_stat", "2026-03-05", "c", 1, begun)
    assert is_wanted("case_stat", "2026-03", "c", 1, begun)
    assert is_wanted("case_stat", "2026-03-05", "d", 1, begun)
    assert is_wanted("component_stat", "2026-03", "c", 1, begun)


@given(st.lists(st.tuples(st.integers(0, 2 * PATIENCE_US), st.sets(st.sampled_from("abc"))), max_size=12))
def test_what_is_missing_lasts_only_without_a_break(looks: list[tuple[int, set[str]]]) -> None:
    """It lasts from the first look that saw it missing; a look at which it was there begins anew."""
    patience, now, since = Patience(), 0, dict[str, int]()
    for pause, missing in looks:
        now += pause
        since = {one: since.get(one, now) for one in missing}
        assert patience.lasting(missing, now) == {one for one in missing if now - since[one] >= PATIENCE_US}


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5), st.integers(0, 5)), unique=True, max_size=6))
def test_ids_follow_from_their_cause(causes: list[tuple[str, str, int]]) -> None:
    """The same again for the same, and another for anything else."""
    ids = [case_task("p", origin, case, deadline) for origin, case, deadline in causes]
    assert ids == [case_task("p", *cause) for cause in causes]
    assert len({*ids, data_task("p", "a", "b", "c")}) == len(causes) + 1
