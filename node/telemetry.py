"""The node's log: structlog set up in one place; JSON lines to a rotated file or to stderr.

Event names are constants; what comes from peers, files and people stands only in fields, so nothing can
forge a line.
Secrets never: fields named like one are replaced before anything is written.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

import structlog
from structlog.typing import FilteringBoundLogger

from node.clock import Clock, iso

LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
LOG_NAME: Final = "node.log"
TEXT_CHARACTERS_MAX: Final = 2_000
ITEMS_MAX: Final = 50
DEPTH_MAX: Final = 5
HEX_BYTES_MAX: Final = 64

HIDDEN: Final = "***"
_SECRET_WORDS: Final = frozenset(
    {"secret", "secrets", "token", "tokens", "key", "proof", "password", "passphrase", "passwd", "private", "pem"}
    | {"credential", "credentials", "authorization", "cookie", "mac", "hmac", "invite"}
)
_PUBLIC: Final = frozenset({"key_id", "row_key", "key_text", "public_key", "key_file", "invite_id"})
"""Names that hold a secret word and no secret."""
_WORDS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+")
_EVENT: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}")
_PRIVATE_PEM: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")

_UNSEEN: Final = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON leaves as it is, and terminals obey or nobody sees: C1 controls, line separators, text direction,
halves.
"""


class Sink(Protocol):
    """Takes finished lines."""

    def write(self, line: str) -> None:
        """Writes one line (without its line break). Never raises: a log must not stop a node."""
        ...


class StreamSink:
    """Lines to a stream, such as stderr under systemd. `lost` counts lines that could not be written."""

    __slots__ = ("_stream", "lost")

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = 0

    def write(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self.lost += 1


class FileSink:
    """Lines to `path`, readable by owner and group; at `bytes_max` it becomes `path.1`, and so on up to
    `kept`.

    A full disk loses lines and counts them in `lost`; the node goes on.
    """

    def __init__(self, path: Path, bytes_max: int, kept: int) -> None:
        assert bytes_max > 0
        assert kept > 0
        self._path = path
        self._bytes_max = bytes_max
        self._kept = kept
        self._lock = threading.Lock()
        self._handle: int | None = None
        self._size = 0
        self.lost = 0

    def write(self, line: str) -> None:
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            try:
                handle = self._ready(len(data))
                written = os.write(handle, data)
                self._size += written
                if written < len(data):
                    self.lost += 1
            except OSError:
                self.lost += 1

    def close(self) -> None:
        """Closes the file; a later write opens it again."""
        with self._lock:
            self._release()

    def _release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _ready(self, more: int) -> int:
        """The open file with room for `more` bytes, rotated when there is none."""
        if self._handle is not None and self._size > 0 and self._size + more > self._bytes_max:
            self._release()
            self._rotate()
        if self._handle is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            self._size = os.fstat(self._handle).st_size
            if self._size > 0 and self._size + more > self._bytes_max:
                return self._ready(more)
        return self._handle

    def _rotate(self) -> None:
        for number in range(self._kept, 0, -1):
            older = self._numbered(number)
            newer = self._numbered(number - 1) if number > 1 else self._path
            if newer.exists():
                newer.replace(older)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def is_secret(name: str) -> bool:
    """Whether a field of that name is hidden: one of its words says secret, token, key, proof..."""
    if name.lower() in _PUBLIC:
        return False
    return any(word.lower() in _SECRET_WORDS for word in _WORDS.findall(name))


def plain(value: object, depth: int = DEPTH_MAX) -> object:
    """`value` as JSON can hold it: bounded, secrets hidden, bytes as hex if short. Never raises."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
        return raw.hex() if len(raw) <= HEX_BYTES_MAX else f"<{len(raw)} bytes>"
    if depth <= 0:
        return "..."
    if isinstance(value, Mapping):
        pairs = list(value.items())[:ITEMS_MAX]
        return {_text(str(k)): HIDDEN if is_secret(str(k)) else plain(v, depth - 1) for k, v in pairs}
    if isinstance(value, Sequence | frozenset | set):
        return [plain(part, depth - 1) for part in list(value)[:ITEMS_MAX]]
    return _text(str(value))


def _text(value: str) -> str:
    if _PRIVATE_PEM.search(value):
        return HIDDEN
    cut = value if len(value) <= TEXT_CHARACTERS_MAX else value[:TEXT_CHARACTERS_MAX] + "..."
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", cut)


class _Stamp:
    """Puts the time in front, by the node's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
        return {"at": iso(self._clock.now_us()), **event}


def _clean(_logger: object, method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Hides secrets, bounds values, and keeps event names constant: another text becomes a field."""
    name = str(event.pop("event", ""))
    at = event.pop("at", "")
    event.pop("level", None)
    fields = {str(k): HIDDEN if is_secret(str(k)) else plain(v) for k, v in event.items()}
    if _EVENT.fullmatch(name) is None:
        fields["text"] = plain(name)
        name = "unnamed"
    return {"at": at, "level": "error" if method == "exception" else method, "event": name, **fields}


def _line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"), default=str)


class _SinkLogger:
    """What structlog ends in: every level goes to the sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def msg(self, line: str) -> None:
        self._sink.write(line)

    debug = info = warning = warn = error = critical = fatal = exception = log = msg


def make_logger(sink: Sink, clock: Clock, level: str = "info", **bound: object) -> FilteringBoundLogger:
    """The node's logger: `log.info("link_up", peer=..., ms=...)`. Made once, then handed to who needs it.

    level: one of LEVELS; `bound` fields stand in every line. Raises KeyError for another level.
    """
    logger: FilteringBoundLogger = structlog.wrap_logger(
        _SinkLogger(sink),
        processors=[
            structlog.processors.format_exc_info,
            _Stamp(clock),
            _clean,
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return logger.bind(**bound)


def make_sink(folder: Path, target: str, bytes_max: int, kept: int) -> FileSink | StreamSink:
    """The sink that [log] in node.toml asks for: 'file' in `folder`, or 'stderr'."""
    return StreamSink(sys.stderr) if target == "stderr" else FileSink(folder / LOG_NAME, bytes_max, kept)


class LibraryHandler(logging.Handler):
    """Brings what libraries say through the standard `logging` module into the node's log, as
    `library_said`.
    """

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        method = self._logger.error if record.levelno >= logging.ERROR else self._logger.warning
        method("library_said", library=record.name, text=text, exc_info=record.exc_info or None)


@contextmanager
def libraries_heard(logger: FilteringBoundLogger) -> Iterator[None]:
    """Inside, what libraries warn of stands in the node's log. For a process that runs one node."""
    handler = LibraryHandler(logger)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
