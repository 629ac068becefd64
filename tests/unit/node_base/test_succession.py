"""What a succession says of the old node's feeds."""

from __future__ import annotations

import pytest

from node.succession import _last
from sync.effects import FeedState
from sync.values import FeedName, Head, Lane, Route


@pytest.mark.parametrize(("disputed_from", "last"), [(0, 10), (7, 6), (1, 0)])
def test_a_forked_feed_ends_before_what_is_disputed(disputed_from: int, last: int) -> None:
    """Which of two histories holds is for a person to say; the end is said for good."""
    head = Head(bytes(16), 10, bytes(32))
    state = FeedState(FeedName("c.cn", "case.parent"), Route.PARENT, Lane.NORMAL, head, disputed_from=disputed_from)
    assert _last(state) == last
