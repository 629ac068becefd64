"""A county below a city, four tiers of real nodes: enrolled by its city, certified by its province, and at work."""

from __future__ import annotations

from base64 import b64decode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from certs.forms import new_key
from certs.requests import make_request
from certs.verify import verify_identity
from node.caller import caller
from node.certifying import NoCertificate
from node.clock import SystemClock
from node.demo.reader import catalogue_of, compare
from node.evidence.check import check_evidence
from node.evidence.result import Verdict
from node.faults import Code, UserFault
from node.identity import read_home
from node.testing import FOUR, Member, Place, Topology
from sync.reasons import Reason
from tests.integration.kit import COLUMNS, cases, has_no_link, node_of, put, run
from tests.integration.test_audited import audited
from tests.integration.test_publications import sound
from tests.integration.test_rollups import HOUR_US, ZONE, bring, case, first_day, midnight_us, roll, seen, set_clocks
from tests.integration.test_task_stats import roll as roll_tasks
from tests.integration.test_task_stats import stats
from tiers.dataset import Cadence
from tiers.judging import TierJudge
from tiers.periods import period_of

COUNTY = FOUR[3]
SHANGHAI = Place("shanghai", "city", "310000", "上海市平台", "nation")
PUDONG = Place("pudong", "district", "310115", "浦东新区平台", "shanghai")
NOW = SystemClock().now_us
DUE = "2099-12-31"


def issuers(member: Member) -> list[str]:
    """Who stands above a node in its certificate chain, once the strict verifier took it."""
    _, identity = read_home(member.home, NOW())
    assert verify_identity(identity.chain, identity.trust, NOW(), member.node).node == member.node
    assert identity.authority is None
    above = [x509.load_der_x509_certificate(der).subject for der in identity.chain[1:]]
    return [str(name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value) for name in above]


async def invite_of(parent: Member) -> dict[str, Any]:
    (one,) = (await parent.command("invite.list"))["invites"]
    return dict(one)


async def waits(net: Topology, **wish: str) -> UserFault:
    """The county's `join` ends, and is to be given again."""
    with pytest.raises(UserFault) as caught:
        await net.add(COUNTY, **wish)
    assert caught.value.code is Code.ENROLMENT_PENDING
    return caught.value


def test_a_city_takes_in_a_county_while_its_own_link_is_down(tmp_path: Path) -> None:
    """The city decides; the certificate comes from the province when that is there again. A municipality's district
    has its from the nation. Each end keeps in its audit what it had a part in."""

    async def work() -> None:
        async with Topology(tmp_path, (*FOUR, SHANGHAI, PUDONG), later={"county"}) as net:
            province, city, county = net["province"], net["city"], net["county"]
            assert issuers(net["pudong"]) == [net["nation"].node]
            await province.stop()
            await city.until(has_no_link(province))
            await waits(net, approval="person")
            asked = await invite_of(city)
            assert asked["status"] == "pending"
            await city.command("invite.approve", which=county.node, fingerprint=asked["fingerprint"])
            for _ in range(2):
                fault = await waits(net)
                assert province.node in str(fault.message)
                assert (await invite_of(city))["status"] == "awaiting"
            assert not audited(city, "certificate_passed_on")
            await province.start()
            await net.settled()
            await net.add(COUNTY)
            await net.settled()
            assert (await invite_of(city))["status"] == "used"
            assert issuers(county) == [province.node, net["nation"].node]
            (here,) = audited(city, "certificate_passed_on")
            (there,) = (line for line in audited(province, "certificate_issued") if line["node"] == county.node)
            assert here["certificate"] == there["certificate"]
            assert (here["asked_by"], there["asked_by"]) == (city.node, city.node)
            assert not audited(province, "certificate_refused")

    run(work())


TIERS = ("nation", "province", "city", "county")


