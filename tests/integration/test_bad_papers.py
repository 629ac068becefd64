"""Invites, certificates, keys and homes that are not in order: a clear error at both ends, and nothing else stops."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs import files
from certs.authority import Authority, issue_leaf
from certs.files import HomeFiles
from certs.forms import PrivateKey, key_to_pem, new_key, to_pem, utc
from node import audit
from node.app import Node
from node.clock import SystemClock, SystemRandomness
from node.enrol.client import join
from node.faults import Code, UserFault
from node.founding import found_nation
from node.identity import read_home
from node.serve import AUDIT_FOLDER, Served
from node.testing import DEMO, Member, Topology
from node.testing.peer import Credentials, SessionOver, dial
from tests.integration.kit import Status, cases, node_of, put, run, same_cases

DAY_US = 86_400_000_000
CLOCK, RANDOM = SystemClock(), SystemRandomness()


def authority(member: Member) -> Authority:
    """The CA of a running or stopped node."""
    _, identity = read_home(member.home, CLOCK.now_us())
    assert identity.authority is not None
    return identity.authority


def audited(member: Member, event: str) -> list[dict[str, Any]]:
    """Lines of a node's audit log."""
    return [line for line in audit.read(member.home / AUDIT_FOLDER) if line["event"] == event]


def shown(member: Member, key: PrivateKey, leaf: x509.Certificate, by: Authority) -> Credentials:
    """A certificate with its issuers, beside the root of a home."""
    _, identity = read_home(member.home, CLOCK.now_us())
    return Credentials(identity.root_pem, key_to_pem(key), to_pem([leaf, *by.issuers]))


def odd_leaf(by: Authority, key: PrivateKey, names: list[x509.GeneralName]) -> x509.Certificate:
    """A leaf that no CA of ours would make, with a good signature."""
    now = CLOCK.now_us()
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "c330100.p330000.cn-demo")]))
        .issuer_name(by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(77)
        .not_valid_before(utc(now - DAY_US))
        .not_valid_after(utc(now + DAY_US))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(digital_signature=True, encipher_only=False, decipher_only=False, **usage), critical=True
        )
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    return builder.sign(by.key, hashes.SHA256())


# --- certificates that a stranger shows -------------------------------------------------------------------------------


DIALS = 8
"""The reason came through most of the time also while a first frame could cross the refusal."""


async def refused(net: Topology, home: Path, credentials: Credentials | None) -> str:
    """What a caller with these papers hears from the province."""
    with pytest.raises(SessionOver) as caught:
        async with dial(home, credentials=credentials) as peer:
            await peer.settle()
    return str(caught.value)


URI_NAME: list[x509.GeneralName] = [x509.UniformResourceIdentifier("spiffe://cn-demo/c330100.p330000.cn-demo")]
TWO_NAMES: list[x509.GeneralName] = [
    x509.DNSName("c330100.p330000.cn-demo"),
    x509.DNSName("x.c330100.p330000.cn-demo"),
]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (URI_NAME, "MALFORMED"),
        (TWO_NAMES, "MALFORMED"),
        ([x509.DNSName("c330100.p330000.cn-demo")], "CERTIFICATE_NOT_REGISTERED"),
    ],
    ids=["URI name only", "two names", "right name, key not registered"],
)
def test_a_certificate_that_is_not_as_enrolled_opens_nothing(
    tmp_path: Path, names: list[x509.GeneralName], reason: str
) -> None:
    """The CA itself signed it, TLS lets it in, and still the parent refuses: the caller hears the reason, and the
    parent's audit log holds it.
    """

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await city.stop()
            by, key = authority(province), new_key()
            papers = shown(city, key, odd_leaf(by, key, names), by)
            for _ in range(DIALS):
                said = await refused(net, city.home, papers)
                assert said.startswith(f"{reason}: ")
            line = audited(province, "link_refused")[-1]
            assert line["fields"]["reason"] == reason
            await city.start()
            await put(city, cases(1))
            await net.level()

    run(work())


