"""From an invite to a whole home, over real calls; and what is said when it does not come to that."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import socket
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from certs.authority import Authority
from certs.certify import certify
from certs.enrol import Status
from certs.files import HomeFiles
from certs.invite import Approval, read_invite, write_invite
from certs.requests import open_request
from node.certifying import NoCertificate
from node.config import ListenSection
from node.enrol.client import Progress, Step
from node.enrol.home import Begun
from node.enrol.lists import Wish
from node.faults import Code, UserFault
from node.founding import found_nation
from node.identity import read_home
from node.store.store import Store
from sync.reasons import Reason
from sync.replica import Replica
from tests.unit.enrol.world import (
    CITY,
    CLOCK,
    DAY_US,
    FEDERATION,
    LISTEN,
    MUNICIPAL,
    MUNICIPALITY,
    NATION,
    PROVINCE,
    PROVINCIAL,
    RANDOM,
    Parent,
    ShiftedClock,
    found,
    joined,
    link,
    municipal,
    refused,
    running,
    until,
)


async def status(parent: Parent, token: str) -> Status:
    def kept(_: Replica, store: Store) -> Status:
        found = store.invites.get(token)
        assert found is not None
        return found.state.status

    return await parent.writer.ask(kept)


def changed(line: str, **fields: object) -> str:
    """The invite with other fields, well written."""
    return write_invite(replace(read_invite(line, 0), **fields))  # type: ignore[arg-type] # fields of Invite


async def test_an_invite_that_needs_nobody_makes_a_whole_home(country: Path, tmp_path: Path) -> None:
    """One call; the registry holds the record, its feed has one more item, the token is burnt, the audit says so."""
    home = tmp_path / "city"
    async with running(country / "nation") as nation:
        made = await nation.invited()
        assert await nation.registry_items() == 0
        result = await joined(made.line, home)
        assert (result.node, result.parent, result.exchange_address) == (MUNICIPALITY, NATION, "127.0.0.1:7001")
        assert await nation.registry_items() == 1
        assert await nation.version_of(MUNICIPALITY) == 1
        assert await status(nation, made.token) is Status.USED
        assert nation.events() == ["invite_made", "enrolment_asked", "invite_used", "certificate_issued"]
    config, identity = read_home(home, CLOCK.now_us())
    assert (identity.node, identity.nation, identity.fingerprint) == (MUNICIPALITY, NATION, result.fingerprint)
    assert config.parent is not None
    assert (config.parent.node_id, config.parent.address) == (NATION, "127.0.0.1:7001")
    assert not (home / Begun.JOINING.value).exists()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for key in (home / "keys").iterdir():
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    secret = read_invite(made.line, 0).secret
    texts = [p.read_bytes() for p in (country / "nation" / "audit").iterdir() if p.is_file()]
    assert not any(secret.hex().encode() in t or secret in t for t in texts)


async def test_a_person_approves_by_fingerprint(country: Path, tmp_path: Path) -> None:
    """Joining waits, shows its own fingerprint, and goes on by itself once the parent's operator has said yes."""
    seen: list[Progress] = []
    async with running(country / "nation") as nation:
        made = await nation.invited(municipal(approval=Approval.PERSON))
        waiting = asyncio.create_task(joined(made.line, tmp_path / "city", 20.0, progress=seen.append))
        await until(lambda: any(p.step is Step.PENDING for p in seen))
        fingerprint = seen[-1].fingerprint
        assert [(v.status, v.fingerprint) for v in await nation.invitations.all()] == [("pending", fingerprint)]
        with pytest.raises(UserFault) as wrong:
            await nation.invitations.approve(made.node, "00000 00000 00000 00000")
        assert wrong.value.code is Code.FINGERPRINT_MISMATCH
        assert not waiting.done()
        view = await nation.invitations.approve(made.node, fingerprint.replace(" ", ""))
        assert view.status == "approved"
        assert (await waiting).fingerprint == fingerprint
        assert await nation.registry_items() == 1
        assert nation.events()[-2:] == ["invite_used", "certificate_issued"]
        assert nation.events().count("enrolment_approved") == 1
    assert [p.step for p in seen] == [Step.READ, Step.DIALLED, Step.PENDING, Step.ENROLLED]


