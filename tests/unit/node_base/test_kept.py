"""A store is given a catalogue at each start: one that only adds, or it stays as it was."""

from __future__ import annotations

import pytest

from node.faults import Code, UserFault
from node.kept import take_catalogue
from node.store.store import Store
from sync.effects import SaveMeta
from tests.unit.node_base.kit import SMALL
from tiers.catalogue import Catalogue

LENGTH = 'name = "name", type = "text", length = 10'


def read(*replaced: tuple[str, str]) -> Catalogue:
    text = SMALL
    for before, after in replaced:
        assert before in text
        text = text.replace(before, after, 1)
    return Catalogue.build([], [("small.toml", text)])


def columns(store: Store) -> set[str]:
    return {name for (name,) in store.session.rows("SELECT name FROM pragma_table_info('rows_x_small')")}


def test_a_store_takes_a_catalogue_and_what_is_added_to_it() -> None:
    """Again and again; the table has the new column after the start that brings it."""
    store = Store.in_memory(())
    more = (
        ("version = 1", "version = 2"),
        (
            '  { name = "secret_name"',
            '  { name = "new", type = "text", zh = "a", en = "a" },\n  { name = "secret_name"',
        ),
    )
    for catalogue in (read(), read(), read(*more)):
        take_catalogue(store, catalogue)
    assert "new" in columns(store)
    with pytest.raises(UserFault) as told:
        take_catalogue(store, read())
    assert told.value.code is Code.CATALOGUE_CHANGED


def test_all_that_is_not_only_added_is_named_and_nothing_is_touched() -> None:
    """Findings come at once; the store goes on with the catalogue it has."""
    store = Store.in_memory(())
    take_catalogue(store, read())
    with pytest.raises(UserFault) as told:
        take_catalogue(
            store,
            read(
                (LENGTH, LENGTH.replace("10", "5")),
                ('name = "count", type = "integer"', 'name = "count", type = "text"'),
                (
                    '  { name = "open"',
                    '  { name = "must", type = "text", nullable = false, zh = "a", en = "a" },\n  { name = "open"',
                ),
                (
                    'name = "secret_name", type = "text", length = 10, held_back = true',
                    'name = "secret_name", type = "text", length = 10',
                ),
            ),
        )
    said = told.value.message.say()
    for path in ("x_small.name: ", "x_small.count: ", "x_small.must: ", "x_small.secret_name: ", "x_small: "):
        assert path in said
    assert "must" not in columns(store)
    take_catalogue(store, read())


def test_what_another_program_kept_is_not_compared() -> None:
    """A shape that cannot be read is replaced; the tables themselves are still compared when they are fitted."""
    store = Store.in_memory(())
    store.begin()
    store.perform(SaveMeta("shape.x_small", b"{"))
    store.commit()
    take_catalogue(store, read())
    kept = store.meta("shape.x_small")
    assert isinstance(kept, bytes)
    assert kept != b"{"