def test_another_regions_certificate_opens_nothing(tmp_path: Path) -> None:
    """A municipality's certificate at the province, and one city's certificate in another's name, are both refused."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            hangzhou, ningbo, shanghai, province = (
                net[name] for name in ("hangzhou", "ningbo", "shanghai", "province")
            )
            for member in (hangzhou, ningbo, shanghai):
                await member.stop()
            papers = {m.place.name: Credentials.of(read_home(m.home, CLOCK.now_us())[1]) for m in (ningbo, shanghai)}
            said = await refused(net, hangzhou.home, papers["shanghai"])
            assert said == f"NOT_ENROLLED: {shanghai.node} is not enrolled here"
            assert audited(province, "link_refused")[-1]["fields"]["reason"] == "NOT_ENROLLED"
            said = await refused(net, hangzhou.home, papers["ningbo"])
            assert said == "NOT_ENROLLED: the certificate is not the one of the node that speaks"
            assert audited(province, "link_closed")[-1]["fields"]["reason"] == "NOT_ENROLLED"
            assert (await province.status())["clones"] == []
            for member in (hangzhou, ningbo, shanghai):
                await member.start()
            await net.level()

    run(work())


def test_a_root_of_another_federation_opens_nothing(tmp_path: Path) -> None:
    """A nation of the same name under another root: TLS refuses it before a word is said, in either direction."""

    async def work() -> None:
        async with Topology(tmp_path / "ours") as net:
            city = net["city"]
            listen = city.listen
            found_nation(tmp_path / "theirs", tmp_path / "root", "cn-demo", "100000", "国家平台", listen, CLOCK, RANDOM)
            _, alien = read_home(tmp_path / "theirs", CLOCK.now_us())
            _, own = read_home(city.home, CLOCK.now_us())
            await city.stop()
            with pytest.raises(SessionOver):
                async with dial(city.home, credentials=Credentials.of(alien)._replace(root_pem=own.root_pem)):
                    pass
            with pytest.raises(SessionOver):
                async with dial(city.home, credentials=Credentials.of(own)._replace(root_pem=alien.root_pem)):
                    pass
            await city.start()
            await net.level()

    run(work())


# --- a node whose own papers are not in order -------------------------------------------------------------------------


def refused_with(reason: str) -> Callable[[Status], bool]:
    """A condition for Member.until: the link to the parent is refused for this reason."""
    return lambda s: s["parent_link"]["state"] == "refused" and s["parent_link"]["detail"].startswith(reason)


def test_a_node_whose_certificate_has_run_out_says_so_and_works_on(tmp_path: Path) -> None:
    """It starts, takes rows, and its status names the date; with a new certificate all that waited goes up."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await city.stop()
            paths, by = HomeFiles(city.home), authority(province)
            key = files.load_private_key(paths.transport_key)
            good = files.load_certificates(paths.leaf)
            then = CLOCK.now_us() - DAY_US - 60_000_000  # it ended a minute ago
            old = issue_leaf(by, city.node, key.public_key(), then, RANDOM.bytes(16), days=1)
            files.save_certificates(paths.leaf, old, *by.issuers)
            await city.start()
            status = await city.until(refused_with("CERTIFICATE_EXPIRED"))
            assert "ended on 20" in status["parent_link"]["detail"]
            await put(city, cases(5))
            await city.stop()
            files.save_certificates(paths.leaf, *good)
            await city.start()
            await net.level()
            assert same_cases(net, "city", {"case.parent": "province"}) == 5

    run(work())


def test_a_node_whose_key_was_made_anew_is_told_to_join_again(tmp_path: Path) -> None:
    """Right name, right CA, key not registered: refused with words at the child, audited at the parent."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            await city.stop()
            paths, by, key = HomeFiles(city.home), authority(province), new_key()
            leaf = issue_leaf(by, city.node, key.public_key(), CLOCK.now_us(), RANDOM.bytes(16))
            files.save_private_key(paths.transport_key, key, replace=True)
            files.save_certificates(paths.leaf, leaf, *by.issuers)
            await city.start()
            status = await city.until(refused_with("CERTIFICATE_NOT_REGISTERED"))
            assert "join again" in status["parent_link"]["detail"]
            assert audited(province, "link_refused")[-1]["fields"]["reason"] == "CERTIFICATE_NOT_REGISTERED"
            assert all(link["peer"] != city.node for link in (await province.status())["links"])

    run(work())


@pytest.mark.parametrize(("looks", "shows"), [("province", "city"), ("city", "province")])
def test_a_session_ends_with_its_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: str, shows: str
) -> None:
    """An open stream outlives either side's certificate in TLS; here it is ended, and both sides know why."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            first, second = net[looks], net[shows]
            ends = read_home(second.home, CLOCK.now_us())[1].own.not_after
            await second.stop()
            await first.stop()
            # Where one looks, half a second is left of the life of what the other shows.
            await first.start()
            monkeypatch.setattr(node_of(first).watch, "_now", lambda: ends - 500_000)
            await second.start()
            expired = {"name": "link_closed", "reason": "CERTIFICATE_EXPIRED"}
            for member in (first, second):
                await member.until(lambda s: any(expired.items() <= alarm.items() for alarm in s["alarms"]))
                assert audited(member, "link_closed")[-1]["fields"]["reason"] == "CERTIFICATE_EXPIRED"

    run(work())


@pytest.mark.parametrize("name", ["transport_key", "log_key"])
def test_a_key_that_others_can_read_is_not_used(tmp_path: Path, name: str) -> None:
    """The node does not start; the error has a number, the file, its mode and the command that mends it."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            await city.stop()
            path: Path = getattr(HomeFiles(city.home), name)
            os.chmod(path, 0o644)  # noqa: PTH101
            with pytest.raises(UserFault) as caught:
                await city.start()
            assert caught.value.code is Code.KEY_CUSTODY
            assert str(path) in str(caught.value.message)
            assert "chmod" in f"{caught.value.message} {caught.value.next_step}"
            said = program(city.home, "run")
            assert said.returncode == Code.KEY_CUSTODY.exit_code
            assert str(Code.KEY_CUSTODY) in said.stderr
            assert "Traceback" not in said.stderr
            os.chmod(path, 0o600)  # noqa: PTH101
            await city.start()
            await net.level()

    run(work())


def program(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, as an administrator calls it."""
    command = [sys.executable, "-m", "node", "--home", str(home), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "LANG": "C"}
    )


