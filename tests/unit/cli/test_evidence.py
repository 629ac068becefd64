"""`task evidence` and `verify` on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from certs.forms import root_from_der, to_pem
from tests.unit.cli.conftest import Call, Country
from tests.vectors.dossier import evidence, packed, root

FINGERPRINT = sha256(root()).hexdigest()
_WITHOUT_POSIX = """
import signal, socket, sys
for name in ("fcntl", "pwd", "grp", "resource", "termios", "grpc", "uvicorn", "pysqlite3"):
    sys.modules[name] = None
del signal.pthread_sigmask, socket.AF_UNIX
from node.__main__ import main
main()
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Good evidence of another federation, in a folder that is no home."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.evidence").write_bytes(packed(evidence()))
    return str(tmp_path / "some.evidence")


def test_the_root_may_be_said_in_every_usual_way(call: Call, file: str, tmp_path: Path) -> None:
    """As digits in groups, or as the certificate in PEM or DER."""
    (tmp_path / "root.pem").write_bytes(to_pem([root_from_der(root())]))
    (tmp_path / "root.der").write_bytes(root())
    grouped = " ".join(FINGERPRINT[i : i + 8].upper() for i in range(0, 64, 8))
    colons = ":".join(FINGERPRINT[i : i + 2] for i in range(0, 64, 2))
    for said in (("--fingerprint", grouped), ("--fingerprint", colons), ("--root", "root.pem"), ("--root", "root.der")):
        called = call("verify", file, *said)
        assert (called.code, "GOOD: " in called.out, "the one that you gave" in called.out) == (0, True, True), called


def test_each_result_has_its_exit_code(call: Call, file: str, tmp_path: Path) -> None:
    """Good 0, not good 7, genuine but incomplete 8; JSON says the same."""
    assert call("verify", file, "--fingerprint", FINGERPRINT, "--json").json["verdict"] == "good"
    unconfirmed = call("verify", file)
    assert (unconfirmed.code, "INCOMPLETE: " in unconfirmed.out, FINGERPRINT in unconfirmed.out) == (8, True, True)
    other = call("verify", file, "--fingerprint", "00" * 32, "--json")
    assert (other.code, [w["code"] for w in other.json["wrong"]]) == (7, ["root_differs"])
    (tmp_path / "none").write_bytes(b"no evidence")
    assert call("verify", "none").code == 7


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--fingerprint", "abc"), 2),
        (("--fingerprint", "zz" * 32), 2),
        (("--fingerprint", FINGERPRINT, "--root", "root.pem"), 2),
        (("--root", "some.evidence"), 2),
        (("--root", "nowhere.pem"), 3),
    ],
)
@pytest.mark.usefixtures("file")
def test_a_root_that_is_none_is_said(call: Call, arguments: tuple[str, ...], code: int) -> None:
    """In words, with a number, before anything is checked."""
    called = call("verify", "some.evidence", *arguments)
    assert (called.code, "Error E" in called.err, called.out) == (code, True, ""), called


def test_a_file_that_is_not_there(call: Call) -> None:
    """Told like any file."""
    assert call("verify", "/nowhere/x.evidence").code == 3


def test_evidence_from_a_running_node(call: Call, country: Country, tmp_path: Path) -> None:
    """Written once, not over another file; checked against the root of the home that is at hand."""
    nation = country.home("nation")
    wish = (country.node("city"), "--title", "路面破损", "--due", "2026-12-31", "--task", "proved.1", "--json")
    assert call("--home", nation, "task", "new", *wish).code == 0
    path = str(tmp_path / "x.evidence")
    made = call("--home", nation, "task", "evidence", "proved.1", "-o", path, "--json").json
    assert made == {"task": "proved.1", "file": path, "bytes": Path(path).stat().st_size}
    assert Path(path).stat().st_mode & 0o077 == 0
    again = call("--home", nation, "task", "evidence", "proved.1", "-o", path)
    assert (again.code, "--force" in again.err) == (3, True)
    assert call("--home", nation, "task", "evidence", "proved.1", "-o", path, "--force").code == 0
    told = call("--home", nation, "verify", path, "--json")
    assert (told.json["wrong"], told.json["root"]["confirmed"]) == ([], True)
    assert [m["move"] for m in told.json["moves"]] == ["register", "issue"]
    assert "title (标题): 路面破损" in call("--home", nation, "--lang", "zh", "verify", path).out
    events = call("--home", nation, "audit", "show", "--event", "evidence_made", "--json").json["events"]
    assert [e["fields"]["task"] for e in events][-2:] == ["proved.1", "proved.1"]
    assert call("--home", nation, "task", "evidence", "nope").code == 3


def test_it_is_checked_where_there_is_no_posix(file: str, tmp_path: Path) -> None:
    """Windows has no fcntl, no Unix sockets, no signal masks; and nobody needs grpc for reading a file."""
    environment = {
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "TIERSYNC_LANG": "en",
    }
    command = [sys.executable, "-c", _WITHOUT_POSIX, "verify", file, "--fingerprint", FINGERPRINT, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "good"
