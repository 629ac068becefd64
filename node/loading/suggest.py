"""Drafts a mapping for a file: which of its columns fill which of a dataset, by names, types and code values.

A draft loads as it stands, but guesses nothing that matters: what could not be placed and must be is left as a column
that no file has, so that a load stops at the heading until a person has filled it in. Each guess says what it rests on.
Values of the file stand in a draft only where they are codes or names of regions.
"""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from node.loading.convert import Record, conversion
from node.loading.dates import DateFormat, Stamp, compile_format
from node.loading.mapping import FileMapping, Rule, Source
from node.texts import N_, _
from sync.schema import CellType
from tiers.dataset import CodeValue, Dataset, Field

SAMPLE_ROWS: Final = 500
TODO: Final = "TODO"
"""How the name of a column begins that a person must put in."""

_CODES_MAX: Final = 50
_CODE_CHARACTERS: Final = 60
_SURE: Final = 90
_FITS: Final = 0.5
_SIMILAR: Final = 0.8
_DATES: Final = (
    "iso",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y年%m月%d日 %H:%M:%S",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日",
    "%Y%m%d%H%M%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y",
    "unix_ms",
    "unix",
    "excel",
)
_SAME_WORDS: Final = (
    ("日期", "时间"),
    ("部门", "单位"),
    ("编码", "代码"),
    ("编号", "标识"),
    ("状态", "阶段"),
    ("date", "at"),
)
_REGION_WORDS: Final = frozenset(
    ("区", "区县", "县区", "所属区", "所属区县", "所在区", "行政区", "行政区划", "区划", "district")
)
_WORDS: Final = (("是", "否"), ("有", "无"), ("真", "假"), ("t", "f"), ("on", "off"))
_WHY: Final = {
    "name": N_("by its name"),
    "title": N_("by its title"),
    "known": N_("by a built-in mapping"),
    "similar": N_("a guess: its name is similar"),
    "codes": N_("a guess: its values are these codes"),
    "type": N_("a guess: the only column of such a type"),
}


@dataclass(frozen=True, slots=True)
class Guess:
    """A column of the dataset and the column of the file that is to fill it."""

    column: str
    heading: str
    why: str
    score: float


@dataclass(frozen=True, slots=True)
class Draft:
    """A mapping's text, and what it rests on.

    missing: columns that a person must fill in; left: columns of the file that were not placed.
    """

    text: str
    guesses: tuple[Guess, ...]
    missing: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Sample:
    """What is known of the file: distinct values of each of its columns, in order."""

    values: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, records: Iterable[Record]) -> _Sample:
        found: dict[str, dict[str, None]] = {}
        for record in records:
            for heading, value in record.items():
                seen = found.setdefault(heading, {})
                text = value if isinstance(value, Stamp) else (value or "").strip()
                if text:
                    seen[text] = None
        return cls({heading: tuple(seen) for heading, seen in found.items() if _is_writable(heading)})


def draft(
    name: str, dataset: Dataset, source: Source, records: Iterator[Record], known: Sequence[FileMapping] = ()
) -> Draft:
    """A draft for a file by its first records. known: mappings of the same dataset, whose names are taken as hints."""
    sample = _Sample.of(islice(records, SAMPLE_ROWS))
    guesses = _guesses(dataset, sample, _hints(dataset, known))
    by_column = {guess.column: guess for guess in guesses}
    missing = [f for f in dataset.fields if f.column.name not in by_column and not f.column.nullable]
    left = [heading for heading in sample.values if heading not in {guess.heading for guess in guesses}]
    lines, sections = _head(name, dataset, source), list[str]()
    for field in dataset.fields:
        guess = by_column.get(field.column.name)
        if guess is not None:
            lines += _placed(field, guess, sample.values[guess.heading], dataset, sections)
        elif not field.column.nullable:
            lines += _missing(field)
    rest = [f for f in dataset.fields if f.column.name not in by_column and f.column.nullable]
    lines += _rest(rest, left)
    text = "\n".join([*lines, *sections, ""])
    return Draft(text, tuple(guesses), tuple(f.column.name for f in missing), tuple(left))


