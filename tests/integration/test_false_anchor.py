"""An anchor in the store that the root has not signed: nothing that hangs from it counts for `fsck`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from node.clock import SystemClock, SystemRandomness
from node.demo.reader import fsck
from node.founding import found_nation
from node.identity import read_home
from node.store.checks import Fault
from node.store.driver import connect_writer
from node.store.home import DATABASE_FILE
from node.testing import Topology
from node.testing.topology import FEDERATION
from sync.wire.v1.entry_pb2 import Anchor
from tests.integration.kit import cases, put, run
from tests.integration.test_serving import LISTEN


def of_another_root(held: bytes, folder: Path) -> bytes:
    """Of a nation of the same name, whole and signed, by a root that nobody here knows."""
    home = folder / "false"
    found_nation(home, folder / "false root", FEDERATION, "100000", "假平台", LISTEN, SystemClock(), SystemRandomness())
    return read_home(home, SystemClock().now_us())[1].anchor


def altered(held: bytes, folder: Path) -> bytes:
    """One byte of what the root signed."""
    anchor = Anchor.FromString(held)
    anchor.body = anchor.body[:-1] + bytes([anchor.body[-1] ^ 1])
    return anchor.SerializeToString()


@pytest.mark.parametrize("forge", [of_another_root, altered], ids=lambda forge: forge.__name__)
def test_a_false_anchor_in_the_store_is_found(tmp_path: Path, forge: Callable[[bytes, Path], bytes]) -> None:
    """Entries that were provable up to the root are not any more; with the right anchor all is sound again."""

    async def work() -> None:
        async with Topology(tmp_path / "net") as net:
            await put(net["city"], cases(3))
            await net.level()

        province = net["province"]
        with closing(connect_writer(province.home / DATABASE_FILE)) as connection:
            (held,) = connection.execute("SELECT value FROM meta WHERE name = 'anchor'").fetchone()
            for anchor, sound in ((held, True), (forge(held, tmp_path), False), (held, True)):
                connection.execute("UPDATE meta SET value = ? WHERE name = 'anchor'", (anchor,))
                connection.commit()
                report = fsck(province)
                assert report.sound is sound
                assert sound or {finding.fault for finding in report.findings} >= {Fault.KEY_UNKNOWN}

    run(work())
