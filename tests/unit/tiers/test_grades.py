"""The grade of a node: a table of what is known and what is said of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiers.grades import PROPOSED, Evidence, Grade, grade_of

GOOD = Evidence(enrolled=True, greeted=True, linked=True, silent_us=1_000_000, batch=True)
LONG = PROPOSED.silent_us + 1
LATE = PROPOSED.lag_us + 1


@pytest.mark.parametrize(
    ("known", "grade"),
    [
        (Evidence(enrolled=True), Grade.UNCONNECTED),
        (Evidence(enrolled=True, greeted=True), Grade.NETWORK),
        (Evidence(enrolled=True, batch=True), Grade.AWAY),
        (Evidence(enrolled=True, greeted=True, linked=True), Grade.SERVICE),
        (GOOD._replace(batch=False), Grade.SERVICE),
        (GOOD, Grade.DATA),
        (GOOD._replace(silent_us=PROPOSED.silent_us, lag_us=PROPOSED.lag_us), Grade.DATA),
        (GOOD._replace(lag_us=LATE), Grade.LAGGING),
        (GOOD._replace(parked=1), Grade.QUALITY),
        (GOOD._replace(parked=1, lag_us=LATE), Grade.LAGGING),
        (GOOD._replace(disputed=True, lag_us=LATE), Grade.QUALITY),
        (GOOD._replace(silent_us=LONG, disputed=True), Grade.INTERRUPTED),
        (GOOD._replace(linked=False), Grade.AWAY),
        (GOOD._replace(linked=False, greeted=False, silent_us=LONG), Grade.INTERRUPTED),
        (GOOD._replace(linked=False, greeted=True, silent_us=LONG), Grade.INTERRUPTED),
        (GOOD._replace(enrolled=False), Grade.LEFT),
        (Evidence(enrolled=False), Grade.LEFT),
        (GOOD._replace(enrolled=False, suspended=True), Grade.SUSPENDED),
        (GOOD._replace(suspended=True), Grade.DATA),
    ],
)
def test_a_grade_says_what_hinders_most(known: Evidence, grade: Grade) -> None:
    """From the ladder, else the fault, else that it has left."""
    assert grade_of(known) is grade


@given(
    st.builds(
        Evidence,
        enrolled=st.just(True),
        greeted=st.booleans(),
        linked=st.booleans(),
        silent_us=st.none() | st.integers(0, 10**15),
        batch=st.booleans(),
        lag_us=st.integers(0, 10**15),
        parked=st.integers(0, 10**6),
        disputed=st.booleans(),
    )
)
def test_a_good_grade_is_never_given_to_what_is_not_good(known: Evidence) -> None:
    """'Data' means: linked, heard in time, nothing late, nothing parked, nothing disputed."""
    if grade_of(known) is Grade.DATA:
        assert known.linked
        assert known.batch
        assert known.silent_us is None or known.silent_us <= PROPOSED.silent_us
        assert (known.parked, known.disputed) == (0, False)
        assert known.lag_us <= PROPOSED.lag_us
