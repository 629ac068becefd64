"""Messages going out: by SMTP, or posted as a template says. Raises Unsent, which says why."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate
from pathlib import Path
from typing import Final, Protocol

import httpx

from certs.files import read_key
from node.faults import Code, UserFault
from node.notify.templates import TEMPLATE_BYTES_MAX, Template, built_in, fill, is_taken, read_template
from node.reading import text_of
from node.settings import Notify, split_address
from node.texts import N_

ANSWER_S: Final = 20.0
ANSWER_BYTES_MAX: Final = 64 * 1024
FOLDER: Final = "notify"
_DETAIL_CHARACTERS: Final = 200


class Unsent(Exception):
    """A message was not taken; the text says why, without secrets."""


class Sender(Protocol):
    """One way out. Called in a thread of its own: it may block for ANSWER_S a step."""

    def send(self, subject: str, text: str) -> None:
        """Returns when the message was taken. Raises Unsent."""
        ...


def sender_of(home: Path, name: str, settings: Notify, now: Callable[[], int]) -> Sender:
    """Raises CustodyFault for a secret that others can read, UserFault, OSError."""
    secrets = {part: _secret(home / FOLDER / f"{name}.{part}") for part in ("secret", "sign")}
    trust = trust_of(home, settings.trust)
    if settings.to == "smtp":
        return Mail(settings, secrets["secret"], trust)
    template = built_in(settings.to) if settings.to != "template" else _own(home / settings.template)
    return Poster(settings, template, secrets, trust, now)


def url_of(settings: Notify) -> str:
    """Where a template's messages are posted: as said, else as the template of the program says."""
    return settings.url or built_in(settings.to).url


def trust_of(home: Path, trust: str) -> ssl.SSLContext:
    """Whose certificates are believed. Raises UserFault CERTIFICATE_UNFIT, OSError."""
    try:
        return ssl.create_default_context(cafile=str(home / trust) if trust else None)
    except ssl.SSLError as error:
        raise UserFault(
            Code.CERTIFICATE_UNFIT,
            N_("'{path}' holds no certificates that could be believed: {detail}"),
            N_("Give the certificates of the target's authority as PEM."),
            path=home / trust,
            detail=error.reason or str(error),
        ) from error


def _own(path: Path) -> Template:
    wrong = N_("This is not a template; check the path.")
    return read_template(path.name, text_of(path, TEMPLATE_BYTES_MAX, wrong))


def _secret(path: Path) -> str:
    return read_key(path).decode("utf-8", "replace").strip() if path.exists() else ""


class Mail:
    """By e-mail, one message to all recipients."""

    def __init__(self, settings: Notify, password: str, trust: ssl.SSLContext) -> None:
        self._settings = settings
        self._password = password
        self._trust = trust

    def send(self, subject: str, text: str) -> None:
        """As Sender.send."""
        host, port = split_address(self._settings.server)
        try:
            with self._connected(host, port) as server:
                if self._settings.security == "starttls":
                    server.starttls(context=self._trust)
                if self._settings.user:
                    server.login(self._settings.user, self._password)
                refused = server.send_message(self._message(subject, text))
        except (smtplib.SMTPException, OSError) as error:
            raise Unsent(f"{type(error).__name__}: {error}"[:_DETAIL_CHARACTERS]) from error
        if refused:
            raise Unsent(f"refused: {', '.join(refused)}"[:_DETAIL_CHARACTERS])

    def _connected(self, host: str, port: int) -> smtplib.SMTP:
        if self._settings.security == "tls":
            return smtplib.SMTP_SSL(host, port, timeout=ANSWER_S, context=self._trust)
        return smtplib.SMTP(host, port, timeout=ANSWER_S)

    def _message(self, subject: str, text: str) -> EmailMessage:
        made = EmailMessage(policy=SMTP_POLICY)
        made["Subject"] = " ".join(subject.split())
        made["From"], made["To"] = self._settings.sender, ", ".join(self._settings.recipients)
        made["Date"] = formatdate()
        # So that no answering machine answers, and no two of them talk to each other.
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(text)
        return made


class Poster:
    """To an address, in the form of a template."""

    def __init__(
        self,
        settings: Notify,
        template: Template,
        secrets: dict[str, str],
        trust: ssl.SSLContext,
        now: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._trust = trust
        self._template = template
        self._secrets = secrets
        self._now = now

    def send(self, subject: str, text: str) -> None:
        """As Sender.send."""
        to = ",".join(self._settings.recipients)
        made = fill(self._template, self._settings.url, subject, text, to, self._secrets, self._now())
        headers = {"content-type": made.content_type}
        try:
            with (
                httpx.Client(timeout=ANSWER_S, trust_env=False, verify=self._trust) as client,
                client.stream("POST", made.url, content=made.body, headers=headers) as answer,
            ):
                said = b""
                for part in answer.iter_bytes():
                    said += part
                    if len(said) > ANSWER_BYTES_MAX:
                        break
        except (httpx.HTTPError, OSError) as error:
            raise Unsent(type(error).__name__) from error  # its words may hold the address, and that the secret
        if not answer.is_success:
            raise Unsent(f"HTTP {answer.status_code}")
        if not is_taken(self._template, said):
            raise Unsent(said.decode("utf-8", "replace")[:_DETAIL_CHARACTERS])
