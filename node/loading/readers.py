"""Reading files of other systems, streaming, each record with its line number: CSV and JSON lines (also gzipped) here,
workbooks in workbooks.py, Parquet in parquet.py.

A record that cannot be read is told with its line and reason, and the others go on. The file is looked through once
before (`survey`): its digest, its encoding, whether its compression is whole; so nothing is half loaded from a broken
file.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import stat
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from node.faults import Code, UserFault
from node.loading import formats
from node.loading.found import Found, State, Survey, Unreadable, as_asked, bad_heading, heading_problem, unreadable
from node.loading.mapping import Source
from node.reading import STDIN
from node.texts import N_, Text
from sync.limits import CELL_BYTES_MAX, MIB
from sync.reasons import Reason

LINE_BYTES_MAX: Final = 1 * MIB
RECORD_LINES_MAX: Final = 64
"""Lines that one CSV record may span: a quote that never closes swallows no more than this before it is given up."""
_GZIP: Final = b"\x1f\x8b"
_BOMS_16: Final = (b"\xff\xfe", b"\xfe\xff")
_BOM: Final = b"\xef\xbb\xbf"
_UTF8: Final = "utf-8"
_GB18030: Final = "gb18030"
_FIRST_CJK: Final = "\u2e80"
_DELIMITERS: Final = ",;\t|"
_PIECE_BYTES: Final = 256 * 1024

csv.field_size_limit(max(CELL_BYTES_MAX * 4, LINE_BYTES_MAX))


class _Line(NamedTuple):
    number: int
    text: str | None
    problem: Text | None


def survey(path: Path, source: Source) -> Survey:
    """Looks through the whole file once.

    Raises UserFault FILE_MISSING, FILE_UNREADABLE (not a file, empty, broken, or of another format than it is read as)
    or FILE_ENCODING (UTF-16).
    """
    form = formats.by_name(path) if source.format == formats.AUTO else source.format
    with _open(path) as raw:
        state = _state(raw)
        if not state.size:
            raise unreadable(path, Text(N_("it is empty")))
        digest = sha256()
        while piece := raw.read(_PIECE_BYTES):
            digest.update(piece)
        raw.seek(0)
        first = raw.read(formats.MAGIC_BYTES)
        raw.seek(0)
        packed = first.startswith(_GZIP)
        problem = formats.contradiction(form, first)
        if problem is not None:
            raise unreadable(path, problem)
        at = Survey(path, digest.hexdigest(), state, form, packed)
        if form == formats.XLSX:
            from node.loading.workbooks import look_through

            has_formulas, worked_out = look_through(path, raw)
            return replace(at, has_formulas=has_formulas, worked_out=worked_out)
        if form == formats.PARQUET:
            return at
        return replace(at, encoding=_encoding(path, raw, packed, source))


@contextmanager
def _open(path: Path) -> Iterator[io.BufferedReader]:
    try:
        # Looked at before it is opened: to open a pipe waits for its other end, and a device may never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise _no_file(path)
        file = path.open("rb")
    except FileNotFoundError as error:
        if str(path) == STDIN:
            raise _no_stdin() from error
        raise UserFault(Code.FILE_MISSING, N_("There is no '{file}'."), N_("Check the path."), file=path) from error
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error
    with file:
        try:
            yield file
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise unreadable(path, str(error)) from error


def _no_file(path: Path) -> UserFault:
    todo = N_("Give the path of a regular file; what comes out of a pipe or device must be saved to one first.")
    return UserFault(Code.FILE_UNREADABLE, N_("'{file}' is a folder, device or pipe, not a file."), todo, file=path)


def _no_stdin() -> UserFault:
    todo = N_("Save it to a file and load that; single rows go in with `tiersync put DATASET -`.")
    return UserFault(Code.FILE_UNREADABLE, N_("A load reads its file twice, so it cannot come from stdin."), todo)


def _encoding(path: Path, raw: io.BufferedReader, packed: bool, source: Source) -> str:
    """The file's encoding: as declared, else by which more of its lines that are not plain ASCII can be read."""
    utf8, other, number = 0, 0, 0
    for number, line in _raw_lines(_unpacked(raw, packed)):
        if number == 1 and line.startswith(_BOMS_16):
            todo = N_("Save the file as UTF-8 and load it again.")
            raise UserFault(Code.FILE_ENCODING, N_("'{file}' is written in UTF-16."), todo, file=path)
        if number == 1 and b"\0" in line:
            todo = N_("Save the file as UTF-8 and load it again.")
            words = N_("'{file}' holds zero bytes: it is written in UTF-16, or is no text.")
            raise UserFault(Code.FILE_ENCODING, words, todo, file=path)
        if line.isascii():
            continue
        if _is(line, _UTF8):
            utf8 += 1
        elif _is(line, _GB18030):
            other += 1
    if not number:
        raise unreadable(path, Text(N_("it is empty")))
    if source.encoding != "auto":
        return source.encoding
    return _GB18030 if other > utf8 else _UTF8


