"""A file that is there whole or not at all: written beside its place under another name, and named when it is done."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from node.faults import Code, UserFault
from node.texts import N_


@contextmanager
def whole(path: Path, *, replaces: bool) -> Iterator[BinaryIO]:
    """A new file that only its owner may read, on disk before it has its name. Where the block raises, nothing is left.

    Raises UserFault FILE_EXISTS unless it `replaces` what is there, OSError.
    """
    check_free(path, replaces=replaces)
    if not path.parent.is_dir():
        raise UserFault(
            Code.FILE_MISSING,
            N_("There is no folder {folder}."),
            N_("Make it first, or name another."),
            folder=path.parent,
        )
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        if replaces:
            Path(name).replace(path)
        else:
            _name_once(Path(name), path)
    finally:
        Path(name).unlink(missing_ok=True)


def check_free(path: Path, *, replaces: bool) -> None:
    """Raises UserFault FILE_EXISTS."""
    if not replaces and os.path.lexists(path):
        raise _exists(path)


def _name_once(written: Path, path: Path) -> None:
    """Never over another file that came meanwhile, as far as the file system can promise it."""
    try:
        os.link(written, path)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise _exists(path) from None
        written.replace(path)


def _exists(path: Path) -> UserFault:
    return UserFault(
        Code.FILE_EXISTS,
        N_("{file} is there already."),
        N_("Give another name, or --force to replace it."),
        file=path,
    )
