"""A source that says for how long it may bring nothing new is held to that; others to the cadence of their dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.silence import find_silent, spans_declared
from node.store.readers import Reader
from node.store.sources import DATABASE, SourceCounts
from node.store.store import Store
from tests.unit.node_base.kit import catalogue
from tests.unit.sources.test_declared import DATABASE as TEXT
from tests.unit.store.world import SCHEMA

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
BEGUN = 100 * DAY_US


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "hotline.toml").write_text(TEXT, "utf-8")
    (tmp_path / "sources" / "wrong.toml").write_text("dataset = 1", "utf-8")
    (tmp_path / "sources" / "quiet.toml").write_text(TEXT.replace('silent_after = "1d"', ""), "utf-8")
    made = Store.open(tmp_path / "store.db", [SCHEMA])
    yield made
    made.close()


def took(store: Store, counts: SourceCounts, at: int) -> None:
    store.begin()
    source = store.sources.begin("hotline", "case", DATABASE, "1")
    store.sources.took(source, 0, "2026-03-01", counts, "", at)
    store.commit()


def test_an_answer_without_news_ends_no_silence(store: Store, tmp_path: Path) -> None:
    """What was never read is not late; a declaration that is wrong, or says nothing, is passed over."""
    spans = spans_declared(tmp_path)
    assert spans == {"hotline": DAY_US}
    reader = Reader(tmp_path / "store.db", [SCHEMA])

    def silent(at: int) -> list[str]:
        here, none = "c330100.p330000.cn-demo", lambda *_: 0
        return [one.source for one in find_silent(reader, catalogue(), here, 2, at, spans, none)]

    try:
        assert silent(BEGUN + 9 * DAY_US) == []
        took(store, SourceCounts(1, 1), BEGUN)
        assert silent(BEGUN + DAY_US) == []
        took(store, SourceCounts(1, 0, 1), BEGUN + DAY_US)
        assert silent(BEGUN + DAY_US + 1) == ["hotline"]
        took(store, SourceCounts(1, 1), BEGUN + 2 * DAY_US)
        assert silent(BEGUN + 2 * DAY_US + 1) == []
    finally:
        reader.close()
