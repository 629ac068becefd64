"""Coordination flows: forged, illegal, doubled and early moves, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sync.errors import InputFault
from sync.judge import MoveJudgement
from sync.limits import ARGUMENT_CHARACTERS_MAX, ARGUMENTS_MAX, ENTRY_BYTES_MAX, HEADER_BYTES_MAX
from sync.reasons import Reason
from sync.values import Fate
from sync.wire.v1.entry_pb2 import MoveBody, MoveField, MovePayload
from tests.unit.tiers.desks import FLOWS, START_US, TASK, W2, Desk, deliver, desks, facts, forged, settle, sides
from tests.unit.tiers.kit import (
    CITY,
    CITY_STANDS,
    DISTRICT,
    DISTRICT_STANDS,
    MUNICIPALITY,
    MUNICIPALITY_STANDS,
    NATION,
    NATION_STANDS,
    PROVINCE,
    PROVINCE_STANDS,
    KnownFake,
    signer,
)
from tiers.flows.arbiter import judge_move
from tiers.flows.consequences import started_id
from tiers.flows.fields import files_in
from tiers.flows.steps import MADE_MAX, MOMENT_MAX, legal_fault, place_of, size_fault
from tiers.flows.table import Party, Stands, Start

# --- what must not have effect ----------------------------------------------------------------------------------------

DECIDED_AGAINST = {
    "a move in the wrong state": ("reply", Reason.WRONG_STATE),
    "the issuer's move": ("close", Reason.NOT_YOUR_MOVE),
    "opening a task": ("register", Reason.NOT_YOUR_MOVE),
}


@pytest.mark.parametrize("case", DECIDED_AGAINST)
def test_an_illegal_move_is_refused_by_number_and_told(case: str) -> None:
    """The arbiter's refusal is a fact with a number on both sides, and the state stays."""
    move, reason = DECIDED_AGAINST[case]
    issuer, holder = desks("issue")
    holder.post.append(forged(holder, move))
    settle(issuer, holder)
    verdict = issuer.history()[-1]
    assert (verdict.number, verdict.verdict) == (3, True)
    assert (verdict.accepted, verdict.reason, verdict.state) == (False, reason, "issued")
    assert facts(issuer) == facts(holder)
    assert holder.pending() == []
    assert issuer.judged[-1].fate is Fate.REFUSED


def test_a_move_must_say_what_its_rule_asks_for() -> None:
    """An empty field is a missing one, at the desk and at the arbiter."""
    issuer, holder = desks("issue", "sign")
    with pytest.raises(InputFault) as told:
        holder.make("reply", {"result": "  "})
    assert told.value.reason is Reason.MISSING_FIELD
    body = forged(holder, "reply")
    del body.fields[:]
    holder.post.append(body)
    settle(issuer, holder)
    assert issuer.history()[-1].reason == Reason.MISSING_FIELD


HASHES = [f"{n:064x}" for n in range(21)]
NAMED = {
    "one": (HASHES[0], True),
    "with commas and blanks": (f"{HASHES[0]}, {HASHES[1]}\n{HASHES[2]}、{HASHES[3]}", True),
    "as many as may be": (",".join(HASHES[:20]), True),
    "one too many": (",".join(HASHES), False),
    "in capitals": ("AB" * 32, False),
    "too short": ("ab" * 31, False),
    "a path": ("../../store.db", False),
    "one good and one not": (f"{HASHES[0]},x", False),
}


@pytest.mark.parametrize("flow", sorted(FLOWS))
@pytest.mark.parametrize("case", NAMED)
def test_files_are_named_by_sha_256_in_every_flow(flow: str, case: str) -> None:
    """In any move, at the desk, and at the other side where a desk of another program let it through."""
    said, good = NAMED[case]
    by, to = sides(FLOWS[flow])
    issuer, holder = Desk(by, FLOWS[flow]), Desk(to, FLOWS[flow])
    fields = {**issuer.fields, "files": said}
    if good:
        issuer.begin(holder.node, fields)
        settle(issuer, holder)
        assert facts(issuer) == facts(holder)
        assert set(files_in(said)) <= set(HASHES)
        return
    with pytest.raises(InputFault) as told:
        issuer.begin(holder.node, fields)
    assert (told.value.reason, "'files'" in str(told.value)) == (Reason.RULE_BROKEN, True)
    body = issuer.begin(holder.node)
    body.fields.add(name="files", text=said)
    assert holder.hear(body, by).reason is Reason.RULE_BROKEN


