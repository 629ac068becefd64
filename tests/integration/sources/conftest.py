"""One node and the two servers, for all tests of this folder; each test has a table and a source of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from node.app import read_catalogue
from node.clock import SystemClock
from node.config import load_file
from node.sources import declared
from node.sources.books import Books
from node.sources.running import Runner
from node.testing.topology import Place
from tests.beside import Beside
from tests.integration.sources.servers import PASSWORD, Server, mariadb, postgres

DATASET = """
[dataset.x_row]
version = 1
zh = "行"
en = "row"
definition = "For tests."
definition_zh = "测试用。"
cadence = ["daily"]
owner = ["national"]
key = ["id"]
fields = [
  { name = "id", type = "text", length = 40, nullable = false, zh = "标识", en = "id" },
  { name = "name", type = "text", length = 20, zh = "名称", en = "name" },
  { name = "count", type = "integer", zh = "数", en = "count" },
  { name = "amount", type = "decimal", zh = "额", en = "amount" },
  { name = "open", type = "boolean", zh = "开", en = "open" },
  { name = "day", type = "date", zh = "日", en = "day" },
  { name = "at", type = "timestamp", zh = "时", en = "moment" },
  { name = "raw", type = "bytes", zh = "字节", en = "bytes" },
  { name = "secret_name", type = "text", length = 20, held_back = true, zh = "密", en = "secret" },
]
"""
MAPPING = 'name = "m"\ndataset = "x_row"\n[columns]\nid = "id"\nname = "name"\ncount = "n"\n'


class Site(Beside):
    """A node that runs in another thread, with its sources read in this one."""

    WAIT_S = 60.0

    def __init__(self, folder: Path) -> None:
        place = Place("nation", "national", "100000", "国家平台", "")
        super().__init__(folder, (place,), catalogue=DATASET)
        self.home = self.net["nation"].home
        (self.home / "sources").mkdir(exist_ok=True)
        self._numbers = count(1)

    def runner(self) -> Runner:
        config = load_file(self.home / "node.toml")
        return Runner(self.home, config, read_catalogue(self.home, config), SystemClock(), os.environ)

    def name(self) -> str:
        """A name that no other test has."""
        return f"t{next(self._numbers)}"

    def declare(self, name: str, text: str, mapping: str = MAPPING) -> declared.Declared:
        """Writes a source and its mapping, as an administrator would."""
        folder = self.home / "sources"
        (folder / f"{name}.map.toml").write_text(mapping, "utf-8")
        head = f'dataset = "x_row"\nmapping = "{name}.map.toml"\n'
        (folder / f"{name}.toml").write_text(head + text, "utf-8")
        return declared.read(self.home, name)

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        """What the node holds, in order of the key."""
        _, found = self.do(self._query(columns or ("id", "name", "count")))
        return sorted(tuple(row) for row in found)

    async def _query(self, columns: tuple[str, ...]) -> tuple[list[str], list[Any]]:
        return await (await self.net["nation"].client()).query("x_row", columns=columns, limit=1_000_000)

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        with Books(self.home) as books:
            return books.ask(command, **arguments)

    def state(self, name: str) -> dict[str, Any]:
        """The source, as the node tells of it; its last day under `day`."""
        found = self.ask("sources", first="2000-01-01", limit=10_000)
        (state,) = (s for s in found["sources"] if s["source"] == name)
        return {**state, "day": next((d for d in reversed(found["days"]) if d["source"] == name), {})}

    def empty(self) -> None:
        """Voids every row, and takes every declaration away."""
        for path in (self.home / "sources").glob("*.toml"):
            path.unlink()
        with Books(self.home) as books:
            ids = [(row[0],) for row in self.rows("id")]
            for start in range(0, len(ids), 5_000):
                books.void("x_row", ids[start : start + 5_000], "a new test", 0, dry_run=False)


@pytest.fixture(scope="session")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("sources"))
    yield made
    made.end()


@pytest.fixture
def site(running_site: Site) -> Site:
    """The node, without rows."""
    running_site.empty()
    return running_site


@pytest.fixture(scope="session")
def running_postgres() -> Iterator[Server]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def running_mariadb() -> Iterator[Server]:
    with mariadb() as server:
        yield server


@pytest.fixture(params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the two in turn."""
    found: Server = request.getfixturevalue(f"running_{request.param}")
    return found


class Origin:
    """A table of another system, and the source that reads it."""

    def __init__(self, site: Site, server: Server) -> None:
        self.site = site
        self.server = server
        self.name = site.name()
        self.table = f"rows_{self.name}"
        secret = site.home / "sources" / f"{self.name}.password"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        kind = "datetime(6)" if server.is_mariadb else "timestamp"
        server.query(f"CREATE TABLE {self.table} (id varchar(40) PRIMARY KEY, name varchar(40), n int, changed {kind})")

    def declare(self, more: str = "", mapping: str = MAPPING, **settings: str) -> declared.Declared:
        """The source; settings stand in [database]."""
        base = {
            "url": f'"{self.server.url}"',
            "password_file": f'"{self.name}.password"',
            "table": f'"{self.table}"',
            "key": '["id"]',
            "watermark": '"changed"',
            "overlap": '"1h"',
            "page_rows": "10",
            "time_zone": '"Asia/Shanghai"',
        }
        lines = [f"{key} = {value}" for key, value in {**base, **settings}.items() if value]
        return self.site.declare(self.name, "\n".join((more, "[database]", *lines)), mapping)

    def put(self, *rows: tuple[str, str, int, str | None]) -> None:
        """(id, name, n, changed): inserts or replaces, in one transaction."""
        ids = ", ".join(f"'{row[0]}'" for row in rows)
        self.server.query(f"DELETE FROM {self.table} WHERE id IN ({ids})")
        self.server.query(
            f"INSERT INTO {self.table} (id, name, n, changed) VALUES (:id, :name, :n, :changed)",
            rows=[dict(zip(("id", "name", "n", "changed"), row, strict=True)) for row in rows],
        )

    def drop(self, *ids: str) -> None:
        self.server.query(f"DELETE FROM {self.table} WHERE id IN ({', '.join(repr(i) for i in ids)})")

    def read(self, **arguments: Any) -> Any:
        """One reading, by a process that has just started."""
        found = declared.read(self.site.home, self.name)
        return self.site.runner().database(found, lambda _: None, **arguments)

    def compare(self, **arguments: Any) -> Any:
        found = declared.read(self.site.home, self.name)
        return self.site.runner().compare(found, lambda _: None, **arguments)


@pytest.fixture
def origin(site: Site, server: Server) -> Origin:
    """An empty table of a running server, declared."""
    made = Origin(site, server)
    made.declare()
    return made
