"""A task's history told again from what both sides sealed: the rules of the issuer and of the holder, asked once more.

Each numbered move is judged as the holder's node would, each move of the holder as the arbiter would, in the order of
the numbers. So whoever holds the sealed moves finds what both nodes found, without either of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from sync.judge import Known, MoveJudgement, Signer
from sync.phrase import Phrase, as_phrase
from sync.reasons import Reason
from sync.values import Fate
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.steps import counted_of

Judging = Callable[[MoveBody, Signer, Known, str, int], MoveJudgement]
"""(move, who sealed it, what is known, at which node, when in µs) -> what becomes of it."""


_NOTHING = as_phrase("")


class Doubt(Enum):
    """What is wrong with a step (`is_wrong`), or what of it nothing proves."""

    GAP = "gap"
    TWICE = "twice"
    RULE = "rule"
    DECIDED_OTHERWISE = "decided_otherwise"
    NOT_REPEATED = "not_repeated"
    UNKNOWN_FLOW = "unknown_flow"
    NOT_CHECKED = "not_checked"
    UNSEEN = "unseen"
    PENDING = "pending"

    @property
    def is_wrong(self) -> bool:
        """Whether an honest issuer and holder could not have made it so."""
        return self in (Doubt.GAP, Doubt.TWICE, Doubt.RULE, Doubt.DECIDED_OTHERWISE)


class Said(NamedTuple):
    """A move as one side sealed it. `place` is the caller's own mark of its entry."""

    body: MoveBody
    signer: Signer
    place: int


class Outcome(Enum):
    """What became of a move, as its issuer said; VOID: it never was one that could be numbered."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    PENDING = "pending"
    VOID = "void"


@dataclass(slots=True)
class Step:
    """A move: what the issuer sealed of it, what the holder sealed of it, what became of it, and what is doubtful."""

    body: MoveBody
    told: Said | None
    proposed: Said | None
    outcome: Outcome
    doubts: list[tuple[Doubt, Phrase]] = field(default_factory=list)


class _Facts:
    """Implements sync.judge.Known for one task: its numbered moves so far, and the holder's not answered by then."""

    def __init__(self, succeeds: Callable[[str, str], bool]) -> None:
        self.succeeds = succeeds
        self.history: list[MoveBody] = []
        self.waiting: list[MoveBody] = []
        self.numbers: dict[int, MoveBody] = {}

    def add(self, body: MoveBody) -> None:
        """The next move of the history, which answers the holder's of its id."""
        self.waiting = [m for m in self.waiting if m.move_id != body.move_id]
        self.history.append(body)
        self.numbers[body.number] = body

    def codes(self, table: str) -> frozenset[str]:
        return frozenset()

    def task(self, task: str) -> Sequence[MoveBody]:
        return self.history

    def pending(self, task: str) -> Sequence[MoveBody]:
        return self.waiting


def retrace(
    told: Sequence[Said],
    proposed: Sequence[Said],
    judge: Judging,
    succeeds: Callable[[str, str], bool] = lambda node, predecessor: False,
) -> list[Step]:
    """The steps of a task by number, then what the holder sealed and nobody answered.

    told: of the issuer's feed, in its order; proposed: of the holder's. Every move is of the same task. succeeds: as
    sync.judge.Known.
    """
    facts = _Facts(succeeds)
    # What is told again to a successor who has the last word now comes from the holder.
    told = [*(said for said in proposed if said.body.number), *told]
    proposed = [said for said in proposed if not said.body.number]
    own, twice = _by_id(proposed)
    facts.waiting = [said.body for said in own.values()]
    steps = [step for said in told if (step := _numbered(said, own, facts, judge)) is not None]
    answered = {said.body.move_id for said in told if said.body.verdict}
    steps += [_unanswered(said, facts, judge) for move_id, said in own.items() if move_id not in answered]
    steps += [
        Step(said.body, None, said, Outcome.VOID, [(Doubt.TWICE, Phrase("a move id stands for two different moves"))])
        for said in twice
    ]
    return steps


