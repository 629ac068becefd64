"""The only reader of time and randomness. Everything else takes a Clock and a Randomness as arguments.

So the whole country runs under a virtual clock: the simulator passes its own Clock and a seeded Randomness.
"""

from __future__ import annotations

import datetime as dt
import random
import secrets
import time
from typing import Protocol

from sync.values import ID_BYTES

Octets = bytes
"""`bytes` under another name: `Randomness.bytes` would hide it in its own class."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_FIRST_US = (dt.datetime.min.replace(tzinfo=dt.UTC) - _EPOCH) // _MICROSECOND
_LAST_US = (dt.datetime.max.replace(tzinfo=dt.UTC) - _EPOCH) // _MICROSECOND


class Clock(Protocol):
    """Two clocks: one for people and stamps, one for measuring spans."""

    def now_us(self) -> int:
        """Microseconds since 1970 UTC. May jump when the system's clock is set."""
        ...

    def monotonic_us(self) -> int:
        """Microseconds since an arbitrary moment. Never goes back."""
        ...


class Randomness(Protocol):
    """Where unpredictable bytes come from."""

    def bytes(self, count: int) -> Octets:
        """`count` bytes fit for keys, tokens and nonces."""
        ...

    def jitter(self) -> float:
        """A number from 0 up to, not including, 1: for spreading retries, not for secrets."""
        ...


class SystemClock:
    """The machine's clocks."""

    __slots__ = ()

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def monotonic_us(self) -> int:
        return time.monotonic_ns() // 1_000


class SystemRandomness:
    """The operating system's generator for secrets; an ordinary one, seeded from it, for jitter."""

    __slots__ = ("_spread",)

    def __init__(self) -> None:
        self._spread = random.Random(secrets.randbits(64))  # noqa: S311 - spreads retries, guards nothing

    def bytes(self, count: int) -> Octets:
        return secrets.token_bytes(count)

    def jitter(self) -> float:
        return self._spread.random()


def new_id(randomness: Randomness) -> Octets:
    """A random id of 16 bytes: instance, epoch, boot, session."""
    return randomness.bytes(ID_BYTES)


def iso(us: int) -> str:
    """Microseconds since 1970 as '2026-11-22T13:24:00.000123Z'; before the year 1 or after 9999 the first or the last
    moment of the calendar: other nodes may say anything, and what they say has to be shown.
    """
    return (
        (_EPOCH + min(max(us, _FIRST_US), _LAST_US) * _MICROSECOND)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z")
    )


def file_stamp(us: int) -> str:
    """Microseconds since 1970 as '20261122T132400.000123Z', fit for a file name; it orders as time does."""
    return iso(us).replace("-", "").replace(":", "")
