"""Where two sides differ, named by ranges of keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.store.rebuild import Range, ranges
from sync.values import Key

SIDE = st.dictionaries(st.tuples(st.sampled_from(["a", "b"]), st.tuples(st.integers(0, 12))), st.integers(0, 1))


def rows_in(one: Range, rows: set[tuple[str, Key]]) -> set[tuple[str, Key]]:
    return {(of, key) for of, key in rows if of == one.dataset and one.first <= key <= one.last}


@given(SIDE, SIDE)
def test_ranges_hold_the_rows_that_differ_and_no_others(
    said: dict[tuple[str, Key], int], has: dict[tuple[str, Key], int]
) -> None:
    """Each counted once, as missing, too many, or otherwise."""
    found = list(ranges(said, has))
    rows = said.keys() | has.keys()
    named = set[tuple[str, Key]]()
    for one in found:
        named |= rows_in(one, rows)
        assert one.missing + one.extra + one.differing == len(rows_in(one, rows))
    assert named == {row for row in rows if said.get(row) != has.get(row)}
    assert sum(one.missing for one in found) == len(said.keys() - has.keys())
    assert sum(one.extra for one in found) == len(has.keys() - said.keys())


def test_neighbours_make_one_range() -> None:
    """Until a row stands between them that is the same."""
    said: dict[tuple[str, Key], int] = {("a", (n,)): 0 for n in range(6)}
    has = {**said, ("a", (1,)): 9, ("a", (2,)): 9, ("a", (4,)): 9}
    assert [(one.first, one.last) for one in ranges(said, has)] == [((1,), (2,)), ((4,), (4,))]
