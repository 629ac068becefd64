"""Numbered errors for people: what went wrong, and what to do next.

    UserFault   a person can mend it: code, message, next step; raised anywhere in node/
    Mistakes    collects all that is wrong with a file, and raises one UserFault that names everything

`guarded` is the last line before the user: whatever happens below it ends in a clean message and an exit
code.
"""

from __future__ import annotations

import difflib
import errno
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path
from typing import NoReturn

from node.clock import Clock, SystemClock, file_stamp
from node.texts import N_, Text, Translator, current, reasons
from sync.errors import InputFault, LocalFault, RemoteFault
from sync.reasons import Reason
from tiers.faults import CatalogueFault


class Exit(IntEnum):
    """Exit codes of the program, so that scripts can tell the cases apart."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INPUT = 3
    STATE = 4
    REMOTE = 5
    CUSTODY = 6
    DAMAGE = 7
    INCOMPLETE = 8
    BUG = 70
    INTERRUPTED = 130
    PIPE = 141


class Code(Enum):
    """The closed list of error codes. Numbers and names are stable: documentation and scripts quote them."""

    CONFIG_MISSING = (1001, Exit.INPUT)
    CONFIG_SYNTAX = (1002, Exit.INPUT)
    CONFIG_INVALID = (1003, Exit.INPUT)
    HOME_MISSING = (1004, Exit.STATE)
    HOME_IN_USE = (1005, Exit.STATE)
    HOME_LOCKED = (1006, Exit.STATE)
    HOME_PERMISSIONS = (1007, Exit.CUSTODY)
    BAD_ARGUMENT = (1008, Exit.USAGE)
    CATALOGUE_INVALID = (1009, Exit.INPUT)
    UNKNOWN_DATASET = (1010, Exit.INPUT)
    UNKNOWN_COLUMN = (1011, Exit.INPUT)
    BAD_FILTER = (1012, Exit.INPUT)
    DIVISION_UNKNOWN = (1013, Exit.INPUT)
    CATALOGUE_CHANGED = (1014, Exit.INPUT)

    NODE_NOT_RUNNING = (1101, Exit.STATE)
    NODE_RUNNING = (1102, Exit.STATE)
    CONTROL_TIMEOUT = (1103, Exit.STATE)
    COMMAND_UNKNOWN = (1104, Exit.USAGE)
    PORT_TAKEN = (1105, Exit.STATE)
    VERSION_MISMATCH = (1106, Exit.STATE)
    NODE_READ_ONLY = (1107, Exit.STATE)
    WRONG_STATE = (1108, Exit.STATE)

    FILE_MISSING = (1201, Exit.INPUT)
    FILE_UNREADABLE = (1202, Exit.INPUT)
    MAPPING_INVALID = (1203, Exit.INPUT)
    FILE_HEADER = (1204, Exit.INPUT)
    FILE_ENCODING = (1205, Exit.INPUT)
    ROWS_REJECTED = (1206, Exit.INPUT)
    FILE_CHANGED = (1207, Exit.INPUT)
    FILE_EXISTS = (1208, Exit.INPUT)
    LOAD_UNKNOWN = (1209, Exit.STATE)
    SOURCE_INVALID = (1210, Exit.INPUT)
    SOURCE_UNKNOWN = (1211, Exit.INPUT)
    SOURCE_AWAY = (1212, Exit.REMOTE)
    SOURCE_BUSY = (1213, Exit.STATE)
    SOURCE_GUARDED = (1214, Exit.STATE)

    INVITE_INVALID = (1301, Exit.INPUT)
    INVITE_EXPIRED = (1302, Exit.STATE)
    INVITE_USED = (1303, Exit.STATE)
    ENROLMENT_REFUSED = (1304, Exit.REMOTE)
    ENROLMENT_PENDING = (1305, Exit.STATE)
    PARENT_UNREACHABLE = (1306, Exit.REMOTE)
    KEY_CUSTODY = (1307, Exit.CUSTODY)
    CERTIFICATE_UNFIT = (1308, Exit.CUSTODY)
    FINGERPRINT_MISMATCH = (1309, Exit.CUSTODY)
    NOT_ENROLLED = (1310, Exit.STATE)
    PASSPHRASE = (1311, Exit.CUSTODY)
    INVITE_UNKNOWN = (1312, Exit.INPUT)
    NOT_RENEWED = (1313, Exit.REMOTE)

    LINK_REFUSED = (1401, Exit.REMOTE)
    PEER_UNKNOWN = (1402, Exit.INPUT)
    FEED_UNKNOWN = (1403, Exit.INPUT)
    ROW_UNKNOWN = (1404, Exit.INPUT)
    REMOTE_FAULT = (1405, Exit.REMOTE)
    NOTICE_UNSENT = (1406, Exit.REMOTE)

    TASK_UNKNOWN = (1501, Exit.INPUT)
    FLOW_UNKNOWN = (1502, Exit.INPUT)
    MOVE_REFUSED = (1503, Exit.STATE)
    MOVE_UNKNOWN = (1504, Exit.INPUT)
    DRAFT_UNKNOWN = (1505, Exit.INPUT)
    DRAFT_ENDED = (1506, Exit.STATE)
    DRAFT_STALE = (1507, Exit.STATE)
    FOUR_EYES = (1508, Exit.CUSTODY)
    PERSON_UNKNOWN = (1509, Exit.INPUT)
    PERSON_FORBIDS = (1510, Exit.CUSTODY)
    PERSON_BUSY = (1511, Exit.STATE)

    STORE_DAMAGED = (1601, Exit.DAMAGE)
    STORE_NEWER = (1602, Exit.STATE)
    DISK_FULL = (1603, Exit.STATE)
    BACKUP_INVALID = (1604, Exit.DAMAGE)
    RESTORE_REFUSED = (1605, Exit.STATE)
    SQLITE_UNSAFE = (1606, Exit.STATE)
    VERIFY_FAILED = (1607, Exit.DAMAGE)
    STORE_BUSY = (1608, Exit.STATE)
    AUDIT_BROKEN = (1609, Exit.DAMAGE)
    RECONCILE_DIFFERS = (1610, Exit.DAMAGE)

    PLATFORM_UNSAFE = (1701, Exit.STATE)
    NO_PERMISSION = (1702, Exit.CUSTODY)
    DEMO_FAILED = (1703, Exit.FAILED)
    SIMULATION_FAILED = (1704, Exit.FAILED)
    SYSTEM = (1705, Exit.FAILED)

    PATH_UNKNOWN = (1801, Exit.INPUT)
    METHOD_UNKNOWN = (1802, Exit.INPUT)
    REQUEST_TOO_LARGE = (1803, Exit.INPUT)
    REQUEST_TOO_SLOW = (1804, Exit.STATE)
    TOKEN_REFUSED = (1805, Exit.CUSTODY)
    TOKEN_FORBIDS = (1806, Exit.CUSTODY)
    TOKEN_UNKNOWN = (1807, Exit.INPUT)
    REQUEST_INVALID = (1808, Exit.INPUT)
    REQUEST_TYPE = (1809, Exit.INPUT)
    IDEMPOTENCY_KEY = (1810, Exit.INPUT)
    CURSOR_INVALID = (1811, Exit.INPUT)
    CHANGES_OFF = (1812, Exit.STATE)
    CHANGES_EXPIRED = (1813, Exit.STATE)
    TOO_MANY_STREAMS = (1814, Exit.STATE)
    READ_TOO_SLOW = (1815, Exit.INPUT)

    ATTACHMENT_REFUSED = (1851, Exit.INPUT)
    ATTACHMENT_UNKNOWN = (1852, Exit.INPUT)
    ATTACHMENTS_FULL = (1853, Exit.STATE)
    ATTACHMENT_NOT_HAD = (1854, Exit.REMOTE)
    ATTACHMENT_COMING = (1855, Exit.STATE)

    INTERRUPTED = (1901, Exit.INTERRUPTED)
    LOCAL_FAULT = (1902, Exit.FAILED)
    INPUT_FAULT = (1903, Exit.INPUT)
    BUG = (1904, Exit.BUG)

    def __init__(self, number: int, exit_code: Exit) -> None:
        self.number = number
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"E{self.number}"

    @classmethod
    def of(cls, number: int) -> Code:
        """The code of a number. Raises KeyError for one that this version does not know."""
        for code in cls:
            if code.number == number:
                return code
        raise KeyError(number)


class UserFault(Exception):
    """Something a person can mend.

    `message` and `next_step` are English texts of the catalogue (mark them with `N_`); `{name}` in them
    stands
    for a field. Attributes: code; message, next_step (Text); details (Text): single mistakes, for --json.
    """

    def __init__(self, code: Code, message: str, next_step: str, /, **fields: object) -> None:
        self.code = code
        self.message = Text(message, **fields)
        self.next_step = Text(next_step, **fields)
        self.details: tuple[Text, ...] = ()
        super().__init__(f"{code} {code.name}: {self.message}")

    def as_json(self, to: Translator | None = None) -> dict[str, object]:
        """{"error": {"code", "name", "message", "next"}}, and "details" where a file has several mistakes."""
        error: dict[str, object] = {
            "code": str(self.code),
            "name": self.code.name,
            "message": self.message.say(to),
            "next": self.next_step.say(to),
        }
        if self.details:
            error["details"] = [detail.say(to) for detail in self.details]
        return {"error": error}

    def as_text(self, to: Translator | None = None) -> str:
        """Lines for a terminal: code and what happened, then what to do."""
        speaker = to or current()
        error, todo = speaker.gettext(N_("Error")), speaker.gettext(N_("What to do"))
        return f"{error} {self.code}: {self.message.say(to)}\n{todo}: {self.next_step.say(to)}"


class RelayedFault(UserFault):
    """A fault that the running node told over the control socket, its words already in a language."""

    def __init__(self, number: int, message: str, next_step: str) -> None:
        try:
            code = Code.of(number)
        except KeyError:
            code = Code.LOCAL_FAULT
        super().__init__(code, "{said}", "{todo}", said=message, todo=next_step)


@dataclass(slots=True)
class Mistakes:
    """All that is wrong with one file, each with the key path where it is."""

    found: list[Text] = field(default_factory=list)

    def add(self, where: str, problem: Text) -> None:
        """Notes a problem at a key path such as 'node.region'."""
        self.found.append(Text("{where}: {problem}", where=where, problem=problem))

    def unknown(self, where: str, key: str, known: Iterable[str]) -> None:
        """Notes a key or value that does not exist, with the nearest that does."""
        near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.6)
        if near:
            self.add(where, Text(N_("'{key}' is not known; did you mean '{near}'?"), key=key, near=near[0]))
        else:
            self.add(where, Text(N_("'{key}' is not known"), key=key))

    def raise_any(self, code: Code, name: str, next_step: str) -> None:
        """Raises one UserFault that lists everything, or does nothing when nothing was found."""
        if not self.found:
            return
        lines = tuple(Text("  {line}", line=line) for line in self.found)
        fault = UserFault(
            code,
            N_("{file} has {count} mistake(s):\n{mistakes}"),
            next_step,
            file=name,
            count=len(lines),
            mistakes=lines,
        )
        fault.details = tuple(self.found)
        raise fault


@dataclass(slots=True)
class Manner:
    """How to speak to this user; the command line fills it in as it learns it."""

    as_json: bool = False
    log_folder: Path | None = None
    debug: bool = False


def of_reason(code: Code, reason: Reason, detail: str) -> UserFault:
    """A fault in the words of a reason code; `detail` is shown as it is."""
    found = reasons.words(reason)
    return of_detail(code, found.title, detail, found.next_step)


def of_detail(code: Code, title: str, detail: str, next_step: str) -> UserFault:
    """A fault in words of one's own, where those of the reason code say what to do in another case."""
    if not detail:
        return UserFault(code, title, next_step)
    return UserFault(code, "{title} {detail}", next_step, title=Text(title), detail=Text("({detail})", detail=detail))


