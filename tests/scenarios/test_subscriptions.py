"""What is granted to a subscriber comes to it, follows every change, and is taken back when the subscription ends:
whatever fails in between, and nothing leaves after the end."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from node.granting import granted
from node.revising import job_of
from node.sim.places import ALL_CASES
from node.sim.work import Put, case_row, subscription
from sync.chain import open_content
from sync.errors import InputFault
from sync.rows import RowBatch
from sync.values import Cell
from tests.scenarios.country import Country
from tiers.filters import compile_filter
from tiers.grants import read_rule
from tiers.revision import LAYERS_MAX

FEW = "case_id,state"
CLOSED = '{"column": "state", "op": "=", "value": "closed"}'
STATES = ("reported", "handling", "closed")


def say(country: Country, to: str, state: str, **cells: Cell) -> None:
    """The owner c1 says where a subscription stands."""
    node = country["c1"]
    country.net.submit(node, subscription(node, country[to], country.net.now, {"state": state, **cells}))
    country.run(0.1)


def name(number: int) -> str:
    return f"330100-{number:03d}"


def held(country: Country, at: str, columns: str = "") -> dict[str, dict[str, Cell]]:
    """The cases of c1 that a node holds, in some columns."""
    chosen = [c for c in columns.split(",") if c]
    return {key: {c: row[c] for c in chosen} for key, row in country.rows(at, "c1").items()}


def said(country: Country, at: str, to: str) -> list[RowBatch]:
    """What a node holds of what c1 sent to a subscriber, entry by entry."""
    feed = country.feed("c1", "case.subscribers", to)
    state = country.held(at, feed)
    entries = country[at].store.entries(feed, state.head.epoch, 1, 1 << 20, 4_096)
    headers = country.headers(at, feed)
    found = [open_content(h, e.payload, country["n"].catalogue.schema) for h, e in zip(headers, entries, strict=True)]
    return [batch for batch in found if isinstance(batch, RowBatch)]


def put_in(batches: list[RowBatch]) -> int:
    return sum(len(batch.puts) for batch in batches)


def test_a_city_holds_what_another_city_granted_and_loses_it_at_the_end() -> None:
    """Through the common province, which only carries it; columns that were not granted stay empty."""
    country = Country()
    country.case("c1", 1, 2, 3, 4, state="closed")
    country.case("c1", 5)
    say(country, "c3", "in_use", columns=FEW, row_filter=CLOSED)
    country.settle()
    assert held(country, "c3", FEW) == {name(n): {"case_id": name(n), "state": "closed"} for n in (1, 2, 3, 4)}
    row = country.rows("c3", "c1")[name(1)]
    needed = country["c1"].catalogue.datasets["case"].whole(("state",))
    assert {column for column, cell in row.items() if cell is not None} == set(needed)
    assert row["description"] is None
    country.case("c1", 5, state="closed")
    country.case("c1", 1, state="handling")
    country.void("c1", 2)
    country.settle()
    assert set(held(country, "c3")) == {name(n) for n in (3, 4, 5)}
    assert not country["n"].core.feeds[country.feed("c1", "case.subscribers", "c3")].rows
    say(country, "c3", "ended", columns=FEW, row_filter=CLOSED)
    country.settle()
    assert held(country, "c3") == {}
    before = country.seq("c1", country.feed("c1", "case.subscribers", "c3"))
    country.case("c1", 1, 2, 3, state="closed")
    country.settle()
    assert country.seq("c3", country.feed("c1", "case.subscribers", "c3")) == before
    assert held(country, "c3") == {}


def test_what_a_province_gets_beside_its_own_feeds_ends_alone() -> None:
    """It has the cases anyway; what the subscription carries besides goes with it, and the rows stay."""
    country = Country()
    country.case("c1", 1, 2)
    country.settle()
    say(country, "p1", "in_use", columns="summary")
    country.settle()
    assert country.held("p1", country.feed("c1", "case.subscribers", "p1")).rows == 2
    say(country, "p1", "withdrawn", columns="summary")
    country.settle()
    assert country.held("p1", country.feed("c1", "case.subscribers", "p1")).rows == 0
    assert set(held(country, "p1")) == {name(1), name(2)}


def test_the_end_with_the_link_down_drops_what_waits() -> None:
    """Rows that were not sent when it ended never are; what was sent is taken back when the link comes up."""
    country = Country()
    country.case("c1", 1, 2)
    say(country, "c3", "in_use", columns=FEW)
    country.settle()
    country.net.cut("c1")
    country.run(1)
    country.case("c1", 3, 4)
    country.case("c1", 1, state="closed")
    country.void("c1", 2)
    feed = country.feed("c1", "case.subscribers", "c3")
    assert country["c1"].core.waiting[feed] == 3
    say(country, "c3", "expired", columns=FEW)
    country.case("c1", 5)
    assert country["c1"].core.waiting[feed] == 1
    country.net.heal("c1")
    country.settle()
    assert held(country, "c3") == {}
    batches = said(country, "c3", "c3")
    assert put_in(batches) == 2
    assert [len(batch.ends) for batch in batches if batch.ends] == [2]
    assert {end.key for batch in batches for end in batch.ends} == {(name(1),), (name(2),)}
    assert {name(n) for n in (1, 3, 4, 5)} == set(held(country, "p1"))


def test_granted_again_while_the_link_is_down() -> None:
    """What waits of the earlier subscription does not leave, though the later one goes through the same feed."""
    country = Country()
    country.case("c1", 1, 2, state="closed")
    say(country, "c3", "in_use", columns="summary")
    country.settle()
    country.net.cut("c1")
    country.run(1)
    country.case("c1", 3)
    say(country, "c3", "ended", columns="summary")
    say(country, "c3", "in_use", subscription_id="W8-again", columns=FEW, row_filter=CLOSED)
    country.case("c1", 4, state="closed")
    country.net.heal("c1")
    country.settle()
    assert set(held(country, "c3")) == {name(1), name(2), name(4)}
    later = said(country, "c3", "c3")
    assert name(3) not in {str(put[0]) for batch in later for put in batch.puts}


def test_a_subscription_that_follows_upon_another_says_only_what_differs() -> None:
    """The next year's has the same columns and rows: one change of settings, and nothing is said again."""
    country = Country()
    country.case("c1", 1, 2)
    say(country, "c3", "in_use", columns=FEW, valid_to="2026-12-31")
    country.settle()
    before = country.seq("c1", country.feed("c1", "case.subscribers", "c3"))
    node = country["c1"]
    over, following = {"state": "expired"}, {"state": "in_use", "columns": FEW, "subscription_id": "W8-next"}
    country.net.submit(node, subscription(node, country["c3"], country.net.now, over, following))
    country.settle()
    assert set(held(country, "c3")) == {name(1), name(2)}
    assert country.seq("c1", country.feed("c1", "case.subscribers", "c3")) == before


