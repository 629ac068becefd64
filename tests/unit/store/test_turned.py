"""Rows that were not let in are kept so that they are found, and not for ever."""

from __future__ import annotations

import pytest

from node.store import turned
from node.store.store import Store
from node.store.turned import TurnedAway
from sync.phrase import Phrase
from sync.reasons import Reason


def row(at: int, key: str = '["a"]', source: str = "") -> TurnedAway:
    return TurnedAway(at, key, source, Reason.UNKNOWN_CODE, Phrase("column '{}': '{}'", "state", "x"))


def test_a_row_is_found_by_key_and_by_number_of_its_own_dataset(store: Store) -> None:
    store.begin()
    store.turned.note("demo", [row(1), row(2, source="77"), row(3, key='["b"]')])
    store.turned.note("other", [row(4)])
    store.commit()
    assert [one.at for one in store.turned.of("demo", '["a"]', "", 9)] == [2, 1]
    assert [one.at for one in store.turned.of("demo", "77", "77", 9)] == [2]
    assert [one.at for one in store.turned.of("demo", "", "", 9)] == []
    (found,) = store.turned.of("demo", '["b"]', "", 9)
    assert found == row(3, key='["b"]')
    assert found.detail.arguments == ("state", "x")


def test_the_oldest_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turned, "KEPT_MAX", 1_000)
    for start in range(0, 3_000, 100):
        store.begin()
        store.turned.note("demo", [row(start + n) for n in range(100)])
        store.commit()
    kept = store.turned.of("demo", '["a"]', "", 9_999)
    assert kept[0].at == 2_999
    assert 1_000 <= len(kept) <= 1_000 + turned.TIDIED_EVERY + turned.OF_ONE_TRANSACTION
