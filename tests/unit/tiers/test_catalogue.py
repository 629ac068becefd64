"""The built-in catalogue, a site's additions, and declarations with mistakes."""

from __future__ import annotations

import pytest

from sync.schema import CellType
from sync.values import Lane, Route
from tests.unit.tiers.kit import CATALOGUE, builtin_texts
from tiers.catalogue import Catalogue
from tiers.dataset import Sharing
from tiers.faults import CatalogueFault
from tiers.filters import Compare

SITE = """
[dataset.x_heat]
version = 2
zh = "供热"
en = "Heating"
definition = "A site's own dataset."
definition_zh = "测试用。"
cadence = ["daily"]
owner = ["city"]
key = ["station", "day"]
region = "division"
date = "day"
sharing = "unconditional"
fields = [
  { name = "station", type = "text", length = 20, nullable = false, zh = "站", en = "station" },
  { name = "day", type = "date", nullable = false, zh = "日", en = "day" },
  { name = "division", type = "text", length = 6, nullable = false, zh = "区划", en = "division" },
  { name = "degrees", type = "float", zh = "温度", en = "temperature", unit = "°C" },
  { name = "note", type = "text", held_back = true, zh = "备注", en = "note" },
]
[publication."x_heat.above"]
route = "ancestors"
lane = "urgent"
columns = ["day", "station", "division"]
[publication."case.x_health"]
route = "node"
addressees = ["nation", "p330000.cn-demo"]
filter = { and = [{ column = "severity", op = "in", value = ["urgent"] }, { column = "closed_at", op = "is_null" }] }
[override."case.nation"]
filter = "all"
"""


def test_built_in_publications_go_where_the_design_says() -> None:
    """All cases to the parent, supervised ones to the nation, codes down, organisations up."""
    publications = CATALOGUE.publications
    assert publications["case.parent"].route is Route.PARENT
    assert publications["case.parent"].filter is None
    assert publications["case.nation"].addressees == ("nation",)
    assert publications["case.nation"].filter == Compare("supervised", "=", True)
    assert publications["class_code.all"].route is Route.DESCENDANTS
    assert publications["org_unit.ancestors"].route is Route.ANCESTORS
    assert [p.id for p in CATALOGUE.publications_of("case")] == ["case.parent", "case.nation"]
    assert CATALOGUE.dataset_of("case.nation") is CATALOGUE.datasets["case"]
    assert CATALOGUE.dataset_of("nobody.knows") is None


def test_what_is_not_confirmed_is_called_a_proposal() -> None:
    """Every built-in dataset says that it is a proposal."""
    assert all("Proposal" in d.definition for d in CATALOGUE.datasets.values())


def test_each_code_table_says_where_its_codes_are() -> None:
    """The node finds the codes of a table by the declaration, not by knowing a dataset's name."""
    (dataset,) = CATALOGUE.code_tables()
    assert dataset.code_table is not None
    assert (dataset.id, dataset.code_table.table_column, dataset.code_table.code_column) == (
        "class_code",
        "table_name",
        "code",
    )
    assert dataset.code_table.in_force is not None


def test_schema_is_of_a_publication_and_its_dataset() -> None:
    """A dataset has a schema under a publication of its own, and where no publication is asked for."""
    schema = CATALOGUE.schema("case.parent", "case")
    assert schema is not None
    assert schema.key == ("case_id",)
    assert schema.column("reported_at").type is CellType.TIMESTAMP
    assert CATALOGUE.schema("case.parent", "class_code") is None
    assert CATALOGUE.schema("x_none.parent", "x_none") is None
    assert CATALOGUE.schema("", "case") is schema
    assert CATALOGUE.schema("", "x_none") is None


