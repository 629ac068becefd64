"""What the parent's registry says anew of a running node takes effect at once, and where it must be noticed it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.faults import Code, UserFault
from node.testing import Member, Topology
from sync.events import RegistryChange
from sync.registry import scope_to_wire
from sync.scope import Scope
from sync.wire.v1.entry_pb2 import (
    ENROLMENT_STATUS_ENROLLED,
    ENROLMENT_STATUS_RETIRED,
    ENROLMENT_STATUS_SUSPENDED,
    EnrolmentRecord,
    EnrolmentStatus,
)
from tests.integration.kit import COLUMNS, cases, node_of, put, run
from tests.integration.test_audited import audited
from tests.integration.test_publications import sound

BOTH = Scope.of("3301*", "330281")


async def recorded(
    parent: Member, child: Member, scope: Scope, status: EnrolmentStatus = ENROLMENT_STATUS_ENROLLED
) -> None:
    """The parent gives its child the next version, under the same keys. There is no command for it yet."""
    node = node_of(parent)
    now = node.core().registry.newest(child.node)
    assert now is not None
    record = EnrolmentRecord(
        node=now.node,
        version=now.version + 1,
        profile=now.profile,
        suite=now.suite,
        log_public_key=now.public_key,
        signing_scope=scope_to_wire(scope),
        carrying_scope=scope_to_wire(scope),
        transport_key_hash=now.transport_key_hash,
        status=status,
        parent=now.parent,
        region=now.region,
        title=now.title,
    )
    await node.writer.call(lambda ticket: RegistryChange(ticket, [record]))


def test_a_scope_that_grows_is_audited_and_counts_from_then_on(tmp_path: Path) -> None:
    """The door of the running city lets the new region in, every tier takes its rows, and the audit says it once."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            there = cases(2, division="330281", supervised=True)
            assert (await city.put("case", COLUMNS, there)).accepted == 0
            await put(city, cases(1))
            await recorded(province, city, BOTH)
            await net.level()
            assert [line["scope"] for line in audited(city, "scope_changed")] == [str(BOTH)]
            await put(city, there)
            await net.level()
            for above, count in ((province, 3), (nation, 2)):
                _, rows = await (await above.client()).query("case", columns=("case_id",))
                assert len(rows) == count
            await city.restart()
            await net.level()
            assert len(audited(city, "scope_changed")) == 1
            assert not audited(province, "scope_changed")
            await sound(net)

    run(work())


@pytest.mark.parametrize("status", [ENROLMENT_STATUS_SUSPENDED, ENROLMENT_STATUS_RETIRED])
def test_no_task_is_made_for_a_node_that_is_no_longer_enrolled(tmp_path: Path, status: EnrolmentStatus) -> None:
    """It would wait for ever: the issuer is told at once, and nothing is registered."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            await recorded(net["province"], city, Scope.of("3301*"), status)
            await nation.until(lambda _: not _is_enrolled(nation, city))
            with pytest.raises(UserFault) as told:
                await nation.command(
                    "task.move", flow="W2", task="t1", move="register", holder=city.node, fields={"title": "x"}
                )
            assert told.value.code is Code.PEER_UNKNOWN
            assert (await nation.command("task.list"))["tasks"] == []

    run(work())


def _is_enrolled(at: Member, whom: Member) -> bool:
    found = node_of(at).core().registry.newest(whom.node)
    return found is not None and found.enrolled