def of_system(error: OSError) -> UserFault:
    """A fault for what the operating system refuses: missing, forbidden, full, taken."""
    fields = {"file": str(error.filename or ""), "detail": error.strerror or str(error)}
    match error.errno:
        case errno.ENOENT:
            return UserFault(Code.FILE_MISSING, N_("There is no '{file}'."), N_("Check the path."), **fields)
        case errno.EEXIST:
            todo = N_("Give another name, or move away what is there.")
            return UserFault(Code.FILE_EXISTS, N_("{file} is there already."), todo, **fields)
        case errno.EISDIR:
            todo = N_("Name a file; if there are several in it, give the command for each.")
            return UserFault(Code.FILE_UNREADABLE, N_("'{file}' is a folder, not a file."), todo, **fields)
        case errno.EACCES | errno.EPERM | errno.EROFS:
            todo = N_("Run as the user who owns the node's home, or mend the permissions.")
            return UserFault(Code.NO_PERMISSION, N_("No permission for '{file}' ({detail})."), todo, **fields)
        case errno.ENOSPC | errno.EDQUOT:
            todo = N_("Free space or enlarge the volume, then try again.")
            return UserFault(Code.DISK_FULL, N_("The disk is full ({detail})."), todo, **fields)
        case errno.EADDRINUSE | errno.EADDRNOTAVAIL:
            todo = N_("Stop the other program, or choose another address in node.toml under [listen] or [http].")
            return UserFault(Code.PORT_TAKEN, N_("The address cannot be used ({detail})."), todo, **fields)
    todo = N_("Read the message of the system above; `tiersync doctor` checks the usual causes.")
    return UserFault(Code.SYSTEM, N_("The system refused '{file}': {detail}."), todo, **fields)