async def test_the_wait_may_end_and_the_same_command_goes_on(country: Path, tmp_path: Path) -> None:
    """Days may pass, past the invite's own end: the keys in the home are the ones that were approved."""
    home, clock = tmp_path / "city", ShiftedClock()
    async with running(country / "nation", clock) as nation:
        made = await nation.invited(municipal(approval=Approval.PERSON))
        first = await refused(made.line, home, clock)
        assert first.code is Code.ENROLMENT_PENDING
        fingerprint = (await nation.invitations.all())[0].fingerprint
        assert fingerprint in str(first.message)
        with pytest.raises(UserFault, match="not finished"):
            read_home(home, clock.now_us())
        await nation.invitations.approve(made.token, fingerprint)
        clock.shift_us = 10 * DAY_US
        assert (await joined("", home, clock=clock)).fingerprint == fingerprint


async def test_addresses_given_once_are_kept_until_the_node_is_enrolled(country: Path, tmp_path: Path) -> None:
    """They were asked for with the invite; the call that finds the approval need not repeat them, and may mend one."""
    home = tmp_path / "province"
    first = ListenSection("127.0.0.1:7101", "127.0.0.1:7102")
    async with running(country / "nation") as nation:
        made = await nation.invited(replace(PROVINCIAL, approval=Approval.PERSON))
        with pytest.raises(UserFault, match="not approved"):
            await joined(made.line, home, listen=first)
        with pytest.raises(UserFault, match="not approved"):
            await joined("", home, listen=ListenSection(enrolment="127.0.0.1:7103"))
        fingerprint = (await nation.invitations.all())[0].fingerprint
        await nation.invitations.approve(made.token, fingerprint)
        await joined("", home)
    config, _ = read_home(home, CLOCK.now_us())
    assert config.listen == ListenSection("127.0.0.1:7101", "127.0.0.1:7103")


async def test_addresses_that_cannot_be_are_refused_before_anything_is_made(country: Path, tmp_path: Path) -> None:
    """No marker, no keys: the next call is free to name others."""
    home = tmp_path / "city"
    async with running(country / "nation") as nation:
        made = await nation.invited()
        with pytest.raises(UserFault, match="nonsense") as caught:
            await joined(made.line, home, listen=ListenSection("nonsense", "127.0.0.1:0"))
        assert caught.value.code is Code.CONFIG_INVALID
        assert sorted(p.name for p in home.iterdir()) == ["home.lock"]


@pytest.mark.parametrize("end", ["withdrawn", "used", "expired"])
async def test_an_invite_that_is_dead_leaves_the_home_free_for_another(country: Path, tmp_path: Path, end: str) -> None:
    """While it may still count its keys are kept; then a node of another name joins here, with keys of its own."""
    home = tmp_path / "home"
    async with running(country / "nation") as nation:
        made = await nation.invited(municipal(approval=Approval.PERSON))
        assert (await refused(made.line, home)).code is Code.ENROLMENT_PENDING
        before = (await nation.invitations.all())[0].fingerprint
        other = await nation.invited(Wish("120000", "city", "天津市", approval=Approval.AUTOMATIC, days=30))
        assert (await refused(other.line, home)).code is Code.FILE_EXISTS
        if end == "withdrawn":
            await nation.invitations.withdraw(made.token)
        elif end == "used":
            await nation.invitations.withdraw(made.token)
            again = await nation.invited()
            await joined(again.line, tmp_path / "elsewhere")
            marker = home / Begun.JOINING.value
            marker.write_text(marker.read_text("utf-8").replace(made.line, again.line), "utf-8")
        if end == "expired":
            assert (await joined(other.line, home, clock=ShiftedClock(8 * DAY_US))).node == other.node
        else:
            assert (await refused("", home)).code in (Code.ENROLMENT_REFUSED, Code.INVITE_USED)
            assert (await joined(other.line, home)).node == other.node
    _, identity = read_home(home, CLOCK.now_us())
    assert identity.node == other.node
    assert identity.fingerprint != before


