"""Whose command this is: the account that runs it, for the audit of reads."""

from __future__ import annotations

import os
import pwd


def caller() -> str:
    """The name of this process's account, and of the person's who became it by sudo. Its own word: who can reach the
    control socket is that account or root, and could say otherwise."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    before = os.environ.get("SUDO_USER", "")
    return f"{name} ({before})" if before and before != name else name
