"""The list of rows to be read again from their source."""

from __future__ import annotations

import pytest

from node.store import reread
from node.store.store import Store
from sync.effects import DropReread, Reread, SaveReread
from sync.values import Key


def _perform(store: Store, *writes: SaveReread | DropReread) -> None:
    store.begin()
    for write in writes:
        store.perform(write)
    store.commit()


def _keys(store: Store) -> list[tuple[str, str, int]]:
    return [(one.dataset, one.key, one.since) for one in store.reread.all(100)]


def test_a_row_is_listed_once_for_each_reason_with_its_first_time(store: Store) -> None:
    """And leaves with all its reasons."""
    keys: list[Key] = [("a", 1), ("b", 2)]
    _perform(store, SaveReread("demo", Reread.COLUMNS, keys, 5), SaveReread("demo", Reread.COLUMNS, keys[:1], 9))
    _perform(store, SaveReread("demo", Reread.BOTH_LIVES, keys[:1], 7))
    assert _keys(store) == [("demo", '["a", 1]', 7), ("demo", '["a", 1]', 5), ("demo", '["b", 2]', 5)]
    assert store.reread.any("demo")
    assert not store.reread.any("other")
    _perform(store, DropReread("demo", [("a", 1), ("none", 0)]))
    assert _keys(store) == [("demo", '["b", 2]', 5)]


def test_beyond_its_bound_one_line_stands_for_the_rest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves with the last row that is listed of its dataset."""
    monkeypatch.setattr(reread, "ROWS_LISTED_MAX", 3)
    _perform(store, SaveReread("demo", Reread.COLUMNS, [("a", n) for n in range(5)], 1))
    _perform(store, SaveReread("demo", Reread.COLUMNS, [("b", n) for n in range(5)], 2))
    assert _keys(store) == [("demo", "", 1), *(("demo", f'["a", {n}]', 1) for n in range(3))]
    _perform(store, DropReread("demo", [("a", 0), ("a", 1)]))
    assert len(_keys(store)) == 2
    _perform(store, DropReread("demo", [("a", 2)]))
    assert _keys(store) == []
