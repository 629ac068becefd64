"""A file arrives whole and once, or not at all, whatever becomes of the frames that carry it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.reasons import Reason
from sync.wire.v1.frame_pb2 import Frame
from tests.unit.sync.line import CHUNK, DATA, Line, chunk_of

_STEPS = st.lists(
    st.sampled_from(["carry", "carry", "carry", "carry", "cut above", "cut below", "connect", "time", "twice"]),
    max_size=60,
)


class _Carrier:
    """Doubles one chunk when told to."""

    def __init__(self) -> None:
        self.twice = False

    def __call__(self, frame: Frame) -> list[Frame]:
        if self.twice and frame.WhichOneof("kind") == "attachment_want":
            self.twice = False
            return [frame, frame]
        return [frame]


@settings(max_examples=40)
@given(_STEPS)
def test_a_file_arrives_through_cuts_delays_and_doubles(steps: list[str]) -> None:
    """At whatever frame a link ends, and however often: when the links stand again the whole file comes, in order,
    every byte once; nothing stays behind at the node in between, and no session ends for it."""
    line, carrier = Line(), _Carrier()
    line.change = carrier
    line.fetch()
    for step in steps:
        match step:
            case "carry":
                line.once()
            case "cut above":
                line.upper.cut()
            case "cut below":
                line.lower.cut()
            case "connect":
                line.connect()
            case "time":
                for node in (line.nation, line.province, line.city):
                    node.wait(3)
            case "twice":
                carrier.twice = True
    line.connect()
    line.live(200)
    assert [end.reason for end in line.ended] == [Reason.NONE]
    assert line.kept == DATA
    assert sum(len(part.data) for part in line.nation.kept) == len(DATA)
    assert not line.nation.core.attachments.fetches
    assert not line.province.core.attachments.passing
    assert line.upper.ends is not None
    assert line.lower.ends is not None


@given(have=st.integers(0, len(DATA)))
@settings(max_examples=15)
def test_a_file_goes_on_where_it_stopped(have: int) -> None:
    """After a start too: what is on the disk is not asked for again."""
    line = Line()
    line.fetch(have)
    line.settle()
    assert [end.reason for end in line.ended] == [Reason.NONE]
    assert b"".join(part.data for part in line.nation.kept) == DATA[have:]


@given(st.data())
@settings(max_examples=30)
def test_hostile_chunks_are_dropped_or_end_it(data: st.DataObject) -> None:
    """The node in between changes one chunk in any field: nothing that does not join is handed on; it ends with a
    reason, goes on, or the session ends. What is handed on is at most the whole; whether it is right its hash says."""
    at = data.draw(st.integers(0, 5))
    field = data.draw(st.sampled_from(["offset", "data", "total", "hash", "origin", "asker", "reason", "by"]))
    value: object = {
        "offset": data.draw(st.integers(0, 2**63)),
        "total": data.draw(st.integers(0, 2**63)),
        "reason": data.draw(st.integers(0, 2**31)),
        "data": data.draw(st.sampled_from([b"", b"x", bytes(CHUNK), bytes(CHUNK + 1), bytes(200_000)])),
        "hash": data.draw(st.binary(max_size=40)),
    }.get(field, data.draw(st.sampled_from(["", "x", "..", "n100000.cn-demo", "c330100.p330000.cn-demo", "a" * 90])))
    seen = [0]

    def change(frame: Frame) -> list[Frame]:
        chunk = chunk_of(frame)
        if chunk is not None:
            seen[0] += 1
            if seen[0] == 2 * at + 2:
                setattr(chunk, field, value)
        return [frame]

    line = Line()
    line.change = change
    line.fetch()
    line.settle()
    line.connect()
    line.live(200)
    assert len(line.ended) == 1
    assert len(line.kept) <= len(DATA)
    assert not line.nation.core.attachments.fetches
