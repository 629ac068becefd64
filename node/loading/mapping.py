"""Declarative mappings: how a file of another system becomes rows of a dataset. TOML, never code.

    dataset = "case"
    [source]            format, sheet, header, delimiter, encoding, time_zone, dates, empty
    [ours]              column and region of each of its values: which rows are this node's
    [tables.<name>]     old code -> our code: values = {...}, or file, key, value
    [columns.<target>]  from = "Column" | ["A", "B"], or value = constant, or region = true; then, in this order:
                        join, strip, empty, remove, split, cut, mask, digest, table, prefix, suffix, default, round

README.md of node/mappings explains each key. A mapping is checked alone here, and against its dataset in convert.py.
"""

from __future__ import annotations

import csv
import io
import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from node.config import read_toml
from node.faults import Code, Mistakes
from node.loading.dates import BadFormat, DateFormat, compile_format
from node.loading.formats import AUTO, FORMATS
from node.loading.keys import Keys
from node.texts import N_, Text

ReadFile = Callable[[str], bytes]
"""Reads a file that a mapping names, by its name as written there. Raises OSError."""

MAPPING_BYTES_MAX: Final = 4 * 1024 * 1024
HEADER_MAX: Final = 1_000
_ENCODINGS: Final = ("auto", "utf-8", "gb18030")
_UNKNOWN: Final = ("reject", "null", "keep")
_DIGEST_LENGTHS: Final = range(16, 65)


@dataclass(frozen=True, slots=True)
class Source:
    """How the file is written. format and encoding 'auto', delimiter '' and sheet '' (the only one) are found out.

    header: the line that holds the column names, from 1; what stands before it is passed over.
    """

    format: str = AUTO
    sheet: str = ""
    header: int = 1
    delimiter: str = ""
    encoding: str = "auto"
    time_zone: str = "Asia/Shanghai"
    dates: tuple[DateFormat, ...] = ()
    empty: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True)
class Ours:
    """Which rows are this node's: the region (division code) of each value of `column`.

    unknown: what becomes of rows with another value: 'reject' or 'not_ours'.
    """

    column: str
    regions: Mapping[str, str]
    unknown: str = "reject"


@dataclass(frozen=True, slots=True)
class Split:
    """A part of a text: number `part` (from 0) between separators, or a group of a pattern."""

    separator: str = ""
    part: int = 0
    pattern: re.Pattern[str] | None = None
    group: int | str = 0


@dataclass(frozen=True, slots=True)
class Mask:
    """Keeps the first and last characters and puts `sign` for each one between."""

    keep_start: int
    keep_end: int
    sign: str


@dataclass(frozen=True, slots=True)
class Rule:
    """How one target column gets its value. `constant` and `default` are texts, converted like read ones."""

    target: str
    sources: tuple[str, ...] = ()
    constant: str | None = None
    region: bool = False
    join: str = " "
    strip: bool = True
    empty: tuple[str, ...] = ("",)
    remove: str = ""
    split: Split | None = None
    cut: int | None = None
    mask: Mask | None = None
    digest: int | None = None
    table: str = ""
    unknown: str = "reject"
    prefix: str = ""
    suffix: str = ""
    default: str | None = None
    round: int | None = None
    dates: tuple[DateFormat, ...] = ()
    time_zone: str = ""
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileMapping:
    """A checked mapping. `digest` is SHA-256 (hex) of its text and of the table files it names."""

    name: str
    title_zh: str
    title_en: str
    dataset: str
    source: Source
    ours: Ours | None
    tables: Mapping[str, Mapping[str, str]]
    rules: tuple[Rule, ...]
    digest: str


def parse(path: str, text: str, read_file: ReadFile) -> FileMapping:
    """The mapping that `text` says; `path` is what messages call it.

    Raises UserFault CONFIG_SYNTAX (not TOML), or MAPPING_INVALID with every mistake and its key path.
    """
    mistakes = Mistakes()
    top = Keys(read_toml(path, text), "", mistakes)
    digest = sha256(text.encode())
    name, dataset = top.text("name"), top.text("dataset")
    title = top.below("title")
    zh, en = (title.text("zh"), title.text("en")) if title else (name, name)
    if title:
        title.done()
    source = _source(top.below("source"))
    tables = _tables(top.below("tables"), read_file, digest.update)
    ours = _ours(top.below("ours"), tables)
    columns = top.below("columns")
    rules = tuple(_rules(columns, source, tables)) if columns else ()
    if not rules and not mistakes.found:
        mistakes.add("columns", Text(N_("is missing")))
    top.done()
    mistakes.raise_any(
        Code.MAPPING_INVALID, path, N_("Correct the keys named above; node/mappings/README.md explains each of them.")
    )
    return FileMapping(name, zh, en, dataset, source, ours, tables, rules, digest.hexdigest())


def _source(keys: Keys | None) -> Source:
    if keys is None:
        return Source(dates=(compile_format("iso"),))
    delimiter = keys.text("delimiter", "")
    if len(delimiter) > 1 or delimiter in ('"', "\n", "\r"):
        keys.wrong("delimiter", Text(N_("must be a single character")))
        delimiter = ""
    source = Source(
        keys.choice("format", (AUTO, *FORMATS), AUTO),
        keys.text("sheet", ""),
        keys.number("header", 1, HEADER_MAX) or 1,
        delimiter,
        keys.choice("encoding", _ENCODINGS, "auto"),
        _zone(keys, "Asia/Shanghai"),
        _dates(keys) or (compile_format("iso"),),
        keys.texts("empty") or ("",),
    )
    keys.done()
    return source


def _zone(keys: Keys, default: str) -> str:
    name = keys.text("time_zone", default)
    try:
        if name:
            zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        keys.wrong("time_zone", Text(N_("'{value}' is not a time zone such as Asia/Shanghai"), value=name))
        return default
    return name