async def test_three_homes_one_under_the_other(country: Path, tmp_path: Path) -> None:
    """The nation enrols a province, which learns so over its link and enrols a city under its own CA."""
    async with running(country / "nation") as nation:
        made = await nation.invited(PROVINCIAL)
        await joined(made.line, tmp_path / "province", listen=LISTEN)
        async with running(tmp_path / "province") as province:
            wish = Wish("330100", "city", "杭州市", approval=Approval.AUTOMATIC)
            with pytest.raises(UserFault, match="has not come from its parent yet"):
                await province.invited(wish)
            link(nation, province)
            await until(lambda: province.core().registry.newest(PROVINCE) is not None)
            letter = await province.invited(wish)
            assert (await joined(letter.line, tmp_path / "city")).parent == PROVINCE
            await until(lambda: nation.core().registry.newest(CITY) is not None)
            assert nation.core().registry.parent(CITY) == PROVINCE
            with pytest.raises(UserFault, match="is not inside 33"):
                await province.invited(replace(wish, region="440100"))
    _, city = read_home(tmp_path / "city", CLOCK.now_us())
    assert city.authority is None
    assert len(city.chain) == 3
    _, above = read_home(tmp_path / "province", CLOCK.now_us())
    assert above.authority is not None
    assert above.authority.domain == PROVINCE


async def test_a_lost_reply_comes_again_for_the_same_keys(country: Path, tmp_path: Path) -> None:
    """The parent has enrolled and the child has nothing: asked again it sends the very same certificate."""
    home = tmp_path / "city"
    async with running(country / "nation") as nation:
        made = await nation.invited()
        await joined(made.line, home)
        leaf = HomeFiles(home).leaf.read_bytes()
        # As after a crash before the reply was kept: keys and marker are there, nothing else.
        (home / "node.toml").unlink()
        HomeFiles(home).leaf.unlink()
        HomeFiles(home).anchor.unlink()
        (home / Begun.JOINING.value).write_text(
            json.dumps({"node": made.node, "parent": NATION, "text": made.line}), encoding="utf-8"
        )
        await joined(made.line, home)
        assert HomeFiles(home).leaf.read_bytes() == leaf
        assert await nation.registry_items() == 1
        assert nation.events().count("certificate_issued") == 1


async def test_a_used_invite_opens_nothing_for_other_keys(country: Path, tmp_path: Path) -> None:
    """A second installation with the same letter is told so, and what to do at both ends."""
    async with running(country / "nation") as nation:
        made = await nation.invited()
        await joined(made.line, tmp_path / "city")
        fault = await refused(made.line, tmp_path / "thief")
        assert fault.code is Code.INVITE_USED
        assert "--again" in str(fault.next_step)
        assert await nation.registry_items() == 1
        assert nation.events()[-1] == "invite_refused"


async def test_twenty_at_once_with_different_keys_enrol_one(country: Path, tmp_path: Path) -> None:
    """Whoever comes first holds the token; the others change nothing."""
    async with running(country / "nation") as nation:
        made = await nation.invited()
        homes = [tmp_path / f"city{i}" for i in range(20)]
        results = await asyncio.gather(*(joined(made.line, h, 20.0) for h in homes), return_exceptions=True)
        good = [r for r in results if not isinstance(r, BaseException)]
        bad = [r.code for r in results if isinstance(r, UserFault)]
        assert len(good) == 1
        assert bad == [Code.INVITE_USED] * 19
        assert await nation.registry_items() == 1
        held = nation.core().registry.newest(MUNICIPALITY)
    assert held is not None
    winner = [h for h in homes if (h / "node.toml").exists()]
    assert len(winner) == 1
    assert read_home(winner[0], CLOCK.now_us())[1].own.key_hash == held.transport_key_hash


