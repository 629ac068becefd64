"""The time that counts for a move, how often it may be made, guards, comments: what the interpreter adds to a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sync.errors import InputFault
from sync.reasons import Reason
from sync.values import Fate
from sync.wire.v1.entry_pb2 import MoveBody
from tests.unit.tiers.desks import FLOWS, START_US, W2, desks, desks_of, facts, forged, illegal_effects, settle
from tests.unit.tiers.kit import CITY_STANDS, PROVINCE, PROVINCE_STANDS
from tiers.flows.guards import Facts
from tiers.flows.steps import HEARD_MAX, MADE_MAX, Place, counted_of, legal_fault, place_of
from tiers.flows.table import Guard, Party

HOUR_US = 3_600_000_000


def test_what_a_holder_did_in_time_counts_in_time_however_late_it_arrives() -> None:
    """Days without a link cost the holder nothing."""
    issuer, holder = desks("issue")
    holder.now = START_US + HOUR_US
    holder.make("sign")
    issuer.now = START_US + 70 * HOUR_US
    settle(issuer, holder)
    assert counted_of(holder.history()[-1]) == START_US + HOUR_US
    assert facts(issuer) == facts(holder)


def test_what_a_holder_could_not_know_of_does_not_make_it_late() -> None:
    """The issuer wrote meanwhile: the holder's move, built on what was before, counts before that."""
    issuer, holder = desks("issue")
    issuer.now = START_US + 5 * HOUR_US
    issuer.make("extend")
    holder.now = START_US + HOUR_US
    holder.make("sign")
    settle(issuer, holder)
    assert [m.move for m in holder.history()[-2:]] == ["extend", "sign"]
    assert counted_of(holder.history()[-1]) == START_US + HOUR_US


def test_all_guards_of_a_move_are_asked() -> None:
    """One that lets it pass does not speak for the next."""
    both = (Guard.PARTS_CLOSED, Guard.IN_TIME)
    flow = replace(W2, moves=tuple(replace(r, guards=both) if r.name == "sign" else r for r in W2.moves))
    place = Place("issued", {}, due_at=START_US)
    fault = legal_fault(flow, place, "sign", Party.HOLDER, {}, START_US + 1, Facts(parts_open=0))
    assert fault is not None


def test_a_clock_that_is_fast_gains_nothing() -> None:
    """Trap 15: a city's clock ten minutes fast; the move counts when the issuer decided it."""
    issuer, holder = desks("issue")
    holder.now = START_US + HOUR_US // 6
    body = holder.make("sign")
    settle(issuer, holder)
    verdict = issuer.history()[-1]
    assert (body.at, verdict.at, verdict.counted_at) == (holder.now, holder.now, START_US)


def test_a_clock_that_is_slow_puts_nothing_before_what_was_known() -> None:
    """A reply cannot count before the task that it answers, nor before the holder's own move before it."""
    issuer, holder = desks("issue")
    holder.now = START_US - HOUR_US
    holder.make("sign")
    settle(issuer, holder)
    assert issuer.history()[-1].counted_at == START_US
    issuer.now = holder.now = START_US + 5 * HOUR_US
    holder.make("begin")
    settle(issuer, holder)
    holder.now = START_US
    holder.make("reply")
    settle(issuer, holder)
    assert issuer.history()[-1].counted_at == START_US + 5 * HOUR_US


LIES: dict[str, Callable[[MoveBody], None]] = {
    "later than the holder said": lambda b: setattr(b, "counted_at", b.at + 1),
    "before what the holder knew": lambda b: setattr(b, "counted_at", START_US - 1),
}


@pytest.mark.parametrize("case", LIES)
def test_the_holder_checks_the_time_that_the_arbiter_counts(case: str) -> None:
    """An arbiter cannot make a holder late."""
    issuer, holder = desks("issue")
    holder.now = issuer.now = START_US + HOUR_US
    issuer.hear(holder.make("sign"), CITY_STANDS)
    verdict = issuer.post.popleft()
    LIES[case](verdict)
    judged = holder.hear(verdict, PROVINCE_STANDS)
    assert (judged.fate, judged.reason) == (Fate.REFUSED, Reason.RULE_BROKEN)
    assert holder.state() == "issued"


