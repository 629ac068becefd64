"""Publishing a local change: what goes to whom, and what stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.judge import LocalRows, Outgoing, Publisher
from sync.rows import End, EndKind
from sync.values import Cell, Key, Lane, Route, Row
from tests.unit.tiers.kit import (
    CATALOGUE,
    CITY,
    CITY_STANDS,
    DISTRICT_STANDS,
    MUNICIPALITY,
    MUNICIPALITY_STANDS,
    NATION,
    NATION_STANDS,
    PROVINCE,
    PROVINCE_STANDS,
    a_case,
    builtin_texts,
    published,
)
from tiers.catalogue import Catalogue
from tiers.profile import PROFILES, Standing, node_id
from tiers.publishing import TierPublisher

CITY_PUBLISHES: Publisher = TierPublisher(CATALOGUE, CITY_STANDS)


def change(*puts: Row, voids: tuple[str, ...] = (), before: tuple[Row, ...] = ()) -> dict[str, Outgoing]:
    """What a change of the city's cases contributes, by publication; rows before had version 7."""
    held: dict[Key, tuple[int, Row]] = {(row[0],): (7, row) for row in before}
    local = LocalRows("case", puts, [((key,), "entered twice") for key in voids], held)
    return {o.publication: o for o in CITY_PUBLISHES.publish(local)}


def test_a_new_case_goes_to_the_parent_without_what_is_held_back() -> None:
    """One put in case.parent with everything a receiver needs to know, and nothing of the reporter."""
    (out,) = change(a_case(1)).values()
    assert out[:7] == (
        "case.parent",
        "",
        Route.PARENT,
        Lane.NORMAL,
        "case",
        CATALOGUE.datasets["case"].version,
        CATALOGUE.publications["case.parent"].columns,
    )
    assert out.puts == [published(a_case(1))]
    assert (out.ends, out.was) == ([], [])
    assert "张三" not in str(out)
    assert "井盖破损" not in str(out)


def test_a_supervised_case_goes_to_the_nation_too() -> None:
    """The nation's feed is addressed to the nation's node."""
    out = change(a_case(1, supervised=True), a_case(2))["case.nation"]
    assert (out.addressee, out.route) == (NATION, Route.NODE)
    assert out.puts == [published(a_case(1, supervised=True))]


def test_a_row_is_published_again_even_if_its_image_is_the_same() -> None:
    """Only a held-back column changed: the version must move everywhere all the same."""
    before = a_case(1, supervised=True)
    sent = change(a_case(1, supervised=True, reporter_name="李四"), before=(before,))
    for name in ("case.parent", "case.nation"):
        assert sent[name].puts == [published(before)]
        assert sent[name].was == [(("case-1",), 7, published(before))]


def test_a_row_that_stops_matching_leaves_and_one_that_begins_comes() -> None:
    """No longer supervised: LEFT to the nation, a put to the parent; and the other way round."""
    on, off = a_case(1, supervised=True), a_case(1)
    left = change(off, before=(on,))
    assert left["case.nation"].puts == []
    assert left["case.nation"].ends == [End(("case-1",), EndKind.LEFT)]
    assert left["case.nation"].was == [(("case-1",), 7, published(on))]
    assert left["case.parent"].ends == []
    came = change(on, before=(off,))
    assert came["case.nation"].puts == [published(on)]
    assert came["case.nation"].was == []
    assert came["case.parent"].was == [(("case-1",), 7, published(off))]


def test_a_voided_row_ends_where_it_was() -> None:
    """VOID with its reason in each feed that held the row; nothing where it never was."""
    sent = change(voids=("case-1", "case-2", "case-9"), before=(a_case(1, supervised=True), a_case(2)))
    assert sent["case.parent"].ends == [End((f"case-{i}",), EndKind.VOID, "entered twice") for i in (1, 2)]
    assert sent["case.nation"].ends == [End(("case-1",), EndKind.VOID, "entered twice")]
    assert [key for key, _, _ in sent["case.parent"].was] == [("case-1",), ("case-2",)]
    assert change(voids=("case-9",)) == {}


def test_nothing_goes_out_for_what_matches_neither_before_nor_after() -> None:
    """A feed hears nothing of rows outside its filter."""
    assert set(change(a_case(1, state="closed"), before=(a_case(1),))) == {"case.parent"}


MUNICIPAL_DISTRICT_STANDS = replace(
    DISTRICT_STANDS, node=node_id(PROFILES["district"], "310106", MUNICIPALITY), region="310106", parent=MUNICIPALITY
)
CITY_BELOW_STANDS = replace(CITY_STANDS, node=node_id(PROFILES["city"], "330200", CITY), region="330200", parent=CITY)
AUDIENCES = {
    "a city": (CITY_STANDS, "case", {("case.parent", ""), ("case.nation", NATION)}),
    "a district, whose city owns cases too": (
        DISTRICT_STANDS,
        "case",
        {("case.parent", ""), ("case.parent", PROVINCE), ("case.nation", NATION)},
    ),
    "a district of a municipality": (
        MUNICIPAL_DISTRICT_STANDS,
        "case",
        {("case.parent", ""), ("case.parent", NATION), ("case.nation", NATION)},
    ),
    "a city below a city": (
        CITY_BELOW_STANDS,
        "case",
        {("case.parent", ""), ("case.parent", PROVINCE), ("case.nation", NATION)},
    ),
    "a municipality, whose parent is the nation": (
        MUNICIPALITY_STANDS,
        "case",
        {("case.parent", ""), ("case.nation", NATION)},
    ),
    "a province owns no cases": (PROVINCE_STANDS, "case", set()),
    "the nation owns no cases": (NATION_STANDS, "case", set()),
    "nobody knows the dataset": (CITY_STANDS, "x_none", set()),
}