class Work:
    """Tasks handed on from tier to tier, each called as who holds it."""

    def __init__(self, net: Topology, flow: str) -> None:
        self._net = net
        self._flow = flow
        self._issuers: dict[str, str] = {}

    def id(self, holder: str) -> str:
        return f"{self._flow}-{holder}"

    async def hand_on(self, issuer: str, holder: str, *moves: tuple[str, dict[str, str]]) -> None:
        """A new task for a holder; a part of the one that the issuer holds itself, if it holds one."""
        if issuer in self._issuers:
            moves = ((moves[0][0], {**moves[0][1], "part_of": self.id(issuer)}), *moves[1:])
        first, *rest = [{"move": move, "fields": fields} for move, fields in moves]
        wish = {"flow": self._flow, "task": self.id(holder), "holder": self._net[holder].node}
        await self._net[issuer].command("task.move", **wish, **first, then=rest)
        self._issuers[holder] = issuer
        await self._net.level()

    async def held(self, holder: str, *moves: str, **fields: str) -> None:
        """Moves of a task's holder."""
        await self._made(holder, holder, moves, fields)

    async def decided(self, holder: str, *moves: str, **fields: str) -> None:
        """Moves of its issuer."""
        await self._made(self._issuers[holder], holder, moves, fields)

    async def _made(self, by: str, holder: str, moves: tuple[str, ...], fields: dict[str, str]) -> None:
        first, *rest = [{"move": move, "fields": fields if move == moves[0] else {}} for move in moves]
        await self._net[by].command("task.move", task=self.id(holder), **first, then=rest)
        await self._net.level()

    async def states(self) -> list[str]:
        """Of every task, from the top down; the same at both of its ends."""
        found = []
        for holder, issuer in self._issuers.items():
            one, other = [await self._net[at].command("task.show", task=self.id(holder)) for at in (issuer, holder)]
            assert [(m["move_id"], m["state"]) for m in one["moves"]] == [
                (m["move_id"], m["state"]) for m in other["moves"]
            ]
            found.append(str(one["state"]))
        return found


def test_key_work_and_a_case_go_from_the_nation_to_a_county_and_back(tmp_path: Path) -> None:
    """W1 handed on twice, each tier submitting once its part is closed. W3 down to the county: closed there
    provisionally, reopened by the city's check (trap 8), and confirmed. The county's row stands alike at every tier."""

    async def work() -> None:
        async with Topology(tmp_path, FOUR) as net:
            await _key_work(net)
            await _case(net)
            await _evidence(net)
            await _suspended(net)
            for name in TIERS[1:]:
                # Whoever stands at neither end of a task knows nothing of it.
                listed = await net[name].command("task.list", limit=9)
                assert all(net[name].node in (one["issuer"], one["holder"]) for one in listed["tasks"])
                assert len(listed["tasks"]) == (2 if name == "county" else 4)
            await _statistics(net)
            await _statistics_of_tasks(net)
            await sound(net)

    run(work())


async def _key_work(net: Topology) -> None:
    work = Work(net, "W1")
    issue = ("draft", {"title": "窨井盖整治"}), ("issue", {"requirement": "全面排查", "due": DUE})
    await work.hand_on("nation", "province", *issue)
    for above, below in (("province", "city"), ("city", "county")):
        await work.held(above, "receive", "begin")
        await work.hand_on(above, below, *issue)
        await work.held(above, "split", parts="1")
    with pytest.raises(UserFault) as caught:
        await work.held("city", "submit", result="县里还没有办完")
    assert caught.value.code is Code.MOVE_REFUSED
    await work.held("county", "receive", "begin")
    for name in ("county", "city", "province"):
        await work.held(name, "submit", result=f"{name}已完成")
        await work.decided(name, "approve", "close")
    assert await work.states() == ["closed"] * 3


async def _case(net: Topology) -> None:
    work = Work(net, "W3D")
    await _stands(net, "handling")
    for above, below in (("nation", "province"), ("province", "city"), ("city", "county")):
        await work.hand_on(
            above, below, ("hand_down", {"title": "占道", "requirement": "尽快处置", "urgency": "normal"})
        )
        await work.held(below, "accept")
    await work.held("county", "begin")
    await _stands(net, "closed")
    await work.held("county", "reply", result="已清理")
    assert await work.states() == ["accepted", "accepted", "closed_provisionally"]
    with pytest.raises(UserFault) as caught:
        await work.held("city", "reply", result="县里已清理")
    assert caught.value.code is Code.MOVE_REFUSED
    await work.decided("county", "return", reason="现场仍有占道")
    assert await work.states() == ["accepted", "accepted", "returned"]
    await _stands(net, "handling")
    await work.held("county", "reply", result="再次清理")
    await _stands(net, "closed")
    for name in ("county", "city", "province"):
        if name != "county":
            await work.held(name, "reply", result="已清理")
        await work.decided(name, "confirm")
    assert await work.states() == ["closed"] * 3


async def _evidence(net: Topology) -> None:
    """What the county keeps of its case proves itself under the federation's root, over all four tiers of keys."""
    county = net["county"]
    made = await county.command("task.evidence", task="W3D-county")
    _, identity = read_home(county.home, NOW())
    judge = TierJudge(catalogue_of(county))
    found = check_evidence(b64decode(made["file"]), judge, identity.trust.fingerprint)
    # The receipt of the last move may still be on its way.
    assert found.verdict is not Verdict.BAD
    assert found.root_confirmed
    assert [told.step.body.move for told in found.moves][-4:] == ["reply", "return", "reply", "confirm"]
    assert check_evidence(b64decode(made["file"]), judge, bytes(32)).verdict is Verdict.BAD


