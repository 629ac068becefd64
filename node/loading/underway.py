"""Whether a load is still under way: its process holds a file of the home locked for as long as it lives.

The system lets go of the lock however the process ends, so a load that was killed is known as broken off at once, also
by a node that was started since, and by readers of a stopped one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOADS_FOLDER: Final = "loads"


def _file(home: Path, number: int) -> Path:
    return home / LOADS_FOLDER / str(number)


@contextmanager
def held(home: Path, number: int) -> Iterator[None]:
    """For as long as the load goes on. Raises OSError."""
    path = _file(home, number)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def is_held(home: Path, number: int) -> bool:
    """Whether a process is at this load."""
    try:
        handle = os.open(_file(home, number), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
