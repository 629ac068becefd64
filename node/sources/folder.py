"""A folder that files are put into: each is loaded once, by its content, and then moved to `done` or `failed` beside a
report. Nothing is deleted, and nothing is read before it is whole.

The folder is looked at again and again: network drives tell nobody of what changes on them.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple
from zoneinfo import ZoneInfo

from node.exporting.files import whole as whole_file
from node.exporting.marked import check_markable, write_marked
from node.faults import Code, UserFault
from node.loading.convert import Converter
from node.loading.formats import XLSX
from node.loading.load import Counts, Loader, Report
from node.loading.sink import ControlSink
from node.loading.underway import held
from node.sources.books import Books
from node.sources.declared import Declared, Folder
from node.storable import visible
from node.texts import Text, _, current, reasons

DONE_FOLDER: Final = "done"
FAILED_FOLDER: Final = "failed"
DONE_SUFFIX: Final = ".done"
FILES_MAX: Final = 10_000
"""Of one look; the rest is seen when these are gone."""
_UNFINISHED: Final = (".tmp", ".part", ".partial", ".filepart", ".crdownload", DONE_SUFFIX)
_OF_THE_FILE: Final = frozenset({Code.FILE_UNREADABLE, Code.FILE_HEADER, Code.FILE_ENCODING})
_NOT_WHOLE: Final = frozenset({Code.FILE_CHANGED, Code.FILE_MISSING})
_LINES_SHOWN: Final = 20
_BOM: Final = "\ufeff"
_STEM_BYTES_MAX: Final = 160


class _Seen(NamedTuple):
    size: int
    changed_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of one file. load: 0 where none was begun; known: its content had come in before as that load."""

    file: str
    moved_to: str
    load: int
    counts: Counts
    known: bool = False
    fault: Text | None = None


class Watch:
    """What was seen of a folder, from look to look."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[_Seen, float]] = {}

    def whole(self, folder: Folder, now_s: float) -> tuple[list[Path], bool]:
        """(files that are whole, the oldest first; whether there are others). Raises OSError.

        now_s: a clock that never goes back. A file is whole when it has its '.done', or when size and time of it are
        the same for as long as the folder says: a program that writes slower than that renames at the end.
        """
        found: dict[str, tuple[_Seen, float]] = {}
        whole: list[tuple[int, str, Path]] = []
        for path in _files(folder):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue
            seen = _Seen(state.st_size, state.st_mtime_ns, state.st_ino)
            before = self._seen.get(path.name)
            since = before[1] if before is not None and before[0] == seen else now_s
            found[path.name] = (seen, since)
            if _is_whole(path, folder, now_s - since):
                whole.append((seen.changed_ns, path.name, path))
        self._seen = found
        return [path for _, _, path in sorted(whole)], len(whole) < len(found)


def _is_whole(path: Path, folder: Folder, unchanged_s: float) -> bool:
    if folder.done_file:
        return _done_file(path).exists()
    return unchanged_s >= folder.settle_s


def _done_file(path: Path) -> Path:
    return path.with_name(path.name + DONE_SUFFIX)


def _files(folder: Folder) -> list[Path]:
    """Files of the folder itself whose names are asked for, but for what programs leave while they write."""
    found = []
    for path in folder.path.iterdir():
        name = path.name.lower()
        if name.startswith((".", "~$")) or name.endswith(_UNFINISHED) or path.is_symlink() or not path.is_file():
            continue
        if any(fnmatchcase(name, pattern.lower()) for pattern in folder.files):
            found.append(path)
        if len(found) >= FILES_MAX:
            break
    return found


def shape(declared: Declared, converter: Converter) -> str:
    """A digest of the declaration; a folder has no position that another one could make wrong."""
    return converter.mapping.digest[:32]


def read(
    declared: Declared,
    converter: Converter,
    books: Books,
    files: Sequence[Path],
    now: Callable[[], int],
    zone: str,
    stop: Callable[[], bool] = bool,
) -> list[Loaded]:
    """Loads files and moves them. now: microseconds, for their new names. Raises UserFault for what is not the file's
    own fault (the file stays where it is), OSError where it cannot be moved.
    """
    books.ask(
        "source.begin",
        source=declared.name,
        dataset=declared.dataset,
        kind=declared.kind,
        shape=shape(declared, converter),
    )
    done = []
    for path in files:
        if stop():
            break
        stamp = _stamp(now(), zone)
        one = _one(declared, converter, books, path, stamp)
        if one is not None:
            done.append(one)
    if not done:
        books.took(declared.name, 0, "", Counts())
    return done


def _stamp(now_us: int, zone: str) -> str:
    when = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=now_us)
    return when.astimezone(ZoneInfo(zone)).strftime("%Y%m%d-%H%M%S")


def _one(declared: Declared, converter: Converter, books: Books, path: Path, stamp: str) -> Loaded | None:
    """One file; None for one that is not whole after all."""
    load, counts = 0, Counts()
    try:
        loader = Loader(path, converter, books.own_regions(), live=not books.is_trial())
        said = books.ask("source.load", source=declared.name, file=visible(path.name), digest=loader.digest)
        load = int(said["load"])
        if said["done"]:
            return _moved(path, stamp, Loaded(path.name, DONE_FOLDER, load, counts, known=True), None, converter)
        with held(books.home, load):
            report = _loaded(loader, books.sink(load))
    except UserFault as fault:
        if fault.code in _NOT_WHOLE:
            return None
        if fault.code not in _OF_THE_FILE:
            raise
        books.took(declared.name, 0, "", counts)
        return _moved(path, stamp, Loaded(path.name, FAILED_FOLDER, load, counts, fault=fault.message), None, converter)
    books.took(declared.name, 0, "", report.counts)
    where = FAILED_FOLDER if report.counts.rejected else DONE_FOLDER
    return _moved(path, stamp, Loaded(path.name, where, load, report.counts), report, converter)


def _loaded(loader: Loader, sink: ControlSink) -> Report:
    """A load that breaks off stays open in the books, but for one that its heading stopped: of that nothing began."""
    try:
        report = loader.run(sink, on_reject=sink.keep)
    except UserFault as fault:
        if fault.code is Code.FILE_HEADER:
            sink.finish()
        raise
    sink.finish(report.counts)
    return report


def _moved(path: Path, stamp: str, one: Loaded, report: Report | None, converter: Converter) -> Loaded:
    """Writes what there is to say beside the file's new place, and moves it there. Raises OSError."""
    folder = path.parent / one.moved_to
    folder.mkdir(exist_ok=True)
    target = _free(folder, stamp, path)
    if report is not None and report.rejects:
        _give_back(path, target, report, converter)
    with _beside(path, target.with_name(target.name + ".report.txt")) as out:
        out.write((_BOM + "\n".join(_words(one, report)) + "\n").encode("utf-8", "backslashreplace"))
    path.rename(target)
    beside = _done_file(path)
    if beside.exists():
        beside.rename(target.with_name(target.name + DONE_SUFFIX))
    return one


