"""A task passes over to the successor of one of its sides, in whatever state and however the post runs: it goes on as
it was, whole, once, and by nobody else's word."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.errors import InputFault
from sync.reasons import Reason
from sync.values import Fate
from sync.wire.v1.entry_pb2 import MoveBody
from tests.property.test_tiers_flows import STEPS, act, two_sides
from tests.unit.tiers.desks import FLOWS, TASK, Desk, desks_of, illegal_effects, settle
from tests.unit.tiers.test_clocks import calendar
from tiers.flows.check import PASSED_OVER
from tiers.flows.consequences import openings
from tiers.flows.passing import asked_again, passed_id, passed_over, retold
from tiers.flows.standing import standing
from tiers.flows.steps import party_of, place_of, state_of
from tiers.flows.table import Stands
from tiers.profile import Standing

PASSING = sorted(name for name, flow in FLOWS.items() if flow.passes)


def successor(old: Standing) -> Standing:
    """A node beside another one."""
    region = old.region[:2] + ("0000" if old.region.endswith("0000") else "0900")
    label, _, above = old.node.partition(".")
    return replace(old, node=f"{label[0]}{region[:3]}9{region[4:]}.{above}", region=region)


def heir(old: Desk) -> Desk:
    """The desk of its successor, which knows that it is."""
    desk = Desk(successor(old.standing), old.flow)
    desk.known.passed.add((desk.node, old.node))
    desk.now = old.now
    return desk


def essence(history: list[MoveBody]) -> list[tuple[object, ...]]:
    """What must go on."""
    return [(m.number, m.move, m.move_id, m.accepted, m.state, m.counted_at, party_of(m)) for m in history]


@settings(max_examples=80)
@given(name=st.sampled_from(PASSING), steps=STEPS, order=st.randoms(use_true_random=False))
def test_a_task_goes_on_with_the_successor_as_it_was(name: str, steps: list[tuple[object, ...]], order: object) -> None:
    """State, times, limits, how often a move was made; proposals that nobody answered are; and nothing is twice."""
    issuer, holder = two_sides(FLOWS[name])
    sent: dict[str, list[MoveBody]] = {"to holder": [], "to issuer": []}
    for serial, step in enumerate(steps):
        act(step, serial, issuer, holder, sent)
    # Nobody is succeeded who has nodes below.
    stays, old = (holder, issuer) if issuer.flow.stands is Stands.BELOW else (issuer, holder)
    flow, before = stays.flow, list(stays.history())
    if flow.has_ended(state_of(before)):
        return
    new = heir(old)
    told = retold(before, old.node, new.node, stays.now)
    again = asked_again(stays.pending(), old.node, new.node)
    task = told[0].task
    assert task == passed_id(before[0].task, told[0].issuer)
    stays.known.tasks[task] = list(told)
    stays.known.waiting[task] = list(again)
    post = [*told, *again, *told[:2]]
    order.shuffle(post)  # type: ignore[attr-defined]
    for body in post:
        new.hear(body, stays.standing)
    assert new.parked == []
    assert essence(new.history(task)[: len(before)]) == essence(before)
    assert place_of(flow, new.history(task)[: len(before)]) == place_of(flow, before)
    was, now = (
        standing(flow, history, calendar(), stays.now) for history in (before, new.history(task)[: len(before)])
    )
    assert was == now
    assert len(new.history(task)) == len(before) + len(again)
    new.post, posted = type(new.post)(), list(new.post)
    for body in posted:
        stays.hear(body, new.standing)
    assert stays.known.waiting[task] == []
    assert essence(stays.history(task)) == essence(new.history(task))


def passed(moves: str = "issue sign") -> tuple[Desk, Desk, Desk, list[MoveBody]]:
    """A supervision, its issuer, the old holder, the new one, and what is told again."""
    issuer, holder = desks_of(FLOWS["W2"], *moves.split())
    new = heir(holder)
    return issuer, holder, new, retold(issuer.history(), holder.node, new.node, issuer.now)


def test_work_goes_on_to_the_end_at_the_successor() -> None:
    """By both sides, as if it had always been there."""
    issuer, _, new, told = passed()
    task = told[0].task
    issuer.known.tasks[task] = list(told)
    for body in told:
        new.hear(body, issuer.standing)
    for desk in (issuer, new):
        turn(desk, task)
    for maker, move in ((new, "reply"), (issuer, "return"), (new, "begin"), (new, "reply"), (issuer, "close")):
        assert maker.make(move).task == task
        settle(issuer, new)
    assert issuer.state() == new.state() == "closed"


def turn(desk: Desk, task: str) -> None:
    """From now on the desk works on this task."""
    desk.known.tasks[TASK], desk.known.waiting[TASK] = desk.history(task), desk.pending(task)


FORGED = {
    "under another id": (lambda b: setattr(b, "task", "passed-1"), Reason.RULE_BROKEN),
    "of another task": (lambda b: setattr(b.retold, "task", "task-2"), Reason.RULE_BROKEN),
    "beyond its last": (lambda b: setattr(b.retold, "last", 0), Reason.RULE_BROKEN),
    "in a state that the move does not lead to": (lambda b: setattr(b, "state", "closed"), Reason.WRONG_STATE),
    "without a number": (lambda b: setattr(b, "number", 0), Reason.NOT_YOUR_MOVE),
    "for somebody else": (lambda b: setattr(b, "holder", "c330700.p330000.cn-demo"), Reason.NOT_YOUR_MOVE),
}


@pytest.mark.parametrize("case", FORGED)
def test_what_is_told_again_is_judged_by_the_same_rules(case: str) -> None:
    """Nobody can so make a history that never could have been."""
    change, reason = FORGED[case]
    issuer, _, new, told = passed()
    change(told[0])  # type: ignore[no-untyped-call]
    judged = new.hear(told[0], issuer.standing)
    assert (judged.fate, judged.reason) == (Fate.REFUSED, reason)
    assert not any(new.known.tasks.values())


def test_nobody_is_told_what_it_did_itself() -> None:
    """Only what a predecessor did: else a holder could tell its issuer of a task that this never issued, with the
    issuer's own moves in it, up to its good end."""
    issuer, holder = desks_of(FLOWS["W2"], *["issue", "sign", "begin", "reply", "close"])
    told = retold(issuer.history(), "c330800.p330000.cn-demo", "c330900.p330000.cn-demo", issuer.now)
    victim = Desk(issuer.standing, issuer.flow)
    victim.now = issuer.now
    for body in told:
        victim.hear(body, holder.standing)
    assert not any(victim.known.tasks.values())
    assert victim.judged[0].reason is Reason.NOT_YOUR_MOVE


