"""The core's conversations, told as stories: who says what to whom when something is lost, late or twofold."""

from __future__ import annotations

import pytest

from node.sim.federation import SECOND
from node.sim.violation import Crash
from node.sim.work import Put, code_row
from node.store.restored import clear_clone
from sync.effects import Send
from sync.link import Phase
from sync.values import REFUSALS, REGISTRY
from sync.wire.v1.frame_pb2 import Frame
from tests.scenarios.country import Country

CASE = "case.parent"


def _frames(country: Country, short: str) -> list[str]:
    """From now on, the kinds of frame that a node sends, in order."""
    node, said = country[short], list[str]()
    act = node.act

    def listen(what: object) -> None:
        if isinstance(what, Send):
            said.append(str(Frame.FromString(what.frame).WhichOneof("kind")))
        act(what)  # type: ignore[arg-type]

    node.act = listen
    return said


def test_hello_then_compare_then_exchange() -> None:
    """The child says Hello, both say their cursors, then what the other lacks is pushed without being asked."""
    country = Country()
    country.net.cut("c1")
    country.case("c1", 1, 2)
    country.run(2)
    child, parent = _frames(country, "c1"), _frames(country, "p1")
    country.net.heal("c1")
    country.run(10)
    assert child[:2] == ["hello", "cursors"]
    assert "run" in child[2:]
    assert parent[:2] == ["hello", "cursors"] or parent[0] == "statements"
    assert "ack" in parent
    assert country.seq("p1", country.feed("c1", CASE)) == country.seq("c1", country.feed("c1", CASE)) > 0


def test_work_goes_on_without_the_link_and_is_sealed_only_when_it_is_sent() -> None:
    """A city that is cut off takes rows; none gets a place in the chain before a session works."""
    country = Country()
    feed = country.feed("c1", CASE)
    country.net.cut("c1")
    country.run(1)
    for number in range(5):
        country.case("c1", number)
    assert country.seq("c1", feed) == 0
    assert country["c1"].core.waiting[feed] == 5
    country.net.heal("c1")
    country.settle()
    assert len(country.rows("p1", "c1")) == 5


def test_a_city_restored_without_writes_pulls_its_tail_back() -> None:
    """Same epoch, same feeds, nothing sealed twice."""
    country = Country()
    country.case("c1", 1)
    backup = country.copy("c1")
    country.case("c1", 1, state="handling")
    country.case("c1", 2)
    country.void("c1", 1)
    country.run(6)
    feed = country.feed("c1", CASE)
    before = country.held("p1", feed).head
    country.restore("c1", backup)
    country.settle()
    assert country.held("c1", feed).head == before
    assert list(country.rows("c1", "c1")) == list(country.rows("p1", "c1")) == ["330100-002"]
    assert "recovering" in country.alarms("c1")


def test_a_city_restored_with_writes_since_keeps_both_lives() -> None:
    """What the backup lacked comes back; what was written since goes out above it."""
    country = Country()
    country.case("c1", 1)
    backup = country.copy("c1")
    country.case("c1", 2)
    country.run(6)
    country.net.cut("c1")
    country.restore("c1", backup)
    country.case("c1", 3)
    country.case("c1", 1, state="closed")
    country.net.heal("c1")
    country.settle()
    assert list(country.rows("p1", "c1")) == [f"330100-00{n}" for n in (1, 2, 3)]
    assert country.rows("p1", "c1")["330100-001"]["state"] == "closed"
    assert country.rows("p1", "c1")["330100-001"]["description"] is None


def test_a_restored_province_between_a_parent_and_a_child_that_hold_different_lengths() -> None:
    """Its registry lies longer with the nation than with one child; it seals nothing before both were compared."""
    country = Country((1, 1, 4))
    feed = country.feed("p1", REGISTRY)
    backup = country.copy("p1")
    country.net.cut("c2")
    country.run(1)
    country.net.enrol("c1", version=2)
    country.run(6)
    assert country.seq("n", feed) > country.seq("c2", feed)
    country.restore("p1", backup)
    country.net.enrol("c1", version=3)
    country.run(6)
    sealed = country.seq("p1", feed)
    assert sealed == country.seq("n", feed), "the child that is away has not been compared"
    assert country["p1"].core.restored
    country.net.heal("c2")
    country.settle()
    assert country.seq("p1", feed) == country.seq("c2", feed) > sealed


def test_a_restored_relay_below_a_restored_origin_is_no_proof() -> None:
    """A restored city does not seal on the word of a province that was restored too and has not met the nation."""
    country = Country()
    country.case("c1", 1, supervised=True)
    country.run(6)
    city, province = country.copy("c1"), country.copy("p1")
    country.case("c1", 2, supervised=True)
    country.run(6)
    feed = country.feed("c1", "case.nation", "n")
    at_nation = country.held("n", feed).head
    country.net.cut("p1")
    country.restore("p1", province)
    country.restore("c1", city)
    country.case("c1", 3, supervised=True)
    country.run(10)
    assert country.seq("c1", feed) < at_nation.seq
    country.net.heal("p1")
    country.settle()
    assert country.held("n", feed).head.seq > at_nation.seq
    assert not country.held("n", feed).frozen


