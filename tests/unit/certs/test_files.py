"""Keys on disk: whole or not at all, and for this user's eyes only."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from certs.authority import Authority
from certs.files import (
    CustodyFault,
    HomeFiles,
    RootFiles,
    load_authority,
    load_certificates,
    load_log_key,
    load_private_key,
    load_public,
    save_authority,
    save_certificates,
    save_log_key,
    save_private_key,
    save_public,
)
from certs.forms import new_key
from certs.logkey import LogKey
from sync.errors import InputFault, LocalFault
from tests.unit.certs.country import country

KEY = LogKey.from_seed(bytes(32))


def mode(path: Path) -> int:
    """Permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_keeps_its_keys_to_itself(tmp_path: Path) -> None:
    """Keys come back as they went, readable by the owner alone, their folder too; nothing else is left behind."""
    home = HomeFiles(tmp_path / "home")
    transport = new_key()
    save_log_key(home.log_key, KEY)
    save_private_key(home.transport_key, transport)
    assert load_log_key(home.log_key) == KEY
    assert load_private_key(home.transport_key).public_key() == transport.public_key()
    assert (mode(home.log_key), mode(home.transport_key), mode(home.log_key.parent)) == (0o600, 0o600, 0o700)
    assert sorted(p.name for p in home.log_key.parent.iterdir()) == ["log.key", "transport.key"]


def test_the_layout_of_a_home(tmp_path: Path) -> None:
    """Names that the administrator's guide and the backup rely on."""
    home = HomeFiles(tmp_path)
    found = [home.transport_key, home.log_key, home.ca_key, home.leaf, home.ca, home.root, home.anchor]
    assert [str(p.relative_to(tmp_path)) for p in found] == [
        "keys/transport.key",
        "keys/log.key",
        "keys/ca.key",
        "certs/leaf.pem",
        "certs/ca.pem",
        "certs/root.pem",
        "anchor.bin",
    ]


def test_an_authority_comes_back_whole(tmp_path: Path) -> None:
    """The off-line root under its passphrase, the provincial CA with its issuers."""
    land, root, home = country(), RootFiles(tmp_path / "root"), HomeFiles(tmp_path / "home")
    save_authority(root.key, root.certificate, land.root, b"under lock")
    save_authority(home.ca_key, home.ca, land.province)
    assert load_authority(root.key, root.certificate, b"under lock").chain == land.root.chain
    assert load_authority(home.ca_key, home.ca).chain == land.province.chain
    with pytest.raises(InputFault):
        load_authority(root.key, root.certificate, b"guess")
    with pytest.raises(InputFault):
        load_authority(home.ca_key, root.certificate)
    assert b"BEGIN CERTIFICATE" not in root.key.read_bytes()
    assert "PrivateKey" not in repr(Authority(land.province.key, land.province.chain))


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_could_read_is_refused(tmp_path: Path, open_to: int) -> None:
    """The message says what to run."""
    path = tmp_path / "log.key"
    save_log_key(path, KEY)
    path.chmod(open_to)
    with pytest.raises(CustodyFault, match="chmod 600"):
        load_log_key(path)


def test_a_key_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns the file can replace it."""
    path = tmp_path / "log.key"
    save_log_key(path, KEY)
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(CustodyFault, match="belongs to user"):
        load_log_key(path)


def test_a_key_has_to_be_a_plain_file(tmp_path: Path) -> None:
    """A link, a folder, a pipe, nothing at all, or a file beyond all size is not read as a key."""
    path = tmp_path / "log.key"
    save_log_key(path, KEY)
    link, pipe, large = tmp_path / "link", tmp_path / "pipe", tmp_path / "large"
    link.symlink_to(path)
    os.mkfifo(pipe, 0o600)
    large.touch(0o600)
    os.truncate(large, 2 << 20)
    for odd in (link, pipe, large, tmp_path, tmp_path / "none"):
        with pytest.raises(CustodyFault):
            load_log_key(odd)
    assert issubclass(CustodyFault, LocalFault)


def test_a_key_is_not_overwritten_by_mistake(tmp_path: Path) -> None:
    """A second key in the same place needs a word; the first stays as it was."""
    path = tmp_path / "log.key"
    save_log_key(path, KEY)
    other = LogKey.from_seed(bytes(31) + b"\1")
    with pytest.raises(CustodyFault, match="not overwritten"):
        save_log_key(path, other)
    assert load_log_key(path) == KEY
    save_log_key(path, other, replace=True)
    assert load_log_key(path) == other


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk in the middle of a replacement loses nothing."""
    path = tmp_path / "anchor.bin"
    save_public(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="space"):
            save_public(path, b"new")
    assert load_public(path) == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["anchor.bin"]


def test_certificates_and_anchor_are_public(tmp_path: Path) -> None:
    """They may be read and linked by anyone; a missing or wrong file is named."""
    home = HomeFiles(tmp_path)
    save_certificates(home.leaf, *country().province.chain)
    assert load_certificates(home.leaf) == country().province.chain
    save_public(home.anchor, b"anchor")
    assert (mode(home.leaf), load_public(home.anchor)) == (0o644, b"anchor")
    with pytest.raises(CustodyFault, match="missing"):
        load_certificates(home.root)
    with pytest.raises(InputFault):
        load_certificates(home.anchor)
