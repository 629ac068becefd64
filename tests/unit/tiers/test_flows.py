"""Coordination flows: the tables, the two sides of a task, crossing moves, the desk."""

from __future__ import annotations

from fractions import Fraction

import pytest

from sync.errors import InputFault
from sync.reasons import Reason
from tests.unit.tiers.desks import ALL_FIELDS, FLOWS, W2, deliver, desks, facts, forged, illegal_effects, settle
from tests.unit.tiers.kit import (
    CITY,
    NATION,
    PROVINCE,
    PROVINCE_STANDS,
)
from tiers.flows.check import check_flow
from tiers.flows.clocks import Clock, Limit
from tiers.flows.steps import Author, propose, shown_state, start
from tiers.flows.table import (
    BEFORE,
    Choice,
    FieldRule,
    Flow,
    Guard,
    Kind,
    MoveRule,
    Party,
    Start,
    State,
    StateLimit,
)

# --- tables -----------------------------------------------------------------------------------------------------------


def test_every_flow_s_table_is_sound() -> None:
    """No state is unreachable or a dead end, nothing leads out of the end, one move opens a task."""
    for flow in FLOWS.values():
        assert check_flow(flow) == []
        assert len(flow.open_moves(BEFORE, Party.ISSUER)) == 1
        assert flow.open_moves(BEFORE, Party.HOLDER) == ()


def test_only_the_issuer_ends_a_supervision() -> None:
    """Every move into a final state is the issuer's."""
    final = {s.name for s in W2.states if s.final}
    assert final == {"closed", "withdrawn", "passed_over"}
    assert {m.by for m in W2.moves if m.to in final} == {Party.ISSUER}


def test_what_is_wrong_with_a_table_is_told() -> None:
    """The check finds each kind of mistake."""
    soon = Limit(Fraction(2), Clock.WORK_DAY)
    states = (
        State("a", "", ""),
        State("a", "", ""),
        State("b", "", "", final=True, owner=Party.ISSUER),
        State("c", "", ""),
        State("d", "", "", Party.HOLDER, StateLimit(day="due"), "go"),
        State("e", "", "", Party.ISSUER, StateLimit(otherwise=soon), "leave"),
        State("f", "", "", Party.ISSUER, StateLimit(by="level", of={"9": soon}), "go"),
        State("g", "", "", Party.ISSUER, StateLimit(otherwise=soon), "alone"),
    )
    moves = (
        MoveRule("open", "", "", Party.HOLDER, (BEFORE,), "a"),
        MoveRule("open", "", "", Party.ISSUER, ("b",), "gone", ("what",)),
        MoveRule("go", "", "", Party.HOLDER, ("a", "d"), "d", automatic=True),
        MoveRule("alone", "", "", Party.ISSUER, ("g",), "b", automatic=True),
        MoveRule("late", "", "", Party.HOLDER, ("a",), "d", guards=(Guard.IN_TIME,)),
    )
    fields = (FieldRule("due", "", ""), FieldRule("level", "", "", Kind.CHOICE, (Choice("1", "", ""),)))
    starts = (Start("never", "W2", {"title": "@gone"}), Start("go", "W2", {"title": "x"}, 2))
    faults = "\n".join(check_flow(Flow("X", "", "", states, moves, fields=fields, starts=starts)))
    for words in (
        "state 'a' needs an owner, a limit and a next move",
        "state 'b' is final: it has no owner",
        "state 'd': 'go' is no move by which its owner leads it on",
        "state 'd': 'due' is no field that says a date",
        "state 'd' may be reached without its limit being said",
        "state 'e' names no move: 'leave'",
        "state 'g': 'alone' is made by no person",
        "state 'f': '9' is no value of 'level'",
        "move 'open' must say 'what', which is no field",
        "move 'go' is automatic: it is the issuer's",
        "move 'late' must be in time, from a state without a limit",
        "a consequence of 'never', which is no move",
        "a consequence says 'title' by '@gone'",
        "a consequence of 'go' after 2",
        "state 'a' stands twice",
        "move 'open' stands twice",
        "names no state: 'gone'",
        "opens a task",
        "state 'c' cannot be reached",
        "state 'b' is final, and a move leads out",
        "state 'c' is a dead end",
    ):
        assert words in faults


def test_a_state_knows_its_moves() -> None:
    """What a screen offers follows from the table; an unknown state is an error."""
    assert [m.name for m in W2.open_moves("issued", Party.HOLDER)] == ["sign", "comment"]
    assert W2.state("suspended").title_zh == "挂账"
    with pytest.raises(KeyError):
        W2.state("lost")


# --- the main job -----------------------------------------------------------------------------------------------------


def test_a_supervision_runs_from_registration_to_closing() -> None:
    """Both sides end with the same numbered history, and nothing is pending."""
    issuer, holder = desks("issue", "sign", "begin", "report", "reply", "check", "close")
    assert [m.move for m in issuer.history()] == [
        "register", "issue", "sign", "begin", "report", "reply", "check", "close",
    ]  # fmt: skip
    assert [m.number for m in issuer.history()] == list(range(1, 9))
    assert issuer.state() == holder.state() == "closed"
    assert facts(issuer) == facts(holder)
    assert holder.pending() == []
    assert illegal_effects(issuer) == []


def test_the_other_branches_are_walkable() -> None:
    """Return, extension, suspension and withdrawal, granted and refused."""
    issuer, holder = desks(
        "issue", "sign", "ask_extension", "refuse_extension", "ask_extension", "grant_extension", "ask_suspension",
        "grant_suspension", "report", "resume", "extend", "remark", "reply", "check", "return", "begin", "reply",
        "return", "reply", "withdraw",
    )  # fmt: skip
    assert issuer.state() == "withdrawn"
    assert facts(issuer) == facts(holder)
    assert all(m.accepted for m in holder.history())


