"""Payloads: rows <-> bytes, bounded on the way in (docs/wire.md, "Codecs"; ADR 0003).

Codec 1: zstd of msgpack [dataset, [column...], [[cell...]...], [[[key cell...], kind, reason]...]].
Codec 2: a protobuf message as named by the entry's kind, not compressed.
Codec 3: as 1, not compressed (what does not shrink is left alone).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from threading import local
from typing import Annotated, Any, NamedTuple

import msgspec
import zstandard

from sync import limits
from sync.errors import InputFault, RemoteFault
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.rows import BadRow, End, EndKind, RowBatch, Undecodable, key_text
from sync.schema import CellType, Column, RowSchema
from sync.values import Fate, Row
from sync.wire.v1.entry_pb2 import EntryHeader

CODEC_ROWS_ZSTD = 1
CODEC_MESSAGE = 2
CODEC_ROWS = 3
ZSTD_LEVEL = 1
COMPRESS_FROM_BYTES = 256

_INT64 = 2**63
_MICROSECONDS_MAX = 253_402_300_800_000_000  # end of the year 9999
# ASCII digits and \Z: \d would let other scripts' digits in, $ a line feed at the end.
_DATE_PATTERN = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z"
_DECIMAL_PATTERN = r"^-?(0|[1-9][0-9]{0,37})(\.[0-9]{1,18})?\Z"

_encode = msgspec.msgpack.Encoder().encode


class _Zstd(local):
    """Contexts of zstd: dear to make, and each for one thread at a time. What they give depends on the input alone."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_zstd = _Zstd()

_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
"""What msgspec raises for hostile bytes; text that is not UTF-8 comes as UnicodeDecodeError."""


class Encoded(NamedTuple):
    """A payload ready to be hashed."""

    payload: bytes
    plain_size: int
    codec: int
    rows: int


def encode_records(dataset: str, columns: Sequence[str], puts: Sequence[Row], ends: Sequence[End]) -> Encoded:
    """Rows of one transaction as a payload. Raises InputFault when they are too many or too large for one entry."""
    rows = len(puts) + len(ends)
    if rows > limits.ROWS_PER_ENTRY_MAX:
        raise InputFault(
            Reason.LIMIT_EXCEEDED, Phrase("{} rows in one transaction, at most {}", rows, limits.ROWS_PER_ENTRY_MAX)
        )
    plain = _encode((dataset, columns, puts, [(e.key, e.kind.value, e.reason) for e in ends]))
    if len(plain) > limits.PLAIN_BYTES_MAX:
        raise InputFault(
            Reason.LIMIT_EXCEEDED, Phrase("{} bytes in one transaction, at most {}", len(plain), limits.PLAIN_BYTES_MAX)
        )
    payload, codec = plain, CODEC_ROWS
    if len(plain) >= COMPRESS_FROM_BYTES:
        packed = _zstd.compressor.compress(plain)
        floor = max(limits.PLAIN_RATIO_FLOOR_BYTES, len(packed) * limits.PLAIN_RATIO_MAX)
        if len(packed) < len(plain) <= floor:
            payload, codec = packed, CODEC_ROWS_ZSTD
    if len(payload) > limits.ENTRY_BYTES_MAX - limits.HEADER_BYTES_MAX:
        raise InputFault(
            Reason.LIMIT_EXCEEDED, Phrase("{} bytes in one entry, at most {}", len(payload), limits.ENTRY_BYTES_MAX)
        )
    return Encoded(payload, len(plain), codec, rows)


