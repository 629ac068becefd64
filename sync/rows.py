"""Rows as they travel and as they are told: batches, endings, refusals; and the digest of a feed's live rows.

The digest of a set of rows is the sum, modulo 2^256, of row_hash over its rows, written as 32 bytes big-endian: it
changes by one subtraction and one addition when a row changes, does not depend on order, and anyone can compute it
with a SELECT (docs/wire.md, "Row digests"; ADR 0004).

row_hash = SHA-256(ROW || msgpack [version, [cell...]]) with the cells, those of the key among them, in the order of the
dataset's schema, nil for what the feed does not carry, trailing nils cut off (so a later schema version, which only
adds columns at the end, gives the same hash), booleans as msgpack booleans.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from itertools import repeat
from operator import itemgetter
from typing import NamedTuple

import msgspec

from sync import limits
from sync.reasons import Reason
from sync.schema import RowSchema
from sync.suites import ROW
from sync.values import Fate, Key, Row

DIGEST_MODULUS = 1 << 256
EMPTY_DIGEST = bytes(32)

_encode = msgspec.msgpack.Encoder().encode
_PAIR = b"\x92"
"""How msgpack begins an array of two."""
_last_cell = itemgetter(-1)


class EndKind(Enum):
    """Why a row ends in a feed: voided by its owner, or no longer part of the publication."""

    VOID = 1
    LEFT = 2


class End(NamedTuple):
    """A removal. `key` cells are in the order of the schema's key."""

    key: Key
    kind: EndKind
    reason: str = ""


class BadRow(NamedTuple):
    """One row that is not acceptable, by its place in the payload (puts first, then ends)."""

    place: int
    key: str
    fate: Fate
    reason: Reason
    detail: str


@dataclass(slots=True)
class RowBatch:
    """The decoded rows of one entry. `puts` hold cells in the order of `columns`; `bad` rows are in neither list."""

    dataset: str
    columns: tuple[str, ...]
    puts: list[Row]
    ends: list[End]
    bad: list[BadRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Undecodable:
    """An entry whose rows cannot be read here, all with one fate: REFUSED for good, or PARKED until known."""

    dataset: str
    fate: Fate
    reason: Reason
    detail: str


def key_text(key: Sequence[object]) -> str:
    """A row's key as JSON text, as refusals, traces and people quote it; bytes as hex.

    A longer one than is told is cut, and ends in a part of its hash: two rows never have one text.
    """
    text = json.dumps([k.hex() if isinstance(k, bytes) else k for k in key], ensure_ascii=False)
    if len(text) <= limits.KEY_TEXT_CHARACTERS_MAX:
        return text
    mark = "…" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return text[: limits.KEY_TEXT_CHARACTERS_MAX - len(mark)] + mark


def row_hash(version: int, cells: Row) -> int:
    """The number that a row adds to its feed's digest; `cells` in schema order, nil for what the feed lacks."""
    if cells[-1] is None:
        end = len(cells) - 1
        while end and cells[end - 1] is None:
            end -= 1
        cells = cells[:end]
    return int.from_bytes(sha256(ROW + _encode((version, cells))).digest(), "big")


def sum_hashes(versions: int | Sequence[int], rows: Sequence[Row]) -> int:
    """Sum of row_hash over rows of one version or of these; every tier does this for every row."""
    if None in map(_last_cell, rows):
        return sum(map(row_hash, repeat(versions) if isinstance(versions, int) else versions, rows))
    # Not fed to sha256 in two parts: making one bytes object costs less than a second call.
    if isinstance(versions, int):
        head = ROW + _PAIR + _encode(versions)
        return sum(map(int.from_bytes, [sha256(head + cells).digest() for cells in map(_encode, rows)]))
    pairs = map(_encode, zip(versions, rows, strict=True))
    return sum(map(int.from_bytes, [sha256(ROW + pair).digest() for pair in pairs]))


def digest_rows(rows: Iterable[tuple[int, Row]]) -> bytes:
    """Digest of a whole set of (version, cells in schema order)."""
    return shift_digest(EMPTY_DIGEST, sum(row_hash(version, cells) for version, cells in rows), 0)


def shift_digest(digest: bytes, added: int, removed: int) -> bytes:
    """The digest after rows with these summed hashes came and went."""
    return ((int.from_bytes(digest, "big") + added - removed) % DIGEST_MODULUS).to_bytes(32, "big")


@lru_cache(maxsize=512)
def to_schema_order(schema: RowSchema, columns: tuple[str, ...]) -> Callable[[Row], Row] | None:
    """A function from cells in `columns` order to cells in schema order (nil where absent); None if they are alike."""
    if columns == schema.names:
        return None
    place = {name: i for i, name in enumerate(columns)}
    absent = len(columns)
    pick = itemgetter(*(place.get(name, absent) for name in schema.names))
    if len(schema.names) == 1:
        return lambda row: (pick((*row, None)),)
    return lambda row: pick((*row, None))


@lru_cache(maxsize=512)
def key_getter(schema: RowSchema, columns: tuple[str, ...]) -> Callable[[Row], Key]:
    """A function from cells in `columns` order to the row's key."""
    places = [columns.index(k) for k in schema.key]
    if len(places) == 1:
        # A slice gives a tuple, and without a call of Python code for every row.
        return itemgetter(slice(places[0], places[0] + 1))
    return itemgetter(*places)
