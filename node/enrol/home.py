"""A home folder on its way to become a node: empty, begun, or whole.

What is begun is named by a marker file, written first and removed last; `node.toml` is written last but one and makes
the home whole. So after a crash at any point the same command, given again, finds its own keys and goes on: the parent
takes no others for an invite (certs.enrol: the first keys win).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from certs import files
from certs.files import CustodyFault, HomeFiles
from certs.forms import PrivateKey, new_key
from certs.logkey import LogKey
from node.clock import Clock, Randomness, iso, new_id
from node.config import CONFIG_NAME
from node.faults import Code, UserFault
from node.store.faults import HomeFault
from node.store.home import (
    DATABASE_FILE,
    INSTANCE_FILE,
    LOCK_FILE,
    HomeLock,
    check_instance,
    make_home,
    renew_instance,
    write_durably,
)
from node.store.store import INSTANCE, Store
from node.texts import N_
from sync.errors import InputFault

MARKER_BYTES_MAX: Final = 128 * 1024
ARCHIVE: Final = "archive"
"""What was put aside and is not this node's any more (node/golive.py)."""
KEPT: Final = "kept"
"""Settings of the node that stood here before, which a new one takes over."""
_HARMLESS: Final = frozenset({LOCK_FILE, "logs", "audit", "lost+found", ARCHIVE, KEPT})
"""What may lie in a folder that is still empty for our purposes."""


class Begun(Enum):
    """What was begun in a home; the value is the marker file's name."""

    FOUNDING = "founding.json"
    JOINING = "joining.json"
    GOING_LIVE = "going-live.json"


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """A node's private keys. `authority`: only where its profile has a CA."""

    transport: PrivateKey = field(repr=False)
    log: LogKey
    authority: PrivateKey | None = field(repr=False, default=None)


@contextmanager
def locked_home(home: Path, clock: Clock) -> Iterator[None]:
    """Makes the folder (0700) and keeps other processes out meanwhile.

    Raises UserFault HOME_IN_USE, HOME_PERMISSIONS.
    """
    try:
        make_home(home)
    except HomeFault as fault:
        raise UserFault(
            Code.HOME_PERMISSIONS,
            N_("The folder cannot be used: {detail}"),
            N_("Run as the user that the node is to run as, or choose another folder with --home."),
            detail=fault,
        ) from fault
    try:
        lock = HomeLock(home, os.getpid(), iso(clock.now_us()))
    except HomeFault as fault:
        raise in_use(fault) from fault
    with lock:
        yield


def in_use(fault: HomeFault) -> UserFault:
    """Another process holds the home; the fault names it."""
    return UserFault(
        Code.HOME_IN_USE,
        N_("The folder is in use: {detail}"),
        N_("Stop the node, or wait for the other command to end, then try again."),
        detail=fault,
    )


def is_whole(home: Path) -> bool:
    """Whether the home is a node already."""
    return (home / CONFIG_NAME).exists()


def check_finished(home: Path) -> None:
    """Nothing is half made here. Raises UserFault ENROLMENT_PENDING that says how to go on."""
    begun = next((b for b in Begun if (home / b.value).exists()), None)
    if is_whole(home) or begun is None:
        return
    todo = {
        Begun.FOUNDING: N_("Give the same `tiersync init` again: it goes on where it stopped."),
        Begun.JOINING: N_("Finish it with `tiersync --home {home} join`: it goes on where it stopped, invite and all."),
        Begun.GOING_LIVE: N_("Give the same `tiersync go-live` again: it goes on where it stopped."),
    }
    what = N_("The set-up of the node in {home} is not finished.")
    raise UserFault(Code.ENROLMENT_PENDING, what, todo[begun], home=home)


