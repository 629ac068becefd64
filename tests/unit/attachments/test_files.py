"""Attachments on disk: named by their bytes, durable when said, never a path of anybody's making."""

from __future__ import annotations

import os
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.attachments.files import COMING, FOLDER, Files, is_hash

DATA = b"\xff\xd8\xff" + bytes(range(200)) * 9
NAME = sha256(DATA).hexdigest()


def test_what_is_kept_is_found_by_its_digest(tmp_path: Path) -> None:
    """Once; a second time it is not new. Nobody else on the machine may read it."""
    files = Files(tmp_path)
    assert files.find(NAME) is None
    assert files.keep(DATA) == (NAME, True)
    assert files.keep(DATA) == (NAME, False)
    held = files.find(NAME)
    assert held is not None
    assert (held.size, held.own, held.kind) == (len(DATA), True, "jpeg")
    assert held.path.stat().st_mode & 0o077 == 0
    assert files.read(NAME, 3, 5) == DATA[3:8]
    assert files.read(NAME, len(DATA), 5) == b""
    assert [one.hash for one in files.all()] == [NAME]
    assert files.used() == len(DATA)


def test_what_is_acknowledged_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes, and the name in every folder above it, are synced before the answer."""
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    Files(tmp_path).keep(DATA)
    assert {f"{NAME}.new", NAME[:2], "own", FOLDER, tmp_path.name} <= set(synced)
    assert synced.index(f"{NAME}.new") < len(synced) - 1 - synced[::-1].index(NAME[:2])


@pytest.mark.parametrize("name", ["", "..", "../store.db", NAME.upper(), NAME + "0", NAME[:-1] + "/", "\x00" * 64])
def test_no_path_is_made_of_what_is_no_digest(tmp_path: Path, name: str) -> None:
    """What a peer or a caller sends never becomes a path."""
    assert not is_hash(name)
    with pytest.raises(AssertionError):
        Files(tmp_path).find(name)


@given(cuts=st.lists(st.integers(0, len(DATA)), max_size=6), repeats=st.integers(0, 2))
def test_parts_make_the_whole_in_whatever_pieces(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], repeats: int
) -> None:
    """In order, some of them twice; a new start in between goes on from what is there."""
    home = tmp_path_factory.mktemp("home")
    places = sorted({0, *cuts, len(DATA)})
    for start, end in pairwise(places):
        for _ in range(repeats + 1):
            Files(home).add(NAME, start, DATA[start:end])
        assert Files(home).begun(NAME) == end
        assert Files(home).find(NAME) is None
    assert Files(home).finish(NAME)
    held = Files(home).find(NAME)
    assert held is not None
    assert not held.own
    assert Files(home).read(NAME, 0, 1 << 20) == DATA
    assert Files(home).used() == len(DATA)


def test_a_part_that_does_not_join_is_left_out(tmp_path: Path) -> None:
    """So a chunk from elsewhere makes no hole and no doubling."""
    files = Files(tmp_path)
    files.add(NAME, 0, DATA[:100])
    files.add(NAME, 200, DATA[200:])
    files.add(NAME, 50, DATA[50:])
    assert files.begun(NAME) == 100


def test_wrong_bytes_are_never_shown(tmp_path: Path) -> None:
    """They are gone, and it begins anew."""
    files = Files(tmp_path)
    files.add(NAME, 0, DATA[:-1] + b"x")
    assert not files.finish(NAME)
    assert files.find(NAME) is None
    assert files.begun(NAME) == 0
    assert not files.finish(NAME)
    assert files.used() == 0


def test_what_is_removed_is_gone_both_ways_it_was_here(tmp_path: Path) -> None:
    """Own, fetched and coming."""
    files = Files(tmp_path)
    files.keep(DATA)
    files.add(NAME, 0, DATA)
    assert files.finish(NAME)
    files.add(NAME, 0, DATA[:10])
    assert files.remove(NAME) == 2 * len(DATA) + 10
    assert files.remove(NAME) == 0
    assert files.find(NAME) is None
    assert files.used() == 0


def test_a_check_reads_every_byte(tmp_path: Path) -> None:
    """One that rotted is named with what it is now."""
    files = Files(tmp_path)
    files.keep(DATA)
    held = files.find(NAME)
    assert held is not None
    assert list(files.check()) == [None]
    held.path.write_bytes(DATA[:-1])
    assert [one.hash for one in files.check() if one is not None] == [NAME]


def test_a_start_clears_what_a_write_left_behind(tmp_path: Path) -> None:
    """What is coming stays, since it goes on from there, until nothing came for too long."""
    files = Files(tmp_path)
    files.keep(DATA)
    files.add("ab" * 32, 0, b"part")
    left = tmp_path / FOLDER / "own" / NAME[:2] / f"{NAME}.new"
    left.write_bytes(b"half")
    files.sweep(0)
    assert not left.exists()
    assert (tmp_path / FOLDER / COMING / ("ab" * 32)).read_bytes() == b"part"
    assert [one.hash for one in files.all()] == [NAME]
    files.sweep(1 << 62)
    assert files.begun("ab" * 32) == 0
    assert [one.hash for one in files.all()] == [NAME]
