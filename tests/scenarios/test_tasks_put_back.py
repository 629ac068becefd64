"""Tasks while one of their nodes comes back wrong: a number is given once, and no move is lost unsaid."""

from __future__ import annotations

import pytest

from node.sim.simnode import WatchedStore
from sync.effects import Reply
from sync.errors import InputFault
from sync.reasons import Reason
from sync.values import MOVES, REFUSALS
from sync.wire.v1.frame_pb2 import Frame
from tests.scenarios.country import Country

SIGNED = [(1, "register", True), (2, "issue", True), (3, "sign", True)]


def _signed(country: Country) -> None:
    country.move("n", "register")
    country.move("n", "issue")
    country.run(3)
    country.move("c1", "sign")
    country.run(3)
    assert country.moves("n") == country.moves("c1") == SIGNED


def _level(country: Country) -> list[tuple[int, str, bool]]:
    """The one history that both sides have once everything is level."""
    country.settle()
    country.run(10)
    assert country.moves("n") == country.moves("c1")
    assert not country["c1"].store.pending_moves("T")
    return country.moves("n")


def _remarked_and_put_back(country: Country) -> WatchedStore:
    """A backup of the nation from before a remark that the province holds; the nation is cut off from it then."""
    backup = country.copy("n")
    country.move("n", "remark")
    country.run(3)
    country.net.cut("p1")
    country.run(1)
    return backup


def test_a_move_under_a_number_that_returns_with_another_is_kept_as_refused() -> None:
    """The issuer, put back unnoticed, makes and acknowledges moves 4 and 5. Its tail brings the other move 4."""
    country = Country()
    _signed(country)
    country.roll_back("n", _remarked_and_put_back(country))
    country.move("n", "extend")
    country.move("n", "remark")
    assert country.moves("n") == [*SIGNED, (4, "extend", True), (5, "remark", True)]
    country.net.heal("p1")
    assert _level(country) == [*SIGNED, (4, "remark", True)]
    refused = country["n"].store.pending_moves("T", refused=True)
    assert [(m.move, m.number, m.accepted, m.state) for m in refused] == [
        ("extend", 0, False, "signed"),
        ("remark", 0, False, "signed"),
    ]
    assert {Reason(m.reason) for m in refused} == {Reason.CROSSED}
    assert all("'remark' was move 4" in m.detail for m in refused)
    assert country["n"].alarms["move_overtaken"] == 2
    city = country["c1"].store.session
    assert city.first("SELECT count(*) FROM fate") == (0,), "what lost was told to nobody"
    country.move("n", "extend")
    assert _level(country) == [*SIGNED, (4, "remark", True), (5, "extend", True)]


def test_what_lost_its_number_is_not_said_after_a_restart_either() -> None:
    """It lies in the outbox still; the process dies before that is sealed."""
    country = Country()
    _signed(country)
    country.roll_back("n", _remarked_and_put_back(country))
    country.move("n", "extend")
    country.net.heal("p1")
    for _ in range(20_000):
        country.run(0.001)
        if country["n"].store.pending_moves("T", refused=True):
            break
    country.net.crash(country["n"])
    country.net.restart(country["n"])
    assert _level(country) == [*SIGNED, (4, "remark", True)]
    assert country["c1"].store.session.first("SELECT count(*) FROM fate") == (0,)


def test_a_restored_issuer_makes_no_move_before_it_is_level() -> None:
    """The number might be taken: whoever asks is told to wait."""
    country = Country()
    _signed(country)
    country.restore("n", _remarked_and_put_back(country))
    said = _answers(country, "n")
    country.move("n", "extend")
    (answer,) = said
    assert isinstance(answer, InputFault)
    assert answer.reason is Reason.RECOVERING
    assert country.moves("n") == SIGNED
    country.net.heal("p1")
    assert _level(country) == [*SIGNED, (4, "remark", True)]
    assert "move_overtaken" not in country.alarms("n")


def _answers(country: Country, short: str) -> list[object]:
    """From now on, what local callers of a node are told."""
    node, said = country[short], list[object]()
    act = node.act

    def listen(what: object) -> None:
        if isinstance(what, Reply):
            said.append(what.value)
        act(what)  # type: ignore[arg-type]

    node.act = listen
    return said


@pytest.mark.parametrize("declared", [True, False])
def test_a_proposal_waits_until_the_arbiter_holds_its_own_past(declared: bool) -> None:
    """It comes before the tail that has the number it would get; it is numbered once, after it."""
    country = Country()
    _signed(country)
    backup = country.copy("n")
    country.net.cut("c1")
    country.run(1)
    country.move("n", "remark")
    country.run(3)
    country.net.cut("p1")
    country.run(1)
    country.move("c1", "begin")
    country.net.heal("c1")
    country.run(10)
    (country.restore if declared else country.roll_back)("n", backup)
    nation, receive, late = country["n"], country["n"].receive, list[tuple[int, bytes]]()

    def receive_own_runs_later(link: int, data: bytes) -> bool:
        run = Frame.FromString(data).run
        if run.feed.origin == nation.id and run.feed.publication == MOVES:
            late.append((link, data))
            return False
        return receive(link, data)

    nation.receive = receive_own_runs_later  # type: ignore[method-assign]
    country.net.heal("p1")
    country.run(4)
    assert late
    assert country.moves("n") == SIGNED
    assert [p.reason for p in nation.store.parked(None, 9)] == [Reason.RECOVERING]
    nation.receive = receive  # type: ignore[method-assign]
    for link, data in late:
        receive(link, data)
    assert _level(country) == [*SIGNED, (4, "remark", True), (5, "begin", True)]
    assert not nation.store.pending_moves("T", refused=True)


def test_what_waits_in_a_copy_and_was_said_since_is_not_said_twice() -> None:
    """A refusal and a move lie in the outbox of a copy; both were sealed after it was made."""
    country = Country()
    country.case("c1", 1, code="0101")
    country.run(3)
    country.move("p1", "register", "U")
    country.net.cut("c1")
    country.run(1)
    country.code("0101")
    country.move("p1", "issue", "U")
    country.run(3)
    refusals, moves = country.feed("p1", REFUSALS, "c1"), country.feed("p1", MOVES, "c1")
    assert country["p1"].core.waiting[refusals] == country["p1"].core.waiting[moves] == 1
    backup = country.copy("p1")
    country.net.heal("c1")
    country.run(10)
    heads = [country.held("c1", feed).head for feed in (refusals, moves)]
    country.roll_back("p1", backup)
    country.settle()
    assert not any(country["p1"].core.waiting.values())
    assert [country.held("p1", feed).head for feed in (refusals, moves)] == heads
