"""Payloads: rows come back as they went, and nothing that a peer sends does anything but come apart or be refused."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgspec
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sync import limits
from sync.errors import RemoteFault
from sync.payload import check_cell, decode_records, encode_records, inflate
from sync.reasons import Reason
from sync.rows import End, EndKind, RowBatch, Undecodable, key_getter
from sync.schema import CellType, Column, RowSchema
from sync.wire.v1.entry_pb2 import EntryHeader

NAMES = [f"c{i}" for i in range(6)]
TEXT = st.text(max_size=20)
INT64 = st.integers(-(2**63), 2**63 - 1)
CELLS: dict[CellType, st.SearchStrategy[Any]] = {
    CellType.TEXT: TEXT,
    CellType.INTEGER: INT64,
    CellType.DECIMAL: st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9
    ).map(lambda d: f"{d:f}"),
    CellType.FLOAT: st.floats(allow_nan=False, allow_infinity=False),
    CellType.BOOLEAN: st.booleans(),
    CellType.BYTES: st.binary(max_size=20),
    CellType.DATE: st.dates().map(lambda d: d.isoformat()),
    CellType.TIMESTAMP: st.integers(-(10**15), 10**15),
}
WRONG: dict[CellType, st.SearchStrategy[Any]] = {
    CellType.TEXT: st.one_of(INT64, st.text(min_size=21, max_size=30), st.binary(), st.lists(st.none())),
    CellType.INTEGER: st.one_of(TEXT, st.booleans(), st.integers(2**63, 2**64 - 1)),
    CellType.DECIMAL: st.one_of(INT64, st.sampled_from(["", "1e5", "01", "1.", "+1", "1\n", "１"])),
    CellType.FLOAT: st.one_of(TEXT, st.sampled_from([float("nan"), float("inf")]), st.booleans()),
    CellType.BOOLEAN: st.one_of(INT64, TEXT),
    CellType.BYTES: st.one_of(TEXT, st.binary(min_size=21, max_size=30)),
    CellType.DATE: st.one_of(INT64, st.sampled_from(["2026-13-01", "2026-1-1", "2026-01-01\n", "２０２６-01-01"])),
    CellType.TIMESTAMP: st.one_of(TEXT, st.floats(allow_nan=False), st.integers(10**18, 2**63 - 1)),
}


@st.composite
def schemas(draw: st.DrawFn) -> RowSchema:
    """One to six columns of any type; the key is some of those that are never empty."""
    kinds = draw(st.lists(st.sampled_from(list(CellType)), min_size=1, max_size=6))
    nullable = [False, *(draw(st.booleans()) for _ in kinds[1:])]
    columns = tuple(
        Column(name, kind, null, 20) for name, kind, null in zip(NAMES[: len(kinds)], kinds, nullable, strict=True)
    )
    fixed = [c.name for c in columns if not c.nullable]
    key = draw(st.lists(st.sampled_from(fixed), min_size=1, unique=True))
    return RowSchema("thing", 1, columns, tuple(key))


def _cell(column: Column) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), CELLS[column.type]) if column.nullable else CELLS[column.type]


@st.composite
def published(
    draw: st.DrawFn, bad_rows: bool = False
) -> tuple[RowSchema, tuple[str, ...], list[Any], list[End], set[int]]:
    """A schema, some of its columns in any order (the key among them), rows and removals; and which rows are bad."""
    schema = draw(schemas())
    others = [n for n in schema.names if n not in schema.key]
    extra = draw(st.lists(st.sampled_from(others), unique=True)) if others else []
    columns = tuple(draw(st.permutations([*schema.key, *extra])))
    row = st.tuples(*(_cell(schema.column(c)) for c in columns))
    puts = draw(st.lists(row, max_size=8))
    key = st.tuples(*(CELLS[schema.column(k).type] for k in schema.key))
    end = st.builds(End, key, st.sampled_from(EndKind), TEXT)
    ends = draw(st.lists(end, max_size=3))
    bad: set[int] = set()
    if bad_rows and puts:
        bad = draw(st.sets(st.integers(0, len(puts) - 1), min_size=1))
        for place in bad:
            at = draw(st.integers(0, len(columns) - 1))
            cells = list(puts[place])
            cells[at] = draw(WRONG[schema.column(columns[at]).type])
            puts[place] = tuple(cells)
    return schema, columns, puts, ends, bad


def _header(payload: bytes, plain_size: int, rows: int, codec: int) -> EntryHeader:
    return EntryHeader(payload_size=len(payload), plain_size=plain_size, rows=rows, codec=codec, schema_version=1)


def _read(schema: RowSchema, header: EntryHeader, payload: bytes) -> RowBatch | Undecodable:
    return decode_records(header, inflate(header, payload), lambda dataset: schema if dataset == "thing" else None)


@given(published())
def test_rows_come_back_as_they_went(made: tuple[RowSchema, tuple[str, ...], list[Any], list[End], set[int]]) -> None:
    """Any schema, any columns of it in any order, packed or not."""
    schema, columns, puts, ends, _ = made
    encoded = encode_records("thing", columns, puts, ends)
    header = _header(encoded.payload, encoded.plain_size, encoded.rows, encoded.codec)
    found = _read(schema, header, encoded.payload)
    assert isinstance(found, RowBatch)
    assert (found.columns, found.puts, found.ends, found.bad) == (columns, puts, ends, [])


@given(published(bad_rows=True))
def test_good_rows_beside_bad_ones_live(
    made: tuple[RowSchema, tuple[str, ...], list[Any], list[End], set[int]],
) -> None:
    """Each bad row is told by its place, with the reason that its cell alone would get; the others are as they were."""
    schema, columns, puts, ends, bad = made
    plain = msgspec.msgpack.encode(["thing", columns, puts, [(e.key, e.kind.value, e.reason) for e in ends]])
    found = _read(schema, _header(plain, len(plain), len(puts) + len(ends), 3), plain)
    assert isinstance(found, RowBatch)
    assert [b.place for b in found.bad] == sorted(bad)
    assert found.puts == [row for place, row in enumerate(puts) if place not in bad]
    assert found.ends == ends
    assert {b.reason for b in found.bad} <= {Reason.WRONG_TYPE, Reason.TOO_LONG}
    key_of = key_getter(schema, columns)
    assert len([key_of(row) for row in found.puts]) == len(puts) - len(bad)


@given(
    st.sampled_from(list(CellType)).flatmap(lambda kind: st.tuples(st.just(kind), st.one_of(CELLS[kind], WRONG[kind])))
)
def test_the_door_and_the_wire_have_the_same_rules_for_a_cell(made: tuple[CellType, Any]) -> None:
    """check_cell, which a node's own door asks, and the decoder agree about every cell."""
    kind, cell = made
    schema = RowSchema(
        "thing", 1, (Column("k", CellType.INTEGER, nullable=False), Column("c", kind, length=20)), ("k",)
    )
    plain = msgspec.msgpack.encode(["thing", ["k", "c"], [[1, cell]], []])
    found = _read(schema, _header(plain, len(plain), 1, 3), plain)
    assert isinstance(found, RowBatch)
    flaw = check_cell(schema.column("c"), cell)
    assert [b.reason for b in found.bad] == ([flaw[0]] if flaw else [])


