"""Who may ask for parts of a file, what is passed on, and where it ends; the neighbours may be hostile."""

from __future__ import annotations

import pytest

from sync import limits
from sync.errors import InputFault
from sync.events import AttachmentRead, FetchAttachment
from sync.reasons import Reason
from sync.values import FeedName, Kind, Lane, Route
from sync.wire.v1.frame_pb2 import Ack, AttachmentChunk, AttachmentWant, Credit, Frame
from tests.unit.sync.line import CHUNK, DATA, HASH, Line, Node, chunk_of
from tests.unit.sync.stage import Played
from tests.vectors.world import CITY, NATION, OTHER_CITY, PROVINCE, Forge, key

CAPABILITIES = ["attachments"]


def relay() -> tuple[Node, Played, Played, Played]:
    """A province with its parent and both its cities."""
    stage = Node(PROVINCE)
    nation, city, other = (stage.dial_in(n, capabilities=CAPABILITIES) for n in (NATION, CITY, OTHER_CITY))
    return stage, nation, city, other


def want(asker: str = NATION, origin: str = CITY, offset: int = 0, name: bytes = HASH) -> AttachmentWant:
    return AttachmentWant(origin=origin, asker=asker, hash=name, offset=offset)


def chunk(asker: str = NATION, origin: str = CITY, offset: int = 0, data: bytes = b"x") -> AttachmentChunk:
    return AttachmentChunk(origin=origin, asker=asker, hash=HASH, offset=offset, data=data, total=len(DATA))


def test_a_file_comes_over_two_hops() -> None:
    """Part by part, in order; the node in between holds nothing of it."""
    line = Line()
    line.fetch()
    line.settle()
    assert line.kept == DATA
    assert [end.reason for end in line.ended] == [Reason.NONE]
    assert line.province.kept == []
    counts = line.province.core.attachments.counts
    assert counts["passed_bytes"] == line.city.core.attachments.counts["given_bytes"] == len(DATA)


def test_who_may_not_have_it_is_told_once_and_plainly() -> None:
    """The origin says so, with its name; nothing is asked again."""
    line = Line(shared=False)
    line.fetch()
    line.live(100)
    assert line.ended == [(type(line.ended[0]))(Reason.ATTACHMENT_NOT_SHARED, CITY, 0)]
    assert line.kept == b""
    assert line.city.core.attachments.counts["refused"] == 1


def test_one_that_is_too_large_is_not_fetched() -> None:
    """Its size is told with the first part, and nothing more is asked."""
    line = Line()
    line.fetch(most=len(DATA) - 1)
    line.settle()
    assert [(end.reason, end.total) for end in line.ended] == [(Reason.LIMIT_EXCEEDED, len(DATA))]
    assert line.city.core.attachments.counts["given_bytes"] == CHUNK


def test_more_than_a_few_at_a_time_are_refused_to_the_caller() -> None:
    """The node itself keeps to a bound; and one file is fetched once at a time."""
    stage = Node(NATION)
    for number in range(limits.ATTACHMENTS_AT_ONCE):
        stage.step(FetchAttachment(number, CITY, bytes([number]) * 32, 0, 10))
    stage.step(FetchAttachment("too many", CITY, HASH, 0, 10), FetchAttachment("again", CITY, bytes(32), 0, 10))
    assert [type(reply) for reply in stage.replies[-2:]] == [InputFault, InputFault]


def test_without_a_link_it_waits_and_goes_on() -> None:
    """Asked again with growing pauses, not in a rush."""
    line = Line()
    line.lower.cut()
    line.fetch()
    line.live(500)
    assert line.ended == []
    assert line.province.core.attachments.counts["no_link"] < 20
    line.lower.connect()
    line.live(61)
    assert line.kept == DATA


