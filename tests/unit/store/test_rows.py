"""Row tables: whatever was put comes back, exactly, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.store.faults import StoreFault, StoreTrouble
from node.store.rowsql import padded, pieces, quoted
from node.store.store import Store
from sync.effects import DeleteRows, DropImages, HeldRow, Image, PatchRows, SaveImages, UpsertRows
from sync.schema import CellType, Column, RowSchema
from sync.values import FeedName, Key, Row
from tests.unit.store.world import FEED, FEW, INSTANCE, ORIGIN, OTHER_FEED, SCHEMA, few, key, row

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
INTS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)
ROWS = st.tuples(
    TEXT,
    INTS,
    st.none() | TEXT,
    st.none() | st.just("-12.50"),
    st.none() | FLOATS,
    st.none() | st.booleans(),
    st.none() | st.binary(max_size=12),
    st.none() | st.just("2026-11-22"),
    st.none() | INTS,
)
VERSIONS = st.integers(1, 2**63 - 1)
RELAXED = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def perform(store: Store, *writes: Any) -> None:
    store.begin()
    for write in writes:
        store.perform(write)
    store.commit()


def exact(cells: Sequence[object]) -> list[tuple[type, object]]:
    """Cells with their types: True is not 1, and 1.0 is not 1."""
    return [(type(cell), cell) for cell in cells]


@RELAXED
@given(rows=st.lists(st.tuples(ROWS, VERSIONS), max_size=130, unique_by=lambda item: item[0][:2]))
def test_rows_come_back_exactly_as_they_came_in(rows: list[tuple[Row, int]]) -> None:
    """Every type, any text, any size of batch: value, type, version and feed are what they were."""
    store = Store.in_memory([SCHEMA], INSTANCE)
    cells, versions = [r for r, _ in rows], [v for _, v in rows]
    perform(store, UpsertRows("demo", ORIGIN, FEED, SCHEMA.names, cells, versions))
    held = store.held("demo", ORIGIN, [key(r) for r in cells])
    assert store.held("demo", "other.cn", [key(r) for r in cells]) == {}
    store.close()
    assert len(held) == len(rows)
    for whole, version in rows:
        found = held[key(whole)]
        assert exact(found.cells) == exact(whole)
        assert (found.version, found.feed, found.columns, found.images) == (version, FEED, SCHEMA.names, {})


SINGLE = {
    kind: RowSchema("single", 1, (Column("id", kind, nullable=False, length=12), Column("x", CellType.TEXT)), ("id",))
    for kind in (CellType.TEXT, CellType.INTEGER, CellType.BYTES)
}


@RELAXED
@given(data=st.data(), kind=st.sampled_from(list(SINGLE)))
def test_keys_above_all_that_is_held_are_known_to_be_new(data: st.DataObject, kind: CellType) -> None:
    """Whether keys rise or not, and however the store learns it: found is what is there, of this origin alone."""
    cells: st.SearchStrategy[Any] = {CellType.TEXT: TEXT, CellType.INTEGER: INTS}.get(kind, st.binary(max_size=12))
    held = data.draw(st.lists(cells, max_size=30, unique=True))
    asked = data.draw(st.lists(cells | st.sampled_from(held) if held else cells, min_size=8, max_size=40))
    if data.draw(st.booleans()) and held:
        asked = [cell for cell in asked if cell > max(held)]
    store = Store.in_memory([SINGLE[kind]], INSTANCE)
    perform(store, UpsertRows("single", ORIGIN, FEED, ("id", "x"), [(cell, "x") for cell in held], 7))
    keys = [(cell,) for cell in asked]
    expected = {(cell,) for cell in held if cell in asked}
    assert set(store.held("single", ORIGIN, keys)) == expected
    assert store.read_rows("single", ORIGIN, keys) == {k: (7, (k[0], "x")) for k in expected}
    assert store.held("single", "other.cn", keys) == {}
    store.close()


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(st.integers(0, 30), max_size=70), st.booleans()),
        st.tuples(st.just("few"), st.lists(st.integers(0, 30), max_size=12), st.booleans()),
        st.tuples(st.just("patch"), st.lists(st.integers(0, 30), max_size=5, unique=True), st.booleans()),
        st.tuples(st.just("delete"), st.lists(st.integers(0, 30), max_size=20), st.booleans()),
    ),
    max_size=12,
)


@RELAXED
@given(operations=OPERATIONS)
def test_the_table_equals_a_dictionary(operations: list[tuple[str, list[int], bool]]) -> None:
    """Puts replace whole rows, patches touch rows that exist, deletes delete; a roll-back leaves what was before."""
    store = Store.in_memory([SCHEMA], INSTANCE)
    model: dict[Key, tuple[int, Row, tuple[str, ...]]] = {}
    for version, (kind, numbers, kept) in enumerate(operations, start=1):
        after = dict(model)
        store.begin()
        rows = [row(n, name=f"v{version}") for n in numbers]
        if kind == "put":
            store.perform(UpsertRows("demo", ORIGIN, FEED, SCHEMA.names, rows, version))
            after |= {key(r): (version, r, SCHEMA.names) for r in rows}
        elif kind == "few":
            store.perform(UpsertRows("demo", ORIGIN, FEED, FEW, [few(r) for r in rows], [version] * len(rows)))
            for r in rows:
                cells = tuple(c if n in FEW else None for n, c in zip(SCHEMA.names, r, strict=True))
                after[key(r)] = (version, cells, FEW)
        elif kind == "patch":
            patches = [(r[1], "patched", r[0]) for r in rows]
            store.perform(PatchRows("demo", ORIGIN, ("part", "name", "id"), patches, [version] * len(rows)))
            for r in rows:
                if key(r) in model:
                    _, cells, columns = model[key(r)]
                    after[key(r)] = (version, (*cells[:2], "patched", *cells[3:]), columns)
        else:
            store.perform(DeleteRows("demo", ORIGIN, [key(r) for r in rows]))
            for r in rows:
                after.pop(key(r), None)
        if kept:
            store.commit()
            model = after
        else:
            store.rollback()
        keys = [key(row(n)) for n in range(31)]
        held = {k: (h.version, h.cells, h.columns) for k, h in store.held("demo", ORIGIN, keys).items()}
        assert held == model
        assert store.read_rows("demo", ORIGIN, keys) == {k: (v, c) for k, (v, c, _) in model.items()}
    store.close()


def test_all_rows_of_an_origin_are_read_in_order_of_key(store: Store) -> None:
    """A scan of one origin or of all gives key, version and cells as they came in."""
    rows = [row(n) for n in (12, 3, 7)]
    perform(store, UpsertRows("demo", ORIGIN, None, SCHEMA.names, rows, 4))
    perform(store, UpsertRows("demo", "other.cn", FEED, FEW, [few(row(5))], 2))
    expected = [(key(r), 4, r) for r in sorted(rows)]
    assert list(store.scan("demo", ORIGIN)) == expected
    assert [k for k, _, _ in store.scan("demo", None)] == [key(row(n)) for n in (3, 5, 7, 12)]


def test_whoever_keeps_what_a_dataset_says_is_told_when_it_changes(store: Store) -> None:
    """The number moves with each write of rows and with each roll-back, and only for that dataset."""
    numbers = [store.written("demo")]
    for write in (
        UpsertRows("demo", ORIGIN, None, SCHEMA.names, [row(1)], 1),
        PatchRows("demo", ORIGIN, ("id", "part", "name"), [("c000000", 1, "x")], [2]),
        DeleteRows("demo", ORIGIN, [key(row(1))]),
    ):
        perform(store, write)
        numbers.append(store.written("demo"))
    store.begin()
    store.rollback()
    numbers.append(store.written("demo"))
    assert numbers == sorted(set(numbers))
    assert store.written("other") == 0


def test_a_single_key_column_is_looked_up_too() -> None:
    """Datasets with one key column use another statement; the answers are alike."""
    schema = RowSchema(
        "one", 1, (Column("id", CellType.INTEGER, nullable=False), Column("on", CellType.BOOLEAN)), ("id",)
    )
    store = Store.in_memory([schema], INSTANCE)
    perform(store, UpsertRows("one", ORIGIN, None, schema.names, [(i, i % 3 == 0) for i in range(257)], 1))
    held = store.held("one", ORIGIN, [(i,) for i in range(-5, 300)])
    perform(store, DeleteRows("one", ORIGIN, [(i,) for i in range(200)]))
    left = store.held("one", ORIGIN, [(i,) for i in range(300)])
    store.close()
    assert {k: h.cells for k, h in held.items()} == {(i,): (i, i % 3 == 0) for i in range(257)}
    assert sorted(left) == [(i,) for i in range(200, 257)]


def test_rows_of_a_key_alone_are_kept() -> None:
    """A dataset may have nothing but its key."""
    schema = RowSchema("bare", 1, (Column("id", CellType.TEXT, nullable=False),), ("id",))
    store = Store.in_memory([schema], INSTANCE)
    perform(store, UpsertRows("bare", ORIGIN, FEED, ("id",), [("a",), ("b",), ("a",)], [1, 2, 3]))
    held = store.held("bare", ORIGIN, [("a",), ("b",)])
    store.close()
    assert {k: h.version for k, h in held.items()} == {("a",): 3, ("b",): 2}


def test_a_row_of_several_feeds_has_what_each_says(store: Store) -> None:
    """Images come back per feed, with the very cells, until they are dropped."""
    whole, image = row(1), Image(7, FEW, few(row(1)))
    perform(
        store,
        UpsertRows("demo", ORIGIN, None, SCHEMA.names, [whole, row(2)], 7),
        SaveImages("demo", FEED, [(key(whole), Image(3, SCHEMA.names, whole))]),
        SaveImages("demo", OTHER_FEED, [(key(whole), Image(5, FEW, few(whole)))]),
        SaveImages("demo", OTHER_FEED, [(key(whole), image)]),
    )
    held = store.held("demo", ORIGIN, [key(whole), key(row(2))])
    assert held[key(whole)].images == {FEED: Image(3, SCHEMA.names, whole), OTHER_FEED: image}
    assert exact(held[key(whole)].images[OTHER_FEED].cells) == exact(image.cells)
    assert held[key(row(2))] == HeldRow(7, row(2), None)
    perform(store, DropImages("demo", FEED, [key(whole)]))
    assert store.held("demo", ORIGIN, [key(whole)])[key(whole)].images == {OTHER_FEED: image}
    perform(store, DropImages("demo", OTHER_FEED, [key(whole)]))
    assert store.held("demo", ORIGIN, [key(whole)])[key(whole)].images == {}


def test_images_that_were_rolled_back_are_gone(store: Store) -> None:
    """What a failed transaction remembered of images is forgotten with it."""
    perform(store, UpsertRows("demo", ORIGIN, None, SCHEMA.names, [row(1)], 1))
    store.begin()
    store.perform(SaveImages("demo", FEED, [(key(row(1)), Image(1, FEW, few(row(1))))]))
    assert store.held("demo", ORIGIN, [key(row(1))])[key(row(1))].images
    store.rollback()
    assert store.held("demo", ORIGIN, [key(row(1))])[key(row(1))].images == {}


NAMES = [
    'a"b', "a'b", "a;b", "a b", "A", "é", "а", "a\0b", "", "1a", "_feed", "_origin", "sqlite_master" + "x" * 40,
    "rowid;--", "a" * 65, 'x"; DROP TABLE meta; --',
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_name_from_outside_becomes_an_identifier(store: Store, name: str) -> None:
    """Datasets and columns that the catalogue lacks are refused before any SQL is made of them."""
    for write in (
        UpsertRows("demo", ORIGIN, FEED, ("id", "part", name), [("a", 1, "x")], 1),
        UpsertRows(name, ORIGIN, FEED, ("id",), [("a",)], 1),
        PatchRows("demo", ORIGIN, ("id", "part", name), [("a", 1, "x")], [1]),
        DeleteRows(name, ORIGIN, [("a",)]),
        SaveImages(name, FEED, [(("a", 1), Image(1, FEW, few(row(1))))]),
    ):
        store.begin()
        with pytest.raises(StoreFault) as caught:
            store.perform(write)
        store.rollback()
        assert caught.value.trouble is StoreTrouble.REFUSED
    with pytest.raises(StoreFault):
        store.held(name, ORIGIN, [("a",)])
    tables = {n for (n,) in store.session.rows("SELECT name FROM sqlite_master WHERE name LIKE 'rows%'")}
    assert tables == {"rows_demo"}


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("_feed", "_origin", "a" * 65)] + ["_x", "a" * 49])
def test_only_catalogue_names_are_quoted(name: str) -> None:
    """The quoting function is the last line: it takes lower-case names and nothing else."""
    with pytest.raises(StoreFault):
        quoted(name)


def test_a_row_without_its_key_is_refused(store: Store) -> None:
    """A null in the key would make a row that can never be found again."""
    store.begin()
    with pytest.raises(StoreFault) as caught:
        store.perform(UpsertRows("demo", ORIGIN, FEED, ("id", "part"), [(None, 1)], 1))
    store.rollback()
    assert caught.value.trouble is StoreTrouble.REFUSED


@pytest.mark.parametrize("cells", [("a", "text"), ("a", 2**63), ("\ud800", 1)])
def test_a_cell_of_a_wrong_type_is_refused_and_nothing_is_kept(store: Store, cells: Row) -> None:
    """STRICT tables: what the judge should never have let through ends the transaction, not the truth."""
    store.begin()
    with pytest.raises(StoreFault) as caught:
        store.perform(UpsertRows("demo", ORIGIN, FEED, ("id", "part"), [("good", 1), cells], 1))
    store.rollback()
    assert caught.value.trouble is StoreTrouble.REFUSED
    assert store.session.connection.execute("SELECT count(*) FROM rows_demo").fetchone() == (0,)


def grown(**changed: object) -> RowSchema:
    columns = (*SCHEMA.columns, Column("more", CellType.INTEGER))
    return RowSchema(**({"dataset": "demo", "version": 2, "columns": columns, "key": SCHEMA.key} | changed))  # type: ignore[arg-type]


def test_a_newer_schema_adds_columns_and_keeps_rows(path: Path) -> None:
    """Versions only add; rows from before have nothing in the new column."""
    store = Store.open(path, [SCHEMA])
    perform(store, UpsertRows("demo", ORIGIN, FEED, SCHEMA.names, [row(1)], 1))
    store.add_schemas([grown()])
    perform(store, UpsertRows("demo", ORIGIN, FEED, grown().names, [(*row(2), 5)], 2))
    store.close()
    store = Store.open(path, [grown()])
    held = store.held("demo", ORIGIN, [key(row(1)), key(row(2))])
    store.close()
    assert held[key(row(1))].cells == (*row(1), None)
    assert held[key(row(2))].cells == (*row(2), 5)


OUTDATED = {
    "a column less": RowSchema("demo", 2, SCHEMA.columns[:-1], SCHEMA.key),
    "another key": grown(key=("id",)),
    "another type": grown(columns=(*SCHEMA.columns[:-1], Column("at", CellType.TEXT))),
}


@pytest.mark.parametrize("case", OUTDATED)
def test_a_catalogue_that_does_not_fit_the_store_is_refused(store: Store, case: str) -> None:
    """A store made by a newer catalogue is not bent to an older one."""
    with pytest.raises(StoreFault, match="newer program or catalogue"):
        store.add_schemas([OUTDATED[case]])


def test_a_store_of_a_newer_program_is_refused(path: Path) -> None:
    """An unknown migration means tables that this program does not understand."""
    store = Store.open(path, [])
    perform_sql = store.session.connection.execute
    perform_sql("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('tiersync', '0099_later')")
    store.close()
    with pytest.raises(StoreFault, match="0099_later"):
        Store.open(path, [])


@given(count=st.integers(0, 400))
def test_chunks_cover_everything_once(count: int) -> None:
    """Statements of few sizes take any number of rows, in order, without a gap."""
    numbers = list(range(count))
    assert [n for start, size in pieces(count, (50, 10, 1)) for n in numbers[start : start + size]] == numbers
    chunks = list(padded([(n,) for n in numbers]))
    assert {k for chunk in chunks for k in chunk} == {(n,) for n in numbers}
    assert {len(chunk) for chunk in chunks} <= {1, 10, 100}


def test_wide_rows_stay_below_the_limit_of_parameters() -> None:
    """256 columns times fifty rows are more than SQLite takes on some builds; the statement shrinks."""
    columns = tuple(Column(f"c{i}", CellType.INTEGER, nullable=i > 0) for i in range(256))
    schema = RowSchema("wide", 1, columns, ("c0",))
    store = Store.in_memory([schema], INSTANCE)
    rows: list[Row] = [(i, *range(255)) for i in range(200)]
    perform(store, UpsertRows("wide", ORIGIN, FeedName(ORIGIN, "wide"), schema.names, rows, 1))
    held = store.held("wide", ORIGIN, [(i,) for i in range(200)])
    store.close()
    assert [held[(i,)].cells for i in range(200)] == rows
