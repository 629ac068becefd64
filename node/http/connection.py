"""One connection: uvicorn's own protocol, with a bound on the time to say what it wants, and on how many there are.

uvicorn bounds the pause between two requests and nothing else of this: whoever sends a byte a second would keep a
connection for ever (its issue 157).
"""

from __future__ import annotations

import asyncio
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_READ_S: Final = 20.0
"""From the first byte of a request (or of the connection) to the last of its body."""
HEADER_BYTES_MAX: Final = 128 * 1024
"""Five texts of the longest kind, each character as twelve of an address."""
_SAID = (h11.DONE, h11.MUST_CLOSE, h11.CLOSED, h11.ERROR)


class BoundedConnection(H11Protocol):
    """Ends when a request is not whole in time; not let in where there are twice as many as are served."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        most = self.config.limit_concurrency or 0
        if len(self.connections) > 2 * most:
            transport.abort()  # up to here uvicorn answers 503
        self._arm()

    def data_received(self, data: bytes) -> None:
        """As asyncio.Protocol."""
        super().data_received(data)
        if self.conn.their_state in _SAID:
            self._disarm()
        else:
            self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio.Protocol."""
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_READ_S, self._late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        # Not close(): what is still to be written would wait for a peer that reads nothing.
        self.transport.abort()
