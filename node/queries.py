"""Read-only questions about rows, shared by the control service and what comes after it."""

from __future__ import annotations

import json
from typing import NamedTuple

from node.store.readers import Reader
from sync.errors import InputFault
from sync.reasons import Reason
from sync.values import Cell, Row
from tiers.catalogue import Catalogue
from tiers.filters import filter_sql, parse_filter

PAGE_ROWS = 1_000
ROWS_MAX = 1_000_000


class QueryWish(NamedTuple):
    """filter: JSON of the publication filter grammar, '' = all; columns empty = all; limit 0 = all; origin '' = all."""

    dataset: str
    filter: str
    columns: tuple[str, ...]
    limit: int
    origin: str


def query(catalogue: Catalogue, reader: Reader, wish: QueryWish) -> tuple[tuple[str, ...], list[Row]]:
    """(columns, rows) of a dataset, in order of origin and key. Raises InputFault."""
    dataset = catalogue.datasets.get(wish.dataset)
    if dataset is None:
        known = ", ".join(sorted(catalogue.datasets))
        raise InputFault(Reason.UNKNOWN_DATASET, f"dataset '{wish.dataset}'; known here: {known}")
    columns = wish.columns or dataset.schema.names
    unknown = [c for c in columns if c not in dataset.schema.names]
    if unknown:
        raise InputFault(Reason.UNKNOWN_COLUMN, f"column '{unknown[0]}' of dataset '{wish.dataset}'")
    conditions: list[str] = []
    parameters: list[Cell] = []
    if wish.origin:
        conditions.append('"_origin" = ?')
        parameters.append(wish.origin)
    if wish.filter:
        try:
            raw = json.loads(wish.filter)
        except ValueError as error:
            raise InputFault(Reason.MALFORMED, f"the filter is not JSON: {error}") from error
        text, values = filter_sql(parse_filter(raw, dataset.schema))
        conditions.append(f"({text})")
        parameters.extend(values)
    found = reader.query(wish.dataset, " AND ".join(conditions), parameters, columns, wish.limit or ROWS_MAX)
    return columns, found
