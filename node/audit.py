"""The security audit: who was let in, what was refused, what changed. From the first day, and never turned off.

JSON lines in `audit-<number>.jsonl`, readable by the owner alone. Each line holds the SHA-256 of the line before it, so
an edit, a deletion or an insertion shows; `verify` names the first broken line. What comes from peers stands only in
`fields`, as JSON. A cut at the very end shows only beside a head noted elsewhere: the node publishes `head` in its
status.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from node.clock import Clock, iso
from node.enrol.bounds import Rates
from node.telemetry import HIDDEN, is_secret, plain
from sync.errors import LocalFault

FOLDER: Final = "audit"
"""In the node's home."""
START: Final = "0" * 64
"""What the first line names as the line before it."""
FILE_BYTES_MAX: Final = 16 * 1024 * 1024
LINE_BYTES_MAX: Final = 64 * 1024
SPARING_BURST: Final = 30
SPARING_PER_S: Final = 1 / 300
SPARING_KEYS_MAX: Final = 256
_NAME: Final = re.compile(r"audit-(\d{6})\.jsonl")


class Event(Enum):
    """The closed list of audited events, each emitted somewhere. Names are stable."""

    NODE_INITIALISED = "node_initialised"
    TRIAL_ENDED = "trial_ended"
    NODE_STARTED = "node_started"
    NODE_STOPPED = "node_stopped"
    START_REFUSED = "start_refused"

    INVITE_MADE = "invite_made"
    INVITE_USED = "invite_used"
    INVITE_REFUSED = "invite_refused"
    INVITE_EXPIRED = "invite_expired"
    INVITE_WITHDRAWN = "invite_withdrawn"
    ENROLMENT_ASKED = "enrolment_asked"
    ENROLMENT_APPROVED = "enrolment_approved"
    ENROLMENT_REFUSED = "enrolment_refused"
    ENROLMENT_CLOSED = "enrolment_closed"
    SCOPE_CHANGED = "scope_changed"
    CHILD_SUCCEEDED = "child_succeeded"
    CHILD_SUSPENDED = "child_suspended"
    CHILD_RESUMED = "child_resumed"

    CERTIFICATE_ISSUED = "certificate_issued"
    CERTIFICATE_PASSED_ON = "certificate_passed_on"
    CERTIFICATE_RENEWED = "certificate_renewed"
    CERTIFICATE_REFUSED = "certificate_refused"
    KEY_CUSTODY_REFUSED = "key_custody_refused"

    LINK_ACCEPTED = "link_accepted"
    LINK_REFUSED = "link_refused"
    LINK_CLOSED = "link_closed"
    RUN_REFUSED = "run_refused"
    SEAL_REFUSED = "seal_refused"
    HELD_BACK_REFUSED = "held_back_refused"
    FORK_FOUND = "fork_found"
    CLONE_FOUND = "clone_found"
    CLONE_CLEARED = "clone_cleared"
    INSTANCE_RENEWED = "instance_renewed"
    FEED_FROZEN = "feed_frozen"
    FEED_WITHHELD = "feed_withheld"

    ROWS_LOADED = "rows_loaded"
    ROWS_UNLOADED = "rows_unloaded"
    ROWS_EXPORTED = "rows_exported"
    ROWS_READ = "rows_read"
    ROWS_MENDED = "rows_mended"
    PUBLICATION_CHANGED = "publication_changed"

    ATTACHMENT_TAKEN = "attachment_taken"
    ATTACHMENT_FETCHED = "attachment_fetched"
    ATTACHMENT_GIVEN = "attachment_given"
    ATTACHMENT_READ = "attachment_read"
    ATTACHMENT_REMOVED = "attachment_removed"

    SUBSCRIPTION_APPLIED = "subscription_applied"
    SUBSCRIPTION_CHECKED = "subscription_checked"
    SUBSCRIPTION_APPROVED = "subscription_approved"
    SUBSCRIPTION_REFUSED = "subscription_refused"
    SUBSCRIPTION_WITHDRAWN = "subscription_withdrawn"
    SUBSCRIPTION_DISPUTED = "subscription_disputed"
    SUBSCRIPTION_RULED = "subscription_ruled"
    MAINTENANCE_ANNOUNCED = "maintenance_announced"
    MAINTENANCE_CANCELLED = "maintenance_cancelled"
    SUBSCRIPTION_BEGUN = "subscription_begun"
    SUBSCRIPTION_ENDED = "subscription_ended"

    CHECK_PASSED = "check_passed"
    CHECK_FAILED = "check_failed"

    ACCESS_GRANTED = "access_granted"
    ACCESS_REVOKED = "access_revoked"
    ACCESS_REFUSED = "access_refused"
    SIGNED_IN = "signed_in"

    MOVE_SIGNED = "move_signed"
    MOVE_REFUSED = "move_refused"
    EVIDENCE_MADE = "evidence_made"
    DRAFT_MADE = "draft_made"
    DRAFT_ENDED = "draft_ended"
    TASK_ASSIGNED = "task_assigned"
    TASK_PASSED_OVER = "task_passed_over"
    PERSON_CHANGED = "person_changed"
    PERSON_LEFT = "person_left"
    AUDIT_MENDED = "audit_mended"


