"""Dates and times as other systems write them."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.loading.dates import BadFormat, compile_format

LOS_ANGELES = zoneinfo.ZoneInfo("America/Los_Angeles")
SHANGHAI = zoneinfo.ZoneInfo("Asia/Shanghai")
NAIVE = dt.datetime.fromisoformat("1900-01-01T00:00:00")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
zones = st.sampled_from([LOS_ANGELES, SHANGHAI, zoneinfo.ZoneInfo("Asia/Urumqi"), zoneinfo.ZoneInfo("UTC")])


def us(moment: dt.datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (moment - EPOCH) // dt.timedelta(microseconds=1)


@given(
    st.datetimes(NAIVE, NAIVE.replace(year=9998)),
    zones,
    st.sampled_from(["%m/%d/%Y %I:%M:%S %p", "%Y-%m-%d %H:%M:%S", "%Y年%m月%d日 %H:%M:%S", "%d %b %Y %H:%M:%S", "iso"]),
)
def test_what_a_system_writes_is_read_back(moment: dt.datetime, zone: zoneinfo.ZoneInfo, form: str) -> None:
    """Writing a local time in a format and reading it gives the same moment; of an hour that occurs twice, the
    first.
    """
    local = moment.replace(microsecond=0, tzinfo=zone)
    text = local.replace(tzinfo=None).isoformat() if form == "iso" else local.strftime(form)
    text = text.zfill(len(text)) if form == "iso" else text
    assert compile_format(form).timestamp(text, zone) == us(local.astimezone(dt.UTC))
    assert compile_format(form).date(text) == local.date().isoformat()


@given(st.integers(us(dt.datetime(1900, 1, 1, tzinfo=dt.UTC)), us(dt.datetime(9998, 1, 1, tzinfo=dt.UTC))))
def test_stamps_with_their_own_offset(moment: int) -> None:
    """An offset in the text counts, not the mapping's zone; microseconds are kept."""
    local = (EPOCH + dt.timedelta(microseconds=moment)).astimezone(dt.timezone(dt.timedelta(hours=8)))
    form = compile_format("%Y-%m-%dT%H:%M:%S.%f%z")
    assert form.has_zone
    assert form.timestamp(local.strftime("%Y-%m-%dT%H:%M:%S.%f%z").zfill(31), LOS_ANGELES) == moment
    assert compile_format("iso").timestamp(local.isoformat(), LOS_ANGELES) == moment


@pytest.mark.parametrize(
    ("form", "text", "moment"),
    [
        ("unix", "1514793609", 1_514_793_609_000_000),
        ("unix", "1514793609.5", 1_514_793_609_500_000),
        ("unix", "-0.25", -250_000),
        ("unix_ms", "1514793609123", 1_514_793_609_123_000),
        ("%m/%d/%Y %I:%M:%S %p", "01/01/2018 12:00:09 AM", 1_514_793_609_000_000),
        ("%m/%d/%Y %I:%M:%S %p", "1/1/2018  12:00:09 am", 1_514_793_609_000_000),
        ("%Y-%m-%d %p%I:%M", "2018-01-01 下午12:05", us(dt.datetime(2018, 1, 1, 20, 5, tzinfo=dt.UTC))),
        ("%Y%m%d", "20180101", us(dt.datetime(2018, 1, 1, 8, tzinfo=dt.UTC))),
        ("%Y-%m-%dT%H:%M:%S%z", "2018-01-01T00:00:00Z", us(dt.datetime(2018, 1, 1, tzinfo=dt.UTC))),
        ("iso", "2018-01-01", us(dt.datetime(2018, 1, 1, 8, tzinfo=dt.UTC))),
        ("iso", "20180101T000000Z", us(dt.datetime(2018, 1, 1, tzinfo=dt.UTC))),
        ("iso", "2018-01-01 00:00:00.5+08:00", us(dt.datetime(2017, 12, 31, 16, tzinfo=dt.UTC)) + 500_000),
        ("100%% %Y-%m-%d", "100% 2018-01-01", us(dt.datetime(2018, 1, 1, 8, tzinfo=dt.UTC))),
    ],
)
def test_formats_seen_in_the_field(form: str, text: str, moment: int) -> None:
    """Seconds since 1970, twelve hours in English and Chinese, compact dates, literals."""
    assert compile_format(form).timestamp(text, LOS_ANGELES) == moment


def test_an_hour_that_never_was_and_one_that_was_twice() -> None:
    """A row is not lost over a change of clocks: the offset before the change is taken."""
    form = compile_format("%Y-%m-%d %H:%M")
    assert form.timestamp("2018-03-11 02:30", LOS_ANGELES) == us(dt.datetime(2018, 3, 11, 10, 30, tzinfo=dt.UTC))
    assert form.timestamp("2018-11-04 01:30", LOS_ANGELES) == us(dt.datetime(2018, 11, 4, 8, 30, tzinfo=dt.UTC))


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%Y-%m-%d", "2018-02-30"),
        ("%Y-%m-%d", "2018-02-03 "),
        ("%Y-%m-%d %H", "2018-02-03 24"),
        ("%Y-%m-%d %I %p", "2018-02-03 13 PM"),
        ("%Y-%m-%d %I %p", "2018-02-03 0 AM"),
        ("%d %b %Y", "1 Foo 2018"),
        ("%Y-%m-%d", "0000-01-01"),
        ("iso", "yesterday"),
        ("iso", "1791030511601"),
        ("iso", "20260101x10"),
        ("unix", "1e9"),
        ("unix_ms", ""),
        ("%Y-%m-%d%z", "0001-01-01+14:00"),
        ("%Y-%m-%d%z", "2018-01-01+99:00"),
    ],
)
def test_what_no_calendar_has_is_refused(form: str, text: str) -> None:
    """Dates that do not exist raise ValueError, whatever is wrong with them."""
    with pytest.raises(ValueError):
        compile_format(form).timestamp(text, dt.UTC)


def test_unix_names_no_calendar_day() -> None:
    """Seconds since 1970 are not a date as written."""
    with pytest.raises(ValueError):
        compile_format("unix").date("1514793609")


@pytest.mark.parametrize(
    "form",
    [
        "",
        "%Y",
        "%Y-%m",
        "%Y-%m-%d %I",
        "%Y-%m-%d %p",
        "%Y-%m-%d %H %I %p",
        "%Y-%Y-%m-%d",
        "%Y-%m-%b-%d",
        "%y-%m-%d",
        "%",
    ],
)
def test_formats_that_leave_the_moment_open_are_refused(form: str) -> None:
    """A format must name year, month and day once, and the half of the day if it has twelve hours."""
    with pytest.raises(BadFormat):
        compile_format(form)


@given(st.text(max_size=40), st.sampled_from(["iso", "unix", "unix_ms", "%Y-%m-%d %H:%M:%S.%f%z", "%d %b %Y"]))
def test_any_text_is_a_moment_or_a_value_error(text: str, form: str) -> None:
    """Nothing but ValueError ever comes out."""
    try:
        moment = compile_format(form).timestamp(text, SHANGHAI)
    except ValueError:
        return
    assert isinstance(moment, int)