def _of_catalogue(error: CatalogueFault) -> UserFault:
    lines = tuple(Text("{path}: {text}", path=m.path, text=m.text) for m in error.mistakes)
    todo = N_("Correct the declarations named above; those in tiers/catalogue and tiers/flows/declared show the form.")
    what = N_("The catalogue has {count} mistake(s):\n{mistakes}")
    fault = UserFault(Code.CATALOGUE_INVALID, what, todo, count=len(lines), mistakes=lines)
    fault.details = lines
    return fault


def translated(error: BaseException) -> UserFault | None:
    """The fault that a known exception amounts to; None for a bug."""
    match error:
        case UserFault():
            return error
        case CatalogueFault():
            return _of_catalogue(error)
        case InputFault():
            return of_reason(Code.INPUT_FAULT, error.reason, error.detail)
        case RemoteFault():
            return of_reason(Code.REMOTE_FAULT, error.reason, error.detail)
        case LocalFault():
            todo = N_("Correct what the message names; `tiersync doctor` checks the node's set-up.")
            return UserFault(Code.LOCAL_FAULT, "{detail}", todo, detail=error)
        case KeyboardInterrupt():
            todo = N_("Start the command again; what was committed before stays.")
            return UserFault(Code.INTERRUPTED, N_("Stopped by the user."), todo)
        case OSError():
            return of_system(error)
    return None


