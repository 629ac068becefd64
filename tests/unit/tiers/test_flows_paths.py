"""Each flow: the ways through it, and what becomes of moves that cross."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sync.errors import InputFault
from sync.reasons import Reason
from sync.values import Fate
from tests.unit.tiers.desks import FLOWS, Desk, desks_of, facts, forged, illegal_effects, settle, sides
from tests.unit.tiers.kit import CITY_STANDS, DISTRICT_STANDS, NATION_STANDS, PROVINCE_STANDS
from tiers.flows.check import IMPLIED
from tiers.flows.table import Party, Stands

PATHS: dict[str, tuple[str, str, str]] = {
    "a key task from draft to close": (
        "W1", "issue receive begin report submit approve close", "closed"
    ),
    "a key task with everything that may come between": (
        "W1",
        ("issue decline insist receive ask_extension refuse_extension ask_extension grant_extension split extend "
        "supervise remark submit return submit return submit approve close"),
        "closed",
    ),
    "a key task that is withdrawn while it is reviewed": ("W1", "issue receive begin submit withdraw", "withdrawn"),
    "a supervision from registration to close": ("W2", "issue sign begin report reply check close", "closed"),
    "a supervision that nobody had issued when the data came": ("W2", "lapse", "withdrawn"),
    "a supervision whose data comes": ("W2", "issue remedied sign reply close", "closed"),
    "a supervision that is suspended": (
        "W2", "issue sign ask_suspension grant_suspension resume extend reply return begin reply check close", "closed"
    ),
    "a supervision whose suspension is ended": (
        "W2", "issue sign remark ask_suspension grant_suspension recall withdraw", "withdrawn"
    ),
    "a supervision whose suspension is refused": (
        "W2",
        ("issue sign ask_suspension refuse_suspension ask_extension refuse_extension ask_extension grant_extension "
        "reply close"),
        "closed",
    ),
    "a case that is handed down": ("W3D", "accept begin direct mirror reply confirm", "closed"),
    "a case that goes back and forth": (
        "W3D",
        ("decline insist accept ask_extension refuse_extension ask_extension grant_extension extend remark reply "
        "return reply confirm"),
        "closed",
    ),
    "a case that is taken back": ("W3D", "accept withdraw", "withdrawn"),
    "a case that is brought up": ("W3U", "accept ask_more supply report advise file", "filed"),
    "a case that concerns another city": ("W3U", "accept direct mirror bring_up mirror advise file", "filed"),
    "a case that is not taken up": ("W3U", "decline ask_again decline file", "filed"),
    "a case that settled itself": ("W3U", "accept withdraw", "withdrawn"),
    "a policy that is read and signed for": ("W4", "remind read acknowledge require_report", "acknowledged"),
    "a policy that a new version replaces": ("W4", "read supersede", "superseded"),
    "a policy that is taken back": ("W4", "withdraw", "withdrawn"),
    "a report that is adopted": ("W5", "sign return resubmit pass adopt", "adopted"),
    "a report that is not adopted": ("W5", "sign pass reject", "not_adopted"),
    "a report that its author takes back": ("W5", "sign return withdraw", "withdrawn"),
    "an evaluation that is accepted": ("W6", "extend fill assess review pass settle accept archive", "archived"),
    "an evaluation that is corrected and appealed against": (
        "W6",
        "fill assess return refill review return refill review pass correct pass settle appeal amend archive",
        "archived",
    ),
    "an evaluation that is upheld": ("W6", "fill assess review pass settle appeal uphold archive", "archived"),
    "an evaluation that nobody answers": ("W6", "fill assess review pass settle lapse", "archived"),
    "an evaluation that is called off": ("W6", "fill withdraw", "withdrawn"),
    "onboarding grade by grade": (
        "W7",
        "ready confirm_network fault ready confirm_services ready confirm_data ready confirm_steady",
        "steady",
    ),
    "onboarding by evidence alone": (
        "W7", "reach_network reach_services reach_data observe observe renewed reach_steady renewed", "steady"
    ),
    "onboarding of who was suspended and left": ("W7", "ready reach_data held freed reach_network gone", "left"),
    "onboarding that goes back, is suspended and given up": (
        "W7", "ready return suspend resume leave keep leave release", "left"
    ),
    "an alarm of a city": ("W10", "seen change_level confirm report advise end file", "filed"),
    "an alarm that was none": ("W10", "confirm dismiss seen", "false_alarm"),
    "a code that is registered": ("W11", "return ask_again register", "registered"),
    "a code that becomes standard": ("W11", "promote", "promoted"),
    "a code that is given up": ("W11", "withdraw", "withdrawn"),
    "a reminder that the data answers": ("W9D", "again answer settle", "settled"),
    "a reminder that was none": ("W9D", "withdraw", "withdrawn"),
}  # fmt: skip


@pytest.mark.parametrize("case", PATHS)
def test_a_flow_is_walkable(case: str) -> None:
    """Both sides end with the same history, all of it counted, nothing pending."""
    name, moves, end = PATHS[case]
    issuer, holder = desks_of(FLOWS[name], *moves.split())
    assert [m.move for m in issuer.history()][1:] == moves.split()
    assert all(m.accepted for m in issuer.history())
    assert (issuer.state(), holder.state()) == (end, end)
    assert facts(issuer) == facts(holder)
    assert (holder.pending(), illegal_effects(issuer)) == ([], [])
    assert FLOWS[name].has_ended(end)


@pytest.mark.parametrize("name", FLOWS)
def test_every_move_of_a_flow_stands_in_a_path(name: str) -> None:
    """What no path has was never tried."""
    walked = {move for flow, moves, _ in PATHS.values() if flow == name for move in moves.split()}
    flow = FLOWS[name]
    assert walked | {flow.opening.name, *IMPLIED} == {rule.name for rule in flow.moves}


@pytest.mark.parametrize("name", FLOWS)
def test_only_the_issuer_ends_a_task_that_was_laid_on_another(name: str) -> None:
    """Nobody declares done what another asked for; only signing for a document is all that was asked."""
    flow = FLOWS[name]
    ends = {s.name for s in flow.states if s.final} - {"acknowledged"}
    if flow.stands is Stands.ABOVE:
        assert {rule.by for rule in flow.moves if rule.to in ends} == {Party.ISSUER}


CROSSINGS: dict[str, tuple[str, str, str, str, str, Reason]] = {
    "withdraw × submit": ("W1", "issue receive begin", "submit", "withdraw", "withdrawn", Reason.WITHDRAWN),
    "extend × submit": ("W1", "issue receive begin", "submit", "extend", "submitted", Reason.NONE),
    "overdue × submit": ("W1", "issue receive begin", "submit", "overdue", "submitted", Reason.NONE),
    "overdue × ask for extension": (
        "W1", "issue receive begin", "ask_extension", "overdue", "extension_asked", Reason.NONE
    ),
    "supervise × submit": ("W1", "issue receive begin", "submit", "supervise", "submitted", Reason.NONE),
    "withdraw × decline": ("W1", "issue", "decline", "withdraw", "withdrawn", Reason.WITHDRAWN),
    "approve × comment": ("W1", "issue receive begin submit", "comment", "approve", "approved", Reason.NONE),
    "withdraw × reply": ("W2", "issue sign", "reply", "withdraw", "withdrawn", Reason.WITHDRAWN),
    "what was missing comes × reply": ("W2", "issue sign", "reply", "remedied", "replied", Reason.NONE),
    "extend × reply": ("W2", "issue sign", "reply", "extend", "replied", Reason.NONE),
    "end suspension × resume": (
        "W2", "issue sign ask_suspension grant_suspension", "resume", "recall", "correcting", Reason.CROSSED
    ),
    "take back × close provisionally": ("W3D", "accept", "reply", "withdraw", "withdrawn", Reason.WITHDRAWN),
    "extend × close provisionally": ("W3D", "accept", "reply", "extend", "closed_provisionally", Reason.NONE),
    "take back × opinion": ("W3U", "accept", "advise", "withdraw", "withdrawn", Reason.WITHDRAWN),
    "progress × opinion": ("W3U", "accept", "advise", "report", "advised", Reason.NONE),
    "take back × direct": ("W3U", "accept", "direct", "withdraw", "withdrawn", Reason.WITHDRAWN),
    "supply × news of another city": ("W3U", "accept ask_more", "mirror", "supply", "coordinating", Reason.NONE),
    "return × news of another city": ("W3D", "accept reply", "mirror", "return", "returned", Reason.NONE),
    "take back × decline": ("W3U", "", "decline", "withdraw", "withdrawn", Reason.WITHDRAWN),
    "supersede × acknowledge": ("W4", "read", "acknowledge", "supersede", "superseded", Reason.WITHDRAWN),
    "remind × acknowledge": ("W4", "", "acknowledge", "remind", "acknowledged", Reason.NONE),
    "take back × adopt": ("W5", "sign pass", "adopt", "withdraw", "withdrawn", Reason.WITHDRAWN),
    "take back × return": ("W5", "sign", "return", "withdraw", "withdrawn", Reason.WITHDRAWN),
    "extend × fill in": ("W6", "", "fill", "extend", "filled", Reason.NONE),
    "call off × fill in": ("W6", "", "fill", "withdraw", "withdrawn", Reason.WITHDRAWN),
    "settle × correct": ("W6", "fill assess review pass", "correct", "settle", "settled", Reason.CROSSED),
    "file × appeal": ("W6", "fill assess review pass settle", "appeal", "lapse", "archived", Reason.CROSSED),
    "suspend × ready": ("W7", "", "ready", "suspend", "suspended", Reason.CROSSED),
    "by evidence × ready": ("W7", "", "ready", "reach_data", "delivering", Reason.CROSSED),
    "grade changed × ready": ("W7", "reach_data", "ready", "observe", "checking", Reason.NONE),
    "fault × ready": ("W7", "ready confirm_network", "ready", "fault", "checking", Reason.NONE),
    "find false × advise": ("W10", "", "advise", "dismiss", "false_alarm", Reason.WRONG_STATE),
    "confirm × advise": ("W10", "", "advise", "confirm", "handling", Reason.NONE),
    "file × seen": ("W10", "confirm end", "seen", "file", "filed", Reason.NONE),
    "give up × register": ("W11", "", "register", "withdraw", "withdrawn", Reason.WITHDRAWN),
    "settle × answer": ("W9D", "", "answer", "settle", "settled", Reason.CROSSED),
    "remind again × answer": ("W9D", "", "answer", "again", "answered", Reason.NONE),
}  # fmt: skip


@pytest.mark.parametrize("case", CROSSINGS)
def test_moves_that_cross_have_one_outcome(case: str) -> None:
    """Made by both sides at once: one state at both ends, and the holder's move kept, with its reason if it lost."""
    name, before, of_holder, of_issuer, end, reason = CROSSINGS[case]
    issuer, holder = desks_of(FLOWS[name], *before.split())
    holder.make(of_holder)
    issuer.make(of_issuer)
    settle(issuer, holder)
    assert (issuer.state(), holder.state()) == (end, end)
    crossed = holder.history()[-1]
    assert (crossed.move, Reason(crossed.reason), crossed.accepted) == (of_holder, reason, reason is Reason.NONE)
    assert facts(issuer) == facts(holder)
    assert holder.pending() == []