async def test_with_approval_the_first_keys_win(country: Path, tmp_path: Path) -> None:
    """A thief who comes first is not approved; one who comes second is refused at once."""
    async with running(country / "nation") as nation:
        made = await nation.invited(municipal(approval=Approval.PERSON))
        assert (await refused(made.line, tmp_path / "first")).code is Code.ENROLMENT_PENDING
        second = await refused(made.line, tmp_path / "second")
        assert second.code is Code.ENROLMENT_REFUSED
        assert "other keys came" in str(second.message)


async def test_an_expired_invite(country: Path, tmp_path: Path) -> None:
    """Said without a call where the own clock shows it; by the parent where that is behind."""
    clock = ShiftedClock()
    async with running(country / "nation", clock) as nation:
        made = await nation.invited()
        late = ShiftedClock(8 * DAY_US)
        assert (await refused(made.line, tmp_path / "a", late)).code is Code.INVITE_EXPIRED
        assert nation.events() == ["invite_made"]
        clock.shift_us = 8 * DAY_US
        fault = await refused(made.line, tmp_path / "b")
        assert fault.code is Code.INVITE_EXPIRED
        assert "At the parent" in str(fault.next_step)
        assert nation.events() == ["invite_made", "enrolment_asked", "invite_expired"]
        assert [v.status for v in await nation.invitations.all()] == ["expired"]
        assert (await nation.invited()).node == made.node


async def test_a_withdrawn_invite(country: Path, tmp_path: Path) -> None:
    """Nothing is left of it, its secret least of all."""
    async with running(country / "nation") as nation:
        made = await nation.invited()
        await nation.invitations.withdraw(made.node)
        fault = await refused(made.line, tmp_path / "city")
        assert fault.code is Code.ENROLMENT_REFUSED
        with pytest.raises(UserFault):
            await nation.invitations.withdraw(made.token)
        assert nation.events()[:2] == ["invite_made", "invite_withdrawn"]
        assert await nation.registry_items() == 0


async def test_an_invite_of_another_root(country: Path, tmp_path: Path) -> None:
    """A federation of the same name under another root: seen in the handshake, before anything is sent."""
    other = tmp_path / "other"
    found(other)
    async with running(country / "nation") as nation, running(other / "nation") as stranger:
        made = await nation.invited()
        fault = await refused(changed(made.line, address=stranger.address), tmp_path / "city")
        assert fault.code is Code.CERTIFICATE_UNFIT
        assert "trial" in str(fault.next_step)
        assert stranger.events() == []


async def test_an_invite_that_names_another_parent(country: Path, tmp_path: Path) -> None:
    """What answers has a certificate of this root and is not the parent of the letter."""
    async with running(country / "nation") as nation:
        made = await nation.invited()
        fault = await refused(changed(made.line, parent="n990000.cn-test"), tmp_path / "city")
        assert fault.code is Code.CERTIFICATE_UNFIT


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"secret": bytes(32)}, Code.ENROLMENT_REFUSED),
        ({"token": "0" * 32}, Code.ENROLMENT_REFUSED),
        ({"node": "c120000.cn-test", "region": "120000"}, Code.ENROLMENT_REFUSED),
        ({"federation": "cn-trial"}, Code.INVITE_INVALID),
        ({"profile": "provincial", "region": "310000", "node": "p310000.cn-test"}, Code.ENROLMENT_REFUSED),
        ({"profile": "unheard_of"}, Code.INVITE_INVALID),
        ({"node": "n100000.cn-x", "profile": "national", "region": "100000"}, Code.INVITE_INVALID),
    ],
)
async def test_a_forged_invite_enrols_nobody(
    country: Path, tmp_path: Path, fields: dict[str, object], code: Code
) -> None:
    """Wrong secret, token, node id, federation or profile: refused, and the real one still works."""
    async with running(country / "nation") as nation:
        made = await nation.invited()
        assert (await refused(changed(made.line, **fields), tmp_path / "thief")).code is code
        assert await nation.registry_items() == 0
        await joined(made.line, tmp_path / "city")


