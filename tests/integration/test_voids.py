"""Voids that every receiver would refuse for good are refused where they are brought."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.faults import Code, UserFault
from node.testing import Topology
from sync.reasons import Reason
from tests.integration.kit import COLUMNS, THREE_UP, cases, put, run, same_cases
from tiers.door import VOID_REASON_MAX


def test_voids_that_cannot_be_said_above_are_not_taken(tmp_path: Path) -> None:
    """A long reason, a key voided twice, a key put and voided at once: the upper tiers end as the origin does."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            client = await city.client()
            rows = cases(4, supervised=True)
            await put(city, rows)
            keys = [row[:1] for row in rows]
            with pytest.raises(UserFault) as met:
                await client.put("case", (), (), keys[:1], "理" * (VOID_REASON_MAX + 1))
            assert met.value.code is Code.INPUT_FAULT
            longest = await client.put("case", (), (), keys[:1], "理" * VOID_REASON_MAX)
            twice = await client.put("case", (), (), [keys[1], keys[1]], "x")
            both = await client.put("case", COLUMNS, [(*rows[2][:-1], "changed")], [keys[2], keys[3]], "x")
            assert [(r.accepted, [(x.index, x.reason) for x in r.rejected]) for r in (longest, twice, both)] == [
                (1, []),
                (1, [(1, Reason.RULE_BROKEN)]),
                (2, [(0, Reason.RULE_BROKEN)]),
            ]
            await net.level()
            assert same_cases(net, "city", THREE_UP) == 2
            for name in net.members:
                assert (await net[name].command("fsck"))["sound"]

    run(work())
