"""One publication on its way to one addressee, made ready: what of a row it carries. And how a store keeps it as text,
so that what was published by earlier settings can still be told when they have changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from sync.rows import to_schema_order
from sync.schema import RowSchema
from sync.values import Lane, Route, Row, is_node_id
from tiers.dataset import OF_ROW, Dataset, Publication
from tiers.faults import CatalogueFault
from tiers.filters import compile_filter, parse_filter, raw_of
from tiers.personal import RULES, Guard
from tiers.rules import cells_of

Address = tuple[str, str]
"""Id of a publication, and its addressee ('' = all of its audience): what names an own feed."""


class Way(NamedTuple):
    """One publication of a dataset for one addressee ('' = all of its audience)."""

    publication: Publication
    addressee: str
    schema: RowSchema
    project: Callable[[Row], Row] | None
    guard: Guard | None
    matches: Callable[[Row], bool] | None
    named_at: int | None
    """Where a row names its addressee itself; then `addressee` is only the symbol of it."""
    node: str = ""
    """Who sends it: a row that names this very node goes nowhere."""

    @property
    def address(self) -> Address:
        """Names the feed; where rows name their addressees, stands for all of them."""
        return self.publication.id, self.addressee

    def address_of(self, row: Row) -> Address | None:
        """Names the feed that a row goes to; None if it names no other node."""
        if self.named_at is None:
            return self.address
        named = row[self.named_at]
        if named == self.node or not isinstance(named, str) or not is_node_id(named):
            return None
        return self.publication.id, named

    def images(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows as they leave: the publication's columns only, and numbers of persons masked."""
        images = rows if self.project is None else list(map(self.project, rows))
        return images if self.guard is None else self.guard.mask(images)


def make_way(publication: Publication, addressee: str, dataset: Dataset, node: str = "") -> Way:
    """A way made ready for rows in schema order, from `node`."""
    schema, columns, project = dataset.schema, publication.columns, None
    if columns != schema.names:
        project = cells_of([schema.names.index(c) for c in columns])
    matches = compile_filter(publication.filter, schema.names) if publication.filter else None
    guard = Guard(dataset, columns)
    named_at = schema.names.index(addressee[len(OF_ROW) :]) if addressee.startswith(OF_ROW) else None
    masking = guard if guard.masked_columns else None
    return Way(publication, addressee, schema, project, masking, matches, named_at, node)


def images(ways: tuple[Way, ...], row: Row) -> dict[Address, Row]:
    """What each of these ways says of a row, in schema order; nothing where it does not match."""
    found = {}
    for way in ways:
        address = way.address_of(row)
        if address is not None and (way.matches is None or way.matches(row)):
            (image,) = way.images((row,))
            order = to_schema_order(way.schema, way.publication.columns)
            found[address] = image if order is None else order(image)
    return found


def text_of(way: Way, parent: str) -> str:
    """A way as it is kept. `parent`: whom it passes first."""
    of = way.publication
    rule = raw_of(of.filter) if of.filter else None
    masked = [RULES, *way.guard.masked_columns] if way.guard is not None else []
    return json.dumps(
        [parent, of.route.name, of.lane.name, way.addressee, of.columns, rule, masked], ensure_ascii=False
    )


def ways_of(name: str, dataset: Dataset, texts: list[str], node: str) -> tuple[Way, ...] | None:
    """The ways of a publication of `node` as they were kept; None for what this program cannot read or masks otherwise
    by now."""
    found: list[Way] = []
    for text in texts:
        try:
            parent, route, lane, addressee, columns, rule, _ = json.loads(text)
            if not set(columns) <= set(dataset.schema.names):
                return None
            parsed = parse_filter(rule, dataset.schema) if rule is not None else None
            to = (addressee,) if addressee else ()
            publication = Publication(name, dataset.id, Route[route], Lane[lane], tuple(columns), to, parsed)
            found.append(make_way(publication, addressee, dataset, node))
        except (ValueError, TypeError, KeyError, CatalogueFault):
            return None
        if json.loads(text_of(found[-1], parent)) != json.loads(text):
            return None
    return tuple(found)


def settings_text(said: Mapping[str, list[str]]) -> str:
    """A line for each publication: its id, and its ways as JSON."""
    return "\n".join(f"{name} {json.dumps(sorted(ways), ensure_ascii=False)}" for name, ways in sorted(said.items()))


def read_settings(text: str) -> dict[str, str]:
    """The lines of settings_text by publication."""
    return dict(line.split(" ", 1) for line in text.splitlines())