def test_an_issuer_s_own_move_counts_when_it_was_made() -> None:
    """It cannot count another time than it says, and a proposal cannot say its time itself."""
    issuer, holder = desks()
    issuer.make("issue")
    told = issuer.post.pop()
    told.at = told.counted_at = START_US + HOUR_US
    for lie in (1, -1):
        told.counted_at = told.at + lie
        assert holder.hear(told, PROVINCE_STANDS).reason is Reason.RULE_BROKEN
    issuer, holder = desks("issue")
    body = forged(holder, "sign")
    body.counted_at = START_US
    assert issuer.hear(body, CITY_STANDS).reason is Reason.NOT_YOUR_MOVE


def test_a_time_that_was_not_counted_is_the_time_that_was_said() -> None:
    """An arbiter of an older version counts nothing; its word holds."""
    issuer, holder = desks("issue")
    issuer.hear(holder.make("sign"), CITY_STANDS)
    verdict = issuer.post.popleft()
    verdict.counted_at = 0
    assert holder.hear(verdict, PROVINCE_STANDS).fate is Fate.APPLIED
    assert counted_of(holder.history()[-1]) == START_US


def test_a_comment_stands_whatever_it_crosses() -> None:
    """Both sides may comment at any time, also after the end; it changes no state and crosses nothing."""
    issuer, holder = desks("issue", "sign", "reply")
    holder.make("comment")
    issuer.make("close")
    issuer.make("comment")
    settle(issuer, holder)
    holder.make("comment")
    settle(issuer, holder)
    assert [m.accepted for m in holder.history()] == [True] * 8
    assert issuer.state() == holder.state() == "closed"
    assert illegal_effects(issuer) == []


def test_an_overdue_mark_crosses_nothing() -> None:
    """The issuer's node says that the time is over while the holder replies: the reply stands."""
    issuer, holder = desks("issue", "sign")
    holder.make("reply")
    issuer.make("warned")
    issuer.make("overdue")
    settle(issuer, holder)
    assert issuer.state() == "replied"
    with pytest.raises(InputFault):
        holder.make("overdue")


def test_a_move_is_made_so_often_and_no_more() -> None:
    """What counted is counted, what was refused is not; pending moves are, at the holder's own desk."""
    limited = tuple(replace(rule, most=2) if rule.name == "report" else rule for rule in W2.moves)
    flow = replace(W2, moves=limited)
    issuer, holder = desks("issue", "sign", "begin", "report")
    holder.make("report")
    lost = MoveBody(move="report", accepted=False, state=holder.state(), number=6)
    idle = [MoveBody(move="sign"), MoveBody(move="of_a_newer_version")]  # cannot be made as things stand
    place = place_of(flow, [*holder.history(), lost], [*idle, *holder.pending()])
    assert (place.state, place.made["report"], place.made["sign"]) == ("correcting", 2, 1)
    fault = legal_fault(flow, place, "report", Party.HOLDER, {"text": "x"}, 0)
    assert fault is not None
    assert (fault.reason, str(fault.detail)) == (Reason.WRONG_STATE, "'report' can be made 2 time(s) in a task")
    assert legal_fault(flow, place_of(flow, issuer.history()), "report", Party.HOLDER, {"text": "x"}, 0) is None


OPEN = "2 part(s) of the task are open: 'sign' must say 'override_reason'"
GUARDS = {
    "open parts": (Facts(parts_open=2), {}, OPEN),
    "open parts, and a reason of blanks": (Facts(parts_open=2), {"override_reason": "  "}, OPEN),
    "open parts, and why": (Facts(parts_open=2), {"override_reason": "flood"}, ""),
    "no parts open": (Facts(parts_open=0), {}, ""),
    "parts unknown": (Facts(), {}, ""),
}


@pytest.mark.parametrize("case", GUARDS)
def test_a_guard_asks_what_is_known(case: str) -> None:
    """What is not known where it is asked hinders nothing there."""
    known, said, words = GUARDS[case]
    guarded = (replace(r, guards=(Guard.PARTS_CLOSED,)) if r.name == "sign" else r for r in W2.moves)
    flow = replace(W2, moves=tuple(guarded))
    _, holder = desks("issue")
    fault = legal_fault(flow, place_of(flow, holder.history()), "sign", Party.HOLDER, said, 0, known)
    assert (fault.detail if fault else "", fault.reason if fault else Reason.WRONG_STATE) == (words, Reason.WRONG_STATE)


