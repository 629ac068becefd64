"""What the tests of the command line share: two real nodes in a thread, and the program as it would be called."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from node import texts
from node.cli.main import run
from node.testing.topology import Place
from tests.beside import Beside

PLACES = (
    Place("nation", "national", "100000", "国家平台", ""),
    Place("city", "city", "310000", "上海市平台", "nation"),
)


class Called(NamedTuple):
    """What one call of the program left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, which must be one JSON document."""
        return json.loads(self.out)


class Country(Beside):
    """A nation and a municipality, served in a loop of another thread, so that the program can talk to them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, PLACES)

    def home(self, name: str) -> str:
        return str(self.net[name].home)

    def node(self, name: str) -> str:
        return self.net[name].node

    def level(self) -> None:
        """Waits until every feed stands everywhere as at its origin; if not in time, says how the feeds stand."""
        try:
            self.do(self.net.level())
        except TimeoutError:
            stand = {
                name: [(f["feed"], f["seq"], f["waiting"], f["route"], f["own"]) for f in status["feeds"]]
                + [(link["peer"], link["phase"], link["failing"]) for link in status["links"]]
                for name, status in ((n, self.do(m.status())) for n, m in self.net.members.items())
            }
            raise AssertionError(json.dumps(stand, indent=1)) from None

    def until(self, name: str, enough: Callable[[dict[str, Any]], bool]) -> None:
        """Waits, pushed by the node, until its status satisfies."""
        self.do(self.net[name].until(enough))


@pytest.fixture(scope="session")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Country]:
    """Running for all tests of this folder."""
    made = Country(tmp_path_factory.mktemp("cli"))
    yield made
    made.end()


Call = Callable[..., Called]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """Calls the program in English, as the console script would, and gives what it left behind."""
    for variable in ("TIERSYNC_HOME", "TIERSYNC_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TIERSYNC_LANG", "en")
    before = texts._chosen.language

    def calling(*arguments: str) -> Called:
        capsys.readouterr()
        code = run(arguments)
        return Called(code, *capsys.readouterr())

    yield calling
    texts._chosen.language = before
