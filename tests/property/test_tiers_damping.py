"""Which grade is told: soon when it is bad, late when it is better, and never often."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from tiers.damping import (
    DAY_US,
    FAULTS,
    HOLD_US,
    LADDER,
    MINUTE_US,
    Count,
    Episode,
    Told,
    Watch,
    counts,
    step,
    watched,
)
from tiers.grades import PROPOSED, Grade
from tiers.maintenance import Maintenance, Window

CHANGES_MAX = 16
"""In any day, however a link flaps."""
STEADY_US = 7 * DAY_US
GRADES = st.sampled_from([one for one in Grade if one is not Grade.STEADY])
LOOKS = st.lists(st.tuples(st.integers(1, 90), GRADES), max_size=120)
FLAPPING = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from([Grade.DATA, *FAULTS, Grade.AWAY])), min_size=60, max_size=250
)


def run(looks: list[tuple[int, Grade]]) -> list[tuple[int, Grade, Watch]]:
    """(when, seen, afterwards) of each look, minutes apart."""
    now, watch, found = DAY_US, Watch(0), []
    for minutes, grade in looks:
        now += minutes * MINUTE_US
        watch = step(watch, grade, now, STEADY_US)
        found.append((now, grade, watch))
    return found


def told_in(found: list[tuple[int, Grade, Watch]]) -> list[Told]:
    return list(dict.fromkeys(watch.told for _, _, watch in found if watch.told is not None))


@given(FLAPPING | LOOKS.filter(lambda looks: not {Grade.LEFT, Grade.SUSPENDED} & {grade for _, grade in looks}))
def test_a_link_that_flaps_does_not_fill_the_books(looks: list[tuple[int, Grade]]) -> None:
    """In no day more than so many changes, and each is told of a grade that was seen."""
    told = told_in(run(looks))
    for place, one in enumerate(told):
        assert sum(other.since_us - one.since_us < DAY_US for other in told[place:]) <= CHANGES_MAX


@given(LOOKS)
def test_what_is_told_was_seen_at_that_moment(looks: list[tuple[int, Grade]]) -> None:
    """But steady, which is data for long enough; and a short absence tells nothing."""
    found = run(looks)
    seen = {now: grade for now, grade, _ in found}
    for one in told_in(found):
        assert one.grade is seen[one.since_us] or (one.grade is Grade.STEADY and seen[one.since_us] in LADDER)
        assert one.grade is not Grade.AWAY


@given(LOOKS)
def test_an_interruption_is_told_at_once(looks: list[tuple[int, Grade]]) -> None:
    """By whom who has watched long enough, unless it has left."""
    before: Watch | None = None
    for _, grade, watch in run(looks):
        if grade is Grade.INTERRUPTED:
            assert watch.told is not None
            assert watch.told.grade is Grade.INTERRUPTED
        assert before is None or before.told is None or watch.told is not None
        before = watch


@given(LOOKS)
def test_books_read_again_go_on_where_they_stood(looks: list[tuple[int, Grade]]) -> None:
    """After a start the same changes count, and nothing is told that was told."""
    found = run(looks)
    if not found or found[-1][2].told is None:
        return
    now, _, watch = found[-1]
    again = watched(now, told_in(found))
    assert again.told == watch.told
    assert {at for at in again.changed if now - at < DAY_US} == set(watch.changed)
    assert step(again, watch.told.grade, now, 10**18).told == watch.told


def test_steady_is_days_of_data_without_a_fault() -> None:
    """A fault begins them anew; afterwards data is told, once it has held."""
    watch = step(Watch(0), Grade.DATA, DAY_US, STEADY_US)
    assert step(watch, Grade.DATA, DAY_US + STEADY_US - 1, STEADY_US).told == Told(Grade.DATA, DAY_US)
    steady = step(watch, Grade.DATA, DAY_US + STEADY_US, STEADY_US)
    assert steady.told == Told(Grade.STEADY, DAY_US + STEADY_US)
    assert step(steady, Grade.DATA, DAY_US + STEADY_US + 5, STEADY_US).told == steady.told
    broken = step(steady, Grade.INTERRUPTED, 9 * DAY_US, STEADY_US)
    assert broken.told == Told(Grade.INTERRUPTED, 9 * DAY_US)
    seen = step(broken, Grade.DATA, 9 * DAY_US + HOLD_US, STEADY_US)
    assert seen.told == broken.told
    away = step(seen, Grade.AWAY, 9 * DAY_US + HOLD_US + 1, STEADY_US)
    once_more = step(away, Grade.DATA, 9 * DAY_US + 2 * HOLD_US, STEADY_US)
    assert once_more.told == broken.told
    assert step(once_more, Grade.DATA, 9 * DAY_US + 3 * HOLD_US, STEADY_US).told == Told(
        Grade.DATA, 9 * DAY_US + 3 * HOLD_US
    )


def test_who_was_off_itself_tells_of_no_silence() -> None:
    """After a start the neighbour has a quarter of an hour."""
    begun = watched(DAY_US, [Told(Grade.DATA, 5)])
    assert step(begun, Grade.INTERRUPTED, DAY_US + PROPOSED.silent_us - 1, STEADY_US).told == Told(Grade.DATA, 5)
    later = step(begun, Grade.INTERRUPTED, DAY_US + PROPOSED.silent_us, STEADY_US)
    assert later.told == Told(Grade.INTERRUPTED, DAY_US + PROPOSED.silent_us)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20), st.sampled_from([Grade.DATA, *FAULTS])), max_size=9))
def test_faults_of_a_month_add_up(told: list[tuple[int, int, Grade]]) -> None:
    """Two halves of a time hold the faults of the whole; one that reaches over the middle is in both."""
    episodes = [Episode("n", grade, since, since + length) for since, length, grade in told]
    whole, first, second = (counts(episodes, *span, 1_000) for span in ((0, 100), (0, 40), (40, 100)))
    for key, count in whole.items():
        one, other = first.get(key, Count()), second.get(key, Count())
        assert count.lasted_us == one.lasted_us + other.lasted_us
        assert count.times <= one.times + other.times
    assert sum(one.times for one in whole.values()) == sum(grade in FAULTS for _, _, grade in told)
    assert counts([Episode("n", Grade.LAGGING, 5)], 0, 100, 30) == {("n", Grade.LAGGING): Count(1, 25)}


@given(st.integers(0, 50), st.integers(0, 50))
def test_announced_maintenance_is_no_fault_s_time(first: int, second: int) -> None:
    """What was excused is not counted, whatever it is; that there was a fault is."""
    windows = Maintenance([Window("n", "n", min(first, second), max(first, second) + 1, -1)])
    excused = partial(_covered, windows)
    (count,) = counts([Episode("n", Grade.INTERRUPTED, 10, 40)], 0, 100, 100, excused).values()
    assert count == Count(1, sum(windows.in_force("n", at) is None for at in range(10, 40)))


def _covered(windows: Maintenance, node: str, since: int, until: int) -> int:
    return windows.covered_us((node,), since, until)
