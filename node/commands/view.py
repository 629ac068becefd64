"""What a question is asked of: the store beside its writer, and the catalogue; the node may run or be stopped.

A Question takes a View and JSON arguments and returns JSON. The node answers it as a command; with the node stopped,
the command line opens the store read-only and asks it itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from node.config import Config
from node.faults import Code, UserFault
from node.store.readers import Reader
from node.texts import N_
from sync.errors import InputFault
from sync.reasons import Reason
from sync.values import DIGEST_BYTES
from tiers.catalogue import Catalogue

ROWS_SHOWN = 100
"""How many of a list are shown unless more are asked for."""
ROWS_SHOWN_MAX = 100_000


class View(NamedTuple):
    """node: this node's id, parent: that of its parent or ''. home: its folder. now_us: microseconds."""

    reader: Reader
    catalogue: Catalogue
    node: str
    home: Path
    parent: str
    now_us: int
    config: Config


Arguments = Mapping[str, Any]
Question = Callable[[View, Arguments], dict[str, Any]]


def text(arguments: Arguments, name: str, default: str = "") -> str:
    """An argument that is a text. Raises UserFault BAD_ARGUMENT."""
    value = arguments.get(name, default)
    if not isinstance(value, str):
        raise _bad(name)
    return value


def number(arguments: Arguments, name: str, default: int = 0) -> int:
    """An argument that is a whole number from 0. Raises UserFault BAD_ARGUMENT."""
    value = arguments.get(name, default)
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise _bad(name)
    return value


def limit(arguments: Arguments) -> int:
    """How many of a list are asked for, within bounds."""
    return min(number(arguments, "limit") or ROWS_SHOWN, ROWS_SHOWN_MAX)


def texts(arguments: Arguments, name: str) -> dict[str, str]:
    """An argument that is a table of texts. Raises UserFault BAD_ARGUMENT."""
    value = arguments.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise _bad(name)
    return value


def items(arguments: Arguments, name: str) -> list[dict[str, Any]]:
    """An argument that is a list of tables. Raises UserFault BAD_ARGUMENT."""
    value = arguments.get(name, [])
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        raise _bad(name)
    return value


def digest_of(given: str) -> bytes:
    """A SHA-256 in hex. Raises InputFault MALFORMED."""
    try:
        digest = bytes.fromhex(given)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES:
        raise InputFault(Reason.MALFORMED, "the digest of a file is its SHA-256 in hex")
    return digest


def _bad(name: str) -> UserFault:
    return UserFault(
        Code.BAD_ARGUMENT,
        N_("The argument '{name}' of this command is missing or of another kind."),
        N_("Use the command line of the same version as the running node; `tiersync --version` shows it."),
        name=name,
    )
