"""Marks of what came, and positions of closed periods."""

from __future__ import annotations

from node.store.dues import KEPT_US, CutOff
from node.store.store import Store

NOW = 2 * KEPT_US


def test_the_first_of_each_stays_for_three_years() -> None:
    """A later look or another closing changes nothing; what is too old goes, of that dataset alone."""
    store = Store.in_memory([])
    store.begin()
    store.dues.mark("a", [("n", "2026-03"), ("m", "2026-03")], NOW)
    store.dues.mark("a", [("n", "2026-03"), ("n", "2026-04")], NOW + 5)
    store.dues.mark("b", [("n", "2020-03")], 1)
    for body in (b"first", b"second"):
        store.dues.close(CutOff("a", "2026-03", NOW, body, b"s"))
    store.dues.close(CutOff("a", "2020-03", 1, b"old", b"s"))
    assert store.dues.marks("a", ["2026-03", "2026-04"]) == {
        ("n", "2026-03"): NOW,
        ("m", "2026-03"): NOW,
        ("n", "2026-04"): NOW + 5,
    }
    assert store.dues.periods_closed("a") == {"2020-03", "2026-03"}
    store.dues.tidy("a", NOW)
    assert store.dues.periods_closed("a") == {"2026-03"}
    assert store.dues.closed("a", "2026-03") == CutOff("a", "2026-03", NOW, b"first", b"s")
    assert store.dues.closed("a", "2020-03") is None
    assert len(store.dues.marks("a", ["2026-03"])) == 2
    assert store.dues.marks("b", ["2020-03"]) == {("n", "2020-03"): 1}
    store.commit()
    store.close()
