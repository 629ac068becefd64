"""What is shown of a city that was merged: whatever came first, the same (ADR 0015)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from node.store.rowsql import TAKEN_OVER, key_text
from node.store.store import Store
from sync.effects import DeleteRows, SaveHeirs, UpsertRows, Write
from sync.schema import CellType, Column, RowSchema
from sync.scope import Scope
from sync.values import FeedName, Key
from tests.unit.tiers.kit import CATALOGUE

OLD, NEW, LAST, STRANGER = "c330100.p", "c330200.p", "c330300.p", "c330400.p"
PLACES = ("330106", "330108", "330206")
KEYS: tuple[Key, ...] = (("a", 1), ("o'b", 1), ("a", 2))
_TEXT = CellType.TEXT
THING = RowSchema(
    "x_thing",
    1,
    (
        Column("name", _TEXT, nullable=False, length=20),
        Column("part", CellType.INTEGER, nullable=False),
        Column("place", _TEXT, nullable=False, length=6),
    ),
    ("name", "part"),
    "place",
)
TAKEN = CATALOGUE.datasets[TAKEN_OVER].schema
HEIRS = [(OLD, NEW, "3301*"), (NEW, LAST, "3302*"), (NEW, LAST, "330106"), (OLD, LAST, "330106")]


def store() -> Store:
    made = Store.in_memory([THING, TAKEN])
    made.begin()
    return made


def put(origin: str, key: Key, place: str) -> Write:
    feed = FeedName(origin, "x_thing.above", "")
    return UpsertRows("x_thing", origin, feed, THING.names, [(*key, place)], 1)


def taken(origin: str, predecessor: str, key: Key) -> Write:
    feed = FeedName(origin, "taken_over.above", "")
    row = (predecessor, "x_thing", key_text(key), "330106")
    return UpsertRows(TAKEN_OVER, origin, feed, TAKEN.names, [row], 1)


def shown(of: Store) -> set[tuple[object, ...]]:
    return set(of.session.rows('SELECT "_origin", name, part, place FROM view_x_thing'))


_origins = st.sampled_from((OLD, NEW, LAST, STRANGER))
_keys = st.sampled_from(KEYS)
_rows = st.lists(st.tuples(_origins, _keys, st.sampled_from(PLACES)), unique_by=lambda r: r[:2], max_size=8)
_takings = st.lists(st.tuples(_origins, _origins, _keys), unique=True, max_size=6)


@settings(max_examples=150)
@given(_rows, _takings, st.randoms(use_true_random=False))
def test_in_any_order_the_same_is_shown_and_it_is_what_the_rule_says(
    rows: list[tuple[str, Key, str]], takings: list[tuple[str, str, Key]], random: object
) -> None:
    """Rows, what was taken over, and what the registry says of successions arrive in any order."""
    writes = [SaveHeirs(HEIRS), *(put(*row) for row in rows), *(taken(*taking) for taking in takings)]
    random.shuffle(writes)  # type: ignore[attr-defined]
    made = store()
    for write in writes:
        made.perform(write)
    passed: dict[tuple[str, str], list[str]] = {}
    for old, new, pattern in HEIRS:
        passed.setdefault((old, new), []).append(pattern)
    expected = {
        (origin, *key, place)
        for origin, key, place in rows
        if not any(
            predecessor == origin and of == key and Scope.of(*passed.get((origin, by), ())).covers(place)
            for by, predecessor, of in takings
        )
    }
    assert shown(made) == expected
    held = made.session.rows('SELECT count(*) FROM "held_x_thing"')
    assert held[0][0] == len(rows), "what is held stays: feeds and digests are of it"
    made.rollback()


def test_what_is_given_back_is_shown_again() -> None:
    made = store()
    for write in (SaveHeirs(HEIRS), put(OLD, KEYS[1], "330106"), taken(NEW, OLD, KEYS[1])):
        made.perform(write)
    assert shown(made) == set()
    made.perform(DeleteRows(TAKEN_OVER, NEW, [(OLD, "x_thing", key_text(KEYS[1]))]))
    assert shown(made) == {(OLD, *KEYS[1], "330106")}


def test_a_key_is_written_as_sql_writes_it() -> None:
    made = store()
    for key in [("it's", 1), ("", 2), ("案件", 3), (b"\x00\xff", 4)]:
        found = made.session.first("SELECT quote(?) || ',' || quote(?)", key)
        assert found[0] == key_text(key)