MSGPACK: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), TEXT, st.binary(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=20,
)
FIXED = RowSchema(
    "thing",
    1,
    (
        Column("k", CellType.TEXT, nullable=False, length=20),
        Column("n", CellType.INTEGER),
        Column("d", CellType.DATE),
        Column("b", CellType.BYTES, length=20),
    ),
    ("k",),
)


def _survives(header: EntryHeader, payload: bytes) -> None:
    try:
        found = _read(FIXED, header, payload)
    except RemoteFault:
        return
    if isinstance(found, RowBatch):
        assert len(found.puts) + len(found.ends) + len(found.bad) == header.rows
        assert all(len(bad.key) <= 200 for bad in found.bad)


@given(
    payload=st.binary(max_size=300), size=st.integers(0, 2**64 - 1), rows=st.integers(0, 20), codec=st.integers(0, 4)
)
def test_arbitrary_bytes_raise_nothing_but_remote_faults(payload: bytes, size: int, rows: int, codec: int) -> None:
    """Whatever the header says of them."""
    _survives(_header(payload, size, rows, codec), payload)
    _survives(_header(payload, len(payload), rows, 3), payload)


@given(
    dataset=st.one_of(st.just("thing"), MSGPACK), columns=MSGPACK, puts=MSGPACK, ends=MSGPACK, rows=st.integers(0, 6)
)
def test_arbitrary_shapes_raise_nothing_but_remote_faults(
    dataset: Any, columns: Any, puts: Any, ends: Any, rows: int
) -> None:
    """Well-formed MessagePack of any shape, where rows are due."""
    plain = msgspec.msgpack.encode([dataset, columns, puts, ends])
    _survives(_header(plain, len(plain), rows, 3), plain)


