"""Parts are counted before a message is parsed, whatever its bytes are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.link.pipe import FRAME_PARTS_MAX, RUN_PARTS_MAX
from sync.counting import count_parts
from sync.limits import RUN_ENTRIES_MAX
from sync.wire.v1.frame_pb2 import Entry, FeedHead, Frame, HeadsStatement, Run, Statements

MANY = 10_000


def in_run(content: bytes) -> bytes:
    """A frame whose run is these bytes."""
    size = len(content)
    head = Frame(run=Run(lane=1)).SerializeToString()[:1]
    length = b""
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return head + length + bytes([size]) + content


EMPTY_ENTRIES = Run(entries=[Entry()] * MANY).SerializeToString()


@pytest.mark.parametrize(
    "content",
    [EMPTY_ENTRIES, b"\xa3\x06\xa4\x06" + EMPTY_ENTRIES, b"\x18\x01" * MANY],
    ids=["empty entries", "a group before them", "numbers again and again"],
)
def test_a_frame_of_very_many_parts_is_known_before_it_is_built(content: bytes) -> None:
    """And counting stops soon after the bound."""
    assert 4_096 < count_parts(in_run(content), 4_096) <= 4_098


def test_an_honest_run_is_counted_as_what_it_holds() -> None:
    """One run, and in it its lane and its entries."""
    assert count_parts(Frame(run=Run(lane=1, entries=[Entry(header=b"h")] * 7)).SerializeToString(), 4_096) == 1 + 1 + 7


def test_the_largest_lawful_run_passes_the_pipe_and_a_crowded_statement_does_not() -> None:
    """4,096 entries, each with header, payload and seal; and half a million heads in one statement."""
    entry = Entry(header=b"h" * 20, payload=b"p", seal=b"s")
    run = Frame(run=Run(lane=1, epoch=b"e", entries=[entry] * RUN_ENTRIES_MAX)).SerializeToString()
    assert count_parts(run, RUN_PARTS_MAX) <= RUN_PARTS_MAX
    assert count_parts(run, FRAME_PARTS_MAX, depth=3) <= FRAME_PARTS_MAX
    heads = Statements(heads=[HeadsStatement(heads=[FeedHead()] * 500_000)])
    crowded = Frame(statements=heads).SerializeToString()
    assert count_parts(crowded, FRAME_PARTS_MAX, depth=3) > FRAME_PARTS_MAX


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_are_counted_without_an_error(data: bytes, stop_at: int) -> None:
    """Whatever they are."""
    assert count_parts(data, stop_at) >= 0
