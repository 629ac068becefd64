"""Scopes and the registry: what lies inside lies inside, and the order of arrival decides nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.reasons import Reason
from sync.registry import Registry, scope_from_wire, scope_to_wire
from sync.scope import Scope, ScopeItem
from sync.wire.v1.entry_pb2 import EnrolmentRecord
from tests.vectors.world import FEDERATION, NATION, anchor_body, record

DIGITS = "0139"
CODES = st.text(DIGITS, min_size=6, max_size=6)
PATTERNS = st.one_of(CODES, st.text(DIGITS, max_size=5).map(lambda prefix: prefix + "*"))
DATES = st.sampled_from(["", "2025-01-01", "2026-06-30", "2026-07-01", "2030-12-31"])
ITEMS = st.builds(ScopeItem, PATTERNS, st.lists(PATTERNS, max_size=2).map(tuple), DATES, DATES)
SCOPES = st.lists(ITEMS, max_size=3).map(lambda items: Scope(tuple(items)))


@settings(max_examples=400)
@given(SCOPES, SCOPES, CODES, DATES)
def test_what_a_scope_holds_it_covers(outer: Scope, inner: Scope, region: str, date: str) -> None:
    """If all of `inner` lies inside `outer`, no region and day is inside `inner` alone."""
    if outer.holds(inner) and inner.covers(region, date):
        assert outer.covers(region, date)


@given(ITEMS, st.lists(PATTERNS, max_size=2), st.text(DIGITS, max_size=3), CODES, DATES)
def test_a_narrower_item_is_held_and_covered(
    item: ScopeItem, gaps: list[str], longer: str, region: str, date: str
) -> None:
    """More digits, more left out, the same dates: still inside."""
    pattern = item.region
    if pattern.endswith("*") and len(pattern) + len(longer) <= 6:
        pattern = pattern[:-1] + longer + "*"
    narrow = ScopeItem(pattern, (*item.leaving_out, *gaps), item.since, item.until)
    assert item.holds(narrow)
    assert not narrow.covers(region, date) or item.covers(region, date)


@given(SCOPES, SCOPES, SCOPES, CODES, DATES)
def test_holding_goes_on_from_scope_to_scope(one: Scope, two: Scope, three: Scope, region: str, date: str) -> None:
    """Nation, province, city: what each step allows, the whole allows."""
    if one.holds(two) and two.holds(three) and three.covers(region, date):
        assert one.covers(region, date)


@given(SCOPES)
def test_a_scope_comes_back_from_the_wire(scope: Scope) -> None:
    """Codes, gaps and dates."""
    assert scope_from_wire(scope_to_wire(scope)) == scope


SEALERS = (NATION, "p330000.cn-demo", "p440000.cn-demo")
PROVINCES = {"33": "p330000.cn-demo", "44": "p440000.cn-demo"}
Said = tuple[str, EnrolmentRecord, int]
"""(sealer, record, enrolment version of the header that carries it)"""


@st.composite
def feeds(draw: st.DrawFn) -> dict[str, list[Said]]:
    """The registry feeds of the nation and two provinces; scopes grow and shrink, some records do not count, and some
    are about an id of the other province, which that one may have enrolled too."""
    made: dict[str, list[Said]] = {NATION: [], **{p: [] for p in PROVINCES.values()}}
    for prefix, province in PROVINCES.items():
        versions = draw(st.integers(1, 3))
        for version in range(1, versions + 1):
            carrying = draw(st.sampled_from([f"{prefix}*", f"{prefix}01*", f"{prefix}0*"]))
            scope = scope_to_wire(Scope.of(carrying))
            made[NATION].append(
                (
                    NATION,
                    record(province, NATION, f"{prefix}0000", version, carrying_scope=scope, signing_scope=scope),
                    1,
                )
            )
        numbers: dict[str, int] = {}
        under = 1
        for _ in range(draw(st.integers(0, 5))):
            under = draw(st.integers(under, versions))
            city = draw(st.sampled_from([f"{prefix}0100", f"{prefix}0200", "990100"]))
            named = draw(st.sampled_from([province, province, *PROVINCES.values()]))
            node = f"{draw(st.sampled_from(['c1', 'c2']))}.{named}"
            numbers[node] = numbers.get(node, 0) + draw(st.sampled_from([0, 1, 1, 1])) or 1
            made[province].append((province, record(node, province, city, numbers[node]), under))
    return made


def _take(registry: Registry, queues: dict[str, list[Said]], order: list[str]) -> list[tuple[str, int, Reason]]:
    """Admits entries of these feeds in turn; one whose enrolment version is not known yet waits, as in the chain."""
    told = []
    left = {sealer: list(said) for sealer, said in queues.items()}
    for sealer in [*order, *(s for s in SEALERS for _ in left[s])]:
        if left[sealer] and registry.enrolment(sealer, left[sealer][0][2]) is not None:
            _, said, under = left[sealer].pop(0)
            told.append((said.node, said.version, registry.admit(sealer, said, under)[0]))
    assert not any(left.values())
    return told


@given(feeds(), st.lists(st.lists(st.sampled_from(SEALERS), max_size=20), min_size=2, max_size=2))
def test_the_order_in_which_registry_feeds_arrive_decides_nothing(queues: dict[str, list[Said]], orders: Any) -> None:
    """Each record is taken or refused alike, and the tree, keys and scopes are the same."""
    outcomes = []
    for order in [[], *orders]:
        registry = Registry(FEDERATION)
        assert registry.set_anchor(anchor_body()) is Reason.NONE
        told = _take(registry, queues, order)
        nodes = {e.node: e for e in registry.nodes()}
        children = {n: frozenset(registry.children(n)) for n in nodes}
        hops = {(a, b): registry.next_hop(a, b) for a in nodes for b in nodes}
        outcomes.append((sorted(told, key=repr), nodes, children, hops))
    assert all(outcome == outcomes[0] for outcome in outcomes)


@given(feeds())
def test_every_way_in_the_tree_ends_at_its_target(queues: dict[str, list[Said]]) -> None:
    """From anywhere to anywhere, in at most as many steps as there are nodes."""
    registry = Registry(FEDERATION)
    registry.set_anchor(anchor_body())
    _take(registry, queues, [])
    nodes = [e.node for e in registry.nodes()]
    for start in nodes:
        for target in nodes:
            here, steps = start, 0
            while here != target:
                here = registry.next_hop(here, target)
                steps += 1
                assert here
                assert steps <= len(nodes)