@given(st.lists(st.lists(MSGPACK, max_size=5), max_size=4), st.lists(MSGPACK, max_size=3))
def test_arbitrary_cells_raise_nothing_but_remote_faults(puts: list[list[Any]], ends: list[Any]) -> None:
    """The right outside, anything inside."""
    plain = msgspec.msgpack.encode(["thing", ["k", "n", "d", "b"], puts, ends])
    _survives(_header(plain, len(plain), len(puts) + len(ends), 3), plain)


@given(cells=st.integers(0, 400_000), cell=st.sampled_from([b"\xc0", b"\x00", b"\x90", b"\xa0"]), removal=st.booleans())
@settings(max_examples=20)
def test_a_row_of_any_width_takes_no_memory_to_refuse(cells: int, cell: bytes, removal: bool) -> None:
    """What it claims is compared with its columns first."""
    row = b"\xdd" + cells.to_bytes(4, "big") + cell * cells
    columns = msgspec.msgpack.encode(list(FIXED.names))
    plain = b"\x94\xa5thing" + columns + (b"\x90\x91" + row if removal else b"\x91" + row + b"\x90")
    header = _header(plain, len(plain), 1, 3)
    tracemalloc.start()
    try:
        found = decode_records(header, plain, {"thing": FIXED}.get)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(found, RowBatch)
    assert [b.reason for b in found.bad] == [Reason.WRONG_TYPE]
    assert peak < limits.MIB


@given(st.binary(max_size=2000), st.integers(0, 2000), st.integers(0, 255))
@settings(max_examples=50)
def test_a_damaged_zstd_frame_raises_nothing_but_remote_faults(plain: bytes, place: int, byte: int) -> None:
    """One byte of the compressed payload set to anything."""
    packed = bytearray(zstandard.ZstdCompressor(level=1).compress(plain))
    packed[place % len(packed)] = byte
    _survives(_header(bytes(packed), len(plain), 0, 1), bytes(packed))


@given(st.integers(1, limits.PLAIN_BYTES_MAX * 2))
@settings(max_examples=30)
def test_inflating_never_yields_more_than_the_limits(size: int) -> None:
    """A bomb of zeros: refused, or exactly as large as it said, and that within 64 times or 64 KiB."""
    packed = zstandard.ZstdCompressor(level=1).compress(bytes(size))
    try:
        plain = inflate(_header(packed, size, 0, 1), packed)
    except RemoteFault as fault:
        assert fault.reason is Reason.LIMIT_EXCEEDED  # noqa: PT017 - both outcomes are lawful
        assert size > max(limits.PLAIN_RATIO_FLOOR_BYTES, len(packed) * limits.PLAIN_RATIO_MAX)
    else:
        assert len(plain) == size