TWICE: dict[str, tuple[str, str, str, str]] = {
    "the upper tier returns twice": ("W1", "issue receive begin submit", "return", "correcting"),
    "the city returns to its county twice": ("W3D", "accept reply", "return", "returned"),
    "the upper tier asks for more twice": ("W3U", "accept", "ask_more", "more_asked"),
    "a report is returned twice": ("W5", "sign", "return", "returned"),
    "an evaluation is returned twice": ("W6", "fill assess", "return", "returned"),
    "a code is returned twice": ("W11", "", "return", "returned"),
    "the target declines twice": ("W1", "issue", "decline", "declined"),
}


@pytest.mark.parametrize("case", TWICE)
def test_two_returns_are_one(case: str) -> None:
    """The second is not made at the desk; one that arrives all the same is refused, and the first heard again is not
    counted again."""
    name, before, move, end = TWICE[case]
    flow = FLOWS[name]
    issuer, holder = desks_of(flow, *before.split())
    rule = flow.rule(move)
    assert rule is not None
    maker, other = (issuer, holder) if rule.by is Party.ISSUER else (holder, issuer)
    body = maker.make(move)
    with pytest.raises(InputFault) as told:
        maker.make(move)
    assert told.value.reason is Reason.WRONG_STATE
    if maker is holder:
        holder.post.append(forged(holder, move))
    settle(issuer, holder)
    assert other.hear(body, maker.standing).fate is Fate.APPLIED
    settle(issuer, holder)
    assert (issuer.state(), holder.state()) == (end, end)
    assert [m.move for m in issuer.history() if m.accepted].count(move) == 1
    assert facts(issuer) == facts(holder)


