"""What a node must refuse, continued: forks and evidence, statements, rows, registry records (protocol section 13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync import limits
from sync.reasons import Reason
from sync.registry import scope_to_wire
from sync.scope import Scope, ScopeItem
from sync.suites import HEADS
from sync.values import FeedName, Lane, Route
from sync.wire.v1.entry_pb2 import ROUTE_PARENT, Anchor, EnrolmentRecord, EntryHeader, RefusalsPayload
from sync.wire.v1.frame_pb2 import (
    Entry,
    Evidence,
    EvidenceBranch,
    FeedHead,
    HeadsBody,
    HeadsStatement,
    Statements,
)
from sync.wire.v1.frame_pb2 import FeedName as WireFeed
from tests.unit.sync.stage import CASE_FEED, CASES, Cases, Played, Stage, a_case, begun, second_version
from tests.vectors.world import (
    CITY,
    FEDERATION,
    NATION,
    OTHER_CITY,
    OTHER_PROVINCE,
    PROVINCE,
    SUITE,
    Forge,
    anchor_body,
    key,
    record,
    sixteen,
)

TALL = ("id", "division", "height")


# --- forks and evidence ---


def test_a_seq_repeated_with_other_bytes_freezes_the_feed() -> None:
    """Both are kept as evidence, the neighbours are told, and nothing more is taken."""
    stage, forge, city, _ = begun()
    twin = Cases()
    twin.put(a_case(9))
    city.run(twin.next_run(a_case(10)))
    assert city.notices() == [Reason.FORK]
    assert "fork" in stage.alarmed()
    assert city.said("evidence")
    assert stage.core.feeds[CASE_FEED].frozen
    city.run(forge.next_run())
    assert city.notices()[-1] is Reason.FROZEN
    assert stage.head(CASE_FEED) == 2


def test_a_good_run_whose_prev_is_not_the_head_is_a_fork_too() -> None:
    """Never a mere BAD_PREV."""
    stage, _, city, _ = begun()
    twin = Cases()
    twin.put(a_case(8))
    twin.put(a_case(9))
    city.run(twin.next_run(a_case(10)))
    assert city.notices() == [Reason.FORK]
    assert stage.core.feeds[CASE_FEED].disputed_from == 2


def _evidence(one: Entry, other: Entry, epoch: bytes) -> Evidence:
    feed = WireFeed(origin=CITY, publication="case.parent")
    branches = [EvidenceBranch(entries=[Entry(header=e.header, seal=e.seal)]) for e in (one, other)]
    return Evidence(feed=feed, epoch=epoch, seq=1, one=branches[0], other=branches[1])


UNPROVEN: dict[str, Callable[[Entry, Entry], tuple[Entry, Entry]]] = {
    "Evidence of two equal headers": lambda a, b: (a, a),
    "Evidence with a bad seal": lambda a, b: (a, Entry(header=b.header, seal=bytes(64))),
    "Evidence without a seal": lambda a, b: (a, Entry(header=b.header)),
}


@pytest.mark.parametrize("change", [pytest.param(v, id=k) for k, v in UNPROVEN.items()])
def test_evidence_that_proves_nothing_freezes_nothing(change: Callable[[Entry, Entry], tuple[Entry, Entry]]) -> None:
    """It is counted against nobody but the alarm tells who sent it."""
    stage, forge, city, _ = begun()
    one, other = change(Cases().put(a_case(1)), Cases().put(a_case(2)))
    city.say(evidence=_evidence(one, other, forge.epoch))
    assert "evidence_refused" in stage.alarmed()
    assert not stage.core.feeds[CASE_FEED].frozen
    city.run(forge.next_run())
    assert city.acked == 3


def test_evidence_that_proves_itself_freezes_the_feed_whoever_sent_it() -> None:
    """The nation's word about a city's feed counts, since it is the city's own seals that speak."""
    stage, forge, _, _ = begun()
    nation = stage.dial_in(NATION)
    nation.say(evidence=_evidence(Cases().put(a_case(1)), Cases().put(a_case(2)), forge.epoch))
    assert stage.core.feeds[CASE_FEED].frozen


# --- statements ---


def _heads(counter: int, heads: list[FeedHead], by: str = CITY) -> Statements:
    parts = b"".join(
        len(f).to_bytes(4, "big") + f
        for h in heads
        for f in (
            h.publication.encode(),
            h.addressee.encode(),
            int(h.route).to_bytes(4, "big"),
            h.epoch,
            h.seq.to_bytes(8, "big"),
            h.header_hash,
            h.row_digest,
        )
    )
    body = HeadsBody(
        federation=FEDERATION,
        origin=CITY,
        boot=sixteen("boot"),
        counter=counter,
        digest=SUITE.hash(HEADS + parts),
        enrolment=1,
    ).SerializeToString()
    signature = key(by).sign(HEADS + SUITE.hash(body))
    return Statements(heads=[HeadsStatement(body=body, signature=signature, heads=heads, whole=True)])


def _head_of(forge: Cases, said: bytes = b"", digest: bytes = b"") -> FeedHead:
    return FeedHead(
        publication="case.parent",
        route=ROUTE_PARENT,
        epoch=forge.epoch,
        seq=forge.seq,
        header_hash=said or forge.head,
        row_digest=digest,
    )


