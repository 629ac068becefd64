"""A federation begins; a home says who its node is, and refuses to say it of what does not belong together."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from certs.anchor import open_anchor
from certs.files import HomeFiles
from node.config import ListenSection
from node.enrol.home import Begun
from node.faults import Code, UserFault
from node.founding import Founded, found_nation
from node.identity import read_home
from node.store.home import DATABASE_FILE, INSTANCE_FILE, HomeLock, check_instance
from node.store.store import Store
from tests.unit.enrol.world import CLOCK, DAY_US, FEDERATION, LISTEN, NATION, RANDOM, ShiftedClock, found


def founded(folder: Path, home: str = "nation", root: str = "root", passphrase: bytes = b"", **more: str) -> Founded:
    name = more.get("federation", FEDERATION)
    return found_nation(
        folder / home, folder / root, name, more.get("region", "100000"), "国家平台", LISTEN, CLOCK, RANDOM, passphrase
    )


def code_of(act: Callable[[], object]) -> Code:
    with pytest.raises(UserFault) as caught:
        act()
    assert "{" not in str(caught.value.message) + str(caught.value.next_step)
    return caught.value.code


def test_a_nation_is_whole_after_founding(country: Path) -> None:
    """Keys 0600, folders 0700, anchor of serial 1 under the root, a store of one instance."""
    home = country / "nation"
    config, identity = read_home(home, CLOCK.now_us())
    assert (identity.node, config.node.tier, config.parent) == (NATION, "national", None)
    assert identity.authority is not None
    assert identity.authority.domain == ""
    body = open_anchor(identity.anchor, identity.trust.root, FEDERATION)
    assert (body.serial, body.enrolment, body.log_public_key) == (1, 1, identity.log_key.public_key)
    assert body.transport_key_hash == identity.own.key_hash
    for folder in (home, home / "keys", country / "root"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for key in [*(home / "keys").iterdir(), country / "root" / "root.key"]:
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    store = Store.open(home / DATABASE_FILE, ())
    try:
        assert len(check_instance(home, store)) == 16
    finally:
        store.close()
    assert "PRIVATE" not in repr(identity)


STEPS = (
    "root/root.key",
    "root/root.pem",
    "nation/keys/transport.key",
    "nation/keys/log.key",
    "nation/keys/ca.key",
    "root/anchor.bin",
    "nation/certs/ca.pem",
    "nation/certs/leaf.pem",
    "nation/certs/root.pem",
    "nation/anchor.bin",
    "nation/instance",
    "nation/store.db",
    "nation/node.toml",
)


@pytest.mark.parametrize("done", range(len(STEPS)))
def test_founding_goes_on_after_a_crash_between_any_two_files(country: Path, done: int) -> None:
    """What was made first stays, above all keys and the signed anchor."""
    home = country / "nation"
    for name in STEPS[done:]:
        (country / name).unlink()
    for tail in ("-wal", "-shm"):
        (home / f"{DATABASE_FILE}{tail}").unlink(missing_ok=True)
    (home / Begun.FOUNDING.value).write_text("{}", encoding="utf-8")
    kept = {n: (country / n).read_bytes() for n in STEPS[:done] if "key" in n or "root/" in n}
    assert code_of(lambda: read_home(home, CLOCK.now_us())) is Code.ENROLMENT_PENDING
    founded(country)
    assert {n: (country / n).read_bytes() for n in kept} == kept
    assert read_home(home, CLOCK.now_us())[1].node == NATION
    assert not (home / Begun.FOUNDING.value).exists()


def test_a_crash_before_the_marker_had_its_name(tmp_path: Path) -> None:
    """The half marker does not count as somebody's file."""
    (tmp_path / "nation").mkdir()
    (tmp_path / "nation" / "founding.json.new").write_bytes(b"{")
    founded(tmp_path)