def test_an_ack_lost_before_a_roll_back_is_no_reason_to_seal_again() -> None:
    """The parent holds an entry whose Ack never came: the origin, put back to before it, finds it there."""
    country = Country()
    country.case("c1", 1)
    backup = country.copy("c1")
    feed = country.feed("c1", CASE)
    country.run(2)
    node = country["c1"]
    parent_link = next(iter(node.links.values()))
    country.case("c1", 2)
    country.run(0.03)
    parent_link.reset = True
    country.run(2)
    country.roll_back("c1", backup)
    country.case("c1", 3)
    country.settle()
    assert len(country.rows("p1", "c1")) == 3
    assert not country.held("p1", feed).frozen


def test_a_fork_is_proved_frozen_and_told_to_everybody_on_the_way() -> None:
    """The nation, rolled back unnoticed, says another thing to one child than the others hold."""
    country = Country((1, 2, 4))
    country.net.watch.may_fork.add(country["n"].id)
    feed = country.feed("n", "class_code.all")
    country.code("0101")
    country.run(3)
    country.net.cut("p1")
    backup = country.copy("n")
    country.code("0102", "one life")
    country.run(3)
    for other in ("p2", "c4"):
        country.net.cut(other)
    country.roll_back("n", backup)
    country.net.heal("p1")
    country.run(10)
    country.code("0102", "the other")
    country.run(10)
    assert country.held("p1", feed).head.hash != country.held("p2", feed).head.hash
    for other in ("p2", "c4"):
        country.net.heal(other)
    country.settle()
    for short in country.net.nodes:
        state = country.held(short, feed)
        assert state.frozen, short
        assert "fork" in country.alarms(short), short
        assert feed in country[short].core.evidence, short
    assert {country.held(s, feed).disputed_from for s in ("n", "p1", "p2")} == {2}


def test_a_frozen_feed_stops_no_neighbour() -> None:
    """After a fork in the code tables cases still travel."""
    country = Country((1, 2, 4))
    country.net.watch.may_fork.add(country["n"].id)
    country.net.cut("p1")
    backup = country.copy("n")
    country.code("0101", "one life")
    country.run(3)
    country.roll_back("n", backup)
    for other in ("p2", "c4"):
        country.net.cut(other)
    country.net.heal("p1")
    country.run(10)
    country.code("0101", "the other")
    country.run(5)
    for other in ("p2", "c4"):
        country.net.heal(other)
    country.run(20)
    country.case("c1", 1, 2, 3, supervised=True)
    country.settle()
    assert len(country.rows("n", "c1")) == 3


def test_a_row_with_an_unknown_code_waits_and_is_applied_by_itself() -> None:
    """The origin is told that it waits, and later that it does not."""
    country = Country()
    country.case("c1", 1, 2, code="0101", supervised=True)
    country.case("c1", 3)
    country.run(6)
    for above, feed in (("p1", country.feed("c1", CASE)), ("n", country.feed("c1", "case.nation", "n"))):
        assert country.held(above, feed).parked == 2
        assert country.seq("c1", country.feed(above, REFUSALS, "c1")) > 0
    assert len(country.rows("p1", "c1")) == 1
    country.code("0101")
    country.settle()
    assert len(country.rows("p1", "c1")) == 3
    assert len(country.rows("n", "c1")) == 2


def test_a_newer_version_overtakes_a_row_that_waits() -> None:
    """What was parked does not come back over it, whether both came in one run or in two."""
    country = Country()
    country.case("c1", 1, code="0101")
    country.run(3)
    country.net.cut("c1")
    country.run(1)
    country.case("c1", 2, code="0101")
    country.case("c1", 1, state="closed")
    country.case("c1", 2, state="closed")
    country.net.heal("c1")
    country.run(6)
    assert country.held("p1", country.feed("c1", CASE)).parked == 0
    country.code("0101")
    country.settle()
    assert {row["state"] for row in country.rows("p1", "c1").values()} == {"closed"}


def test_a_newer_version_in_the_same_run_overtakes_a_row_that_must_wait() -> None:
    """Both lie in one run: the older is never let in, not even when its code comes."""
    country = Country()
    country.net.cut("c1")
    country.run(1)
    country.case("c1", 1, code="0101")
    country.case("c1", 1, state="closed")
    country.net.heal("c1")
    country.run(6)
    country.code("0101")
    country.settle()
    assert country.rows("p1", "c1")["330100-001"]["state"] == "closed"


