"""The moves of a file as their origins sealed them: what of the chains holds, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from certs.suites import SUITES
from node.evidence.result import Place, Result
from node.texts import N_, Text
from node.texts.reasons import WORDS
from sync.days import hlc_us
from sync.errors import RemoteFault
from sync.phrase import as_phrase
from sync.reasons import Reason
from sync.registry import Registry
from sync.stretches import Flaw, Shown, ShownFeed, content_of, open_proof
from sync.values import MOVES, Kind, Route
from sync.wire.v1.entry_pb2 import MoveBody, MovePayload
from sync.wire.v1.task_evidence_pb2 import TaskEvidenceBody

MOVES_MAX: Final = 2_000
"""Of one task: telling a history again takes time by the square of its length."""
_FEED_CHARACTERS: Final = 200


class SealedMove(NamedTuple):
    """A move in its entry."""

    shown: Shown
    feed: ShownFeed
    body: MoveBody

    @property
    def place(self) -> Place:
        """The same for people and programs."""
        header, entry = self.shown.header, self.shown.entry
        name, at = str(self.feed.feed), hlc_us(header.hlc)
        return Place(name, header.epoch.hex(), header.seq, entry.header_hash.hex(), header.enrolment, at)


class Sealed(NamedTuple):
    """What holds of the moves' feeds: their entries, and the moves of the task among them."""

    feeds: list[ShownFeed]
    moves: list[SealedMove]


def moves_of(result: Result, body: TaskEvidenceBody, registry: Registry) -> Sealed:
    """The moves that are proved to be their origins'; what does not hold is told to `result`."""
    sealed = Sealed([], [])
    for proof in body.moves:
        shown = open_proof(proof, registry, SUITES)
        for flaw in shown.flaws:
            result.wrong("chain", flawed(flaw))
        if shown.feed.publication != MOVES or any(int(s.header.route) != Route.NODE for s in shown.entries):
            text = N_("The feed {feed} does not carry moves from one node to another.")
            result.wrong("foreign", Text(text, feed=str(shown.feed)[:_FEED_CHARACTERS]))
            continue
        sealed.feeds.append(shown)
        sealed.moves.extend(_of_task(result, body.task, shown))
    if len(sealed.moves) > MOVES_MAX:
        text = N_("The file holds {count} moves; more than {most} of one task are not looked at.")
        result.wrong("file", Text(text, count=len(sealed.moves), most=MOVES_MAX))
        sealed.moves.clear()
    return sealed


def _of_task(result: Result, task: str, shown: ShownFeed) -> Iterator[SealedMove]:
    """The moves whose bytes are there. Entries of other tasks stand there without theirs."""
    for one in shown.entries:
        if not one.held or int(one.header.kind) != Kind.MOVE:
            continue
        try:
            content = content_of(one)
        except RemoteFault as fault:
            result.wrong("chain", flawed(Flaw(shown.feed, one.header.seq, fault.reason, fault.detail)))
            continue
        if isinstance(content, MovePayload) and content.body.task == task:
            yield SealedMove(one, shown, content.body)
        else:
            text = N_("Entry {seq} of the feed {feed} is no move of this task.")
            result.wrong("foreign", Text(text, seq=one.header.seq, feed=str(shown.feed)[:_FEED_CHARACTERS]))


def flawed(flaw: Flaw) -> Text:
    """A flaw of a chain, in words."""
    said = why(flaw.reason, flaw.detail)
    return Text(N_("Feed {feed}, entry {seq}: {why}"), feed=str(flaw.feed)[:_FEED_CHARACTERS], seq=flaw.seq, why=said)


def why(reason: Reason, detail: str) -> Text:
    """A reason with its name, its title and what exactly."""
    words = "{name}: {title} ({detail})" if detail else "{name}: {title}"
    return Text(words, name=reason.name, title=Text(WORDS[reason].title), detail=as_phrase(detail))
