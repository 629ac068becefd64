"""The store over a stop and a start: nothing stays behind in a log file, and no empty store takes the place of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.store.faults import StoreFault, StoreTrouble
from node.store.home import DATABASE_FILE
from node.testing import Topology
from tests.integration.kit import cases, put, run, same_cases


def test_a_stop_in_order_leaves_the_whole_store_in_one_file(tmp_path: Path) -> None:
    """Whoever copies store.db of a stopped node has all of it, also after somebody has asked the node."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            await put(city, cases(5))
            await net.level()
            assert await (await city.client()).query("case")
            await city.stop()
            assert not (city.home / f"{DATABASE_FILE}-wal").exists()
            await city.start()

    run(work())


def test_a_store_that_is_missing_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    """The node does not start and says so; with the file back it goes on."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            await put(city, cases(5))
            await city.stop()
            store = city.home / DATABASE_FILE
            store.rename(tmp_path / "aside")
            (city.home / f"{DATABASE_FILE}-wal").write_bytes(b"all that was not moved yet")
            with pytest.raises(StoreFault) as said:
                await city.start()
            assert said.value.trouble is StoreTrouble.MISSING
            assert not store.exists()
            assert (city.home / f"{DATABASE_FILE}-wal").read_bytes() == b"all that was not moved yet"
            (city.home / f"{DATABASE_FILE}-wal").unlink()
            (tmp_path / "aside").rename(store)
            await city.start()
            await net.level()
            assert same_cases(net, "city", {"case.parent": "province"}) == 5

    run(work())