def test_a_restart_after_the_last_day_sends_nothing_more() -> None:
    """Before anybody has noted that it has expired: the origin's own day decides."""
    country = Country()
    country.case("c1", 1, 2)
    say(country, "c3", "in_use", columns=FEW, valid_to="2026-01-01")
    country.settle()
    assert set(held(country, "c3")) == {name(1), name(2)}
    node = country["c1"]
    country.net.crash(node, lost=False)
    node.skew = 86_400_000_000
    country.net.restart(node)
    country.case("c1", 3)
    country.settle()
    assert held(country, "c3") == {}


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_killed_while_it_begins_or_ends_it_goes_on(steps: int) -> None:
    """The job stands in the store: a process that is killed in the middle of it goes on from there."""
    country = Country()
    country.case("c1", *range(1, 20))
    country.settle()
    node = country["c1"]
    for state, wanted in (("in_use", {name(n) for n in range(1, 21)}), ("withdrawn", set[str]())):
        job = subscription(node, country["c3"], country.net.now, {"state": state, "columns": FEW})
        country.net.crash(node, lost=False)
        country.net.restart(node)
        node.inbox.append(job)
        for _ in range(steps):
            node.step(country.net.now)
        (before,) = job_of(node.store)
        assert before["publications"] == ["case.subscribers"]
        country.net.crash(node)
        country.net.restart(node)
        assert job_of(node.store) == [before]
        country.case("c1", 20)
        country.settle()
        assert set(held(country, "c3")) == wanted
        assert not job_of(node.store)


def test_one_ends_at_once_while_the_beginning_of_another_is_followed() -> None:
    """The job that follows the other must not take back once more what was taken back at once."""
    country = Country()
    country.case("c1", *range(1, 20))
    say(country, "c3", "in_use", columns=FEW)
    country.settle()
    node = country["c1"]
    country.net.cut("c1")
    country.run(1)
    country.case("c1", 1)
    node.inbox.append(subscription(node, country["c2"], country.net.now, {"state": "in_use", "columns": FEW}))
    node.step(country.net.now)
    node.inbox.append(subscription(node, country["c3"], country.net.now, {"state": "ended", "columns": FEW}))
    node.step(country.net.now)
    assert job_of(node.store)
    country.net.heal("c1")
    country.settle()
    assert len(held(country, "c2")) == 19
    assert held(country, "c3") == {}


