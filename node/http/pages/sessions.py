"""Who has signed in, and who tried in vain. In memory only: a restart signs everybody out.

Pure: time and randomness are arguments.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from hashlib import sha256
from typing import Final, NamedTuple

from node.clock import Randomness

LIFE_US: Final = 8 * 3_600_000_000
"""A working day."""
SESSIONS_MAX: Final = 500
SESSIONS_OF_A_TOKEN_MAX: Final = 20
TRIES_MAX: Final = 10
TRIES_WITHIN_US: Final = 5 * 60_000_000
TRIES_KEPT: Final = 1_000


class Session(NamedTuple):
    """One browser that has signed in. token: the public id of the token it showed. until_us: monotonic."""

    token: str
    until_us: int


class Sessions:
    """By the digest of what the cookie holds, oldest first. Of a token, and of all, the oldest go when there are too
    many."""

    def __init__(self) -> None:
        self._held: OrderedDict[bytes, Session] = OrderedDict()

    def open(self, token: str, now_us: int, randomness: Randomness) -> str:
        """What the cookie is to hold."""
        self._forget(now_us)
        secret = randomness.bytes(32).hex()
        of_token = [key for key, session in self._held.items() if session.token == token]
        for key in of_token[: max(0, len(of_token) + 1 - SESSIONS_OF_A_TOKEN_MAX)]:
            del self._held[key]
        while len(self._held) >= SESSIONS_MAX:
            self._held.popitem(last=False)
        self._held[_digest(secret)] = Session(token, now_us + LIFE_US)
        return secret

    def find(self, secret: str, now_us: int) -> Session | None:
        """The session of a cookie, if it lasts."""
        found = self._held.get(_digest(secret))
        return found if found is not None and now_us < found.until_us else None

    def close(self, secret: str) -> None:
        """Signs out."""
        self._held.pop(_digest(secret), None)

    def _forget(self, now_us: int) -> None:
        for key in [key for key, session in self._held.items() if now_us >= session.until_us]:
            del self._held[key]


class Tries:
    """Sign-ins that failed, by address. Of more than are kept the oldest are forgotten: nobody can lock others out."""

    def __init__(self) -> None:
        self._failed: deque[tuple[int, str]] = deque(maxlen=TRIES_KEPT)

    def too_many(self, address: str, now_us: int) -> bool:
        """Whether this address has to wait."""
        while self._failed and now_us - self._failed[0][0] >= TRIES_WITHIN_US:
            self._failed.popleft()
        return sum(one == address for _, one in self._failed) >= TRIES_MAX

    def failed(self, address: str, now_us: int) -> None:
        """One more in vain."""
        self._failed.append((now_us, address))


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()
