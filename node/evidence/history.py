"""A task's history as the file proves it: the moves of both sides in order, what is doubtful, who had seen which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from node.evidence.receipts import Signed, receipts_of
from node.evidence.result import DECIDED, Finding, Place, Result, Told, Witness
from node.evidence.sealed import MOVES_MAX, Sealed
from node.texts import N_, Text
from sync.days import hlc_us
from sync.judge import Judge, Known, MoveJudgement, Signer
from sync.phrase import Phrase
from sync.registry import Registry
from sync.wire.v1.entry_pb2 import EntryHeader, MoveBody
from sync.wire.v1.task_evidence_pb2 import TaskEvidenceBody
from tiers.flows.retrace import Doubt, Outcome, Said, Step, retrace

NUMBERS_LISTED: Final = 20


class Retold:
    """Puts the moves in order, and says of each what proves it and what it lacks."""

    def __init__(
        self, result: Result, registry: Registry, judge: Judge, sealed: Sealed, body: TaskEvidenceBody
    ) -> None:
        self._result = result
        self._registry = registry
        self._judge = judge
        self._moves = sealed.moves
        self._feeds = sealed.feeds
        self._body = body

    def tell(self) -> None:
        """Fills the result."""
        result = self._result
        first = next((m.body for m in self._moves if m.body.number), None)
        if first is None:
            result.lacks("no_moves", Text(N_("The file holds no move of the task that its issuer has numbered.")))
            self._missing(set())
            return
        result.issuer, result.holder, result.flow = first.issuer, first.holder, first.flow
        self._check_sides()
        steps = retrace(self._said(result.issuer), self._said(result.holder), self._judged, self._succeeds)
        result.moves = [self._told(step) for step in steps]
        result.state = next((s.body.state for s in reversed(steps) if s.outcome in DECIDED), "")
        lost = self._missing({step.body.number for step in steps if step.outcome in DECIDED})
        for step in steps:
            self._doubts(step, lost)
        self._witnessed()

    def _said(self, node: str) -> list[Said]:
        found = []
        for place, move in enumerate(self._moves):
            header = move.shown.header
            enrolment = self._registry.enrolment(header.origin, header.enrolment)
            if header.origin == node and enrolment is not None:
                found.append(Said(move.body, enrolment.signer, place))
        return found

    def _judged(self, body: MoveBody, signer: Signer, known: Known, here: str, now: int) -> MoveJudgement:
        return self._judge.move(EntryHeader(), body, signer, known, here, now)

    def _succeeds(self, node: str, predecessor: str) -> bool:
        return any(one.node == predecessor for one in self._registry.inherited(node))

    def _check_sides(self) -> None:
        """Both feeds are of the two sides, to each other."""
        issuer, holder = self._result.issuer, self._result.holder
        for feed in sorted({shown.feed for shown in self._feeds}):
            if (feed.origin, feed.addressee) not in ((issuer, holder), (holder, issuer)):
                text = N_("The feed {feed} is not between the issuer and the holder of the task.")
                self._result.wrong("foreign", Text(text, feed=str(feed)))

    def _told(self, step: Step) -> Told:
        def place(said: Said | None) -> Place | None:
            return None if said is None else self._moves[said.place].place

        return Told(step, place(step.told), place(step.proposed))

    def _missing(self, shown: set[int]) -> set[int]:
        """The numbers of the moves that the maker says it knows of and can no longer show."""
        said = [m for m in self._body.missing if m.number not in shown]
        lost = [m for m in said if not m.unsealed]
        numbers = [m.number for m in lost if m.number]
        if lost:
            text = N_("The maker no longer holds the sealed bytes of {count} moves ({numbers}): they were erased.")
            self._result.lacks("erased", Text(text, count=len(lost), numbers=_listed(numbers)), *numbers)
        if len(said) > len(lost):
            text = N_("{count} moves were not sealed yet when the file was made: they wait for a link.")
            self._result.lacks("unsealed", Text(text, count=len(said) - len(lost)))
        return set(numbers)

    def _doubts(self, step: Step, lost: set[int]) -> None:
        number, move = step.body.number, step.body.move
        for doubt, why in step.doubts:
            if doubt is Doubt.GAP and all(gone in lost for gone in _range(why)):
                continue  # the maker says so itself: it is told as erased
            form = _VOID if step.outcome is Outcome.VOID and doubt is Doubt.PENDING else _DOUBTS[doubt]
            text = Text(form, number=number, move=move, why=why)
            self._result.findings.append(Finding(doubt.value, doubt.is_wrong, text, (number,) if number else ()))

    # --- who had it, and when

    def _witnessed(self) -> None:
        receipts = receipts_of(self._result, self._body, self._registry, self._feeds)
        built_on = self._built_on()
        for told in self._result.moves:
            told.witnesses = sorted(self._witnesses(told, receipts, built_on), key=lambda one: one.at)
        unseen = [t.step.body.number for t in self._result.moves if t.step.outcome in DECIDED and not t.witnesses]
        if unseen:
            text = N_("Nothing in the file proves that the other side has received move {numbers}.")
            self._result.lacks("not_witnessed", Text(text, numbers=_listed(unseen)), *unseen)

    def _built_on(self) -> dict[int, Witness]:
        """By number of a move: the first of the holder's that was made in its knowledge."""
        numbers = {m.body.move_id: m.body.number for m in self._moves if m.body.number}
        # Nothing is counted up to a number that leaps.
        last = min(max((t.step.body.number for t in self._result.moves), default=0), MOVES_MAX)
        found: dict[int, Witness] = {}
        known = 0
        for move in self._moves:
            if move.shown.header.origin == self._result.holder and move.body.base > known:
                number = numbers.get(move.body.move_id, 0)
                seen = Witness(self._result.holder, hlc_us(move.shown.header.hlc), "built_on", number)
                found.update(dict.fromkeys(range(known + 1, min(move.body.base, last) + 1), seen))
                known = move.body.base
        return found

    def _witnesses(self, told: Told, receipts: list[Signed], built_on: dict[int, Witness]) -> Iterator[Witness]:
        """What the side that did not make the move has signed in its knowledge."""
        step, issuer, holder = told.step, self._result.issuer, self._result.holder
        if step.body.by_node == holder:
            if told.by_issuer is not None:
                yield Witness(issuer, told.by_issuer.sealed_at, "numbered", step.body.number)
        elif step.body.number in built_on:
            yield built_on[step.body.number]
        said = step.proposed if step.body.by_node == holder else step.told
        move = self._moves[said.place] if said is not None else None
        for one in receipts if move is not None else ():
            if move is not None and one.covers(move):
                yield Witness(one.by, one.at, "receipt")


