"""Messages going out to a real SMTP server and to an HTTP gateway on this machine."""

from __future__ import annotations

import asyncio
import datetime as dt
import email
import email.policy
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certs.files import CustodyFault
from node.faults import UserFault
from node.notify.sending import FOLDER, Unsent, sender_of
from node.settings import Notify

NOW_US = 1_795_276_800_000_000


class Mailbox:
    """A handler of aiosmtpd: keeps what came, refuses whom the test says."""

    def __init__(self) -> None:
        self.came: list[Envelope] = []
        self.signed_in: list[str] = []
        self.refuses = ""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]) -> str:
        if address == self.refuses:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        self.came.append(envelope)
        return "250 taken"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, said: LoginPassword) -> AuthResult:
        good = said.password == b"pass word"
        if good:
            self.signed_in.append(said.login.decode())
        return AuthResult(success=good, handled=False)

    def message(self) -> email.message.EmailMessage:
        """What came last."""
        data = cast("bytes", self.came[-1].content)
        return cast("email.message.EmailMessage", email.message_from_bytes(data, policy=email.policy.default))


def certificate(folder: Path) -> ssl.SSLContext:
    """A certificate for localhost in `folder`/server.pem, and the context of a server that shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
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
    (folder / "server.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


def _served(mailbox: Mailbox, **how: Any) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def up() -> asyncio.Server:
        return await loop.create_server(lambda: SMTP(mailbox, hostname="localhost", loop=loop, **how), "127.0.0.1", 0)

    async def down(server: asyncio.Server) -> None:
        server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await loop.shutdown_asyncgens()

    server = asyncio.run_coroutine_threadsafe(up(), loop).result(10)
    yield server.sockets[0].getsockname()[1]
    asyncio.run_coroutine_threadsafe(down(server), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def port(mailbox: Mailbox) -> Iterator[int]:
    """An SMTP server without encryption."""
    yield from _served(mailbox)


@pytest.fixture
def secure_port(mailbox: Mailbox, tmp_path: Path) -> Iterator[int]:
    """One that wants STARTTLS and a password."""
    context = certificate(tmp_path)
    how = {"tls_context": context, "require_starttls": True, "authenticator": mailbox.authenticate}
    yield from _served(mailbox, **how, auth_required=True)


def _mail(port: int, **fields: Any) -> Notify:
    made: dict[str, Any] = {
        "to": "smtp",
        "server": f"localhost:{port}",
        "security": "none",
        "sender": "tiersync@city.example",
        "recipients": ("duty@city.example", "chief@city.example"),
    } | fields
    return Notify(**made)


def _secret(home: Path, name: str, said: str, mode: int = 0o600) -> None:
    (home / FOLDER).mkdir(exist_ok=True)
    path = home / FOLDER / name
    path.write_text(said, "utf-8")
    path.chmod(mode)


def test_a_mail_arrives(tmp_path: Path, port: int, mailbox: Mailbox) -> None:
    """To all recipients, in Chinese, marked as made by a program; a subject is one line whatever it holds."""
    sender_of(tmp_path, "duty", _mail(port), lambda: NOW_US).send("告警\r\nBcc: x@evil.example", "井盖\n第二行")
    said = mailbox.message()
    assert mailbox.came[-1].rcpt_tos == ["duty@city.example", "chief@city.example"]
    assert (said["Subject"], said["Auto-Submitted"]) == ("告警 Bcc: x@evil.example", "auto-generated")
    assert said.get_content().splitlines() == ["井盖", "第二行"]
    assert said["Bcc"] is None


def test_it_signs_in_over_starttls(tmp_path: Path, secure_port: int, mailbox: Mailbox) -> None:
    """With the password from its file, believing the authority that is named."""
    _secret(tmp_path, "duty.secret", "pass word\n")
    settings = _mail(secure_port, security="starttls", user="tiersync", trust="server.pem")
    sender_of(tmp_path, "duty", settings, lambda: NOW_US).send("s", "t")
    assert mailbox.signed_in == ["tiersync"]
    _secret(tmp_path, "duty.secret", "another")
    with pytest.raises(Unsent, match="SMTPAuthenticationError"):
        sender_of(tmp_path, "duty", settings, lambda: NOW_US).send("s", "t")
    stranger = _mail(secure_port, security="starttls", user="tiersync")
    with pytest.raises(Unsent, match="CERTIFICATE_VERIFY_FAILED"):
        sender_of(tmp_path, "duty", stranger, lambda: NOW_US).send("s", "t")
    assert len(mailbox.came) == 1


def test_what_is_not_taken_is_said(tmp_path: Path, port: int, mailbox: Mailbox) -> None:
    """One recipient that is refused, all of them, nobody there."""
    mailbox.refuses = "chief@city.example"
    with pytest.raises(Unsent, match=r"chief@city\.example"):
        sender_of(tmp_path, "duty", _mail(port), lambda: NOW_US).send("s", "t")
    with pytest.raises(Unsent, match="SMTPRecipientsRefused"):
        only = _mail(port, recipients=("chief@city.example",))
        sender_of(tmp_path, "duty", only, lambda: NOW_US).send("s", "t")
    with pytest.raises(Unsent):
        sender_of(tmp_path, "duty", _mail(1), lambda: NOW_US).send("s", "t")


def test_a_secret_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    """As with every key."""
    _secret(tmp_path, "duty.secret", "x", 0o644)
    with pytest.raises(CustodyFault):
        sender_of(tmp_path, "duty", _mail(1), lambda: NOW_US)


# --- HTTP


class _Gateway(BaseHTTPRequestHandler):
    answers: list[tuple[int, bytes]]
    came: list[tuple[str, str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).came.append((self.path, self.headers["content-type"], body))
        status, said = type(self).answers.pop(0)
        self.send_response(status)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def gateway() -> Iterator[tuple[str, type[_Gateway]]]:
    """A messenger's address on this machine."""

    class Mine(_Gateway):
        answers: list[tuple[int, bytes]] = []
        came: list[tuple[str, str, bytes]] = []

    server = HTTPServer(("127.0.0.1", 0), Mine)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", Mine
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_robot_is_told(tmp_path: Path, gateway: tuple[str, type[_Gateway]]) -> None:
    """The key of its address comes from a file; 200 alone does not mean that it took the message."""
    address, mine = gateway
    _secret(tmp_path, "im.secret", "k-1")
    sender = sender_of(tmp_path, "im", Notify("wecom", url=address + "/send?key={secret}"), lambda: NOW_US)
    mine.answers = [(200, b'{"errcode": 0}'), (200, b'{"errcode": 45009, "errmsg": "too often"}'), (502, b"")]
    sender.send("告警", "井盖")
    path, kind, body = mine.came[0]
    assert (path, kind) == ("/send?key=k-1", "application/json; charset=utf-8")
    assert json.loads(body) == {"msgtype": "text", "text": {"content": "告警\n井盖"}}
    with pytest.raises(Unsent, match="too often"):
        sender.send("s", "t")
    with pytest.raises(Unsent, match="HTTP 502"):
        sender.send("s", "t")


