"""Texts that a person hands in: whole and in UTF-8, or not at all."""

from __future__ import annotations

import sys
from pathlib import Path

from node.faults import Code, UserFault
from node.texts import N_


def text_of(file: str | Path, most: int) -> str:
    """The text of a file, or of stdin for '-'.

    Raises OSError; UserFault FILE_ENCODING, or FILE_UNREADABLE for more than `most` bytes: part of it, or something
    put in the place of what cannot be read, would go out as if somebody had written it.
    """
    if file == "-":
        content = sys.stdin.buffer.read(most + 1)
    else:
        with Path(file).open("rb") as source:
            content = source.read(most + 1)
    if len(content) > most:
        raise UserFault(
            Code.FILE_UNREADABLE,
            N_("'{file}' has more than {most} bytes."),
            N_("Split it; for large files of rows there is `tiersync load`."),
            file=file,
            most=most,
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserFault(
            Code.FILE_ENCODING,
            N_("{file} is not UTF-8 text (byte {place})."),
            N_("Save the file as UTF-8; some editors write GBK unless told otherwise."),
            file=file,
            place=error.start,
        ) from error