async def _statistics(net: Topology) -> None:
    """The county's figures are in its city's, and counted once in the province's and the nation's."""
    day = first_day(net)
    start = midnight_us(day, ZONE)
    await bring(net["city"], *(case(f"city-{n}", "330105", start + n) for n in range(3)))
    await bring(net["county"], *(case(f"county-{n}", "330106", start + n) for n in range(4)))
    set_clocks(net, midnight_us(day + timedelta(days=1), ZONE) + HOUR_US)
    await roll(net, day, *reversed(TIERS))
    found = {name: (await seen(net, name, day))["here"] for name in TIERS}
    assert {name: here["total"]["reported"] for name, here in found.items()} == {
        "nation": 7,
        "province": 7,
        "city": 7,
        "county": 4,
    }
    assert found["nation"]["parts"] == {"all": 2, "counted": 2, "no_data": 0, "pending": 0, "down": 0}


async def _statistics_of_tasks(net: Topology) -> None:
    """Each of the three tasks that a piece of work became counts once, by the tier of its holder."""
    month = period_of(Cadence.MONTHLY, first_day(net))
    set_clocks(net, midnight_us(month.until, ZONE) + HOUR_US)
    rolled = await roll_tasks(net, str(month), *reversed(TIERS))
    assert rolled["nation"]["parts"] == {"all": 4, "counted": 4, "no_data": 0, "pending": 0, "down": 0}
    shown = await stats(net["nation"], str(month))
    by = {(one["tier"], one["flow"]): one for one in shown["cells"]}
    for flow in ("W1", "W3D"):
        counts = [by[tier, flow]["closed"] for tier in ("*", "provincial", "city", "district")]
        assert counts == [3, 1, 1, 1], flow
    assert [by[tier, "W3D"]["closed_returned"] for tier in ("city", "district")] == [0, 1]
    assert (await stats(net["county"], str(month)))["here"]["months"][-1]["closed"] == 2


async def _suspended(net: Topology) -> None:
    """While its city suspends it nothing of the county comes up, and nobody certifies it; then it goes on by itself."""
    city, county = net["city"], net["county"]
    await city.command("child.suspend", node=county.node, reason="例行检查")
    await county.until(lambda status: "SUSPENDED" in status["parent_link"]["detail"])
    await put(county, cases(1, first=2))
    csr = make_request(new_key(), county.node)
    with pytest.raises(NoCertificate) as none:
        await node_of(city).certifier.obtain(county.node, csr)
    assert none.value.reason is Reason.SUSPENDED
    for node, wrong in ((county.node, "child.suspend"), (net["province"].node, "child.suspend"), ("x", "child.resume")):
        with pytest.raises(UserFault):
            await city.command(wrong, node=node, reason="x")
    with pytest.raises(UserFault):
        await city.command("child.resume", node=county.node, reason=" ")
    await city.command("child.resume", node=county.node, reason="检查完毕")
    lines = audited(city, "child_suspended") + audited(city, "child_resumed")
    assert [(line["reason"], line["by"]) for line in lines] == [("例行检查", caller()), ("检查完毕", caller())]
    await net.level()
    _, rows = await (await net["province"].client()).query("case", columns=("case_id",))
    assert len(rows) == 2
    with pytest.raises(UserFault):
        await city.command("child.resume", node=county.node, reason="x")


async def _stands(net: Topology, state: str) -> None:
    """The county says how its case stands; city, province and nation show the same, by the county's own feeds."""
    (row,) = cases(1, supervised=True)
    await put(
        net["county"], [tuple(state if column == "state" else cell for column, cell in zip(COLUMNS, row, strict=True))]
    )
    await net.level()
    for name in TIERS:
        _, rows = await (await net[name].client()).query("case", columns=("case_id", "state"))
        assert rows == [(row[0], state)]
    catalogue = catalogue_of(net["county"])
    case, county = catalogue.datasets["case"], net["county"]
    for publication, name, addressee in (
        ("case.parent", "city", ""),
        ("case.parent", "province", net["province"].node),
        ("case.nation", "nation", net["nation"].node),
    ):
        found = compare(county, net[name], case, catalogue.publications[publication], addressee)
        assert (found.agrees, found.rows) == (True, 1), found
