"""Replaying what was published gives exactly the filtered projection of the local table, at any time."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.judge import LocalRows
from sync.rows import EndKind
from sync.values import Key, Row
from tests.unit.tiers.kit import CITY_STANDS
from tiers.catalogue import Catalogue
from tiers.filters import compile_filter
from tiers.publishing import TierPublisher

TEXT = """
[dataset.x_thing]
version = 1
zh = "a"
en = "a"
definition = "d"
definition_zh = "测试用。"
cadence = ["daily"]
owner = ["city"]
key = ["id", "part"]
fields = [
  { name = "part", type = "integer", nullable = false, zh = "a", en = "a" },
  { name = "secret", type = "text", held_back = true, zh = "a", en = "a" },
  { name = "id", type = "text", nullable = false, zh = "a", en = "a" },
  { name = "on", type = "boolean", zh = "a", en = "a" },
  { name = "size", type = "integer", zh = "a", en = "a" },
]
[publication."x_thing.all"]
route = "parent"
[publication."x_thing.on"]
route = "node"
addressees = ["nation"]
filter = { column = "on", op = "=", value = true }
[publication."x_thing.narrow"]
route = "ancestors"
columns = ["id", "part"]
filter = { or = [{ column = "size", op = ">", value = 1 }, { column = "on", op = "is_null" }] }
"""
CATALOGUE = Catalogue.build([], [("site.toml", TEXT)])
NAMES = CATALOGUE.datasets["x_thing"].schema.names

KEYS = st.tuples(st.sampled_from("ab"), st.integers(0, 1))
REST = st.tuples(st.sampled_from(["s", "t"]), st.sampled_from([True, False, None]), st.sampled_from([None, 0, 1, 2]))
CHANGES = st.dictionaries(KEYS, st.none() | REST, min_size=1, max_size=4)


def whole(key: tuple[str, int], rest: tuple[str, bool | None, int | None]) -> Row:
    """A row in schema order."""
    return (key[1], rest[0], key[0], rest[1], rest[2])


@settings(max_examples=200)
@given(transactions=st.lists(CHANGES, max_size=8))
def test_a_replayed_feed_is_the_filtered_projection_of_the_table(
    transactions: list[dict[tuple[str, int], tuple[str, bool | None, int | None] | None]],
) -> None:
    """After each transaction a feed's rows, versions and 'was' agree with the table and with what it held."""
    publisher = TierPublisher(CATALOGUE, CITY_STANDS)
    table: dict[Key, tuple[int, Row]] = {}
    feeds: dict[str, dict[Key, tuple[int, Row]]] = {name: {} for name in CATALOGUE.publications}
    for version, change in zip(itertools.count(1), transactions, strict=False):
        puts = [whole(key, rest) for key, rest in change.items() if rest is not None]
        voids = [(key, "void") for key, rest in change.items() if rest is None]
        before = {key: table[key] for key in change if key in table}
        outgoing = publisher.publish(LocalRows("x_thing", puts, voids, before))
        table.update({key: (version, whole(key, rest)) for key, rest in change.items() if rest is not None})
        for key, _ in voids:
            table.pop(key, None)
        assert len({o.publication for o in outgoing}) == len(outgoing)
        for out in outgoing:
            feed = feeds[out.publication]
            keys = [(row[out.columns.index("id")], row[out.columns.index("part")]) for row in out.puts]
            touched = [*keys, *(end.key for end in out.ends)]
            assert len(set(touched)) == len(touched)
            assert {key: (v, image) for key, v, image in out.was} == {k: feed[k] for k in touched if k in feed}
            for end in out.ends:
                assert end.key in feed
                assert (end.kind is EndKind.VOID) is (end.key not in table)
                del feed[end.key]
            feed.update({key: (version, row) for key, row in zip(keys, out.puts, strict=True)})
        for name, publication in CATALOGUE.publications.items():
            matches = compile_filter(publication.filter, NAMES) if publication.filter else lambda row: True
            at = [NAMES.index(c) for c in publication.columns]
            assert "secret" not in publication.columns
            assert feeds[name] == {k: (v, tuple(row[i] for i in at)) for k, (v, row) in table.items() if matches(row)}