async def test_a_damaged_invite_is_named(tmp_path: Path) -> None:
    """Cut off, one letter changed, something else altogether: before any call."""
    line = "tiersync-invite:1:" + base64.urlsafe_b64encode(b"\0" * 60).decode()
    for number, text in enumerate((line, line[:30], "hello", "", "tiersync-invite:9:AAAA")):
        assert (await refused(text, tmp_path / str(number))).code is Code.INVITE_INVALID


async def test_clocks_that_differ_are_named(country: Path, tmp_path: Path) -> None:
    """A child whose clock stands before the parent's certificate hears of clocks, not of certificates."""
    async with running(country / "nation") as nation:
        made = await nation.invited()
        fault = await refused(made.line, tmp_path / "city", ShiftedClock(-30 * DAY_US))
        assert fault.code is Code.CERTIFICATE_UNFIT
        assert "date and time of this server" in str(fault.next_step)


async def test_an_address_where_nobody_listens(country: Path, tmp_path: Path) -> None:
    """Refused port, unknown name, a port of something else: each says what to do."""
    async with running(country / "nation") as nation:
        made = await nation.invited()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        taken = closed.getsockname()[1]
        fault = await refused(changed(made.line, address=f"127.0.0.1:{taken}"), tmp_path / "a")
    assert fault.code is Code.PARENT_UNREACHABLE
    assert "Nothing listens" in str(fault.message)
    fault = await refused(changed(made.line, address="nowhere.invalid:7443"), tmp_path / "b")
    assert fault.code is Code.PARENT_UNREACHABLE
    assert "name" in str(fault.message)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        fault = await refused(changed(made.line, address=f"127.0.0.1:{port}"), tmp_path / "c")
    assert fault.code is Code.PARENT_UNREACHABLE
    assert "does not speak" in str(fault.message)


async def test_a_home_that_is_a_node_is_left_alone(country: Path, tmp_path: Path) -> None:
    """Neither joining nor founding writes over it, nor over a folder with anything else in it."""
    home = tmp_path / "city"
    async with running(country / "nation") as nation:
        made = await nation.invited()
        await joined(made.line, home)
        before = {p: p.read_bytes() for p in home.rglob("*") if p.is_file() and p.name != "home.lock"}
        again = await refused(made.line, home)
    assert again.code is Code.FILE_EXISTS
    with pytest.raises(UserFault) as caught:
        found_nation(home, tmp_path / "r", FEDERATION, "100000", "国家平台", LISTEN, CLOCK, RANDOM)
    assert caught.value.code is Code.FILE_EXISTS
    assert {p: p.read_bytes() for p in home.rglob("*") if p.is_file() and p.name != "home.lock"} == before
    other = tmp_path / "documents"
    other.mkdir()
    (other / "letter.txt").write_text("x", encoding="utf-8")
    assert (await refused(made.line, other)).code is Code.FILE_EXISTS


async def test_a_begun_home_keeps_to_its_node(country: Path, tmp_path: Path) -> None:
    """An invite for another node does not get the keys; a new invite for the same node does."""
    home = tmp_path / "city"
    async with running(country / "nation") as nation:
        made = await nation.invited(municipal(approval=Approval.PERSON))
        assert (await refused(made.line, home)).code is Code.ENROLMENT_PENDING
        key = HomeFiles(home).log_key.read_bytes()
        other = await nation.invited(municipal(region="120000", title="天津市"))
        assert (await refused(other.line, home)).code is Code.FILE_EXISTS
        await nation.invitations.withdraw(made.token)
        await joined((await nation.invited()).line, home)
    assert HomeFiles(home).log_key.read_bytes() == key


