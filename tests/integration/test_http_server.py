"""The HTTP listener: off unless configured, encrypted or on loopback, bounded in size, time and connections."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certs.files import CustodyFault
from node.config import CONFIG_NAME, Config, load, render
from node.faults import Code, UserFault
from node.http import connection
from node.serve import Served
from node.settings import HttpSection, NodeSection
from node.testing import Topology
from tests.integration.http_kit import ALONE, calling, configure_http, port_of, serving
from tests.integration.kit import run


def test_it_answers_and_stops_with_the_node(tmp_path: Path) -> None:
    """What the status says as its port is where it answers; after the stop nobody listens there."""

    async def work() -> None:
        async with serving(tmp_path) as member:
            assert (await member.status())["http_port"] == port_of(member)
            async with calling(member) as client:
                answer = await client.get("/health")
                assert answer.json() == {"status": "pass"}
            port = port_of(member)
            await member.stop()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)

    run(work())


def test_it_is_off_unless_configured(tmp_path: Path) -> None:
    """A node without [http] listens nowhere."""

    async def work() -> None:
        async with Topology(tmp_path, ALONE) as net:
            assert (await net["nation"].status())["http_port"] == 0

    run(work())


def test_what_is_not_there_is_a_problem_in_the_readers_language(tmp_path: Path) -> None:
    """RFC 9457, with the code of the fault and what to do."""

    async def work() -> None:
        async with serving(tmp_path) as member, calling(member) as client:
            english = await client.get("/nothing", headers={"accept-language": "de, en;q=0.8, zh;q=0.2"})
            chinese = await client.get("/nothing", headers={"accept-language": "zh-CN,en;q=0.5"})
            assert english.status_code == chinese.status_code == 404
            assert english.headers["content-type"] == "application/problem+json"
            assert english.headers["content-language"] == "en"
            assert english.json()["code"] == "E1801"
            assert "nothing" in english.json()["detail"]
            assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese.json()["next"])
            wrong = await client.delete("/health")
            assert wrong.status_code == 405
            assert wrong.json()["title"] == Code.METHOD_UNKNOWN.name
            assert "GET" in wrong.headers["allow"]

    run(work())


def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """By its stated length before a byte is read, and the node goes on."""

    async def work() -> None:
        async with serving(tmp_path, body_bytes_max=1024) as member, calling(member) as client:
            answer = await client.post("/health", content=b"x" * 1025)
            assert answer.status_code == 413
            assert answer.json()["title"] == Code.REQUEST_TOO_LARGE.name
            assert (await client.get("/health")).status_code == 200

    run(work())


def test_headers_that_are_too_large_end_the_connection(tmp_path: Path) -> None:
    """h11's bound is set, so a header cannot grow without end."""

    async def work() -> None:
        async with serving(tmp_path) as member:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(member))
            writer.write(b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 2 * connection.HEADER_BYTES_MAX)
            assert (await reader.readline()).startswith(b"HTTP/1.1 400")
            writer.close()

    run(work())


def test_who_does_not_finish_asking_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing, half a header or half a body: the connection ends by itself."""
    monkeypatch.setattr(connection, "REQUEST_READ_S", 0.05)

    async def work() -> None:
        async with serving(tmp_path) as member:
            half = b"POST /api/v1/health HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"
            for said in (b"", b"GET /api/v1/hea", half):
                reader, writer = await asyncio.open_connection("127.0.0.1", port_of(member))
                writer.write(said)
                with suppress(ConnectionResetError):
                    while await reader.read(1024):
                        pass
                writer.close()

    run(work())


def test_more_connections_than_may_be_are_not_served(tmp_path: Path) -> None:
    """One above the limit is told so; twice the limit is not let in; those that are there go on."""

    async def work() -> None:
        async with serving(tmp_path, connections_max=2) as member:
            where = ("127.0.0.1", port_of(member))
            first = await asyncio.open_connection(*where)
            second = await asyncio.open_connection(*where)
            second[1].write(b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await second[0].readline()).startswith(b"HTTP/1.1 503")
            others = [await asyncio.open_connection(*where) for _ in range(4)]
            assert await others[-1][0].read(1) == b""
            for _, writer in (first, second, *others):
                writer.close()

    run(work())


# --- TLS ------------------------------------------------------------------------------------------------------------


def _certificate(home: Path) -> x509.Certificate:
    """A certificate for localhost, signed by itself, with its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (home / "http.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    path = home / "http.key"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    path.chmod(0o600)
    return certificate


def test_it_speaks_tls_with_the_certificate_that_is_named(tmp_path: Path) -> None:
    """A client that trusts the certificate gets through; plain HTTP does not."""

    async def work() -> None:
        async with Topology(tmp_path, ALONE) as net:
            member = net["nation"]
            _certificate(member.home)
            configure_http(member, certificate="http.pem", key="http.key")
            await member.restart()
            trust = ssl.create_default_context(cafile=str(member.home / "http.pem"))
            url = f"https://localhost:{port_of(member)}/api/v1/health"
            async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
                assert (await client.get(url)).json() == {"status": "pass"}
                with pytest.raises(httpx.TransportError):
                    await client.get(url.replace("https", "http"))

    run(work())


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    """The node does not start, and says why."""

    async def work() -> None:
        async with Topology(tmp_path, ALONE) as net:
            member = net["nation"]
            _certificate(member.home)
            configure_http(member, certificate="http.pem", key="http.key")
            await member.stop()
            (member.home / "http.key").chmod(0o644)
            with pytest.raises(CustodyFault):
                await Served(member.home).__aenter__()
            (member.home / "http.key").chmod(0o600)
            (member.home / "http.pem").write_text("no certificate")
            with pytest.raises(UserFault) as found:
                await Served(member.home).__aenter__()
            assert found.value.code is Code.CERTIFICATE_UNFIT

    run(work())


def _written(**settings: str) -> str:
    """A node.toml with this [http]."""
    own = NodeSection("f", "n100000.f", "national", "100000", "t")
    return render(Config(own, http=HttpSection(**settings)))


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"listen": "0.0.0.0:8443"}, "http.certificate"),
        ({"listen": "node.example:8443"}, "http.certificate"),
        ({"listen": "[::]:8443"}, "http.certificate"),
        ({"listen": "127.0.0.1:8443", "certificate": "a.pem"}, "http.key"),
        ({"listen": "127.0.0.1:8443", "key": "a.key"}, "http.certificate"),
    ],
)
def test_what_others_can_reach_must_be_encrypted(settings: dict[str, str], where: str) -> None:
    """The configuration is refused, with the setting that is missing."""
    with pytest.raises(UserFault) as found:
        load(CONFIG_NAME, _written(**settings))
    assert found.value.code is Code.CONFIG_INVALID
    assert where in str(found.value.message)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.9.9.9:0", "localhost:0", "[::1]:0"])
def test_this_machine_alone_needs_no_tls(listen: str) -> None:
    """Loopback in any spelling."""
    assert load(CONFIG_NAME, _written(listen=listen)).http.listen == listen


def test_nothing_of_it_is_loaded_while_it_is_off() -> None:
    """The libraries cost memory and time at the start."""
    code = "import sys, node.serve; print(sorted({'starlette', 'uvicorn', 'httpx', 'anyio'} & set(sys.modules)))"

    async def work() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        assert out.decode().strip() == "[]"

    run(work())
