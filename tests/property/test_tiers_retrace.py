"""A history told again from what both sides sealed is the one that both sides found, whatever happened on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.judge import Known, MoveJudgement, Signer
from sync.wire.v1.entry_pb2 import EntryHeader, MoveBody
from tests.unit.tiers.desks import TASK, W2, Desk, deliver, sides
from tests.unit.tiers.kit import CATALOGUE, CITY, CITY_STANDS, PROVINCE_STANDS, signer
from tiers.flows.retrace import Doubt, Outcome, Said, retrace
from tiers.judging import TierJudge

JUDGE = TierJudge(CATALOGUE)
HOUR_US = 3_600_000_000


class _Recorder:
    """A desk whose every sealed move is kept, as the log would."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.sealed: list[MoveBody] = []

    def seal(self) -> None:
        """What waits to be sent is sealed, in order."""
        fresh = [body for body in self.desk.post if not any(body is one for one in self.sealed)]
        self.sealed += fresh


def _judged(body: MoveBody, by: Signer, known: Known, here: str, now: int) -> MoveJudgement:
    return JUDGE.move(EntryHeader(), body, by, known, here, now)


def _said(recorder: _Recorder) -> list[Said]:
    by = signer(recorder.desk.standing)
    return [
        Said(MoveBody.FromString(body.SerializeToString()), by, place) for place, body in enumerate(recorder.sealed)
    ]


_SIDES = st.sampled_from(["issuer", "holder"])
_STEPS = st.lists(
    st.one_of(
        st.tuples(_SIDES, st.integers(0, 30)),
        st.tuples(st.just("post"), st.integers(0, 2)),
        st.tuples(st.just("clock"), st.integers(0, 1)),
    ),
    max_size=25,
)


def _step(issuer: Desk, holder: Desk, kind: str, what: int) -> None:
    """Something happens: a side makes a move that its screen offers, post goes one way or both, a clock runs ahead."""
    if kind == "clock":
        (issuer, holder)[what].now += HOUR_US
    elif kind == "post":
        for way, (sender, receiver) in enumerate(((issuer, holder), (holder, issuer))):
            if what in (way, 2):
                deliver(sender, receiver)
    elif kind == "issuer" or holder.history():
        (issuer if kind == "issuer" else holder).goes_on(what)


@pytest.mark.parametrize("name", sorted(CATALOGUE.flows))
@given(steps=_STEPS, at_rest=st.booleans())
def test_what_both_sides_found_is_found_again(name: str, steps: list[tuple[str, int]], at_rest: bool) -> None:
    """Of every flow; crossing moves, late ones, refused ones: the same numbers, outcomes and states, no objection."""
    flow = CATALOGUE.flows[name]
    issuer, holder = (Desk(standing, flow) for standing in sides(flow))
    both = (_Recorder(issuer), _Recorder(holder))
    issuer.begin(holder.node)
    happened = [*steps, *([("post", 2)] * 3 if at_rest else [])]
    for kind, what in happened:
        for recorder in both:
            recorder.seal()
        _step(issuer, holder, kind, what)
    for recorder in both:
        recorder.seal()
    found = retrace(_said(both[0]), _said(both[1]), _judged)
    decided = [step for step in found if step.outcome in (Outcome.ACCEPTED, Outcome.REFUSED)]
    assert [step.body for step in decided] == issuer.history(TASK)
    assert all(not step.doubts for step in decided), [step.doubts for step in decided]
    rest = [step for step in found if step not in decided]
    assert all({doubt for doubt, _ in step.doubts} == {Doubt.PENDING} for step in rest)
    if at_rest:
        assert not rest


@given(st.data())
def test_a_decision_against_the_rules_is_seen(data: st.DataObject) -> None:
    """An issuer that accepts what its table refuses, or gives another state, is found out by whoever asks the rules."""
    issuer, holder = Desk(PROVINCE_STANDS), Desk(CITY_STANDS)
    first, second = _Recorder(issuer), _Recorder(holder)
    issuer.begin(CITY)
    issuer.make("issue")
    first.seal()
    deliver(issuer, holder)
    holder.make("sign")
    second.seal()
    issuer.make("withdraw")
    first.seal()
    deliver(holder, issuer)
    first.seal()
    told, proposed = _said(first), _said(second)
    verdict = told[-1].body
    assert (verdict.move, verdict.accepted) == ("sign", False)
    if data.draw(st.booleans()):
        verdict.accepted, verdict.reason, verdict.detail = True, 0, ""
        verdict.state = data.draw(st.sampled_from([s.name for s in W2.states]))
    else:
        verdict.state = data.draw(st.sampled_from([s.name for s in W2.states if s.name != "withdrawn"]))
    doubts = {doubt for step in retrace(told, proposed, _judged) for doubt, _ in step.doubts}
    assert any(doubt.is_wrong for doubt in doubts)


def _signed_for() -> tuple[list[Said], list[Said]]:
    """A supervision that was signed for, as both sides sealed it."""
    issuer, holder = Desk(PROVINCE_STANDS), Desk(CITY_STANDS)
    first, second = _Recorder(issuer), _Recorder(holder)
    issuer.begin(CITY)
    issuer.make("issue")
    first.seal()
    deliver(issuer, holder)
    holder.make("sign")
    second.seal()
    deliver(holder, issuer)
    first.seal()
    return _said(first), _said(second)


def test_two_moves_under_one_id_are_seen() -> None:
    """What a holder sealed under an id that it had used stands there as what it is: without effect, and wrong."""
    told, proposed = _signed_for()
    other = MoveBody.FromString(proposed[0].body.SerializeToString())
    other.by_org = "another office"
    found = retrace(told, [*proposed, proposed[0], Said(other, proposed[0].signer, 9)], _judged)
    assert [(step.body.move, step.outcome) for step in found] == [
        ("register", Outcome.ACCEPTED),
        ("issue", Outcome.ACCEPTED),
        ("sign", Outcome.ACCEPTED),
        ("sign", Outcome.VOID),
    ]
    assert [[doubt for doubt, _ in step.doubts] for step in found] == [[], [], [], [Doubt.TWICE]]


def test_an_id_of_the_issuer_s_own_answers_no_move_of_the_holder() -> None:
    """A verdict answers; a move of the issuer's that happens to be called the same does not."""
    told, proposed = _signed_for()
    alike = MoveBody.FromString(proposed[0].body.SerializeToString())
    alike.move_id, alike.move = told[1].body.move_id, "comment"
    found = retrace(told, [*proposed, Said(alike, proposed[0].signer, 9)], _judged)
    assert (found[1].proposed, found[2].proposed) == (None, proposed[0])
    assert (found[-1].body.move, found[-1].told) == ("comment", None)
    assert [doubt for doubt, _ in found[-1].doubts] == [Doubt.PENDING]


def test_what_is_missing_of_the_numbers_is_named() -> None:
    """One number, or from which to which."""
    told, proposed = _signed_for()
    for number, missing in ((3, "2"), (5, "2-4")):
        told[2].body.number = number
        found = retrace([told[0], told[2]], proposed, _judged)
        assert (Doubt.GAP, missing) in [(doubt, str(words)) for doubt, words in found[1].doubts]
