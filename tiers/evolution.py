"""Versions only add: what a later version of a dataset may change, and what it must leave as it is.

Administrations never upgrade on the same day, so a version must be one that a receiver one or many versions behind can
wait for (it parks what it does not know), and one that the rows of an origin behind still keep. So columns, values,
owner tiers and publications may be added (columns at the end) and bounds widened; nothing goes, changes its meaning or
becomes narrower. Each rule compares one fact of two versions and is transitive: a chain of allowed steps is allowed
from any version to any later.

A mandatory column does not become optional either: a receiver behind would refuse the empty cell for good. Who no
longer has it adds an optional column beside it under a new name, or a new dataset.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain, pairwise
from typing import NamedTuple

import msgspec

from sync.phrase import Phrase
from sync.schema import CellType
from tiers.catalogue import Catalogue
from tiers.dataset import Dataset, Field, Publication

_MEASURED = (CellType.TEXT.value, CellType.BYTES.value, CellType.DECIMAL.value)
"""Types whose length counts."""


class Change(NamedTuple):
    """One difference between two versions. path: what it is about, as 'case.closed_at'."""

    path: str
    said: Phrase
    allowed: bool


class ColumnShape(msgspec.Struct, frozen=True):
    """What of a column is compared. Bounds are texts of decimals, '' for none; so is the unit."""

    type: str
    nullable: bool
    length: int
    held_back: bool = False
    unit: str = ""
    values: tuple[str, ...] = ()
    codes: tuple[str, str, str] | None = None
    decimals: int | None = None
    minimum: str = ""
    maximum: str = ""
    reserved: tuple[str, ...] = ()


class Shape(msgspec.Struct, frozen=True):
    """What of a dataset is compared: all that a receiver judges by. Words and checks are free to change."""

    dataset: str
    version: int
    key: tuple[str, ...]
    owner: tuple[str, ...]
    region: str
    date: str
    columns: dict[str, ColumnShape]
    code_table: tuple[str, str] | None = None


class PublicationShape(msgspec.Struct, frozen=True):
    """What of a publication is compared. Lane and filter are free to change."""

    publication: str
    dataset: str
    route: str
    columns: tuple[str, ...]
    addressees: tuple[str, ...] = ()


class Released(msgspec.Struct, frozen=True):
    """The shapes of a whole catalogue, as they are kept of each release of the program."""

    datasets: tuple[Shape, ...]
    publications: tuple[PublicationShape, ...]


_shapes = msgspec.json.Decoder(Shape)
_released = msgspec.json.Decoder(Released)


def shape_of(dataset: Dataset) -> Shape:
    """The shape of a dataset as it is declared."""
    codes = dataset.code_table
    return Shape(
        dataset.id,
        dataset.version,
        dataset.key,
        dataset.owner,
        dataset.region,
        dataset.date,
        {f.column.name: _column(f) for f in dataset.fields},
        (codes.table_column, codes.code_column) if codes else None,
    )


def _column(field: Field) -> ColumnShape:
    column, codes = field.column, field.codes
    return ColumnShape(
        column.type.value,
        column.nullable,
        column.length,
        field.held_back,
        field.unit,
        tuple(v.value for v in field.values),
        (codes.table, codes.column, codes.free_prefix) if codes else None,
        field.decimals,
        "" if field.minimum is None else str(field.minimum),
        "" if field.maximum is None else str(field.maximum),
        tuple(map(str, codes.reserved)) if codes else (),
    )


def pack_shape(shape: Shape) -> bytes:
    """A shape to be kept beside the rows that were made by it."""
    return msgspec.json.encode(shape)


def unpack_shape(kept: bytes) -> Shape | None:
    """The inverse of pack_shape; None for what another program kept, which is then not compared."""
    try:
        return _shapes.decode(kept)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def released_of(catalogue: Catalogue) -> Released:
    """The shapes of a catalogue as it is declared."""
    publications = catalogue.publications.values()
    return Released(tuple(map(shape_of, catalogue.datasets.values())), tuple(map(_publication_shape, publications)))


def _publication_shape(publication: Publication) -> PublicationShape:
    route = publication.route.name.lower()
    return PublicationShape(publication.id, publication.dataset, route, publication.columns, publication.addressees)


def unpack_released(kept: bytes) -> Released:
    """What was kept of a release. Raises ValueError."""
    return _released.decode(kept)


def compare_released(old: Released, new: Released) -> list[Change]:
    """Every difference in the shapes of two catalogues."""
    datasets = {shape.dataset: shape for shape in new.datasets}
    publications = {shape.publication: shape for shape in new.publications}
    changes: list[Change] = []
    for shape in old.datasets:
        later = datasets.get(shape.dataset)
        changes += compare_shapes(shape, later) if later else [_gone(shape.dataset)]
    before = {shape.dataset: shape.version for shape in old.datasets}
    for said in old.publications:
        version = before[said.dataset]
        now = datasets[said.dataset].version if said.dataset in datasets else version
        changes += _publication(said, publications.get(said.publication), (version, now))
    return changes


def _gone(dataset: str) -> Change:
    return Change(dataset, Phrase("the dataset is gone"), False)


def compare(old: Catalogue, new: Catalogue) -> list[Change]:
    """Every difference between two versions of a catalogue, in order of the old one, then what is new."""
    changes: list[Change] = []
    for name, dataset in old.datasets.items():
        later = new.datasets.get(name)
        if later is None:
            changes.append(_gone(name))
            continue
        found = compare_shapes(shape_of(dataset), shape_of(later))
        if dataset != later and not found:
            found = [Change(name, Phrase("words, checks or what is said about it changed"), True)]
        changes += found
    changes += [Change(name, Phrase("a new dataset"), True) for name in new.datasets if name not in old.datasets]
    for name, publication in old.publications.items():
        after = new.publications.get(name)
        shape = _publication_shape(after) if after else None
        changes += _publication(_publication_shape(publication), shape, _versions(publication, old, new))
        if after and (publication.lane is not after.lane or publication.filter != after.filter):
            changes.append(Change(name, Phrase("its lane or filter changed"), True))
    changes += [
        Change(name, Phrase("a new publication"), True) for name in new.publications if name not in old.publications
    ]
    return changes


def compare_chain(versions: Sequence[Catalogue]) -> list[Change]:
    """Every difference from each version to the next: what went and came back is told, though the ends look alike."""
    return list(chain.from_iterable(compare(old, new) for old, new in pairwise(versions)))


def compare_shapes(old: Shape, new: Shape) -> list[Change]:
    """Every difference between two versions of one dataset."""
    changes = [*_head(old, new), *_columns(old, new)]
    if new.version < old.version:
        changes.append(Change(old.dataset, Phrase("the version falls from {} to {}", old.version, new.version), False))
    elif new.version == old.version and changes:
        changes.append(
            Change(
                old.dataset, Phrase("what receivers judge by changed, but the version is still {}", new.version), False
            )
        )
    elif new.version > old.version:
        changes.insert(
            0, Change(old.dataset, Phrase("the version rises from {} to {}", old.version, new.version), True)
        )
    return changes


def _head(old: Shape, new: Shape) -> Iterator[Change]:
    name = old.dataset
    if old.key != new.key:
        yield Change(name, Phrase("the key changed from {} to {}", ", ".join(old.key), ", ".join(new.key)), False)
    gone, come = ([t for t in one if t not in other] for one, other in ((old.owner, new.owner), (new.owner, old.owner)))
    if gone:
        yield Change(name, Phrase("no longer among its '{}': {}", "owner", ", ".join(gone)), False)
    if come:
        yield Change(name, Phrase("new among its '{}': {}", "owner", ", ".join(come)), True)
    if old.region != new.region:
        yield Change(name, Phrase("the region column changed from '{}' to '{}'", old.region, new.region), False)
    if old.date != new.date:
        yield Change(name, Phrase("the date column changed from '{}' to '{}'", old.date, new.date), False)
    if old.code_table != new.code_table:
        if old.code_table is None:
            yield Change(name, Phrase("its rows are codes now"), True)
        else:
            yield Change(name, Phrase("what says that its rows are codes changed"), False)


def _columns(old: Shape, new: Shape) -> Iterator[Change]:
    for name, column in old.columns.items():
        path = f"{old.dataset}.{name}"
        later = new.columns.get(name)
        if later is None:
            yield Change(path, Phrase("the column is gone; one of another name is another column"), False)
        elif column.type != later.type:
            yield Change(path, Phrase("the type changed from {} to {}", column.type, later.type), False)
        else:
            yield from _meaning(path, column, later)
            yield from _range(path, column, later)
    for name, later in new.columns.items():
        if name not in old.columns:
            path = f"{old.dataset}.{name}"
            if later.nullable:
                yield Change(path, Phrase("a new column"), True)
            else:
                yield Change(path, Phrase("a new column must be nullable: older rows lack it"), False)
    yield from _order(old, new)


def _order(old: Shape, new: Shape) -> Iterator[Change]:
    """Row digests know cells by their place and cut empty ones off at the end, so only there may a column come.

    Held-back columns are in no digest of a feed: they may stand anywhere.
    """
    before, after = ([name for name, c in shape.columns.items() if not c.held_back] for shape in (old, new))
    kept = [name for name in before if name in after]
    if [name for name in after if name in kept] != kept:
        yield Change(old.dataset, Phrase("the columns stand in another order"), False)
    elif (fresh := next((name for name in after[: len(kept)] if name not in before), None)) is not None:
        path = f"{old.dataset}.{fresh}"
        yield Change(path, Phrase("a new column must stand after all older ones that are published"), False)


def _meaning(path: str, old: ColumnShape, new: ColumnShape) -> Iterator[Change]:
    if old.nullable and not new.nullable:
        yield Change(path, Phrase("an optional column became mandatory"), False)
    if new.nullable and not old.nullable:
        yield Change(
            path, Phrase("a mandatory column became optional: older receivers refuse an empty cell for good"), False
        )
    if old.held_back and not new.held_back:
        yield Change(path, Phrase("the column is no longer held back: what was promised to stay would leave"), False)
    if new.held_back and not old.held_back:
        yield Change(
            path, Phrase("the column is held back now: newer receivers would refuse the rows of older nodes"), False
        )
    if old.unit != new.unit:
        if old.unit:
            yield Change(
                path,
                Phrase(
                    "the unit changed from '{}' to '{}': the same number would mean another thing", old.unit, new.unit
                ),
                False,
            )
        else:
            yield Change(path, Phrase("the unit is said now: '{}'", new.unit), True)
    if old.codes != new.codes:
        yield Change(path, Phrase("the code table changed"), False)


def _range(path: str, old: ColumnShape, new: ColumnShape) -> Iterator[Change]:
    """What a cell may hold: it may become more, never less."""
    if old.type in _MEASURED and old.length != new.length:
        yield _wider(path, "length", new.length > old.length, old.length, new.length)
    yield from _values(path, old.values, new.values)
    if old.reserved != new.reserved:
        before, after = ", ".join(old.reserved), ", ".join(new.reserved)
        yield _wider(path, "codes_reserved", set(old.reserved) <= set(new.reserved), before, after)
    if old.decimals != new.decimals:
        wider = new.decimals is None or (old.decimals is not None and new.decimals > old.decimals)
        yield _wider(path, "decimals", wider, old.decimals, new.decimals)
    if not _same(old.minimum, new.minimum):
        wider = not new.minimum or (bool(old.minimum) and Decimal(new.minimum) < Decimal(old.minimum))
        yield _wider(path, "minimum", wider, old.minimum, new.minimum)
    if not _same(old.maximum, new.maximum):
        wider = not new.maximum or (bool(old.maximum) and Decimal(new.maximum) > Decimal(old.maximum))
        yield _wider(path, "maximum", wider, old.maximum, new.maximum)


def _same(old: str, new: str) -> bool:
    return old == new or (bool(old) and bool(new) and Decimal(old) == Decimal(new))


def _values(path: str, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Change]:
    if not old and new:
        yield Change(path, Phrase("a free column became a closed list"), False)
        return
    gone, come = [v for v in old if v not in new], [v for v in new if v not in old]
    if gone:
        yield Change(path, Phrase("values are gone: {}", ", ".join(gone)), False)
    if come:
        yield Change(path, Phrase("new values: {}", ", ".join(come)), True)


def _publication(old: PublicationShape, new: PublicationShape | None, versions: tuple[int, int]) -> Iterator[Change]:
    name = old.publication
    if new is None:
        yield Change(name, Phrase("the publication is gone"), False)
        return
    if old.route != new.route:
        yield Change(name, Phrase("the route changed from {} to {}", old.route, new.route), False)
    for said, before, after in (
        ("addressees", old.addressees, new.addressees),
        ("columns", old.columns, new.columns),
    ):
        gone, come = [one for one in before if one not in after], [one for one in after if one not in before]
        if gone:
            yield Change(name, Phrase("no longer among its '{}': {}", said, ", ".join(gone)), False)
        if come:
            yield Change(name, Phrase("new among its '{}': {}", said, ", ".join(come)), True)
        if come and said == "columns" and versions[0] == versions[1]:
            yield Change(
                name, Phrase("more columns are published, but the dataset's version is still {}", versions[1]), False
            )


def _versions(publication: Publication, old: Catalogue, new: Catalogue) -> tuple[int, int]:
    """The dataset's version then and now (the same where the dataset is gone, which is told anyway)."""
    before = old.datasets[publication.dataset].version
    later: Mapping[str, Dataset] = new.datasets
    return before, later[publication.dataset].version if publication.dataset in later else before


def _wider(path: str, what: str, wider: bool, old: object, new: object) -> Change:
    before, after = (str(x) if x not in (None, "") else "-" for x in (old, new))
    if wider:
        return Change(path, Phrase("'{}' widens from {} to {}", what, before, after), True)
    return Change(path, Phrase("'{}' narrows from {} to {}", what, before, after), False)
