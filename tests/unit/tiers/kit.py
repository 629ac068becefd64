"""What the tests of tiers share: the built-in catalogue, a small federation, good rows, a fake of what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

from sync.judge import Signer
from sync.rows import BadRow, End, RowBatch
from sync.scope import Scope
from sync.values import Cell, Row
from sync.wire.v1.entry_pb2 import EntryHeader, MoveBody
from tiers.catalogue import Catalogue
from tiers.codes import Span
from tiers.profile import PROFILES, Standing, node_id, signing_scope

FEDERATION = "cn-demo"
NATION = node_id(PROFILES["national"], "100000", FEDERATION)
PROVINCE = node_id(PROFILES["provincial"], "330000", NATION)
CITY = node_id(PROFILES["city"], "330100", PROVINCE)
DISTRICT = node_id(PROFILES["district"], "330106", CITY)
MUNICIPALITY = node_id(PROFILES["city"], "310000", NATION)

NATION_STANDS = Standing(NATION, PROFILES["national"], "100000", "", NATION, Scope.of("100000"))
PROVINCE_STANDS = Standing(PROVINCE, PROFILES["provincial"], "330000", NATION, NATION, Scope.of("330000"))
CITY_STANDS = Standing(CITY, PROFILES["city"], "330100", PROVINCE, NATION, signing_scope(PROFILES["city"], "330100"))
DISTRICT_STANDS = Standing(DISTRICT, PROFILES["district"], "330106", CITY, NATION, Scope.of("330106"))
MUNICIPALITY_STANDS = Standing(
    MUNICIPALITY, PROFILES["city"], "310000", NATION, NATION, signing_scope(PROFILES["city"], "310000")
)


def builtin_texts() -> list[tuple[str, str]]:
    """The built-in texts, as node reads them."""
    folders = (files("tiers") / "catalogue", files("tiers") / "flows" / "declared")
    found = (f for folder in folders for f in folder.iterdir() if f.name.endswith(".toml"))
    return sorted((f.name, f.read_text("utf-8")) for f in found)


CATALOGUE = Catalogue.build(builtin_texts())


class KnownFake:
    """Implements sync.judge.Known from plain values."""

    def __init__(self, codes: Mapping[str, Sequence[str]] | None = None) -> None:
        self.tables = {table: frozenset(c) for table, c in (codes or {}).items()}
        self.days: dict[str, dict[str, tuple[Span, ...]]] = {}
        self.tasks: dict[str, list[MoveBody]] = {}
        self.waiting: dict[str, list[MoveBody]] = {}
        self.passed: set[tuple[str, str]] = set()
        """(successor, predecessor)"""

    def codes(self, table: str) -> frozenset[str]:
        return self.tables.get(table, frozenset())

    def code_days(self, table: str) -> Mapping[str, tuple[Span, ...]]:
        return self.days.get(table, {})

    def task(self, task: str) -> Sequence[MoveBody]:
        return self.tasks.get(task, [])

    def pending(self, task: str) -> Sequence[MoveBody]:
        return self.waiting.get(task, [])

    def succeeds(self, node: str, predecessor: str) -> bool:
        return (node, predecessor) in self.passed


NOTHING_KNOWN = KnownFake()


def signer(stands: Standing, scope: Scope | None = None) -> Signer:
    """What the registry says of the node at `stands`."""
    return Signer(stands.node, stands.profile.id, stands.region, scope or stands.scope, stands.parent)


def a_case(number: int = 1, **cells: Cell) -> Row:
    """A whole good row of `case` of 杭州西湖区, with some cells set."""
    schema = CATALOGUE.datasets["case"].schema
    row: dict[str, Cell] = dict.fromkeys(schema.names)
    row.update(
        case_id=f"case-{number}",
        category="event",
        source="hotline",
        division="330106",
        state="handling",
        reported_at=1_600_000_000_000_000 + number,
        supervised=False,
        pos_lon=120.153,
        pos_lat=30.287,
        reporter_name="张三",
        reporter_phone="13800000000",
        description="井盖破损",
    )
    assert set(cells) <= set(row)
    row.update(cells)
    return tuple(row.values())


def published(row: Row, publication: str = "case.parent") -> Row:
    """A whole row as a publication carries it."""
    columns = CATALOGUE.publications[publication].columns
    names = CATALOGUE.datasets[CATALOGUE.publications[publication].dataset].schema.names
    return tuple(row[names.index(c)] for c in columns)


def a_batch(
    *rows: Row, ends: Sequence[End] = (), bad: Sequence[BadRow] = (), publication: str = "case.parent"
) -> RowBatch:
    """The decoded rows of one entry, given whole rows."""
    columns = CATALOGUE.publications[publication].columns
    dataset = CATALOGUE.publications[publication].dataset
    return RowBatch(dataset, columns, [published(r, publication) for r in rows], list(ends), list(bad))


def a_header(publication: str = "case.parent", schema_version: int = 1) -> EntryHeader:
    """As much of a header as judging asks for."""
    return EntryHeader(publication=publication, schema_version=schema_version)
