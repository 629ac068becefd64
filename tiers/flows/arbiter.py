"""Judges moves that arrive: at the issuer's node as the arbiter, at the holder's as the other side.

What parks waits for something that is on its way (a move before it, an own move being recovered, a newer version of
the flow); what refuses has no effect for good. A move that was decided has no second effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sync.judge import Known, MoveJudgement, Signer
from sync.phrase import Phrase, as_phrase
from sync.reasons import Reason
from sync.values import Fate
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.passing import passed_id
from tiers.flows.steps import (
    HEARD_MAX,
    MADE_MAX,
    Fault,
    counted_at,
    counted_fault,
    counted_of,
    fields_of,
    is_being_retold,
    last_number,
    legal_fault,
    opening_fault,
    party_of,
    place_of,
    size_fault,
    state_of,
)
from tiers.flows.table import BEFORE, Flow, Party
from tiers.profile import PROFILES, profile_of


def judge_move(
    flows: Mapping[str, Flow], body: MoveBody, signer: Signer, known: Known, here: str, now: int
) -> MoveJudgement:
    """As sync.judge.Judge.move, with the arbiter's verdict in both `record` and `answers`."""
    fault = size_fault(body) or _side_fault(body, signer.node, here)
    if fault is not None:
        return _refused(fault)
    flow = flows.get(body.flow)
    if flow is None or flow.rule(body.move) is None:
        return _parked(Reason.UNKNOWN_FLOW, Phrase("move '{}' of flow '{}'", body.move, body.flow))
    history = known.task(body.task)
    if history and (history[0].issuer, history[0].holder, history[0].flow) != (body.issuer, body.holder, body.flow):
        return _refused(Fault(Reason.NOT_YOUR_MOVE, Phrase("the task has another issuer, holder or flow")))
    if body.HasField("retold"):
        return _as_successor(flow, body, signer, history, known, here)
    if here == body.issuer:
        return _as_arbiter(flow, body, history, now)
    return _as_holder(flow, body, signer, history, known.pending(body.task))


def _side_fault(body: MoveBody, sealer: str, here: str) -> Fault | None:
    """Who sealed it, who is told, and who is said to have made it must be the two sides of the task."""
    if body.HasField("retold"):
        # by whichever side goes on, to the successor of the other, which did itself nothing of it
        told = (
            body.number > 0
            and not body.by_node == body.retold.by_node == here
            and (body.accepted or body.verdict)
            and body.verdict is (body.by_node == body.holder)
        )
        if told and {sealer, here} == {body.issuer, body.holder} and body.by_node in (sealer, here):
            return None
        return Fault(Reason.NOT_YOUR_MOVE, Phrase("'{}' may not say this to '{}'", sealer, here))
    if here == body.issuer:
        # the holder proposes; numbers and verdicts are the arbiter's alone
        proposal = body.number == 0 and not (
            body.verdict or body.accepted or body.state or body.counted_at or body.due_at
        )
        if sealer == body.holder and body.by_node == sealer and proposal:
            return None
    elif here == body.holder and sealer == body.issuer:
        # the arbiter says moves of its own, and its verdicts on those of the holder
        author = here if body.verdict else sealer
        if body.number > 0 and body.by_node == author and (body.verdict or body.accepted):
            return None
    return Fault(Reason.NOT_YOUR_MOVE, Phrase("'{}' may not say this to '{}'", sealer, here))


def _as_arbiter(flow: Flow, body: MoveBody, history: Sequence[MoveBody], now: int) -> MoveJudgement:
    if not history or body.base > last_number(history) or is_being_retold(history):
        # only the arbiter makes tasks and numbers, so it is being restored and will hold them again
        return _parked(Reason.MISSING_DEPENDENCY, Phrase("move {} of task '{}'", body.base, body.task))
    decided = next((m for m in history if m.move_id == body.move_id), None)
    if decided is not None:
        return _again(decided, body)
    if len(history) >= HEARD_MAX:
        return _refused(Fault(Reason.LIMIT_EXCEEDED, Phrase("a task has at most {} moves", HEARD_MAX)))
    counted = counted_at(history, body, now)
    fault = _conflict(flow, body, history, counted)
    verdict = MoveBody()
    verdict.CopyFrom(body)
    verdict.counted_at = counted
    verdict.verdict, verdict.number, verdict.accepted = True, last_number(history) + 1, fault is None
    verdict.state = state_of(history)
    if fault is None:
        rule = flow.rule(body.move)
        assert rule is not None
        verdict.state = rule.after(verdict.state)
        return MoveJudgement(Fate.APPLIED, Reason.NONE, "", (verdict,), (verdict,))
    said = as_phrase(fault.detail)
    verdict.reason, verdict.detail = fault.reason, said.form
    verdict.arguments.extend(said.arguments)
    return MoveJudgement(Fate.REFUSED, fault.reason, fault.detail, (verdict,), (verdict,))


def _conflict(flow: Flow, body: MoveBody, history: Sequence[MoveBody], counted: int) -> Fault | None:
    """Why the arbiter refuses a move: it is not the holder's to make, crosses one of the issuer's, or is illegal.

    A holder's own earlier moves never cross its later ones: it knew them, and the state tells whether they held.
    """
    place = place_of(flow, history)
    fault = legal_fault(flow, place, body.move, Party.HOLDER, fields_of(body), counted)
    own = flow.rule(body.move)
    assert own is not None
    if own.stands or (fault is not None and fault.reason is not Reason.WRONG_STATE):
        return fault
    for later in history:
        rule = flow.rule(later.move)
        if later.number > body.base and party_of(later) is Party.ISSUER and not (rule and rule.quiet):
            return Fault(
                flow.refusal(place.state), Phrase("'{}' crossed '{}' (move {})", body.move, later.move, later.number)
            )
    return fault