def test_the_second_node_on_one_home_says_who_holds_it(tmp_path: Path) -> None:
    """By process number, in the same process and as the program; the first one does not notice."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            with pytest.raises(UserFault, match=f"in use by process {os.getpid()} since 20") as caught:
                await Served(city.home).__aenter__()
            assert caught.value.code is Code.HOME_IN_USE
            said = program(city.home, "run")
            assert said.returncode == Code.HOME_IN_USE.exit_code
            assert f"process {os.getpid()} since 20" in said.stderr
            assert "Traceback" not in said.stderr
            await put(city, cases(3))
            await net.level()
            assert same_cases(net, "city", {"case.parent": "province"}) == 3

    run(work())


# --- invites ----------------------------------------------------------------------------------------------------------


async def refused_invite(invite: str, home: Path) -> UserFault:
    """The fault that joining ends in; the home is no node then."""
    with pytest.raises(UserFault) as caught:
        await join(invite, home, CLOCK, RANDOM)
    assert not (home / "node.toml").exists()
    assert str(caught.value.next_step)
    return caught.value


async def invited(member: Member, region: str = "330300") -> str:
    """A new invite for a city."""
    made = await member.command("invite.make", profile="city", region=region, title="温州市平台", approval="automatic")
    return str(made["invite"])


def test_invites_that_do_not_count(tmp_path: Path) -> None:
    """Damaged, used, withdrawn, expired, and of a parent that did not make it: each its own number, and at the parent
    an audited refusal with its reason (a damaged one never leaves the child).
    """

    async def work() -> None:
        async with Topology(tmp_path) as net:
            province, nation = net["province"], net["nation"]
            text = await invited(province)
            broken = text[:60] + ("a" if text[60] != "a" else "b") + text[61:]
            assert (await refused_invite(broken, tmp_path / "broken")).code is Code.INVITE_INVALID
            assert audited(province, "invite_refused") == []

            joined = await join(text, tmp_path / "wenzhou", CLOCK, RANDOM)
            assert joined.node == "c330300.p330000.cn-demo"
            assert (await refused_invite(text, tmp_path / "used")).code is Code.INVITE_USED
            assert len(audited(province, "invite_refused")) + len(audited(province, "enrolment_refused")) == 1

            withdrawn = await invited(province, "330400")
            await province.command("invite.withdraw", which="c330400.p330000.cn-demo")
            refused = await refused_invite(withdrawn, tmp_path / "withdrawn")
            assert refused.code is Code.ENROLMENT_REFUSED
            assert "no such invite (any more)" in str(refused.message)
            assert len(audited(province, "invite_refused")) + len(audited(province, "enrolment_refused")) == 2

            late = await invited(province, "330500")
            with pytest.raises(UserFault) as caught:
                await join(late, tmp_path / "late", Later(8), RANDOM)
            assert caught.value.code is Code.INVITE_EXPIRED

            assert (await province.status())["state"] == (await nation.status())["state"] == "working"
            tree = [member["node"] for member in (await province.status())["tree"]]
            assert sorted(tree)[-2:] == ["n100000.cn-demo", "p330000.cn-demo"]
            assert "c330300.p330000.cn-demo" in tree
            assert "c330400.p330000.cn-demo" not in tree

    run(work())


class Later:
    """A clock that is days ahead."""

    def __init__(self, days: int) -> None:
        self._ahead = days * DAY_US

    def now_us(self) -> int:
        return CLOCK.now_us() + self._ahead

    def monotonic_us(self) -> int:
        return CLOCK.monotonic_us()


def test_an_invite_of_another_federation_enrols_nobody(tmp_path: Path) -> None:
    """Two federations side by side: an invite of the one, dialled at the other's parent, ends at its certificate."""

    async def work() -> None:
        async with (
            Topology(tmp_path / "a", federation="cn-aaa") as one,
            Topology(tmp_path / "b", federation="cn-bbb") as other,
        ):
            text = await invited(one["province"])
            here, there = one["province"].listen.enrolment, other["province"].listen.enrolment
            node: Node = node_of(one["province"])
            assert node.config.listen.enrolment == here
            await one["province"].stop()
            await other["province"].stop()
            # The other federation's province now answers where the invite points to.
            home = other["province"].home / "node.toml"
            home.write_text(home.read_text("utf-8").replace(there, here), "utf-8")
            await other["province"].start()
            fault = await refused_invite(text, tmp_path / "alien")
            assert fault.code is Code.CERTIFICATE_UNFIT
            assert here in str(fault.message)
            # The child hung up in TLS: at the other parent nobody asked but its own city, and nobody was refused.
            assert len(audited(other["province"], "enrolment_asked")) == 1
            assert audited(other["province"], "invite_refused") == []
            assert all(m["node"] != "c330300.p330000.cn-aaa" for m in (await other["province"].status())["tree"])

    run(work())
