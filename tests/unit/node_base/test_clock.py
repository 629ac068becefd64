"""The only reader of time and randomness."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from node.clock import SystemClock, SystemRandomness, file_stamp, iso, new_id


def test_clock_reads_microseconds_since_1970() -> None:
    """now_us is the present in microseconds, and monotonic_us never goes back."""
    clock = SystemClock()
    now = dt.datetime.now(dt.UTC).timestamp() * 1e6
    assert abs(clock.now_us() - now) < 60e6
    assert clock.monotonic_us() <= clock.monotonic_us()


def test_randomness_gives_bytes_and_jitter() -> None:
    """bytes() gives as many as asked, not twice the same; jitter stays in [0, 1)."""
    randomness = SystemRandomness()
    assert len(randomness.bytes(5)) == 5
    assert new_id(randomness) != new_id(randomness)
    assert all(0 <= randomness.jitter() < 1 for _ in range(100))


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_stamps_order_as_time_does(us: int) -> None:
    """iso() names the moment exactly, over the years 1 to 9999."""
    text = iso(us)
    moment = dt.datetime.fromisoformat(text)
    assert (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1) == us


def test_stamp_for_file_names() -> None:
    """A file stamp has no colon and no hyphen."""
    assert iso(0) == "1970-01-01T00:00:00.000000Z"
    assert file_stamp(0) == "19700101T000000.000000Z"


def test_a_moment_that_no_calendar_has_is_shown_as_its_first_or_last() -> None:
    """Whoever signed it may have said anything."""
    assert (iso(-(2**63)), iso(10**20)) == ("0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z")