def _falling(stage: Stage, city: Played, forge: Cases) -> None:
    for counter in (5, 4):
        city.say(statements=_heads(counter, [_head_of(forge)]))


STATEMENTS: dict[str, tuple[str, Callable[[Stage, Played, Cases], None]]] = {
    "a heads statement with a falling counter": ("statement_refused", _falling),
    "a heads statement that contradicts a sealed entry": (
        "head_contradicts",
        lambda s, c, f: c.say(statements=_heads(1, [_head_of(f, b"?" * 32)])),
    ),
    "a heads statement signed by another node": (
        "statement_refused",
        lambda s, c, f: c.say(statements=_heads(1, [_head_of(f)], by=OTHER_CITY)),
    ),
    "a heads statement whose row digest is not that of the rows": (
        "rows_diverge",
        lambda s, c, f: c.say(statements=_heads(1, [_head_of(f, digest=b"d" * 32)])),
    ),
    "more statements in a frame than may be": (
        "statements_refused",
        lambda s, c, f: c.say(statements=Statements(heads=[HeadsStatement()] * 257)),
    ),
    "an anchor in Hello by another root": ("anchor_refused", lambda s, c, f: _bad_anchor(s)),
    "an older anchor after a newer": ("anchor_refused", lambda s, c, f: _older_anchor(s)),
}


def _bad_anchor(stage: Stage) -> None:
    stage.dial_in(NATION, anchor=Anchor(body=anchor_body(serial=9).SerializeToString(), signature=b"?"))


def _older_anchor(stage: Stage) -> None:
    newer = anchor_body(serial=3).SerializeToString()
    stage.cut(stage.dial_in(NATION, anchor=Anchor(body=newer, signature=b"s")))
    assert "anchor_refused" not in stage.alarmed()
    older = anchor_body(serial=2).SerializeToString()
    stage.dial_in(NATION, boot=sixteen("next"), anchor=Anchor(body=older, signature=b"s"))
    assert stage.core.registry.anchor_serial == 3


@pytest.mark.parametrize(("alarm", "play"), [pytest.param(*v, id=k) for k, v in STATEMENTS.items()])
def test_a_statement_that_cannot_be_is_an_alarm(alarm: str, play: Callable[[Stage, Played, Cases], None]) -> None:
    """The session goes on: whoever relayed it need not be the one who is wrong."""
    stage, forge, city, _ = begun()
    play(stage, city, forge)
    assert alarm in stage.alarmed()
    assert city.ended() is None


# --- rows: the entry is stored, the head advances, the good rows apply, the origin is told ---


def _dated(since: str, until: str) -> dict[str, Any]:
    return {"signing_scope": scope_to_wire(Scope((ScopeItem("3301*", (), since, until),)))}


WIDER = (*CASES, "reporter_name")
ROWS: dict[str, tuple[Reason, int, dict[str, Any]]] = {
    "a row outside the signing scope": (Reason.OUT_OF_SCOPE, 1, {"cells": {"division": "440106"}}),
    "a row whose region is no division code": (Reason.OUT_OF_SCOPE, 1, {"cells": {"division": "3301"}}),
    "a row with text where a number belongs": (Reason.WRONG_TYPE, 1, {"cells": {"rework_count": "3"}}),
    "a row with text beyond its length": (Reason.TOO_LONG, 1, {"cells": {"street_code": "3301060011"}}),
    "a row without a value that it must have": (Reason.WRONG_TYPE, 1, {"cells": {"state": None}}),
    "a row with a code outside its closed list": (Reason.UNKNOWN_CODE, 1, {"cells": {"state": "lost"}}),
    "a row with a position more exact than is published": (Reason.RULE_BROKEN, 1, {"cells": {"pos_lon": 120.15321}}),
    "a row whose zero is negative": (Reason.RULE_BROKEN, 1, {"cells": {"pos_lon": -0.0}}),
    "a row whose key is missing": (Reason.WRONG_TYPE, 1, {"cells": {"case_id": None}}),
    "a held-back column present": (Reason.HELD_BACK_PRESENT, 2, {"columns": WIDER, "more": ["张三"]}),
    "an unknown column": (Reason.UNKNOWN_COLUMN, 2, {"columns": (*CASES, "colour"), "more": ["red"]}),
    "a key column missing": (Reason.KEY_MISSING, 2, {"columns": CASES[1:], "less": 1}),
    "the same key twice in one entry": (Reason.RULE_BROKEN, 1, {"cells": {"case_id": "case-2"}}),
}