@pytest.mark.parametrize("first", ["case.parent", "case.nation"])
def test_a_row_in_two_feeds_arrives_in_either_order(first: str) -> None:
    """The municipality's cases go to the nation in both its feeds; neither order, nor a removal from one, loses any."""
    country = Country()
    city, nation = country["c3"], country["n"]
    late = "case.nation" if first == "case.parent" else "case.parent"
    country.case("c3", 1, 2, 3, supervised=True)
    country.settle()
    carry = country.net._carry

    def hold_back(node: object, wire: object, data: bytes) -> None:
        frame = Frame.FromString(data)
        slow = node is city and frame.WhichOneof("kind") == "run" and frame.run.feed.publication == late
        country.net.later(3 if slow else 0, lambda: carry(node, wire, data))  # type: ignore[arg-type]

    country.net._carry = hold_back  # type: ignore[method-assign]
    country.case("c3", 1, state="closed", supervised=False)
    country.case("c3", 2, state="closed", supervised=True)
    country.void("c3", 3)
    country.settle()
    assert list(country.rows("n", "c3")) == ["310000-001", "310000-002"]
    assert nation.core.feeds[country.feed("c3", "case.nation", "n")].rows == 1


def test_a_feed_to_a_node_that_the_registry_does_not_show_yet() -> None:
    """A city enrolled while its province was away: the codes wait until the record of their addressee is there."""
    newcomer = "c3"
    country = Country((1, 1, 4), besides=(newcomer,))
    country.net.cut("p1")
    country.run(1)
    country.net.enrol(newcomer)
    country.run(5)
    assert country["n"].core.registry.newest(country[newcomer].id) is None
    country.code("0101")
    country.case(newcomer, 1, supervised=True)
    country.run(5)
    country.net.heal("p1")
    country.settle()
    assert len(country.rows("n", newcomer)) == 1
    assert len(country.rows(newcomer, "n", "class_code")) == 1


def test_a_relay_rolled_back_sends_on_what_had_its_turn_while_it_asked() -> None:
    """Feeds that a relay holds longer than its parent go out although another Want kept the session in compare."""
    country = Country()
    country.case("c1", 1, supervised=True)
    country.run(6)
    backup = country.copy("p1")
    for city in ("c1", "c2"):
        country.net.cut(city)
    country.run(1)
    country.net.enrol("c2", version=2)
    country.run(6)
    country.net.cut("p1")
    country.roll_back("p1", backup)
    for city in ("c1", "c2"):
        country.net.heal(city)
    country.case("c1", 2, supervised=True)
    country.run(10)
    assert country.seq("p1", country.feed("p1", REGISTRY)) < country.seq("n", country.feed("p1", REGISTRY))
    country.net.heal("p1")
    country.settle()
    assert len(country.rows("n", "c1")) == 2


def test_an_own_tail_stays_wanted_when_the_link_breaks_that_brought_it() -> None:
    """The nation knows that a province holds more; it seals nothing of that feed for others before it has it."""
    country = Country((1, 2, 4))
    feed = country.feed("n", "class_code.all")
    country.code("0101")
    country.run(3)
    country.net.cut("p2")
    backup = country.copy("n")
    country.code("0102")
    country.code("0103")
    country.run(3)
    country.net.cut("p1")
    country.net.cut("c4")
    country.roll_back("n", backup)
    nation = country["n"]
    country.net.heal("p1")
    while not nation.core.recovering:
        country.run(0.001)
    country.net.cut("p1")
    country.net.crash(nation)
    country.net.restart(nation)
    country.net.heal("p2")
    country.code("0104")
    country.run(20)
    assert country.seq("p2", feed) == 1, "nothing was sealed over what p1 holds"
    country.net.heal("p1")
    country.net.heal("c4")
    country.settle()
    assert not country.held("n", feed).frozen
    assert len(country.rows("p2", "n", "class_code")) == 4


def test_a_local_change_in_the_very_transaction_that_finds_a_longer_neighbour_is_not_sealed() -> None:
    """One province works already; a code is released in the same batch that brings the other's longer cursor."""
    country = Country((1, 2, 4))
    feed = country.feed("n", "class_code.all")
    country.code("0101")
    country.run(3)
    country.net.cut("p1")
    country.net.cut("c4")
    backup = country.copy("n")
    country.code("0102")
    country.run(3)
    country.net.cut("p2")
    country.roll_back("n", backup)
    country.net.heal("p1")
    country.run(10)
    nation, receive = country["n"], country["n"].receive
    put = Put(nation.id, "class_code", [code_row("0103", "in the same moment")])

    def receive_with_a_put(link: int, data: bytes) -> bool:
        if Frame.FromString(data).WhichOneof("kind") == "cursors" and put not in nation.inbox:
            nation.inbox.append(put)
        return receive(link, data)

    nation.receive = receive_with_a_put  # type: ignore[method-assign]
    country.net.heal("p2")
    country.run(10)
    nation.receive = receive  # type: ignore[method-assign]
    country.net.heal("c4")
    country.settle()
    assert not country.held("n", feed).frozen
    assert len(country.rows("p1", "n", "class_code")) == 3


