"""What is remembered of announcements: nobody gets back what has been used of maintenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from node import announced
from node.announced import KEPT_US, Said, news
from node.store.windows import Announced, Seen
from tiers.maintenance import Bounds, counted

HOUR_US = 3_600_000_000
CITY = "c330100.p330000.cn-demo"
FIRST = Announced(CITY, CITY, 10 * HOUR_US, 82 * HOUR_US)
SECOND = Announced(CITY, CITY, 81 * HOUR_US, 153 * HOUR_US)


def heard(said: Sequence[Said], seen: Mapping[Announced, Seen], hour: float) -> dict[Announced, Seen]:
    """What is remembered after one more look."""
    now = int(hour * HOUR_US)
    found = news(said, seen, now)
    known = {**dict.fromkeys(found.fresh, Seen(now)), **seen}
    known |= {which: known[which]._replace(over=over) for which, over in found.over.items()}
    return {which: one for which, one in known.items() if which not in found.gone}


def spans(seen: Mapping[Announced, Seen]) -> list[tuple[float, float]]:
    """The hours of all that counts, of announcements that are said no more."""
    windows = [Said(which, "", None).window(one) for which, one in seen.items()]
    return [(one.starts / HOUR_US, one.ends / HOUR_US) for one in counted(windows, lambda _: "", Bounds(72, 120))]


def test_what_is_taken_back_before_it_begins_is_as_if_never_said() -> None:
    """Announced again, it is new."""
    seen = heard([Said(FIRST, "", None)], {}, 1)
    assert seen == {FIRST: Seen(HOUR_US)}
    assert heard([], seen, 9) == {}


@pytest.mark.parametrize("ended", [None, 10 * HOUR_US + 1, 1])
def test_what_was_used_stays_used(ended: int | None) -> None:
    """Whoever deletes a window that has begun, or says that it was over long ago, has it until now: it could be in
    maintenance for ever."""
    seen = heard([Said(FIRST, "", None), Said(SECOND, "", None)], {}, 1)
    later = [Said(SECOND, "", None)] if ended is None else [Said(FIRST, "", ended), Said(SECOND, "", None)]
    seen = heard(later, seen, 81.5)
    assert seen[FIRST].over == int(81.5 * HOUR_US)
    assert spans(seen) == [(10, 81.5)]
    assert heard(later, seen, 90) == seen
    assert heard([Said(FIRST, "", None)], seen, 81.6)[FIRST] == seen[FIRST]


def test_who_ends_early_gets_back_what_lies_ahead() -> None:
    """As an administrator does who is done sooner."""
    seen = heard([Said(FIRST, "", None), Said(SECOND, "", None)], {}, 1)
    seen = heard([Said(FIRST, "", 12 * HOUR_US), Said(SECOND, "", None)], seen, 12)
    assert spans(seen) == [(10, 12), (81, 153)]


def test_an_end_that_is_said_with_the_window_holds_from_the_first() -> None:
    """One that was over before it began never counts, whenever it is looked at again."""
    said = [Said(FIRST, "", 2 * HOUR_US)]
    seen = heard(said, {}, 1)
    assert spans(heard(said, seen, 50)) == []
    assert heard([], seen, 50) == {}


def test_what_is_long_over_is_forgotten_and_a_flood_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many of each announcer are remembered at most."""
    seen = heard([Said(FIRST, "", None)], {}, 1)
    assert heard([], seen, 83) == seen
    assert heard([], seen, 83 + KEPT_US / HOUR_US) == {}
    monkeypatch.setattr(announced, "PER_ANNOUNCER_MAX", 1)
    assert heard([Said(FIRST, "", None), Said(SECOND, "", None)], seen, 2) == seen
