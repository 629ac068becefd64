"""Attachments on disk, by content: each file's name is the SHA-256 of its bytes.

    attachments/own/ab/ab12…      attached at this node: the only copy that there may be
    attachments/fetched/ab/ab12…  fetched from another node, and verified
    attachments/coming/ab12…      not whole yet, or not verified: never shown to anybody

What is answered as kept is on disk: written beside its place, synced, renamed, the folder synced. Used by one thread.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from node.attachments.kinds import kind_of
from node.store.faults import HomeFault
from node.store.home import write_durably
from sync.phrase import Phrase

FOLDER: Final = "attachments"
OWN, FETCHED, COMING = "own", "fetched", "coming"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_READ_BYTES: Final = 1024 * 1024
_HEAD_BYTES: Final = 64


class Held(NamedTuple):
    """One attachment that is here. own: attached at this node. at_us: when it came (microseconds)."""

    hash: str
    size: int
    own: bool
    at_us: int
    path: Path

    @property
    def kind(self) -> str:
        """What it is, by its content; '' if that is none that a node takes, or it has just been removed."""
        try:
            with self.path.open("rb") as file:
                start = file.read(_HEAD_BYTES)
                # What an archive is stands at its end.
                return kind_of(start + file.read() if start.startswith(b"PK") else start)
        except FileNotFoundError:
            return ""


class Damaged(NamedTuple):
    """A file whose bytes are not those that its name says."""

    hash: str
    found: str


def is_hash(text: str) -> bool:
    """Whether a text is a SHA-256 as this store writes it: only such a name ever becomes a path."""
    return _HASH.fullmatch(text) is not None


class Files:
    """The attachments of a home. Raises HomeFault where the disk does not do what it should."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER

    def find(self, name: str) -> Held | None:
        """An attachment by its SHA-256."""
        for of in (OWN, FETCHED):
            try:
                found = self._path(of, name).stat()
            except FileNotFoundError:
                continue
            return Held(name, found.st_size, of == OWN, found.st_mtime_ns // 1000, self._path(of, name))
        return None

    def all(self) -> Iterator[Held]:
        """Every attachment, in order of its SHA-256; one that is here both ways is told once, as own."""
        names = {name for of in (OWN, FETCHED) for name in self._names(of)}
        for name in sorted(names):
            held = self.find(name)
            if held is not None:
                yield held

    def used(self) -> int:
        """Bytes of all that is here, what is still coming included."""
        paths = [self._path(of, name) for of in (OWN, FETCHED) for name in self._names(of)]
        paths += [self._folder / COMING / name for name in self._listed(self._folder / COMING)]
        return sum(path.stat().st_size for path in paths if path.exists())

    def keep(self, data: bytes) -> tuple[str, bool]:
        """Keeps a file of this node: its SHA-256, once it is durable, and whether it is new among the node's own."""
        name = sha256(data).hexdigest()
        path = self._path(OWN, name)
        if path.exists():
            _sync(path.parent)  # a crash may have come between its rename and this
            return name, False
        self._make(path.parent)
        write_durably(path, data)
        return name, True

    def read(self, name: str, offset: int, size: int) -> bytes:
        """A part of an attachment; b'' behind its end. Raises FileNotFoundError."""
        held = self.find(name)
        if held is None:
            raise FileNotFoundError(name)
        with held.path.open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def begun(self, name: str) -> int:
        """Bytes that are here of one that is coming."""
        try:
            return self._coming(name).stat().st_size
        except FileNotFoundError:
            return 0

    def add(self, name: str, offset: int, data: bytes) -> None:
        """The next part of one that is coming; offset 0 begins it anew. What does not join is left out."""
        path = self._coming(name)
        if offset and offset != self.begun(name):
            return
        try:
            self._make(path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if offset else os.O_TRUNC)
            with os.fdopen(os.open(path, flags, 0o600), "ab" if offset else "wb") as file:
                file.write(data)
        except OSError as error:
            raise _failed(path, error) from error

    def finish(self, name: str) -> bool:
        """All of it has come: whether it is what it is called. Then it is durable and may be shown, else it is gone."""
        path = self._coming(name)
        if not path.exists() or _digest(path) != name:
            path.unlink(missing_ok=True)
            return False
        target = self._path(FETCHED, name)
        try:
            self._make(target.parent)
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.replace(target)
            _sync(target.parent)
        except OSError as error:
            raise _failed(target, error) from error
        return True

    def drop_coming(self, name: str) -> None:
        """Forgets what came of one."""
        self._coming(name).unlink(missing_ok=True)

    def remove(self, name: str) -> int:
        """Takes an attachment away for good, durably; how many bytes that were, 0 if it was not here."""
        freed = 0
        for path in (self._path(OWN, name), self._path(FETCHED, name), self._coming(name)):
            try:
                size = path.stat().st_size
                path.unlink()
                _sync(path.parent)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _failed(path, error) from error
            freed += size
        return freed

    def check(self) -> Iterator[Damaged | None]:
        """Reads every attachment: None for a sound one."""
        for of in (OWN, FETCHED):
            for name in sorted(self._names(of)):
                digest = _digest(self._path(of, name))
                yield None if digest == name else Damaged(name, digest)

    def sweep(self, before_us: int) -> None:
        """At a start: what a write left unfinished goes; parts of what is coming stay, to go on from there, unless
        nothing has come since then (microseconds): nobody wants it any more."""
        for path in self._folder.glob("*/*/*.new"):
            path.unlink(missing_ok=True)
        for name in self._listed(self._folder / COMING):
            path = self._folder / COMING / name
            if path.stat().st_mtime_ns // 1000 < before_us:
                path.unlink(missing_ok=True)

    def _names(self, of: str) -> Iterator[str]:
        for folder in self._listed(self._folder / of):
            yield from (name for name in self._listed(self._folder / of / folder) if is_hash(name))

    @staticmethod
    def _listed(folder: Path) -> list[str]:
        try:
            return sorted(path.name for path in folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _path(self, of: str, name: str) -> Path:
        assert is_hash(name), "no path is made of what is no SHA-256"
        return self._folder / of / name[:2] / name

    def _coming(self, name: str) -> Path:
        assert is_hash(name), "no path is made of what is no SHA-256"
        return self._folder / COMING / name

    def _make(self, folder: Path) -> None:
        """A folder, and that it is there, durably."""
        if folder.is_dir():
            return
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for above in (folder.parent, *folder.parents[1:3]):
                _sync(above)
        except OSError as error:
            raise _failed(folder, error) from error


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(path: Path, error: OSError) -> HomeFault:
    return HomeFault(Phrase("{} cannot be written ({})", path, error.strerror))