NOT_HEARD: dict[str, tuple[Callable[[MoveBody], None], Reason]] = {
    "a number of one's own": (lambda b: setattr(b, "number", 3), Reason.NOT_YOUR_MOVE),
    "a verdict of one's own": (lambda b: setattr(b, "verdict", True), Reason.NOT_YOUR_MOVE),
    "in another's name": (lambda b: setattr(b, "by_node", PROVINCE), Reason.NOT_YOUR_MOVE),
    "for another holder": (lambda b: setattr(b, "holder", DISTRICT), Reason.NOT_YOUR_MOVE),
    "to a node that is no side": (lambda b: setattr(b, "issuer", NATION), Reason.NOT_YOUR_MOVE),
    "issuer and holder in one": (lambda b: setattr(b, "issuer", CITY), Reason.NOT_YOUR_MOVE),
    "its own move as accepted": (lambda b: setattr(b, "accepted", True), Reason.NOT_YOUR_MOVE),
    "a state of its own": (lambda b: setattr(b, "state", "signed"), Reason.NOT_YOUR_MOVE),
    "a limit of its own": (lambda b: setattr(b, "due_at", START_US), Reason.NOT_YOUR_MOVE),
    "a move id without end": (lambda b: setattr(b, "move_id", "x" * 65), Reason.TOO_LONG),
    "no move id": (lambda b: setattr(b, "move_id", ""), Reason.TOO_LONG),
    "a role without end": (lambda b: setattr(b, "by_role", "x" * 201), Reason.TOO_LONG),
    "a field without end": (lambda b: b.fields.append(MoveField(name="more", text="x" * 8_001)), Reason.TOO_LONG),
    "a time that no calendar has": (lambda b: setattr(b, "at", MOMENT_MAX + 1), Reason.RULE_BROKEN),
    "a time before all": (lambda b: setattr(b, "at", -1), Reason.RULE_BROKEN),
    "a field without a proper name": (lambda b: b.fields.append(MoveField(name="x y", text="x")), Reason.RULE_BROKEN),
    "a field twice": (lambda b: b.fields.append(MoveField(name="reason", text="x")), Reason.RULE_BROKEN),
}


@pytest.mark.parametrize("case", NOT_HEARD)
def test_what_is_not_a_proposal_of_the_holder_is_refused_without_a_verdict(case: str) -> None:
    """Forged or misshapen moves leave no trace in the task."""
    change, reason = NOT_HEARD[case]
    issuer, holder = desks("issue")
    body = forged(holder, "sign")
    change(body)
    judged = issuer.hear(body, CITY_STANDS)
    assert (judged.fate, judged.reason, judged.record, judged.answers) == (Fate.REFUSED, reason, (), ())
    assert len(issuer.history()) == 2