def test_it_waits_for_the_record_of_the_succession_and_for_all_of_the_history() -> None:
    """What was a predecessor's is one's own only if the registry says so; until all is there, nothing is made."""
    issuer, holder, new, told = passed()
    new.known.passed.clear()
    for body in told:
        assert new.hear(body, issuer.standing).fate is (Fate.PARKED if body.number > 2 else Fate.APPLIED)
    task = told[0].task
    turn(new, task)
    with pytest.raises(InputFault) as fault:
        new.make("begin")
    assert fault.value.reason is Reason.RECOVERING
    new.known.passed.add((new.node, holder.node))
    new.hear(told[0], issuer.standing)
    assert len(new.history(task)) == len(told)
    assert not new.parked
    more = MoveBody()
    more.CopyFrom(told[-1])
    more.number, more.retold.last, more.move_id = 4, 4, "more"
    assert new.hear(more, issuer.standing).reason is Reason.RULE_BROKEN


def test_the_old_task_ends_and_what_it_started_is_not_started_again() -> None:
    """Its end is the issuer's word, which the old holder's node takes if it still hears it."""
    flow = FLOWS["W1"]
    issuer, holder = desks_of(flow, *["issue", "receive", "begin", "overdue", "supervise"])
    began = list(openings(flow, issuer.history(), issuer.node, ""))
    new = heir(holder)
    told = retold(issuer.history(), holder.node, new.node, issuer.now)
    assert began
    assert not list(openings(flow, told, issuer.node, ""))
    end = passed_over(issuer.history(), issuer.node, new.node, told[0].task, issuer.now)
    assert holder.hear(end, issuer.standing).fate is Fate.APPLIED
    assert holder.state() == PASSED_OVER
    assert flow.has_ended(holder.state())
    issuer.history().append(end)
    assert illegal_effects(issuer, issuer.now) == []