def inflate(header: EntryHeader, payload: bytes) -> bytes:
    """The plain payload, never more than the header says and the limits allow.

    Raises RemoteFault LIMIT_EXCEEDED (bomb, too many rows) or MALFORMED (a size that lies, an unknown codec).
    """
    check_sizes(header, len(payload))
    if header.codec in (CODEC_ROWS, CODEC_MESSAGE):
        if len(payload) != header.plain_size:
            raise RemoteFault(Reason.MALFORMED, "plain_size is not the payload's size")
        return payload
    if header.codec != CODEC_ROWS_ZSTD:
        raise RemoteFault(Reason.MALFORMED, f"codec {header.codec}")
    try:
        said = zstandard.frame_content_size(payload)
        if said != header.plain_size:
            raise RemoteFault(Reason.MALFORMED, "plain_size is not what the compressed frame says")
        # One frame and nothing after it: what a reader skips, another would read.
        plain = _zstd.decompressor.decompress(payload, max_output_size=header.plain_size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise RemoteFault(Reason.MALFORMED, "payload does not inflate") from error
    if len(plain) != header.plain_size:
        raise RemoteFault(Reason.MALFORMED, "payload inflates to another size than plain_size")
    return plain


def check_sizes(header: EntryHeader, payload_bytes: int) -> None:
    """The bounds that a relay checks too, without inflating. Raises RemoteFault."""
    if payload_bytes != header.payload_size:
        raise RemoteFault(Reason.MALFORMED, "payload_size is not the payload's size")
    if header.rows > limits.ROWS_PER_ENTRY_MAX:
        raise RemoteFault(Reason.LIMIT_EXCEEDED, f"{header.rows} rows in an entry")
    if header.plain_size > limits.PLAIN_BYTES_MAX:
        raise RemoteFault(Reason.LIMIT_EXCEEDED, f"{header.plain_size} plain bytes")
    if header.plain_size > max(limits.PLAIN_RATIO_FLOOR_BYTES, payload_bytes * limits.PLAIN_RATIO_MAX):
        raise RemoteFault(Reason.LIMIT_EXCEEDED, "payload claims to inflate beyond 64 times its size")


class _Outer(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    dataset: Annotated[str, msgspec.Meta(max_length=48)]
    columns: Annotated[list[Annotated[str, msgspec.Meta(max_length=48)]], msgspec.Meta(max_length=limits.COLUMNS_MAX)]
    puts: msgspec.Raw
    ends: msgspec.Raw


_outer = msgspec.msgpack.Decoder(_Outer)
_raw_rows = msgspec.msgpack.Decoder(list[msgspec.Raw])


def _array_length(raw: memoryview) -> int | None:
    """Number of elements that a msgpack array's first bytes claim, before anything is built; None: it is no array."""
    first = raw[0] if len(raw) else 0
    if 0x90 <= first <= 0x9F:
        return first & 0x0F
    if first == 0xDC and len(raw) >= 3:
        return int.from_bytes(raw[1:3], "big")
    if first == 0xDD and len(raw) >= 5:
        return int.from_bytes(raw[1:5], "big")
    return None


def _is_scalar(raw: memoryview) -> bool:
    """Whether a msgpack value is a number, text, bytes, boolean or nil: nothing that nests."""
    first = raw[0]
    return not (0x80 <= first <= 0x9F or 0xC7 <= first <= 0xC9 or 0xD4 <= first <= 0xD8 or 0xDC <= first < 0xE0)


def cell_type(column: Column) -> Any:
    """The msgspec type of a column's cells: type, bounds and nullability in one."""
    meta = msgspec.Meta
    kind: Any
    match column.type:
        case CellType.TEXT:
            kind = Annotated[str, meta(max_length=column.length)]
        case CellType.DECIMAL:
            kind = Annotated[str, meta(pattern=_DECIMAL_PATTERN, max_length=min(column.length, 64))]
        case CellType.DATE:
            kind = Annotated[str, meta(pattern=_DATE_PATTERN, max_length=10)]
        case CellType.INTEGER:
            kind = Annotated[int, meta(ge=-_INT64, le=_INT64 - 1)]
        case CellType.TIMESTAMP:
            kind = Annotated[int, meta(ge=-_MICROSECONDS_MAX, le=_MICROSECONDS_MAX)]
        case CellType.FLOAT:
            kind = Annotated[float, meta(ge=-1.7976931348623157e308, le=1.7976931348623157e308)]
        case CellType.BOOLEAN:
            kind = bool
        case CellType.BYTES:
            kind = Annotated[bytes, meta(max_length=column.length)]
    return kind | None if column.nullable else kind


@lru_cache(maxsize=512)
def _decoders(schema: RowSchema, columns: tuple[str, ...]) -> tuple[Any, Any, Any, Any]:
    by_name = {c.name: c for c in schema.columns}
    pair: Any = tuple  # built at run time from the schema, so out of the type checker's sight
    many: Any = list
    row = pair[tuple(cell_type(by_name[c]) for c in columns)]
    key = pair[tuple(cell_type(by_name[k]) for k in schema.key)]
    end = pair[key, Annotated[int, msgspec.Meta(ge=1, le=2)], Annotated[str, msgspec.Meta(max_length=200)]]
    decoder = msgspec.msgpack.Decoder
    return decoder(many[row]), decoder(row), decoder(many[end]), decoder(end)


@lru_cache(maxsize=512)
def _columns_flaws(schema: RowSchema, columns: tuple[str, ...]) -> tuple[bool, str | None, str | None]:
    """Whether a column stands twice, the first that the schema does not know, the first key column that is missing."""
    unknown = next((c for c in columns if c not in schema.names), None)
    missing = next((k for k in schema.key if k not in columns), None)
    return len(set(columns)) != len(columns), unknown, missing


def read_outer(header: EntryHeader, plain: bytes) -> tuple[str, tuple[str, ...], msgspec.Raw, msgspec.Raw]:
    """Dataset, columns and the two arrays of rows, lengths checked, not yet built. Raises RemoteFault MALFORMED."""
    try:
        outer = _outer.decode(plain)
    except _UNREADABLE as error:
        raise RemoteFault(Reason.MALFORMED, "payload is not [dataset, columns, puts, ends]") from error
    puts, ends = _array_length(memoryview(outer.puts)), _array_length(memoryview(outer.ends))
    if puts is None or ends is None:
        raise RemoteFault(Reason.MALFORMED, "rows are not an array")
    if puts + ends != header.rows:
        raise RemoteFault(Reason.MALFORMED, f"rows says {header.rows}, the payload holds {puts + ends}")
    return outer.dataset, tuple(outer.columns), outer.puts, outer.ends


def decode_records(
    header: EntryHeader, plain: bytes, schema_of: Callable[[str], RowSchema | None]
) -> RowBatch | Undecodable:
    """Rows of an entry, type-checked by the schema in one pass; a bad row is told and leaves the others alone.

    Raises RemoteFault only for what no schema could make sense of (a payload that lies about its shape).
    """
    dataset, columns, puts_raw, ends_raw = read_outer(header, plain)
    schema = schema_of(dataset)
    newer = schema is not None and header.schema_version > schema.version
    if schema is None:
        return Undecodable(dataset, Fate.PARKED, Reason.UNKNOWN_DATASET, Phrase("dataset '{}'", dataset))
    twice, unknown, missing = _columns_flaws(schema, columns)
    if twice:
        return Undecodable(dataset, Fate.REFUSED, Reason.RULE_BROKEN, Phrase("a column stands twice"))
    if unknown is not None and newer:
        return Undecodable(
            dataset, Fate.PARKED, Reason.UNKNOWN_SCHEMA_VERSION, Phrase("version {}", header.schema_version)
        )
    if unknown is not None:
        return Undecodable(dataset, Fate.REFUSED, Reason.UNKNOWN_COLUMN, Phrase("column '{}'", unknown))
    if missing is not None:
        return Undecodable(dataset, Fate.REFUSED, Reason.KEY_MISSING, Phrase("key column '{}'", missing))
    all_rows, one_row, all_ends, one_end = _decoders(schema, columns)
    bad: list[BadRow] = []
    try:
        puts = all_rows.decode(puts_raw)
    except _UNREADABLE:
        puts = _one_by_one(puts_raw, one_row, bad, 0, partial(_row_flaw, schema, columns, newer))
    first_end = len(puts) + len(bad)
    try:
        raw_ends = all_ends.decode(ends_raw)
    except _UNREADABLE:
        raw_ends = _one_by_one(ends_raw, one_end, bad, first_end, partial(_end_flaw, schema, newer))
    ends = [End(key, EndKind(kind), reason) for key, kind, reason in raw_ends]
    return RowBatch(dataset, columns, puts, ends, bad)


_Flaw = tuple[str, Fate, Reason, str]
"""Key text, fate, reason and words of a row that its schema does not accept."""


def _one_by_one(
    raw: msgspec.Raw, decoder: Any, bad: list[BadRow], base: int, flaw_of: Callable[[msgspec.Raw], _Flaw]
) -> list[Any]:
    """The slow path: each row on its own, so that the good ones beside a bad one live. read_outer has bounded `raw`."""
    try:
        parts = _raw_rows.decode(raw)
    except _UNREADABLE as error:
        raise RemoteFault(Reason.MALFORMED, "rows do not parse") from error
    good: list[Any] = []
    for index, part in enumerate(parts):
        try:
            good.append(decoder.decode(part))
        except RecursionError:
            bad.append(BadRow(base + index, "", Fate.REFUSED, Reason.MALFORMED, Phrase("nested too deep")))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            bad.append(BadRow(base + index, *flaw_of(part)))
    return good


@lru_cache(maxsize=512)
def _widened(schema: RowSchema) -> RowSchema:
    """The schema with every bound that a later version may have raised at its highest."""
    wide = tuple(replace(column, length=limits.CELL_BYTES_MAX) for column in schema.columns)
    return RowSchema(schema.dataset, schema.version, wide, schema.key)


def _end_flaw(schema: RowSchema, newer: bool, part: msgspec.Raw) -> _Flaw:
    """Of a removal nothing is looked at but whether a later schema may allow its key."""
    if newer:
        try:
            key, _, _ = _decoders(_widened(schema), schema.key)[3].decode(part)
        except _UNREADABLE:
            pass
        else:
            detail = Phrase("a removal whose key is longer than this version knows")
            return key_text(key)[:200], Fate.PARKED, Reason.UNKNOWN_SCHEMA_VERSION, detail
    return "", Fate.REFUSED, Reason.WRONG_TYPE, Phrase("a removal is not [key, kind, reason]")


def _row_flaw(schema: RowSchema, columns: tuple[str, ...], newer: bool, part: msgspec.Raw) -> _Flaw:
    """What only this version of the schema takes amiss waits for the newer one; all else is refused for good."""
    key, reason, detail = _why(part, schema, columns)
    if newer:
        try:
            _decoders(_widened(schema), columns)[1].decode(part)
        except _UNREADABLE:
            pass
        else:
            return key, Fate.PARKED, Reason.UNKNOWN_SCHEMA_VERSION, detail
    return key, Fate.REFUSED, reason, detail


def _why(part: msgspec.Raw, schema: RowSchema, columns: tuple[str, ...]) -> tuple[str, Reason, str]:
    """Key text, reason and words for a row that its schema does not accept."""
    held = _array_length(memoryview(part))
    if held is None:
        return "", Reason.WRONG_TYPE, Phrase("a row is not an array")
    if held != len(columns):
        # Before anything is built: a row of one byte a cell may claim millions of them.
        return "", Reason.WRONG_TYPE, Phrase("{} cells for {} columns", held, len(columns))
    try:
        raws = _raw_rows.decode(part)
        if not all(_is_scalar(memoryview(raw)) for raw in raws):
            return "", Reason.WRONG_TYPE, Phrase("a cell is not a plain value")
        cells = [msgspec.msgpack.decode(raw) for raw in raws]
    except _UNREADABLE:
        return "", Reason.WRONG_TYPE, Phrase("a cell is not a plain value")
    by_name = dict(zip(columns, cells, strict=True))
    key = key_text([by_name[k] for k in schema.key])
    for name, cell in by_name.items():
        fault = check_cell(schema.column(name), cell)
        if fault is not None:
            return key, fault[0], fault[1]
    return key, Reason.WRONG_TYPE, Phrase("row does not fit its schema")


def check_cell(column: Column, cell: object) -> tuple[Reason, str] | None:
    """Why a single cell does not fit its column, or None. The same rules at a node's own door and for what arrives."""
    if isinstance(cell, str | bytes) and len(cell) > column.length:
        return Reason.TOO_LONG, Phrase("column '{}' holds {}, at most {}", column.name, len(cell), column.length)
    try:
        # bytes as they are: without this, text would pass for base64
        msgspec.convert(cell, cell_type(column), builtin_types=(bytes,))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        if cell is None:
            return Reason.WRONG_TYPE, Phrase("column '{}' is not {} (empty)", column.name, column.type.value)
        return Reason.WRONG_TYPE, Phrase("column '{}' is not {}", column.name, column.type.value)
    return None
