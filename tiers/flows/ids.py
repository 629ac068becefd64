"""Ids of tasks that follow from their cause, so that what a node makes by itself is made once, however often it asks.

Whoever knows the cause can reckon such an id, the holder to begin with. If it opened a task of its own under it, the
real one could never be made. So the id carries a mark of its issuer, and nobody opens a task under another's mark.
"""

from __future__ import annotations

import re
from hashlib import sha256

WORD_MAX = 12
_BROKEN = re.compile(r"[\s/\\]")
_DERIVED = re.compile(r"[a-z0-9_]{1,12}-([0-9a-f]{12})-[0-9a-f]{32}")


def derived_id(word: str, issuer: str, *cause: str) -> str:
    """The id of the task that `issuer` makes of a cause. word: for people, what kind it is."""
    return f"{word.lower()[:WORD_MAX]}-{_mark(issuer)}-{_digest(issuer, *cause)[:32]}"


def is_plain(task: str) -> bool:
    """Whether an id can stand in an address and be read out: no blanks, no slashes, nothing that is not seen."""
    return task.isprintable() and _BROKEN.search(task) is None


def may_open(issuer: str, task: str) -> bool:
    """Whether a task of that id may be this issuer's."""
    derived = _DERIVED.fullmatch(task)
    return derived is None or derived[1] == _mark(issuer)


def _mark(issuer: str) -> str:
    return _digest(issuer)[:12]


def _digest(*said: str) -> str:
    return sha256("\0".join(said).encode()).hexdigest()
