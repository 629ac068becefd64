"""Rows as they travel and as they are told: batches, endings, refusals; and the digest of a feed's live rows.

The digest of a set of rows is the sum, modulo 2^256, of H(ROW || msgpack [key cells, version, cells]) over its rows,
written as 32 bytes big-endian: it changes by one subtraction and one addition when a row changes, does not depend on
order, and anyone can compute it with a SELECT (docs/wire.md, "Row digests"; ADR 0004).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from typing import NamedTuple

import msgspec

from sync.reasons import Reason
from sync.schema import RowSchema
from sync.suites import ROW
from sync.values import Fate, Key, Row

DIGEST_MODULUS = 1 << 256
EMPTY_DIGEST = bytes(32)

_encode = msgspec.msgpack.Encoder().encode


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
    """A row's key as JSON text, as refusals, traces and people quote it; bytes as hex."""
    return json.dumps([k.hex() if isinstance(k, bytes) else k for k in key], ensure_ascii=False)


def row_hash(key: Key, version: int, cells: Sequence[object]) -> int:
    """The number that a row adds to its feed's digest. Booleans count as 0 and 1, as SQLite stores them."""
    return int.from_bytes(sha256(ROW + _encode((key, version, cells))).digest(), "big")


def digest_rows(rows: Iterable[tuple[Key, int, Sequence[object]]]) -> bytes:
    """Digest of a whole set of (key, version, cells)."""
    total = 0
    for key, version, cells in rows:
        total += row_hash(key, version, cells)
    return (total % DIGEST_MODULUS).to_bytes(32, "big")


def shift_digest(digest: bytes, added: int, removed: int) -> bytes:
    """The digest after rows with these summed hashes came and went."""
    return ((int.from_bytes(digest, "big") + added - removed) % DIGEST_MODULUS).to_bytes(32, "big")


def stored_cells(schema: RowSchema, columns: Sequence[str]) -> tuple[int, ...]:
    """Positions of boolean columns among `columns`: they are stored and digested as 0 and 1."""
    return tuple(i for i, c in enumerate(columns) if schema.column(c).type.value == "boolean")
