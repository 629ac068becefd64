"""Our contestant does each work on three real nodes, and checks what the tiers hold before it gives a figure."""

from __future__ import annotations

import pytest

from bench.dataset import DATASET_TOML
from bench.rows import make_rows
from bench.tiersync import TiersyncNodes
from sync.errors import LocalFault


def test_every_work_is_done_by_three_processes_and_checked_at_all_tiers():
    """Throughput, latency and catch-up, one after the other on the same nodes; each compares the contents itself."""
    contestant = TiersyncNodes()
    contestant.start()
    try:
        rows = make_rows(0, 1_240)
        assert contestant.throughput(rows[:1_000], 500) > 0
        assert len(contestant.latency(rows[1_000:1_010], 50)) == 10
        assert contestant.catch_up(rows[1_010:1_210], 100) > 0
        assert contestant.catch_up(rows[1_210:], 1) > 0
    finally:
        contestant.stop()


def test_rows_that_the_door_rejects_end_the_contest_for_us():
    """A figure over rows that were not taken would be a lie."""
    contestant = TiersyncNodes()
    contestant.start()
    try:
        alien = [(row[0], "440100", *row[2:]) for row in make_rows(0, 3)]
        with pytest.raises(LocalFault, match="rejected"):
            contestant.throughput(alien, 3)
    finally:
        contestant.stop()


def test_the_declaration_names_the_dataset_of_the_rows():
    """What the nodes are given is what the rows are put into."""
    assert "[dataset.x_bench_case]" in DATASET_TOML
