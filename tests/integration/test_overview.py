"""How the tree stands as one node sees it: what is missing here, what has not been confirmed there, and the grade."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from node.overview import overview_of
from node.testing import Member, Topology
from tests.integration.kit import cases, has_no_link, node_of, put, run


async def _overview(member: Member) -> dict[str, Any]:
    node = node_of(member)
    now = node.clock.now_us()
    return await node.writer.ask(lambda replica, store: overview_of(replica, store, now, node.excused))


def test_what_the_parent_has_not_signed_for_is_counted_until_it_has(tmp_path: Path) -> None:
    """While it is away, the city counts its own change sets; when it is back and has signed, nothing is left."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            await put(city, cases(3))
            await net.level()
            await city.until(lambda status: _signed(status, province.node, 1))
            seen = (await _overview(city))["seen"]
            assert (seen[province.node]["unconfirmed"], seen[province.node]["linked"]) == (0, True)
            assert seen[province.node]["expects"]
            assert seen[nation.node]["via"] == province.node
            await province.stop()
            await city.until(has_no_link(province))
            for number in range(10, 14):
                await put(city, cases(1, first=number))
            seen = (await _overview(city))["seen"]
            assert seen[province.node]["unconfirmed"] == 4
            assert seen[province.node]["grade"] == "away"
            assert seen[nation.node]["grade"] == "away"
            await province.start()
            await city.until(lambda status: _signed(status, province.node, 5))
            seen = (await _overview(city))["seen"]
            assert (seen[province.node]["unconfirmed"], seen[province.node]["unconfirmed_since_us"]) == (0, 0)

    run(work())


def _signed(status: dict[str, Any], by: str, seq: int) -> bool:
    return any(
        receipt["by"] == by and receipt["received"] >= seq
        for feed in status["feeds"]
        if feed["own"] and feed["publication"] == "case.parent"
        for receipt in feed["receipts"]
    )


def test_a_node_that_brings_others_data_is_not_called_empty(tmp_path: Path) -> None:
    """At the nation the province has the grade of what comes by way of it, and a silent sibling is out of sight."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            before = (await _overview(nation))["seen"]
            assert before[province.node]["grade"] == "service"
            await put(city, cases(2, supervised=True))
            await net.level()
            seen = (await _overview(nation))["seen"]
            assert seen[province.node]["grade"] == "data"
            assert seen[city.node]["grade"] == "data"
            assert (seen[city.node]["missing"], seen[city.node]["parked"], seen[city.node]["refused"]) == (0, 0, 0)
            assert nation.node not in seen

    run(work())