def _by_id(proposed: Sequence[Said]) -> tuple[dict[str, Said], list[Said]]:
    """The holder's moves by their ids; and those that say another thing under an id that was used."""
    own: dict[str, Said] = {}
    twice = []
    for said in proposed:
        held = own.setdefault(said.body.move_id, said)
        if held.body != said.body:
            twice.append(said)
    return own, twice


def _numbered(said: Said, own: dict[str, Said], facts: _Facts, judge: Judging) -> Step | None:
    """None for what was said before, word by word."""
    body = said.body
    if facts.numbers.get(body.number) == body:
        return None
    proposal = own.get(body.move_id) if body.verdict else None
    outcome = Outcome.ACCEPTED if body.accepted else Outcome.REFUSED
    step = Step(body, said, proposal, outcome)
    last = facts.history[-1].number if facts.history else 0
    if body.number <= last:
        words = Phrase("number {} was given before, or the moves are not in order", body.number)
        step.doubts.append((Doubt.TWICE, words))
        step.outcome = Outcome.VOID
        return step
    if body.verdict and proposal is None and not body.HasField("retold"):
        step.doubts.append((Doubt.UNSEEN, _NOTHING))
        facts.waiting.append(body)  # what its maker sealed is not there: the issuer's words stand in for it
    if body.number > last + 1:
        numbers = f"{last + 1}" if body.number == last + 2 else f"{last + 1}-{body.number - 1}"
        step.doubts.append((Doubt.GAP, Phrase(numbers)))
        step.doubts.append((Doubt.NOT_CHECKED, _NOTHING))
    else:
        step.doubts += _rules(step, facts, judge)
    facts.add(body)
    return step


def _rules(step: Step, facts: _Facts, judge: Judging) -> list[tuple[Doubt, Phrase]]:
    """What the holder's node, and for the holder's moves the arbiter too, would object to."""
    assert step.told is not None
    # No later than the arbiter counted it: then its clock says the same again.
    at = counted_of(step.body)
    here = step.body.holder if step.told.signer.node == step.body.issuer else step.body.issuer
    judged = judge(step.body, step.told.signer, facts, here, at)
    doubt = _objection(judged)
    if doubt is not None or step.proposed is None:
        return [] if doubt is None else [doubt]
    again = judge(step.proposed.body, step.proposed.signer, facts, step.body.issuer, at)
    if not again.record:
        return [_objection(again) or (Doubt.NOT_REPEATED, Phrase("no verdict is found here"))]
    found = again.record[0]
    if (found.accepted, found.reason, found.state) == (step.body.accepted, step.body.reason, step.body.state):
        return []
    words = Phrase("'{}' is to be refused here: {}", found.move, again.detail)
    if step.body.accepted and not found.accepted:
        return [(Doubt.DECIDED_OTHERWISE, words)]
    return [(Doubt.NOT_REPEATED, Phrase("by the rules that are known here it is not refused for that reason"))]


def _objection(judged: MoveJudgement) -> tuple[Doubt, Phrase] | None:
    said = _phrase(judged)
    if judged.fate is Fate.PARKED:
        return (Doubt.UNKNOWN_FLOW if judged.reason is Reason.UNKNOWN_FLOW else Doubt.NOT_CHECKED), said
    if judged.fate is Fate.REFUSED and not judged.record:
        return Doubt.RULE, said
    return None


def _unanswered(said: Said, facts: _Facts, judge: Judging) -> Step:
    """A move of the holder that no verdict in the file is about."""
    judged = judge(said.body, said.signer, facts, said.body.issuer, said.body.at)
    if judged.fate is Fate.REFUSED and not judged.record:
        # the issuer's node tells that in its feed of refusals; the move never has a number
        return Step(said.body, None, said, Outcome.VOID, [(Doubt.PENDING, _phrase(judged))])
    return Step(said.body, None, said, Outcome.PENDING, [(Doubt.PENDING, _NOTHING)])


def _phrase(judged: MoveJudgement) -> Phrase:
    return as_phrase(judged.detail)
