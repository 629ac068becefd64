"""Announced maintenance: what counts, how much of it, and what it covers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tiers.maintenance import MONTH_US, PER_NODE_MAX, Bounds, Flaw, Maintenance, Window, between, counted, flaw_of

HOUR_US = 3_600_000_000
PARENTS = {"city": "province", "other": "province", "province": "nation"}
NODES = ("city", "province", "nation", "other", "stranger")
HOURS = st.integers(0, 60 * 24)
BOUNDS = st.builds(Bounds, st.integers(0, 72), st.integers(0, 120))


def parent_of(node: str) -> str:
    return PARENTS.get(node, "")


@st.composite
def a_window(draw: st.DrawFn) -> Window:
    """Often one that counts, sometimes not."""
    node = draw(st.sampled_from(NODES))
    announcer = draw(st.sampled_from((node, node, parent_of(node) or node, *NODES)))
    starts = draw(HOURS)
    ends, seen = starts + draw(st.integers(-1, 90)), starts - draw(st.integers(-2, 100))
    return Window(node, announcer, starts * HOUR_US, ends * HOUR_US, seen * HOUR_US)


WINDOWS = st.lists(a_window(), max_size=12)


@given(WINDOWS, BOUNDS)
def test_only_what_was_known_before_it_began_counts(windows: list[Window], bounds: Bounds) -> None:
    """And only from the node itself or its parent, and not longer than may be."""
    found = counted(windows, parent_of, bounds)
    assert set(found) <= set(windows)
    for one in found:
        assert one.seen < one.starts < one.ends <= one.starts + bounds.hours * HOUR_US
        assert one.announcer in (one.node, parent_of(one.node))
        assert flaw_of(one, parent_of, bounds) is None


@given(WINDOWS, BOUNDS, HOURS)
def test_no_thirty_days_have_more_than_may_be(windows: list[Window], bounds: Bounds, until: int) -> None:
    """However windows are laid beside or over one another."""
    found = Maintenance(counted(windows, parent_of, bounds))
    for node in NODES:
        assert (
            found.covered_us([node], until * HOUR_US - MONTH_US, until * HOUR_US) <= bounds.hours_in_30_days * HOUR_US
        )


@given(WINDOWS, BOUNDS)
def test_as_much_counts_as_may_be(windows: list[Window], bounds: Bounds) -> None:
    """Whoever announced them, in order of start, each as long as there is room: told apart hour by hour."""
    found, used = set[Window](), dict[str, set[int]]()
    for one in sorted(windows, key=lambda one: (one.starts, one)):
        hours = range(one.starts // HOUR_US, one.ends // HOUR_US)
        recent = {hour for hour in used.setdefault(one.node, set()) | {*hours} if hour < one.ends // HOUR_US}
        room = sum(hour >= (one.ends - MONTH_US) // HOUR_US for hour in recent) <= bounds.hours_in_30_days
        if flaw_of(one, parent_of, bounds) is None and room:
            found.add(one)
            used[one.node] |= {*hours}
    assert set(counted(windows, parent_of, bounds)) == found


def test_windows_of_a_node_and_of_its_parent_share_one_measure() -> None:
    """They were looked at one announcer after the other: each had the whole of it."""
    first = Window("city", "province", 10 * HOUR_US, 82 * HOUR_US, 0)
    second = Window("city", "city", 83 * HOUR_US, 155 * HOUR_US, 0)
    assert counted([second, first], parent_of, Bounds(72, 120)) == (first,)


def test_windows_far_ahead_push_none_aside_that_has_begun() -> None:
    """Else whoever announces thousands would have its whole measure anew."""
    first = Window("city", "city", HOUR_US, 73 * HOUR_US, 0)
    flood = [Window("city", "city", 900 * HOUR_US + i, 900 * HOUR_US + i + 1, 0) for i in range(2 * PER_NODE_MAX)]
    again = Window("city", "city", 74 * HOUR_US, 146 * HOUR_US, 0)
    found = counted([*flood, first, again], parent_of, Bounds(72, 120))
    assert first in found
    assert again not in found


@given(WINDOWS, a_window(), BOUNDS, HOURS)
def test_another_announcement_excuses_nothing_that_has_happened(
    windows: list[Window], late: Window, bounds: Bounds, now: int
) -> None:
    """What is told from now on changes nothing of the time until now."""
    late, since, until = late._replace(seen=now * HOUR_US), -MONTH_US, now * HOUR_US
    windows = [one for one in windows if one.seen < until]
    before, after = (Maintenance(counted(told, parent_of, bounds)) for told in (windows, [*windows, late]))
    for node in NODES:
        assert after.covered_us([node], since, until) == before.covered_us([node], since, until)


@given(WINDOWS, st.sets(st.sampled_from(NODES)), HOURS, HOURS)
def test_hours_covered_are_those_in_a_window(windows: list[Window], nodes: set[str], one: int, other: int) -> None:
    """Counted hour by hour it is the same; a moment is put off as long as it lies in one, and to where none is."""
    since, until = sorted((one, other))
    found = Maintenance(counted(windows, parent_of, Bounds()))
    hours = [hour for hour in range(since, until) if found.in_force(nodes, hour * HOUR_US)]
    assert found.covered_us(nodes, since * HOUR_US, until * HOUR_US) == len(hours) * HOUR_US
    later = found.put_off(nodes, since * HOUR_US)
    assert later >= since * HOUR_US
    assert (later == since * HOUR_US) == (found.in_force(nodes, since * HOUR_US) is None)
    assert found.in_force(nodes, later) is None


def test_each_flaw_is_told() -> None:
    """Who may not, too late, too long, ends before it begins."""
    good = Window("city", "city", 10 * HOUR_US, 20 * HOUR_US, 9 * HOUR_US)
    bounds = Bounds(12, 24)
    assert flaw_of(good, parent_of, bounds) is None
    assert flaw_of(good._replace(announcer="province"), parent_of, bounds) is None
    assert flaw_of(good._replace(announcer="nation"), parent_of, bounds) is Flaw.NOT_ENTITLED
    assert flaw_of(Window("nation", "", 10, 20, 9), parent_of, bounds) is Flaw.NOT_ENTITLED
    assert flaw_of(good._replace(seen=good.starts), parent_of, bounds) is Flaw.LATE
    assert flaw_of(good._replace(ends=23 * HOUR_US), parent_of, bounds) is Flaw.TOO_LONG
    assert flaw_of(good._replace(ends=good.starts), parent_of, bounds) is Flaw.TOO_LONG


def test_who_stands_between_excuses_too() -> None:
    """But not who stands aside or above."""
    assert between(parent_of, "nation", "city") == ("city", "province", "nation")
    assert between(parent_of, "city", "nation") == ("nation", "province", "city")
    assert between(parent_of, "city", "other") == ("other", "province", "city")
    assert between(parent_of, "city", "city") == ("city",)
    assert between(parent_of, "city", "stranger") == ("stranger", "city")