def _free(folder: Path, stamp: str, path: Path) -> Path:
    """A name that nobody has there, with room for what is hung on."""
    name = os.fsdecode(os.fsencode(path.stem)[:_STEM_BYTES_MAX]) + path.suffix
    target, number = folder / f"{stamp}-{name}", 1
    while target.exists():
        number += 1
        target = folder / f"{stamp}-{number}-{name}"
    return target


@contextmanager
def _beside(path: Path, target: Path) -> Iterator[BinaryIO]:
    """A new file that those may read who may read the one it is about."""
    with whole_file(target, replaces=True) as out:
        yield out
    target.chmod(path.stat().st_mode & 0o666)


def _words(one: Loaded, report: Report | None) -> list[str]:
    counts = one.counts
    lines = [one.file]
    if one.fault is not None:
        lines.append(_("Not loaded: {fault}").format(fault=one.fault.say()))
    elif one.known:
        lines.append(_("This content came in before, as load {load}; nothing was done.").format(load=one.load))
    else:
        lines.append(
            _("Load {load}: {file} into '{dataset}'.").format(
                load=one.load, file=one.file, dataset=report.dataset if report else ""
            )
        )
        lines.append(
            _("{read} read, {taken} taken, {unchanged} unchanged, {not_ours} not ours, {rejected} rejected").format(
                read=counts.read,
                taken=counts.taken,
                unchanged=counts.unchanged,
                not_ours=counts.not_ours,
                rejected=counts.rejected,
            )
        )
    if report is not None and report.rejects:
        lines += [
            _("  line {line}: {reason} {detail}").format(line=r.line, reason=r.reason.name, detail=r.detail.say())
            for r in report.rejects[:_LINES_SHOWN]
        ]
        lines.append(_("All of them: `tiersync loads rejects {load}`.").format(load=one.load))
        lines.append(_("Correct these rows and put the file into the folder again: what is in is not doubled."))
    return lines


def _give_back(path: Path, target: Path, report: Report, converter: Converter) -> None:
    """The rows that were not let in: marked in the workbook itself, else in a table of their own."""
    said = {r.line: f"{reasons.title(r.reason, current())}: {r.detail.say()}" for r in report.rejects}
    if report.format == XLSX:
        try:
            check_markable(path)
        except UserFault:
            pass
        else:
            source = converter.mapping.source
            with _beside(path, target.with_name(f"{target.stem}.marked{target.suffix}")) as out:
                write_marked(path, out, source.sheet, source.header, said)
            return
    with _beside(path, target.with_name(target.name + ".rejects.csv")) as out:
        _write_rejects(out, report)


def _write_rejects(out: BinaryIO, report: Report) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([_("line"), _("reason"), _("what it means"), _("detail")])
    for reject in report.rejects:
        title = reasons.title(reject.reason, current())
        writer.writerow([reject.line, reject.reason.name, title, _harmless(reject.detail.say())])
    out.write((_BOM + text.getvalue()).encode("utf-8", "replace"))


def _harmless(text: str) -> str:
    """A text that Excel would take for a formula, as a text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