def _is(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_other(line: bytes, encoding: str) -> bool:
    """Whether a line that can be read as GB18030 is UTF-8 all the same.

    Chinese in UTF-8 can often be read as GB18030, and then is other Chinese. The other way about, GB18030 that happens
    to be UTF-8 gives letters of Europe or the Near East: so Chinese in UTF-8 is what was meant.
    """
    if encoding != _GB18030 or line.isascii() or not _is(line, _UTF8):
        return False
    return any(character >= _FIRST_CJK for character in line.decode(_UTF8))


def _unpacked(raw: io.BufferedReader, packed: bool) -> io.BufferedIOBase:
    return gzip.GzipFile(fileobj=raw) if packed else raw


def _raw_lines(file: io.BufferedIOBase) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers; of one that is too long, only the first LINE_BYTES_MAX + 1 bytes."""
    number = 0
    while line := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX and not line.endswith(b"\n"):
            while (rest := file.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
                continue
        yield number, line


def _lines(file: io.BufferedIOBase, encoding: str) -> Iterator[_Line]:
    for number, raw in _raw_lines(file):
        if len(raw) > LINE_BYTES_MAX:
            yield _Line(number, None, Text(N_("the line is longer than {most} bytes"), most=LINE_BYTES_MAX))
            continue
        line = raw.removeprefix(_BOM) if number == 1 else raw
        if _is_other(line, encoding):
            yield _Line(number, None, Text(N_("the line is UTF-8, the file is {encoding}"), encoding=encoding))
            continue
        try:
            yield _Line(number, line.decode(encoding), None)
        except UnicodeDecodeError:
            yield _Line(number, None, Text(N_("the line is not {encoding}"), encoding=encoding))


@contextmanager
def records(found: Survey, source: Source, needs: frozenset[str] | None) -> Iterator[Iterator[Found | Unreadable]]:
    """The records of a surveyed file.

    needs: columns that must be there; None asks for all that can be read, and demands none. Raises UserFault
    FILE_HEADER when one is not, FILE_UNREADABLE when the file proves broken in the middle, and FILE_CHANGED when
    it is not the one that was surveyed, or changed meanwhile.
    """
    with _open(found.path) as raw:
        _check_unchanged(found, raw)
        yield _records(found, raw, source, needs)
        _check_unchanged(found, raw)


def _records(
    found: Survey, raw: io.BufferedReader, source: Source, needs: frozenset[str] | None
) -> Iterator[Found | Unreadable]:
    if found.format == formats.XLSX:
        from node.loading import workbooks

        return workbooks.records(found, raw, source, needs)
    if found.format == formats.PARQUET:
        from node.loading import parquet

        return parquet.records(found, raw, source, needs)
    lines = _lines(_unpacked(raw, found.packed), found.encoding)
    if found.format == formats.JSONL:
        return _json_records(lines, needs or frozenset())
    return _csv_records(found.path, lines, source, needs)


def _state(raw: BinaryIO) -> State:
    at = os.fstat(raw.fileno())
    return State(at.st_dev, at.st_ino, at.st_size, at.st_mtime_ns)


def _check_unchanged(found: Survey, raw: io.BufferedReader) -> None:
    if _state(raw) != found.state:
        todo = N_("Load the file again when nobody writes to it; rows already taken come to no harm.")
        raise UserFault(Code.FILE_CHANGED, N_("'{file}' was changed while it was read."), todo, file=found.path)


class _Feed:
    """Hands lines to the csv module, and remembers which ones the current record took."""

    def __init__(self, lines: Iterator[_Line]) -> None:
        self._lines = lines
        self._again: deque[_Line] = deque()
        self.taken: list[_Line] = []
        self.ended = False

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= RECORD_LINES_MAX:
            raise csv.Error("too many lines")
        line = self._again.popleft() if self._again else next(self._lines, None)
        if line is None:
            self.ended = True
            raise StopIteration
        self.taken.append(line)
        if line.text is None:
            raise csv.Error("unreadable line")
        return line.text

    def skip(self) -> None:
        """Passes over a line, readable or not."""
        next(self._lines, None)

    def give_back(self) -> _Line:
        """Returns all but the first line of a record that failed; the first is the one to tell."""
        self._again.extendleft(reversed(self.taken[1:]))
        return self.taken[0]


def _csv_records(
    path: Path, lines: Iterator[_Line], source: Source, needs: frozenset[str] | None
) -> Iterator[Found | Unreadable]:
    feed = _Feed(lines)
    header, delimiter = _header(path, feed, source, needs)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.taken.clear()
        try:
            cells = next(reader)
            if len(cells) == len(header):
                yield Found(feed.taken[0].number, dict(zip(header, cells, strict=True)))
                continue
            whole = True
        except StopIteration:
            return
        except csv.Error:
            whole = False
        if not feed.taken:
            continue
        if not _is_blank(feed.taken):
            yield _alone(feed, header, delimiter)
        if not whole:
            reader = csv.reader(feed, delimiter=delimiter, strict=True)


def _is_blank(lines: list[_Line]) -> bool:
    """Whether a record is a single empty line: no record, and no mistake."""
    return len(lines) == 1 and lines[0].text is not None and not lines[0].text.strip("\r\n \t\ufeff")


def _alone(feed: _Feed, header: list[str], delimiter: str) -> Found | Unreadable:
    """A record that failed, judged by its first line alone and less strictly; the lines after it are read again."""
    line = feed.give_back()
    if line.text is None:
        return Unreadable(line.number, Reason.MALFORMED, line.problem or Text(N_("the line cannot be read")))
    single = _Feed(iter([line]))
    try:
        cells = next(csv.reader(single, delimiter=delimiter), [])
    except csv.Error as error:
        return Unreadable(line.number, Reason.MALFORMED, Text(N_("the line is not CSV: {why}"), why=str(error)))
    if single.ended:
        return Unreadable(line.number, Reason.MALFORMED, Text(N_("a quote is opened and not closed")))
    if len(cells) != len(header):
        problem = Text(N_("{found} columns, the header has {wanted}"), found=len(cells), wanted=len(header))
        return Unreadable(line.number, Reason.MALFORMED, problem)
    return Found(line.number, dict(zip(header, cells, strict=True)))


def _header(path: Path, feed: _Feed, source: Source, needs: frozenset[str] | None) -> tuple[list[str], str]:
    """Column names and the delimiter. Raises UserFault FILE_HEADER."""
    try:
        for _ in range(source.header - 1):
            feed.skip()
        first = next(feed, "")
    except csv.Error:
        raise bad_heading(path, feed.taken[-1].problem or Text(N_("the line cannot be read"))) from None
    delimiter = source.delimiter or _delimiter(first)
    try:
        names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    except csv.Error:
        names = []
    names = as_asked(names, needs or ())
    problem = heading_problem(names, needs or ())
    if problem is not None:
        raise bad_heading(path, problem)
    return names, delimiter


def _delimiter(header: str) -> str:
    """The likeliest delimiter: the one that the header holds most often."""
    return max(_DELIMITERS, key=header.count)


def _json_records(lines: Iterator[_Line], needs: frozenset[str]) -> Iterator[Found | Unreadable]:
    decode = json.JSONDecoder(parse_float=_Digits, parse_int=_Digits, parse_constant=str).decode
    for line in lines:
        if line.text is None:
            yield Unreadable(line.number, Reason.MALFORMED, line.problem or Text(N_("the line cannot be read")))
        elif line.text.strip():
            yield _json_record(line.number, line.text, decode, needs)


def _json_record(number: int, text: str, decode: Callable[[str], object], needs: frozenset[str]) -> Found | Unreadable:
    try:
        content = decode(text.strip())
    except (ValueError, RecursionError):
        return Unreadable(number, Reason.MALFORMED, Text(N_("the line is not JSON")))
    if not isinstance(content, dict):
        return Unreadable(number, Reason.MALFORMED, Text(N_("the line is not a JSON object")))
    try:
        record = {key: _json_text(value) for key, value in content.items()}
    except RecursionError:
        return Unreadable(number, Reason.MALFORMED, Text(N_("the line is not JSON")))
    keys = as_asked(list(record), needs)
    return Found(number, record if len(set(keys)) < len(keys) else dict(zip(keys, record.values(), strict=True)))


class _Digits(str):
    """A number of JSON as it was written."""

    __slots__ = ()


def _json_text(value: object) -> str | None:
    """A JSON value as the text a CSV file would hold; numbers keep their digits, lists and objects stay JSON."""
    if value is None:
        return None
    return str(value) if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    if isinstance(value, _Digits):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_json(key)}: {_json(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