def _keep_traceback(error: BaseException, folder: Path | None, clock: Clock) -> Path | None:
    """Writes the traceback to a file that only its owner reads; None when even that is not possible."""
    text = "".join(traceback.format_exception(error))
    try:
        if folder is None:
            handle, name = tempfile.mkstemp(prefix="tiersync-crash-", suffix=".txt")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            name = str(folder / f"crash-{file_stamp(clock.now_us())}-{os.getpid()}.txt")
            handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as out:
            out.write(text)
    except OSError:
        return None
    return Path(name)


def _bug(error: BaseException, manner: Manner, clock: Clock) -> UserFault:
    kept = _keep_traceback(error, manner.log_folder, clock)
    what = N_("The program met a fault of its own ({kind}).")
    todo = N_("Send the file {file} to your supplier; the node's data is not touched by this.")
    if kept is None:
        todo = N_("The details could not be written to a file: check the disk, and run the command again.")
    return UserFault(Code.BUG, what, todo, kind=type(error).__name__, file=kept or "")


def show(fault: UserFault, as_json: bool) -> None:
    """Tells the user: JSON alone on stdout, or text on stderr."""
    if as_json:
        # A file's name may hold bytes that are not UTF-8; as an escape they are JSON too.
        said = json.dumps(fault.as_json(), ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
        print(said, flush=True)  # noqa: T201 - this is the output
    else:
        print(fault.as_text(), file=sys.stderr, flush=True)  # noqa: T201 - the last word to the user


def _silence_stdout() -> None:
    """Nobody reads stdout any more: later flushes, also Python's own at exit, must not fail again."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return


def guarded(main: Callable[[], int | None], manner: Manner | None = None, clock: Clock | None = None) -> int:
    """Runs `main` and returns the exit code; every exception but SystemExit ends in words for the user.

    `manner` is read when something happens, so `main` may fill it in while it parses its arguments.
    """
    how = manner if manner is not None else Manner()
    try:
        result = main()
        sys.stdout.flush()
        return int(result or Exit.OK)
    except BrokenPipeError:
        _silence_stdout()
        return Exit.PIPE
    except (Exception, KeyboardInterrupt) as error:
        if how.debug:
            raise
        fault = translated(error) or _bug(error, how, clock or SystemClock())
    try:
        show(fault, how.as_json)
    except BrokenPipeError:
        _silence_stdout()
    return fault.code.exit_code


def exit_guarded(main: Callable[[], int | None], manner: Manner | None = None) -> NoReturn:
    """`guarded`, for entry points."""
    sys.exit(guarded(main, manner))
