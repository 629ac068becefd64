"""Merging: cases that once went wrong, or would without being noticed."""

from __future__ import annotations

from sync.effects import DropImages, HeldRow, Image, UpsertRows
from sync.merge import Change, keys_of, merge
from sync.rows import End, EndKind
from sync.schema import CellType, Column, RowSchema
from sync.values import FeedName, Key

SCHEMA = RowSchema("thing", 1, (Column("k", CellType.TEXT, nullable=False), Column("a", CellType.INTEGER)), ("k",))
ONE, TWO, THREE = (FeedName("c330100.cn-demo", f"thing.{n}") for n in ("one", "two", "three"))


def test_new_rows_of_versions_that_are_not_in_order_keep_their_own() -> None:
    """An origin whose counter went back harms nobody: table and digest still speak of the same versions."""
    changes = [Change(version, ("k", "a"), [(str(version), version)], []) for version in (5, 7, 5)]
    changes[2] = Change(5, ("k", "a"), [("x", 1)], [])
    merged = merge(SCHEMA, ONE, changes, keys_of(SCHEMA, changes), {})
    (write,) = merged.writes
    assert isinstance(write, UpsertRows)
    assert write.versions == [5, 7, 5]


def test_a_feed_that_ends_a_row_which_two_others_carry_is_forgotten_there() -> None:
    """Otherwise its image would come back with the next change of that row."""
    images = {feed: Image(n, ("k", "a"), ("x", n)) for n, feed in enumerate((ONE, TWO, THREE), start=1)}
    held: dict[Key, HeldRow] = {("x",): HeldRow(3, ("x", 3), None, images)}
    ended = [Change(4, ("k", "a"), [], [End(("x",), EndKind.LEFT)])]
    merged = merge(SCHEMA, THREE, ended, keys_of(SCHEMA, ended), held)
    assert DropImages("thing", THREE, [("x",)]) in merged.writes
    assert merged.rows == -1
    (row,) = [w for w in merged.writes if isinstance(w, UpsertRows)]
    assert row.rows == [("x", 2)]
