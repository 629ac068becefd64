"""What tasks add to the statistics, measure by measure, by the hand-reckoned days of autumn 2026."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sync.wire.v1.entry_pb2 import MoveBody
from tests.unit.tiers.desks import FLOWS, W2
from tests.unit.tiers.kit import CATALOGUE, CITY, PROVINCE
from tests.unit.tiers.test_clocks import ZONE, calendar
from tests.unit.tiers.test_task_standing import HOLDER, Story
from tiers.dataset import Cadence
from tiers.flows.counting import COUNTS, TASKS, counted_by, is_known, moved_in, side_of, task_rows
from tiers.flows.standing import say_due
from tiers.flows.table import Flow, Party
from tiers.periods import Period, parse_period
from tiers.rolling import Counter, own_part, rows_of

AUTUMN = tuple(map(parse_period, ("2026-09", "2026-10", "2026-11")))
BY_HOLDER = HOLDER | {"comment", "leave"}


def told(flow: Flow, *steps: tuple[str, str] | tuple[str, str, dict[str, str]]) -> list[MoveBody]:
    """A history with the ends of limits as the issuer's node says them."""
    story = Story(flow)
    for name, at, *more in steps:
        story.move(name, at, **(more[0] if more else {}))
        body = story.history[-1]
        body.by_node = CITY if name in BY_HOLDER else PROVINCE
        say_due(flow, story.history[:-1], body, calendar())
    return story.history


def counts(
    history: Sequence[MoveBody], flow: Flow = W2, periods: Sequence[Period] = AUTUMN
) -> dict[str, dict[str, int]]:
    """By period what was counted at all."""
    found = {}
    for row in task_rows(flow, history, calendar(), periods, ZONE):
        cells = dict(zip(TASKS.schema.names, row, strict=True))
        found[str(cells["period"])] = {name: int(str(cells[name])) for name in COUNTS if cells[name]}
    return found


ISSUED = (("register", "2026-09-29T15:00"), ("issue", "2026-09-29T16:00", {"due": "2026-10-12"}))
SIGNED = (*ISSUED, ("sign", "2026-09-30T09:00"))
REPLY = {"replied": 1, "replied_in_time": 1, "replied_work": 1, "reply_work_minutes": 180}
"""16:00 to 18:00 and 08:00 to 09:00."""


def test_a_draft_is_no_task_yet_and_one_withdrawn_as_a_draft_never_was() -> None:
    assert counts(told(W2, ISSUED[0])) == {}
    assert counts(told(W2, ISSUED[0], ("withdraw", "2026-09-30T09:00"))) == {}


def test_issued_replied_and_open_with_the_reply_counted_in_office_hours() -> None:
    """Signing for it is the first reply; over the holidays it stays open, and nothing is overdue before the limit."""
    september = {"issued": 1, **REPLY, "open": 1}
    assert counts(told(W2, *SIGNED), periods=AUTUMN[:1]) == {"2026-09": september}


def test_a_comment_is_no_reply_nor_is_what_the_issuer_s_node_makes_by_itself() -> None:
    found = counts(told(W2, *ISSUED, ("warned", "2026-09-30T15:00"), ("comment", "2026-09-30T16:00")))
    assert "replied" not in found["2026-09"]


def test_a_late_reply_is_a_reply_that_was_not_in_time() -> None:
    """Signed for after the holidays: one hour of the limit's last day, and two of the first day after."""
    found = counts(told(W2, *ISSUED, ("sign", "2026-10-08T10:00")))
    assert found["2026-09"] == {"issued": 1, "open": 1, "overdue": 1}
    assert found["2026-10"]["replied"] == 1
    assert "replied_in_time" not in found["2026-10"]
    assert found["2026-10"]["reply_work_minutes"] == (2 + 8 + 2) * 60


def test_a_limit_that_runs_on_through_the_night_times_the_reply_in_all_hours() -> None:
    """Level 1 is to be signed for within two 紧急工作时."""
    steps = (ISSUED[0], ("issue", "2026-09-29T23:30", {"level": "1"}), ("sign", "2026-09-30T00:15"))
    found = counts(told(W2, *steps))["2026-09"]
    assert (found["replied_urgent"], found["reply_urgent_minutes"], found["replied_in_time"]) == (1, 45, 1)
    assert "replied_work" not in found


