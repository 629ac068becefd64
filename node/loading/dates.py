"""Dates and times as other systems write them -> microseconds since 1970 UTC, or ISO dates.

Our own reader of formats, because `strptime` depends on the server's language (AM/PM, month names) and is slow.
A local time that occurs twice (clocks set back) is taken as the first; one that never occurred (clocks set forward) is
taken with the offset before the change. A row is not lost over an hour.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final

ISO: Final = "iso"
UNIX: Final = "unix"
UNIX_MS: Final = "unix_ms"
EXCEL: Final = "excel"
EXCEL_1904: Final = "excel_1904"

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_FIRST: Final = -62_135_596_800_000_000
_LAST: Final = 253_402_300_799_999_999
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NOON: Final = {"am": 0, "上午": 0, "pm": 12, "下午": 12}
_PARTS: Final = {
    "Y": r"(?P<Y>\d{4})",
    "m": r"(?P<m>\d{1,2})",
    "b": r"(?P<b>[A-Za-z]{3})",
    "d": r"(?P<d>\d{1,2})",
    "H": r"(?P<H>\d{1,2})",
    "I": r"(?P<I>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})",
    "f": r"(?P<f>\d{1,6})",
    "p": r"(?P<p>[AaPp][Mm]|上午|下午)",
    "z": r"(?P<z>Z|[+-]\d{2}:?\d{2})",
}
_ISO: Final = re.compile(r"\d{4}-?\d{2}-?\d{2}(?:[Tt ].*)?", re.ASCII)
_DAYS: Final = re.compile(r"\d{1,7}(?:\.\d{1,20})?", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,18}(?:\.\d{1,9})?")


class Stamp(str):
    """A date or moment in ISO form that came as one, not as text: no format of a mapping is asked about it."""

    __slots__ = ()


class BadFormat(ValueError):
    """A date format that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class DateFormat:
    """One format: 'iso', 'unix' (seconds), 'unix_ms', 'excel' or 'excel_1904' (a spreadsheet's days), or a pattern of
    %Y %m %b %d %H %I %M %S %f %p %z and literals.
    """

    text: str
    pattern: re.Pattern[str] | None

    @property
    def has_zone(self) -> bool:
        """Whether a value says its own offset."""
        return self.text in (UNIX, UNIX_MS) or (self.pattern is not None and "z" in self.pattern.groupindex)

    def timestamp(self, text: str, zone: dt.tzinfo) -> int:
        """Microseconds since 1970 UTC, in the years 1 to 9999; `zone` is where the text was written.

        Raises ValueError.
        """
        us = self._microseconds(text, zone)
        if not _FIRST <= us <= _LAST:
            raise ValueError(text)
        return us

    def _microseconds(self, text: str, zone: dt.tzinfo) -> int:
        if self.text in (UNIX, UNIX_MS):
            return _unix(text, 1_000_000 if self.text == UNIX else 1_000)
        moment = self._moment(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        try:
            return (moment - _EPOCH) // _MICROSECOND
        except OverflowError as error:
            raise ValueError(text) from error

    def date(self, text: str) -> str:
        """The calendar date as written, 'YYYY-MM-DD'. Raises ValueError; also for 'unix', which names no calendar."""
        if self.text in (UNIX, UNIX_MS):
            raise ValueError(text)
        return self._moment(text).date().isoformat()

    def _moment(self, text: str) -> dt.datetime:
        if self.text in (EXCEL, EXCEL_1904):
            return _excel(text, self.text == EXCEL_1904)
        if self.pattern is None:
            # Python takes any character between date and time, and so a count of milliseconds for an old date.
            if _ISO.fullmatch(text) is None:
                raise ValueError(text)
            return dt.datetime.fromisoformat(text)
        found = self.pattern.fullmatch(text)
        if found is None:
            raise ValueError(text)
        return _build(found.groupdict())


def compile_format(text: str) -> DateFormat:
    """The format. Raises BadFormat."""
    if text in (ISO, UNIX, UNIX_MS, EXCEL, EXCEL_1904):
        return DateFormat(text, None)
    out: list[str] = []
    seen: list[str] = []
    for piece in re.findall(r"%.?|\s+|[^%\s]+", text):
        if piece.startswith("%"):
            out.append(_directive(piece[1:], seen))
        else:
            out.append(r"\s+" if piece.isspace() else re.escape(piece))
    _check(seen)
    return DateFormat(text, re.compile("".join(out)))


def _directive(letter: str, seen: list[str]) -> str:
    if letter == "%":
        return "%"
    if letter not in _PARTS:
        raise BadFormat(f"%{letter}: use %Y %m %b %d %H %I %M %S %f %p %z")
    if letter in seen:
        raise BadFormat(f"%{letter} stands twice")
    seen.append(letter)
    return _PARTS[letter]


def _check(seen: list[str]) -> None:
    """What a format must say for a moment to be clear."""
    if "Y" not in seen or "d" not in seen or ("m" in seen) == ("b" in seen):
        raise BadFormat("a format needs %Y, %d and one of %m, %b")
    if "H" in seen and "I" in seen:
        raise BadFormat("%H and %I exclude each other")
    if ("I" in seen) != ("p" in seen):
        raise BadFormat("%I and %p belong together")


def _build(parts: dict[str, str]) -> dt.datetime:
    """A moment from the parts of a match. Raises ValueError for what no calendar has."""
    month = _MONTHS.index(parts["b"].lower()) + 1 if "b" in parts else int(parts["m"])
    hour = int(parts.get("H", "0"))
    if "I" in parts:
        hour = int(parts["I"])
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + _NOON[parts["p"].lower()]
    moment = dt.datetime(  # noqa: DTZ001 - a zone follows below, or from the caller
        int(parts["Y"]),
        month,
        int(parts["d"]),
        hour,
        int(parts.get("M", "0")),
        int(parts.get("S", "0")),
        int(parts.get("f", "0").ljust(6, "0")),
    )
    return moment.replace(tzinfo=_offset(parts["z"])) if "z" in parts else moment


def _offset(text: str) -> dt.tzinfo:
    if text == "Z":
        return dt.UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return dt.timezone(dt.timedelta(minutes=minutes if text[0] == "+" else -minutes))


def _unix(text: str, scale: int) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(text)
    whole, _, part = text.partition(".")
    fraction = int(part.ljust(9, "0")[:9]) * scale // 1_000_000_000 if part else 0
    moment = abs(int(whole)) * scale + fraction
    return -moment if text.startswith("-") else moment


def _excel(text: str, from_1904: bool) -> dt.datetime:
    """The moment of a day number, to the millisecond. Raises ValueError; also for 29 February 1900, which Excel has
    and no calendar.
    """
    if _DAYS.fullmatch(text) is None:
        raise ValueError(text)
    days = float(text)
    first = dt.datetime(1904, 1, 1) if from_1904 else dt.datetime(1899, 12, 30)  # noqa: DTZ001 - local, as written
    if not from_1904 and days < 61:
        if not 1 <= days < 60:
            raise ValueError(text)
        first += dt.timedelta(days=1)
    try:
        return first + dt.timedelta(milliseconds=round(days * 86_400_000))
    except OverflowError as error:
        raise ValueError(text) from error