class AuditHead(NamedTuple):
    """How many lines there are, and the SHA-256 (hex) of the last: note it elsewhere to show a cut at the end."""

    lines: int
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: `lines` good ones in a row, then the first broken line, if any, and why."""

    lines: int
    head: str
    first: int
    broken_file: str = ""
    broken_line: int = 0
    why: str = ""

    @property
    def ok(self) -> bool:
        return not self.why


def hash_line(line: bytes) -> str:
    """SHA-256 (hex) of a line without its line break."""
    return sha256(line).hexdigest()


def files(folder: Path) -> list[Path]:
    """The audit files of a folder, in order."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


class AuditLog:
    """Appends audited events. Each append is written, synced and chained before it returns.

    A second process of the same node (the command line beside the running node) may append too: a file lock orders
    them.
    Raises LocalFault when the audit cannot be written: what cannot be audited must not happen.
    """

    def __init__(self, folder: Path, clock: Clock, file_bytes_max: int = FILE_BYTES_MAX) -> None:
        self._folder = folder
        self._clock = clock
        self._file_bytes_max = file_bytes_max

    def append(self, event: Event, **fields: object) -> AuditHead:
        """Writes one event. Fields named like secrets are hidden, texts and lists are bounded."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._locked():
                return self._append(event, fields)
        except OSError as error:
            raise LocalFault(f"the security audit cannot be written: {error.strerror or error}") from error

    def head(self) -> AuditHead:
        """The newest line's number and hash, as the file says."""
        newest = files(self._folder)
        if not newest:
            return AuditHead(0, START)
        return self._tail(newest[-1])[0]

    def _locked(self) -> _Lock:
        return _Lock(self._folder / ".audit.lock")

    def _append(self, event: Event, fields: dict[str, object]) -> AuditHead:
        present = files(self._folder)
        path = present[-1] if present else self._folder / "audit-000001.jsonl"
        head, torn = self._tail(path) if present else (AuditHead(0, START), b"")
        if torn:
            head = self._mend(path, head, torn)
        line = self._line(head, event, fields)
        if path.exists() and path.stat().st_size + len(line) + 1 > self._file_bytes_max:
            path = self._next(path)
        self._write(path, line)
        return AuditHead(head.lines + 1, hash_line(line))

    def _line(self, head: AuditHead, event: Event, fields: dict[str, object]) -> bytes:
        cells = {name: HIDDEN if is_secret(name) else plain(value) for name, value in fields.items()}
        record: dict[str, object] = {
            "n": head.lines + 1,
            "at": iso(self._clock.now_us()),
            "event": event.value,
            "prev": head.hash,
            "fields": cells,
        }
        line = _encoded(record)
        if len(line) > LINE_BYTES_MAX:
            line = _encoded({**record, "fields": {"too_long": len(line)}})
        return line

    def _mend(self, path: Path, head: AuditHead, torn: bytes) -> AuditHead:
        """A crash in the middle of a write left a piece that was never acknowledged: cut it off, and say so."""
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - len(torn))
            os.fsync(file.fileno())
        cells: dict[str, object] = {"cut_bytes": len(torn), "cut_hash": hash_line(torn)}
        line = self._line(head, Event.AUDIT_MENDED, cells)
        self._write(path, line)
        return AuditHead(head.lines + 1, hash_line(line))

    def _write(self, path: Path, line: bytes) -> None:
        fresh = not path.exists()
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(handle, 0o600)
            data = line + b"\n"
            while data:
                data = data[os.write(handle, data) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        if fresh:
            _sync_folder(self._folder)

    def _next(self, path: Path) -> Path:
        found = _NAME.fullmatch(path.name)
        assert found is not None
        return self._folder / f"audit-{int(found[1]) + 1:06d}.jsonl"

    def _tail(self, path: Path) -> tuple[AuditHead, bytes]:
        """The head by the last whole line of `path`, and the bytes of a torn line after it."""
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - 2 * LINE_BYTES_MAX))
            tail = file.read()
        whole, _, torn = tail.rpartition(b"\n")
        last = whole.rpartition(b"\n")[2]
        if not last:
            before = [p for p in files(self._folder) if p.name < path.name]
            return (self._tail(before[-1])[0] if before else AuditHead(0, START)), torn
        record = _decoded(last)
        number = record.get("n") if record else None
        if type(number) is not int:
            raise LocalFault(f"the last line of {path.name} is damaged; run `tiersync doctor`")
        return AuditHead(number, hash_line(last)), torn


