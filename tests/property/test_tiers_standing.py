"""Where a task stands: whatever its history, somebody must act by some moment, and the issuer's node falls silent."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.test_tiers_flows import STEPS, act, two_sides
from tests.unit.tiers.desks import FLOWS, Desk, settle
from tests.unit.tiers.test_clocks import calendar
from tiers.flows.standing import TaskStanding, overdue_max, standing

YEARS_US = 3_650 * 24 * 3_600_000_000
CALENDAR = calendar()


def told(name: str, steps: list[tuple[object, ...]]) -> tuple[Desk, Desk]:
    """Both sides after any moves, all of them delivered."""
    issuer, holder = two_sides(FLOWS[name])
    for serial, step in enumerate(steps):
        act(step, serial, issuer, holder, {"to holder": [], "to issuer": []})
    settle(issuer, holder)
    return issuer, holder


def at(desk: Desk, now: int) -> TaskStanding | None:
    return standing(desk.flow, desk.history(), CALENDAR, now)


@pytest.mark.parametrize("name", FLOWS)
@settings(max_examples=40)
@given(steps=STEPS, after=st.integers(0, 400))
def test_an_open_task_has_an_owner_a_next_move_and_an_end_that_both_sides_see(
    name: str, steps: list[tuple[object, ...]], after: int
) -> None:
    """By one calendar they see the same; time that passes moves no end, it only passes it."""
    issuer, holder = told(name, steps)
    now = issuer.now + after * 3_600_000_000
    here = at(issuer, now)
    assert here == at(holder, now)
    if here is None:
        assert issuer.flow.has_ended(issuer.state())
        return
    assert here.next
    assert here.due is not None
    assert (here.times > 0) == (here.due.at_us < now)
    assert here.warn_us is None or here.warn_us <= here.due.at_us
    later = at(issuer, now + YEARS_US)
    assert later is not None
    assert (later.due, later.since_us) == (here.due, here.since_us)
    assert later.times >= here.times


@pytest.mark.parametrize("name", FLOWS)
@settings(max_examples=40)
@given(steps=STEPS)
def test_the_issuer_s_node_tells_each_thing_once_and_then_no_more(name: str, steps: list[tuple[object, ...]]) -> None:
    """Whenever it looks, however late: what it makes by itself comes to an end."""
    issuer, _ = told(name, steps)
    made = []
    while (here := at(issuer, issuer.now)) is not None and here.act is not None:
        issuer.now = max(issuer.now, here.act.at_us)
        if (again := at(issuer, issuer.now)) is not None and again.act == here.act:
            issuer.make(here.act.move)
            made.append(here.act.move)
        assert len(made) <= 1 + overdue_max(issuer.flow)
    assert made == sorted(made, reverse=True), "it warns before it tells that the end has passed"
