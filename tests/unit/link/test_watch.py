"""Who is in leaves with what let him in: his certificate's end, or a list of what is revoked that names it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from certs.verify import Identity, Link, Revocations
from node.link.watch import Watch
from sync.reasons import Reason
from tests.unit.node_base.fakes import HandClock

KEY, CA_KEY, ROOT_KEY = b"k" * 32, b"c" * 32, b"r" * 32
DAY_US = 86_400_000_000


class _Pipe:
    """Remembers why it was ended."""

    def __init__(self) -> None:
        self.ended: list[Reason] = []

    def break_off(self, reason: Reason, detail: str) -> None:
        assert detail
        self.ended.append(reason)


def _identity(clock: HandClock, days: int = 90) -> Identity:
    path = (Link(CA_KEY, 7, KEY), Link(ROOT_KEY, 2, CA_KEY))
    return Identity("c330100.p330000.cn-test", KEY, 0, clock.us + days * DAY_US, b"f" * 32, path)


@pytest.mark.parametrize(
    "revoked",
    [
        Revocations(keys={KEY}),
        Revocations(keys={CA_KEY}),
        Revocations(serials={(CA_KEY, 7)}),
        Revocations(serials={(ROOT_KEY, 2)}),
    ],
    ids=["its key", "its CA's key", "its number", "its CA's number"],
)
def test_a_list_ends_the_session_that_it_names_at_once(revoked: Revocations) -> None:
    """And no other; one that begins later ends at once too."""

    async def work() -> None:
        clock = HandClock()
        watch = Watch(clock.now_us)
        pipe: Any = _Pipe()
        with watch.over(pipe, _identity(clock)):
            watch.revoke(Revocations(keys={b"x" * 32}, serials={(CA_KEY, 8)}))
            assert pipe.ended == []
            watch.revoke(revoked)
            assert pipe.ended == [Reason.CERTIFICATE_REVOKED]
        late: Any = _Pipe()
        with watch.over(late, _identity(clock)):
            assert late.ended == [Reason.CERTIFICATE_REVOKED]

    asyncio.run(work())


def test_a_session_that_is_over_is_left_alone() -> None:
    """Nothing of it is kept."""

    async def work() -> None:
        clock = HandClock()
        watch = Watch(clock.now_us)
        pipe: Any = _Pipe()
        with watch.over(pipe, _identity(clock)):
            pass
        watch.revoke(Revocations(keys={KEY}))
        assert pipe.ended == []

    asyncio.run(work())


def test_one_that_has_run_out_between_the_door_and_the_session_ends() -> None:
    """The clock moved while it was verified."""

    async def work() -> None:
        clock = HandClock()
        watch = Watch(clock.now_us)
        pipe: Any = _Pipe()
        identity = _identity(clock, days=1)
        clock.us += 2 * DAY_US
        with watch.over(pipe, identity):
            assert pipe.ended == [Reason.CERTIFICATE_EXPIRED]

    asyncio.run(work())
