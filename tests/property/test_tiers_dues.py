"""What is owed: each item stands in one place, and scores count what is due and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tiers.dues import Evidence, Standing, Why, judge, score

TIMES = st.integers(0, 100)
EVIDENCE = st.builds(Evidence, st.none() | TIMES, st.none() | st.booleans(), st.integers(0, 2), st.booleans())


@given(TIMES, TIMES, TIMES, EVIDENCE)
def test_an_item_stands_in_one_place(first: int, second: int, now: int, evidence: Evidence) -> None:
    """What came has no reason why not; what has not come has one, and is overdue from the moment it is due."""
    due, cut_off = sorted((first, second))
    standing, why = judge(due, cut_off, now, evidence)
    if evidence.arrived is None:
        assert standing is (Standing.OVERDUE if now >= due else Standing.WAITING)
        assert why is not Why.NONE
        assert (why is Why.LINK_DOWN) == (evidence.is_linked is False)
        if evidence.is_linked is not False:
            assert (why is Why.HELD_UP) == bool(evidence.held_up)
    else:
        assert why is Why.NONE
        assert (standing is Standing.ON_TIME) == (evidence.arrived < due)
        assert (standing is Standing.CORRECTION) == (evidence.arrived >= max(due, cut_off))


@given(TIMES, TIMES, TIMES, TIMES, EVIDENCE)
def test_time_alone_changes_only_waiting_to_overdue(
    due: int, cut_off: int, now: int, later: int, seen: Evidence
) -> None:
    """What has come stands where it stood."""
    cut_off, later = max(due, cut_off), now + later
    before, after = judge(due, cut_off, now, seen), judge(due, cut_off, later, seen)
    assert before == after or (before[0], after[0]) == (Standing.WAITING, Standing.OVERDUE)


@given(st.lists(st.sampled_from(Standing)), st.lists(st.sampled_from(Standing)))
def test_scores_add_up_and_never_pass_the_whole(some: list[Standing], others: list[Standing]) -> None:
    """In time is part of come, come is part of owed; nothing owed is no score, which is not zero."""
    one, other, both = score(some), score(others), score([*some, *others])
    assert both == tuple(a + b for a, b in zip(one, other, strict=True))
    assert 0 <= both.on_time <= both.arrived <= both.owed
    assert score([*some, Standing.WAITING]) == one
    assert (one.completeness is None) == (one.timeliness is None) == (one.owed == 0)
