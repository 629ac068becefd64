"""The work is the same bytes for everyone, and of the size that the published figures speak of."""

from hashlib import sha256

import msgspec
import pytest

from bench.dataset import DATASET_TOML
from bench.rows import SCHEMA, make_rows, row_bytes
from sync.schema import CellType
from sync.values import Lane, Route
from tiers.catalogue import Catalogue

PYTHON_TYPES = {CellType.TEXT: str, CellType.INTEGER: int, CellType.TIMESTAMP: int, CellType.FLOAT: float}


def test_the_same_seed_makes_the_same_bytes_on_every_machine():
    """A golden digest: figures of two machines or two years compare the same work."""
    digest = sha256(msgspec.msgpack.encode(make_rows(0, 2_000))).hexdigest()
    assert digest == "ed8f055e5e462715a9f3eb6fd7f28b17dff970b2f68c7f55c1df832ab5c0ccde"


def test_another_seed_makes_other_rows_with_the_same_keys():
    """The seed changes what is said, not which rows there are."""
    ours, others = make_rows(0, 100), make_rows(0, 100, seed=7)
    assert ours != others
    assert [row[0] for row in ours] == [row[0] for row in others]


@pytest.mark.parametrize(("first", "count"), [(0, 10), (990, 20), (1_000, 1_000), (1_500, 2_000), (42, 0)])
def test_any_range_can_be_made_alone(first: int, count: int):
    """A work that starts in the middle gets the rows it would have got from the beginning."""
    assert make_rows(first, count) == make_rows(0, 4_000)[first : first + count]


def test_a_row_is_about_439_bytes():
    """The size that the published figures were measured with."""
    rows = make_rows(0, 10_000)
    assert sum(map(row_bytes, rows)) / len(rows) == pytest.approx(439, abs=2)


def test_keys_rise_and_are_twenty_characters():
    """Append-ordered keys: the order that every contestant's index likes."""
    keys = [str(row[0]) for row in make_rows(0, 3_000)]
    assert keys == sorted(set(keys))
    assert {len(key) for key in keys} == {20}


def test_cells_fit_the_declared_columns():
    """Types and lengths as the schema says, and nothing that PostgreSQL's COPY would have to escape."""
    for row in make_rows(0, 2_000):
        for cell, column in zip(row, SCHEMA.columns, strict=True):
            assert type(cell) is PYTHON_TYPES[column.type]
            if isinstance(cell, str):
                assert len(cell) <= column.length
                assert not set(cell) & set("\\\t\n\r")


def test_the_node_reads_the_declaration_as_the_rows_are():
    """Same columns, types, lengths and key; published whole to every tier above."""
    catalogue = Catalogue.build([], [("bench", DATASET_TOML)])
    dataset = catalogue.datasets[SCHEMA.dataset]
    assert (dataset.schema, dataset.region, dataset.owner) == (SCHEMA, "region", ("city",))
    (publication,) = catalogue.publications_of(SCHEMA.dataset)
    assert (publication.id, publication.route, publication.lane) == ("x_bench_case.up", Route.ANCESTORS, Lane.NORMAL)
    assert (publication.columns, publication.filter) == (SCHEMA.names, None)
