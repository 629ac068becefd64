"""A node's home folder: one process at a time, and an instance id that shows copies.

The instance id stands in the database and in a file beside it. A database that was copied or put back by hand without
its file (or the other way round) does not start: it would go on in the name of an instance that lives elsewhere.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from node.store.faults import HomeFault
from node.store.store import INSTANCE, Store
from sync.effects import SaveMeta
from sync.phrase import Phrase
from sync.values import ID_BYTES

DATABASE_FILE = "store.db"
LOCK_FILE = "home.lock"
INSTANCE_FILE = "instance"
_HOLDER_BYTES_MAX = 200


class HomeLock:
    """The exclusive lock on a home folder, held until `release` or the end of the process.

    The lock is the kernel's (flock), so it cannot go stale; the text inside only tells people who holds it.
    """

    def __init__(self, home: Path, pid: int, since: str) -> None:
        """Takes the lock; `since` is told to whoever comes second. Raises HomeFault if another process holds it."""
        self.path = home / LOCK_FILE
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeFault(
                Phrase("{} cannot be opened ({}): check the owner of the folder", self.path, error.strerror)
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._file, _HOLDER_BYTES_MAX).decode(errors="replace").strip() or "an unknown process"
            os.close(self._file)
            raise HomeFault(Phrase("{} is in use by {}: stop that process first", home, holder)) from error
        os.ftruncate(self._file, 0)
        os.write(self._file, f"process {pid} since {since}\n".encode()[:_HOLDER_BYTES_MAX])

    def release(self) -> None:
        """Gives the lock back. The file stays: removing it would let two processes lock two files of one name."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> HomeLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def make_home(home: Path) -> None:
    """Makes the folder, or takes an existing one, and closes it to other users (0700). Raises HomeFault."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.chmod(0o700)
    except OSError as error:
        raise HomeFault(Phrase("{} cannot be used as a home folder ({})", home, error.strerror)) from error


def write_durably(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replaces a file as a whole: temporary file, fsync, rename, fsync of the folder. Raises HomeFault."""
    temporary = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise HomeFault(Phrase("{} cannot be written ({})", path, error.strerror)) from error


def name_instance(home: Path, instance: bytes) -> None:
    """The file beside the database; the database is next. Raises HomeFault."""
    write_durably(home / INSTANCE_FILE, instance.hex().encode() + b"\n")


def renew_instance(home: Path, store: Store, instance: bytes) -> None:
    """Gives the node a new instance id (16 random bytes, from the caller): at init and after a restore.

    Outside a transaction. A crash in between leaves file and database different; the node then refuses to start, and
    the same command, given again, mends it. Raises HomeFault, StoreFault.
    """
    assert len(instance) == ID_BYTES
    name_instance(home, instance)
    store.begin()
    store.perform(SaveMeta(INSTANCE, instance))
    store.commit()


def check_instance(home: Path, store: Store) -> bytes:
    """The instance id, if file and database agree. Raises HomeFault saying what to do."""
    stored = store.meta(INSTANCE)
    path = home / INSTANCE_FILE
    try:
        said = path.read_text("ascii", "replace").strip()
    except FileNotFoundError:
        said = ""
    except OSError as error:
        raise HomeFault(Phrase("{} cannot be read ({})", path, error.strerror)) from error
    if not isinstance(stored, bytes) or said != stored.hex():
        raise HomeFault(
            Phrase(
                "the database and the file {} do not name the same instance: this home was copied or put back in part. "
                "Put the whole home back, all files of one backup; if it is a copy, delete it and use the original",
                path,
            )
        )
    return stored