def test_closed_in_time_and_late() -> None:
    """In time by the day that was said; the issuer's own slow check takes nothing from the holder."""
    in_time = (*SIGNED, ("reply", "2026-10-12T17:00"), ("close", "2026-10-28T17:00"))
    assert counts(told(W2, *in_time))["2026-10"] == {"closed": 1, "closed_in_time": 1}
    late = (*SIGNED, ("reply", "2026-10-12T18:01"), ("close", "2026-10-13T09:00"))
    assert counts(told(W2, *late))["2026-10"] == {"closed": 1}


def test_one_limit_let_pass_is_enough_whatever_comes_after() -> None:
    """Signed for too late; the work itself was in time."""
    steps = (*ISSUED, ("sign", "2026-10-08T10:00"), ("reply", "2026-10-09T10:00"), ("close", "2026-10-09T11:00"))
    assert counts(told(W2, *steps))["2026-10"]["closed"] == 1
    assert "closed_in_time" not in counts(told(W2, *steps))["2026-10"]


def test_a_longer_limit_counts_and_so_does_time_in_which_the_clock_stood_still() -> None:
    """Extended before or while it was asked for; put off (挂账) with the limit moved on."""
    extended = (*SIGNED, ("extend", "2026-10-12T10:00", {"due": "2026-10-20"}), ("reply", "2026-10-19T10:00"))
    done = ("close", "2026-10-20T10:00")
    assert counts(told(W2, *extended, done))["2026-10"]["closed_in_time"] == 1
    asked = (
        *SIGNED,
        ("begin", "2026-09-30T10:00"),
        ("ask_suspension", "2026-10-09T10:00", {"until": "2026-10-28"}),
        ("grant_suspension", "2026-10-10T10:00", {"until": "2026-10-28"}),
        ("resume", "2026-10-28T09:00"),
    )
    plain = told(W2, *SIGNED)[-1].due_at
    put_off = told(W2, *asked)
    assert put_off[-1].due_at > plain
    found = counts([*told(W2, *asked, ("reply", "2026-10-29T10:00"), ("close", "2026-10-30T10:00"))])
    assert found["2026-10"] == {"closed": 1, "closed_in_time": 1}
    assert counts(put_off, periods=AUTUMN[:1]) == {"2026-09": {"issued": 1, **REPLY, "open": 1}}


def test_in_a_state_in_which_the_clock_stands_still_its_own_limit_holds() -> None:
    """Who was granted time until a day and is not back by then is late."""
    steps = (
        *SIGNED,
        ("ask_suspension", "2026-10-09T10:00", {"until": "2026-10-20"}),
        ("grant_suspension", "2026-10-10T10:00", {"until": "2026-10-20"}),
    )
    assert counts(told(W2, *steps))["2026-10"] == {"open": 1, "overdue": 1}
    back = (*steps, ("resume", "2026-10-21T09:00"), ("reply", "2026-10-21T10:00"), ("close", "2026-10-22T10:00"))
    assert counts(told(W2, *back))["2026-10"] == {"closed": 1}


def test_what_waits_for_the_other_side_is_its_own_to_be_late_with() -> None:
    """Replied in October and not checked: open and overdue, but not at the holder."""
    found = counts(told(W2, *SIGNED, ("reply", "2026-10-09T10:00")))
    assert found["2026-10"] == {"open": 1, "open_elsewhere": 1, "overdue_elsewhere": 1}


def test_returned_and_handed_in_again() -> None:
    """Twice back and twice corrected; the task that is closed in the end had been returned, whenever that was."""
    steps = (
        *SIGNED,
        ("reply", "2026-09-30T10:00"),
        ("return", "2026-09-30T11:00"),
        ("ask_extension", "2026-09-30T12:00", {"due": "2026-10-20"}),
        ("grant_extension", "2026-09-30T13:00", {"due": "2026-10-20"}),
        ("reply", "2026-10-08T10:00"),
        ("return", "2026-10-08T11:00"),
        ("reply", "2026-10-08T12:00"),
        ("close", "2026-11-02T10:00"),
    )
    found = counts(told(W2, *steps))
    assert found["2026-09"] == {"issued": 1, **REPLY, "returned": 1, "open": 1}
    october = {"corrected": 2, "returned": 1, "open": 1, "open_elsewhere": 1, "overdue_elsewhere": 1}
    assert found["2026-10"] == october
    assert found["2026-11"] == {"closed": 1, "closed_in_time": 1, "closed_returned": 1}


