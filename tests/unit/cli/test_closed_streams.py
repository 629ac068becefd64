"""Whoever closes stdout or stderr wants to hear nothing there; the exit code still tells, and nothing goes astray."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SHELL = 'exec "$0" -m node --lang en "$@" {closed}'


def called(closed: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program as a shell starts it with streams closed."""
    command = ["sh", "-c", SHELL.format(closed=closed), sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A node that does not run."""
    folder = tmp_path_factory.mktemp("closed")
    wish = ("--root-dir", str(folder / "root"), "--federation", "cn-try", "--title", "x")
    assert called("", "--home", str(folder / "home"), "init", *wish).returncode == 0
    return str(folder / "home")


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "verb", [("status",), ("status", "--json"), ("query", "case"), ("query", "case", "--csv"), ("doctor",), ("--help",)]
)
def test_a_closed_stdout_is_silence(home: str, closed: str, verb: tuple[str, ...]) -> None:
    """What would have been said is not; it is no fault of the program."""
    done = called(closed, "--home", home, *verb)
    assert (done.returncode, done.stdout) == (0, ""), done
    assert "Error" not in done.stderr
    assert not list(Path(home).glob("logs/crash-*"))


def test_errors_do_not_move_to_stdout(home: str) -> None:
    """stdout is for what was asked."""
    done = called("2>&-", "--home", home, "status", "--nope")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_rows_from_a_closed_stdin_are_an_error(home: str) -> None:
    """There is nothing to put, and whoever wrote the script should know."""
    done = called("<&-", "--home", home, "put", "case", "-")
    assert (done.returncode, "E1008" in done.stderr) == (2, True), done
    assert "stdin is closed" in done.stderr