# --- which column fills which -----------------------------------------------------------------------------------------


def _hints(dataset: Dataset, known: Sequence[FileMapping]) -> dict[str, set[str]]:
    """Plain heading -> columns that the known mappings fill from it."""
    found: dict[str, set[str]] = {}
    for rule in (rule for mapping in known if mapping.dataset == dataset.id for rule in mapping.rules):
        if len(rule.sources) == 1 and rule.split is None:
            found.setdefault(_plain(rule.sources[0]), set()).add(rule.target)
    return found


def _guesses(dataset: Dataset, sample: _Sample, hints: Mapping[str, set[str]]) -> list[Guess]:
    """The best guess first; each column, and each column of the file, stands in one at most."""
    found: list[Guess] = []
    for heading, values in sample.values.items():
        scored = [g for f in dataset.fields if (g := _guess(f, heading, values, hints, dataset)) is not None]
        best = max((g.score for g in scored), default=0.0)
        # Two that are alike are none: it is a person who knows.
        if best >= _SURE or [g.score for g in scored].count(best) == 1:
            found += scored
    taken: list[Guess] = []
    for guess in sorted(found, key=lambda guess: -guess.score):
        if not any(guess.column == t.column or guess.heading == t.heading for t in taken):
            taken.append(guess)
    return taken + _by_type(dataset, sample, taken)


def _guess(
    field: Field, heading: str, values: Sequence[str], hints: Mapping[str, set[str]], dataset: Dataset
) -> Guess | None:
    name = field.column.name
    why, score = ("similar", 80.0) if _is_region(heading, name, dataset) else _alike(field, _plain(heading), hints)
    codes = {_plain(word) for value in field.values for word in (value.value, value.title_zh, value.title_en)}
    if codes and values and len(values) <= _CODES_MAX and all(_plain(value) in codes for value in values):
        if score < _SURE:
            why, score = ("codes", 55.0) if score == 0 else (why, score + 20)
    elif score < _SURE and codes and values and not any(_plain(value) in codes for value in values):
        return None
    if not score or not (_fits(field, values) or name == dataset.region):
        return None
    return Guess(name, heading, why, score)


def _alike(field: Field, heading: str, hints: Mapping[str, set[str]]) -> tuple[str, float]:
    """How far a heading names a column: (why, score from 0 to 100)."""
    name = field.column.name
    titles = [_plain(field.title_zh), _plain(field.title_en)]
    if heading == _plain(name):
        return "name", 100.0
    if heading in titles:
        return "title", 95.0
    if name in hints.get(heading, ()):
        return "known", 92.0
    return "similar", max((_similarity(heading, word) for word in (_plain(name), *titles)), default=0.0)


def _is_region(heading: str, name: str, dataset: Dataset) -> bool:
    return name == dataset.region and _plain(heading) in _REGION_WORDS


def _similarity(one: str, other: str) -> float:
    for word, same in _SAME_WORDS:
        one, other = one.replace(word, same), other.replace(word, same)
    if one == other:
        return 80.0
    short, long = sorted((one, other), key=len)
    if len(short) >= 2 and short in long and 2 * len(short) >= len(long):
        return 50 + 20 * len(short) / len(long)
    ratio = difflib.SequenceMatcher(None, one, other).ratio()
    return 50 * ratio if ratio >= _SIMILAR and len(short) >= 4 else 0.0


def _by_type(dataset: Dataset, sample: _Sample, taken: Sequence[Guess]) -> list[Guess]:
    """A moment that the dataset needs and nothing names, if only one column that is left holds moments."""
    placed, used = {g.column for g in taken}, {g.heading for g in taken}
    needed = [
        f
        for f in dataset.fields
        if f.column.type in (CellType.DATE, CellType.TIMESTAMP)
        and not f.column.nullable
        and f.column.name not in placed
    ]
    fitting = [
        heading
        for heading, values in sample.values.items()
        if heading not in used and values and all(_is_moment(value) for value in values)
    ]
    if len(needed) == len(fitting) == 1:
        return [Guess(needed[0].column.name, fitting[0], "type", 20.0)]
    return []