class SteadyAudit:
    """For what has happened already, in a node that runs: a line that cannot be written stops nothing.

    The first one is told (`failed`), then none until a line was written again; that one says how many are missing
    before it (`not_written_before`). Used in one thread.
    """

    def __init__(self, audit: AuditLog, failed: Callable[[LocalFault], None]) -> None:
        self._audit = audit
        self._failed = failed
        self._missing = 0

    def append(self, event: Event, **fields: object) -> None:
        """As AuditLog.append, and never raises."""
        if self._missing:
            fields["not_written_before"] = self._missing
        try:
            self._audit.append(event, **fields)
        except LocalFault as fault:
            self._missing += 1
            if self._missing == 1:
                self._failed(fault)
        else:
            self._missing = 0


class SparingAudit:
    """For what a peer can bring about as often as it likes: of each event and key some lines at once, then one in five
    minutes. The next line says how many were not told before it (`not_told_before`); `flush` says the rest.
    """

    def __init__(self, audit: SteadyAudit, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock
        self._rates = Rates(SPARING_BURST, SPARING_PER_S, SPARING_KEYS_MAX)
        self._untold: Counter[tuple[Event, str]] = Counter()

    def append(self, event: Event, key: str, **fields: object) -> bool:
        """Whether there was a line to write. `key`: who, and why."""
        if not self._rates.allows(f"{event.value} {key}", self._clock.monotonic_us()):
            # Past so many keys they are counted together: a peer may think up more of them.
            known = (event, key) in self._untold or len(self._untold) < SPARING_KEYS_MAX
            self._untold[event, key if known else ""] += 1
            return False
        if before := self._untold.pop((event, key), 0) + self._untold.pop((event, ""), 0):
            fields["not_told_before"] = before
        self._audit.append(event, **fields)
        return True

    def flush(self) -> None:
        """Says what was counted and not told yet, a line for each event and key."""
        for (event, key), count in sorted(self._untold.items(), key=lambda item: (item[0][0].value, item[0][1])):
            self._audit.append(event, about=key, not_told_before=count)
        self._untold.clear()


class _Lock:
    """An advisory lock on a file of its own, held while it is open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1

    def __enter__(self) -> None:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _encoded(record: dict[str, object]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _decoded(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _lines(path: Path) -> Iterator[bytes]:
    """Lines with their breaks; one that is too long comes in pieces, which then do not verify."""
    with path.open("rb") as file:
        while line := file.readline(LINE_BYTES_MAX + 2):
            yield line


def _fault(line: bytes, prev: str | None, number: int | None) -> str:
    """Why a line does not follow the one before; '' if it does. None: nothing is known of what was before."""
    if not line.endswith(b"\n"):
        return "the line is not complete"
    record = _decoded(line[:-1])
    if record is None:
        return "the line is not JSON"
    if type(record.get("n")) is not int or not isinstance(record.get("prev"), str):
        return "the line has no number or no hash of the line before"
    if number is not None and record["n"] != number:
        return f"the line says number {record['n']}, expected {number}"
    if prev is not None and record["prev"] != prev:
        return "the line before it is not the one that was there when it was written"
    return ""


def verify(folder: Path) -> Verdict:
    """Checks the whole chain over all files of a folder. Files pruned from the beginning are no fault; `first` shows
    it.
    """
    good, first = 0, 0
    prev: str | None = None
    number: int | None = None
    for path in files(folder):
        for at, line in enumerate(_lines(path), start=1):
            why = _fault(line, prev, number)
            record = {} if why else _decoded(line[:-1]) or {}
            if not why and number is None:
                first = record["n"]
                if first == 1 and record["prev"] != START:
                    why = "the first line does not begin a chain"
            if why:
                return Verdict(good, prev or START, first, path.name, at, why)
            good += 1
            prev, number = hash_line(line[:-1]), record["n"] + 1
    return Verdict(good, prev or START, first)


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """The records in order, for display and export; lines that are not JSON objects are left out (`verify` names
    them).
    """
    for path in files(folder):
        for line in _lines(path):
            record = _decoded(line.rstrip(b"\n"))
            if record is not None:
                yield record


def prune(folder: Path, before_us: int) -> list[str]:
    """Removes whole files whose lines are all older than `before_us`; the newest file always stays. Their names."""
    limit = iso(before_us)
    present = files(folder)
    gone: list[str] = []
    for path, following in pairwise(present):
        first = next(_lines(following), b"")
        record = _decoded(first.rstrip(b"\n")) or {}
        if not isinstance(record.get("at"), str) or record["at"] > limit:
            break
        path.unlink()
        gone.append(path.name)
    return gone
