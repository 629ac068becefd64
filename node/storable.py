"""What a store can hold of what people and scripts write. JSON and command lines can say more than SQLite can keep:
half a character (a lone surrogate, also what Python makes of bytes that are not UTF-8), a number beyond 64 bits.

Asked where such values come in, for at the store it would be too late: a statement that fails there ends the node.
"""

from __future__ import annotations

from node.faults import Code, UserFault
from node.texts import N_

_WHOLE = range(-(1 << 63), 1 << 63)


def storable(value: object) -> bool:
    """Whether every text and whole number inside a JSON value can be kept."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            try:
                one.encode("utf-8")
            except UnicodeEncodeError:
                return False
        elif isinstance(one, int):
            if one not in _WHOLE:
                return False
        elif isinstance(one, dict):
            waiting.extend(one)
            waiting.extend(one.values())
        elif isinstance(one, list | tuple):
            waiting.extend(one)
    return True


def check_storable(value: object) -> None:
    """Raises UserFault BAD_ARGUMENT."""
    if not storable(value):
        raise unstorable()


def unstorable() -> UserFault:
    """Something that was given cannot be kept."""
    return UserFault(
        Code.BAD_ARGUMENT,
        N_("What was given holds half a character, bytes that are not UTF-8, or a number beyond 64 bits."),
        N_("Set terminal and scripts to UTF-8, and write long numbers as texts."),
    )


def visible(text: str) -> str:
    """A name that the system gave as bytes, as a text that can be kept: what is not UTF-8 stands as \\udcXX."""
    return text.encode("utf-8", "backslashreplace").decode()
