"""Mappings: read, checked against their dataset, applied."""

from __future__ import annotations

from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node import mappings
from node.faults import Code, UserFault
from node.loading import convert
from node.loading.convert import BadCell, Converter, bind
from node.loading.mapping import parse
from sync.payload import check_cell
from sync.reasons import Reason
from sync.values import Cell
from tests.unit.node_base import kit

ID = 'id = "ID"\n'


def cell(name: str, line: str, head: str = "", **record: str | None) -> Cell:
    """What a mapping line makes of a record for one column."""
    made = kit.converter(ID + line, head)
    row = made.row({"ID": "1", **record}, "330100")
    return row[made.dataset.schema.names.index(name)]


def mistakes(text: str) -> list[str]:
    """What parse says is wrong, in English."""
    with pytest.raises(UserFault) as caught:
        parse("m.toml", text, kit.no_files)
    assert caught.value.code is Code.MAPPING_INVALID
    return [str(detail) for detail in caught.value.details]


def unbound(columns: str, head: str = "") -> list[str]:
    """What bind says is wrong, in English."""
    with pytest.raises(UserFault) as caught:
        kit.converter(columns, head)
    assert caught.value.code is Code.MAPPING_INVALID
    return [str(detail) for detail in caught.value.details]


CASES: dict[str, tuple[str, str, dict[str, str | None], Cell]] = {
    "a column is renamed and stripped": ("name", 'name = "A"', {"A": "  路灯 "}, "路灯"),
    "strip can be turned off": ("name", 'name = {from = "A", strip = false}', {"A": " x "}, " x "),
    "an empty text is null": ("name", 'name = "A"', {"A": " "}, None),
    "a column that the record lacks is null": ("name", 'name = "A"', {}, None),
    "words that mean empty are null": ("name", 'name = {from = "A", empty = ["", "NULL"]}', {"A": "NULL"}, None),
    "a default fills what is empty": ("name", 'name = {from = "A", default = "none"}', {"A": ""}, "none"),
    "a constant": ("count", "count = {value = 3}", {}, 3),
    "a constant boolean": ("open", "open = {value = false}", {}, False),
    "columns are joined without the empty ones": (
        "name",
        'name = {from = ["A", "B", "C"], join = "-"}',
        {"A": "x", "B": "", "C": "y"},
        "x-y",
    ),
    "all joined columns empty is null": ("name", 'name = {from = ["A", "B"]}', {"A": ""}, None),
    "a part between separators": ("name", 'name = {from = "A", split = {at = ",", part = 1}}', {"A": "a, b ,c"}, "b"),
    "a part that is not there is null": ("name", 'name = {from = "A", split = {at = ",", part = 9}}', {"A": "a"}, None),
    "a group of a pattern": (
        "count",
        "count = {from = \"A\", split = {pattern = '(\\d+) (ST|AVE)', group = 1}}",
        {"A": "at 356 ST, 90020"},
        356,
    ),
    "a named group": (
        "name",
        "name = {from = \"A\", split = {pattern = '#(?P<n>\\w+)', group = 'n'}}",
        {"A": "a #b"},
        "b",
    ),
    "a pattern that does not match is null": (
        "name",
        "name = {from = \"A\", split = {pattern = '#(.)'}}",
        {"A": "x"},
        None,
    ),
    "characters are removed": ("count", 'count = {from = "A", remove = ", "}', {"A": "1,234 567"}, 1_234_567),
    "a text is cut": ("name", 'name = {from = "A", cut = 4}', {"A": "abcdefghijkl"}, "abcd"),
    "the middle is masked": (
        "name",
        'name = {from = "A", mask = {keep_start = 3, keep_end = 2}}',
        {"A": "13800001"},
        "138***01",
    ),
    "a text too short for its mask is masked whole": (
        "name",
        'name = {from = "A", mask = {keep_start = 3, keep_end = 2}}',
        {"A": "abc"},
        "***",
    ),
    "a code is looked up": ("kind", 'kind = {from = "A", table = "t"}', {"A": "Old"}, "a"),
    "an unknown code may be null": ("kind", 'kind = {from = "A", table = "t", unknown = "null"}', {"A": "?"}, None),
    "an unknown code may be kept": ("name", 'name = {from = "A", table = "t", unknown = "keep"}', {"A": "?"}, "?"),
    "prefix and suffix": ("name", 'name = {from = "A", prefix = "<", suffix = ">"}', {"A": "x"}, "<x>"),
    "the region": ("division", "division = {region = true}", {}, "330100"),
    "an integer": ("count", 'count = "A"', {"A": "-12"}, -12),
    "a decimal as written": ("amount", 'amount = "A"', {"A": "+007.50"}, "7.50"),
    "a decimal that begins with its point": ("amount", 'amount = "A"', {"A": ".5"}, "0.5"),
    "a decimal is rounded half to even": ("amount", 'amount = {from = "A", round = 1}', {"A": "-0.25"}, "-0.2"),
    "a decimal's negative zero": ("amount", 'amount = {from = "A", round = 1}', {"A": "-0.01"}, "0.0"),
    "a position is rounded": ("lon", 'lon = {from = "A", round = 3}', {"A": "-118.294017712"}, -118.294),
    "a yes of many": ("open", 'open = "A"', {"A": "是"}, True),
    "own words for yes and no": ("open", 'open = {from = "A", true = "open", false = "shut"}', {"A": "SHUT"}, False),
    "a date": ("day", 'day = {from = "A", dates = ["%Y%m%d", "iso"]}', {"A": "20260131"}, "2026-01-31"),
    "the second format that fits": (
        "day",
        'day = {from = "A", dates = ["%Y%m%d", "iso"]}',
        {"A": "2026-01-31"},
        "2026-01-31",
    ),
    "milliseconds are no date of long ago": (
        "at",
        'at = {from = "A", dates = ["iso", "unix_ms"]}',
        {"A": "1791030511601"},
        1_791_030_511_601_000,
    ),
    "a moment in the column's zone": (
        "at",
        'at = {from = "A", time_zone = "UTC"}',
        {"A": "1970-01-01T00:00:01"},
        1_000_000,
    ),
    "bytes in hex": ("raw", 'raw = "A"', {"A": "00ff"}, b"\x00\xff"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_line_does(name: str) -> None:
    """Each kind of conversion, one case a sentence."""
    column, line, record, expected = CASES[name]
    head = '[tables.t]\nvalues = { "Old" = "a" }' if '"t"' in line else ""
    if "region" in line:
        head = '[ours]\ncolumn = "CD"\nvalues = { "1" = "330100" }'
    assert cell(column, line, head, **record) == expected


def test_a_key_is_derived_from_what_identifies_a_row() -> None:
    """The digest of joined columns is stable and differs when a part does."""
    made = kit.converter('id = {from = ["A", "B"], join = "|", digest = 16}')
    first = made.row({"A": "x", "B": "y"}, "")[0]
    assert first == made.row({"A": " x", "B": "y "}, "")[0]
    assert isinstance(first, str)
    assert len(first) == 16
    assert first != made.row({"A": "x", "B": "z"}, "")[0]


BAD: dict[str, tuple[str, dict[str, str | None], Reason]] = {
    "text for a number": ('count = "A"', {"A": "many"}, Reason.WRONG_TYPE),
    "underscores are no digits": ('count = "A"', {"A": "1_000"}, Reason.WRONG_TYPE),
    "too large a number": ('count = "A"', {"A": "9223372036854775808"}, Reason.WRONG_TYPE),
    "not a number": ('lon = {from = "A", round = 3}', {"A": "nan"}, Reason.WRONG_TYPE),
    "beyond every number": ('lon = {from = "A", round = 3}', {"A": "1e999"}, Reason.WRONG_TYPE),
    "a decimal with an exponent": ('amount = "A"', {"A": "1e5"}, Reason.WRONG_TYPE),
    "maybe is not a boolean": ('open = "A"', {"A": "maybe"}, Reason.WRONG_TYPE),
    "no such day": ('day = "A"', {"A": "2026-02-30"}, Reason.WRONG_TYPE),
    "half a byte": ('raw = "A"', {"A": "0"}, Reason.WRONG_TYPE),
    "too long": ('name = "A"', {"A": "x" * 11}, Reason.TOO_LONG),
    "a null character": ('name = "A"', {"A": "a\0b"}, Reason.WRONG_TYPE),
    "half a character": ('name = "A"', {"A": "\ud800"}, Reason.WRONG_TYPE),
    "an empty key": ("", {"ID": " "}, Reason.KEY_MISSING),
    "an unknown code": ('kind = {from = "A", table = "t"}', {"A": "?"}, Reason.UNKNOWN_CODE),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_converted_says_why(name: str) -> None:
    """A value that does not fit has its reason and names its column."""
    line, record, reason = BAD[name]
    head = '[tables.t]\nvalues = { "Old" = "a" }' if '"t"' in line else ""
    made = kit.converter(ID + line, head)
    with pytest.raises(BadCell) as caught:
        made.row({"ID": "1", **record}, "")
    assert caught.value.reason is reason
    assert "column '" in str(caught.value.detail)


def test_held_back_values_are_not_quoted() -> None:
    """What must stay at the node is not repeated in messages either; other values are, to be found again."""
    for line in ('secret_count = "A"', 'secret_name = {from = "A", table = "t"}'):
        made = kit.converter(ID + line, '[tables.t]\nvalues = { "Old" = "a" }')
        with pytest.raises(BadCell) as caught:
            made.row({"ID": "1", "A": "HIDEME"}, "")
        assert "HIDEME" not in str(caught.value.detail)
    made = kit.converter(ID + 'count = "A"')
    with pytest.raises(BadCell, match="SHOWME"):
        made.row({"ID": "1", "A": "SHOWME"}, "")


@pytest.mark.parametrize("places", [None, 2])
def test_a_float_is_never_minus_zero(places: int | None) -> None:
    """No row may hold it: it is stored as 0.0 and would change the row's digest."""
    assert str(convert._float("-0", places)) == "0.0"
    assert convert._float("-0.5", places) == -0.5


@lru_cache
def all_types() -> Converter:
    """A converter that fills a column of every type."""
    return kit.converter(
        ID + 'name = {from = ["A", "B"]}\ncount = "A"\namount = "B"\nlon = {from = "C", round = 2}\nopen = "D"\n'
        'day = "A"\nat = "B"\nraw = "C"\nsecret_name = "D"\n'
    )


values = st.none() | st.text(max_size=30) | st.sampled_from(["1", "-0.5", "1e3", "2026-01-31", "Y", "00ff"])


@given(st.dictionaries(st.sampled_from("ABCD") | st.just("ID"), values))
def test_any_record_makes_a_row_that_its_schema_accepts_or_a_reason(record: dict[str, str | None]) -> None:
    """What comes out is never of a wrong type: the node's own door would say the same."""
    made = all_types()
    try:
        row = made.row(record, "330100")
    except BadCell:
        return
    for column, value in zip(made.dataset.schema.columns, row, strict=True):
        assert check_cell(column, value) is None


MISTAKEN = """
nam = "x"
dataset = 1
title = { zh = "a" }
[source]
format = "xml"
delimiter = ",,"
encoding = "latin"
time_zone = "Mars"
dates = ["%Y"]
empty = 1
[ours]
column = "CD"
values = { 1 = "33" }
unknown = "x"
[tables.t]
file = "none.csv"
key = "k"
value = "v"
[tables.u]
values = { a = 1 }
[columns]
a = 1
b = {}
c = { from = "C", value = 1 }
d = { from = "D", tabel = "t" }
e = { from = "E", table = "tt" }
f = { from = "F", split = { at = ",", pattern = "x" } }
g = { from = "G", split = { pattern = "(" } }
h = { from = "H", split = { pattern = "(x)", group = 2 } }
i = { from = "I", mask = { keep_start = -1, sign = "**" } }
j = { from = "J", round = 10, cut = 0, digest = 3, strip = 1, default = [1] }
k = { from = [1] }
"""

MISTAKEN_PLACES = {
    "name",
    "nam",
    "dataset",
    "title.en",
    "source.format",
    "source.delimiter",
    "source.encoding",
    "source.time_zone",
    "source.dates",
    "source.empty",
    'ours.values."1"',
    "ours.unknown",
    "tables.t.file",
    "tables.u.values",
    "columns.a",
    "columns.b",
    "columns.c",
    "columns.d.tabel",
    "columns.e.table",
    "columns.f.split",
    "columns.g.split.pattern",
    "columns.h.split.group",
    "columns.i.mask.keep_start",
    "columns.i.mask.sign",
    "columns.j.round",
    "columns.j.cut",
    "columns.j.digest",
    "columns.j.strip",
    "columns.j.default",
    "columns.k.from",
}


def test_all_mistakes_of_a_mapping_come_at_once() -> None:
    """Unknown keys, wrong types, bad patterns, formats and zones: each with its key path."""
    found = mistakes(MISTAKEN)
    assert {mistake.partition(": ")[0] for mistake in found} >= MISTAKEN_PLACES
    assert "columns.d.tabel: 'tabel' is not known; did you mean 'table'?" in found


def test_a_mapping_without_columns_is_a_mistake() -> None:
    """There is nothing to load then."""
    assert mistakes('name = "m"\ndataset = "x_small"\n') == ["columns: is missing"]
    with pytest.raises(UserFault, match="CONFIG_SYNTAX"):
        parse("m.toml", "name = ", kit.no_files)


def test_a_table_may_be_a_file() -> None:
    """Two columns of a CSV file beside the mapping; the file is part of the mapping's digest."""
    text = (
        'name = "m"\ndataset = "x_small"\n[tables.t]\nfile = "t.csv"\nkey = "old"\nvalue = "new"\n[columns]\nid = "ID"'
    )
    first = parse("m.toml", text, lambda _: b"\xef\xbb\xbfold,new\nX,a\n")
    assert first.tables["t"] == {"X": "a"}
    assert first.digest != parse("m.toml", text, lambda _: b"old,new\nX,b\n").digest
    for raw in (b"", b"old\nX\n", b"\xff\xfe"):
        with pytest.raises(UserFault):
            parse("m.toml", text, {"t.csv": raw}.__getitem__)


@pytest.mark.parametrize(
    ("columns", "head", "mistake"),
    [
        ('name = "A"', "", "columns.id: is missing: dataset 'x_small' needs it"),
        ('id = "A"\nnmae = "B"', "", "columns.nmae: 'nmae' is not known; did you mean 'name'?"),
        ('id = "A"\ndivision = {region = true}', "", "columns.division: region = true needs the section [ours]"),
        ('id = "A"\nlon = "B"', "", "columns.lon: needs round = 3 or less: the dataset demands it"),
        ('id = "A"\nlon = {from = "B", round = 4}', "", "columns.lon: needs round = 3 or less: the dataset demands it"),
        ('id = "A"\ncount = {value = "x"}', "", "columns.count: value: 'x' is not integer"),
        ('id = "A"\nkind = {value = "c"}', "", "columns.kind: value: 'c' is not one of: a, b"),
        ('id = "A"\nkind = {from = "B", default = "c"}', "", "columns.kind: default: 'c' is not one of: a, b"),
        (
            'id = "A"\nkind = {from = "B", table = "t"}',
            '[tables.t]\nvalues = { x = "c", y = "a" }',
            "columns.kind: table 't': 'c' is not one of: a, b",
        ),
        (
            'id = "A"\nname = {value = "12345678901"}',
            "",
            "columns.name: value: column 'name' holds 11, at most 10",
        ),
    ],
)
def test_a_mapping_must_fit_its_dataset(columns: str, head: str, mistake: str) -> None:
    """What cannot work is told before the first row is read."""
    made_for_ours = "region" in columns
    assert unbound(columns, "" if made_for_ours else head) == [mistake]


def test_a_node_loads_only_its_own_rows() -> None:
    """[ours] gives a record's region; another value has none."""
    made = kit.converter(
        ID + "division = {region = true}", '[ours]\ncolumn = "CD"\nvalues = { "1" = "330100", "x" = "310000" }'
    )
    assert made.region({"CD": " 1 "}) == "330100"
    assert made.region({"CD": "2"}) is None
    assert made.region({}) is None
    assert made.needs == {"ID", "CD"}
    assert kit.converter(ID).region({}) == ""


@pytest.mark.parametrize("name", mappings.names())
def test_built_in_mappings_fit_the_catalogue(name: str) -> None:
    """Every built-in mapping binds to its dataset; what it fills exists and what is held back stays so."""
    made = kit.builtin(name)
    fields = {field.column.name for field in made.dataset.fields}
    assert {rule.target for rule in made.mapping.rules} <= fields
    assert made.mapping.title_zh
    assert made.mapping.title_en


def test_myla311_puts_what_identifies_people_into_held_back_columns() -> None:
    """Address, exact position and the anonymous flag go into columns that never leave the city, and nowhere else."""
    made = kit.builtin("myla311")
    private = {"Address", "HouseNumber", "StreetName", "Location", "Anonymous"}
    for rule in made.mapping.rules:
        if private & set(rule.sources):
            assert rule.target in made.dataset.held_back
        if {"Latitude", "Longitude"} & set(rule.sources) and rule.target not in made.dataset.held_back:
            assert rule.round is not None
            assert rule.round <= 3


def test_the_demo_scheme_names_every_code_of_the_mapping() -> None:
    """The code table that the topmost node publishes is the one that the cities' mapping uses."""
    made = kit.builtin("myla311")
    rules = {rule.target: rule for rule in made.mapping.rules}
    codes = kit.builtin("class_code")
    assert codes.mapping.dataset == "class_code"
    lines = mappings.read_table("class_code_myla311.csv").decode().splitlines()
    published = {tuple(line.split(",")[:2]) for line in lines[1:]}
    scheme = rules["class_scheme"].constant
    assert published == {(scheme, code) for code in made.mapping.tables["request_type"].values()}
    with pytest.raises(FileNotFoundError):
        mappings.read_table("../mapping.py")


def test_binding_names_the_file() -> None:
    """The message says which file is meant."""
    with pytest.raises(UserFault, match=r"mine\.toml"):
        bind("mine.toml", kit.mapped('name = "A"'), kit.small())
