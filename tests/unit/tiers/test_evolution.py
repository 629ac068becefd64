"""Two versions of a catalogue compared: datasets, publications, words (steps of one dataset: tests/property)."""

from __future__ import annotations

import pytest

from tests.unit.tiers.kit import CATALOGUE, builtin_texts
from tiers.catalogue import Catalogue
from tiers.evolution import Change, compare, compare_chain, pack_shape, shape_of, unpack_shape

TEXT = """
[dataset.x_well]
version = 1
zh = "井盖"
en = "Manholes"
definition = "For tests."
definition_zh = "测试用。"
cadence = ["daily"]
owner = ["city"]
key = ["id"]
region = "division"
code_table = { table = "kind", code = "id" }
fields = [
  { name = "id", type = "text", length = 20, nullable = false, zh = "a", en = "a" },
  { name = "division", type = "text", length = 6, nullable = false, zh = "a", en = "a" },
  { name = "kind", type = "text", zh = "a", en = "a" },
  { name = "depth", type = "decimal", unit = "m", minimum = 0, zh = "a", en = "a" },
]
checks = [{ name = "deep", severity = "warn", rule = { column = "depth", op = "is_null" }, zh = "a", en = "a" }]
[publication."x_well.up"]
route = "ancestors"
columns = ["id", "division", "kind"]
[publication."x_well.named"]
route = "node"
addressees = ["nation", "p330000.cn-demo"]
"""


def read(text: str) -> Catalogue:
    return Catalogue.build(builtin_texts(), [("site.toml", text)])


def changes(*replaced: tuple[str, str]) -> list[Change]:
    """What `compare` says of the text and of the text with these parts replaced."""
    later = TEXT
    for before, after in replaced:
        assert before in later
        later = later.replace(before, after, 1)
    return compare(read(TEXT), read(later))


def test_a_catalogue_only_adds_to_itself() -> None:
    """Nothing changed, nothing said."""
    assert changes() == []


RISE = ("version = 1", "version = 2")
ADDED = {
    "a dataset": [("[publication", TEXT[1:].partition("[publication")[0].replace("x_well", "x_two") + "[publication")],
    "a publication": [("[publication", '[publication."x_well.on"]\nroute = "parent"\n[publication')],
    "words": [('en = "Manholes"', 'en = "Manhole covers"')],
    "a check": [('severity = "warn"', 'severity = "reject"')],
    "a lane": [('route = "ancestors"', 'route = "ancestors"\nlane = "urgent"')],
    "an addressee": [('"nation", ', '"nation", "p350000.cn-demo", ')],
    "a column": [RISE, ("]\nchecks", '  { name = "lid", type = "text", zh = "a", en = "a" },\n]\nchecks')],
    "a published column": [RISE, ('"division", "kind"]', '"division", "kind", "depth"]')],
    "a bound as another text of the same number": [("minimum = 0", 'minimum = "0.0"')],
    "a lower bound": [RISE, ("minimum = 0", "minimum = -5")],
}  # fmt: skip


@pytest.mark.parametrize("case", ADDED)
def test_what_adds_is_allowed(case: str) -> None:
    """Words, checks, lanes and filters are free; what receivers judge by asks for a higher version."""
    found = changes(*ADDED[case])
    assert [c for c in found if not c.allowed] == []
    assert found or "same number" in case


REFUSED = {
    "a dataset goes": ([(TEXT, "")], "x_well"),
    "a publication goes": ([(TEXT[TEXT.index('[publication."x_well.named"]') :], "")], "x_well.named"),
    "a route": ([('route = "ancestors"', 'route = "parent"')], "x_well.up"),
    "an addressee goes": ([('"nation", ', "")], "x_well.named"),
    "a published column goes": ([RISE, (', "kind"]', "]")], "x_well.up"),
    "a published column in the same version": ([('"division", "kind"]', '"division", "kind", "depth"]')], "x_well.up"),
    "a column in the same version": (
        [("]\nchecks", '  { name = "lid", type = "text", zh = "a", en = "a" },\n]\nchecks')],
        "x_well",
    ),
    "the unit": ([RISE, ('unit = "m"', 'unit = "cm"')], "x_well.depth"),
    "no more a code table": ([RISE, ('code_table = { table = "kind", code = "id" }\n', "")], "x_well"),
    "an upper bound": ([RISE, ("minimum = 0", "minimum = 0, maximum = 9")], "x_well.depth"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_takes_away_is_refused_at_its_place(case: str) -> None:
    """Whoever is a version behind would lose rows or refuse them for good."""
    found = changes(*REFUSED[case][0])
    assert REFUSED[case][1] in {c.path for c in found if not c.allowed}


def test_columns_come_at_the_end_but_for_those_that_are_held_back() -> None:
    """Row digests know a cell by its place: an older row keeps its digest after the upgrade."""
    kind = '  { name = "kind", type = "text", zh = "a", en = "a" },'
    held, plain = (
        f'  {{ name = "new", type = "text", {said}zh = "a", en = "a" }},' for said in ("held_back = true, ", "")
    )
    assert [c for c in changes(RISE, (kind, f"{held}\n{kind}")) if not c.allowed] == []
    (refused,) = [c for c in changes(RISE, (kind, f"{plain}\n{kind}")) if not c.allowed]
    assert (refused.path, "after all older ones" in refused.said) == ("x_well.new", True)


def test_what_went_and_came_back_is_found_in_the_chain() -> None:
    """The ends look alike; the nodes between had to do without."""
    without = TEXT.replace('  { name = "kind", type = "text", zh = "a", en = "a" },\n', "").replace(', "kind"]', "]")
    without = without.replace('code_table = { table = "kind", code = "id" }\n', "")
    chain = [
        read(TEXT),
        read(without.replace("version = 1", "version = 2")),
        read(TEXT.replace(*RISE).replace("2", "3", 1)),
    ]
    assert all(c.allowed for c in compare(chain[0], chain[2]))
    assert "x_well.kind" in {c.path for c in compare_chain(chain) if not c.allowed}


def test_shapes_of_the_built_in_catalogue_are_kept_as_they_are() -> None:
    """Each is read again from what the store keeps."""
    for dataset in CATALOGUE.datasets.values():
        assert unpack_shape(pack_shape(shape_of(dataset))) == shape_of(dataset)