BRINGS_TOO_OFTEN: dict[str, tuple[str, str, str]] = {
    "a third extension of a key task": (
        "W1",
        "issue receive ask_extension refuse_extension ask_extension grant_extension",
        "ask_extension",
    ),
    "a third correction": ("W1", "issue receive begin submit return submit return submit", "return"),
    "a third extension of a supervision": (
        "W2",
        "issue sign ask_extension refuse_extension ask_extension grant_extension",
        "ask_extension",
    ),
    "a second suspension": ("W2", "issue sign ask_suspension refuse_suspension", "ask_suspension"),
    "a second appeal": ("W6", "fill assess review pass settle appeal amend", "appeal"),
    "a third return of a report": ("W5", "sign return resubmit return resubmit", "return"),
    "a second word that an alarm was seen": ("W10", "seen", "seen"),
    "a third request after it was declined twice": ("W3U", "decline ask_again decline", "ask_again"),
}


@pytest.mark.parametrize("case", BRINGS_TOO_OFTEN)
def test_what_may_be_done_so_often_is_not_done_once_more(case: str) -> None:
    """Neither at the desk nor, of the holder's moves, past it."""
    name, before, move = BRINGS_TOO_OFTEN[case]
    flow = FLOWS[name]
    issuer, holder = desks_of(flow, *before.split())
    rule = flow.rule(move)
    assert rule is not None
    maker = issuer if rule.by is Party.ISSUER else holder
    state = issuer.state()
    with pytest.raises(InputFault) as told:
        maker.make(move)
    assert told.value.reason is Reason.WRONG_STATE
    if maker is holder:
        holder.post.append(forged(holder, move))
        settle(issuer, holder)
        assert issuer.history()[-1].reason == Reason.WRONG_STATE
    assert issuer.state() == holder.state() == state