def _is_moment(value: str) -> bool:
    """Whether a text can hardly be anything else: a bare number is a number."""
    return isinstance(value, Stamp) or bool(re.search(r"[-/.年:]", value) and _formats([value])[0])


def _fits(field: Field, values: Sequence[str]) -> bool:
    """Whether most values can become cells of the column."""
    if not values or field.values or field.column.type is CellType.TEXT:
        return True
    return sum(_can(field, value) for value in values) >= _FITS * len(values)


def _can(field: Field, value: str) -> bool:
    yes, no = _words([value])
    formats = _formats([value])[0] or [compile_format("iso")]
    rule = Rule(field.column.name, round=field.decimals, dates=tuple(formats), time_zone="UTC", true=yes, false=no)
    try:
        conversion(field, rule)(value)
    except ValueError:
        return False
    return True


def _formats(values: Sequence[str]) -> tuple[list[DateFormat], bool]:
    """Formats that read the values between them, fewest first come; and whether they read all."""
    found: list[DateFormat] = []
    whole = True
    for value in values:
        if isinstance(value, Stamp) or any(_reads(form, value) for form in found):
            continue
        fresh = next((form for form in map(compile_format, _DATES) if _reads(form, value)), None)
        if fresh is None:
            whole = False
        else:
            found.append(fresh)
    return found, whole


def _reads(form: DateFormat, value: str) -> bool:
    try:
        if form.text in ("unix", "unix_ms"):
            # Moments of this century: other numbers are of another kind.
            scale = 1 if form.text == "unix" else 1_000
            return value.isdigit() and 946_684_800 * scale <= int(value) < 4_102_444_800 * scale
        form.date(value)
    except ValueError:
        return False
    return form.text != "excel" or 20_000 <= float(value) < 80_000