IN_TIME = {
    "at the last moment": (0, True),
    "a microsecond after it": (1, False),
}


@pytest.mark.parametrize("case", IN_TIME)
def test_what_must_be_in_time_is_refused_after_the_end_that_the_issuer_said(case: str) -> None:
    """At the holder's desk, and past it: by the arbiter, and by the holder where an arbiter lets it through."""
    late, allowed = IN_TIME[case]
    issuer, holder = desks_of(FLOWS["W1"])
    issuer.make("issue")
    told = issuer.history()[-1]
    told.due_at = START_US + HOUR_US
    issuer.post[-1].due_at = told.due_at
    settle(issuer, holder)
    issuer.now = holder.now = told.due_at + late
    body = forged(holder, "decline")
    issuer.hear(body, CITY_STANDS)
    verdict = issuer.post.pop()
    assert (verdict.accepted, verdict.state) == (allowed, "declined" if allowed else "issued")
    verdict.accepted, verdict.state = True, "declined"
    assert (holder.hear(verdict, PROVINCE_STANDS).fate is Fate.APPLIED) is allowed
    holder.pending().clear()
    assert allowed or not holder.may("decline")
    if not allowed:
        assert verdict.detail == "the time for '{}' has passed"


@pytest.mark.parametrize("late", [0, 1])
def test_a_result_is_filed_only_when_it_can_be_appealed_against_no_more(late: int) -> None:
    """By the end that the issuer itself said, to the microsecond; an appeal at the last moment counts."""
    issuer, holder = desks_of(FLOWS["W6"], "fill", "assess", "review", "pass")
    issuer.make("settle")
    told = issuer.history()[-1]
    told.due_at = issuer.post[-1].due_at = START_US + HOUR_US
    settle(issuer, holder)
    issuer.now = holder.now = told.due_at + late
    assert (issuer.may("lapse"), holder.may("appeal")) == (bool(late), not late)
    if late:
        settle(issuer, holder)
        assert holder.state() == "archived"
    else:
        with pytest.raises(InputFault, match="comes after the time"):
            issuer.make("lapse")


def test_whether_a_move_built_on_pending_ones_is_in_time_the_arbiter_knows() -> None:
    """The holder received late, and declines before it hears how long it has from there on."""
    issuer, holder = desks_of(FLOWS["W1"])
    issuer.make("issue")
    issuer.history()[-1].due_at = issuer.post[-1].due_at = START_US + HOUR_US
    settle(issuer, holder)
    issuer.now = holder.now = START_US + 2 * HOUR_US
    assert not holder.may("decline")
    holder.make("receive")
    holder.make("decline")
    settle(issuer, holder)
    assert issuer.state() == holder.state() == "declined"


def test_the_history_says_the_issuer_first() -> None:
    """The opening move counts at the time that it says."""
    issuer, _ = desks()
    first = issuer.history()[0]
    assert (first.by_node, first.at, first.counted_at) == (PROVINCE, START_US, START_US)


def test_a_task_has_so_many_moves_and_no_more() -> None:
    """The holder stops in time; past its door it is not heard; the issuer can still bring the task to its end."""
    issuer, holder = desks("issue", "sign")
    while len(issuer.history()) < MADE_MAX[Party.HOLDER]:
        issuer.history().append(_comment(issuer.history()[-1]))
    holder.history()[:] = issuer.history()
    with pytest.raises(InputFault) as told:
        holder.make("comment")
    assert told.value.reason is Reason.LIMIT_EXCEEDED
    while len(issuer.history()) < HEARD_MAX:
        issuer.history().append(_comment(issuer.history()[-1]))
    judged = issuer.hear(forged(holder, "comment"), CITY_STANDS)
    assert (judged.fate, judged.reason, judged.record) == (Fate.REFUSED, Reason.LIMIT_EXCEEDED, ())
    assert issuer.make("withdraw").state == "withdrawn"


def _comment(last: MoveBody) -> MoveBody:
    body = MoveBody()
    body.CopyFrom(last)
    body.move, body.number, body.move_id = "comment", last.number + 1, f"c-{last.number}"
    return body
