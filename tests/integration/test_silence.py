"""A source, or a dataset of another node, falls silent: told once, shown as long as it lasts, over when data comes."""

from __future__ import annotations

from pathlib import Path

from node.app import Node
from node.clock import SystemClock
from node.testing import Topology
from tests.integration.kit import COLUMNS, cases, node_of, put, run

DAY_US = 86_400_000_000


class Later(SystemClock):
    """The machine's clock, days ahead."""

    def __init__(self, days: int) -> None:
        self.days = days

    def now_us(self) -> int:
        return super().now_us() + self.days * DAY_US


async def asked(node: Node, days: int) -> tuple[list[tuple[str, str]], int]:
    """(who is silent about what, alarms about it so far) so many days from now."""
    node.clock = Later(days)
    await node.look_for_silence()
    told = [alarm for alarm in node.alarms if alarm["name"] in ("source_silent", "dataset_silent")]
    return [(one.origin, one.dataset) for one in node.silent], len(told)


def test_a_silent_source_is_told_at_both_ends(tmp_path: Path) -> None:
    """At the city as its source, at the province as the city's dataset; what never came is not late."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await put(city, cases(2))
            await net.level()
            silent = [(city.node, "case")]
            for member in (city, province):
                node = node_of(member)
                assert await asked(node, 0) == ([], 0)
                assert await asked(node, 1) == (silent, 1)
                assert await asked(node, 2) == (silent, 1)
                assert (await member.status())["silent"][0]["dataset"] == "case"
            await city.put("case", COLUMNS, cases(2))  # nothing new, and yet a sign of life
            assert await asked(node_of(city), 2) == ([], 1)

    run(work())
