"""One request: how large its body may be, how long it may take, and what becomes of what nobody caught.

ASGI middleware around everything, so that no route can forget it.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from node.faults import Code, UserFault
from node.http.problems import problem
from node.texts import N_

ANSWER_S: Final = 60.0
"""For a whole answer. One that never ends (changes) takes this bound off and bounds each of its writes."""
WRITE_S: Final = 30.0
"""For the peer to take what is written: who reads nothing is let go."""
DEADLINE: Final = "deadline"
"""Name in the request's state: an asyncio.Timeout."""


class Bounds:
    """Raises nothing: a failure is an answer, or the end of the connection where an answer has begun."""

    def __init__(self, app: ASGIApp, body_bytes_max: int, log: FilteringBoundLogger) -> None:
        self._app = app
        self._most = body_bytes_max
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI."""
        begun = late = False
        taken = 0

        async def take() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._most:
                raise too_large(self._most)
            return message

        async def give(message: Message) -> None:
            nonlocal begun, late
            begun = True
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
            try:
                async with asyncio.timeout(WRITE_S):
                    await send(message)
            except TimeoutError:
                late = True
                raise

        try:
            if _stated(scope) > self._most:
                raise too_large(self._most)
            async with asyncio.timeout(ANSWER_S) as deadline:
                scope["state"] = {**scope.get("state", {}), DEADLINE: deadline}
                await self._app(scope, take, give)
        except TimeoutError:
            self._log.info("http_too_slow", path=scope["path"])
            if not begun:
                await problem(_too_slow(), scope, 503)(scope, receive, send)
        except UserFault as fault:
            if not begun:
                answer = problem(fault, scope)
                answer.headers["connection"] = "close"  # what is left of the body is not read
                await answer(scope, receive, send)
        except Exception as error:
            if late:  # what starlette makes of it is an exception of another kind
                return
            # Its answer was given by Starlette; here it is told to whoever keeps the node.
            self._log.error("http_failed", path=scope["path"], exc_info=error)


def _stated(scope: Scope) -> int:
    """The size of the body by its header; 0 where it says none, for then it is counted."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def too_large(most: int) -> UserFault:
    """More came than may come."""
    return UserFault(
        Code.REQUEST_TOO_LARGE,
        N_("The request has more than {most} bytes."),
        N_("Send the rows in several requests, or raise `body_bytes_max` in node.toml under [http]."),
        most=most,
    )


def _too_slow() -> UserFault:
    return UserFault(
        Code.REQUEST_TOO_SLOW,
        N_("The answer was not ready within {seconds} s."),
        N_("Ask for less at a time, or try again later; a write with the same Idempotency-Key is not doubled."),
        seconds=int(ANSWER_S),
    )
