"""Publications change while rows do: at every moment what is taken off a feed is what it said, and in the end every
feed says its publication."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.judge import LocalRows, Outgoing
from sync.rows import EndKind
from sync.values import Key, Row
from tests.property.test_tiers_publishing import NAMES, TEXT, whole
from tests.unit.tiers.kit import CITY_STANDS
from tiers.catalogue import Catalogue
from tiers.dataset import SUBSCRIBERS
from tiers.filters import parse_filter, raw_of
from tiers.grants import Grant
from tiers.publishing import TierPublisher
from tiers.revision import Layer, Revision
from tiers.ways import Way, images, ways_of

DATASET = "x_thing"
ON = '[publication."x_thing.on"]\nroute = "node"\naddressees = ["nation"]\n'
WIDE = '{ or = [{ column = "size", op = ">", value = 0 }, { not = { column = "on", op = "is_null" } }] }'
AUDIENCES = (
    "",
    '[publication."x_thing.all"]\nroute = "parent"\n',
    '[publication."x_thing.all"]\nroute = "parent"\ncolumns = ["id", "part", "on"]\n',
    ON + 'filter = { column = "on", op = "=", value = true }\n',
    ON + f"filter = {WIDE}\n",
)
DECLARED = TEXT[: TEXT.index("[publication")]
CATALOGUES = [
    Catalogue.build([], [("site.toml", DECLARED + one + two)])
    for i, one in enumerate(AUDIENCES)
    for two in AUDIENCES[i + 1 :]
    if not one or one.split("\n")[0] != two.split("\n")[0]
]
SCHEMA = CATALOGUES[0].datasets[DATASET].schema
KEYS = st.tuples(st.sampled_from("abc"), st.integers(0, 2))
REST = st.tuples(st.sampled_from(["s", "t"]), st.sampled_from([True, False, None]), st.sampled_from([None, 0, 1, 2]))
PUT = st.tuples(st.just("put"), st.dictionaries(KEYS, st.none() | REST, min_size=1, max_size=4))
GRANTS = st.lists(
    st.builds(
        Grant,
        st.just(DATASET),
        st.sampled_from(["c1.cn-demo", "c2.cn-demo"]),
        st.sampled_from([("on",), ("size", "secret"), ()]),
        st.sampled_from(["", '{"column": "size", "op": ">", "value": 0}']),
    ),
    max_size=2,
)
CHANGE = st.tuples(st.just("settings"), st.tuples(st.integers(0, len(CATALOGUES) - 1), GRANTS))
STEP = st.tuples(st.just("follow"), st.integers(1, 3))


class _Country:
    """A table and what its feeds have said."""

    def __init__(self) -> None:
        self.table: dict[Key, tuple[int, Row]] = {}
        self.feeds: dict[tuple[str, str], dict[Key, tuple[int, Row]]] = {}
        self.group = 0
        self.publisher = TierPublisher(CATALOGUES[0], CITY_STANDS)

    def change(self, catalogue: Catalogue, grants: list[Grant]) -> None:
        """As node/revising.py begins it, with what was published read back from its text."""
        old = self.publisher
        layers = old.revision.layers if old.revision else []
        ways: tuple[Way, ...] = ()
        for name, texts in old.settings().items():
            ways += ways_of(name, CATALOGUES[0].datasets[DATASET], list(texts), CITY_STANDS.node) or ()
        layers.append(Layer("", self.group, {DATASET: ways}, {DATASET: None}))
        self.publisher = TierPublisher(catalogue, CITY_STANDS)
        self.publisher.take(self.publisher.with_grants(grants))
        self.publisher.revision = Revision(layers, self.publisher.ways(), {DATASET: SCHEMA})

    def put(self, change: dict[tuple[str, int], Any]) -> None:
        puts = [whole(key, rest) for key, rest in change.items() if rest is not None]
        voids = [(key, "void") for key, rest in change.items() if rest is None]
        before = {key: self.table[key] for key in change if key in self.table}
        self.group += 1
        self.hear(self.publisher.publish(LocalRows(DATASET, puts, voids, before)))
        self.table.update({key: (self.group, whole(key, rest)) for key, rest in change.items() if rest is not None})
        for key, _ in voids:
            self.table.pop(key, None)

    def follow(self, rows: int) -> None:
        revision = self.publisher.revision
        if revision is None:
            return
        passed = revision.layers[-1].passed[DATASET]
        page = sorted((k, *held) for k, held in self.table.items() if passed is None or k > passed)[:rows]
        moved, outgoing = revision.follow(DATASET, page)
        self.group += 1
        self.hear(outgoing)
        for row in moved:
            key = (row[NAMES.index("id")], row[NAMES.index("part")])
            assert self.table[key][1] == row
            self.table[key] = (self.group, row)
        revision.advance(DATASET, page[-1][0] if len(page) == rows else None)
        if revision.next is None:
            self.publisher.levelled()

    def hear(self, outgoing: list[Outgoing] | Any) -> None:
        for out in outgoing:
            feed = self.feeds.setdefault((out.publication, out.addressee), {})
            order = out.was_columns or out.columns
            for key, version, image in out.was:
                held_version, held = feed.pop(key)
                named = dict(zip(order, image, strict=True))
                assert version == held_version
                assert held == tuple(named.get(name) for name in SCHEMA.names), "what is taken off was said"
            for end in out.ends:
                assert end.key not in feed
                assert end.kind is EndKind.VOID or end.key in self.table
            for put in out.puts:
                named = dict(zip(out.columns, put, strict=True))
                key = key_of(out, put)
                assert key not in feed
                assert "secret" not in out.columns or not out.publication.endswith(SUBSCRIBERS)
                feed[key] = (self.group, tuple(named.get(name) for name in SCHEMA.names))

    def check(self) -> None:
        wanted: dict[tuple[str, str], dict[Key, tuple[int, Row]]] = {}
        for way in self.publisher.ways()[DATASET]:
            for key, (version, row) in self.table.items():
                for address, image in images((way,), row).items():
                    wanted.setdefault(address, {})[key] = (version, image)
        assert {name: rows for name, rows in self.feeds.items() if rows} == {n: r for n, r in wanted.items() if r}


def key_of(out: Outgoing, put: Row) -> Key:
    named = dict(zip(out.columns, put, strict=True))
    return (named["id"], named["part"])


@settings(max_examples=300)
@given(st.lists(PUT | PUT | STEP | CHANGE, max_size=25))
def test_feeds_follow_settings_that_change_while_rows_do(story: list[tuple[str, Any]]) -> None:
    """Puts, changes of settings and grants upon changes that are not followed yet, and steps of the job, in any order.
    A subscriber's feed says its grant: the filtered columns of the rows as they are, and nothing once it is over."""
    country = _Country()
    for what, about in story:
        match what:
            case "put":
                country.put(about)
            case "settings":
                catalogue, grants = about
                country.change(CATALOGUES[catalogue], grants)
            case _:
                country.follow(about)
    while country.publisher.revision is not None:
        country.follow(2)
    country.check()


@given(st.sampled_from(CATALOGUES))
def test_a_filter_is_kept_as_it_is_declared(catalogue: Catalogue) -> None:
    for publication in catalogue.publications.values():
        if publication.filter is not None:
            assert parse_filter(raw_of(publication.filter), SCHEMA) == publication.filter