def test_nothing_is_founded_over_anything(country: Path, tmp_path: Path) -> None:
    """A whole home, a folder in use, a folder with other files, a root inside the home."""
    assert code_of(lambda: founded(country)) is Code.FILE_EXISTS
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("x", encoding="utf-8")
    assert code_of(lambda: founded(tmp_path, "docs", "r")) is Code.FILE_EXISTS
    assert code_of(lambda: founded(tmp_path, "new", "new/root")) is Code.BAD_ARGUMENT
    (tmp_path / "busy").mkdir()
    with HomeLock(tmp_path / "busy", 1, "now"):
        assert code_of(lambda: founded(tmp_path, "busy", "r")) is Code.HOME_IN_USE


def test_one_root_anchors_one_set_of_keys(country: Path) -> None:
    """A second founding under the same root would be a fork at the very top."""
    assert code_of(lambda: founded(country, "second")) is Code.FILE_EXISTS


def test_a_root_of_another_federation_or_passphrase(tmp_path: Path) -> None:
    """Each is named; the right passphrase goes on."""
    founded(tmp_path, "a", "sealed", b"correct horse")
    assert b"ENCRYPTED" in (tmp_path / "sealed" / "root.key").read_bytes()
    assert code_of(lambda: founded(tmp_path, "b", "sealed", b"wrong")) is Code.PASSPHRASE
    assert code_of(lambda: founded(tmp_path, "c", "sealed", b"correct horse", federation="cn-x")) is Code.BAD_ARGUMENT
    (tmp_path / "sealed" / "root.key").chmod(0o644)
    assert code_of(lambda: founded(tmp_path, "d", "sealed", b"correct horse")) is Code.KEY_CUSTODY


def test_what_cannot_be_written_down_is_refused_first(tmp_path: Path) -> None:
    """A title or address that node.toml does not take leaves no folder behind."""
    with pytest.raises(UserFault) as caught:
        found_nation(tmp_path / "n", tmp_path / "r", FEDERATION, "100000", "", ListenSection("nonsense"), CLOCK, RANDOM)
    assert caught.value.code is Code.CONFIG_INVALID
    assert len(caught.value.details) >= 2
    assert not (tmp_path / "n").exists()


def test_a_node_whose_certificate_has_run_out_still_starts(country: Path) -> None:
    """Work goes on without the link; the identity tells when the certificate ended."""
    late = CLOCK.now_us() + 3_000 * DAY_US
    _, identity = read_home(country / "nation", late)
    assert identity.own.not_after < late


def test_what_does_not_belong_together_is_not_started(country: Path, tmp_path: Path) -> None:
    """Another root, key, anchor or CA than this node's; a home open to others; a file that is gone."""
    other = tmp_path / "other"
    found(other)

    def started_with(name: str) -> Code:
        home = tmp_path / f"home-{name.replace('/', '-')}"
        shutil.copytree(country / "nation", home)
        home.chmod(0o700)
        shutil.copy2(other / "nation" / name, home / name)
        return code_of(lambda: read_home(home, CLOCK.now_us()))

    for name in ("certs/root.pem", "certs/leaf.pem", "keys/transport.key", "keys/log.key", "anchor.bin"):
        assert started_with(name) is Code.CERTIFICATE_UNFIT, name
    for name in ("keys/ca.key", "certs/ca.pem"):
        assert started_with(name) in (Code.CERTIFICATE_UNFIT, Code.KEY_CUSTODY), name
    HomeFiles(country / "nation").leaf.unlink()
    assert code_of(lambda: read_home(country / "nation", CLOCK.now_us())) is Code.KEY_CUSTODY
    (other / "nation").chmod(0o755)
    assert code_of(lambda: read_home(other / "nation", CLOCK.now_us())) is Code.HOME_PERMISSIONS
    assert code_of(lambda: read_home(tmp_path / "nowhere", CLOCK.now_us())) is Code.HOME_MISSING


def test_a_clock_that_jumps_between_two_tries(tmp_path: Path) -> None:
    """Founding again a year later, after a crash, still makes a home that verifies."""
    found(tmp_path)
    (tmp_path / "nation" / "node.toml").unlink()
    (tmp_path / "nation" / Begun.FOUNDING.value).write_text("{}", encoding="utf-8")
    late = ShiftedClock(400 * DAY_US)
    found(tmp_path, late)
    assert read_home(tmp_path / "nation", late.now_us())[1].own.not_after > late.now_us()
    assert (tmp_path / "nation" / INSTANCE_FILE).exists()
