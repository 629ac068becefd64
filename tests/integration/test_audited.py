"""What the security audit says of links: who was let in, who was not, and what should never have been sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from certs import files
from certs.authority import issue_leaf
from certs.files import HomeFiles
from certs.forms import new_key
from node import audit
from node.audit import AuditLog
from node.clock import SystemClock, SystemRandomness
from node.identity import read_home
from node.serve import AUDIT_FOLDER
from node.testing import Member, Topology
from tests.integration.kit import cases, has_no_link, node_of, publish_all_columns, put, run
from tests.unit.node_base.fakes import no_room

CLOCK = SystemClock()


def audited(member: Member, event: str) -> list[dict[str, Any]]:
    """Fields of a node's lines of audit."""
    assert audit.verify(member.home / AUDIT_FOLDER).ok
    return [line["fields"] for line in audit.read(member.home / AUDIT_FOLDER) if line["event"] == event]


def test_both_ends_say_who_was_let_in(tmp_path: Path) -> None:
    """The parent names its child, the child its parent; nobody's scope changed by that."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            await net.level()
            assert {"peer": city.node} in audited(province, "link_accepted")
            assert {"peer": province.node} in audited(city, "link_accepted")
            assert {"peer": province.node} in audited(nation, "link_accepted")
            assert all(not audited(member, "scope_changed") for member in net.members.values())

    run(work())


def test_a_child_with_a_key_that_is_not_registered_is_one_alarm(tmp_path: Path) -> None:
    """However often it dials: the alarm names it, the audit does too, and the child goes on trying ever more slowly."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await city.stop()
            paths, key = HomeFiles(city.home), new_key()
            by = read_home(province.home, CLOCK.now_us())[1].authority
            assert by is not None
            leaf = issue_leaf(by, city.node, key.public_key(), CLOCK.now_us(), SystemRandomness().bytes(16))
            files.save_private_key(paths.transport_key, key, replace=True)
            files.save_certificates(paths.leaf, leaf, *by.issuers)
            await city.start()
            await province.until(lambda s: any(a["name"] == "link_refused" for a in s["alarms"]))
            while len(audited(province, "link_refused")) < 3:
                await city.until(lambda s: s["parent_link"]["state"] == "refused")
            refused = audited(province, "link_refused")
            assert {(line["named"], line["reason"]) for line in refused} == {(city.node, "CERTIFICATE_NOT_REGISTERED")}
            alarms = (await province.status())["alarms"]
            assert [a["named"] for a in alarms if a["name"] == "link_refused"] == [city.node]

    run(work())


def test_columns_that_should_have_stayed_are_alarmed_and_audited(tmp_path: Path) -> None:
    """A city's program publishes all columns: the province refuses the rows, and says so to more than the city."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            publish_all_columns(node_of(city))
            await put(city, cases(6))
            await province.until(lambda s: any(a["name"] == "held_back_refused" for a in s["alarms"]))
            line = audited(province, "held_back_refused")[0]
            assert (line["origin"], line["dataset"], line["rows"]) == (city.node, "case", "6")

    run(work())


def test_links_work_on_while_no_line_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk under the audit is an alarm, not the end of dialling or of a place for children."""

    def is_told(status: Mapping[str, Any]) -> bool:
        return any(alarm["name"] == "audit_failed" for alarm in status["alarms"])

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            with monkeypatch.context() as full:
                full.setattr(AuditLog, "_write", no_room)
                for first in (1, 101, 201):
                    await city.stop()
                    await province.until(has_no_link(city))
                    await city.start()
                    await put(city, cases(5, first=first))
                    await net.level()
                await province.until(is_told)
                await city.until(is_told)
                listening = node_of(province)._server
                assert listening is not None
                assert listening._sessions == {city.node: 1}
            await city.restart()
            await net.level()
            # Each session's first line, that of the last one included, which was written again.
            assert audited(province, "link_accepted")[-1] == {"peer": city.node, "not_written_before": 3}

    run(work())