def test_with_all_that_can_be_followed_at_a_time_one_can_end_and_none_begin() -> None:
    """Whoever asks for more is told to wait; an end waits for nothing, also for rows put just before it."""
    country = Country()
    country.case("c1", *range(1, 20))
    country.settle()
    node = country["c1"]
    for number in range(LAYERS_MAX):
        state = "in_use" if number % 2 == 0 else "ended"
        for to in ("c2", "n") if number == 0 else ("c2",):
            job = subscription(node, country[to], country.net.now, {"state": state, "columns": FEW})
            node.inbox.append(job)
            if number or to == "n":
                node.step(country.net.now)
    job = subscription(node, country["c3"], country.net.now, {"state": "in_use", "columns": FEW})
    with pytest.raises(InputFault, match="too many changes"):
        job.run(node.store)
    node.store.rollback()
    row = case_row(30, "330100", supervised=False, at=country.net.now)
    end = subscription(node, country["n"], country.net.now, {"state": "ended", "columns": FEW})
    node.inbox += [Put(node.id, "case", [row]), end]
    node.step(country.net.now)
    country.settle()
    assert put_in(said(country, "n", "n")) <= 9 * 3
    check(country)


def test_put_back_to_before_the_grant_it_is_granted_all_the_same() -> None:
    """The owner's own row comes back with its sealed tail, and with it what it grants."""
    country = Country()
    country.case("c1", 1, 2)
    country.settle()
    backup = country.copy("c1")
    say(country, "c3", "in_use", columns=FEW)
    country.settle()
    country.roll_back("c1", backup)
    country.run(20)
    country.case("c1", 3)
    country.settle()
    assert set(held(country, "c3")) == {name(1), name(2), name(3)}


def test_put_back_to_before_the_end_it_ends_all_the_same() -> None:
    country = Country()
    country.case("c1", 1, 2)
    say(country, "c3", "in_use", columns=FEW)
    country.settle()
    backup = country.copy("c1")
    say(country, "c3", "ended", columns=FEW)
    country.settle()
    country.roll_back("c1", backup)
    country.run(20)
    country.case("c1", 3)
    country.settle()
    assert held(country, "c3") == {}


@pytest.mark.parametrize("seed", range(24))
def test_any_interleaving_of_grants_ends_changes_and_faults(seed: int) -> None:
    """In the end a subscriber holds exactly the filtered columns of the rows as they are, or nothing of them. At every
    commit the simulator compares digests; held-back columns that arrive anywhere end the test."""
    random, country = Random(seed), Country((1, 1, 3))
    wishes: dict[str, dict[str, Any]] = {}
    kinds = ["case"] * 6 + ["void"] * 2 + ["grant"] * 3 + ["end"] * 2 + ["cut", "heal", "crash", "fuse", "site", "time"]
    for _ in range(40):
        node, to = country["c1"], random.choice(("c2", "c3", "p1", "n"))
        to = to if to != "c2" or "c2" in country.net.nodes else "c3"
        match random.choice(kinds):
            case "case":
                numbers = random.sample(range(12), random.randint(1, 5))
                country.case("c1", *numbers, state=random.choice(STATES), supervised=random.random() < 0.3)
            case "void":
                country.void("c1", random.randrange(12))
            case "grant" if to not in wishes:
                cells = {"columns": random.choice((FEW, "summary", "case_id,supervised,street_code"))}
                cells["row_filter"] = random.choice(("", CLOSED))
                wishes[to] = cells
                say(country, to, "in_use", **cells)
            case "end" if to in wishes:
                say(country, to, random.choice(("ended", "withdrawn", "expired")), **wishes.pop(to))
            case "cut":
                country.net.cut(random.choice(("c1", "c3", "p1")))
            case "heal":
                for one in ("c1", "c3", "p1"):
                    country.net.heal(one)
            case "crash":
                country.net.crash(node)
                country.net.restart(node)
            case "fuse":
                node.fuse = random.randint(1, 40)
            case "site":
                node.publish(random.choice((ALL_CASES, "")))
                country.net.crash(node)
                country.net.restart(node)
            case _:
                country.run(random.choice((0.2, 2, 8)))
    for one in ("c1", "c3", "p1"):
        country.net.heal(one)
    country["c1"].fuse = 0
    country.run(5)
    country.settle()
    check(country)


def check(country: Country) -> None:
    """What each subscriber holds against the rows of c1 and what its owner's rows say."""
    node = country["c1"]
    case = node.catalogue.datasets["case"]
    rows = [row for _, _, row in node.store.scan("case", node.id)]
    grants = {grant.subscriber: grant for grant in granted(node.store, node.publisher, country.net.now)}
    for short in ("c2", "c3", "p1", "n"):
        if short not in country.net.nodes:
            continue
        live: dict[object, tuple[Cell, ...]] = {}
        if country.seq(short, country.feed("c1", "case.subscribers", short)):
            for batch in said(country, short, short):
                live.update({put[batch.columns.index("case_id")]: put for put in batch.puts})
                for end in batch.ends:
                    live.pop(end.key[0], None)
        grant = grants.get(country[short].id)
        if grant is None:
            assert live == {}
            continue
        rule = read_rule(case, grant.rule)
        matches = compile_filter(rule, case.schema.names) if rule is not None else lambda _: True
        at = [case.schema.names.index(column) for column in case.whole(grant.columns)]
        assert live == {row[0]: tuple(row[i] for i in at) for row in rows if matches(row)}
