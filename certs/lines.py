"""How an invite is written down: one line that names its own version and length and carries a checksum. Pure.

tiersync-invite:1:<base64url of: length of the JSON (uint32, big-endian), 8 bytes of its SHA-256, the JSON>
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from sync.errors import InputFault
from sync.reasons import Reason

PREFIX: Final = "tiersync-invite"
VERSION: Final = 1
LINE_LETTERS_MAX: Final = 64 * 1024
FILE_COLUMNS: Final = 64
_CHECKSUM_BYTES = 8
_HEAD_BYTES = 4 + _CHECKSUM_BYTES
_BEGIN = "-----BEGIN TIERSYNC INVITE-----"
_END = "-----END TIERSYNC INVITE-----"
_LINE = re.compile(rf"{PREFIX}:([0-9]{{1,4}}):([A-Za-z0-9_-]*)")
_DAMAGED = "the invite is damaged: a letter was changed in copying; copy it again, or ask for the file"
_CUT_OFF = "the invite is cut off: copy it whole, from 'tiersync-invite' to its last letter"


def write_line(fields: Mapping[str, object]) -> str:
    """Plain JSON values as one line. Raises InputFault LIMIT_EXCEEDED if nobody would read so long a one."""
    body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    data = len(body).to_bytes(4, "big") + sha256(body).digest()[:_CHECKSUM_BYTES] + body
    line = f"{PREFIX}:{VERSION}:{_letters(data)}"
    if len(wrap_line(line)) > LINE_LETTERS_MAX:
        raise InputFault(Reason.LIMIT_EXCEEDED, f"an invite of {len(line)} letters: its scopes have too many parts")
    return line


def read_line(text: str) -> dict[str, object]:
    """The JSON values of a line or of a wrapped file. White space inside counts for nothing.

    Raises InputFault MALFORMED (what is wrong is said), VERSION_TOO_OLD or LIMIT_EXCEEDED; no value is quoted in it.
    """
    if len(text) > LINE_LETTERS_MAX:
        raise InputFault(Reason.LIMIT_EXCEEDED, "the text is longer than any invite")
    line = "".join(_unwrapped(text).split())
    match = _LINE.fullmatch(line)
    if match is None:
        known = line.startswith(f"{PREFIX}:")
        raise InputFault(
            Reason.MALFORMED, _DAMAGED if known else f"this is not an invite: an invite begins with '{PREFIX}:'"
        )
    if match[1] != str(VERSION):
        raise InputFault(
            Reason.VERSION_TOO_OLD, f"an invite of version {match[1]}; this tiersync reads version {VERSION}"
        )
    fields = _json(_checked(match[2]))
    if not isinstance(fields, dict):
        raise InputFault(Reason.MALFORMED, "the invite does not hold what an invite holds")
    return fields


def wrap_line(line: str) -> str:
    """The line as the text of a file, broken at 64 columns; what people write above and below does not matter."""
    rows = [line[i : i + FILE_COLUMNS] for i in range(0, len(line), FILE_COLUMNS)]
    return "\n".join((_BEGIN, *rows, _END, ""))


def _unwrapped(text: str) -> str:
    begin = text.find(_BEGIN)
    if begin < 0:
        return text
    end = text.find(_END, begin)
    if end < 0:
        raise InputFault(Reason.MALFORMED, _CUT_OFF)
    return text[begin + len(_BEGIN) : end]


def _checked(letters: str) -> bytes:
    whole, left = divmod(len(letters), 4)
    if left == 1:
        data = urlsafe_b64decode(letters[: whole * 4])
        raise InputFault(Reason.MALFORMED, _CUT_OFF if _short(data) else _DAMAGED)
    data = urlsafe_b64decode(letters + "=" * (-left % 4))
    if _short(data):
        raise InputFault(Reason.MALFORMED, _CUT_OFF)
    body = data[_HEAD_BYTES:]
    # The last letter has spare bits, which the decoder does not look at: writing it again shows a change there.
    if int.from_bytes(data[:4], "big") != len(body) or _letters(data) != letters:
        raise InputFault(Reason.MALFORMED, _DAMAGED)
    if sha256(body).digest()[:_CHECKSUM_BYTES] != data[4:_HEAD_BYTES]:
        raise InputFault(Reason.MALFORMED, _DAMAGED)
    return body


def _letters(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _short(data: bytes) -> bool:
    return len(data) < _HEAD_BYTES or len(data) - _HEAD_BYTES < int.from_bytes(data[:4], "big") <= LINE_LETTERS_MAX


def _json(body: bytes) -> object:
    """None if it is not JSON. The library's own error would carry the secret along, so it does not leave here."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