@pytest.mark.parametrize("name", ["transport.key", "log.key"])
async def test_a_key_that_others_can_read_is_not_used(country: Path, tmp_path: Path, name: str) -> None:
    """Neither for joining nor at the start of the node."""
    home = tmp_path / "city"
    async with running(country / "nation") as nation:
        made = await nation.invited(municipal(approval=Approval.PERSON))
        assert (await refused(made.line, home)).code is Code.ENROLMENT_PENDING
        (home / "keys" / name).chmod(0o644)
        fault = await refused(made.line, home)
        assert fault.code is Code.KEY_CUSTODY
        assert "0644" in str(fault.message)
    (country / "nation" / "keys" / name).chmod(0o640)
    with pytest.raises(UserFault) as caught:
        read_home(country / "nation", CLOCK.now_us())
    assert caught.value.code is Code.KEY_CUSTODY


async def test_a_node_installed_anew_gets_its_next_version(country: Path, tmp_path: Path) -> None:
    """Only by an invite that says so; the chain under the lost key ends where the parent holds it."""
    async with running(country / "nation") as nation:
        await joined((await nation.invited()).line, tmp_path / "first")
        with pytest.raises(UserFault, match="is enrolled already"):
            await nation.invited()
        made = await nation.invitations.make(MUNICIPAL, again=True)
        assert "enrolment_closed" not in nation.events()
        await joined(made.line, tmp_path / "second")
        assert nation.events()[-1] == "enrolment_closed"
        newest = nation.core().registry.newest(MUNICIPALITY)
        assert newest is not None
        assert (newest.version, newest.key_lost, newest.closes_older) == (2, True, True)
        _, second = read_home(tmp_path / "second", CLOCK.now_us())
        assert newest.public_key == second.log_key.public_key
        assert await nation.registry_items() == 2


class ByTheNation:
    """Certificates for the children of a municipality, once the nation can be reached."""

    def __init__(self, authority: Authority | None) -> None:
        assert authority is not None
        self._authority = authority
        self.reached = False
        self.issued = 0

    async def obtain(self, node: str, csr: bytes) -> Sequence[bytes]:
        if not self.reached:
            raise NoCertificate(Reason.TIMEOUT, "no link", NATION)
        self.issued += 1
        now = CLOCK.now_us()
        return certify(self._authority, node, open_request(csr).public_key, now, RANDOM.bytes(16))


async def test_a_certificate_that_comes_later_is_one_for_every_time_it_is_asked_for(
    country: Path, tmp_path: Path
) -> None:
    """The district is enrolled once, at once; what was issued for it is kept, and sent again where a reply was lost."""
    listen = replace(LISTEN, advertise_exchange="127.0.0.1:7002")
    async with running(country / "nation") as nation:
        await joined((await nation.invited()).line, tmp_path / "city", listen=listen)
        above = ByTheNation(nation.identity.authority)
        async with running(tmp_path / "city", certificates=above) as city:
            link(nation, city)
            await until(lambda: city.core().registry.newest(MUNICIPALITY) is not None)
            made = await city.invited(Wish("310115", "district", "浦东新区", approval=Approval.AUTOMATIC))
            fault = await refused(made.line, tmp_path / "d")
            assert fault.code is Code.ENROLMENT_PENDING
            assert NATION in str(fault.message)
            assert [one.status for one in await city.invitations.all()] == ["awaiting"]
            assert city.events().count("invite_used") == 1
            shutil.copytree(tmp_path / "d", tmp_path / "lost")
            above.reached = True
            found = await joined("", tmp_path / "d")
            again = await joined("", tmp_path / "lost")
            assert (found.node, found.not_after) == (again.node, again.not_after)
            assert above.issued == 1
            assert [one.status for one in await city.invitations.all()] == ["used"]
            assert city.events().count("invite_used") == 2
            assert await city.version_of(made.node) == 1
            thief = await refused(made.line, tmp_path / "thief")
            assert thief.code is Code.INVITE_USED
