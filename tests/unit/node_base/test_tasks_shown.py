"""What a list of tasks says of one, worked out from its moves alone."""

from __future__ import annotations

import pytest

from node.commands.tasks import is_warned
from sync.wire.v1.entry_pb2 import MoveBody


@pytest.mark.parametrize(
    ("moves", "warned"),
    [
        ("issue:5", False),
        ("issue:5 warned:5", True),
        ("issue:5 warned:5 comment:5 overdue:5", True),
        ("issue:5 warned:5 extend:9", False),
        ("issue:5 warned:5 extend:9 warned:9", True),
        ("issue:5 warned:5 restated:7", True),
        ("issue:5 warned:5 restated:7 comment:7 restated:8", True),
        ("issue:5 restated:7", False),
        ("issue:5 warned:5 extend:6 restated:7", False),
        ("issue:5 warned:5 close:0", False),
        ("restated:5", False),
    ],
)
def test_a_warning_is_of_the_present_limit(moves: str, warned: bool) -> None:
    """A new limit begins without one; the same limit that a calendar moved keeps it; what has ended has none."""
    history = []
    for said in moves.split():
        move, _, due = said.partition(":")
        history.append(MoveBody(move=move, due_at=int(due), accepted=True))
    assert is_warned(history) is warned
