"""A list of what is revoked holds at both ends of a link: for sessions that are open, and for who comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from certs.verify import NONE_REVOKED, Revocations
from node.identity import read_home
from node.testing import Topology
from tests.integration.kit import cases, node_of, put, run, same_cases
from tests.integration.test_bad_papers import CLOCK, audited, refused_with
from tests.integration.test_impostor import closed_for


@pytest.mark.parametrize(("lists", "named"), [("province", "city"), ("city", "province")])
def test_who_is_revoked_goes_at_once_and_does_not_come_back(tmp_path: Path, lists: str, named: str) -> None:
    """Until the list no longer names it; what was written meanwhile waits."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            first, second, city = net[lists], net[named], net["city"]
            key_hash = read_home(second.home, CLOCK.now_us())[1].own.key_hash
            node_of(first).watch.revoke(Revocations(keys={key_hash}))
            for member in (first, second):
                await member.until(closed_for("CERTIFICATE_REVOKED"))
                assert audited(member, "link_closed")[-1]["fields"]["reason"] == "CERTIFICATE_REVOKED"
            status = await city.until(refused_with("CERTIFICATE_REVOKED"))
            assert "join again" in status["parent_link"]["detail"]
            assert audited(first, "link_refused")[-1]["fields"]["reason"] == "CERTIFICATE_REVOKED"
            await put(city, cases(4))
            node_of(first).watch.revoke(NONE_REVOKED)
            await net.level()
            assert same_cases(net, "city", {"case.parent": "province"}) == 4

    run(work())
