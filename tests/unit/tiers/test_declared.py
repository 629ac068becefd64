"""Fields, examples, bounds, checks and cadence as a declaration says them, and the mistakes that are found in them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.unit.tiers.kit import CATALOGUE
from tiers.attached import hashes_in
from tiers.catalogue import Catalogue
from tiers.dataset import Cadence, Dataset, Severity
from tiers.faults import CatalogueFault
from tiers.filters import ComparePair

TEXT = """
[dataset.x_thing]
version = 1
zh = "物"
en = "Thing"
definition = "For tests."
definition_zh = "测试用。"
cadence = ["real_time", "daily"]
owner = ["city"]
key = ["id"]
FIELDS
"""
FIELDS = """
fields = [
  { name = "id", type = "text", length = 4, nullable = false, zh = "a", en = "a" },
  { name = "since", type = "timestamp", zh = "a", en = "a" },
  { name = "until", type = "timestamp", zh = "a", en = "a" },
  { name = "amount", type = "decimal", zh = "a", en = "a" },
  { name = "best", type = "decimal", zh = "a", en = "a" },
  { name = "one", zh = "a", en = "a", SAID },
]
"""


def read(text: str) -> Dataset:
    """The one dataset of a site's text."""
    return Catalogue.build([], [("site.toml", text)]).datasets["x_thing"]


def with_field(said: str) -> str:
    return TEXT.replace("FIELDS", FIELDS.replace("SAID", said))


def with_check(said: str) -> str:
    return with_field('type = "text"') + f"checks = [{said}]\n"


def wrong(text: str) -> dict[str, str]:
    """The mistakes of a text by key path below the dataset."""
    with pytest.raises(CatalogueFault) as told:
        read(text)
    return {m.path.removeprefix("site.toml: dataset.x_thing."): m.text for m in told.value.mistakes}


def test_built_in_datasets_say_everything_in_both_languages() -> None:
    """What a site may leave out of its own, the built-in catalogue says of every dataset and field."""
    for dataset in CATALOGUE.datasets.values():
        for field in dataset.fields:
            for said in (field.definition, field.definition_zh, field.example, field.title_zh, field.title_en):
                assert said, f"{dataset.id}.{field.column.name}"


def test_a_dataset_says_how_often_its_rows_come() -> None:
    """Several cadences may stand together."""
    assert read(with_field('type = "text"')).cadence == (Cadence.REAL_TIME, Cadence.DAILY)


def test_a_dataset_without_cadence_or_chinese_definition_is_not_taken() -> None:
    """Both are asked for, and a cadence is one of the list."""
    text = with_field('type = "text"')
    without = text.replace('definition_zh = "测试用。"\n', "").replace('cadence = ["real_time", "daily"]\n', "")
    assert set(wrong(without)) == {"definition_zh", "cadence"}
    assert "'hourly'" in wrong(text.replace('"daily"', '"hourly"'))["cadence"]


def test_bounds_are_read_as_their_column_s_type() -> None:
    """A decimal's bound may be written as a whole number or as text."""
    whole = read(with_field('type = "integer", minimum = 0, maximum = 5')).fields[-1]
    broken = read(with_field('type = "float", minimum = -90, maximum = 90.5')).fields[-1]
    exact = read(with_field('type = "decimal", minimum = 0, maximum = "99.95"')).fields[-1]
    assert (whole.minimum, whole.maximum) == (0, 5)
    assert (broken.minimum, broken.maximum) == (-90.0, 90.5)
    assert (exact.minimum, exact.maximum) == (Decimal(0), Decimal("99.95"))


SOUND_EXAMPLES = {
    "text": 'type = "text", length = 3, example = "三个字"',
    "integer": 'type = "integer", minimum = 2, example = "2"',
    "float": 'type = "float", decimals = 2, maximum = 10, example = "9.75"',
    "decimal": 'type = "decimal", minimum = 0, example = "0.50"',
    "boolean": 'type = "boolean", example = "false"',
    "date": 'type = "date", example = "2026-11-22"',
    "timestamp": 'type = "timestamp", example = "2026-11-22T08:00:00+08:00"',
    "bytes": 'type = "bytes", length = 2, example = "00ff"',
    "value": 'type = "text", example = "a", values = [{ value = "a", zh = "a", en = "a" }]',
}


@pytest.mark.parametrize("case", SOUND_EXAMPLES)
def test_an_example_is_written_as_a_file_would_write_it(case: str) -> None:
    """One of each type."""
    assert read(with_field(SOUND_EXAMPLES[case])).fields[-1].example


WRONG_FIELDS = {
    "a text too long": ('type = "text", length = 2, example = "三个字"', "example"),
    "no whole number": ('type = "integer", example = "2.5"', "example"),
    "a whole number as Python would write it": ('type = "integer", example = "1_000"', "example"),
    "a number below its minimum": ('type = "integer", minimum = 2, example = "1"', "example"),
    "a number above its maximum": ('type = "float", maximum = 2, example = "2.5"', "example"),
    "a decimal above its maximum": ('type = "decimal", maximum = "2", example = "10"', "example"),
    "too many decimals": ('type = "float", decimals = 1, example = "2.55"', "example"),
    "no number": ('type = "float", example = "nan"', "example"),
    "no decimal": ('type = "decimal", example = "1e3"', "example"),
    "no boolean": ('type = "boolean", example = "yes"', "example"),
    "no date": ('type = "date", example = "22.11.2026"', "example"),
    "a time without offset": ('type = "timestamp", example = "2026-11-22T08:00:00"', "example"),
    "no hex": ('type = "bytes", example = "xy"', "example"),
    "not among the values": ('type = "text", example = "b", values = [{ value = "a", zh = "a", en = "a" }]', "example"),
    "minimum above maximum": ('type = "integer", minimum = 3, maximum = 2', "minimum"),
    "bounds of a text": ('type = "text", maximum = 3', "maximum"),
    "bounds of a time": ('type = "timestamp", minimum = 3', "minimum"),
    "a broken bound of a whole number": ('type = "integer", minimum = 0.5', "minimum"),
    "a bound that is true": ('type = "decimal", minimum = true', "minimum"),
    "a bound that is no decimal": ('type = "decimal", minimum = 0.5', "minimum"),
    "a bound that is no number": ('type = "float", minimum = nan', "minimum"),
    "a bound without end": ('type = "float", maximum = inf', "maximum"),
}