def test_withdrawn_is_not_closed() -> None:
    found = counts(told(W2, *SIGNED, ("withdraw", "2026-10-30T10:00")))
    assert found["2026-10"] == {"withdrawn": 1}


def test_a_month_begins_with_its_first_moment_and_ends_before_the_next_one_s() -> None:
    """What happens at midnight is of the new month, and the task was still open when the old one ended."""
    closed = told(W2, *SIGNED, ("reply", "2026-09-30T10:00"), ("close", "2026-10-01T00:00"))
    assert counts(closed)["2026-09"]["open"] == 1
    assert counts(closed)["2026-10"] == {"closed": 1, "closed_in_time": 1}
    issued = told(W2, ISSUED[0], ("issue", "2026-10-01T00:00", {"due": "2026-10-12"}))
    assert counts(issued, periods=AUTUMN[:1]) == {}
    assert counts(issued, periods=AUTUMN[:2])["2026-10"]["issued"] == 1


def test_only_the_side_whose_work_it_is_replies_and_only_in_its_own_time() -> None:
    """The issuer's withdrawal is no reply. Who moves while the other side is late is not late."""
    assert "replied" not in counts(told(W2, *ISSUED, ("withdraw", "2026-09-30T09:00")))["2026-09"]
    paused = (("open", "2026-09-01T10:00"), ("suspend", "2026-09-02T10:00"), ("leave", "2026-11-20T10:00"))
    assert counts(told(FLOWS["W7"], *paused), FLOWS["W7"])["2026-11"]["replied_in_time"] == 1


def test_a_reply_in_time_that_was_heard_of_too_late_was_in_time() -> None:
    found = counts(told(W2, *ISSUED, ("overdue", "2026-10-08T08:00"), ("sign", "2026-09-30T09:00")))
    assert (found["2026-10"]["replied"], found["2026-10"]["replied_in_time"]) == (1, 1)


def test_a_return_is_answered_once_and_by_handing_in_alone() -> None:
    """Neither a comment afterwards nor a withdrawal by either side is a second one, or one at all."""
    back = (*SIGNED, ("reply", "2026-09-30T10:00"), ("return", "2026-09-30T11:00"))
    again = told(W2, *back, ("reply", "2026-09-30T14:00"), ("comment", "2026-09-30T15:00"))
    assert counts(again)["2026-09"]["corrected"] == 1
    assert "corrected" not in counts(told(W2, *back, ("withdraw", "2026-09-30T14:00")))["2026-09"]
    report = Story(FLOWS["W5"])
    for name, at in (("submit", "01"), ("sign", "02"), ("return", "03"), ("withdraw", "04")):
        report.move(name, f"2026-09-{at}T10:00")
        report.history[-1].by_node = CITY if name in ("sign", "return") else PROVINCE
    found = counts(report.history, FLOWS["W5"])["2026-09"]
    assert (found["returned"], found.get("corrected", 0), found["withdrawn"]) == (1, 0, 1)


def test_losers_and_what_is_not_confirmed_count_for_nothing() -> None:
    """A reply that crossed the withdrawal has a number and no effect; one that has none is only a wish."""
    history = told(W2, *SIGNED, ("withdraw", "2026-10-09T10:00"))
    lost, pending = MoveBody(), MoveBody()
    for body, number in ((lost, 5), (pending, 0)):
        body.CopyFrom(told(W2, *SIGNED, ("reply", "2026-10-09T09:00"))[-1])
        body.number, body.accepted, body.state = number, False, "withdrawn"
    assert counts([*history, lost, pending]) == counts(history)


def test_what_was_done_in_time_without_a_link_was_in_time() -> None:
    """The issuer's node told that the limit had passed before it heard of the reply, which counts at its own time."""
    history = told(W2, *SIGNED, ("overdue", "2026-10-13T09:00"), ("reply", "2026-10-12T09:00"))
    closed = told(
        W2, *SIGNED, ("overdue", "2026-11-03T09:00"), ("reply", "2026-10-12T09:00"), ("close", "2026-11-03T10:00")
    )
    assert "overdue" not in counts(history)["2026-10"]
    found = counts(closed)
    assert found["2026-10"] == {"open": 1}, "nobody who decides had heard of it, but it was done"
    assert found["2026-11"] == {"closed": 1, "closed_in_time": 1}


