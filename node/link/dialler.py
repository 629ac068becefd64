"""The child's end of its link: dials the parent, and again with jitter when it is gone. Any contact resets the wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import grpc
from tenacity import AsyncRetrying, RetryCallState, TryAgain
from tenacity.wait import wait_base

from node.clock import Clock, Randomness
from node.link import options
from node.link.parent import Met
from node.link.switchboard import Switchboard
from node.link.watch import Watch
from sync.errors import RemoteFault
from sync.reasons import Reason

WAIT_FIRST_S = 0.05
WAIT_MAX_S = 60.0
NEAR = ((60.0, 0.25), (600.0, 1.0))
"""(while the parent has been away less than this, wait at most so long), seconds: a parent that restarts should not be
missed for long, and one connection attempt costs it next to nothing."""
CONTACT_TIMEOUT_S = 10.0
STATUS_TIMEOUT_S = 0.5
SECONDS_DIGITS_MAX = 6
PATIENT_REASONS = frozenset(
    {
        Reason.CLONE,
        Reason.NOT_ENROLLED,
        Reason.SUSPENDED,
        Reason.FEDERATION_MISMATCH,
        Reason.CERTIFICATE_NOT_REGISTERED,
        Reason.CERTIFICATE_REVOKED,
    }
)
"""Of refusals, by either side, once the session is open; before that, each comes as a status (`_REFUSALS`)."""

_REFUSALS = frozenset(
    {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.RESOURCE_EXHAUSTED}
)


class _Jittered(wait_base):
    """Doubles from 50 ms with jitter over the upper half, to a bound that rises with the parent's absence to 60 s.

    A parent that answers and refuses (`patient`) is left alone for longer from the start, and for as long as it asks
    (`asked_s`).
    """

    def __init__(
        self, randomness: Randomness, clock: Clock, patient: Callable[[], bool], asked_s: Callable[[], float]
    ) -> None:
        self._randomness = randomness
        self._clock = clock
        self._since_us = clock.monotonic_us()
        self._patient = patient
        self._asked_s = asked_s

    def __call__(self, state: RetryCallState) -> float:
        away_s = (self._clock.monotonic_us() - self._since_us) / 1e6
        most = WAIT_MAX_S if self._patient() else next((wait for near, wait in NEAR if away_s < near), WAIT_MAX_S)
        span = min(most, max(2 * self._asked_s(), WAIT_FIRST_S * 2 ** min(state.attempt_number - 1, 12)))
        return float(span * (0.5 + 0.5 * self._randomness.jitter()))


class _ClientStream:
    """A dialled call as pipe.Stream."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def read(self) -> bytes | None:
        got = await self._call.read()
        return None if got is grpc.aio.EOF else got

    async def write(self, frame: bytes) -> None:
        await self._call.write(frame)


class Neighbour(Protocol):
    """Whom to dial; as link.parent.Parent."""

    node: str
    address: str

    async def meet(self) -> Met:
        """Who answers, and credentials that let in nobody else. Raises RemoteFault, OSError."""
        ...


class Dialler:
    """Keeps one session with the parent alive until stopped."""

    def __init__(
        self,
        board: Switchboard,
        parent: Neighbour,
        watch: Watch,
        clock: Clock,
        randomness: Randomness,
        state: Callable[[str, str], None],
        mistaken: Callable[[Exception], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """state: told how the link stands, and why. mistaken: told of a mistake of ours; dialling goes on."""
        self._board = board
        self._parent = parent
        self._watch = watch
        self._clock = clock
        self._randomness = randomness
        self._state = state
        self._mistaken = mistaken
        self._sleep = sleep
        self._contact = False
        self._patient = False
        self._asked_s = 0.0

    async def run(self) -> None:
        """For ever; cancel it to stop."""
        while True:
            try:
                await self._until_contact()
            except Exception as error:
                # Without its parent a node works on: it need not end because this did.
                self._mistaken(error)
                await self._sleep(WAIT_MAX_S)

    async def _until_contact(self) -> None:
        """Dials until there was a session in which the parent said something."""
        self._contact = False
        wait = _Jittered(self._randomness, self._clock, lambda: self._patient, lambda: self._asked_s)
        async for attempt in AsyncRetrying(wait=wait, sleep=self._sleep):
            # Outside `with attempt`, which would swallow a cancellation as one more failure.
            await self._once()
            if self._contact:
                break
            with attempt:
                raise TryAgain
        await self._sleep(WAIT_FIRST_S * (0.5 + self._randomness.jitter()))

    async def _once(self) -> None:
        """One session, from dialling to its end."""
        self._patient, self._asked_s = False, 0.0
        try:
            # Not wait_for: up to Python 3.11 that swallows a cancellation which comes with the result.
            async with asyncio.timeout(CONTACT_TIMEOUT_S):
                met = await self._parent.meet()
        except RemoteFault as fault:
            self._patient = True
            self._state("refused", f"{fault.reason.name}: {fault.detail}")
        except OSError as error:  # a timeout and a fault of TLS are such too
            self._state("unreachable", str(error) or type(error).__name__)
        else:
            await self._session(met)

    async def _session(self, met: Met) -> None:
        name = self._parent.node
        channel = grpc.aio.secure_channel(self._parent.address, met.credentials, options=options.client(name))
        try:
            call: Any = channel.stream_stream(options.METHOD)()
            pipe = self._board.pipe(name)
            try:
                async with asyncio.timeout(CONTACT_TIMEOUT_S):
                    is_in = await options.let_in(call)
                if not is_in:
                    await self._ended(call, "unreachable")
                    return
                self._state("connected", "")
                with self._watch.over(pipe, met.identity):
                    trouble = await pipe.run(
                        _ClientStream(call), dialled=True, transport_key_hash=met.identity.key_hash
                    )
                self._patient = trouble is not None and trouble.reason in PATIENT_REASONS
                self._contact = pipe.heard.is_set() and not self._patient
                if trouble is not None:
                    self._state("closed", f"{trouble.reason.name}: {trouble.detail}")
                else:
                    await self._ended(call, "closed")
            finally:
                self._board.release(pipe)
                call.cancel()
        except grpc.aio.AioRpcError as error:
            self._failed(error.code(), error.details(), error.trailing_metadata(), "unreachable")
        except (TimeoutError, grpc.aio.UsageError) as error:
            self._state("unreachable", type(error).__name__)
        finally:
            await channel.close()

    async def _ended(self, call: Any, otherwise: str) -> None:
        """Nobody said in a frame why the session ended; the call may know. What writing raised first tells nothing."""
        try:
            async with asyncio.timeout(STATUS_TIMEOUT_S):
                code, details, last = await call.code(), await call.details(), await call.trailing_metadata()
        except TimeoutError:
            self._state("closed", "")
        else:
            self._failed(code, details, last, otherwise)

    def _failed(
        self, code: grpc.StatusCode, details: str | None, last: Iterable[tuple[str, Any]] | None, otherwise: str
    ) -> None:
        """The call failed: the parent refused it and said why, or the line is gone."""
        self._patient = code in _REFUSALS
        if self._patient:
            self._asked_s = _seconds(dict(last or ()).get(options.RETRY_AFTER))
        self._state("refused" if self._patient else otherwise, details or "")


def _seconds(said: object) -> float:
    """What a parent says in `options.RETRY_AFTER`; 0 for what is no such number."""
    digits = said if isinstance(said, str) and len(said) <= SECONDS_DIGITS_MAX else ""
    return float(digits) if digits.isascii() and digits.isdigit() else 0.0
