"""The ways in are measured over rows that all came in."""

from __future__ import annotations

import pytest

from bench.doors import measure
from bench.postgres import find_binaries
from sync.errors import LocalFault


def test_every_way_in_brings_every_row():
    """Two rounds, so that a database is read again from its beginning; a way that loses a row gives no figure."""
    try:
        find_binaries()
    except LocalFault as missing:
        pytest.skip(str(missing))
    found = measure(200, 2, lambda _: None)
    assert {name: len(figures) for name, figures in found.items()} == dict.fromkeys(
        ("sqlite-direct", "http", "file", "database"), 2
    )
