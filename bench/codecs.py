"""Payload codecs beside one another, on the work's rows: the measurement behind docs/adr/0003-payload-codec.md.

    .venv/bin/python -m bench.codecs

Rows go in as tuples and come out as tuples, typed and bounded by the schema where a codec can do that in its one pass;
the others are marked. Medians over rounds, all codecs in turn in each round, one process.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import zstandard
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from bench.rows import SCHEMA, make_rows
from sync.payload import ZSTD_LEVEL, cell_type

ROWS = 1_000
ROUNDS = 11
CALLS = 10

Rows = Sequence[tuple[Any, ...]]


class Codec(NamedTuple):
    """Its name, whether decoding checks types and bounds, and both directions."""

    name: str
    checks: bool
    encode: Callable[[Rows], bytes]
    decode: Callable[[bytes], Rows]


class Figures(NamedTuple):
    """Rows a second both ways, bytes a row before and after zstd."""

    encode: float
    decode: float
    plain: float
    packed: float


def _row_type() -> Any:
    pair: Any = tuple
    return pair[tuple(cell_type(c) for c in SCHEMA.columns)]


def _msgspec_codecs() -> list[Codec]:
    many: Any = list
    typed = many[_row_type()]
    pair: Any = tuple
    columns = pair[tuple(many[cell_type(c)] for c in SCHEMA.columns)]
    pack, text = msgspec.msgpack.Encoder().encode, msgspec.json.Encoder().encode
    unpack_columns = msgspec.msgpack.Decoder(columns).decode
    untyped = msgspec.msgpack.Decoder(many[tuple]).decode
    return [
        Codec("msgspec.msgpack, rows (taken)", True, pack, msgspec.msgpack.Decoder(typed).decode),
        Codec("msgspec.msgpack, rows, unchecked", False, pack, untyped),
        Codec(
            "msgspec.msgpack, columns",
            True,
            lambda given: pack(list(zip(*given, strict=True))),
            lambda data: list(zip(*unpack_columns(data), strict=True)),
        ),
        Codec("msgspec.json, rows", True, text, msgspec.json.Decoder(typed).decode),
    ]


def _json_codec() -> Codec:
    def encode(given: Rows) -> bytes:
        return json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode()

    return Codec("json of the standard library, rows", False, encode, lambda data: list(map(tuple, json.loads(data))))


def _protobuf_codec() -> Codec:
    """A row is a message of cells, a cell a oneof: the generic way, without generated code per dataset."""
    proto = descriptor_pb2.FileDescriptorProto(name="bench_cells.proto", package="bench", syntax="proto3")
    kinds = {"text": 9, "number": 18, "real": 1, "flag": 8, "data": 12}
    cell = proto.message_type.add(name="Cell")
    cell.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(kinds.items(), start=1):
        cell.field.add(name=name, number=number, type=kind, label=1, oneof_index=0)
    for name, inner in (("Row", "Cell"), ("Rows", "Row")):
        message = proto.message_type.add(name=name)
        message.field.add(name="items", number=1, type=11, label=3, type_name=f".bench.{inner}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(proto)
    rows_class: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("bench.Rows"))
    names = {str: "text", int: "number", float: "real", bool: "flag", bytes: "data"}

    def encode(given: Rows) -> bytes:
        message = rows_class()
        for row in given:
            add = message.items.add().items.add
            for value in row:
                if value is None:
                    add()
                else:
                    add(**{names[type(value)]: value})
        data: bytes = message.SerializeToString()
        return data

    def decode(data: bytes) -> Rows:
        made = []
        for row in rows_class.FromString(data).items:
            kinds_of = ((c, c.WhichOneof("kind")) for c in row.items)
            made.append(tuple(None if kind is None else getattr(c, kind) for c, kind in kinds_of))
        return made

    return Codec("protobuf, oneof a cell", False, encode, decode)


def _seconds(work: Callable[[Any], object], given: object) -> float:
    """Of one call, over several in a row: the first ones after another codec pay for its use of memory."""
    work(given)
    begun = time.perf_counter()
    for _ in range(CALLS):
        work(given)
    return (time.perf_counter() - begun) / CALLS


def measure(codecs: Sequence[Codec], given: Rows, rounds: int) -> dict[str, Figures]:
    """Medians, all codecs in turn in each round."""
    encoded: dict[str, list[float]] = {c.name: [] for c in codecs}
    decoded: dict[str, list[float]] = {c.name: [] for c in codecs}
    for _ in range(rounds):
        for codec in codecs:
            data = codec.encode(given)
            encoded[codec.name].append(_seconds(codec.encode, given))
            decoded[codec.name].append(_seconds(codec.decode, data))
    found = {}
    for codec in codecs:
        data = codec.encode(given)
        assert [tuple(r) for r in codec.decode(data)] == list(given), codec.name
        packed = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(data)
        encode, decode = (len(given) / statistics.median(times[codec.name]) for times in (encoded, decoded))
        found[codec.name] = Figures(encode, decode, len(data) / len(given), len(packed) / len(given))
    return found


def main() -> int:
    """Prints the table of the ADR."""
    given = make_rows(0, ROWS)
    codecs = [*_msgspec_codecs(), _json_codec(), _protobuf_codec()]
    found = measure(codecs, given, ROUNDS)
    print("| codec | checks types and bounds | encode rows/s | decode rows/s | B/row | B/row after zstd |")
    print("| --- | --- | --- | --- | --- | --- |")
    for codec in codecs:
        f, checks = found[codec.name], "yes" if codec.checks else "no"
        speeds = f"{f.encode / 1000:,.0f}k | {f.decode / 1000:,.0f}k"
        print(f"| {codec.name} | {checks} | {speeds} | {f.plain:.0f} | {f.packed:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
