"""The security audit: complete, chained, and honest about damage."""

from __future__ import annotations

import json
import re
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node import audit
from node.audit import AuditLog, Event, SteadyAudit
from node.clock import iso
from sync.errors import LocalFault
from tests.unit.node_base.fakes import HandClock, no_room


def filled(folder: Path, lines: int, file_bytes_max: int = audit.FILE_BYTES_MAX) -> AuditLog:
    """An audit with that many lines."""
    log = AuditLog(folder, HandClock(), file_bytes_max)
    for number in range(lines):
        log.append(Event.LINK_REFUSED, peer=f"c33010{number}.cn-demo", reason=103)
    return log


@pytest.mark.parametrize("event", list(Event))
def test_every_event_can_be_audited(event: Event, tmp_path: Path) -> None:
    """Each event of the closed list makes a line with number, time, name, fields and the line before."""
    head = AuditLog(tmp_path, HandClock()).append(event, peer="p")
    (line,) = audit.read(tmp_path)
    assert line == {
        "n": 1,
        "at": iso(HandClock().us),
        "event": event.value,
        "prev": audit.START,
        "fields": {"peer": "p"},
    }
    assert audit.verify(tmp_path) == audit.Verdict(1, head.hash, 1)


def test_every_event_has_its_occasion() -> None:
    """Somewhere in the code each event of the closed list is audited; its name is stable and in lower case."""
    folder = Path(audit.__file__).parent
    code = "\n".join(path.read_text("utf-8") for path in folder.rglob("*.py"))
    emitted = set(re.findall(r"\b(?:Audit)?Event\.([A-Z_]+)\b", code))
    assert [event.name for event in Event if event.name not in emitted] == []
    assert all(event.value == event.name.lower() for event in Event)


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    """Files are 0600, the folder 0700."""
    log = AuditLog(tmp_path / "audit", HandClock())
    log.append(Event.NODE_STARTED)
    (path,) = audit.files(tmp_path / "audit")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_peer_strings_stay_inside_their_field(tmp_path: Path) -> None:
    """Line breaks cannot make a line; secrets are hidden; a huge field is bounded."""
    log = AuditLog(tmp_path, HandClock())
    log.append(Event.INVITE_REFUSED, peer='x\n{"n":2,"event":"invite_used"}', token="HIDEME", text="y" * 10**6)
    log.append(Event.INVITE_REFUSED, **{f"f{i}": "z" * 2_000 for i in range(100)})
    assert audit.verify(tmp_path).lines == 2
    first, second = audit.read(tmp_path)
    assert first["fields"]["token"] == "***"
    assert len(first["fields"]["text"]) < 3_000
    assert set(second["fields"]) == {"too_long"}


def test_the_chain_goes_on_in_the_next_file_and_after_a_restart(tmp_path: Path) -> None:
    """A full file is followed by the next; a new process goes on where the last one ended."""
    filled(tmp_path, 10, file_bytes_max=600)
    assert len(audit.files(tmp_path)) > 2
    again = AuditLog(tmp_path, HandClock(), 600)
    assert again.head().lines == 10
    again.append(Event.NODE_STARTED)
    assert audit.verify(tmp_path) == audit.Verdict(11, again.head().hash, 1)


def test_an_empty_audit_is_whole(tmp_path: Path) -> None:
    """No folder and no lines: nothing is wrong."""
    assert audit.verify(tmp_path / "none") == audit.Verdict(0, audit.START, 0)
    assert AuditLog(tmp_path / "none", HandClock()).head() == audit.AuditHead(0, audit.START)