def _dates(keys: Keys) -> tuple[DateFormat, ...]:
    found: list[DateFormat] = []
    for text in keys.texts("dates") or ():
        try:
            found.append(compile_format(text))
        except BadFormat as error:
            keys.wrong("dates", Text(N_("'{value}' is not a date format: {why}"), value=text, why=str(error)))
    return tuple(found)


def _tables(keys: Keys | None, read_file: ReadFile, digest: Callable[[bytes], None]) -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {}
    for name in keys.names() if keys else ():
        table = keys.below(name) if keys else None
        if table is None:
            continue
        file = table.text("file", "")
        found[name] = _table_file(table, file, read_file, digest) if file else table.pairs("values")
        table.done()
    return found


def _table_file(table: Keys, file: str, read_file: ReadFile, digest: Callable[[bytes], None]) -> dict[str, str]:
    """A lookup table from a CSV file (UTF-8) with a header: column `key` -> column `value`."""
    key, value = table.text("key"), table.text("value")
    try:
        raw = read_file(file)
        digest(raw)
        rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        table.wrong("file", Text(N_("'{file}' cannot be read: {why}"), file=file, why=str(error)))
        return {}
    header = rows[0] if rows else {}
    for column, named in (("key", key), ("value", value)):
        if named and named not in header:
            table.wrong(column, Text(N_("'{file}' has no column '{column}'"), file=file, column=named))
            return {}
    return {row[key]: row[value] for row in rows if row[key] is not None and row[value] is not None}


def _ours(keys: Keys | None, tables: Mapping[str, Mapping[str, str]]) -> Ours | None:
    if keys is None:
        return None
    column, table = keys.text("column"), keys.text("table", "")
    if table and table not in tables:
        keys.mistakes.unknown(keys.path("table"), table, tables)
    regions = tables.get(table, {}) if table else keys.pairs("values")
    for value, region in regions.items():
        if re.fullmatch(r"[0-9]{6}", region) is None:
            problem = Text(N_("'{value}' is not a division code of six digits such as 330100"), value=region)
            keys.wrong(f'values."{value}"', problem)
    unknown = keys.choice("unknown", ("reject", "not_ours"), "reject")
    keys.done()
    return Ours(column, regions, unknown)


def _rules(columns: Keys, source: Source, tables: Mapping[str, Mapping[str, str]]) -> Iterable[Rule]:
    for target in columns.names():
        content = columns.raw(target)
        if isinstance(content, str):
            content = {"from": content}
        yield _rule(target, Keys(content, columns.path(target), columns.mistakes), source, tables)


def _rule(target: str, keys: Keys, source: Source, tables: Mapping[str, Mapping[str, str]]) -> Rule:
    sources = keys.texts("from") or ()
    constant = _constant(keys, "value")
    region = keys.flag("region", False)
    if (bool(sources) + (constant is not None) + region) != 1:
        keys.wrong("", Text(N_("needs exactly one of: from, value, region = true")))
    table = keys.text("table", "")
    if table and table not in tables:
        keys.mistakes.unknown(keys.path("table"), table, tables)
    rule = Rule(
        target,
        sources,
        constant,
        region,
        join=keys.text("join", " "),
        strip=keys.flag("strip", True),
        empty=_or(keys.texts("empty"), source.empty),
        remove=keys.text("remove", ""),
        split=_split(keys.below("split")),
        cut=keys.number("cut", 1, 1_000_000),
        mask=_mask(keys.below("mask")),
        digest=keys.number("digest", _DIGEST_LENGTHS[0], _DIGEST_LENGTHS[-1]),
        table=table,
        unknown=keys.choice("unknown", _UNKNOWN, "reject"),
        prefix=keys.text("prefix", ""),
        suffix=keys.text("suffix", ""),
        default=_constant(keys, "default"),
        round=keys.number("round", 0, 9),
        dates=_dates(keys) or source.dates,
        time_zone=_zone(keys, source.time_zone),
        true=keys.texts("true") or (),
        false=keys.texts("false") or (),
    )
    keys.done()
    return rule


def _or(found: tuple[str, ...] | None, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    return otherwise if found is None else found


def _constant(keys: Keys, key: str) -> str | None:
    """A text, number or boolean of TOML as the text that a file would hold."""
    value = keys.raw(key)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    keys.wrong(key, Text(N_("must be a text, a number, true or false")))
    return None


def _split(keys: Keys | None) -> Split | None:
    if keys is None:
        return None
    separator, pattern = keys.text("at", ""), keys.text("pattern", "")
    part = keys.number("part", 0, 1_000) or 0
    group = keys.raw("group")
    compiled: re.Pattern[str] | None = None
    if bool(separator) == bool(pattern):
        keys.wrong("", Text(N_("needs either 'at' (a separator) or 'pattern'")))
    if pattern:
        try:
            compiled = re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            keys.wrong("pattern", Text(N_("is not a pattern: {why}"), why=str(error)))
    if compiled and group is None:
        group = 1 if compiled.groups else 0
    known = range(compiled.groups + 1) if compiled else ()
    if compiled and not (group in known if type(group) is int else group in compiled.groupindex):
        keys.wrong("group", Text(N_("the pattern has no such group")))
        group = 0
    keys.done()
    return Split(separator, part, compiled, group if isinstance(group, int | str) else 0)


def _mask(keys: Keys | None) -> Mask | None:
    if keys is None:
        return None
    start, end = keys.number("keep_start", 0, 1_000) or 0, keys.number("keep_end", 0, 1_000) or 0
    sign = keys.text("sign", "*")
    if len(sign) != 1:
        keys.wrong("sign", Text(N_("must be a single character")))
    keys.done()
    return Mask(start, end, sign)