def test_a_supervision_is_suspended_for_a_year_at_the_most() -> None:
    """挂账: from the day of the move that grants it."""
    issuer, _ = desks_of(FLOWS["W2"], "issue", "sign", "ask_suspension")
    with pytest.raises(InputFault) as told:
        issuer.make("grant_suspension", {"until": "2027-09-25"})
    assert "at most 366 days ahead" in str(told.value)
    issuer.make("grant_suspension", {"until": "2027-09-20"})


def test_trap_8_a_case_closed_at_the_county_is_opened_again_by_the_city() -> None:
    """The county closes provisionally; the city's check returns it, and only the city's confirmation ends it."""
    flow = FLOWS["W3D"]
    city, county = Desk(CITY_STANDS, flow), Desk(DISTRICT_STANDS, flow)
    city.begin(county.node)
    settle(city, county)
    for move in ("accept", "begin", "reply"):
        county.make(move)
    settle(city, county)
    assert not flow.has_ended(county.state())
    with pytest.raises(InputFault):
        county.make("confirm")
    city.make("return")
    settle(city, county)
    assert county.state() == "returned"
    county.make("reply")
    settle(city, county)
    city.make("confirm")
    settle(city, county)
    assert city.state() == county.state() == "closed"
    assert [m.move for m in city.history() if m.move == "reply"] == ["reply", "reply"]


def test_trap_11_the_issuer_extends_while_the_target_submits() -> None:
    """The longer limit takes nothing away: what was submitted stands, and both ends hold both."""
    issuer, holder = desks_of(FLOWS["W1"], "issue", "receive", "begin")
    holder.make("submit")
    issuer.make("extend", {"due": "2026-12-01", "reason": "flood"})
    settle(issuer, holder)
    assert issuer.state() == holder.state() == "submitted"
    assert [(m.move, m.accepted) for m in holder.history()[-2:]] == [("extend", True), ("submit", True)]


LADDER = (NATION_STANDS, PROVINCE_STANDS, CITY_STANDS, DISTRICT_STANDS)


@pytest.mark.parametrize("name", ["W1", "W3D"])
def test_four_tiers_down_to_a_county(name: str) -> None:
    """A county is a profile as any other: each tier hands on to the next, and each ends when the one below has."""
    flow = FLOWS[name]
    pairs = [(Desk(upper, flow), Desk(lower, flow)) for upper, lower in pairwise(LADDER)]
    above = ""
    for level, (issuer, holder) in enumerate(pairs):
        task = f"task-{level}"
        issuer.begin(holder.node, {**issuer.fields, "part_of": above}, task)
        settle(issuer, holder)
        assert holder.history(task)[0].accepted
        above = task
    assert [holder.node for _, holder in pairs] == [stands.node for stands in LADDER[1:]]


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_goes_only_the_way_it_says(name: str) -> None:
    """Nobody lays a task on a node that stands where the flow does not say."""
    flow = FLOWS[name]
    upper, lower = sides(flow)
    with pytest.raises(InputFault) as told:
        Desk(lower, flow).begin(upper.node)
    assert told.value.reason is Reason.NOT_YOUR_MOVE
