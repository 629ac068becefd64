"""A submission's job with crashes between any two steps: enrolled and burnt, or neither."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from certs.enrol import InviteState, Outcome, Status
from certs.forms import new_key
from certs.invite import Approval, Invite, read_invite
from certs.logkey import LogKey
from certs.proof import make_submission
from node.engine import Engine
from node.enrol.jobs import AddJob, Answer, Issuer, SubmitJob
from node.enrol.service import make_issuer
from node.identity import NodeIdentity, read_home
from node.writer import Ticket
from sync.effects import Act, Reply
from sync.errors import InputFault
from sync.events import AnchorKnown
from sync.reasons import Reason
from sync.scope import Scope
from sync.values import REGISTRY, FeedName
from tests.unit.enrol.world import CLOCK, MUNICIPALITY, NATION, RANDOM, engine_of, municipal, running

NONCE = bytes(32)


class Crash(Exception):
    """The power goes."""


class Bench:
    """An engine in the test's own thread, that can be made to crash at its n-th step."""

    def __init__(self, home: Path) -> None:
        self.config, self.identity = read_home(home, CLOCK.now_us())
        self.said: list[Act] = []
        self.steps_left = -1
        self.engine: Engine = engine_of(home, self.config, self.identity, self.said.append, self._between)
        self.engine.step([AnchorKnown(self.identity.anchor)], CLOCK.now_us())
        self.loop = asyncio.new_event_loop()

    def close(self) -> None:
        self.engine.store.close()
        self.loop.close()

    def _between(self) -> None:
        self.steps_left -= 1
        if self.steps_left == 0:
            raise Crash

    def issuer(self) -> Issuer:
        return make_issuer(self.identity, self.config, RANDOM, lambda: self.engine.replica.core)

    def ticket(self) -> Ticket[Any]:
        return Ticket(self.loop)

    def do(self, make: Callable[[Ticket[Any]], Any]) -> object:
        """What a job's ticket is answered with."""
        ticket = self.ticket()
        self.said.clear()
        self.engine.step([make(ticket)], CLOCK.now_us())
        replies = [act for act in self.said if isinstance(act, Reply)]
        assert len(replies) == 1
        replies[0].token.resolve(replies[0].value)  # type: ignore[attr-defined] # tokens are Tickets and their like
        return ticket.future.exception() or ticket.future.result()

    def add(self, invite: Invite) -> None:
        core = self.engine.replica.core
        assert self.do(lambda t: AddJob(t, [invite], lambda: core, False, CLOCK.now_us())) is None

    def state(self, token: str) -> InviteState:
        kept = self.engine.store.invites.get(token)
        assert kept is not None
        return kept.state

    def items(self) -> int:
        return len(self.engine.store.outbox(FeedName(NATION, REGISTRY), 1 << 30, 1 << 20))


@pytest.fixture
def bench(country: Path) -> Iterator[Bench]:
    made = Bench(country / "nation")
    yield made
    made.close()


async def letter(country: Path, **wishes: object) -> Invite:
    async with running(country / "nation") as nation:
        made = await nation.invited(municipal(**wishes))
        await nation.invitations.withdraw(made.token)
    return read_invite(made.line, 0)


@pytest.fixture
def invite(country: Path) -> Invite:
    """An invite as the nation makes it, under another token than the one it keeps."""
    return replace(asyncio.run(letter(country)), token="a" * 32)


def submit(identity: NodeIdentity, issuer: Issuer, invite: Invite) -> Callable[[Ticket[Answer]], SubmitJob]:
    """A lawful submission by new keys."""
    made = make_submission(invite, NONCE, identity.own.fingerprint, new_key(), None, LogKey.generate())
    return lambda ticket: SubmitJob(ticket, issuer, made, NONCE, CLOCK.now_us())


def test_a_crash_at_any_step_leaves_all_or_nothing(invite: Invite, bench: Bench) -> None:
    """Token, record in the registry and its place in the outbox: one transaction."""
    bench.add(invite)
    submission = submit(bench.identity, bench.issuer(), invite)
    crashes = 0
    while True:
        bench.steps_left = crashes + 1
        try:
            answer = bench.do(submission)
        except Crash:
            crashes += 1
            bench.engine.rebuild()
            used = bench.state(invite.token).status is Status.USED
            known = bench.engine.replica.core.registry.newest(MUNICIPALITY) is not None
            assert (used, known, bench.items()) in ((False, False, 0), (True, True, 1))
            if used:
                break
            continue
        break
    assert crashes > 3
    bench.steps_left = -1
    answer = bench.do(submission)
    assert isinstance(answer, Answer)
    assert answer.decision.outcome is Outcome.AGAIN
    assert answer.issued
    assert bench.items() == 1
    assert bench.state(invite.token).invite.secret == b""


def test_a_record_that_cannot_count_burns_nothing(invite: Invite, bench: Bench) -> None:
    """An invite whose scope the registry refuses: the fault is told, and the token is as good as before."""
    bench.add(invite)
    wrong = InviteState(
        replace(invite, token="b" * 32, carrying=Scope.of("31*"), node="c310000.cn-test", parent=NATION)
    )
    bench.engine.store.begin()
    bench.engine.store.invites.add(wrong, 1)
    bench.engine.store.commit()
    core = bench.engine.replica.core
    newest = core.registry.newest(NATION)
    assert newest is not None
    # The nation may carry everything; here it may not, as a province may not beyond its own.
    core.registry._newest[NATION] = replace(newest, carrying=Scope.of("11*"))
    fault = bench.do(submit(bench.identity, bench.issuer(), wrong.invite))
    assert isinstance(fault, InputFault)
    assert fault.reason is Reason.OUT_OF_SCOPE
    assert bench.state(wrong.invite.token).status is Status.OPEN
    assert bench.items() == 0
    core.registry._newest[NATION] = newest
    answer = bench.do(submit(bench.identity, bench.issuer(), wrong.invite))
    assert isinstance(answer, Answer)
    assert answer.decision.outcome is Outcome.ENROL


def test_two_submissions_in_one_transaction(invite: Invite, bench: Bench) -> None:
    """The writer takes both in one batch; the second sees what the first did."""
    bench.add(invite)
    tickets = [bench.ticket(), bench.ticket()]
    jobs = [submit(bench.identity, bench.issuer(), invite)(t) for t in tickets]
    bench.said.clear()
    bench.engine.step(jobs, CLOCK.now_us())
    for act in bench.said:
        if isinstance(act, Reply):
            act.token.resolve(act.value)  # type: ignore[attr-defined] # as above
    outcomes = [t.future.result().decision.outcome for t in tickets]
    assert outcomes == [Outcome.ENROL, Outcome.REFUSE]
    assert bench.items() == 1


def test_pending_is_kept_before_it_is_said(invite: Invite, bench: Bench) -> None:
    """After a crash the first keys are still the first."""
    person = replace(invite, approval=Approval.PERSON)
    bench.add(person)
    first = submit(bench.identity, bench.issuer(), person)
    answer = bench.do(first)
    assert isinstance(answer, Answer)
    assert answer.decision.outcome is Outcome.PENDING
    bench.engine.rebuild()
    again, other = bench.do(first), bench.do(submit(bench.identity, bench.issuer(), person))
    assert isinstance(again, Answer)
    assert isinstance(other, Answer)
    assert (again.decision.outcome, other.decision.outcome) == (Outcome.PENDING, Outcome.REFUSE)
    assert bench.items() == 0