def test_a_site_adds_datasets_and_publications_and_sets_a_filter() -> None:
    """A further text is enough; columns keep the schema's order."""
    catalogue = Catalogue.build(builtin_texts(), [("site.toml", SITE)])
    heat = catalogue.datasets["x_heat"]
    assert (heat.version, heat.schema.key, heat.sharing) == (2, ("station", "day"), Sharing.UNCONDITIONAL)
    above = catalogue.publications["x_heat.above"]
    assert (above.columns, above.lane) == (("station", "day", "division"), Lane.URGENT)
    assert catalogue.publications["case.x_health"].addressees == ("nation", "p330000.cn-demo")
    assert catalogue.publications["case.nation"].filter is None


def test_an_override_may_narrow_a_filter() -> None:
    """A site may publish less, too."""
    text = '[override."case.parent"]\nfilter = { column = "state", op = "!=", value = "cancelled" }'
    catalogue = Catalogue.build(builtin_texts(), [("site.toml", text)])
    assert catalogue.publications["case.parent"].filter == Compare("state", "!=", "cancelled")


MANY_MISTAKES = """
stray = 1
[dataset.x_bad]
version = 0
zh = "坏"
owner = ["village"]
key = ["id", "gone"]
region = "secret"
date = "when"
sharing = "maybe"
colour = "red"
fields = [
  { name = "id", type = "number", zh = "a", en = "a" },
  { name = "secret", type = "text", zh = "a", en = "a", held_back = true, nullable = false },
  { name = "when", type = "timestamp", zh = "a", en = "a" },
  { name = "when", type = "timestamp", zh = "a", en = "a", decimals = 2 },
  { name = "Kind", type = "integer", zh = "a", en = "", values = [{ value = "a", zh = "a" }] },
]
[publication."x_bad.parent"]
route = "sideways"
[publication."case.mine"]
route = "node"
[override."case.nobody"]
filter = "all"
[override."case.parent"]
filter = { column = "reporter_name", op = "=", value = "x" }
[override."case.nation"]
"""


def test_all_mistakes_are_told_at_once_each_with_its_place() -> None:
    """One reading names every mistake, so that a person mends a text once."""
    with pytest.raises(CatalogueFault) as told:
        Catalogue.build(builtin_texts(), [("site.toml", MANY_MISTAKES), ("other.toml", "= 1")])
    paths = [m.path for m in told.value.mistakes]
    for path in (
        "other.toml",
        "site.toml: stray",
        "site.toml: dataset.x_bad.version",
        "site.toml: dataset.x_bad.en",
        "site.toml: dataset.x_bad.definition",
        "site.toml: dataset.x_bad.owner",
        "site.toml: dataset.x_bad.sharing",
        "site.toml: dataset.x_bad.colour",
        "site.toml: dataset.x_bad.key",
        "site.toml: dataset.x_bad.region",
        "site.toml: dataset.x_bad.date",
        "site.toml: dataset.x_bad.fields[0].type",
        "site.toml: dataset.x_bad.fields[1].nullable",
        "site.toml: dataset.x_bad.fields[3].decimals",
        "site.toml: dataset.x_bad.fields[4].name",
        "site.toml: dataset.x_bad.fields[4].en",
        "site.toml: dataset.x_bad.fields[4].values[0].en",
        "site.toml: dataset.x_bad.fields[4].type",
        "site.toml: publication.x_bad.parent.dataset",
        "site.toml: publication.x_bad.parent.route",
        "site.toml: publication.case.mine",
        "site.toml: publication.case.mine.addressees",
        "site.toml: override.case.nobody",
        "site.toml: override.case.parent.filter",
        "site.toml: override.case.nation.filter",
    ):
        assert path in paths, path
    assert "site.toml: dataset.x_bad.colour: is not known here" in str(told.value)


WRONG_PUBLICATIONS = {
    "a held-back column is listed": ('columns = ["station", "day", "division", "note"]', "columns"),
    "a key column is left out": ('columns = ["day", "division"]', "columns"),
    "an unknown column is listed": ('columns = ["station", "day", "division", "depth"]', "columns"),
    "the filter asks for a held-back column": ('filter = { column = "note", op = "is_null" }', "filter"),
    "the addressee is no node": ('addressees = ["The Nation"]', "addressees"),
    "addressees without route node": ('addressees = ["nation"]', "addressees"),
}