@pytest.mark.parametrize(("reason", "bad", "how"), [pytest.param(*v, id=k) for k, v in ROWS.items()])
def test_a_row_is_refused_and_its_neighbour_lives(reason: Reason, bad: int, how: dict[str, Any]) -> None:
    """Two rows in one entry: `bad` of them are refused, durably and told to the origin; the head advances."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    less, more = how.get("less", 0), how.get("more", [])
    rows = [[*a_case(2)[less:], *more], [*a_case(1, **how.get("cells", {}))[less:], *more]]
    city.run(forge.next_run(*rows, columns=how.get("columns", CASES)))
    assert city.acked == 1
    assert len(stage.rows("case", CITY)) == 2 - bad
    fates = stage.fates(CASE_FEED)
    assert fates
    assert {(fate, why) for _, _, fate, why in fates} == {("REFUSED", reason.name)}
    stage.wait(1)
    assert stage.head(FeedName(PROVINCE, "refusals", CITY)) == 1
    assert city.runs(FeedName(PROVINCE, "refusals", CITY))


def test_of_more_refused_rows_than_an_entry_lists_the_rest_is_counted() -> None:
    """1,001 of one entry: 1,000 are listed to the origin, one is said to be more; all have their fate here."""
    stage, forge = Stage(), Cases()
    city = stage.dial_in(CITY)
    many = limits.REFUSALS_PER_ENTRY_MAX + 1
    city.run(forge.next_run(*(a_case(n, division="440106") for n in range(1, many + 1))))
    stage.wait(1)
    runs = city.runs(FeedName(PROVINCE, "refusals", CITY))
    told = [RefusalsPayload.FromString(entry.payload) for run in runs for entry in run.entries]
    assert [(len(t.refusals), t.not_listed) for t in told] == [(1_000, 1)]
    assert EntryHeader.FromString(runs[0].entries[0].header).rows == 1_000
    assert len(stage.fates(CASE_FEED)) == many


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param(_dated("2030-01-01", ""), id="a scope that is not yet valid"),
        pytest.param(_dated("", "2026-01-01"), id="a scope that is no longer valid"),
    ],
)
def test_a_row_is_refused_outside_the_dates_of_its_scope(scope: dict[str, Any]) -> None:
    """By its business date, not by anybody's clock."""
    stage = Stage()
    second_version(stage, **scope)
    city, forge = stage.dial_in(CITY), Cases(enrolment=2, signer=key(f"{CITY}/2"))
    city.run(forge.next_run())
    assert stage.fates(CASE_FEED) == [(1, 0, "REFUSED", "OUT_OF_SCOPE")]


def test_rows_of_a_dataset_that_the_origins_tier_does_not_own_are_refused() -> None:
    """A city writes no code tables for a province."""
    stage = Stage(NATION)
    province = stage.dial_in(PROVINCE)
    forge = Forge(FeedName(PROVINCE, "case.parent"), key(PROVINCE))
    province.run(forge.run([forge.records([a_case(1)], columns=CASES, dataset="case")]))
    assert stage.fates(forge.feed) == [(1, 0, "REFUSED", "NOT_OWNER")]


# --- registry records that arrive in a feed ---

RECORDS: dict[str, tuple[Reason, EnrolmentRecord]] = {
    "a record for a node in another province": (
        Reason.NOT_OWNER,
        record("c440100.p440000.cn-demo", PROVINCE, "330300"),
    ),
    "a record for a node of another province's region": (
        Reason.OUT_OF_SCOPE,
        record("c440100.p330000.cn-demo", PROVINCE, "440100"),
    ),
    "a record by a node that is not the parent": (
        Reason.NOT_OWNER,
        record(OTHER_PROVINCE, PROVINCE, "330000", 2),
    ),
    "a record with a scope wider than the parent's": (
        Reason.OUT_OF_SCOPE,
        record(CITY, PROVINCE, "330100", 2, signing_scope=scope_to_wire(Scope.of("*"))),
    ),
    "a record that closes a circle": (Reason.RULE_BROKEN, record(NATION, PROVINCE, "330000", 2)),
    "a record that names another parent": (Reason.NOT_OWNER, record(CITY, NATION, "330100", 2)),
}


@pytest.mark.parametrize(("reason", "said"), [pytest.param(*v, id=k) for k, v in RECORDS.items()])
def test_a_registry_record_that_does_not_count_is_refused_with_its_reason(
    reason: Reason, said: EnrolmentRecord
) -> None:
    """The entry is stored and passed on; the record beside it counts."""
    stage = Stage(NATION)
    province = stage.dial_in(PROVINCE)
    forge = Forge(FeedName(PROVINCE, "registry"), key(PROVINCE), Route.EVERYWHERE, Lane.URGENT)
    new = record("c330300.p330000.cn-demo", PROVINCE, "330300")
    province.run(forge.run([forge.registry(said, new)]))
    assert stage.head(forge.feed) == 1
    assert stage.fates(forge.feed) == [(1, 0, "REFUSED", reason.name)]
    assert stage.core.registry.newest(new.node) is not None
    assert stage.core.registry.newest(said.node) != said


def test_a_record_of_this_node_that_it_did_not_ask_for_is_an_alarm() -> None:
    """A key put in its place shows to the node itself."""
    stage = Stage(CITY)
    province = stage.dial_in(PROVINCE)
    forge = Forge(FeedName(PROVINCE, "registry"), key(PROVINCE), Route.EVERYWHERE, Lane.URGENT)
    province.run(forge.run([forge.registry(record(CITY, PROVINCE, "330100", 2))]))
    assert "record_of_this_node_not_asked_for" in stage.alarmed()
