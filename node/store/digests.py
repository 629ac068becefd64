"""Row digests by plain SELECT, as docs/wire.md describes them and as anyone may compute them.

Deliberately a second implementation that shares no code with sync.rows: it checks that one. Digest of a set of rows =
sum modulo 2^256, as 32 bytes big-endian, of SHA-256("tiersync.v1.row\\0" || msgpack [version, [cell...]]),
cells in schema order, nil for what the feed does not carry, trailing nils cut off, booleans as booleans.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from node.store.driver import Connection
from sync.schema import CellType, RowSchema
from sync.values import Cell, FeedName

_DOMAIN = b"tiersync.v1.row\x00"
_FEED = "SELECT id FROM feed WHERE origin = ? AND publication = ? AND addressee = ?"
_IMAGES = """SELECT version, names, cells FROM row_image JOIN column_list ON column_list.id = row_image.columns
    WHERE feed = ? AND dataset = ?"""


class TableDigest(NamedTuple):
    """Number of rows and digest (32 bytes)."""

    rows: int
    digest: bytes


def digest_table(
    connection: Connection,
    schema: RowSchema,
    origin: str,
    feed: FeedName | None,
    columns: Sequence[str] = (),
    where: str = "",
    parameters: Sequence[Cell] = (),
    masked: Mapping[str, Callable[[str], str]] = MappingProxyType({}),
) -> TableDigest:
    """Digest of what `feed` says of the rows of `origin` (receiver), or of the origin's own rows (feed None).

    At the origin give the publication's columns and filter: other columns count as nil, rows outside are left out;
    the version is the row's own. `where` is SQL made by the filter compiler. masked: by column, how its texts leave
    where that is not as they are. Raises the driver's Error.
    """
    carried = set(columns or schema.names)
    total = count = 0
    for version, cells in _stored(connection, schema, origin, feed, where, parameters):
        kept = [c if name in carried else None for name, c in zip(schema.names, cells, strict=True)]
        for name, leaves in masked.items():
            place = schema.names.index(name)
            text = kept[place]
            kept[place] = text if text is None else leaves(text)
        total += _number(schema, version, kept)
        count += 1
    return TableDigest(count, (total % 2**256).to_bytes(32, "big"))


def _stored(
    connection: Connection,
    schema: RowSchema,
    origin: str,
    feed: FeedName | None,
    where: str,
    parameters: Sequence[Cell],
) -> Iterator[tuple[int, list[Any]]]:
    names = ", ".join(f'"{name}"' for name in schema.names)
    condition = f" AND ({where})" if where else ""
    carrier: tuple[object, ...] = ()
    if feed is None:
        of_feed = '"_feed" IS NULL'
    else:
        found = connection.execute(_FEED, feed).fetchone()
        if found is None:
            return
        of_feed, carrier = '"_feed" = ?', (found[0],)
    sql = f'SELECT "_version", {names} FROM "held_{schema.dataset}" WHERE "_origin" = ? AND {of_feed}{condition}'  # noqa: S608 - names from the catalogue
    for version, *cells in connection.execute(sql, (origin, *carrier, *parameters)).fetchall():
        yield version, cells
    if feed is not None:
        # Rows that several feeds carry: what each says of them is kept beside the table.
        for version, listed, packed in connection.execute(_IMAGES, (*carrier, schema.dataset)).fetchall():
            said = dict(zip(listed.split(","), msgspec.msgpack.decode(packed), strict=True))
            yield version, [said.get(name) for name in schema.names]


def _number(schema: RowSchema, version: int, cells: list[Any]) -> int:
    for place, column in enumerate(schema.columns):
        if column.type is CellType.BOOLEAN and cells[place] is not None:
            cells[place] = bool(cells[place])
    while cells and cells[-1] is None:
        cells.pop()
    return int.from_bytes(hashlib.sha256(_DOMAIN + msgspec.msgpack.encode([version, cells])).digest(), "big")
