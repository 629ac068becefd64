"""A home belongs to one process, and a copy of it does not start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
from node.store.store import Store

ONE, TWO = b"1" * 16, b"2" * 16
HOLDER = """
import sys
from pathlib import Path
from node.store.home import HomeLock
with HomeLock(Path(sys.argv[1]), 4711, "2026-11-22 10:00:00"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_home_is_closed_to_others(tmp_path: Path) -> None:
    """0700, for a new folder and for one that was open."""
    home = tmp_path / "a" / "home"
    make_home(home)
    assert home.stat().st_mode & 0o777 == 0o700
    home.chmod(0o755)
    make_home(home)
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    """The message names the path."""
    (tmp_path / "home").write_text("x")
    with pytest.raises(HomeFault, match="home"):
        make_home(tmp_path / "home")


def test_the_second_holder_is_told_who_holds_the_home(tmp_path: Path) -> None:
    """Across processes; the lock ends with its holder, however that ends, and leaves no stale text."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(HomeFault, match="process 4711 since 2026-11-22 10:00:00"):
            HomeLock(tmp_path, 1, "now")
        holder.kill()
    with HomeLock(tmp_path, 1, "now") as lock:
        assert lock.path.read_text() == "process 1 since now\n"
        assert lock.path.stat().st_mode & 0o777 == 0o600


def test_a_lock_can_be_given_back(tmp_path: Path) -> None:
    """The next one takes it; giving it back twice does no harm."""
    lock = HomeLock(tmp_path, 1, "now")
    with pytest.raises(HomeFault):
        HomeLock(tmp_path, 2, "later")
    lock.release()
    lock.release()
    assert (tmp_path / LOCK_FILE).read_text() == ""
    HomeLock(tmp_path, 2, "later").release()


def test_a_home_that_cannot_be_locked_is_told(tmp_path: Path) -> None:
    """A missing folder is a HomeFault, not a traceback."""
    with pytest.raises(HomeFault, match="owner"):
        HomeLock(tmp_path / "none", 1, "now")


def test_a_fresh_instance_stands_in_database_and_file(tmp_path: Path) -> None:
    """Both agree at each start, and a restore renews both."""
    store = Store.open(tmp_path / DATABASE_FILE, [])
    renew_instance(tmp_path, store, ONE)
    assert check_instance(tmp_path, store) == ONE
    renew_instance(tmp_path, store, TWO)
    store.close()
    store = Store.open(tmp_path / DATABASE_FILE, [])
    assert check_instance(tmp_path, store) == TWO
    assert store.load_state().instance == TWO
    store.close()
    assert (tmp_path / INSTANCE_FILE).read_text() == TWO.hex() + "\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == [INSTANCE_FILE, DATABASE_FILE]


@pytest.mark.parametrize("said", ["", "zz", TWO.hex(), None])
def test_a_database_without_its_instance_file_does_not_start(tmp_path: Path, said: str | None) -> None:
    """A copy put back by hand is refused, with words on what to do."""
    store = Store.open(tmp_path / DATABASE_FILE, [])
    renew_instance(tmp_path, store, ONE)
    if said is None:
        (tmp_path / INSTANCE_FILE).unlink()
    else:
        (tmp_path / INSTANCE_FILE).write_text(said)
    with pytest.raises(HomeFault, match="all files of one backup"):
        check_instance(tmp_path, store)
    store.close()


def test_an_instance_file_without_its_database_does_not_start(tmp_path: Path) -> None:
    """A new database under an old file is no node either."""
    write_durably(tmp_path / INSTANCE_FILE, ONE.hex().encode())
    store = Store.open(tmp_path / DATABASE_FILE, [])
    with pytest.raises(HomeFault):
        check_instance(tmp_path, store)
    store.close()


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Closed to others, nothing left beside it, and a failure is told."""
    path = tmp_path / "file"
    write_durably(path, b"one")
    write_durably(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    with pytest.raises(HomeFault):
        write_durably(tmp_path / "none" / "file", b"")
