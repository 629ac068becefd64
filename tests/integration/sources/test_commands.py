"""`tiersync source`, as an administrator calls it; the process of its own that reads by schedule; a large table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from node.cli.main import run
from tests.integration.sources.conftest import Origin, Site
from tests.integration.sources.servers import PASSWORD

ROWS = 100_000
MORE_KIB_MAX = 64 * 1_024
"""What a hundred times the rows may cost in memory."""


class Called:
    def __init__(self, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
        self._site = site
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> Any:
        """The JSON that a call answers with; nothing that it says holds the password."""
        self._capsys.readouterr()
        found = run(["--lang", "en", "--home", str(self._site.home), "--json", "source", *arguments])
        said = self._capsys.readouterr()
        assert found == code, said
        assert PASSWORD not in said.out + said.err
        return json.loads(said.out)


@pytest.fixture
def call(site: Site, capsys: pytest.CaptureFixture[str]) -> Called:
    return Called(site, capsys)


def fill(origin: Origin, rows: int) -> None:
    """Rows that the server makes itself."""
    numbers = f"seq_1_to_{rows}" if origin.server.is_mariadb else f"generate_series(1, {rows}) AS s(seq)"
    origin.server.query(
        f"INSERT INTO {origin.table} SELECT concat('r', seq), 'a', seq, '2026-03-01 08:00:00' FROM {numbers}"
    )


def test_a_source_is_checked_read_compared_and_shown(origin: Origin, call: Called) -> None:
    """The way of an administrator, from the first check on."""
    fill(origin, 30)
    (checked,) = call("check", origin.name)["sources"]
    assert (checked["fault"], "clock" in checked["said"]) == ("", True)
    (rehearsed,) = call("run", origin.name, "--once", "--dry-run")["sources"]
    assert (rehearsed["taken"], origin.site.rows()) == (30, [])
    (came,) = call("run", origin.name, "--once")["sources"]
    assert (came["read"], came["taken"], came["rejected"]) == (30, 30, 0)
    origin.drop("r7")
    assert call("compare", origin.name, "--dry-run")["gone_keys"] == ['["r7"]']
    assert call("compare", origin.name)["voided"] == 1
    shown = call("show", origin.name)
    assert (shown["source"], shown["days"][-1]["voided"], shown["days"][-1]["held"]) == (origin.name, 1, 29)
    (listed,) = (one for one in call("list")["sources"] if one["source"] == origin.name)
    assert (listed["declared"], listed["contact"] != "", listed["fault"]) == (True, True, "")
    assert call("reset", origin.name, "--dry-run")["position"] == shown["position"]
    assert call("reset", origin.name)["position"] == shown["position"]
    assert call("run", origin.name, "--once")["sources"][0]["unchanged"] == 29


def test_all_mistakes_of_all_sources_are_told(origin: Origin, call: Called) -> None:
    """A check ends with a code that scripts see."""
    folder = origin.site.home / "sources"
    (folder / "bad.toml").write_text('dataset = "x_row"\n')
    found = {one["source"]: one for one in call("check", code=3)["sources"]}
    assert {name: one["code"] for name, one in found.items()} == {"bad": "E1210", origin.name: ""}
    assert call("show", "none", code=3)["error"]["name"] == "SOURCE_UNKNOWN"
    (folder / "bad.toml").unlink()


def test_a_large_table_fills_no_memory(origin: Origin) -> None:
    """A hundred times the rows take hardly more memory, to read and to compare."""
    fill(origin, ROWS // 100)
    little = [_peak(origin, "run", origin.name, "--once"), _peak(origin, "compare", origin.name, "--dry-run")]
    origin.server.query(f"DELETE FROM {origin.table}")
    fill(origin, ROWS)
    origin.declare(page_rows="5000")
    much = [_peak(origin, "run", origin.name, "--once"), _peak(origin, "compare", origin.name, "--dry-run")]
    assert all(large - small < MORE_KIB_MAX for small, large in zip(little, much, strict=True)), (little, much)
    assert origin.site.state(origin.name)["day"]["taken"] == ROWS


def _peak(origin: Origin, *arguments: str) -> int:
    """KiB at the most of a process that reads a source."""
    command = [sys.executable, "-m", "node", "--home", str(origin.site.home), "--json", "source", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


def test_the_process_reads_by_schedule_until_it_is_told_to_stop(site: Site, tmp_path: Path) -> None:
    """It says that it is ready, takes up a source that is declared while it runs, and ends by SIGTERM."""
    inbox = tmp_path / "in"
    inbox.mkdir()
    (inbox / "a.csv").write_text("id,name,n\n1,x,1\n")
    (inbox / "a.csv.done").touch()
    name = site.name()
    site.declare(name, f'kind = "folder"\nevery = "1s"\n[folder]\npath = "{inbox}"\ncomplete = "done_file"\n')
    command = [sys.executable, "-m", "node", "--home", str(site.home), "--json", "source", "run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert (said["source"], said["files"][0]["moved_to"]) == (name, "done")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert site.rows() == [("1", "x", 1)]
