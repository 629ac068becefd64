"""Changes as they are followed: pages of rows as they are now, in order of commit, each with the place to go on from.

At least once, and never a gap: a row that changes again before it was told is told as it is then, and once more when
its later change comes. A row that is not there (any more) is told as gone: voided, or no longer published to this node.
"""

from __future__ import annotations

import datetime as dt
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from node.exporting.cells import heads, plain
from node.faults import Code, UserFault
from node.store.changes import Record, Span
from node.store.readers import Reader
from node.texts import N_
from sync.values import Key, Row
from tiers.catalogue import Catalogue
from tiers.dataset import Dataset

RECORDS_AT_ONCE = 100
CHANGES_AT_ONCE = 500

Shown = Mapping[str, tuple[str, ...]]
"""Which columns of which datasets a follower sees; a dataset that is not named is not told of."""


class Place(NamedTuple):
    """The next to tell: key number `key` of record `record`. at: when the record before it was made, 0 if unknown."""

    life: bytes
    record: int
    key: int
    at: int


class Change(NamedTuple):
    """change: 'put' with the row, or 'gone' without. key: as JSON tells it."""

    dataset: str
    origin: str
    key: list[Any]
    change: str
    row: dict[str, Any] | None


class Page(NamedTuple):
    """Changes, each with the cursor behind it; `cursor`: behind all that was looked at; `more`: there is more now."""

    changes: list[tuple[Change, str]]
    cursor: str
    more: bool

    @property
    def datasets_with_rows(self) -> list[str]:
        """The dataset of each row that is told."""
        return [change.dataset for change, _ in self.changes if change.row is not None]


def newest(reader: Reader) -> str:
    """The cursor of what is committed from now on. Raises UserFault CHANGES_OFF."""
    with reader.snapshot():
        span = _span(reader)
        return _packed(Place(span.life, span.end, 0, reader.changes.at(span.end - 1) or 0))


def oldest(reader: Reader) -> str:
    """The cursor of all that is kept. Raises UserFault CHANGES_OFF."""
    with reader.snapshot():
        span = _span(reader)
        return _packed(Place(span.life, span.first, 0, 0))


def page(reader: Reader, catalogue: Catalogue, shown: Shown, cursor: str) -> Page:
    """What follows a cursor. Raises UserFault CHANGES_OFF, CHANGES_EXPIRED, CURSOR_INVALID."""
    with reader.snapshot():
        place = _checked(reader, _unpacked(cursor), _span(reader))
        origins = reader.origins()
        found: list[tuple[Change, str]] = []
        records = reader.changes.records(place.record, RECORDS_AT_ONCE)
        for record in records:
            start = place.key if record.id == place.record else 0
            keys = record.keys[start : start + CHANGES_AT_ONCE - len(found)]
            told = _told(reader, catalogue, shown, record._replace(keys=keys), origins)
            for number, change in enumerate(told, start=start + 1):
                place = _behind(place, record, number)
                if change is not None:
                    found.append((change, _packed(place)))
            if len(found) >= CHANGES_AT_ONCE or start + len(keys) < len(record.keys):
                return Page(found, _packed(place), True)
    return Page(found, _packed(place), len(records) == RECORDS_AT_ONCE)


def _behind(place: Place, record: Record, key: int) -> Place:
    """Behind one key of a record."""
    if key < len(record.keys):
        return Place(place.life, record.id, key, record.at)
    return Place(place.life, record.id + 1, 0, record.at)


def _told(
    reader: Reader, catalogue: Catalogue, shown: Shown, record: Record, origins: Mapping[int, str]
) -> Iterable[Change | None]:
    """A change for each key, None for what this follower does not see."""
    dataset = catalogue.datasets.get(record.dataset)
    columns = shown.get(record.dataset)
    if dataset is None or columns is None:
        return [None] * len(record.keys)
    origin = origins[record.origin]
    held = reader.read_rows(dataset.id, origin, record.keys)
    row_of, key_of = _row_teller(dataset, columns), _key_teller(dataset)
    told = []
    for key in record.keys:
        row = held.get(key)
        if row is None:
            told.append(Change(dataset.id, origin, key_of(key), "gone", None))
        else:
            cells = {"_origin": origin, "_version": row[0], **row_of(row[1])}
            told.append(Change(dataset.id, origin, key_of(key), "put", cells))
    return told


def _row_teller(dataset: Dataset, columns: tuple[str, ...]) -> Callable[[Row], dict[str, Any]]:
    cells = [plain(head.type, dt.UTC) for head in heads(dataset, columns, "")]
    places = [dataset.schema.names.index(name) for name in columns]

    def tell(row: Row) -> dict[str, Any]:
        return {name: say(row[i]) for name, say, i in zip(columns, cells, places, strict=True)}

    return tell


def _key_teller(dataset: Dataset) -> Callable[[Key], list[Any]]:
    cells = [plain(head.type, dt.UTC) for head in heads(dataset, dataset.key, "")]
    return lambda key: [say(cell) for say, cell in zip(cells, key, strict=True)]


def _span(reader: Reader) -> Span:
    span = reader.changes.span()
    if span.life:
        return span
    raise UserFault(
        Code.CHANGES_OFF,
        N_("This node keeps no changes."),
        N_("Its administrator sets `changes_keep_days` in node.toml under [http] and restarts it."),
    )


def _checked(reader: Reader, place: Place, span: Span) -> Place:
    """A place of this journal, of which nothing is missing behind it. In a store that was put back to an older state
    the numbers come again, with other times.
    """
    known = place.life == span.life and span.first <= place.record <= span.end
    if known and place.key and (place.record == span.end or reader.changes.at(place.record) != place.at):
        known = False
    if known and not place.key and place.at and reader.changes.at(place.record - 1) not in (None, place.at):
        known = False
    if known:
        return place
    raise UserFault(
        Code.CHANGES_EXPIRED,
        N_("The changes from this cursor on are not kept any more."),
        N_("Ask for the newest cursor, read all rows anew, then follow from that cursor."),
    )


def _packed(place: Place) -> str:
    return urlsafe_b64encode(msgspec.msgpack.encode(place)).decode().rstrip("=")


def _unpacked(cursor: str) -> Place:
    try:
        packed = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        place = msgspec.msgpack.decode(packed, type=Place)
    except (ValueError, msgspec.MsgspecError) as error:
        raise _bad() from error
    if not (0 < place.record < 1 << 62 and 0 <= place.key < 1 << 31 and 0 <= place.at < 1 << 62):
        raise _bad()
    return place


def _bad() -> UserFault:
    return UserFault(
        Code.CURSOR_INVALID,
        N_("This cursor was not made for this list."),
        N_("Give `next` of the page before, with the same other parameters; or begin without a cursor."),
    )