def check_free(home: Path, begun: Begun) -> None:
    """The home may be made, or gone on with, by what `begun` names. Raises UserFault FILE_EXISTS otherwise."""
    if is_whole(home):
        if (home / begun.value).exists():
            drop_marker(home, begun)  # a crash came between the last step and this one
        raise UserFault(
            Code.FILE_EXISTS,
            N_("{home} is the home of a node already; nothing was changed."),
            N_("Start it with `tiersync run`, or choose another folder with --home."),
            home=home,
        )
    if (home / begun.value).exists():
        return
    others = [other for other in Begun if (home / other.value).exists()]
    if others:
        raise UserFault(
            Code.FILE_EXISTS,
            N_("{home} holds a set-up of another sort that was not finished ({marker})."),
            N_("Finish that one with its own command, or choose another folder with --home."),
            home=home,
            marker=others[0].value,
        )
    found = sorted(p.name for p in home.iterdir() if not _harmless(p.name))
    if found:
        raise UserFault(
            Code.FILE_EXISTS,
            N_("{home} is not empty: '{name}' is there and was not made by this command."),
            N_("Choose an empty folder with --home; nothing was changed here."),
            home=home,
            name=found[0],
        )


def _harmless(name: str) -> bool:
    # A marker that a power cut caught before it had its name.
    return name in _HARMLESS or any(name == f"{begun.value}.new" for begun in Begun)


def write_marker(home: Path, begun: Begun, fields: dict[str, object]) -> None:
    """Notes, for the owner alone (0600), what was begun. Raises HomeFault."""
    write_durably(home / begun.value, json.dumps(fields, ensure_ascii=False).encode() + b"\n")


def read_marker(home: Path, begun: Begun) -> dict[str, object]:
    """What was begun; {} if nothing was. Raises UserFault KEY_CUSTODY if it cannot be read."""
    path = home / begun.value
    if not path.exists():
        return {}
    with path.open("rb") as file:
        data = file.read(MARKER_BYTES_MAX)
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise UserFault(
            Code.KEY_CUSTODY,
            N_("{file} is damaged, so that the set-up which it is about cannot go on."),
            N_("Choose another folder with --home, and ask the parent for a new invite if you had one."),
            file=path,
        )
    return fields


def drop_marker(home: Path, begun: Begun) -> None:
    """What was begun is done."""
    (home / begun.value).unlink(missing_ok=True)
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def keep_keys(home: Path, with_ca: bool) -> NodeKeys:
    """The node's keys: those of the home, made now where one is not there yet.

    Raises UserFault KEY_CUSTODY if a key is open to others or damaged.
    """
    paths = HomeFiles(home)
    with custody():
        if not os.path.lexists(paths.transport_key):
            files.save_private_key(paths.transport_key, new_key())
        if not os.path.lexists(paths.log_key):
            files.save_log_key(paths.log_key, LogKey.generate())
        if with_ca and not os.path.lexists(paths.ca_key):
            files.save_private_key(paths.ca_key, new_key())
        return load_keys(home, with_ca)


def drop_keys(home: Path) -> None:
    """The keys of a set-up that came to nothing are not taken for another node's."""
    paths = HomeFiles(home)
    for path in (paths.transport_key, paths.log_key, paths.ca_key):
        path.unlink(missing_ok=True)


def load_keys(home: Path, with_ca: bool) -> NodeKeys:
    """The keys of the home. Raises UserFault KEY_CUSTODY."""
    paths = HomeFiles(home)
    with custody():
        return NodeKeys(
            files.load_private_key(paths.transport_key),
            files.load_log_key(paths.log_key),
            files.load_private_key(paths.ca_key) if with_ca else None,
        )


@contextmanager
def custody(code: Code = Code.KEY_CUSTODY) -> Iterator[None]:
    """Says in words for the user what certs.files found wrong with a key or certificate on disk."""
    try:
        yield
    except (CustodyFault, InputFault) as fault:
        raise UserFault(
            code,
            N_("A key or certificate of this node cannot be used: {detail}"),
            N_("Do what the message says; if the file is lost, take the home from the last backup."),
            detail=fault.detail if isinstance(fault, InputFault) else fault,
        ) from fault


def make_store(home: Path, randomness: Randomness) -> None:
    """The node's database with an instance id of its own; one that is there and sound is kept.

    The row tables come when the node starts with its catalogue. Raises HomeFault, StoreFault, UnsafeSqlite.
    """
    store = Store.open(home / DATABASE_FILE, ())
    try:
        if isinstance(store.meta(INSTANCE), bytes) and (home / INSTANCE_FILE).exists():
            check_instance(home, store)
        else:
            renew_instance(home, store, new_id(randomness))
    finally:
        store.close()
    (home / DATABASE_FILE).chmod(0o600)
