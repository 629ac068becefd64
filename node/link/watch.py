"""Sessions that are open, and for how long they may be: TLS asks once, at its handshake, and never again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from certs.verify import NONE_REVOKED, Identity, Revocations, check_current
from node.link.pipe import Pipe
from sync.errors import RemoteFault
from sync.reasons import Reason


class Watch:
    """Ends a session with its peer's certificate, or when that is revoked. Used in the asyncio loop."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._open: dict[Pipe, Identity] = {}
        self.revoked = NONE_REVOKED
        """What no longer counts, for who comes in and for who is in. Nothing brings a list yet."""

    def revoke(self, revoked: Revocations) -> None:
        """From now on this is what is revoked; the sessions that it concerns end at once."""
        self.revoked = revoked
        for pipe, identity in list(self._open.items()):
            self._look(pipe, identity)

    @contextmanager
    def over(self, pipe: Pipe, identity: Identity) -> Iterator[None]:
        """While this peer's session lasts."""
        life_s = max(0.0, (identity.not_after - self._now()) / 1e6)
        timer = asyncio.get_running_loop().call_later(
            life_s, pipe.break_off, Reason.CERTIFICATE_EXPIRED, f"the certificate of {identity.node} has run out"
        )
        self._open[pipe] = identity
        try:
            self._look(pipe, identity)
            yield
        finally:
            timer.cancel()
            del self._open[pipe]

    def _look(self, pipe: Pipe, identity: Identity) -> None:
        try:
            check_current(identity, self._now(), self.revoked)
        except RemoteFault as fault:
            pipe.break_off(fault.reason, fault.detail)