def test_whose_work_a_task_is() -> None:
    """The holder's, but for an alarm, in which the city that raises it must act throughout."""
    sides = {name: side_of(flow) for name, flow in FLOWS.items()}
    assert {name for name, side in sides.items() if side is Party.ISSUER} == {"W10"}
    alarm = MoveBody(flow="W10", issuer=CITY, holder=PROVINCE)
    assert counted_by(FLOWS["W10"], alarm) == CITY
    assert counted_by(W2, told(W2, *ISSUED)[0]) == CITY


def test_every_flow_that_sends_work_back_says_so() -> None:
    declared = {name: [rule.name for rule in flow.moves if rule.returns] for name, flow in FLOWS.items()}
    assert {name for name, moves in declared.items() if moves == ["return"]} == {
        "W1",
        "W2",
        "W3D",
        "W5",
        "W6",
        "W7",
        "W11",
    }
    assert not [moves for name, moves in declared.items() if moves and moves != ["return"]]


def test_a_history_of_a_newer_version_is_seen_to_be_one() -> None:
    """Then nothing is counted of it; in which periods it moved can be told all the same."""
    history = told(W2, *SIGNED)
    older = replace(W2, states=tuple(state for state in W2.states if state.name != "signed"))
    assert is_known(W2, history)
    assert not is_known(older, history)
    assert moved_in(history, AUTUMN, ZONE) == {AUTUMN[0]}


def cells_of(*histories: tuple[Flow, Sequence[MoveBody]], period: Period) -> dict[tuple[str, str], dict[str, object]]:
    """The rows of task_stat that a city would hand up, by tier and flow."""
    rollup = CATALOGUE.rollups["task_stat"]
    counter = Counter(rollup, [period], ZONE)
    places = [TASKS.schema.names.index(name) for name in counter.columns]
    for flow, history in histories:
        rows = task_rows(flow, history, calendar(), [period], ZONE)
        counter.add(tuple(row[i] for i in places) for row in rows)
    tally = own_part(rollup, counter.cells(period), has_data=True)
    rows_now = rows_of(rollup, tally, "330100", period, {}, closing=False)
    assert rows_now is not None
    return {(str(row["dim_tier"]), str(row["dim_flow"])): dict(row) for row in rows_now}


def test_the_rows_that_go_up_by_tier_and_flow_with_rates_made_of_counts() -> None:
    """Three supervisions closed in October, one late, one after a return; a policy that was not signed for."""
    late = told(W2, *SIGNED, ("reply", "2026-10-13T10:00"), ("close", "2026-10-13T11:00"))
    good = told(W2, *SIGNED, ("reply", "2026-10-09T10:00"), ("close", "2026-10-13T11:00"))
    back = (("reply", "2026-10-08T10:00"), ("return", "2026-10-08T11:00"), ("reply", "2026-10-09T10:00"))
    again = told(W2, *SIGNED, *back, ("close", "2026-10-13T11:00"))
    policy = told(FLOWS["W4"], ("release", "2026-10-09T10:00", {"must_acknowledge": "yes"}))
    found = cells_of((W2, late), (W2, good), (W2, again), (FLOWS["W4"], policy), period=AUTUMN[1])
    assert set(found) == {("*", "*"), ("city", "*"), ("*", "W2"), ("*", "W4"), ("city", "W2"), ("city", "W4")}
    total = found["*", "*"]
    assert (total["closed"], total["closed_in_time"], total["in_time_rate"]) == (3, 2, "0.6667")
    assert (total["closed_returned"], total["return_rate"]) == (1, "0.3333")
    assert (total["issued"], total["open"], total["overdue"]) == (1, 1, 1)
    assert found["city", "W4"]["in_time_rate"] is None, "nothing was closed: no rate, which is not 0"
    assert total["complete"] is True


def test_every_measure_is_rolled_up_by_month() -> None:
    rollup = CATALOGUE.rollups["task_stat"]
    assert [measure.to for measure in rollup.measures] == list(COUNTS)
    assert tuple(rollup.dataset.deadlines) == (Cadence.MONTHLY,)
    assert rollup.of_tasks
    assert not rollup.is_stock
