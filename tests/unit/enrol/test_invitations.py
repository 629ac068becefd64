"""What an operator may wish an invite to be, one by one and as a list."""

from __future__ import annotations

from pathlib import Path

import pytest

from certs.invite import Approval, read_invite
from node import config as configs
from node.config import Config, ListenSection, NodeSection
from node.enrol.invites import advertised
from node.enrol.lists import Wish, scope_from_text, wishes_from_csv
from node.faults import Code, UserFault
from sync.errors import InputFault
from sync.scope import Scope
from tests.unit.enrol.world import DAY_US, MUNICIPALITY, NATION, ShiftedClock, joined, municipal, running


async def code_of(work: object) -> Code:
    with pytest.raises(UserFault) as caught:
        await work  # type: ignore[misc] # a coroutine
    assert "{" not in str(caught.value.message) + str(caught.value.next_step)
    return caught.value.code


async def test_an_invite_takes_what_the_profile_says(country: Path) -> None:
    """Node id, scopes, seven days, a person's approval: unless wished otherwise."""
    async with running(country / "nation") as nation:
        made = await nation.invited(Wish("330000", "provincial", "浙江省"))
        invite = read_invite(made.line, 0)
        assert (invite.node, invite.parent, invite.address) == ("p330000.cn-test", NATION, nation.address)
        assert (invite.signing, invite.carrying) == (Scope.of("330000"), Scope.of("33*"))
        assert invite.approval is Approval.PERSON
        assert 7 * DAY_US - 60_000_000 < invite.expires - nation.writer.now() <= 7 * DAY_US
        assert read_invite(made.file, 0) == invite
        assert made.line not in repr(made)
        wish = Wish("310000", "city", "上海市", Scope.of("31*", "659001"), None, Approval.AUTOMATIC, 1)
        invite = read_invite((await nation.invited(wish)).line, 0)
        assert invite.signing == Scope.of("31*", "659001")
        assert invite.approval is Approval.AUTOMATIC


@pytest.mark.parametrize(
    "wish",
    [
        municipal(region="31"),
        municipal(profile="national", region="100000"),
        municipal(profile="unheard"),
        municipal(profile="district"),
        municipal(title=""),
        municipal(title="x" * 61),
        municipal(days=0),
        municipal(days=365),
    ],
)
async def test_a_wish_that_cannot_be_is_refused(country: Path, wish: Wish) -> None:
    """Before anything is written or audited."""
    async with running(country / "nation") as nation:
        assert await code_of(nation.invited(wish)) is Code.BAD_ARGUMENT
        assert await nation.invitations.all() == []
        assert nation.events() == []


async def test_one_living_invite_per_node(country: Path, tmp_path: Path) -> None:
    """A second letter for the same node would let a thief of the first one in."""
    clock = ShiftedClock()
    async with running(country / "nation", clock) as nation:
        await nation.invited()
        assert await code_of(nation.invited()) is Code.WRONG_STATE
        clock.shift_us = 8 * DAY_US
        made = await nation.invited()
        assert [v.status for v in await nation.invitations.all()] == ["withdrawn", "open"]
        await joined(made.line, tmp_path / "city", clock=clock)
        assert await code_of(nation.invited()) is Code.WRONG_STATE
        assert await code_of(nation.invitations.withdraw(MUNICIPALITY)) is Code.WRONG_STATE
        assert await code_of(nation.invitations.withdraw("nobody")) is Code.INVITE_UNKNOWN
        assert await code_of(nation.invitations.approve(MUNICIPALITY, "0")) is Code.WRONG_STATE


