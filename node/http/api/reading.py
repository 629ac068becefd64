"""Rows out: pages in order of origin and key, each found by the key that ended the one before; and one row.

What changes between two pages is told as it was before or after; no row is told twice, and none is left out that was
there all the time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec
from starlette.responses import Response

from node.exporting.cells import heads, plain
from node.faults import Code, UserFault
from node.http.api import cursor
from node.http.api.endpoint import Call, invalid, json_answer
from node.http.api.shapes import Page, RowOut
from node.jsoncells import key_of
from node.queries import filter_of
from node.reads import Read
from node.storable import storable
from node.store.readers import Reader
from node.texts import N_
from sync.errors import InputFault
from sync.limits import MIB
from sync.payload import cell_type
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.values import Cell, Key, Row
from tiers.dataset import Dataset
from tiers.filters import columns_of, filter_sql

PAGE_ROWS = 100
PAGE_ROWS_MAX = 1_000
PAGE_BYTES_MAX = 2 * MIB
"""Of texts and bytes in a page; one row goes however large it is."""
READ_ROWS = 100
OF_EACH_ROW = ("_origin", "_version")
ORIGINS_SHOWN = 10


class Wish(NamedTuple):
    """Checked against dataset and token: columns that are told, the condition as SQL text from the filter compiler."""

    dataset: Dataset
    columns: tuple[str, ...]
    where: str
    values: Sequence[Cell]
    origin: str


async def rows(call: Call) -> Response:
    """A page of rows."""
    dataset, asked = call.dataset, call.params
    wish = _wished(call, dataset)
    of = [dataset.id, asked["filter"], asked["columns"], asked["origin"], call.granted.token.held_back]
    after = _after(dataset, of, asked["cursor"]) if asked["cursor"] else None
    most = asked["limit"] or PAGE_ROWS
    found, last = await call.read(partial(_page, wish, after, most))
    told = (asked["columns"], asked["filter"], asked["origin"])
    call.node.note_read(Read(f"token {call.granted.token.id}", dataset.id, len(found), *told))
    shown = shower(dataset, wish.columns)
    following = cursor.pack(of, last) if last is not None else None
    return json_answer(Page(dataset.id, [shown(row) for row in found], following))


async def one_row(call: Call) -> Response:
    """One row by its key."""
    dataset, origin = call.dataset, call.params["origin"]
    key = read_key(dataset, call.request.path_params["key"])
    columns = (*OF_EACH_ROW, *call.granted.columns(dataset))
    where = " AND ".join(f'"{name}" = ?' for name in dataset.schema.key)
    values = [*key, origin] if origin else list(key)
    if origin:
        where += ' AND "_origin" = ?'
    found = await call.read(lambda reader: reader.query(dataset.id, where, values, columns, ORIGINS_SHOWN))
    if not found:
        raise UserFault(
            Code.ROW_UNKNOWN,
            N_("Nothing is known here of a row '{what}'."),
            N_("Give its key as the node that owns it writes it; of several columns as JSON, such as '[\"a\", 1]'."),
            what=call.request.path_params["key"],
        )
    if len(found) > 1:
        raise invalid(
            N_("several nodes have such a row, give one of them as `origin`: {nodes}"),
            nodes=", ".join(str(row[0]) for row in found),
        )
    call.node.note_read(Read(f"token {call.granted.token.id}", dataset.id, 1, origin=origin))
    return json_answer(shower(dataset, columns)(found[0]))


def shower(dataset: Dataset, columns: Sequence[str]) -> Any:
    """Makes of a row in the order of `columns` what the API tells."""
    cells = [plain(head.type, dt.UTC) for head in heads(dataset, columns, "")]

    def show(row: Row) -> RowOut:
        return {name: say(cell) for name, say, cell in zip(columns, cells, row, strict=True)}

    return show


def read_key(dataset: Dataset, text: str) -> Key:
    """The key that a path names: one text, or a JSON list of all its cells. Raises UserFault REQUEST_INVALID."""
    cells: Any = [text]
    if text.startswith("["):
        try:
            cells = msgspec.json.decode(text.encode())
        except (msgspec.MsgspecError, UnicodeEncodeError) as error:
            raise _no_key(dataset) from error
    key = key_of(dataset.schema, cells)
    return _typed_key(dataset, key) if key is not None else _raise(_no_key(dataset))


def _typed_key(dataset: Dataset, key: Key) -> Key:
    columns = [dataset.schema.column(name) for name in dataset.key]
    pair: Any = tuple  # built at run time from the schema, so out of the type checker's sight
    try:
        typed: Key = msgspec.convert(key, pair[tuple(map(cell_type, columns))], builtin_types=(bytes,))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _no_key(dataset) from error
    return typed if storable(typed) else _raise(_no_key(dataset))


def _raise(fault: UserFault) -> Any:
    raise fault


def _no_key(dataset: Dataset) -> UserFault:
    return invalid(N_("this is no key of '{dataset}': {columns}"), dataset=dataset.id, columns=", ".join(dataset.key))


def _wished(call: Call, dataset: Dataset) -> Wish:
    """Raises InputFault UNKNOWN_COLUMN, UserFault BAD_FILTER; a column that the token does not see is unknown to it."""
    seen = call.granted.columns(dataset)
    asked = tuple(name for name in call.params["columns"].split(",") if name)
    where, values = "", list[Cell]()
    used = list(asked)
    if text := call.params["filter"]:
        parsed = filter_of(text, dataset.schema)
        used += sorted(columns_of(parsed))
        where, values = filter_sql(parsed)
    for name in used:
        if name not in seen:
            raise InputFault(Reason.UNKNOWN_COLUMN, Phrase("column '{}' of dataset '{}'", name, dataset.id))
    columns = tuple(dict.fromkeys((*OF_EACH_ROW, *(asked or seen))))
    return Wish(dataset, columns, where, values, call.params["origin"])


def _after(dataset: Dataset, of: object, text: str) -> tuple[str, Key]:
    origin, key = cursor.unpack(of, text, tuple[str, tuple[Any, ...]])
    return origin, _typed_key(dataset, key)


def _page(wish: Wish, after: tuple[str, Key] | None, most: int, reader: Reader) -> tuple[list[Row], Any]:
    """Rows as far as a page may hold them, and the place of the last of them if there may be more."""
    width = len(wish.columns)
    found: list[Row] = []
    last: tuple[str, Key] | None = None
    size = 0
    for origin, row in _rows_behind(wish, after, most, reader):
        size += sum(len(cell) for cell in row[:width] if isinstance(cell, str | bytes))
        if found and size > PAGE_BYTES_MAX:
            return found, last
        found.append(row[:width])
        last = (origin, row[width:])
        if len(found) == most:
            return found, last
    return found, None


def _rows_behind(wish: Wish, after: tuple[str, Key] | None, most: int, reader: Reader) -> Iterator[tuple[str, Row]]:
    """(origin, row with its key behind it), read some at a time: nobody knows before how large they are."""
    columns = (*wish.columns, *wish.dataset.schema.key)
    step = min(most, READ_ROWS)
    for origin in [wish.origin] if wish.origin else reader.nodes():
        if after is not None and origin < after[0]:
            continue
        behind = after[1] if after is not None and origin == after[0] else None
        part: list[Row] = []
        while not part or len(part) == step:
            part = reader.page(wish.dataset.id, origin, behind, columns, step, wish.where, wish.values)
            if not part:
                break
            yield from ((origin, row) for row in part)
            behind = part[-1][len(wish.columns) :]