@pytest.mark.parametrize("case", AUDIENCES)
def test_who_publishes_what_follows_from_where_a_node_stands(case: str) -> None:
    """Only the owner's tier publishes, to those above it."""
    stands, dataset, feeds = AUDIENCES[case]
    out = TierPublisher(CATALOGUE, stands).publish(LocalRows(dataset, [a_case(1, supervised=True)], [], {}))
    assert {(o.publication, o.addressee) for o in out} == feeds


def test_codes_go_down_from_the_nation_whole() -> None:
    """A publication of every column sends rows as they are."""
    names = CATALOGUE.datasets["class_code"].schema.names
    row: Row = tuple(dict.fromkeys(names, "x").values())
    held: dict[Key, tuple[int, Row]] = {(row[0], row[1], row[2]): (3, row)}
    (out,) = TierPublisher(CATALOGUE, NATION_STANDS).publish(LocalRows("class_code", [row], [], held))
    assert (out.route, out.columns, out.puts) == (Route.DESCENDANTS, names, [row])
    assert out.was == [(("x", "x", "x"), 3, row)]


SITE = """
[dataset.x_flag]
version = 1
zh = "a"
en = "a"
definition = "d"
definition_zh = "测试用。"
cadence = ["daily"]
owner = ["national", "city"]
key = ["id"]
fields = [
  { name = "id", type = "text", nullable = false, zh = "a", en = "a" },
  { name = "on", type = "boolean", zh = "a", en = "a" },
]
[publication."x_flag.some"]
route = "node"
addressees = ["nation", "c330100.p330000.cn-demo", "p330000.cn-demo"]
filter = { column = "on", op = "=", value = true }
[publication."x_flag.up"]
route = "ancestors"
[publication."x_flag.ids"]
route = "everywhere"
columns = ["id"]
"""


def flags(stands: Standing, row: tuple[Cell, ...]) -> dict[tuple[str, str], Outgoing]:
    publisher = TierPublisher(Catalogue.build(builtin_texts(), [("site.toml", SITE)]), stands)
    local = LocalRows("x_flag", [row], [], {("a",): (1, ("a", True))})
    return {(o.publication, o.addressee): o for o in publisher.publish(local)}


def test_named_nodes_each_have_a_feed_and_nobody_writes_to_himself() -> None:
    """A publication for several nodes is one feed for each of the others."""
    some = {key for key in flags(CITY_STANDS, ("a", True)) if key[0] == "x_flag.some"}
    assert some == {("x_flag.some", NATION), ("x_flag.some", "p330000.cn-demo")}
    left = flags(CITY_STANDS, ("a", False))[("x_flag.some", NATION)]
    assert (left.puts, left.ends) == ([], [End(("a",), EndKind.LEFT)])
    assert left.was == [(("a",), 1, ("a", True))]


def test_the_root_has_nobody_above() -> None:
    """Publications for parent or ancestors make no feed at the nation; a single column stays a row."""
    sent = flags(NATION_STANDS, ("a", True))
    assert ("x_flag.up", "") not in sent
    assert sent[("x_flag.ids", "")].puts == [("a",)]
    assert ("x_flag.up", "") in flags(CITY_STANDS, ("a", True))


def test_all_is_a_setting() -> None:
    """A site that overrides the filter with "all" tells the nation every case."""
    text = '[override."case.nation"]\nfilter = "all"'
    catalogue = Catalogue.build(builtin_texts(), [("site.toml", text)])
    out = TierPublisher(catalogue, CITY_STANDS).publish(LocalRows("case", [a_case(1)], [], {}))
    assert {o.publication for o in out} == {"case.parent", "case.nation"}


def test_settings_tell_what_decides_who_gets_what() -> None:
    """The same for the same; another filter, other columns or another parent show in the publications they change."""

    def settings(stands: Standing = CITY_STANDS, **override: object) -> dict[str, str]:
        text = "".join(f"{name} = {value}\n" for name, value in override.items())
        site = [("node.toml", f'[override."case.nation"]\n{text}')] if override else []
        return dict(TierPublisher(Catalogue.build(builtin_texts(), site), stands).settings())

    normal = settings()
    assert settings() == normal
    everything = settings(filter='"all"')
    assert {name for name in normal if everything[name] != normal[name]} == {"case.nation"}
    elsewhere = settings(replace(CITY_STANDS, parent="p440000.cn-demo"))
    assert all(elsewhere[name] != normal[name] for name in normal)
    assert "case.parent" not in settings(NATION_STANDS)


def test_what_goes_beyond_the_parent_is_the_same_and_addressed() -> None:
    """The city carries the feed to its province and has its own; what the settings say of both is told apart."""
    publisher = TierPublisher(CATALOGUE, DISTRICT_STANDS)
    row = replace_cell(a_case(1), "division", "330106")
    out = {
        o.addressee: o for o in publisher.publish(LocalRows("case", [row], [], {})) if o.publication == "case.parent"
    }
    assert {to: (o.route, o.lane) for to, o in out.items()} == {
        "": (Route.PARENT, Lane.NORMAL),
        PROVINCE: (Route.NODE, Lane.NORMAL),
    }
    assert out[""].puts == out[PROVINCE].puts
    assert len(set(publisher.settings()["case.parent"])) == 2


def replace_cell(row: Row, name: str, cell: Cell) -> Row:
    at = CATALOGUE.datasets["case"].schema.names.index(name)
    return (*row[:at], cell, *row[at + 1 :])