def test_what_does_not_come_is_given_up_in_the_end() -> None:
    """It would hold a place for ever; what came stays, and it is asked for again by whoever wants it."""
    line = Line()
    line.lower.cut()
    line.fetch()
    line.live(limits.ATTACHMENT_PATIENCE_US // 1_000_000 + 70)
    assert [end.reason for end in line.ended] == [Reason.TIMEOUT]
    assert not line.nation.core.attachments.fetches


@pytest.mark.parametrize("old", ["parent", "child"])
def test_an_older_neighbour_is_told_of_by_name(old: str) -> None:
    """A node of before knows nothing of attachments: whoever asks hears which one it is, and that one hears nothing."""
    stage = Node(PROVINCE)
    nation = stage.dial_in(NATION, capabilities=[] if old == "parent" else CAPABILITIES)
    city = stage.dial_in(CITY, capabilities=CAPABILITIES if old == "parent" else [])
    if old == "child":
        nation.say(attachment_want=want())
        (told,) = nation.said("attachment_chunk")
        assert (told.reason, told.by) == (Reason.VERSION_TOO_OLD, CITY)
        assert city.said("attachment_want") == []
    else:
        nation.say(attachment_want=want())
        assert city.said("attachment_want") == nation.said("attachment_chunk") == []
        assert stage.core.links[nation.link].unknown_frames == 1


def test_who_asks_through_an_older_parent_is_told_at_once() -> None:
    """Its own node knows."""
    city = Node(CITY)
    city.dial_in(PROVINCE, capabilities=[])
    city.step(FetchAttachment("file", NATION, HASH, 0, 10))
    (end,) = city.replies[-1:]
    assert (end.reason, end.by) == (Reason.VERSION_TOO_OLD, PROVINCE)


@pytest.mark.parametrize(
    ("asker", "origin"),
    [
        (OTHER_CITY, NATION),  # in another's name
        (NATION, OTHER_CITY),
        (PROVINCE, OTHER_CITY),  # in the name of the node itself
        (CITY, "c999999.p330000.cn-demo"),  # of a node that nobody knows
    ],
)
def test_nobody_asks_in_anothers_name(asker: str, origin: str) -> None:
    """A Want comes from the side on which its asker lies, and goes to another side."""
    stage, nation, city, other = relay()
    city.say(attachment_want=want(asker, origin))
    assert [p.said("attachment_want") for p in (nation, city, other)] == [[], [], []]
    assert stage.core.attachments.counts["wrong_way"] == 1
    assert city.ended() is None


def test_only_what_was_asked_for_is_passed_on() -> None:
    """Once, from the side it was asked of. Everything else is dropped, its credit given back, and counted."""
    stage, nation, city, other = relay()
    city.say(attachment_chunk=chunk())
    nation.say(attachment_want=want())
    other.say(attachment_chunk=chunk())
    city.say(attachment_chunk=chunk(offset=CHUNK))
    assert nation.said("attachment_chunk") == []
    city.say(attachment_chunk=chunk())
    city.say(attachment_chunk=chunk())
    assert len(nation.said("attachment_chunk")) == 1
    assert stage.core.attachments.counts["not_asked_for"] == 4
    assert sum(credit.bytes for ack in city.said("ack") for credit in ack.credit) == 4


def test_endless_chunks_for_this_node_are_dropped() -> None:
    """A file that nobody fetches."""
    stage, _, city, _ = relay()
    for number in range(50):
        city.say(attachment_chunk=chunk(PROVINCE, offset=number))
    assert stage.kept == []
    assert stage.core.attachments.counts["not_asked_for"] == 50


def test_wants_are_bounded_by_who_asks() -> None:
    """So one node cannot take all the room; the alarm names it, once."""
    stage, nation, city, other = relay()
    for number in range(limits.ATTACHMENT_WANTS_PER_ASKER_MAX + 20):
        nation.say(attachment_want=want(offset=number * CHUNK))
    assert len(city.said("attachment_want")) == limits.ATTACHMENT_WANTS_PER_ASKER_MAX
    assert stage.alarmed().count("attachment_wants") == 1
    other.say(attachment_want=want(OTHER_CITY))
    assert len(city.said("attachment_want")) == limits.ATTACHMENT_WANTS_PER_ASKER_MAX + 1
    stage.live(limits.ATTACHMENT_WANT_US // 1_000_000 + 30)
    assert not stage.core.attachments.passing


def test_a_want_that_is_under_way_is_not_asked_twice() -> None:
    """Whoever is impatient makes no more work."""
    stage, nation, city, _ = relay()
    for _ in range(5):
        nation.say(attachment_want=want())
    assert len(city.said("attachment_want")) == 1
    assert stage.core.attachments.counts["asked_again"] == 4


@pytest.mark.parametrize(
    "frame",
    [
        Frame(attachment_want=AttachmentWant()),
        Frame(attachment_want=want(asker="NATION")),
        Frame(attachment_want=want(name=b"short")),
        Frame(attachment_want=want(offset=2**63)),
        Frame(attachment_want=want(asker=CITY, origin=CITY)),
        Frame(attachment_chunk=AttachmentChunk()),
        Frame(attachment_chunk=chunk(data=bytes(CHUNK + 1))),
        Frame(attachment_chunk=AttachmentChunk(origin=CITY, asker=NATION, hash=HASH, data=b"x", reason=507)),
        Frame(attachment_chunk=AttachmentChunk(origin=CITY, asker=NATION, hash=HASH, reason=507, by="x" * 1_000)),
    ],
)
def test_frames_that_are_none_end_the_session(frame: Frame) -> None:
    """Nothing of them is kept or passed on."""
    stage, nation, city, _ = relay()
    city.raw(frame.SerializeToString())
    assert city.ended() is Reason.MALFORMED
    assert nation.said("attachment_chunk") == nation.said("attachment_want") == []
    assert not stage.core.attachments.passing


def test_chunks_beyond_the_credit_end_the_session() -> None:
    """As runs do: what is under way is bounded by the receiver."""
    stage, _, city, _ = relay()
    link = stage.core.links[city.link]
    link.taken = dict.fromkeys(list(link.turn)[1:2], limits.BULK_CREDIT_BYTES)
    city.say(attachment_chunk=chunk(data=bytes(CHUNK)))
    assert city.ended() is Reason.NO_CREDIT


def test_urgent_rows_overtake_a_file() -> None:
    """Parts of files that fill the line upwards stay within the window of bulk; what is urgent goes at once, and the
    next part when one was acknowledged."""
    stage, nation, city, _ = relay()
    room = 4 * limits.OUTSTANDING_BYTES_MIN // CHUNK
    for number in range(room + 20):
        nation.say(attachment_want=want(origin=PROVINCE, offset=number * CHUNK))
    for act in stage.reads:
        stage.step(AttachmentRead(act.asker, act.hash, act.offset, bytes(CHUNK), 100 * CHUNK, Reason.NONE))
    assert len(nation.said("attachment_chunk")) == room
    assert len(stage.core.links[nation.link].chunks) == 20
    urgent = Forge(FeedName(CITY, "x_now.nation", NATION), key(CITY), Route.NODE, Lane.URGENT)
    city.run(urgent.run([urgent.entry(b"now", kind=Kind.CHECKPOINT, codec=2)]))
    assert len(nation.runs(urgent.feed)) == 1
    nation.say(ack=Ack(credit=[Credit(lane=3, bytes=CHUNK)]))  # type: ignore[arg-type]
    assert len(nation.said("attachment_chunk")) > room


def test_a_link_that_ends_holds_nobody_up() -> None:
    """What was asked for over it may be asked for again at once."""
    line = Line()
    line.fetch()
    for _ in range(4):
        line.once()
    line.lower.cut()
    assert not line.province.core.attachments.passing
    line.lower.connect()
    line.live(20)
    assert line.kept == DATA


def test_a_wrong_size_raises_an_alarm() -> None:
    """The whole changes its size on the way."""
    line = Line()

    def change(frame: Frame) -> list[Frame]:
        found = chunk_of(frame)
        if found is not None and found.offset:
            found.total = len(DATA) - 1
        return [frame]

    line.change = change
    line.fetch()
    line.settle()
    assert [end.reason for end in line.ended] == [Reason.MALFORMED]
    assert "attachment_wrong" in line.nation.alarmed()