def _words(values: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words for yes and no beyond those that every mapping knows."""
    plain = {value.lower() for value in values}
    for yes, no in _WORDS[1:]:
        if plain <= {yes, no}:
            return (yes,), (no,)
    return (), ()


# --- how it is written ------------------------------------------------------------------------------------------------


def _head(name: str, dataset: Dataset, source: Source) -> list[str]:
    lines = [
        "# " + _("A draft: check every line, and fill in what begins with TODO; then try it with --dry-run."),
        f"name = {_quoted(name)}",
        f"title = {{ zh = {_quoted(name)}, en = {_quoted(name)} }}",
        f"dataset = {_quoted(dataset.id)}",
        "",
        "[source]",
        f"format = {_quoted(source.format)}",
    ]
    if source.sheet:
        lines.append(f"sheet = {_quoted(source.sheet)}")
    if source.header != 1:
        lines.append(f"header = {source.header}")
    return [*lines, f"time_zone = {_quoted(source.time_zone)}", "", "[columns]"]


def _placed(field: Field, guess: Guess, values: Sequence[str], dataset: Dataset, sections: list[str]) -> list[str]:
    name = field.column.name
    notes = [f"{_title(field)} ← {_quoted(guess.heading)}: {_(_WHY[guess.why])}"]
    parts = [f"from = {_quoted(guess.heading)}"]
    if name == dataset.region and not all(re.fullmatch(r"[0-9]{6}", value) for value in values):
        if values and all(re.fullmatch(r"[0-9]{6,12}", value) for value in values):
            parts.append("cut = 6")
        else:
            sections += _ours(guess.heading, values)
            parts = ["region = true"]
            notes.append(_("its values are no division codes: write the code of each into [ours.values] below"))
    elif field.values:
        parts += _coded(field, values, sections, notes)
    else:
        parts += _typed(field, values, notes)
    if field.held_back:
        notes.append(_("held back: it never leaves this node"))
    return [*(f"# {note}" for note in notes), f"{name} = {{ {', '.join(parts)} }}"]


def _typed(field: Field, values: Sequence[str], notes: list[str]) -> list[str]:
    column = field.column
    parts: list[str] = []
    if column.type in (CellType.DATE, CellType.TIMESTAMP):
        formats, whole = _formats(values)
        if [form.text for form in formats] not in ([], ["iso"]):
            parts.append(f"dates = [{', '.join(_quoted(form.text) for form in formats)}]")
        if not whole:
            notes.append(_("some values are in no date format that is known here"))
    elif column.type is CellType.BOOLEAN:
        yes, no = _words(values)
        if yes:
            parts.append(f"true = [{_quoted(yes[0])}], false = [{_quoted(no[0])}]")
    elif column.type is CellType.TEXT and any(len(value) > column.length for value in values):
        parts.append(f"cut = {column.length}")
        notes.append(_("some values are longer than the column: they are cut"))
    elif field.decimals is not None:
        parts.append(f"round = {field.decimals}")
    return parts


def _coded(field: Field, values: Sequence[str], sections: list[str], notes: list[str]) -> list[str]:
    """A table from the file's words to the codes, where they are not the codes already."""
    if all(value in {code.value for code in field.values} for value in values):
        return []
    name = field.column.name
    sections += ["", f"[tables.{name}.values]"]
    sections.append("# " + _("codes: {codes}").format(codes=", ".join(_said(code) for code in field.values)))
    for value in [value for value in values if len(value) <= _CODE_CHARACTERS][:_CODES_MAX]:
        code = _code(field, value)
        sections.append(f"{_quoted(value)} = {_quoted(code)}" if code else f'# {_quoted(value)} = ""')
    if any(_code(field, value) is None for value in values):
        notes.append(_("some values have no code yet: see the table below; until then their rows are rejected"))
    return [f"table = {_quoted(name)}"]


def _code(field: Field, value: str) -> str | None:
    plain = _plain(value)
    for code in field.values:
        if plain in (_plain(code.value), _plain(code.title_zh), _plain(code.title_en)):
            return code.value
    return None


def _said(code: CodeValue) -> str:
    return f"{code.value} {code.title_zh}"


def _ours(heading: str, values: Sequence[str]) -> list[str]:
    lines = ["", "[ours]", f"column = {_quoted(heading)}", "[ours.values]"]
    return lines + [f'# {_quoted(value)} = ""' for value in values[:_CODES_MAX] if len(value) <= _CODE_CHARACTERS]


def _missing(field: Field) -> list[str]:
    note = _("needed, and nothing in the file is like it: name a column, or give a constant with value")
    codes = [f"# {', '.join(_said(code) for code in field.values)}"] if field.values else []
    name = field.column.name
    return [f"# {TODO}: {_title(field)}: {note}", *codes, f"{name} = {{ from = {_quoted(f'{TODO} {name}')} }}"]


def _rest(fields: Sequence[Field], left: Sequence[str]) -> list[str]:
    lines = [""]
    if left:
        lines.append("# " + _("Columns of the file that were not placed:"))
        lines += [f"#   {_quoted(heading)}" for heading in left]
    if fields:
        lines.append("# " + _("Columns of the dataset that stay empty:"))
        lines += [f"#   {field.column.name}: {_title(field)}" for field in fields]
    return lines


def _title(field: Field) -> str:
    return field.title_zh if field.title_zh == field.title_en else f"{field.title_zh} / {field.title_en}"


def _quoted(text: str) -> str:
    """A text as TOML and its comments may hold it: like JSON, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _is_writable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _plain(text: str) -> str:
    """A name without case, width, blanks and marks, and without what stands in brackets behind it."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    bare = re.sub(r"\(.*?\)", "", folded)
    return re.sub(r"[\W_]+", "", bare) or re.sub(r"[\W_]+", "", folded)
