"""The journal of changes: every write in order, none lost, old ones forgotten from the first on, lives apart."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from node import following
from node.faults import Code, UserFault
from node.store.changes import PRUNED_EVERY
from node.store.readers import Reader
from node.store.store import Store
from sync.effects import DeleteRows, PatchRows, UpsertRows
from tests.unit.store.world import ORIGIN, SCHEMA, key, row

DAY_US = 86_400_000_000
LIFE = b"12345678"


class _Clock:
    """Now, as the test says."""

    def __init__(self) -> None:
        self.us = 1_000 * DAY_US

    def __call__(self) -> int:
        return self.us


def _open(path: Path, clock: _Clock, days: int = 7, life: bytes = LIFE) -> Store:
    store = Store.open(path, [SCHEMA])
    store.begin()
    store.follow_changes(days * DAY_US, life, clock)
    store.commit()
    return store


def _upsert(store: Store, *numbers: int) -> None:
    store.begin()
    store.perform(UpsertRows(SCHEMA.dataset, ORIGIN, None, SCHEMA.names, [row(n) for n in numbers], 1))
    store.commit()


def _touched(path: Path) -> list[tuple[str, int]]:
    with closing(Reader(path, [SCHEMA])) as reader:
        return [(r.dataset, len(r.keys)) for r in reader.changes.records(1, 100)]


def test_every_write_of_rows_is_noted(path: Path) -> None:
    """Put, patched and taken out; what is rolled back is not there."""
    with closing(_open(path, _Clock())) as store:
        _upsert(store, 1, 2, 3)
        store.begin()
        store.perform(PatchRows(SCHEMA.dataset, ORIGIN, SCHEMA.names, [row(1)], [2]))
        store.perform(DeleteRows(SCHEMA.dataset, ORIGIN, [key(row(2)), key(row(3))]))
        store.commit()
        store.begin()
        store.perform(DeleteRows(SCHEMA.dataset, ORIGIN, [key(row(1))]))
        store.rollback()
    assert [count for _, count in _touched(path)] == [3, 1, 2]


def test_nothing_is_noted_while_it_is_off(path: Path) -> None:
    """And what was noted before is gone, with the life that it had."""
    clock = _Clock()
    with closing(_open(path, clock)) as store:
        _upsert(store, 1)
    with closing(_open(path, clock, days=0)) as store:
        _upsert(store, 2)
        assert store.changes.life() == b""
    assert _touched(path) == []
    with closing(_open(path, clock, life=b"another!")) as store:
        assert store.changes.life() == b"another!"
    with closing(_open(path, clock, life=b"no matter")) as store:
        assert store.changes.life() == b"another!", "it goes on over a restart"


def test_who_opens_a_followed_store_by_another_way_notes_too(path: Path) -> None:
    """A tool that writes while the node is stopped must not make a gap."""
    _open(path, _Clock()).close()
    with closing(Store.open(path, [SCHEMA])) as store:
        _upsert(store, 1)
    assert [count for _, count in _touched(path)] == [1]


def test_old_records_go_from_the_first_on(path: Path) -> None:
    """At the start, and now and then while it runs; a place among them is told as expired."""
    clock = _Clock()
    with closing(_open(path, clock)) as store:
        _upsert(store, 1)
        with closing(Reader(path, [SCHEMA])) as reader:
            old = following.oldest(reader)
        clock.us += 8 * DAY_US
        for number in range(2, PRUNED_EVERY):
            _upsert(store, number)
        assert store.changes.span().first == 1
        _upsert(store, 0)
        span = store.changes.span()
        assert (span.first, span.end) == (2, PRUNED_EVERY + 1)
    with closing(Reader(path, [SCHEMA])) as reader:
        _expired(reader, old)
        assert following.page(reader, _NoCatalogue(), {}, following.newest(reader)).changes == []  # type: ignore[arg-type]


class _NoCatalogue:
    """Of places alone is asked."""

    datasets: dict[str, object] = {}


def _expired(reader: Reader, cursor: str, code: Code = Code.CHANGES_EXPIRED) -> None:
    with pytest.raises(UserFault) as found:
        following.page(reader, _NoCatalogue(), {}, cursor)  # type: ignore[arg-type]
    assert found.value.code is code


def test_a_place_is_none_in_another_life_or_an_older_copy(path: Path, tmp_path: Path) -> None:
    """Switched off and on again, or put back to an older state that then went another way."""
    clock = _Clock()
    with closing(_open(path, clock)) as store:
        _upsert(store, 1)
        store.checkpoint()
    older = path.read_bytes()
    with closing(_open(path, clock)) as store:
        clock.us += 1
        _upsert(store, 2)
        with closing(Reader(path, [SCHEMA])) as reader:
            newest = following.newest(reader)
    for left in path.parent.glob(path.name + "-*"):
        left.unlink()
    path.write_bytes(older)
    with closing(_open(path, clock)) as store:
        with closing(Reader(path, [SCHEMA])) as reader:
            _expired(reader, newest)
        clock.us += 5
        _upsert(store, 3)
        with closing(Reader(path, [SCHEMA])) as reader:
            _expired(reader, newest)
            kept = following.oldest(reader)
    _open(path, clock, days=0).close()
    with closing(Reader(path, [SCHEMA])) as reader:
        _expired(reader, kept, Code.CHANGES_OFF)
    _open(path, clock, life=b"newlife!").close()
    with closing(Reader(path, [SCHEMA])) as reader:
        _expired(reader, kept)
        for forged in ("", "x", "é", "AAAA", newest[:-4]):
            _expired(reader, forged, Code.CURSOR_INVALID)
