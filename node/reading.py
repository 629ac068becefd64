"""Files and texts that a person hands in: whole, within a bound and in an encoding that is known, or not at all.

Part of one, or something put in the place of what cannot be read, would go out as if somebody had written it.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import BinaryIO

from node.faults import Code, UserFault
from node.texts import N_

STDIN = "-"
UTF8 = ("utf-8-sig",)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def bytes_of(file: str | Path, most: int, too_large: str = N_("Check that this is the right file.")) -> bytes:
    """The bytes of a file, or of stdin for '-'. `too_large`: what to do about more than `most` of them.

    Raises OSError; UserFault FILE_UNREADABLE for too many, BAD_ARGUMENT where there is no stdin.
    """
    if file == STDIN:
        content = _stdin().read(most + 1)
    else:
        with Path(file).open("rb") as source:
            content = source.read(most + 1)
    if len(content) > most:
        message = N_("{file} is larger than {most} bytes.")
        raise UserFault(Code.FILE_UNREADABLE, message, too_large, file=file, most=most)
    return content


def text_of(
    file: str | Path,
    most: int,
    too_large: str = N_("Check that this is the right file."),
    encodings: tuple[str, ...] = UTF8,
) -> str:
    """The text of a file, or of stdin for '-', in the first of the encodings that fits.

    Raises as `bytes_of`; UserFault FILE_ENCODING that names the line where none fits, by the last of them.
    """
    content = bytes_of(file, most, too_large)
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            place = error.start
    raise UserFault(
        Code.FILE_ENCODING,
        N_("{file} is not {encodings} text (line {line})."),
        N_("Save the file as UTF-8; some editors write GBK unless told otherwise."),
        file=file,
        encodings=", ".join(encoding.removesuffix("-sig").upper() for encoding in encodings),
        line=content.count(b"\n", 0, place) + 1,
    )


def _stdin() -> BinaryIO:
    """Raises UserFault BAD_ARGUMENT when whoever started the program has closed it."""
    if sys.stdin is None:
        todo = N_("Give a file, or send the text into the command through a pipe.")
        raise UserFault(Code.BAD_ARGUMENT, N_("There is nothing to read: stdin is closed."), todo)
    return sys.stdin.buffer


def day_of(said: str) -> str:
    """A day as year-month-day. Raises UserFault BAD_ARGUMENT for what is none."""
    try:
        return dt.date.fromisoformat(said).isoformat()
    except ValueError:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{value}' is not a date."),
            N_("Write it as year-month-day: 2020-12-31."),
            value=said,
        ) from None


def moment_of(said: str, zone: dt.tzinfo) -> int:
    """A day and time in microseconds since 1970, of `zone` unless it names another; a day alone is its beginning.

    Raises UserFault BAD_ARGUMENT for what is none.
    """
    try:
        at = dt.datetime.fromisoformat(said)
        return (at.replace(tzinfo=at.tzinfo or zone) - _EPOCH) // dt.timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{value}' is not a day and time."),
            N_("Write it as 2026-09-29T16:00."),
            value=said,
        ) from None
