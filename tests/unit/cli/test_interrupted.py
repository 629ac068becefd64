"""Ctrl-C at any moment ends in the numbered error, also for machine readers; never in a traceback or in silence."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

INTERRUPTED_AT_IMPORT = """
import os, runpy, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == moment:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

moment = sys.argv.pop(1)
sys.meta_path.insert(0, Finder())
runpy.run_module("node", run_name="__main__")
"""


def interrupted(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program, signalled when it begins to import `module`."""
    command = [sys.executable, "-c", INTERRUPTED_AT_IMPORT, module, "--lang", "en", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "module",
    [
        "importlib.metadata",  # as early as our own code is
        "typer",  # the program is still being read
        "node.faults",  # not even the error's own words are there
        "node.cli.doctor",  # a command has begun
    ],
)
def test_an_interrupted_command_says_so(module: str) -> None:
    """JSON alone on stdout, or words on stderr; the exit code that shells know."""
    told = interrupted(module, "doctor", "--json")
    assert told.returncode == 130, told.stderr
    assert json.loads(told.stdout)["error"]["name"] == "INTERRUPTED"
    assert told.stderr == ""
    said = interrupted(module, "doctor")
    assert (said.returncode, said.stdout) == (130, "")
    assert said.stderr.startswith("Error E1901: Stopped by the user.")