_VOID: Final = N_("The holder's '{move}' could never be numbered: {why}")
_DOUBTS: Final = {
    Doubt.GAP: N_("Move {why} is missing before move {number}: something was taken out."),
    Doubt.TWICE: N_("Move {number} '{move}': {why}"),
    Doubt.RULE: N_("Move {number} '{move}' is not lawful: {why}"),
    Doubt.DECIDED_OTHERWISE: N_("Move {number} '{move}' was accepted against the rules of the flow: {why}"),
    Doubt.NOT_REPEATED: N_("Move {number} '{move}' was decided otherwise than this version would: {why}"),
    Doubt.UNKNOWN_FLOW: N_(
        "Move {number} '{move}': this version does not know the flow: its rules were not checked; the seals are good."
    ),
    Doubt.NOT_CHECKED: N_("Move {number} '{move}': its rules cannot be checked without what is missing."),
    Doubt.UNSEEN: N_("Move {number} '{move}': what its maker sealed is not in the file, only the issuer's word of it."),
    Doubt.PENDING: N_("The holder's '{move}' is not answered in the file: it is pending."),
}


def _range(gap: Phrase) -> range:
    """The numbers of a gap as retrace says them."""
    first, _, last = str(gap).partition("-")
    return range(int(first), int(last or first) + 1)


def _listed(numbers: Iterable[int]) -> str:
    listed = [str(number) for number in numbers if number]
    return ", ".join([*listed[:NUMBERS_LISTED], *(["…"] if len(listed) > NUMBERS_LISTED else [])]) or "-"
