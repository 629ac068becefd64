"""Keys and certificates on disk: the only module here that touches it.

A home folder keeps `HOME` below; the off-line root's folder keeps `root.key` and `root.pem`. Keys are written whole or
not at all, with mode 0600, and are not read if anybody else could have read or replaced them.
"""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from certs.authority import Authority
from certs.forms import PrivateKey, from_pem, key_from_pem, key_to_pem, to_pem
from certs.logkey import LogKey
from sync.errors import LocalFault
from sync.limits import MIB
from sync.phrase import Phrase

FILE_BYTES_MAX: Final = 1 * MIB
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class CustodyFault(LocalFault):
    """A key or certificate file is missing, in the way, or open to others; the message says what to do."""


@dataclass(frozen=True, slots=True)
class HomeFiles:
    """Where a node's home folder keeps what says who it is."""

    home: Path

    @property
    def transport_key(self) -> Path:
        return self.home / "keys" / "transport.key"

    @property
    def log_key(self) -> Path:
        return self.home / "keys" / "log.key"

    @property
    def ca_key(self) -> Path:
        return self.home / "keys" / "ca.key"

    @property
    def leaf(self) -> Path:
        """The node's certificate, then its issuers."""
        return self.home / "certs" / "leaf.pem"

    @property
    def ca(self) -> Path:
        """The node's own CA certificate, then its issuers; only where its profile has a CA."""
        return self.home / "certs" / "ca.pem"

    @property
    def root(self) -> Path:
        return self.home / "certs" / "root.pem"

    @property
    def anchor(self) -> Path:
        """The newest anchor, serialised."""
        return self.home / "anchor.bin"


@dataclass(frozen=True, slots=True)
class RootFiles:
    """The off-line root's folder, on a medium that is kept in a safe."""

    folder: Path

    @property
    def key(self) -> Path:
        return self.folder / "root.key"

    @property
    def certificate(self) -> Path:
        return self.folder / "root.pem"


def save_log_key(path: Path, key: LogKey, replace: bool = False) -> None:
    """Raises CustodyFault if a key is there already and may not be replaced; OSError if the disk fails."""
    _save_key(path, key.to_pem(), replace)


def load_log_key(path: Path) -> LogKey:
    """Raises CustodyFault (see `_read_key`) or InputFault (not a log key)."""
    return LogKey.from_pem(_read_key(path))


def save_private_key(path: Path, key: PrivateKey, passphrase: bytes = b"", replace: bool = False) -> None:
    """For transport, CA and root keys. Raises CustodyFault if one is there and may not be replaced; OSError."""
    _save_key(path, key_to_pem(key, passphrase), replace)


def load_private_key(path: Path, passphrase: bytes = b"") -> PrivateKey:
    """Raises CustodyFault (see `_read_key`) or InputFault (not a P-256 key, or another passphrase)."""
    return key_from_pem(_read_key(path), passphrase)


def check_key(path: Path) -> None:
    """Whether a key that another library reads is in good custody. Raises CustodyFault (see `_read_key`)."""
    _read_key(path)


def read_key(path: Path) -> bytes:
    """A secret of another form. Raises CustodyFault (see `_read_key`)."""
    return _read_key(path)


def save_certificates(path: Path, *certificates: x509.Certificate) -> None:
    """One after the other, in this order. Raises OSError."""
    save_public(path, to_pem(certificates))


def load_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """Raises CustodyFault if there is no such file, InputFault if it holds no certificates."""
    return from_pem(load_public(path))


def save_authority(key: Path, certificate: Path, authority: Authority, passphrase: bytes = b"") -> None:
    """Raises CustodyFault if a key is there already; OSError."""
    save_private_key(key, authority.key, passphrase)
    save_certificates(certificate, *authority.chain)


def load_authority(key: Path, certificate: Path, passphrase: bytes = b"") -> Authority:
    """Raises CustodyFault or InputFault; also if key and certificate do not belong together."""
    return Authority(load_private_key(key, passphrase), load_certificates(certificate))


def save_public(path: Path, data: bytes) -> None:
    """Writes bytes that are no secret (certificates, the anchor), whole or not at all. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(path, data, 0o644)


def load_public(path: Path) -> bytes:
    """Raises CustodyFault if the file is missing or larger than any that tiersync writes."""
    return _read(path, secret=False)


def _save_key(path: Path, pem: bytes, replace: bool) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A key that is overwritten by mistake cannot be had again. One process at a time holds a home's lock.
    if not replace and os.path.lexists(path):
        raise CustodyFault(
            Phrase("{} is there already; it is not overwritten: move it away if it is really not needed", path)
        )
    _write(path, pem, 0o600)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Temporary file, fsync, rename, fsync of the folder: after a power cut there is the old file or the new one."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_key(path: Path) -> bytes:
    """Raises CustodyFault if the key is missing, not a plain file, another user's, or open to group or others."""
    return _read(path, secret=True)


def _read(path: Path, secret: bool) -> bytes:
    # No link is followed to a key, and a pipe in its place does not make the start hang.
    flags = os.O_CLOEXEC | (os.O_NOFOLLOW | os.O_NONBLOCK if secret else 0)
    try:
        with open(path, "rb", opener=lambda name, mode: os.open(name, mode | flags)) as file:
            # The open file is asked, not the path: so what was checked is what is read.
            if secret:
                _check_custody(path, os.fstat(file.fileno()))
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError as fault:
        raise CustodyFault(Phrase("{} is missing", path)) from fault
    except OSError as fault:
        raise CustodyFault(Phrase("{} cannot be read: {}", path, fault.strerror)) from fault
    if len(data) > FILE_BYTES_MAX:
        raise CustodyFault(Phrase("{} is larger than {} bytes: not a file of tiersync", path, FILE_BYTES_MAX))
    return data


def _check_custody(path: Path, about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise CustodyFault(Phrase("{} is not a plain file", path))
    if about.st_uid != os.geteuid():
        raise CustodyFault(
            Phrase("{} belongs to user {}, tiersync runs as {}: change its owner", path, about.st_uid, os.geteuid())
        )
    if about.st_mode & _OTHERS:
        raise CustodyFault(
            Phrase(
                "{} can be read by others (mode {}): run chmod 600 on it, and think about whether somebody has",
                path,
                f"{stat.S_IMODE(about.st_mode):04o}",
            )
        )