@settings(max_examples=40)
@given(st.data())
def test_any_edit_is_found(data: st.DataObject) -> None:
    """Changing, removing, repeating or inserting a line anywhere but at the very end breaks the chain there or next."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        filled(folder, 6)
        (path,) = audit.files(folder)
        lines = path.read_bytes().splitlines(keepends=True)
        at = data.draw(st.integers(0, 4), label="line")
        kind = data.draw(st.sampled_from(["change", "remove", "repeat", "insert", "swap"]))
        if kind == "change":
            place = data.draw(st.integers(0, len(lines[at]) - 2))
            changed = bytearray(lines[at])
            changed[place] ^= 1
            lines[at] = bytes(changed)
        elif kind == "remove":
            del lines[at]
        elif kind == "repeat":
            lines.insert(at, lines[at])
        elif kind == "insert":
            lines.insert(at, b'{"n":1,"prev":"x"}\n')
        else:
            lines[at], lines[at + 1] = lines[at + 1], lines[at]
        path.write_bytes(b"".join(lines))
        verdict = audit.verify(folder)
        if kind == "remove" and at == 0:
            assert verdict.first == 2
        else:
            assert not verdict.ok
            assert at <= verdict.broken_line <= at + 2
            assert verdict.broken_file == path.name


def test_the_first_broken_line_is_named(tmp_path: Path) -> None:
    """File, line number and reason of the first fault, over several files."""
    filled(tmp_path, 10, file_bytes_max=600)
    second = audit.files(tmp_path)[1]
    second.write_bytes(b"nonsense\n" + second.read_bytes())
    verdict = audit.verify(tmp_path)
    assert (verdict.ok, verdict.broken_file, verdict.broken_line) == (False, second.name, 1)
    assert verdict.why == "the line is not JSON"


def test_a_missing_file_in_the_middle_is_found(tmp_path: Path) -> None:
    """Files may be pruned from the beginning only."""
    filled(tmp_path, 10, file_bytes_max=600)
    files = audit.files(tmp_path)
    files[0].unlink()
    whole = audit.verify(tmp_path)
    assert whole.ok
    assert whole.first > 1
    files[2].unlink()
    assert not audit.verify(tmp_path).ok


def test_a_chain_that_never_began(tmp_path: Path) -> None:
    """A first line that claims number 1 must name no line before it."""
    record = {"n": 1, "at": "", "event": "x", "prev": "f" * 64, "fields": {}}
    (tmp_path / "audit-000001.jsonl").write_text(json.dumps(record) + "\n")
    assert audit.verify(tmp_path).why == "the first line does not begin a chain"


def test_a_torn_line_is_cut_off_and_said(tmp_path: Path) -> None:
    """A crash in the middle of a write leaves a piece: the next append removes it and records that it did."""
    log = filled(tmp_path, 2)
    (path,) = audit.files(tmp_path)
    with path.open("ab") as file:
        file.write(b'{"n":3,"at":"')
    assert audit.verify(tmp_path).why == "the line is not complete"
    log.append(Event.NODE_STARTED)
    verdict = audit.verify(tmp_path)
    assert (verdict.ok, verdict.lines) == (True, 4)
    assert [line["event"] for line in audit.read(tmp_path)][2:] == ["audit_mended", "node_started"]


def test_a_file_torn_at_its_first_line(tmp_path: Path) -> None:
    """Also when a new file holds nothing but the piece."""
    log = filled(tmp_path, 3)
    (tmp_path / "audit-000002.jsonl").write_bytes(b'{"n":4')
    log.append(Event.NODE_STARTED)
    assert audit.verify(tmp_path) == audit.Verdict(5, log.head().hash, 1)


def test_what_cannot_be_audited_must_not_happen(tmp_path: Path) -> None:
    """An audit that cannot be written, or whose end is damaged, stops the act with a fault."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(LocalFault):
        AuditLog(blocked, HandClock()).append(Event.NODE_STARTED)
    log = filled(tmp_path / "audit", 1)
    (path,) = audit.files(tmp_path / "audit")
    path.write_bytes(b"damaged\n")
    with pytest.raises(LocalFault):
        log.append(Event.NODE_STARTED)


def test_what_has_happened_already_goes_on_without_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One failure is told, however many lines are lost; the next line says how many are missing before it."""
    told: list[LocalFault] = []
    steady = SteadyAudit(AuditLog(tmp_path, HandClock()), told.append)
    steady.append(Event.NODE_STARTED)
    for _ in range(2):
        with monkeypatch.context() as full:
            full.setattr(AuditLog, "_write", no_room)
            for _ in range(3):
                steady.append(Event.MOVE_SIGNED, task="t")
        steady.append(Event.MOVE_SIGNED, task="u")
        steady.append(Event.MOVE_SIGNED, task="v")
    assert [str(fault) for fault in told] == ["the security audit cannot be written: No space left on device"] * 2
    assert audit.verify(tmp_path).ok
    after = [{"task": "u", "not_written_before": 3}, {"task": "v"}]
    assert [line["fields"] for line in audit.read(tmp_path)] == [{}, *after, *after]


def test_two_writers_keep_one_chain(tmp_path: Path) -> None:
    """The command line beside the running node: both append, one chain results."""

    def work() -> None:
        log = AuditLog(tmp_path, HandClock(), 4_000)
        for _ in range(25):
            log.append(Event.MOVE_REFUSED, what="x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audit.verify(tmp_path).lines == 100
    assert audit.verify(tmp_path).ok


def test_old_files_are_pruned_by_age(tmp_path: Path) -> None:
    """Only whole files whose lines are all older than the limit go; what remains verifies."""
    clock = HandClock()
    log = AuditLog(tmp_path, clock, 600)
    for _ in range(20):
        log.append(Event.LINK_ACCEPTED, peer="p")
        clock.us += 1_000_000
    limit = HandClock().us + 10_000_000
    gone = audit.prune(tmp_path, limit)
    assert gone
    kept = list(audit.read(tmp_path))
    assert any(line["at"] <= iso(limit) for line in kept[:4])
    assert len([line for line in kept if line["at"] >= iso(limit)]) == 10
    assert audit.verify(tmp_path).ok
    assert audit.prune(tmp_path, 10**17)
    assert len(audit.files(tmp_path)) == 1