def test_what_cannot_be_reached_does_not_tell_the_key(tmp_path: Path) -> None:
    """The address holds it, and what goes wrong stands in the log."""
    _secret(tmp_path, "im.secret", "k-1")
    sender = sender_of(tmp_path, "im", Notify("wecom", url="http://127.0.0.1:1/{secret}"), lambda: NOW_US)
    with pytest.raises(Unsent) as told:
        sender.send("s", "t")
    assert "k-1" not in str(told.value)


def test_a_template_of_ones_own(tmp_path: Path, gateway: tuple[str, type[_Gateway]]) -> None:
    """An SMS gateway of a site: its form, its fields, its numbers."""
    address, mine = gateway
    own = 'zh="短信"\nen="SMS"\nbasis="own"\nbody=\'{"to": "{recipients}", "msg": "{text}"}\'\nform=true\nbytes_max=200'
    (tmp_path / "own.toml").write_text(own, "utf-8")
    mine.answers = [(200, b"whatever")]
    settings = Notify("template", url=address + "/sms", template="own.toml", recipients=("1", "2"))
    sender_of(tmp_path, "sms", settings, lambda: NOW_US).send("s", "t")
    assert mine.came[0][1:] == ("application/x-www-form-urlencoded", b"to=1%2C2&msg=s%0At")
    (tmp_path / "own.toml").write_text("broken =", "utf-8")
    with pytest.raises(UserFault):
        sender_of(tmp_path, "sms", settings, lambda: NOW_US)