def _fill(body: MoveBody, count: int, letter: str = "x") -> None:
    """Fields of so many bytes in all, each as long as it may be."""
    texts = [letter * 8_000] * (count // (8_000 * len(letter.encode())))
    texts.append("x" * (count - sum(len(text.encode()) for text in texts)))
    body.fields.extend(MoveField(name=f"field_{place}", text=text) for place, text in enumerate(texts))


BOUNDS: dict[str, tuple[Callable[[MoveBody, int], object], int]] = {
    "the bytes of a task's id": (lambda b, n: setattr(b, "task", "x" * n), 64),
    "the bytes of a move's id": (lambda b, n: setattr(b, "move_id", "x" * n), 64),
    "the characters of a flow's name": (lambda b, n: setattr(b, "flow", "市" * n), 200),
    "the characters of a move's name": (lambda b, n: setattr(b, "move", "市" * n), 200),
    "the characters of a state": (lambda b, n: setattr(b, "state", "市" * n), 200),
    "the characters of an organisation": (lambda b, n: setattr(b, "by_org", "市" * n), 200),
    "the characters of a detail": (lambda b, n: setattr(b, "detail", "市" * n), 200),
    "arguments": (lambda b, n: b.arguments.extend(["x"] * n), ARGUMENTS_MAX),
    "the characters of an argument": (lambda b, n: b.arguments.append("市" * n), ARGUMENT_CHARACTERS_MAX),
    "fields": (lambda b, n: b.fields.extend(MoveField(name=f"f{i}") for i in range(n)), 64),
    "the bytes of all fields together": (_fill, 256 * 1_024),
    "the characters of a field": (lambda b, n: b.fields.append(MoveField(name="f", text="市" * n)), 8_000),
}


@pytest.mark.parametrize("case", BOUNDS)
def test_what_a_move_says_has_bounds(case: str) -> None:
    """So much, and not one more."""
    fill, most = BOUNDS[case]
    for count, good in ((most, True), (most + 1, False)):
        body = MoveBody(task="t", move_id="m")
        fill(body, count)
        fault = size_fault(body)
        assert (fault is None) is good
        assert fault is None or fault.reason is Reason.TOO_LONG


def test_the_longest_move_fits_into_an_entry() -> None:
    """As it is said, and as the verdict says it again: one that does not would hold up all that come behind it."""
    issuer, holder = desks("issue")
    body = forged(holder, "comment")
    del body.fields[:]
    body.fields.append(MoveField(name="text", text="x"))
    _fill(body, 256 * 1_024 - 1, "市")
    body.by_org = body.by_role = "市" * 200
    holder.post.append(body)
    settle(issuer, holder)
    verdict = issuer.history()[-1]
    assert verdict.accepted
    assert len(MovePayload(body=verdict).SerializeToString()) < ENTRY_BYTES_MAX - HEADER_BYTES_MAX
    assert facts(issuer) == facts(holder)


def test_a_proposal_counts_by_who_sealed_it() -> None:
    """A third node speaks neither in the holder's name nor in its own, in a task of others."""
    issuer, holder = desks("issue")
    body = forged(holder, "sign")
    for by_node in (CITY, DISTRICT):
        body.by_node = by_node
        judged = issuer.hear(body, DISTRICT_STANDS)
        assert (judged.fate, judged.reason) == (Fate.REFUSED, Reason.NOT_YOUR_MOVE)
    assert len(issuer.history()) == 2


def test_the_issuer_s_word_counts_by_who_sealed_it_and_whom_it_is_for() -> None:
    """Not what another says in the issuer's name, nor what is told to a node that is no side of the task."""
    issuer, holder = desks("issue", "sign")
    body = _next_fact(issuer, "withdraw")
    for here, by in ((holder, NATION_STANDS), (holder, CITY_STANDS), (Desk(DISTRICT_STANDS), PROVINCE_STANDS)):
        judged = here.hear(body, by)
        assert (judged.fate, judged.reason) == (Fate.REFUSED, Reason.NOT_YOUR_MOVE)
    issuer.hear(holder.make("reply"), CITY_STANDS)
    judged = holder.hear(issuer.post[-1], NATION_STANDS)
    assert (judged.fate, judged.reason) == (Fate.REFUSED, Reason.NOT_YOUR_MOVE)
    assert holder.state() == "signed"


def test_an_issuer_does_not_speak_for_the_holder() -> None:
    """What a holder may do, it does itself: its issuer says no more than a verdict on it."""
    issuer, holder = desks("issue", "sign")
    body = _next_fact(issuer, "extend")
    body.move, body.by_node, body.state = "reply", CITY, "replied"
    judged = holder.hear(body, PROVINCE_STANDS)
    assert (judged.fate, judged.reason) == (Fate.REFUSED, Reason.NOT_YOUR_MOVE)
    assert holder.state() == "signed"


def test_as_many_numbers_as_a_task_can_have_are_waited_for() -> None:
    """And none more: a gap that can never close is no gap."""
    issuer, holder = desks("issue")
    body = _next_fact(issuer, "extend")
    for number, fate in ((MADE_MAX[Party.ISSUER], Fate.PARKED), (MADE_MAX[Party.ISSUER] + 1, Fate.REFUSED)):
        body.number = number
        assert holder.hear(body, PROVINCE_STANDS).fate is fate


def test_a_fault_of_a_move_s_own_is_told_before_what_it_crossed() -> None:
    """Its author mends it the sooner; also where the state would not let it be made any more."""
    issuer, holder = desks("issue", "sign")
    body = forged(holder, "reply")
    del body.fields[:]
    issuer.make("withdraw")
    issuer.hear(body, CITY_STANDS)
    assert issuer.history()[-1].reason == Reason.MISSING_FIELD


def test_a_task_of_another_pair_cannot_be_entered() -> None:
    """A second issuer cannot use a known task's id."""
    _, holder = desks("issue")
    intruder = Desk(NATION_STANDS)
    judged = holder.hear(intruder.begin(CITY), NATION_STANDS)
    assert (judged.fate, judged.reason) == (Fate.REFUSED, Reason.NOT_YOUR_MOVE)


def test_a_newer_flow_or_move_is_waited_for() -> None:
    """What this version does not know is parked on either side."""
    issuer, holder = desks("issue")
    for name, word in (("flow", "W9"), ("move", "escalate")):
        body = forged(holder, "sign")
        setattr(body, name, word)
        judged = issuer.hear(body, CITY_STANDS)
        assert (judged.fate, judged.reason) == (Fate.PARKED, Reason.UNKNOWN_FLOW)


ISSUERS = {
    "a province to its city": (PROVINCE_STANDS, CITY, CITY_STANDS, True),
    "the nation to a city": (NATION_STANDS, CITY, CITY_STANDS, True),
    "the nation to a municipality": (NATION_STANDS, MUNICIPALITY, MUNICIPALITY_STANDS, True),
    "a city to its district": (CITY_STANDS, DISTRICT, DISTRICT_STANDS, True),
    "a province to a municipality": (PROVINCE_STANDS, MUNICIPALITY, MUNICIPALITY_STANDS, False),
    "a city to its province": (CITY_STANDS, PROVINCE, PROVINCE_STANDS, False),
    "a district to anyone": (DISTRICT_STANDS, CITY, CITY_STANDS, False),
}


@pytest.mark.parametrize("case", ISSUERS)
def test_who_may_issue_to_whom_follows_from_profile_and_tree(case: str) -> None:
    """Upper tier to lower, at the issuer's desk and at the holder's."""
    by, to, holder_stands, allowed = ISSUERS[case]
    desk, holder = Desk(by), Desk(holder_stands)
    body = MoveBody(flow="W2", task=TASK, move="register", move_id="m1", number=1, accepted=True, state="registered")
    body.issuer, body.by_node, body.holder = by.node, by.node, to
    body.fields.add(name="title", text="x")
    judged = holder.hear(body, by)
    assert (judged.fate is Fate.APPLIED) is allowed
    if allowed:
        assert desk.begin(to).number == 1
        return
    assert judged.reason is Reason.NOT_YOUR_MOVE
    with pytest.raises(InputFault) as told:
        desk.begin(to)
    assert told.value.reason is Reason.NOT_YOUR_MOVE


EITHER_WAY = {
    PROVINCE: True,
    NATION: True,
    DISTRICT: True,
    MUNICIPALITY: False,
    "c330200.p330000.cn-demo": False,
    "archive.cn-demo": False,
}


@pytest.mark.parametrize("holder", EITHER_WAY)
def test_a_flow_that_goes_either_way_goes_up_or_down_and_not_aside(holder: str) -> None:
    """Neither to a sibling, nor to a node whose id says no tier."""
    flow = replace(W2, stands=Stands.EITHER)
    if EITHER_WAY[holder]:
        assert Desk(CITY_STANDS, flow).begin(holder).holder == holder
        return
    with pytest.raises(InputFault) as told:
        Desk(CITY_STANDS, flow).begin(holder)
    assert told.value.reason is Reason.NOT_YOUR_MOVE


def test_a_tier_issues_only_the_flows_that_are_its_own() -> None:
    """A city stands above its district, and evaluates nobody: neither at its desk nor past it."""
    flow = FLOWS["W6"]
    city, district = Desk(CITY_STANDS, flow), Desk(DISTRICT_STANDS, flow)
    with pytest.raises(InputFault) as told:
        city.begin(DISTRICT)
    assert told.value.reason is Reason.NOT_YOUR_MOVE
    body = Desk(PROVINCE_STANDS, flow).begin(CITY)
    body.issuer = body.by_node = CITY
    body.holder = DISTRICT
    assert district.hear(body, CITY_STANDS).reason is Reason.NOT_YOUR_MOVE
    assert district.history() == []


def test_a_node_of_a_tier_that_is_not_known_here_issues_nothing() -> None:
    """What it may do is not known either."""
    body = Desk(PROVINCE_STANDS).begin(CITY)
    stranger = replace(signer(PROVINCE_STANDS), profile="regional")
    judged = judge_move(FLOWS, body, stranger, KnownFake(), CITY, START_US)
    assert (judged.fate, judged.reason) == (Fate.REFUSED, Reason.NOT_YOUR_MOVE)


def test_nobody_opens_a_task_under_the_id_that_another_node_will_give_one() -> None:
    """A city that is late knows the id of the supervision that its province will start, and what it follows from. Were
    it to open a case of its own under it, the supervision could never be made."""
    start = Start("overdue", "W2", {}, after=2)
    coming = started_id(PROVINCE, TASK, start)
    assert coming == started_id(PROVINCE, TASK, start) != started_id(NATION, TASK, start)
    case, city, province = FLOWS["W3U"], Desk(CITY_STANDS, FLOWS["W3U"]), Desk(PROVINCE_STANDS)
    with pytest.raises(InputFault) as told:
        city.begin(PROVINCE, task=coming)
    assert told.value.reason is Reason.NOT_YOUR_MOVE
    body = city.begin(PROVINCE, task="of-its-own")
    for task, fate in ((coming, Fate.REFUSED), (started_id(CITY, TASK, start), Fate.APPLIED)):
        body.task = task
        assert province.hear(body, CITY_STANDS).fate is fate
    assert (case.stands, province.history(coming)) == (Stands.BELOW, [])
    assert province.begin(CITY, task=coming).number == 1


@pytest.mark.parametrize("task", ["a/b", "..\\x", "a b", "a\nb", "\x1b[2J", "a\u202eb", "\u3000"])
def test_the_id_of_a_task_can_stand_in_an_address(task: str) -> None:
    """What nobody could ask for over HTTP, or read out, is no id: at the desk, nor past it."""
    with pytest.raises(InputFault) as told:
        Desk(PROVINCE_STANDS).begin(CITY, task=task)
    assert told.value.reason is Reason.RULE_BROKEN
    body = Desk(PROVINCE_STANDS).begin(CITY, task="督〔2026〕1号")
    body.task = task
    assert Desk(CITY_STANDS).hear(body, PROVINCE_STANDS).reason is Reason.RULE_BROKEN


def test_the_id_of_what_a_long_named_flow_starts_is_not_too_long() -> None:
    """A site may give its flows long names."""
    Desk(PROVINCE_STANDS).begin(CITY, task=started_id(PROVINCE, TASK, Start("overdue", "x_" + "a" * 40, {})))


def _next_fact(issuer: Desk, move: str) -> MoveBody:
    """The issuer's next move, taken from its post before it is sent."""
    issuer.make(move)
    body = MoveBody()
    body.CopyFrom(issuer.post.pop())
    return body


LIES: dict[str, tuple[Callable[[MoveBody], None], Reason]] = {
    "a state the move does not lead to": (lambda b: setattr(b, "state", "closed"), Reason.WRONG_STATE),
    "a move the table does not allow": (lambda b: setattr(b, "move", "close"), Reason.WRONG_STATE),
    "the holder's move as its own": (lambda b: setattr(b, "move", "report"), Reason.NOT_YOUR_MOVE),
    "the holder's move in the holder's name": (lambda b: setattr(b, "by_node", CITY), Reason.NOT_YOUR_MOVE),
    "an own move not accepted": (lambda b: setattr(b, "accepted", False), Reason.NOT_YOUR_MOVE),
    "no number": (lambda b: setattr(b, "number", 0), Reason.NOT_YOUR_MOVE),
    "a taken move id": (lambda b: setattr(b, "move_id", "p330000-1"), Reason.RULE_BROKEN),
}


@pytest.mark.parametrize("case", LIES)
def test_the_holder_checks_the_arbiter(case: str) -> None:
    """An arbiter can decide, not invent: what the table does not allow has no effect at the holder either."""
    change, reason = LIES[case]
    issuer, holder = desks("issue", "sign")
    body = _next_fact(issuer, "withdraw")
    change(body)
    judged = holder.hear(body, PROVINCE_STANDS)
    assert (judged.fate, judged.reason) == (Fate.REFUSED, reason)
    assert len(holder.history()) == 3


def test_a_verdict_on_what_this_node_did_not_say_has_no_effect() -> None:
    """A verdict on an unknown move waits (this node may be recovering); one that changes the words is refused."""
    issuer, holder = desks("issue")
    holder.make("sign")
    deliver(holder, issuer)
    verdict = issuer.post.popleft()
    invented = MoveBody()
    invented.CopyFrom(verdict)
    invented.move_id = "never-made"
    assert holder.hear(invented, PROVINCE_STANDS).fate is Fate.PARKED
    turned = MoveBody()
    turned.CopyFrom(verdict)
    turned.fields[0].text = "other words"
    judged = holder.hear(turned, PROVINCE_STANDS)
    assert (judged.fate, judged.reason) == (Fate.REFUSED, Reason.NOT_YOUR_MOVE)
    assert holder.hear(verdict, PROVINCE_STANDS).fate is Fate.APPLIED
    assert holder.state() == "signed"


# --- twice, late, out of a restore ------------------------------------------------------------------------------------


def _effect(judged: MoveJudgement) -> tuple[Fate, tuple[MoveBody, ...], tuple[MoveBody, ...]]:
    return judged.fate, judged.record, judged.answers


def test_the_same_move_twice_has_no_second_effect() -> None:
    """Proposals, facts and verdicts, accepted or refused, count once."""
    issuer, holder = desks("issue")
    sign = holder.make("sign")
    wrong = forged(holder, "resume")
    holder.post.append(wrong)
    settle(issuer, holder)
    assert [m.accepted for m in issuer.history()] == [True, True, True, False]
    for body in (sign, wrong):
        assert _effect(issuer.hear(body, CITY_STANDS)) == (Fate.APPLIED, (), ())
    for body in list(issuer.history()):
        assert _effect(holder.hear(body, PROVINCE_STANDS)) == (Fate.APPLIED, (), ())
    assert facts(issuer) == facts(holder)


def test_another_move_under_a_taken_id_or_number_is_refused() -> None:
    """Nothing that was decided can be said differently later."""
    issuer, holder = desks("issue", "sign")
    other = forged(holder, "begin", move_id=issuer.history()[2].move_id)
    assert issuer.hear(other, CITY_STANDS).reason is Reason.RULE_BROKEN
    for name, value in (("move_id", "new"), ("move", "withdraw"), ("state", "closed")):
        told = MoveBody()
        told.CopyFrom(issuer.history()[1])
        setattr(told, name, value)
        assert holder.hear(told, PROVINCE_STANDS).reason is Reason.RULE_BROKEN
    assert issuer.hear(other, CITY_STANDS).answers == ()
    echo = MoveBody()
    echo.CopyFrom(issuer.make("comment"))
    echo.by_node, echo.number, echo.counted_at, echo.accepted, echo.state = CITY, 0, 0, False, ""
    assert issuer.hear(echo, CITY_STANDS).reason is Reason.RULE_BROKEN


def test_what_is_missing_is_named_in_order_and_what_may_be_left_out_may_be_empty() -> None:
    """As a form is handed in: with all its fields, those that nobody filled in empty."""
    issuer = Desk(PROVINCE_STANDS)
    issuer.begin(CITY, {"title": "x", "due": "", "files": "", "level": ""})
    with pytest.raises(InputFault) as told:
        Desk(PROVINCE_STANDS, FLOWS["W3D"]).begin(CITY, {"urgency": "normal"})
    assert str(told.value.detail) == "'hand_down' must say each of these: title, requirement"
    issuer.make("issue", {"requirement": "x", "due": ""})
    for move, of in (("sign", "holder"), ("issue", "issuer")):
        rule = W2.rule(move)
        assert rule is not None
        party = Party.ISSUER if rule.by is Party.HOLDER else Party.HOLDER
        fault = legal_fault(W2, place_of(W2, issuer.history()), move, party, {}, 0)
        assert fault is not None
        assert str(fault.detail) == f"'{move}' is a move of the {of}"


def test_a_move_before_its_predecessor_waits_for_it() -> None:
    """Facts that arrive ahead are parked and applied when the gap is filled."""
    issuer, holder = desks()
    first, second = _next_fact(issuer, "issue"), _next_fact(issuer, "extend")
    judged = holder.hear(second, PROVINCE_STANDS)
    assert (judged.fate, judged.reason) == (Fate.PARKED, Reason.MISSING_DEPENDENCY)
    assert str(judged.detail) == "move 2 of task 'task-1'"
    assert holder.hear(first, PROVINCE_STANDS).fate is Fate.APPLIED
    assert facts(issuer) == facts(holder)


def test_an_arbiter_that_lost_its_tail_waits_until_it_has_it_back() -> None:
    """A move built on numbers that this restored arbiter does not hold, or of a task it lost, is parked."""
    issuer, holder = desks("issue")
    kept = list(issuer.history())
    body = holder.make("sign")
    for held, base in ((1, 2), (0, 2), (0, 0)):
        issuer.history()[:], body.base = kept[:held], base
        judged = issuer.hear(body, CITY_STANDS)
        assert (judged.fate, judged.reason) == (Fate.PARKED, Reason.MISSING_DEPENDENCY)
    body.base = 2
    issuer.history()[:] = kept
    issuer.parked.clear()
    assert issuer.hear(body, CITY_STANDS).fate is Fate.APPLIED


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "20261231", "2026-12-31T00:00", "2026-W53-4"])
def test_a_limit_is_a_date(text: str) -> None:
    """What is to be compared and sorted is one day written one way, at the desk and at the arbiter."""
    issuer, holder = desks("issue", "sign")
    with pytest.raises(InputFault) as told:
        holder.make("ask_suspension", {"reason": "frost", "until": text})
    assert (told.value.reason, "until" in str(told.value)) == (Reason.RULE_BROKEN, True)
    body = forged(holder, "ask_extension")
    del body.fields[:]
    body.fields.extend([MoveField(name="reason", text="frost"), MoveField(name="due", text=text)])
    holder.post.append(body)
    settle(issuer, holder)
    verdict = issuer.history()[-1]
    assert (verdict.accepted, verdict.reason, verdict.state) == (False, Reason.RULE_BROKEN, "signed")
    assert facts(issuer) == facts(holder)
