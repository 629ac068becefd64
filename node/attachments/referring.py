"""Who refers to an attachment: that is what entitles anybody to it.

Reference   one place here that names a file, and the node that said it: there the file can be asked for
Referrer    a sort of such places: rows here, moves of tasks
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from node.store.people import DraftState
from node.store.readers import Reader
from node.store.rowsql import quoted
from sync.registry import Registry
from sync.rows import key_text
from sync.values import Route
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.attached import columns_naming, hashes_in, named_by
from tiers.catalogue import Catalogue
from tiers.dataset import Dataset
from tiers.flows.fields import FILES, files_in
from tiers.flows.steps import fields_of
from tiers.ways import Way

REFERENCES_MAX = 100
"""Of one file: who looks for more asks for the rows."""
NAMED_MAX = 1_000_000
DRAFTS_MAX = 10_000


class Reference(NamedTuple):
    """A row (what: its dataset; key as JSON text; columns: those that name the file), or a task (its id)."""

    what: str
    origin: str
    key: str
    columns: tuple[str, ...]
    task: str = ""

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        said = {"dataset": self.what, "origin": self.origin, "key": self.key, "columns": list(self.columns)}
        return {**said, "task": self.task}


class Referrer(Protocol):
    """Beside the writer. `name` is a SHA-256 in hexadecimal."""

    def references(self, reader: Reader, name: str) -> list[Reference]:
        """What here names the file, by whomever it was said; at most REFERENCES_MAX."""
        ...

    def is_shared(self, reader: Reader, name: str, asker: str) -> bool:
        """Whether something that this node itself said, and that it publishes to that node now, names the file."""
        ...


class RowReferrer:
    """Rows whose columns name files. Their tables have no index for it: what names files are reports and tasks, not
    records by the million, and a question that was answered is remembered by who asks it."""

    def __init__(
        self,
        catalogue: Catalogue,
        node: str,
        ways: Callable[[], Mapping[str, tuple[Way, ...]]],
        registry: Callable[[], Registry],
    ) -> None:
        self._catalogue = catalogue
        self._node = node
        self._ways = ways
        self._registry = registry

    def references(self, reader: Reader, name: str) -> list[Reference]:
        """As Referrer.references."""
        return rows_naming(reader, self._catalogue, name)

    def is_shared(self, reader: Reader, name: str, asker: str) -> bool:
        """As Referrer.is_shared: the publications decide, with their columns and filters."""
        ways = self._ways()
        for dataset in naming(self._catalogue):
            for _, row in _rows(reader, dataset, name, self._node):
                columns = columns_naming(dataset, row, name)
                if any(self._carries(way, row, columns, asker) for way in ways.get(dataset.id, ())):
                    return True
        return False

    def _carries(self, way: Way, row: tuple[Any, ...], columns: list[str], asker: str) -> bool:
        if not set(columns) & set(way.publication.columns) or (way.matches is not None and not way.matches(row)):
            return False
        address = way.address_of(row)
        return address is not None and is_audience(
            self._registry(), self._node, way.publication.route, address[1], asker
        )


class TaskReferrer:
    """Moves of tasks that name files. A task has two sides: what one of them said, the other may have, and nobody else,
    whoever carried it. To name a file of the other side entitles to nothing: only what this node said itself counts."""

    def __init__(self, node: str) -> None:
        self._node = node

    def references(self, reader: Reader, name: str) -> list[Reference]:
        """As Referrer.references."""
        return tasks_naming(reader, self._node, name)

    def is_shared(self, reader: Reader, name: str, asker: str) -> bool:
        """As Referrer.is_shared."""
        return any(
            move.by_node == self._node and asker in (move.issuer, move.holder) and name in named_in(move)
            for move in reader.moves_holding(name, asker, NAMED_MAX)
        )


def named_in(move: MoveBody) -> list[str]:
    """The files that a move names."""
    return files_in(fields_of(move).get(FILES, ""))


def tasks_naming(reader: Reader, here: str, name: str) -> list[Reference]:
    """The tasks that name a file: by their moves, or by a draft that waits here and was told to nobody."""
    moves = reader.moves_holding(name, name, NAMED_MAX)
    found = [Reference("", move.by_node, "", (), move.task) for move in moves if name in named_in(move)]
    found += [
        Reference("", here, "", (), draft.task)
        for draft in reader.people.drafts(DRAFTS_MAX, state=DraftState.WAITING.value)
        if any(name in files_in(fields.get(FILES, "")) for of in draft.tasks for _, fields in of.moves)
    ]
    return list(dict.fromkeys(found))[:REFERENCES_MAX]


def all_named_by_tasks(reader: Reader) -> dict[str, int]:
    """Every file that moves here name, and in how many tasks."""
    named = {(name, move.task) for move in reader.moves_holding(FILES, FILES, NAMED_MAX) for name in named_in(move)}
    return Counter(name for name, _ in named)


def is_audience(registry: Registry, origin: str, route: Route, addressee: str, node: str) -> bool:
    """Whether rows that go this way are for that node, rather than only passing it."""
    match route:
        case Route.PARENT:
            return registry.parent(origin) == node
        case Route.ANCESTORS:
            return registry.is_below(origin, node)
        case Route.DESCENDANTS:
            return registry.is_below(node, origin)
        case Route.NODE:
            return addressee == node
        case Route.EVERYWHERE:
            return False


def naming(catalogue: Catalogue) -> Iterator[Dataset]:
    """The datasets with columns that name files."""
    return (dataset for dataset in catalogue.datasets.values() if dataset.attachments)


def rows_naming(reader: Reader, catalogue: Catalogue, name: str) -> list[Reference]:
    """The rows here that name a file."""
    found: list[Reference] = []
    for dataset in naming(catalogue):
        places = [dataset.schema.names.index(column) for column in dataset.key]
        for origin, row in _rows(reader, dataset, name, ""):
            columns = columns_naming(dataset, row, name)
            key = key_text(tuple(row[place] for place in places))
            if columns:
                found.append(Reference(dataset.id, origin, key, tuple(columns)))
    return found[:REFERENCES_MAX]


def all_named(reader: Reader, catalogue: Catalogue) -> dict[str, int]:
    """Every file that rows here name, and how many rows do."""
    counts: dict[str, int] = {}
    for dataset in naming(catalogue):
        where = " OR ".join(f"{quoted(column)} IS NOT NULL" for column in dataset.attachments)
        for row in reader.query(dataset.id, where, (), (), NAMED_MAX):
            for name in named_by(dataset, row, dataset.attachments):
                counts[name] = counts.get(name, 0) + 1
    return counts


def named_since(
    reader: Reader, dataset: Dataset, columns: Collection[str], origin: str, version: int
) -> tuple[list[str], int]:
    """The files that rows of an origin above this version name in these columns, and the newest version."""
    naming_columns = [column for column in dataset.attachments if column in columns]
    where = " OR ".join(f"{quoted(column)} IS NOT NULL" for column in naming_columns)
    rows = reader.query(
        dataset.id,
        f'"_origin" = ? AND "_version" > ? AND ({where})',
        (origin, version),
        ("_version", *naming_columns),
        NAMED_MAX,
    )
    names = dict.fromkeys(name for row in rows for cell in row[1:] for name in hashes_in(cell))
    return list(names), max((row[0] for row in rows if isinstance(row[0], int)), default=version)


def _rows(reader: Reader, dataset: Dataset, name: str, origin: str) -> list[tuple[str, tuple[Any, ...]]]:
    """(origin, cells in schema order) of rows in which the text of a file's name stands."""
    where = " OR ".join(f"instr(lower({quoted(column)}), ?) > 0" for column in dataset.attachments)
    values: list[str] = [name] * len(dataset.attachments)
    if origin:
        where, values = f'({where}) AND "_origin" = ?', [*values, origin]
    columns = ("_origin", *dataset.schema.names)
    return [(str(row[0]), row[1:]) for row in reader.query(dataset.id, where, values, columns, REFERENCES_MAX)]