async def test_a_list_makes_all_or_none(country: Path) -> None:
    """Every mistake with its line; a good list makes one invite for each line."""
    async with running(country / "nation") as nation:
        bad = "region,profile,title,days\n330000,provincial,浙江省,7\n33,provincial,x,7\n440000,provinzial,广东省,x\n"
        with pytest.raises(UserFault) as caught:
            await nation.invitations.make_many("list.csv", bad)
        assert caught.value.code is Code.MAPPING_INVALID
        assert len(caught.value.details) == 2
        twice = "region,profile,title\n330000,provincial,a\n330000,provincial,b\n37,city,c\n"
        with pytest.raises(UserFault) as caught:
            await nation.invitations.make_many("list.csv", twice)
        assert len(caught.value.details) == 2
        assert await nation.invitations.all() == []
        head = "\ufeffregion,profile,title,signing,approval\n"
        good = "330000,provincial,浙江省,,automatic\n310000,city,上海市,31* 659001,\n"
        tried = await nation.invitations.make_many("list.csv", head + good, dry_run=True)
        assert [(m.node, m.token, m.line, m.file) for m in tried] == [
            ("p330000.cn-test", "", "", ""),
            (MUNICIPALITY, "", "", ""),
        ]
        assert await nation.invitations.all() == []
        made = await nation.invitations.make_many("list.csv", head + good)
        assert [m.node for m in made] == ["p330000.cn-test", MUNICIPALITY]
        assert [v.approval for v in await nation.invitations.all()] == ["automatic", "person"]
        again = "region,profile,title\n320000,provincial,江苏省\n330000,provincial,浙江省\n"
        for dry_run in (True, False):
            refused = nation.invitations.make_many("list.csv", again, dry_run=dry_run)
            assert await code_of(refused) is Code.WRONG_STATE
        assert len(await nation.invitations.all()) == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.FILE_HEADER),
        ("region,title\n", Code.FILE_HEADER),
        ("region,profile,title,colour\n", Code.FILE_HEADER),
        ("region,profile,title\n330000,provincial\n", Code.MAPPING_INVALID),
        ("region,profile,title\n330000,provincial,a,b\n", Code.MAPPING_INVALID),
        ('region,profile,title\n330000,provincial,"a"b\n', Code.MAPPING_INVALID),
        ("region,profile,title\n" + "330000,provincial,a\n" * 1_001, Code.MAPPING_INVALID),
        ("region,profile,title,signing\n330000,provincial,a,xx\n", Code.MAPPING_INVALID),
        ("region,profile,title\n" + "x" * 2_000_000, Code.FILE_UNREADABLE),
    ],
)
def test_a_list_that_is_none(text: str, code: Code) -> None:
    """Heading, cells, quotes, length: each is named."""
    with pytest.raises(UserFault) as caught:
        wishes_from_csv("list.csv", text)
    assert caught.value.code is code


def test_scopes_as_text() -> None:
    """Patterns between spaces, gaps behind a minus."""
    assert scope_from_text("") is None
    assert scope_from_text("65*-6590* 659001") == Scope(
        (*Scope.of("65*", leaving_out=("6590*",)).items, *Scope.of("659001").items)
    )
    with pytest.raises(InputFault):
        scope_from_text("Hangzhou")


def listening(**listen: str) -> Config:
    made = Config(NodeSection("cn-test", NATION, "national", "100000", "x"), listen=ListenSection(**listen))
    return configs.load("node.toml", configs.render(made))


def test_the_address_in_an_invite_can_be_dialled() -> None:
    """What is advertised, else where it listens; never 'any address', never port 0."""
    config = listening(
        exchange="0.0.0.0:7443",
        enrolment="0.0.0.0:7444",
        advertise_exchange="hub.example:443",
        advertise_enrolment="[2001:db8::1]:444",
    )
    assert advertised(config, "exchange") == "hub.example:443"
    assert advertised(config, "enrolment") == "[2001:db8::1]:444"
    bound = listening(exchange="127.0.0.1:0", enrolment="10.1.2.3:7444")
    assert advertised(bound, "exchange", 5) == "127.0.0.1:5"
    assert advertised(bound, "enrolment") == "10.1.2.3:7444"
    for unfit in (listening(), listening(exchange="0.0.0.0:1", enrolment="[::]:2"), bound):
        with pytest.raises(UserFault) as caught:
            advertised(unfit, "exchange")
        assert caught.value.code is Code.CONFIG_INVALID
