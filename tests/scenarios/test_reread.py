"""What a node that came back wrong must read again from its source is listed: which rows, why, since when."""

from __future__ import annotations

from sync.effects import Reread
from tests.scenarios.country import Country


def _listed(country: Country, short: str) -> list[tuple[str, Reread]]:
    found = country[short].store.reread.all(100)
    assert all(one.since > 0 and one.dataset == "case" for one in found)
    return [(one.key, one.why) for one in found]


def _key(number: int) -> str:
    return f'["330100-{number:03d}"]'


def test_rows_that_a_neighbour_brought_back_are_listed() -> None:
    """Those that the copy lacked, and those whose held-back columns it has from before; not one that ended since."""
    country = Country()
    country.case("c1", 1, 2)
    backup = country.copy("c1")
    country.case("c1", 1, state="handling")
    country.case("c1", 3, 4, supervised=True)
    country.void("c1", 4)
    country.run(6)
    country.roll_back("c1", backup)
    country.settle()
    assert _listed(country, "c1") == [(_key(1), Reread.COLUMNS), (_key(3), Reread.COLUMNS)]
    assert country["c1"].alarms["rows_lack_held_back_columns"] == 1
    assert "rows_changed_in_both_lives" not in country.alarms("c1")


def test_a_row_that_both_lives_changed_is_listed_and_the_later_life_holds() -> None:
    """Also where the earlier one voided it; what only one life changed is not in doubt."""
    country = Country()
    country.case("c1", 1, 2, 3)
    backup = country.copy("c1")
    country.case("c1", 1, state="handling")
    country.void("c1", 2)
    country.run(6)
    country.net.cut("c1")
    country.roll_back("c1", backup)
    country.case("c1", 1, 2, 3, state="closed")
    country.net.heal("c1")
    country.settle()
    states = {key: row["state"] for key, row in country.rows("c1", "c1").items()}
    assert states == {f"330100-00{n}": "closed" for n in (1, 2, 3)}
    assert {key: row["state"] for key, row in country.rows("p1", "c1").items()} == states
    assert _listed(country, "c1") == [(_key(1), Reread.BOTH_LIVES), (_key(2), Reread.BOTH_LIVES)]
    assert country["c1"].alarms["rows_changed_in_both_lives"] == 1


def test_where_a_feed_carries_every_column_nothing_need_be_read_again() -> None:
    """A code table has no column that stays at home."""
    country = Country()
    backup = country.copy("n")
    country.code("0101")
    country.run(3)
    country.roll_back("n", backup)
    country.run(10)
    country.settle()
    assert len(country.rows("n", "n", "class_code")) == 1
    assert country["n"].store.reread.count() == 0
