"""What an administrator says of a source: one TOML file each in the folder `sources` of the home, named as the source.

    dataset, mapping, kind, every, silent_after, title
    [database]  url, password_file | password_env, table | select, key, watermark, overlap, empty_watermark, time_zone,
                page_rows, compare_at, voids_percent_max
    [folder]    path, files, complete, settle

docs/operations.md explains each key. All mistakes of a file are told at once.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from node.config import read_toml
from node.faults import Code, Mistakes, UserFault
from node.loading.keys import Keys
from node.reading import text_of
from node.store.sources import DATABASE, FOLDER
from node.texts import N_, Text

SOURCES_FOLDER: Final = "sources"
MAPPING_END: Final = ".map.toml"
"""How the names of mappings end that lie beside the declarations."""
FILE_BYTES_MAX: Final = 1024 * 1024
SOURCES_MAX: Final = 1_000
SELECT_CHARACTERS_MAX: Final = 20_000
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_SPAN: Final = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_SECRET: Final = re.compile(r"(?i)(password|passwd|pwd)\s*=")
_TODO: Final = N_("Correct the keys named above; the operations guide explains each of them under 'Sources'.")


@dataclass(frozen=True, slots=True)
class Database:
    """A table of another system, or a SELECT over its tables.

    overlap: how far before the newest watermark each reading begins, in seconds, or in numbers where the watermark is a
    number. empty_watermark: whether rows without one are read. time_zone: of times without offset, '' as the mapping
    says. compare_at: when the keys are compared each day, '' never.
    """

    url: str
    password_file: str
    password_env: str
    table: str
    select: str
    key: tuple[str, ...]
    watermark: str
    overlap: int
    overlap_is_time: bool
    empty_watermark: bool
    time_zone: str
    page_rows: int
    compare_at: str
    voids_percent_max: int


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that files are put into. done_file: a file is whole when a file of its name with '.done' stands beside
    it; otherwise when nothing about it has changed for `settle_s` seconds.
    """

    path: Path
    files: tuple[str, ...]
    done_file: bool
    settle_s: int


@dataclass(frozen=True, slots=True)
class Declared:
    """One source. silent_after_s: 0 for no alarm."""

    name: str
    file: Path
    title: str
    dataset: str
    mapping: str
    every_s: int
    silent_after_s: int
    database: Database | None
    folder: Folder | None

    @property
    def kind(self) -> str:
        """As the node's store names it."""
        return DATABASE if self.database is not None else FOLDER


def names(home: Path) -> list[str]:
    """The sources that are declared, in order. Raises OSError."""
    folder = home / SOURCES_FOLDER
    if not folder.is_dir():
        return []
    return sorted(path.stem for path in folder.glob("*.toml") if not path.name.endswith(MAPPING_END))[:SOURCES_MAX]


def read(home: Path, name: str) -> Declared:
    """One source. Raises UserFault SOURCE_UNKNOWN, SOURCE_INVALID (all mistakes), CONFIG_SYNTAX; OSError."""
    path = home / SOURCES_FOLDER / f"{name}.toml"
    if name not in names(home):
        raise unknown(name, names(home))
    return parse(path, text_of(path, FILE_BYTES_MAX))


def unknown(name: str, known: Iterable[str]) -> UserFault:
    """No source is declared by that name."""
    return UserFault(
        Code.SOURCE_UNKNOWN,
        N_("There is no source '{source}'; declared here: {known}."),
        N_("A source is a file such as sources/{source}.toml in the node's home; the operations guide has an example."),
        source=name,
        known=", ".join(known) or "-",
    )


def parse(path: Path, text: str) -> Declared:
    """The source that the text of a file says. Raises UserFault SOURCE_INVALID (all mistakes), CONFIG_SYNTAX."""
    mistakes = Mistakes()
    top = Keys(read_toml(str(path), text), "", mistakes)
    if _NAME.fullmatch(path.stem) is None:
        mistakes.add(path.name, Text(N_("must be named with lower-case letters, digits, _ and -, at most 40")))
    title, dataset, mapping = top.text("title", path.stem), top.text("dataset"), top.text("mapping")
    kind = top.choice("kind", (DATABASE, FOLDER), DATABASE)
    every, silent = _span(top, "every", "15m") or 1, _span(top, "silent_after", "0s")
    below = {name: top.below(name) for name in (DATABASE, FOLDER)}
    top.done()
    own = below.pop(kind)
    for name, keys in below.items():
        if keys is not None:
            mistakes.add(name, Text(N_("does not belong to a source of kind '{kind}'"), kind=kind))
    if own is None:
        mistakes.add(kind, Text(N_("is missing")))
        own = Keys({}, kind, Mistakes())
    database = _database(own) if kind == DATABASE else None
    folder = _folder(own) if kind == FOLDER else None
    own.done()
    mistakes.raise_any(Code.SOURCE_INVALID, str(path), _TODO)
    return Declared(path.stem, path, title, dataset, mapping, every, silent, database, folder)