@pytest.mark.parametrize("case", WRONG_FIELDS)
def test_an_example_or_bound_that_does_not_fit_is_not_taken(case: str) -> None:
    """An example passes what a row's cell must pass; bounds are of the column's type."""
    said, key = WRONG_FIELDS[case]
    assert set(wrong(with_field(said))) == {f"fields[5].{key}"}


SOUND_CHECK = (
    '{ name = "ends_later", severity = "warn", zh = "早于开始", en = "ends before it begins", '
    'rule = { column = "until", op = ">=", other = "since" } }'
)


def test_a_check_compares_two_columns() -> None:
    """And is true where one of them is empty."""
    (check,) = read(with_check(SOUND_CHECK)).checks
    assert (check.name, check.severity) == ("ends_later", Severity.WARN)
    assert check.rule == ComparePair("until", ">=", "since")


WRONG_CHECKS = {
    "a name that is none": (("ends_later", "Ends later"), "checks[0].name"),
    "a severity that is none": (('"warn"', '"maybe"'), "checks[0].severity"),
    "no Chinese words": (('zh = "早于开始", ', ""), "checks[0].zh"),
    "words without end": (("ends before", "ends" * 50), "checks[0]"),
    "no rule": (('rule = { column = "until", op = ">=", other = "since" }', "note = 1"), "checks[0].rule"),
    "an unknown column": (('"until"', '"till"'), "checks[0].rule.column"),
    "an unknown other column": (('"since"', '"from"'), "checks[0].rule.other"),
    "a column of another type": (('"since"', '"id"'), "checks[0].rule.other"),
    "a column with itself": (('"since"', '"until"'), "checks[0].rule.other"),
    "a value beside": (('other = "since"', 'other = "since", value = 3'), "checks[0].rule.value"),
    "an order of decimals": (('"until", op = ">=", other = "since"', '"amount", op = "<", other = "best"'), ""),
    "is_null of two": (('">="', '"is_null"'), "checks[0].rule.op"),
}


@pytest.mark.parametrize("case", WRONG_CHECKS)
def test_a_check_with_a_mistake_is_not_taken(case: str) -> None:
    """Each mistake is named at its place."""
    (before, after), key = WRONG_CHECKS[case]
    assert before in SOUND_CHECK
    assert (key or "checks[0].rule.op") in wrong(with_check(SOUND_CHECK.replace(before, after)))


def test_a_check_s_name_stands_once_and_checks_have_a_bound() -> None:
    """A reject names its check, so the name tells one."""
    assert "checks" in wrong(with_check(f"{SOUND_CHECK}, {SOUND_CHECK}"))
    many = ", ".join(SOUND_CHECK.replace("ends_later", f"c{i}") for i in range(65))
    assert "checks" in wrong(with_check(many))


@pytest.mark.parametrize(
    "said",
    [
        'type = "integer", attachment = true',
        'type = "text", attachment = true, personal = "mask"',
        'type = "text", length = 64, attachment = true, values = [{ value = "a", zh = "a", en = "a" }]',
    ],
)
def test_only_a_plain_text_names_files(said: str) -> None:
    """SHA-256 digests: no numbers, no closed list, no words in which a person could stand."""
    assert any("attachment" in path for path in wrong(with_field(said)))


def test_files_are_pushed_only_where_a_column_names_some() -> None:
    """By a publication, or by an override of one; how far an override says it leaves the rest as it is."""
    publication = '[publication."x_thing.x_up"]\nroute = "parent"\n'
    named = with_field('type = "text", attachment = true') + publication
    pushing = named + "push_attachments_up_to = 1000\n"
    built = Catalogue.build([], [("site.toml", pushing)]).publications["x_thing.x_up"]
    assert built.push_attachments_up_to == 1000
    override = '[override."x_thing.x_up"]\npush_attachments_up_to = 0\n'
    after = Catalogue.build([], [("site.toml", pushing + override)]).publications["x_thing.x_up"]
    assert (after.push_attachments_up_to, after.filter) == (0, built.filter)
    plain = with_field('type = "text"') + publication
    for text in (plain + "push_attachments_up_to = 1\n", plain + override.replace("= 0", "= 1")):
        with pytest.raises(CatalogueFault, match="names files"):
            Catalogue.build([], [("site.toml", text)])


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        (None, []),
        ("", []),
        ("ab" * 32, ["ab" * 32]),
        (f" {'AB' * 32} ,{'cd' * 32},{'ab' * 32}", ["ab" * 32, "cd" * 32]),
        (f"{'ab' * 32}，{'cd' * 32}、{'ef' * 32}", ["ab" * 32, "cd" * 32, "ef" * 32]),
        (f"{'ab' * 32}；{'cd' * 32} {'ef' * 32};\n", ["ab" * 32, "cd" * 32, "ef" * 32]),
        ("before.jpg, " + "ab" * 31, []),
        (7, []),
    ],
)
def test_what_a_cell_names(cell: object, names: list[str]) -> None:
    """Digests in any case and with blanks, each once; anything else names nothing."""
    assert hashes_in(cell) == names  # type: ignore[arg-type]