@pytest.mark.parametrize("case", WRONG_PUBLICATIONS)
def test_a_publication_that_would_do_harm_is_not_taken(case: str) -> None:
    """A publication never lists or betrays a held-back column, and always carries what receivers judge by."""
    line, key = WRONG_PUBLICATIONS[case]
    dataset = SITE[: SITE.index("[publication.")]
    text = f'{dataset}\n[publication."x_heat.above"]\nroute = "ancestors"\n{line}\n'
    with pytest.raises(CatalogueFault) as told:
        Catalogue.build(builtin_texts(), [("site.toml", text)])
    assert {m.path for m in told.value.mistakes} == {f"site.toml: publication.x_heat.above.{key}"}


def test_ids_of_the_site_and_of_the_catalogue_never_meet() -> None:
    """Built-in ids do not begin with x_, a site's do, nothing is declared twice, overrides are the site's."""
    swapped = SITE.replace("x_heat", "heat")
    texts = builtin_texts()
    for builtin, site in (
        ([*texts, ("site.toml", SITE)], []),
        (texts, [("site.toml", swapped)]),
        (texts, [("a.toml", SITE), ("b.toml", SITE)]),
        ([*texts, ("o.toml", '[override."case.nation"]\nfilter = "all"')], []),
    ):
        with pytest.raises(CatalogueFault):
            Catalogue.build(builtin, site)


WRONG_FIELDS = {
    "values and codes": 'type = "text", codes = "t", values = [{ value = "a", zh = "a", en = "a" }]',
    "codes twice": 'type = "text", codes = "t", codes_from = "station"',
    "free tables of a fixed table": 'type = "text", codes = "t", codes_free = "local:"',
    "codes from nowhere": 'type = "text", codes_from = "gone"',
    "codes from a held-back field": 'type = "text", codes_from = "note"',
    "a value twice": 'type = "text", values = [{value="a", zh="a", en="a"}, {value="a", zh="b", en="b"}]',
    "a value longer than the column": 'type = "text", length = 1, values = [{ value = "ab", zh = "a", en = "a" }]',
    "a length beyond the limit": 'type = "text", length = 9999999',
    "a flag that is none": 'type = "text", nullable = "no"',
    "values that are no array": 'type = "text", values = "a"',
    "a value that is no table": 'type = "text", values = ["a"]',
    "the name of another field": 'type = "text", zh = "b", name = "note"',
}


@pytest.mark.parametrize("case", WRONG_FIELDS)
def test_a_field_that_contradicts_itself_is_not_taken(case: str) -> None:
    """Each contradiction in a field's declaration is a mistake."""
    said = WRONG_FIELDS[case]
    rest = "" if 'name = "note"' in said else 'name = "extra", zh = "b", '
    text = SITE.replace('  { name = "note"', f'  {{ {rest}en = "b", {said} }},\n  {{ name = "note"', 1)
    with pytest.raises(CatalogueFault):
        Catalogue.build(builtin_texts(), [("site.toml", text)])


def test_a_code_table_names_text_fields_and_a_sound_condition() -> None:
    """What tells codes apart is checked like the rest."""
    head, tail = SITE.split('sharing = "unconditional"\n', 1)
    said = 'code_table = { table = "degrees", code = "gone", in_force = { column = "day", op = "like" } }\n'
    with pytest.raises(CatalogueFault) as told:
        Catalogue.build(builtin_texts(), [("site.toml", head + said + tail)])
    at = "site.toml: dataset.x_heat.code_table"
    assert {m.path for m in told.value.mistakes} >= {f"{at}.table", f"{at}.code", f"{at}.in_force.op"}