def _database(keys: Keys) -> Database:
    url = keys.text("url")
    if url and _holds_password(url):
        keys.wrong("url", Text(N_("must not hold the password: put it into a file and name that as password_file")))
    file, variable = keys.text("password_file", ""), keys.text("password_env", "")
    if file and variable:
        keys.wrong("password_env", Text(N_("only one of password_file and password_env")))
    table, select = keys.text("table", ""), keys.text("select", "")
    if bool(table) == bool(select):
        keys.wrong("table", Text(N_("needs exactly one of: table, select")))
    if len(select) > SELECT_CHARACTERS_MAX:
        keys.wrong("select", Text(N_("has more than {most} characters"), most=SELECT_CHARACTERS_MAX))
    key = keys.texts("key") or ()
    if not key or len(set(key)) != len(key):
        keys.wrong("key", Text(N_("must name the columns that tell one row from all others")))
    watermark = keys.text("watermark", "")
    overlap, is_time = _overlap(keys)
    return Database(
        url,
        file,
        variable,
        table,
        select.strip().rstrip(";"),
        key,
        watermark,
        overlap,
        is_time,
        keys.choice("empty_watermark", ("read", "skip"), "read") == "read",
        _zone(keys),
        keys.number("page_rows", 10, 100_000) or 5_000,
        _clock(keys),
        _percent(keys),
    )


def _holds_password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password) or _SECRET.search(unquote(url)) is not None
    except ValueError:
        return False


def _overlap(keys: Keys) -> tuple[int, bool]:
    """(how much, whether it is a time)."""
    value = keys.raw("overlap")
    if type(value) is int and value >= 0:
        return value, False
    if value is None or isinstance(value, str):
        return _seconds(keys, "overlap", value or "10m"), True
    keys.wrong("overlap", Text(N_('must be a time such as "10m", or a number where the watermark is one')))
    return 0, True


def _percent(keys: Keys) -> int:
    found = keys.number("voids_percent_max", 0, 100)
    return 10 if found is None else found


def _clock(keys: Keys) -> str:
    at = keys.text("compare_at", "")
    if at and _CLOCK.fullmatch(at) is None:
        keys.wrong("compare_at", Text(N_("'{value}' is not a time of day such as 02:30"), value=at))
    return at


def _zone(keys: Keys) -> str:
    name = keys.text("time_zone", "")
    try:
        if name:
            zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        keys.wrong("time_zone", Text(N_("'{value}' is not a time zone such as Asia/Shanghai"), value=name))
    return name


def _folder(keys: Keys) -> Folder:
    path = Path(keys.text("path"))
    if not path.is_absolute():
        keys.wrong("path", Text(N_("must be a whole path such as /srv/tiersync/in")))
    files = keys.texts("files") or ("*.csv", "*.xlsx", "*.jsonl")
    for pattern in files:
        if not pattern or "/" in pattern:
            keys.wrong("files", Text(N_("'{value}' is not a pattern of file names such as *.csv"), value=pattern))
    done_file = keys.choice("complete", ("settled", "done_file"), "settled") == "done_file"
    return Folder(path, files, done_file, _span(keys, "settle", "30s"))


def _span(keys: Keys, key: str, default: str) -> int:
    return _seconds(keys, key, keys.text(key, default))


def _seconds(keys: Keys, key: str, text: str) -> int:
    """The seconds of a text such as 15m."""
    found = _SPAN.fullmatch(text)
    if found is None:
        keys.wrong(key, Text(N_("'{value}' is not a time such as 30s, 15m, 2h or 1d"), value=text))
        return 0
    return int(found[1]) * _UNITS[found[2]]
