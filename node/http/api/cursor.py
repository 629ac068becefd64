"""A cursor says where a list goes on, and of which list it is, so that no other takes it. Opaque to who holds it."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from node.faults import Code, UserFault
from node.texts import N_

T = TypeVar("T")

_MARK_BYTES = 6


def pack(of: object, place: object) -> str:
    """A place in the list that `of` describes."""
    packed = msgspec.msgpack.encode([_mark(of), place])
    return urlsafe_b64encode(packed).decode().rstrip("=")


def unpack(of: object, cursor: str, kind: type[T]) -> T:
    """The inverse. Raises UserFault CURSOR_INVALID for what was not made for this list."""
    try:
        packed = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        found: Any = msgspec.msgpack.decode(packed, type=tuple[bytes, kind])  # type: ignore[valid-type] # built for the call
    except (ValueError, msgspec.MsgspecError) as error:
        raise _bad() from error
    if found[0] != _mark(of):
        raise _bad()
    place: T = found[1]
    return place


def _mark(of: object) -> bytes:
    return sha256(msgspec.msgpack.encode(of)).digest()[:_MARK_BYTES]


def _bad() -> UserFault:
    return UserFault(
        Code.CURSOR_INVALID,
        N_("This cursor was not made for this list."),
        N_("Give `next` of the page before, with the same other parameters; or begin without a cursor."),
    )
