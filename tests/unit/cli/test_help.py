"""Help pages, global options, and what happens to a command line that cannot be read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from node.cli.help import hoisted
from node.cli.main import build
from node.texts import Language, use
from node.version import VERSION
from tests.tools import clidocs
from tests.unit.cli.conftest import Call

ROOT = Path(__file__).resolve().parents[3]
LARGE = {"cryptography", "grpc", "httpx", "jinja2", "openpyxl", "pyarrow", "sqlalchemy", "sqlite_utils", "starlette"}


def commands(language: Language) -> Iterator[tuple[str, Any]]:
    """(path, command) of everything that the program can do."""
    use(language)
    for name, command in get_command(build()).commands.items():  # type: ignore[attr-defined] # the root is a group
        yield name, command
        for below, one in getattr(command, "commands", {}).items():
            yield f"{name} {below}", one


@pytest.mark.usefixtures("call")
def test_every_command_and_parameter_has_words_in_both_languages() -> None:
    """No help text is missing, and none is English on a Chinese page."""
    english, chinese = dict(commands("en")), dict(commands("zh"))
    assert english.keys() == chinese.keys()
    for path, command in english.items():
        other = chinese[path]
        assert command.help, path
        assert command.help != other.help, path
        assert not other.help.isascii(), path
        for one, two in zip(command.params, other.params, strict=True):
            assert one.help, f"{path}: {one.name}"
            assert not two.help.isascii(), f"{path}: {one.name}"


@pytest.mark.usefixtures("call")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_documents_list_every_command(language: Language) -> None:
    """docs/cli.md and its Chinese twin are what the program says of itself now."""
    written = clidocs.PAGES[language].read_text("utf-8")
    assert written == clidocs.page(language), "run: python tests/tools/clidocs.py"
    for path, _ in commands(language):
        assert f"### tiersync {path}\n" in written


@pytest.mark.parametrize("arguments", [["--help"], ["task", "--help"], ["load", "--help"], []])
def test_help_pages(call: Call, arguments: list[str]) -> None:
    """A page says how the command is written and what each option means."""
    called = call(*arguments)
    assert called.code == 0
    assert called.out.startswith("Usage: tiersync")
    assert "Options:" in called.out
    assert not called.err
    assert call(*arguments, "--lang", "zh").out.startswith("用法：tiersync")


def test_the_program_is_quick_to_start() -> None:
    """Help needs none of the large libraries, so it comes at once."""
    probe = "import sys, node.cli.main as m; m.build(); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, check=True, capture_output=True, text=True)
    assert not LARGE & set(found.stdout.split())


def test_chinese_when_nothing_is_said(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any locale the program speaks Chinese; with an English one, English."""
    monkeypatch.delenv("TIERSYNC_LANG")
    assert "用法" in call("--help").out
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    assert "Usage" in call("--help").out


def test_version(call: Call) -> None:
    """The version is said before anything else is looked at."""
    assert call("--version").out.strip() == f"tiersync {VERSION}"
    assert call("status", "--version").code != 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["status", "--json"], ["--json", "status"]),
        (["status", "--home", "x", "-f"], ["--home", "x", "status", "-f"]),
        (["put", "d", "--lang=zh", "--", "--json"], ["--lang=zh", "put", "d", "--", "--json"]),
        (["status", "--home"], ["--home", "status"]),
        ([], []),
    ],
)
def test_global_options_may_stand_anywhere(given: list[str], expected: list[str]) -> None:
    """They are put in front for the parser; what stands behind -- is left alone."""
    assert hoisted(given) == expected


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["lode"], "load"),
        (["task", "mov"], "move"),
        (["load"], "DATASET"),
        (["status", "--nope"], "--nope"),
        (["loads", "rejects", "x"], "LOAD"),
        (["--lang", "fr", "status"], "fr"),
        (["status", "--home"], "home"),
        (["put", "case", "a", "b", "c"], "c"),
    ],
)
def test_a_command_line_that_cannot_be_read(call: Call, arguments: list[str], word: str) -> None:
    """It is refused with E1008 and what would be right; in JSON, JSON alone is on stdout."""
    called = call(*arguments)
    assert (called.code, called.out) == (2, "")
    assert "Error E1008" in called.err
    assert word in called.err
    assert "Traceback" not in called.err
    told = call("--json", *arguments)
    assert (told.code, told.err) == (2, "")
    assert told.json["error"]["code"] == "E1008"
