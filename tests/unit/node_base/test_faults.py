"""Numbered errors, and the last line before the user."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from node import texts
from node.faults import (
    Code,
    Exit,
    Manner,
    Mistakes,
    RelayedFault,
    UserFault,
    exit_guarded,
    guarded,
    of_reason,
    translated,
)
from node.texts import Text
from sync.errors import InputFault, LocalFault, RemoteFault
from sync.phrase import Phrase
from sync.reasons import Reason
from tiers.catalogue import Catalogue
from tiers.faults import CatalogueFault, Mistake


def failing(error: BaseException) -> Callable[[], int]:
    """A main that raises."""

    def main() -> int:
        raise error

    return main


def test_codes_are_a_closed_list_with_stable_numbers() -> None:
    """Numbers are unique, four digits, found again by number; a few that documents quote do not move."""
    numbers = [code.number for code in Code]
    assert len(set(numbers)) == len(numbers)
    assert all(1000 < number < 2000 for number in numbers)
    assert all(Code.of(code.number) is code for code in Code)
    assert (Code.CONFIG_INVALID.number, Code.FILE_MISSING.number, Code.BUG.number) == (1003, 1201, 1904)
    with pytest.raises(KeyError):
        Code.of(1)


def test_fault_for_terminal_and_json() -> None:
    """A fault says its code, what happened and what to do, in the language asked for."""
    fault = UserFault(Code.FILE_MISSING, "There is no '{file}'.", "Check the path.", file="a{b}.csv")
    assert fault.as_text(texts.translator("en")) == (
        "Error E1201: There is no 'a{b}.csv'.\nWhat to do: Check the path."
    )
    assert fault.as_text(texts.translator("zh")) == "错误 E1201: 没有“a{b}.csv”。\n处理办法: 请检查路径。"
    assert fault.as_json(texts.translator("en")) == {
        "error": {
            "code": "E1201",
            "name": "FILE_MISSING",
            "message": "There is no 'a{b}.csv'.",
            "next": "Check the path.",
        }
    }


def test_mistakes_are_told_all_at_once() -> None:
    """All mistakes stand in one fault, also one by one for --json; an unknown name brings the nearest known one."""
    mistakes = Mistakes()
    mistakes.raise_any(Code.CONFIG_INVALID, "x", "Check the path.")
    mistakes.unknown("node.regoin", "regoin", ["region", "title"])
    mistakes.unknown("node.zzz", "zzz", ["region"])
    with pytest.raises(UserFault) as caught:
        mistakes.raise_any(Code.CONFIG_INVALID, "node.toml", "Check the path.")
    said = caught.value.as_json(texts.translator("en"))["error"]
    assert isinstance(said, dict)
    assert said["details"] == [
        "node.regoin: 'regoin' is not known; did you mean 'region'?",
        "node.zzz: 'zzz' is not known",
    ]
    assert said["message"].startswith("node.toml has 2 mistake(s):\n  node.regoin: ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserFault(Code.PEER_UNKNOWN, "a", "b"), Code.PEER_UNKNOWN),
        (InputFault(Reason.TOO_LONG, "x"), Code.INPUT_FAULT),
        (RemoteFault(Reason.BAD_SEAL, "x"), Code.REMOTE_FAULT),
        (RemoteFault(Reason.BAD_SEAL), Code.REMOTE_FAULT),
        (LocalFault("x"), Code.LOCAL_FAULT),
        (CatalogueFault([Mistake("case.toml: x", Phrase("is missing"))]), Code.CATALOGUE_INVALID),
        (KeyboardInterrupt(), Code.INTERRUPTED),
        (FileNotFoundError(errno.ENOENT, "no", "a"), Code.FILE_MISSING),
        (PermissionError(errno.EACCES, "no", "a"), Code.NO_PERMISSION),
        (OSError(errno.ENOSPC, "full"), Code.DISK_FULL),
        (OSError(errno.EADDRINUSE, "taken"), Code.PORT_TAKEN),
        (OSError(errno.EIO, "io"), Code.SYSTEM),
        (ZeroDivisionError(), Code.BUG),
    ],
)
def test_guard_turns_every_exception_into_words(
    error: BaseException, code: Code, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each known exception has its code and exit code; no traceback reaches the user."""
    assert guarded(failing(error), Manner(log_folder=tmp_path)) == code.exit_code
    said = capsys.readouterr()
    assert said.out == ""
    assert str(code) in said.err
    assert "Traceback" not in said.err
    assert guarded(failing(error), Manner(as_json=True, log_folder=tmp_path / "new")) == code.exit_code
    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out)["error"]["code"] == str(code)


def test_mistakes_of_declarations_are_said_in_the_language_of_who_reads_them() -> None:
    """All of them, what is filled in as well as what is only noted."""
    text = '[dataset.x_a]\nversion = 0\n[publication."x_a.up"]\nroute = "up"\n'
    with pytest.raises(CatalogueFault) as met:
        Catalogue.build([], [("site.toml", text)])
    fault = translated(met.value)
    assert fault is not None
    said: list[tuple[texts.Language, str]] = [
        ("zh", "x_a.version: 须为 1 至"),
        ("en", "route: must be one of parent, "),
    ]
    for language, at in said:
        assert at in fault.as_text(texts.translator(language))
    assert "must be" not in fault.as_text(texts.translator("zh"))


def test_a_bug_leaves_its_traceback_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback of an unexpected exception is in the log folder, for the owner alone; the message names it."""
    assert guarded(failing(ZeroDivisionError("x")), Manner(log_folder=tmp_path)) == Exit.BUG
    (kept,) = tmp_path.glob("crash-*.txt")
    assert "ZeroDivisionError" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert str(kept) in capsys.readouterr().err


def test_a_bug_without_a_place_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When even the file cannot be written the user still gets words."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert guarded(failing(ZeroDivisionError("x")), Manner(log_folder=blocked / "logs")) == Exit.BUG
    assert "E1904" in capsys.readouterr().err


def test_guard_passes_results_and_exits() -> None:
    """A result is the exit code, None is success, and SystemExit goes through."""
    assert guarded(lambda: None) == 0
    assert guarded(lambda: 3) == 3
    with pytest.raises(SystemExit):
        guarded(failing(SystemExit(4)))
    with pytest.raises(SystemExit) as caught:
        exit_guarded(lambda: 5)
    assert caught.value.code == 5
    with pytest.raises(ZeroDivisionError):
        guarded(failing(ZeroDivisionError()), Manner(debug=True))


def test_relayed_fault_keeps_the_words_of_the_node() -> None:
    """What the running node said is shown as it said it; a code of a newer node is still a fault."""
    fault = RelayedFault(1402, "no peer {x}", "look {y}")
    assert fault.code is Code.PEER_UNKNOWN
    assert str(fault.message) == "no peer {x}"
    assert RelayedFault(1, "a", "b").code is Code.LOCAL_FAULT


def test_reason_becomes_a_fault() -> None:
    """A reason's title and next step, with the detail beside it."""
    fault = of_reason(Code.INPUT_FAULT, Reason.TOO_LONG, "column 'x' {y}")
    assert str(fault.message) == "A value is longer than its column allows. (column 'x' {y})"
    assert isinstance(fault.message, Text)
