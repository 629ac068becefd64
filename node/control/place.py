"""Where a home's control socket is. Apart from the service, so that a client needs nothing of the node."""

from __future__ import annotations

from pathlib import Path

from sync.limits import MIB

SOCKET_FILE = "control.sock"
SOCKET_PATH_MAX = 100
MESSAGE_BYTES_MAX = 64 * MIB
ATTACH_PART_BYTES = MIB
"""Of an attachment, in one message."""
LANGUAGE_ASKED = "accept-language"
"""Metadata of a call: the language of its caller, which need not be the node's."""

CALLER_SAID = "tiersync-caller-bin"
"""Metadata of a call: the account of its caller, in UTF-8, by its own word."""


def socket_path(home: Path) -> Path:
    """Where the socket of a home is: in it, or where its pointer file says (socket paths are short by nature)."""
    pointer = home / f"{SOCKET_FILE}.path"
    if pointer.is_file():
        return Path(pointer.read_text("utf-8").strip())
    return home / SOCKET_FILE
