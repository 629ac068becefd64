"""Statistics of tasks: whatever was done and however it travelled, every task counts once, and what counts adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.values import Row
from sync.wire.v1.entry_pb2 import MoveBody
from tests.property.test_tiers_flows import STEPS, act
from tests.unit.tiers.desks import FLOWS, Desk, deliver, settle, sides
from tests.unit.tiers.kit import CATALOGUE
from tests.unit.tiers.test_clocks import ZONE, calendar
from tiers.dataset import Cadence
from tiers.flows.check import PASSED_OVER
from tiers.flows.counting import COUNTS, TASKS, counted_by, task_rows
from tiers.flows.steps import counted_of
from tiers.flows.table import Flow
from tiers.periods import Period, parse_period, period_of
from tiers.rolling import Counter as Counting
from tiers.rolling import merge, own_part

CALENDAR = calendar()
MONTHS = tuple(map(parse_period, ("2026-09", "2026-10", "2026-11", "2026-12")))
ROLLUP = CATALOGUE.rollups["task_stat"]
STANDING = ("open", "overdue", "open_elsewhere", "overdue_elsewhere")
NAMES = st.sampled_from(sorted(FLOWS))


def weeks() -> list[Period]:
    """All weeks that touch these months."""
    found = [period_of(Cadence.WEEKLY, MONTHS[0].first)]
    while found[-1].until < MONTHS[-1].until:
        found.append(found[-1].after())
    return found


def through(name: str, steps: Sequence[tuple[object, ...]], *, settled: bool = True) -> tuple[Desk, Desk]:
    """Both sides after these steps, the issuer saying the ends of limits."""
    upper, lower = sides(FLOWS[name])
    issuer, holder = (Desk(one, FLOWS[name], calendar=lambda: CALENDAR) for one in (upper, lower))
    issuer.begin(holder.node)
    deliver(issuer, holder)
    sent: dict[str, list[MoveBody]] = {"to holder": [], "to issuer": []}
    for serial, step in enumerate(steps):
        act(step, serial, issuer, holder, sent)
    if settled:
        settle(issuer, holder)
    return issuer, holder


def rows(flow: Flow, history: Sequence[MoveBody], periods: Sequence[Period] = MONTHS) -> list[Row]:
    return list(task_rows(flow, history, CALENDAR, periods, ZONE))


def counts(flow: Flow, history: Sequence[MoveBody], periods: Sequence[Period]) -> list[Counter[str]]:
    """By period, zeros where there is no row."""
    by_period = {row[1]: row for row in rows(flow, history, periods)}
    names = TASKS.schema.names
    found = []
    for period in periods:
        row = dict(zip(names, by_period.get(str(period), ()), strict=False))
        found.append(Counter({name: int(str(row.get(name, 0))) for name in COUNTS}))
    return found


@settings(max_examples=150)
@given(name=NAMES, steps=STEPS)
def test_both_ends_of_a_task_tell_the_same_and_one_of_them_counts_it(
    name: str, steps: list[tuple[object, ...]]
) -> None:
    issuer, holder = through(name, steps)
    assert rows(issuer.flow, issuer.history()) == rows(holder.flow, holder.history())
    assert {counted_by(issuer.flow, body) for body in issuer.history()} < {issuer.node, holder.node}


@settings(max_examples=150)
@given(name=NAMES, steps=STEPS, data=st.data())
def test_order_and_repetition_of_moves_change_nothing_nor_does_what_is_not_confirmed(
    name: str, steps: list[tuple[object, ...]], data: st.DataObject
) -> None:
    """Moves that lost, and those that wait, are as if they had never been made."""
    issuer, holder = through(name, steps, settled=False)
    history = issuer.history()
    told = rows(issuer.flow, history)
    again = data.draw(st.lists(st.sampled_from(history), max_size=5))
    mixed = data.draw(st.permutations([*history, *again, *holder.pending()]))
    assert rows(issuer.flow, mixed) == told
    assert rows(issuer.flow, [body for body in history if body.accepted]) == told


@settings(max_examples=150)
@given(name=NAMES, steps=STEPS)
def test_what_was_issued_is_open_until_it_is_closed_or_withdrawn(name: str, steps: list[tuple[object, ...]]) -> None:
    """From month to month; one that passes over to a successor is open there from then on, and no more here. Nothing is
    replied to, closed or withdrawn twice, and no part is more than its whole.
    """
    issuer, _ = through(name, steps)
    last = issuer.history()[-1]
    was_open, total = 0, Counter[str]()
    for month, found in zip(MONTHS, counts(issuer.flow, issuer.history(), MONTHS), strict=True):
        since, until = month.span_us(ZONE)
        passed = last.state == PASSED_OVER and (was_open or found["issued"]) and since <= counted_of(last) < until
        assert found["open"] == was_open + found["issued"] - found["closed"] - found["withdrawn"] - bool(passed)
        assert found["open_elsewhere"] + found["overdue"] <= found["open"]
        assert found["overdue_elsewhere"] <= found["open_elsewhere"]
        was_open, total = found["open"], total + found
    assert total["closed"] + total["withdrawn"] <= total["issued"] <= 1
    assert total["replied_in_time"] <= total["replied"] <= total["issued"]
    assert total["replied_work"] + total["replied_urgent"] == total["replied"]
    assert total["closed_in_time"] <= total["closed"]
    assert total["closed_returned"] <= total["closed"]
    assert total["corrected"] <= total["returned"]


@settings(max_examples=75)
@given(name=NAMES, steps=STEPS)
def test_what_happened_in_the_weeks_is_what_happened_in_the_months(name: str, steps: list[tuple[object, ...]]) -> None:
    """However time is cut, each event lies in one period."""
    issuer, _ = through(name, steps)
    by_month, by_week = (
        sum(counts(issuer.flow, issuer.history(), periods), Counter[str]()) for periods in (MONTHS, weeks())
    )
    for name_ in set(COUNTS) - set(STANDING):
        assert by_month[name_] == by_week[name_], name_


@settings(max_examples=75)
@given(name=NAMES, steps=STEPS, first=st.integers(0, len(MONTHS) - 1))
def test_a_month_says_the_same_whichever_months_are_asked_for_with_it(
    name: str, steps: list[tuple[object, ...]], first: int
) -> None:
    issuer, _ = through(name, steps)
    asked = MONTHS[first:]
    names = set(map(str, asked))
    assert rows(issuer.flow, issuer.history(), asked) == [
        row for row in rows(issuer.flow, issuer.history()) if row[1] in names
    ]


TASKS_DONE = st.lists(st.tuples(NAMES, STEPS), max_size=4)


@settings(max_examples=40)
@given(tasks=TASKS_DONE, data=st.data())
def test_the_counts_of_parts_add_up_to_those_of_the_whole(
    tasks: list[tuple[str, list[tuple[object, ...]]]], data: st.DataObject
) -> None:
    """Tasks counted together, or each at its own node and added: the same cells; each total is that of its parts."""
    period = MONTHS[0]
    found = [(FLOWS[name], through(name, steps)[0].history()) for name, steps in tasks]

    def counted(some: Sequence[tuple[Flow, Sequence[MoveBody]]]) -> Counting:
        counter = Counting(ROLLUP, [period], ZONE)
        places = [TASKS.schema.names.index(name) for name in counter.columns]
        for flow, history in some:
            counter.add(tuple(row[i] for i in places) for row in rows(flow, history, [period]))
        return counter

    whole = counted(found).cells(period)
    parts = data.draw(st.permutations([own_part(ROLLUP, counted([one]).cells(period), has_data=True) for one in found]))
    assert merge(ROLLUP, parts).cells == (whole if parts else {})
    for i in range(len(COUNTS)):
        total = whole["*", "*"].values[i]
        for other in (1, 0):
            of_group = [cell.values[i] for place, cell in whole.items() if place[other] == "*" != place[1 - other]]
            assert sum(int(value or 0) for value in of_group) == total