def test_a_clone_beside_the_original_ends_both_and_an_operator_goes_on_with_one() -> None:
    """Two live sessions of one node: alarm, no session, until one copy goes on under a new instance."""
    country = Country()
    country.case("c1", 1)
    country.run(3)
    copy = country.net.clone("c1")
    country.run(15)
    assert "clone" in country.alarms("p1")
    assert not [link for link in country["p1"].core.links.values() if link.peer == country["c1"].id and link.working]
    assert country["c1"].id in country["p1"].core.clones
    country.net.crash(copy)
    country.net.crash(country["c1"])
    _let_in(country, "p1", "c1")
    country.restore("c1", country.copy("c1"))
    country.case("c1", 2)
    country.settle()
    assert len(country.rows("p1", "c1")) == 2
    alarms = country["p1"].alarms["clone"]
    country.net.restart(copy)
    country.run(15)
    assert country["p1"].alarms["clone"] > alarms
    assert not [link for link in copy.core.links.values() if link.working], "the other instance is refused for ever"
    country.net.crash(copy)
    _let_in(country, "p1", "c1")
    country.case("c1", 3)
    country.settle()
    assert len(country.rows("p1", "c1")) == 3


def _let_in(country: Country, short: str, child: str) -> None:
    """The operator stops a node, clears the alarm about a child, and starts it again."""
    node = country[short]
    country.net.crash(node)
    clear_clone(node.store, country[child].id)
    country.net.restart(node)


def test_a_silent_link_is_noticed_and_dialled_again() -> None:
    """One side believes it lives; pings that nobody answers end it."""
    country = Country()
    wire = next(w for w in country["c1"].links.values())
    wire.silent = True
    country.case("c1", 1)
    start = country.net.now
    while country.seq("p1", country.feed("c1", CASE)) == 0:
        country.run(1)
        assert country.net.now - start < 120 * SECOND
    country.settle()
    assert all(link.phase is Phase.EXCHANGE for link in country["p1"].core.links.values())


def test_receipts_count_again_after_the_receiver_was_rolled_back() -> None:
    """Its counter would start from below; its word must still be taken."""
    country = Country()
    country.case("c1", 1)
    country.run(6)
    backup = country.copy("p1")
    for number in range(20):
        country.case("c1", number)
        country.run(6)
    country.roll_back("p1", backup)
    country.case("c1", 30)
    country.settle(30)


def test_a_voided_row_does_not_come_back_by_the_slower_of_two_feeds() -> None:
    """A municipality put back to before a case existed hears of its end first, then of its beginning."""
    country = Country()
    backup = country.copy("c3")
    country.case("c3", 1, supervised=True)
    country.case("c3", 1, supervised=False)
    country.void("c3", 1)
    country.case("c3", 2, supervised=True)
    country.run(6)
    country.restore("c3", backup)
    country.settle()
    assert list(country.rows("c3", "c3")) == ["310000-002"]
    assert list(country.rows("n", "c3")) == ["310000-002"]


def test_codes_reach_a_city_that_does_not_know_its_own_record_yet() -> None:
    """The province has no other session, so the city's record is sealed only for the city, behind codes that go first:
    the city cannot tell yet that they are for it, and asks for them when it can."""
    country = Country((1, 1, 4), besides=("c1",))
    country.code("0101")
    country.run(3)
    for away in ("p1", "c2", "c3"):
        country.net.cut(away)
    country.run(1)
    country.net.enrol("c1")
    country.run(8)
    assert len(country.rows("c1", "n", "class_code")) == 1


def test_a_crash_between_a_code_and_the_rows_that_waited_for_it() -> None:
    """The code is durable, the process dies before the second look: the next start looks again."""
    country = Country()
    country.case("c1", 1, code="0101")
    country.run(6)
    province = country["p1"]
    assert country.held("p1", country.feed("c1", CASE)).parked == 1
    act = province.act

    def die_after_the_code(what: object) -> None:
        if isinstance(what, Send) and b"class_code" in what.frame:
            province.act = act
            raise Crash
        act(what)  # type: ignore[arg-type]

    province.act = die_after_the_code
    country.code("0101")
    country.net.cut("p1")
    country.net.cut("c1")
    country.net.cut("c2")
    country.run(6)
    assert province.starts > 1
    assert country.held("p1", country.feed("c1", CASE)).parked == 0
