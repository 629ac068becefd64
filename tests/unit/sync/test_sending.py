"""What a node sends: never more under way than the peer gave credit for, urgent before normal before bulk."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from node.store.store import Store
from sync import limits
from sync.chain import OpenedRun
from sync.effects import Append, LogEntry
from sync.events import Drain, LocalPut
from sync.link import Window
from sync.reasons import Reason
from sync.values import FeedName, Kind, Lane, Route
from sync.wire.v1.frame_pb2 import Ack, Credit, Entry, Limits, Notice, Ping, Run
from sync.wire.v1.frame_pb2 import FeedName as WireFeed
from tests.unit.sync.stage import SECOND, Played, Stage, cursor
from tests.vectors.world import CITY, NATION, PROVINCE, Forge, key, record, sixteen


def _addressed(publication: str, lane: Lane) -> Forge:
    return Forge(FeedName(CITY, publication, NATION), key(CITY), Route.NODE, lane)


def _large(forge: Forge, size: int) -> Run:
    return forge.run([forge.entry(bytes(size), kind=Kind.CHECKPOINT, codec=2)])


def _size(run: Run) -> int:
    return sum(len(e.header) + len(e.payload) + len(e.seal) for e in run.entries)


def _answer(nation: Played, run: Run) -> None:
    ack = Ack(credit=[Credit(lane=run.lane, bytes=_size(run))])
    nation.say(ack=ack)


def test_entries_that_fill_the_credit_badly_never_exceed_it() -> None:
    """Entries of 900 KiB: the fifth would pass 4 MiB, so it waits for an answer."""
    stage = Stage()
    city, nation = stage.dial_in(CITY), stage.dial_in(NATION)
    forge = _addressed("x_big.nation", Lane.NORMAL)
    for _ in range(8):
        city.run(_large(forge, 900 * 1024))
    assert city.acked == 8
    under_way = nation.runs(forge.feed)
    assert 1 <= len(under_way) <= 4
    answered = 0
    while answered < len(nation.runs(forge.feed)):
        runs = nation.runs(forge.feed)
        assert sum(map(_size, runs[answered:])) <= limits.BULK_CREDIT_BYTES
        _answer(nation, runs[answered])
        answered += 1
    assert answered == 8


def test_urgent_is_sent_while_bulk_fills_its_own_credit() -> None:
    """Two credits: what waits in one does not hold up the other."""
    stage = Stage()
    city, nation = stage.dial_in(CITY), stage.dial_in(NATION)
    bulk, urgent = _addressed("x_big.nation", Lane.BULK), _addressed("moves", Lane.URGENT)
    for _ in range(8):
        city.run(_large(bulk, 900 * 1024))
    sent = len(nation.said("run"))
    city.run(_large(urgent, 100))
    assert len(nation.runs(urgent.feed)) == 1
    assert len(nation.said("run")) == sent + 1


def _order(nation: Played, since: int = 0) -> list[str]:
    """Publications of the runs the nation got, in order."""
    return [run.feed.publication for run in nation.said("run")[since:]]


def _answer_all(nation: Played) -> None:
    """Until nothing more comes."""
    answered = 0
    while answered < len(runs := nation.said("run")):
        _answer(nation, runs[answered])
        answered += 1


def _full(lane: Lane) -> tuple[Stage, Played, Played, int]:
    """A province whose line to the nation has all under way that it may in this lane; and how many runs that is."""
    stage = Stage()
    city, nation = stage.dial_in(CITY), stage.dial_in(NATION)
    filling = _addressed("x_fill.nation", lane)
    for _ in range(4):
        city.run(_large(filling, 1000 * 1024))
    return stage, city, nation, len(nation.said("run"))


@pytest.mark.parametrize("first", [Lane.NORMAL, Lane.BULK])
def test_normal_goes_before_bulk_when_there_is_room_again(first: Lane) -> None:
    """Whichever came first."""
    _, city, nation, sent = _full(Lane.BULK)
    names = {Lane.NORMAL: "x_normal.nation", Lane.BULK: "x_bulk.nation"}
    for lane in (first, *(names.keys() - {first})):
        city.run(_large(_addressed(names[lane], lane), 100))
    assert len(nation.said("run")) == sent
    _answer_all(nation)
    came = [name for name in _order(nation, sent) if name != "x_fill.nation"]
    assert came == ["x_normal.nation", "x_bulk.nation"]


def test_feeds_of_one_lane_take_turns() -> None:
    """A long one does not hold up a short one that came later."""
    _, city, nation, sent = _full(Lane.BULK)
    long, short = _addressed("x_long.nation", Lane.BULK), _addressed("x_short.nation", Lane.BULK)
    for _ in range(4):
        city.run(_large(long, 900 * 1024))
    for _ in range(2):
        city.run(_large(short, 900 * 1024))
    assert len(nation.said("run")) == sent
    _answer_all(nation)
    came = [name[2] for name in _order(nation, sent) if name != "x_fill.nation"]
    assert came == ["l", "s", "l", "s", "l", "l"]


def test_the_registry_goes_before_what_is_urgent() -> None:
    """What comes behind it may need its records; it is of the same credit."""
    stage, city, nation, sent = _full(Lane.URGENT)
    city.run(_large(_addressed("moves", Lane.URGENT), 100))
    stage.enrol(record("c330300.p330000.cn-demo", PROVINCE, "330300"))
    assert len(nation.said("run")) == sent
    _answer_all(nation)
    came = [name for name in _order(nation, sent) if name != "x_fill.nation"]
    assert came == ["registry", "moves"]


def test_a_feed_that_was_dropped_rests_until_the_peer_says_where_to_go_on() -> None:
    """A Notice gives the credit back; a Cursor starts the feed again."""
    stage = Stage()
    city, nation = stage.dial_in(CITY), stage.dial_in(NATION)
    forge = _addressed("x_big.nation", Lane.NORMAL)
    city.run(_large(forge, 100))
    (run,) = nation.runs(forge.feed)
    wire = WireFeed(origin=CITY, publication="x_big.nation", addressee=NATION)
    credit = Credit(lane=run.lane, bytes=_size(run))
    nation.say(notice=Notice(reason=int(Reason.BAD_SEAL), feed=wire, credit=credit))
    city.run(_large(forge, 100))
    assert len(nation.runs(forge.feed)) == 1
    nothing = cursor(forge, 0)
    nation.say(cursors={"cursors": [nothing]})
    assert [len(r.entries) for r in nation.runs(forge.feed)][1:] == [2]


def test_a_run_above_the_credit_goes_alone() -> None:
    """A stretch up to a seal is not cut, so a first run may always go."""
    window = Window(credit=1000, size=500)
    assert window.fits(5000)
    window.sent(5000)
    assert not window.fits(1)
    assert window.room() < 0


def test_a_run_that_is_never_answered_ends_the_session_and_comes_again_in_the_next() -> None:
    """Its bytes may have become a frame of another kind on the way: no Notice ever comes, though the peer lives."""
    stage = Stage()
    city, nation = stage.dial_in(CITY), stage.dial_in(NATION)
    forge = _addressed("x_big.nation", Lane.NORMAL)
    city.run(_large(forge, 100))
    answered = _addressed("x_more.nation", Lane.NORMAL)
    city.run(_large(answered, 200))
    _answer(nation, nation.runs(answered.feed)[0])
    for nonce in range(1, 13):
        assert nation.ended() is None
        stage.wait(limits.RUN_ANSWER_US / 1e6 / 12)
        nation.say(ping=Ping(nonce=nonce))
        city.say(ping=Ping(nonce=nonce))
    assert nation.ended() is Reason.TIMEOUT
    assert nation.said("notice")[-1].detail == "a run was not answered"
    again = stage.dial_in(NATION, cursor(answered), boot=sixteen("boot again"))
    assert len(again.runs(forge.feed)) == 1
    assert again.runs(answered.feed) == []


@pytest.mark.parametrize("lane", [Lane.URGENT, Lane.BULK])
@pytest.mark.parametrize("given", [64 * 1024, 1 << 40])
def test_the_credit_of_a_session_is_the_lower_of_what_both_say(lane: Lane, given: int) -> None:
    """A peer with less memory says so in Hello; one that boasts gets no more than this node allows itself."""
    stage = Stage()
    city = stage.dial_in(CITY)
    nation = stage.dial_in(NATION, limits=Limits(urgent_credit_bytes=given, bulk_credit_bytes=given))
    forge = _addressed("x_big.nation", lane)
    own = limits.URGENT_CREDIT_BYTES if lane is Lane.URGENT else limits.BULK_CREDIT_BYTES
    assert stage.core.links[nation.link].window(lane).credit == min(given, own)
    for _ in range(8):
        city.run(_large(forge, 40 * 1024))
    answered = 0
    while answered < len(runs := nation.runs(forge.feed)):
        assert sum(map(_size, runs[answered:])) <= min(given, own)
        _answer(nation, runs[answered])
        answered += 1
    assert answered == 8


def test_a_node_that_stops_sends_nothing_new_and_hears_the_answers() -> None:
    """Neighbours are told; what was under way is answered still, and what comes meanwhile goes with the next start."""
    stage = Stage()
    city, nation = stage.dial_in(CITY), stage.dial_in(NATION)
    forge = _addressed("x_big.nation", Lane.NORMAL)
    city.run(_large(forge, 100))
    stage.step(Drain(stage.now + SECOND))
    assert [len(played.said("drain")) for played in (city, nation)] == [1, 1]
    city.run(_large(forge, 100))
    assert city.acked == 2
    (run,) = nation.runs(forge.feed)
    link = stage.core.links[nation.link]
    under_way = [sent.feed for sent in link.sent]
    _answer(nation, run)
    assert [sent.feed for sent in link.sent] == [feed for feed in under_way if feed != forge.feed] != under_way
    assert len(nation.runs(forge.feed)) == 1
    assert nation.ended() is None


def test_a_feed_whose_addressee_is_not_known_waits_with_an_alarm() -> None:
    """One alarm; it is taken and acknowledged, and goes on by itself when the registry shows where to."""
    stage = Stage()
    city, nation = stage.dial_in(CITY), stage.dial_in(NATION)
    newcomer = "c310000.cn-demo"
    forge = Forge(FeedName(CITY, "x_big.node", newcomer), key(CITY), Route.NODE, Lane.NORMAL)
    for _ in range(2):
        city.run(_large(forge, 100))
    assert city.acked == 2
    assert nation.runs(forge.feed) == []
    (alarm,) = stage.alarms
    assert (alarm.name, alarm.fields) == ("addressee_unknown", {"feed": str(forge.feed)})
    stage.enrol(record(newcomer, NATION, "310000"))
    stage.live(1)
    assert [len(run.entries) for run in nation.runs(forge.feed)] == [2]


TREES = FeedName(CITY, "x_tree.tall")


@pytest.mark.parametrize("measure", ["rows", "plain_size"])
@pytest.mark.parametrize("sizes", [(7, 7, 7, 7, 7, 7), (10, 1, 10, 10, 1), (1, *[2] * 19, 10, 10), (3,) * 50])
def test_what_an_origin_seals_fits_the_runs_of_every_relay(
    sizes: Sequence[int], measure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seals stand so that runs can be cut within their bounds, by the origin and by all who pass them on."""
    stage = Stage(CITY)
    for batch, size in enumerate(sizes):
        trees = [(f"{batch}-{n}", "330106", n, "elm") for n in range(size)]
        stage.step(LocalPut("t", stage.locally("x_tree", *trees)))
    waiting = stage.store.outbox(TREES, 1 << 30, 1000)
    assert [item.rows for item in waiting] == list(sizes)
    most = {"rows": 10, "plain_size": max(item.plain_size for item in waiting)}[measure]
    monkeypatch.setattr(limits, {"rows": "RUN_ROWS_MAX", "plain_size": "RUN_PLAIN_BYTES_MAX"}[measure], most)
    province = stage.dial_in(PROVINCE)
    runs = province.runs(TREES)
    for _ in range(3):
        taken = _taken(stage, runs)
        assert len(taken) == len(sizes)
        assert all(sum(getattr(e, measure) for e in _entries(stage, run)) <= most for run in runs)
        runs = _passed_on(stage, taken, runs[0])


def _entries(stage: Stage, run: Run) -> list[LogEntry]:
    opened = stage.opened(run)
    assert isinstance(opened, OpenedRun), opened
    return [one.entry for one in opened.entries]


def _taken(stage: Stage, runs: Sequence[Run]) -> list[LogEntry]:
    return [entry for run in runs for entry in _entries(stage, run)]


def _passed_on(stage: Stage, entries: Sequence[LogEntry], like: Run) -> list[Run]:
    """The runs that a node makes which has taken these entries."""
    relay, runs = Store.in_memory(stage.store.schemas()), []
    relay.begin()
    relay.perform(Append(TREES, like.epoch, entries, [0] * len(entries)))
    relay.commit()
    seq = 1
    while found := relay.entries(TREES, like.epoch, seq, limits.RUN_BYTES_MAX, limits.RUN_ENTRIES_MAX):
        made = [Entry(header=e.header, payload=e.payload, seal=e.seal) for e in found]
        runs.append(Run(feed=like.feed, epoch=like.epoch, entries=made, lane=like.lane))
        seq = found[-1].seq + 1
    relay.close()
    return runs
