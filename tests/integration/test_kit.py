"""The testing kit itself: what a failing test is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.testing import THREE, Topology
from tests.integration.kit import run


def test_a_failing_body_is_told_the_last_lines_of_every_nodes_log(tmp_path: Path) -> None:
    """As a note of its own exception; and the nodes are ended."""

    async def work() -> None:
        async with Topology(tmp_path, THREE[:2]) as net:
            members.extend(net.members.values())
            raise LookupError("as the test says")

    members: list[object] = []
    with pytest.raises(LookupError, match="as the test says") as caught:
        run(work())
    (note,) = caught.value.__notes__
    for place in THREE[:2]:
        _, _, lines = note.partition(f"--- last lines of {place.name}\n")
        assert '"event":"node_ready"' in lines.partition("--- last lines")[0]
    assert [member.running for member in members] == [None, None]  # type: ignore[attr-defined]
