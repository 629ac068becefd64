"""How long a child waits before it dials again: by scripted answers of its parent, without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import grpc
import pytest

from certs.verify import Identity
from node.link import dialler, options
from node.link.dialler import NEAR, WAIT_FIRST_S, WAIT_MAX_S, Dialler
from node.link.parent import Met
from node.link.pipe import LinkTrouble
from node.link.watch import Watch
from sync.errors import RemoteFault
from sync.reasons import Reason
from tests.unit.node_base.fakes import HandClock

KEY_HASH = b"k" * 32
GONE = grpc.StatusCode.UNAVAILABLE
REFUSED = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
WHEN: dict[str, dict[str, bool]] = {
    "while connecting": {"at_once": True},
    "not let in": {"at_once": False, "shut": True},
    "after it was open": {"at_once": False},
}
"""When a refusal comes."""
DOUBLED = [WAIT_FIRST_S * 2**n for n in range(20)]


class Answer(NamedTuple):
    """What one dial meets: a status before the session, or a session that heard something, or was closed for cause."""

    code: grpc.StatusCode | None = None
    heard: bool = False
    trouble: Reason = Reason.NONE
    at_once: bool = True
    """The status comes while connecting; else it ends a session in which nothing was said."""
    again: str = ""
    """What the parent says in `retry-after`."""
    mistake: str = ""
    """Of our own program, in the middle of the session."""
    shut: bool = False
    """The call is there, and not let in."""
    met: RemoteFault | OSError | None = None
    """What the look at the parent ends in, before the dial."""


class _Call:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def wait_for_connection(self) -> None:
        if self._answer.code is not None and self._answer.at_once:
            last = await self.trailing_metadata()
            raise grpc.aio.AioRpcError(self._answer.code, grpc.aio.Metadata(), last, "as the script says")

    async def initial_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata(*([] if self._answer.shut else [options.LET_IN]))

    async def code(self) -> grpc.StatusCode:
        return self._answer.code or GONE

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata(*([("retry-after", self._answer.again)] if self._answer.again else []))

    async def details(self) -> str:
        return "as the script says"

    def cancel(self) -> None:
        return None


class _Channel:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def stream_stream(self, method: str) -> Any:
        return lambda: _Call(self._answer)

    async def close(self) -> None:
        return None


class _Pipe:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.heard = asyncio.Event()

    def break_off(self, reason: Reason, detail: str) -> None:
        raise AssertionError(detail)

    async def run(self, stream: object, *, dialled: bool, transport_key_hash: bytes) -> LinkTrouble | None:
        assert transport_key_hash == KEY_HASH
        if self._answer.mistake:
            raise AssertionError(self._answer.mistake)
        if self._answer.heard:
            self.heard.set()
        return LinkTrouble(self._answer.trouble, "") if self._answer.trouble else None


class _Randomness:
    """Nearly the longest wait each time."""

    def bytes(self, count: int) -> bytes:
        return bytes(count)

    def jitter(self) -> float:
        return 1.0


class _World:
    """Board, channel, parent and time of one dialler."""

    node = "p330000.cn-test"
    address = "127.0.0.1:1"

    def __init__(self, script: Sequence[Answer]) -> None:
        self._script = list(script)
        self._now = Answer()
        self.clock = HandClock()
        self.waits: list[float] = []
        self.states: list[str] = []
        self.mistakes: list[str] = []

    async def meet(self) -> Met:
        if not self._script:
            raise asyncio.CancelledError
        self._now = self._script.pop(0)
        if self._now.met is not None:
            raise self._now.met
        nothing: Any = None
        return Met(Identity(self.node, KEY_HASH, 0, 1 << 60, b"", ()), nothing)

    def secure_channel(self, *_: object, **__: object) -> _Channel:
        return _Channel(self._now)

    def pipe(self, peer: str) -> _Pipe:
        return _Pipe(self._now)

    def release(self, pipe: object) -> None:
        return None

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.us += round(seconds * 1e6)


def waits(monkeypatch: pytest.MonkeyPatch, *script: Answer) -> list[float]:
    """The wait after each dial."""
    return played(monkeypatch, *script).waits


def played(monkeypatch: pytest.MonkeyPatch, *script: Answer) -> _World:
    world = _World(script)
    monkeypatch.setattr(dialler.grpc.aio, "secure_channel", world.secure_channel)
    board: Any = world
    made = Dialler(
        board,
        world,
        Watch(world.clock.now_us),
        world.clock,
        _Randomness(),
        lambda state, _: world.states.append(state),
        lambda error: world.mistakes.append(str(error)),
        world.sleep,
    )
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(made.run())
    assert not world._script
    return world


def test_the_wait_doubles_up_to_a_quarter_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the parent has not been away for long."""
    assert waits(monkeypatch, *[Answer(GONE)] * 6) == [0.05, 0.1, 0.2, 0.25, 0.25, 0.25]


