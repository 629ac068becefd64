"""What keeps strangers from filling the enrolment service: nonces and rates, both bounded. Times: monotonic, in us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from certs.proof import NONCE_BYTES
from node.clock import Randomness

NONCE_LIFE_US: Final = 120 * 1_000_000
NONCES_MAX: Final = 2_048
KEYS_MAX: Final = 4_096


class Nonces:
    """Nonces given out and not seen since: each good for one submission with its token, within two minutes."""

    def __init__(self, randomness: Randomness, most: int = NONCES_MAX) -> None:
        self._randomness = randomness
        self._most = most
        self._given: dict[bytes, tuple[str, int]] = {}

    def give(self, token: str, now: int) -> bytes:
        """A new nonce (32 bytes) for this token; b'' when too many are out."""
        self._expire(now)
        if len(self._given) >= self._most:
            return b""
        nonce = self._randomness.bytes(NONCE_BYTES)
        self._given[nonce] = (token, now + NONCE_LIFE_US)
        return nonce

    def take(self, token: str, nonce: bytes, now: int) -> bytes:
        """`nonce` itself if it was given out for this token and is not used or expired; else b''. It is used up."""
        self._expire(now)
        found = self._given.pop(nonce, None)
        return nonce if found is not None and found[0] == token else b""

    def _expire(self, now: int) -> None:
        """In order of giving out, which is the order of expiry."""
        while self._given:
            nonce, (_, until) = next(iter(self._given.items()))
            if until > now:
                return
            del self._given[nonce]


@dataclass(slots=True)
class _Bucket:
    left: float
    at: int


class Rates:
    """A token bucket per key: `burst` at once, then `per_s` a second. Full of keys, it lets no new ones in."""

    def __init__(self, burst: int, per_s: float, most: int = KEYS_MAX) -> None:
        self._burst = burst
        self._per_us = per_s / 1e6
        self._most = most
        self._buckets: dict[str, _Bucket] = {}

    def allows(self, key: str, now: int) -> bool:
        """Whether one more is allowed now; it counts at once."""
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._most:
                self._forget(now)
            if len(self._buckets) >= self._most:
                return False
            bucket = self._buckets[key] = _Bucket(float(self._burst), now)
        bucket.left = self._level(bucket, now)
        bucket.at = now
        if bucket.left < 1.0:
            return False
        bucket.left -= 1.0
        return True

    def _level(self, bucket: _Bucket, now: int) -> float:
        return min(float(self._burst), bucket.left + (now - bucket.at) * self._per_us)

    def _forget(self, now: int) -> None:
        """Buckets that are full again say no more than none at all."""
        self._buckets = {k: b for k, b in self._buckets.items() if self._level(b, now) < self._burst}