def test_a_holder_s_move_is_pending_until_the_arbiter_answers() -> None:
    """Nobody is told that something is done before the other side confirmed it."""
    issuer, holder = desks("issue")
    body = holder.make("sign")
    assert (body.number, body.base, body.accepted, body.state) == (0, 2, False, "")
    assert holder.state() == "issued"
    assert shown_state(W2, holder.history(), holder.pending()) == "signed"
    deliver(holder, issuer)
    assert (issuer.state(), holder.state()) == ("signed", "issued")
    deliver(issuer, holder)
    assert holder.state() == "signed"
    verdict = holder.history()[-1]
    assert (verdict.verdict, verdict.accepted, verdict.number, verdict.move_id) == (True, True, 3, body.move_id)


def test_a_holder_works_on_without_an_answer() -> None:
    """Moves built on own pending ones are accepted one after the other."""
    issuer, holder = desks("issue")
    for move in ("sign", "begin", "reply"):
        holder.make(move)
    settle(issuer, holder)
    assert issuer.state() == "replied"
    assert holder.pending() == []


# --- crossing ---------------------------------------------------------------------------------------------------------


def test_withdrawal_against_reply_is_decided_by_the_arbiter() -> None:
    """The issuer's word came first at its node: the reply is kept as refused on both sides, with its reason."""
    issuer, holder = desks("issue", "sign")
    holder.make("reply")
    issuer.make("withdraw")
    settle(issuer, holder)
    assert issuer.state() == holder.state() == "withdrawn"
    lost = holder.history()[-1]
    assert (lost.move, lost.accepted, lost.reason, lost.number) == ("reply", False, Reason.WITHDRAWN, 5)
    assert lost.arguments == ["reply", "withdraw", "4"]
    assert facts(issuer) == facts(holder)
    assert holder.pending() == []


def test_a_longer_limit_does_not_cross_a_reply() -> None:
    """The issuer extends while the holder replies: the reply stands."""
    issuer, holder = desks("issue", "sign")
    holder.make("reply")
    issuer.make("extend")
    settle(issuer, holder)
    assert issuer.state() == "replied"
    assert [m.accepted for m in holder.history()] == [True] * 5


def test_what_was_made_without_knowing_a_return_is_crossed() -> None:
    """The issuer returned the task meanwhile: moves made before that was known lose, even one the state would allow."""
    issuer, holder = desks("issue", "sign", "reply")
    issuer.make("return")
    for move in ("report", "ask_extension"):
        holder.post.append(forged(holder, move))
    settle(issuer, holder)
    refused = [(m.move, m.reason) for m in issuer.history() if not m.accepted]
    assert refused == [("report", Reason.CROSSED), ("ask_extension", Reason.CROSSED)]
    assert issuer.state() == "returned"


def test_a_move_built_on_one_that_lost_is_refused() -> None:
    """A chain of pending moves falls as a whole when its first link loses."""
    issuer, holder = desks("issue")
    for move in ("sign", "begin", "reply"):
        holder.make(move)
    issuer.make("withdraw")
    settle(issuer, holder)
    assert [m.reason for m in holder.history()[3:]] == [Reason.WITHDRAWN] * 3
    assert holder.pending() == []


# --- at the desk ------------------------------------------------------------------------------------------------------

AT_THE_DESK = {
    "in the wrong state": ("check", PROVINCE, Reason.WRONG_STATE),
    "the other side's": ("sign", PROVINCE, Reason.NOT_YOUR_MOVE),
    "by a node that is no side": ("sign", NATION, Reason.NOT_YOUR_MOVE),
    "not in the table": ("escalate", PROVINCE, Reason.UNKNOWN_FLOW),
}


@pytest.mark.parametrize("case", AT_THE_DESK)
def test_a_move_that_cannot_be_made_is_not_made(case: str) -> None:
    """The desk is told why, at once."""
    move, node, reason = AT_THE_DESK[case]
    issuer, _ = desks("issue")
    with pytest.raises(InputFault) as told:
        propose(W2, issuer.history(), [], move, "m9", Author(node), 1, ALL_FIELDS)
    assert told.value.reason is reason


def test_a_desk_cannot_move_what_it_does_not_know_or_use_an_id_twice() -> None:
    """An unknown task, a taken move id, and an id beyond its length."""
    issuer, _ = desks("issue")
    author = Author(PROVINCE)
    with pytest.raises(InputFault):
        propose(W2, [], [], "issue", "m9", author, 1, ALL_FIELDS)
    with pytest.raises(InputFault) as told:
        propose(W2, issuer.history(), [], "extend", issuer.history()[0].move_id, author, 1, ALL_FIELDS)
    assert told.value.reason is Reason.RULE_BROKEN
    with pytest.raises(InputFault) as told:
        start(W2, PROVINCE_STANDS, CITY, "t" * 65, "m1", author, 1, ALL_FIELDS)
    assert told.value.reason is Reason.TOO_LONG
    with pytest.raises(InputFault) as told:
        start(W2, PROVINCE_STANDS, CITY, "t", "m1", author, 1, {"title": "\ud83d"})
    assert told.value.reason is Reason.WRONG_TYPE
    with pytest.raises(InputFault) as told:
        start(W2, PROVINCE_STANDS, CITY, "t", "m1", author, 1, {})
    assert told.value.reason is Reason.MISSING_FIELD