def test_the_bound_rises_with_the_parents_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of a second in the first minute, a second in the first ten, then a minute, and never more."""
    found = waits(monkeypatch, *[Answer(GONE)] * 900)
    away = 0.0
    for wait in found:
        assert wait <= next((most for near, most in NEAR if away < near), WAIT_MAX_S)
        away = round(away + wait, 6)
    assert found == sorted(found)
    assert {0.25, 1.0, WAIT_MAX_S} == {w for w in found if found.count(w) > 1}


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("code", REFUSED)
def test_a_refused_child_goes_on_doubling_to_a_minute(
    monkeypatch: pytest.MonkeyPatch, code: grpc.StatusCode, when: str
) -> None:
    """From the start: in the first minute of refusals the parent hears of it a dozen times at most."""
    world = played(monkeypatch, *[Answer(code, **WHEN[when])] * 14)
    assert world.waits == [min(wait, WAIT_MAX_S) for wait in DOUBLED[:14]]
    assert set(world.states) - ({"connected"} if when == "after it was open" else set()) == {"refused"}
    dials, away = 0, 0.0
    for wait in world.waits:
        dials += away < 60
        away += wait
    assert dials <= 12


@pytest.mark.parametrize("reason", sorted(dialler.PATIENT_REASONS))
def test_so_does_one_that_is_refused_in_a_frame(monkeypatch: pytest.MonkeyPatch, reason: Reason) -> None:
    """The parent's words are no sign that it wants to be dialled again soon."""
    assert waits(monkeypatch, *[Answer(heard=True, trouble=reason)] * 12) == [min(w, 60.0) for w in DOUBLED[:12]]


def test_any_contact_resets_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """One frame heard is enough, however the session ended."""
    for contact in (Answer(heard=True), Answer(heard=True, trouble=Reason.MALFORMED)):
        found = waits(monkeypatch, *[Answer(GONE)] * 5, contact, Answer(GONE), Answer(GONE))
        assert found[4] == 0.25
        assert found[5] < 0.1
        assert found[6:] == [0.05, 0.1]


def test_a_parent_that_refused_and_is_then_away_is_looked_for_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience ends with the refusals: it may be restarting, with what was missing in its registry."""
    refused, gone = Answer(REFUSED[0]), Answer(GONE)
    assert waits(monkeypatch, *[refused] * 8, gone, gone)[7:] == [6.4, 0.25, 0.25]


@pytest.mark.parametrize("when", WHEN)
def test_a_full_parent_is_left_alone_for_as_long_as_it_asks(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """With jitter above that, so that all who were turned away do not come back at once; never more than a minute."""
    busy = grpc.StatusCode.RESOURCE_EXHAUSTED
    asked = [Answer(busy, again=again, **WHEN[when]) for again in ("5", "5", "3600")]
    assert waits(monkeypatch, *asked, Answer(GONE)) == [10.0, 10.0, WAIT_MAX_S, 0.4]


@pytest.mark.parametrize("again", ["", "-5", "5.5", "1e9", "９", "9" * 400, "soon"])
def test_what_is_no_number_of_seconds_asks_for_nothing(monkeypatch: pytest.MonkeyPatch, again: str) -> None:
    """The parent may say what it likes."""
    monkeypatch.setattr(_Call, "trailing_metadata", lambda _: _after(again))
    assert waits(monkeypatch, Answer(REFUSED[2]), Answer(REFUSED[2])) == [0.05, 0.1]


async def _after(again: str) -> grpc.aio.Metadata:
    return grpc.aio.Metadata(("retry-after", again))


def test_a_mistake_of_our_own_is_told_and_the_parent_is_dialled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that nobody told, and that never dials again, would look as if its parent were away."""
    world = played(monkeypatch, Answer(GONE), Answer(mistake="first"), Answer(mistake="second"), Answer(GONE))
    assert world.mistakes == ["first", "second"]
    assert world.waits == [WAIT_FIRST_S, WAIT_MAX_S, WAIT_MAX_S, WAIT_FIRST_S]


def test_a_parent_that_is_not_whom_it_should_be_is_not_dialled_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reason is told; one that nobody answers for is away, and looked for again soon."""
    other = Answer(met=RemoteFault(Reason.NOT_ENROLLED, "as the script says"))
    world = played(monkeypatch, *[other] * 8, Answer(met=ConnectionRefusedError()))
    assert world.states == [*["refused"] * 8, "unreachable"]
    assert world.waits[6:] == [3.2, 6.4, 0.25]


@pytest.mark.parametrize("turns", range(6))
def test_a_stop_ends_the_dialling_whatever_comes_at_the_same_moment(
    monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    """So many turns of the loop after the parent was met; a node that stops waits for its dialler."""
    world = _World([])
    monkeypatch.setattr(dialler.grpc.aio, "secure_channel", world.secure_channel)
    board: Any = world

    async def work() -> None:
        answered: asyncio.Future[Met] = asyncio.get_running_loop().create_future()

        async def meet() -> Met:
            return await answered

        world.meet = meet  # type: ignore[method-assign]
        watch = Watch(world.clock.now_us)
        told: Any = lambda *_: None  # noqa: E731
        made = Dialler(board, world, watch, world.clock, _Randomness(), told, told)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        nothing: Any = None
        answered.set_result(Met(Identity(world.node, KEY_HASH, 0, 1 << 60, b"", ()), nothing))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        assert task.cancelled()

    asyncio.run(work())
