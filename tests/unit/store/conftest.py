"""Stores that are closed at the end of each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.store.store import Store
from tests.unit.store.world import INSTANCE, SCHEMA


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store in memory."""
    made = Store.in_memory([SCHEMA], INSTANCE)
    yield made
    made.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store may be made."""
    return tmp_path / "store.db"
