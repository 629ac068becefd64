"""Read-only questions about rows, shared by the control service and what comes after it."""

from __future__ import annotations

import json
from typing import NamedTuple

from node.faults import Code, UserFault
from node.storable import check_storable
from node.store.readers import Reader
from node.texts import N_, Text
from sync.errors import InputFault
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.schema import RowSchema
from sync.values import Cell, Row
from tiers.catalogue import Catalogue
from tiers.faults import CatalogueFault
from tiers.filters import Filter, filter_sql, parse_filter

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
    """(columns, rows) of a dataset, in order of origin and key. Raises InputFault, UserFault."""
    dataset = catalogue.datasets.get(wish.dataset)
    if dataset is None:
        known = ", ".join(sorted(catalogue.datasets))
        raise InputFault(Reason.UNKNOWN_DATASET, Phrase("dataset '{}'; known here: {}", wish.dataset, known))
    columns = wish.columns or dataset.schema.names
    unknown = [c for c in columns if c not in dataset.schema.names]
    if unknown:
        raise InputFault(Reason.UNKNOWN_COLUMN, Phrase("column '{}' of dataset '{}'", unknown[0], wish.dataset))
    check_storable(wish.origin)
    conditions: list[str] = []
    parameters: list[Cell] = []
    if wish.origin:
        conditions.append('"_origin" = ?')
        parameters.append(wish.origin)
    if wish.filter:
        text, values = filter_sql(filter_of(wish.filter, dataset.schema))
        conditions.append(f"({text})")
        parameters.extend(values)
    most = wish.limit if 0 < wish.limit <= ROWS_MAX else ROWS_MAX + 1
    found = reader.query(wish.dataset, " AND ".join(conditions), parameters, columns, most)
    if len(found) > ROWS_MAX:
        # Half an answer that looks like a whole one would be taken for it.
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{dataset}' has more than {most} rows of this kind, which is the most that one question can get."),
            N_("Ask in parts, with --filter or --origin, or for the first {most} with --limit {most}."),
            dataset=wish.dataset,
            most=ROWS_MAX,
        )
    return columns, found


def filter_of(text: str, schema: RowSchema) -> Filter:
    """A filter as a person wrote it. Raises UserFault BAD_FILTER with everything that is wrong with it."""
    try:
        raw = json.loads(text)
        check_storable(raw)
        return parse_filter(raw, schema)
    except CatalogueFault as fault:
        raise _bad_filter(schema, *(Text("{at}: {what}", at=m.path, what=m.text) for m in fault.mistakes)) from fault
    except (ValueError, RecursionError) as error:
        raise _bad_filter(schema, Text(N_("it is not JSON: {error}"), error=error)) from error


def _bad_filter(schema: RowSchema, *detail: Text) -> UserFault:
    return UserFault(
        Code.BAD_FILTER,
        N_("This is no filter of '{dataset}': {detail}"),
        N_(
            'Write it as JSON, such as {{"column": "{column}", "op": "=", "value": "..."}}, or several in '
            '{{"and": [...]}}; operators are = != < <= > >= in is_null. Columns: {columns}.'
        ),
        dataset=schema.dataset,
        detail=detail,
        column=schema.key[0],
        columns=", ".join(schema.names),
    )
