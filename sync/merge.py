"""How the rows of one feed meet the rows a node holds (protocol section 9, "Applying").

The state is kept per row and feed (version, image). A column that several feeds carry has the value of the highest
version among them; a removal ends the row in that feed, and the row goes when no feed holds it. Where one feed alone
carries a row, which is nearly always, that state is simply the row and its version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from sync.effects import DeleteRows, DropImages, HeldRow, Image, SaveImages, UpsertRows, Write
from sync.rows import End, key_getter, row_hash, sum_hashes, to_schema_order
from sync.schema import RowSchema
from sync.values import FeedName, Key, Row


class Change(NamedTuple):
    """The judged rows of one entry: puts in the order of `columns`, all with one version."""

    version: int
    columns: tuple[str, ...]
    puts: Sequence[Row]
    ends: Sequence[End]


@dataclass(slots=True)
class Merged:
    """What follows from a run of changes: writes, and how the feed's digest and number of rows move."""

    writes: list[Write] = field(default_factory=list)
    added: int = 0
    removed: int = 0
    rows: int = 0


def keys_of(schema: RowSchema, changes: Iterable[Change]) -> list[Key]:
    """Every key that the changes touch, in order, repeats included."""
    keys: list[Key] = []
    for change in changes:
        if change.puts:
            keys.extend(map(key_getter(schema, change.columns), change.puts))
        keys.extend(end.key for end in change.ends)
    return keys


def merge(
    schema: RowSchema,
    feed: FeedName,
    changes: Sequence[Change],
    keys: Sequence[Key],
    held: Mapping[Key, HeldRow],
) -> Merged:
    """Applies the changes of one feed, in order, to what is held of `keys` (from keys_of)."""
    merged = Merged()
    if not held and len(set(keys)) == len(keys) and not any(change.ends for change in changes):
        _insert_new(schema, feed, changes, merged)
    else:
        _fold(schema, feed, changes, held, merged)
    return merged


def _insert_new(schema: RowSchema, feed: FeedName, changes: Sequence[Change], merged: Merged) -> None:
    """The common case: rows nobody holds yet, each once."""
    for columns, group in groupby((c for c in changes if c.puts), key=lambda change: change.columns):
        rows: list[Row] = []
        versions: list[int] = []
        for change in group:
            rows.extend(change.puts)
            versions.extend([change.version] * len(change.puts))
        order = to_schema_order(schema, columns)
        ordered = rows if order is None else list(map(order, rows))
        one = versions[0] if len(set(versions)) == 1 else versions
        merged.added += sum_hashes(one, ordered)
        merged.rows += len(rows)
        merged.writes.append(UpsertRows(schema.dataset, feed.origin, feed, columns, rows, one))


def _fold(
    schema: RowSchema, feed: FeedName, changes: Sequence[Change], held: Mapping[Key, HeldRow], merged: Merged
) -> None:
    """The general case: existing rows, several feeds, removals, a key more than once."""
    before = {key: images_of(schema, row) for key, row in held.items()}
    after: dict[Key, dict[FeedName, Image]] = {}
    for change in changes:
        key_of = key_getter(schema, change.columns)
        for put in change.puts:
            key = key_of(put)
            images = after.setdefault(key, dict(before.get(key, {})))
            images[feed] = Image(change.version, change.columns, put)
        for end in change.ends:
            images = after.setdefault(end.key, dict(before.get(end.key, {})))
            images.pop(feed, None)
    _account(schema, feed, before, after, merged)
    _write(schema, feed, before, after, merged)


def images_of(schema: RowSchema, row: HeldRow) -> dict[FeedName, Image]:
    """What each feed says of a held row."""
    if row.feed is not None:
        by_name = dict(zip(schema.names, row.cells, strict=True))
        return {row.feed: Image(row.version, row.columns, tuple(by_name[c] for c in row.columns))}
    return dict(row.images)


def image_cells(schema: RowSchema, image: Image) -> Row:
    """An image's cells in schema order."""
    order = to_schema_order(schema, image.columns)
    return image.cells if order is None else order(image.cells)


def _account(
    schema: RowSchema,
    feed: FeedName,
    before: Mapping[Key, Mapping[FeedName, Image]],
    after: Mapping[Key, Mapping[FeedName, Image]],
    merged: Merged,
) -> None:
    """Moves the feed's digest by what changed in it."""
    for key, images in after.items():
        was = before.get(key, {}).get(feed)
        now = images.get(feed)
        if was is not None:
            merged.removed += row_hash(was.version, image_cells(schema, was))
            merged.rows -= 1
        if now is not None:
            merged.added += row_hash(now.version, image_cells(schema, now))
            merged.rows += 1


def _write(
    schema: RowSchema,
    feed: FeedName,
    before: Mapping[Key, Mapping[FeedName, Image]],
    after: Mapping[Key, Mapping[FeedName, Image]],
    merged: Merged,
) -> None:
    gone: list[Key] = []
    alone: dict[tuple[FeedName, tuple[str, ...]], list[tuple[Row, int]]] = {}
    shared: list[tuple[Row, int]] = []
    saved: dict[FeedName, list[tuple[Key, Image]]] = {}
    dropped: dict[FeedName, list[Key]] = {}
    for key, images in after.items():
        was = before.get(key, {})
        if len(images) > 1:
            shared.append(combine(schema, images))
            for name, image in images.items():
                if name == feed or len(was) < 2:
                    saved.setdefault(name, []).append((key, image))
            if feed in was and feed not in images:
                dropped.setdefault(feed, []).append(key)
            continue
        if len(was) > 1:
            for name in was:
                dropped.setdefault(name, []).append(key)
        if images:
            ((name, image),) = images.items()
            alone.setdefault((name, image.columns), []).append((image.cells, image.version))
        elif was:
            gone.append(key)
    origin, dataset = feed.origin, schema.dataset
    if gone:
        merged.writes.append(DeleteRows(dataset, origin, gone))
    for (name, columns), rows in alone.items():
        merged.writes.append(_upsert(dataset, origin, name, columns, rows))
    if shared:
        merged.writes.append(_upsert(dataset, origin, None, schema.names, shared))
    merged.writes.extend(DropImages(dataset, name, keys) for name, keys in dropped.items())
    merged.writes.extend(SaveImages(dataset, name, images) for name, images in saved.items())


def _upsert(
    dataset: str, origin: str, feed: FeedName | None, columns: tuple[str, ...], rows: list[tuple[Row, int]]
) -> UpsertRows:
    cells = [row for row, _ in rows]
    return UpsertRows(dataset, origin, feed, columns, cells, [version for _, version in rows])


def combine(schema: RowSchema, images: Mapping[FeedName, Image]) -> tuple[Row, int]:
    """The row that several feeds make together: per column the value of the highest version that carries it.

    Two feeds of one origin have the same version only from the same transaction, hence the same values; the feed's
    name breaks the tie all the same, so that every node gets the same row.
    """
    cells: dict[str, object] = {}
    ordered = sorted(images.items(), key=lambda item: (item[1].version, item[0]))
    for _, image in ordered:
        cells.update(zip(image.columns, image.cells, strict=True))
    row: Row = tuple(cells.get(name) for name in schema.names)  # type: ignore[misc]
    return row, ordered[-1][1].version
