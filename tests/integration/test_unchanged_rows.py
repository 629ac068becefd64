"""Rows that are brought again as they are, beside others that changed."""

from __future__ import annotations

from pathlib import Path

from node.testing import Topology
from tests.integration.kit import COLUMNS, THREE_UP, cases, run, same_cases


def test_an_unchanged_row_beside_a_changed_one_stays_in_the_digest_of_its_feed(tmp_path: Path) -> None:
    """A file loaded again with some rows changed: every tier still says the same digest, and each store is sound."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, rows = net["city"], cases(5, supervised=True)
            await city.put("case", COLUMNS, rows)
            again = [*rows[:2], (*rows[2][:-1], "changed"), rows[3]]
            result = await city.put("case", COLUMNS, again, voids=[rows[4][:1]])
            assert (result.accepted, result.unchanged) == (2, 3)
            await net.level()
            assert same_cases(net, "city", THREE_UP) == 4 * 2
            for name in net.members:
                assert (await net[name].command("fsck"))["sound"]

    run(work())
