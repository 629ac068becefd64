"""Whose command this is: the account that runs it, for the audit and for what that person may do."""

from __future__ import annotations

import os
import re

_BECAME = re.compile(r".+ \((.+)\)")


def account() -> str:
    """The name of this process's account."""
    import pwd  # evidence is checked on Windows too, which has none

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def account_of(said: str) -> str:
    """Of what `caller` says: the person's own account, else that of the process."""
    before = _BECAME.fullmatch(said)
    return before[1] if before else said


def caller() -> str:
    """The name of this process's account, and of the person's who became it by sudo. Its own word: who can reach the
    control socket is that account or root, and could say otherwise."""
    name = account()
    before = os.environ.get("SUDO_USER", "")
    return f"{name} ({before})" if before and before != name else name