def _as_holder(
    flow: Flow, body: MoveBody, signer: Signer, history: Sequence[MoveBody], pending: Sequence[MoveBody]
) -> MoveJudgement:
    last = last_number(history)
    if body.number <= last:
        held = next(m for m in history if m.number == body.number)
        return _again(held, body)
    if body.number > MADE_MAX[Party.ISSUER]:
        return _refused(Fault(Reason.LIMIT_EXCEEDED, Phrase("a task has at most {} moves", MADE_MAX[Party.ISSUER])))
    if body.number > last + 1:
        return _parked(Reason.MISSING_DEPENDENCY, Phrase("move {} of task '{}'", last + 1, body.task))
    if any(m.move_id == body.move_id for m in history):
        return _refused(Fault(Reason.RULE_BROKEN, Phrase("the move id is taken")))
    state = state_of(history)
    if state == BEFORE:
        fault = _issuer_fault(flow, body, signer)
        if fault is not None:
            return _refused(fault)
    if body.verdict:
        own = next((m for m in pending if m.move_id == body.move_id), None)
        if own is None:
            # the arbiter only answers what it was told: this node is being restored and will hold it again
            return _parked(Reason.MISSING_DEPENDENCY, Phrase("own move '{}'", body.move_id))
        if not _same_words(own, body):
            return _refused(Fault(Reason.NOT_YOUR_MOVE, Phrase("the verdict is on another move than this node made")))
    return _as_told(flow, body, history)


def _as_told(flow: Flow, body: MoveBody, history: Sequence[MoveBody]) -> MoveJudgement:
    """The next move of a history, decided elsewhere: by the same rules."""
    state = state_of(history)
    fault = counted_fault(history, body)
    if fault is not None:
        return _refused(fault)
    expected = state
    if body.accepted:
        fault = legal_fault(flow, place_of(flow, history), body.move, party_of(body), fields_of(body), counted_of(body))
        if fault is not None:
            return _refused(fault)
        rule = flow.rule(body.move)
        assert rule is not None
        expected = rule.after(state)
    if body.state != expected:
        return _refused(
            Fault(Reason.WRONG_STATE, Phrase("'{}' leads to '{}', not to '{}'", body.move, expected, body.state))
        )
    return MoveJudgement(Fate.APPLIED, Reason.NONE, "", (body,))


def _as_successor(
    flow: Flow, body: MoveBody, signer: Signer, history: Sequence[MoveBody], known: Known, here: str
) -> MoveJudgement:
    """A move of an old task, told again by the side that stays to who succeeded the other (tiers/flows/passing)."""
    last, told = last_number(history), body.retold
    if body.number <= last:
        return _again(next(m for m in history if m.number == body.number), body)
    if body.task != passed_id(told.task, body.issuer) or not body.number <= told.last <= MADE_MAX[Party.ISSUER]:
        return _refused(Fault(Reason.RULE_BROKEN, Phrase("'{}' is not told again as it must be", body.move)))
    if history and not is_being_retold(history):
        return _refused(Fault(Reason.RULE_BROKEN, Phrase("the task goes on here already")))
    if body.number > last + 1:
        return _parked(Reason.MISSING_DEPENDENCY, Phrase("move {} of task '{}'", last + 1, body.task))
    if told.by_node != body.by_node and not known.succeeds(body.by_node, told.by_node):
        return _parked(Reason.MISSING_DEPENDENCY, Phrase("that '{}' succeeds '{}'", body.by_node, told.by_node))
    if not history:
        profile = PROFILES.get(signer.profile) if signer.node == body.issuer else profile_of(here)
        fault = None if profile is None else opening_fault(flow, body.issuer, profile, body.holder, body.task)
        if fault is not None or profile is None:
            return _refused(fault or Fault(Reason.NOT_YOUR_MOVE, Phrase("'{}' is no node of a tier", body.issuer)))
    return _as_told(flow, body, history)


def _issuer_fault(flow: Flow, body: MoveBody, signer: Signer) -> Fault | None:
    profile = PROFILES.get(signer.profile)
    if profile is None:
        return Fault(Reason.NOT_YOUR_MOVE, Phrase("a node of profile '{}' does not issue {}", signer.profile, flow.id))
    return opening_fault(flow, body.issuer, profile, body.holder, body.task)


def _same_words(own: MoveBody, said: MoveBody) -> bool:
    """Whether a verdict repeats this node's move as it was made."""
    return (own.move, own.base, own.at, own.by_org, own.by_role, fields_of(own)) == (
        said.move,
        said.base,
        said.at,
        said.by_org,
        said.by_role,
        fields_of(said),
    )


def _again(held: MoveBody, body: MoveBody) -> MoveJudgement:
    """A move whose place is taken: the same one once more has no second effect, another one is refused."""
    if held.move_id != body.move_id or held.by_node != body.by_node or not _same_words(held, body):
        return _refused(Fault(Reason.RULE_BROKEN, Phrase("move {} of the task is another one", held.number)))
    told = (body.accepted, body.state, body.counted_at)
    if body.number and told != (held.accepted, held.state, held.counted_at):
        return _refused(Fault(Reason.RULE_BROKEN, Phrase("move {} was decided otherwise before", held.number)))
    return MoveJudgement(Fate.APPLIED, Reason.NONE, "")


def _refused(fault: Fault) -> MoveJudgement:
    return MoveJudgement(Fate.REFUSED, fault.reason, fault.detail)


def _parked(reason: Reason, detail: str) -> MoveJudgement:
    return MoveJudgement(Fate.PARKED, reason, detail)
