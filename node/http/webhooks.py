"""Changes pushed to the platform's own systems: signed, in order, at least once, for as long as it takes.

Each target has a task of its own, its own connection and its own place in the journal, kept in the store: one that
never answers holds up nobody. A place is moved on only when the target has answered 2xx; what was sent before a crash
and not noted is sent again, so a receiver goes by the key of a row.

Signed as Standard Webhooks says (HMAC-SHA-256 over id, time and body). A message is known by the places it begins and
ends at: tried again it has the same id, and one that covers more has another.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import ssl
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from tenacity import AsyncRetrying, TryAgain, wait_exponential_jitter

from certs.files import read_key
from node import following
from node.app import Node
from node.clock import iso
from node.commands.work import in_store
from node.faults import Code, UserFault
from node.following import Page, Shown
from node.reads import reads_of
from node.settings import Webhook
from node.texts import N_
from sync.errors import SyncError

ANSWER_S: Final = 20.0
RETRY_S: Final = 1.0
RETRY_S_MAX: Final = 300.0
PAUSE_S: Final = 0.05
ALARM_AFTER: Final = 5
"""Tries that failed in a row."""
SECRET_BYTES: Final = 32
FOLDER: Final = "webhooks"
_PREFIX: Final = "whsec_"
_DETAIL_CHARACTERS: Final = 200


class Webhooks:
    """All targets of a node."""

    def __init__(self, node: Node) -> None:
        self._targets = [Target(node, name, one) for name, one in node.config.webhooks.items()]
        node.webhooks = self._targets
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to send."""
        self._tasks = [asyncio.create_task(one.run(), name=f"webhook {one.name}") for one in self._targets]

    async def stop(self) -> None:
        """Ends at once: what was not answered is sent again after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Target:
    """One system that is told. Raises CustodyFault for a secret that others can read, UserFault, OSError, when made."""

    def __init__(self, node: Node, name: str, settings: Webhook) -> None:
        self.name = name
        self._node = node
        self._url = settings.url
        self._secret = secret_of(node.home, name, node.randomness.bytes)
        self._shown = _shown(node, name, settings)
        self._trust = _trust(node.home, settings)
        self._failed = 0
        self._detail = ""
        self._delivered = 0

    def shown(self) -> dict[str, Any]:
        """How it stands, for the status."""
        return {
            "webhook": self.name,
            "url": self._url,
            "state": "failing" if self._failed else "working",
            "failed": self._failed,
            "detail": self._detail,
            "delivered": iso(self._delivered) if self._delivered else "",
        }

    async def run(self) -> None:
        """Sends until cancelled; a fault of ours ends this target alone, and is told."""
        try:
            timeout = httpx.Timeout(ANSWER_S)
            limits = httpx.Limits(max_connections=1)
            async with httpx.AsyncClient(verify=self._trust, timeout=timeout, limits=limits, trust_env=False) as client:
                await self._follow(client)
        except SyncError as fault:
            self._note_failure(str(fault))
        except Exception as error:
            self._note_failure(type(error).__name__)
            self._node.log.error("webhook_failed", webhook=self.name, exc_info=error)
            self._alarm()

    async def _follow(self, client: httpx.AsyncClient) -> None:
        read = self._node.read
        begun = await read(lambda reader: reader.changes.cursor(self.name))
        cursor = begun or await read(following.newest)
        if not begun:
            await self._keep(cursor)
        while True:
            changed = self._node.changed
            try:
                page = await read(
                    partial(following.page, catalogue=self._node.catalogue, shown=self._shown, cursor=cursor)
                )
            except UserFault as fault:
                if fault.code not in (Code.CHANGES_EXPIRED, Code.CURSOR_INVALID):
                    raise
                cursor = await self._lost(client, cursor)
                continue
            if page.changes:
                for one in reads_of(f"webhook {self.name}", page.datasets_with_rows):
                    self._node.note_read(one)
                await self._deliver(client, cursor, page.cursor, "changes", {"changes": _told(page)})
            if page.cursor != cursor:
                cursor = page.cursor
                await self._keep(cursor)
            elif not page.more:
                await changed.wait()
            await asyncio.sleep(0 if page.more else PAUSE_S)

    async def _lost(self, client: httpx.AsyncClient, cursor: str) -> str:
        """Changes were forgotten before the target took them: it is told to read all anew, then goes on from now."""
        newest = await self._node.read(following.newest)
        await self._deliver(client, cursor, newest, "changes.lost", {})
        await self._keep(newest)
        return newest

    async def _keep(self, cursor: str) -> None:
        await in_store(self._node, lambda store: store.changes.set_cursor(self.name, cursor))

    async def _deliver(self, client: httpx.AsyncClient, start: str, end: str, kind: str, data: dict[str, Any]) -> None:
        """Returns when the target has taken it."""
        node = self._node.config.node.node_id
        message = {"type": kind, "timestamp": iso(self._node.clock.now_us()), "data": {"node": node, **data}}
        body = msgspec.json.encode(message)
        name = "msg_" + sha256(f"{start} {end}".encode()).hexdigest()[:32]
        wait = wait_exponential_jitter(multiplier=RETRY_S, max=RETRY_S_MAX, jitter=RETRY_S)
        async for attempt in AsyncRetrying(wait=wait):
            # Outside `with attempt`, which would swallow a cancellation as one more failure.
            why = await self._once(client, name, body)
            if not why:
                break
            self._note_failure(why)
            with attempt:
                raise TryAgain
        self._failed, self._detail, self._delivered = 0, "", self._node.clock.now_us()

    async def _once(self, client: httpx.AsyncClient, name: str, body: bytes) -> str:
        """Why it was not taken; '' if it was. The answer's body is not read."""
        at = str(self._node.clock.now_us() // 1_000_000)
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": at,
            "webhook-signature": signature(self._secret, name, at, body),
        }
        try:
            async with (
                asyncio.timeout(ANSWER_S),
                client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                return "" if answer.is_success else f"HTTP {answer.status_code}"
        except (TimeoutError, httpx.TimeoutException):
            return f"no answer within {ANSWER_S:g} s"
        except (httpx.HTTPError, OSError) as error:
            return (f"{type(error).__name__}: {error}")[:_DETAIL_CHARACTERS]

    def _note_failure(self, why: str) -> None:
        self._failed += 1
        self._detail = why
        if self._failed == ALARM_AFTER:
            self._alarm()

    def _alarm(self) -> None:
        self._node.alarm("webhook_failing", webhook=self.name, detail=self._detail)


def signature(secret: bytes, name: str, at: str, body: bytes) -> str:
    """As Standard Webhooks, version 1."""
    mac = hmac.new(secret, f"{name}.{at}.".encode() + body, sha256).digest()
    return f"v1,{b64encode(mac).decode()}"


def secret_of(home: Path, name: str, random: Callable[[int], bytes]) -> bytes:
    """The secret of a target, in a file of the home (0600); made if there is none. Raises CustodyFault, OSError."""
    path = home / FOLDER / f"{name}.secret"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(_PREFIX + b64encode(random(SECRET_BYTES)).decode() + "\n")
    text = read_key(path).decode("ascii", "replace").strip()
    try:
        secret = b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:
        secret = b""
    if not text.startswith(_PREFIX) or len(secret) < SECRET_BYTES:
        raise UserFault(
            Code.KEY_CUSTODY,
            N_("'{path}' holds no secret of a webhook."),
            N_("Take the file away and start the node: it makes a new one, which the receiver needs then."),
            path=path,
        )
    return secret


def _shown(node: Node, name: str, settings: Webhook) -> Shown:
    """The columns that are sent: never those that are held back. Raises UserFault UNKNOWN_DATASET."""
    from node.datasets import dataset_named

    found = {}
    for one in settings.datasets:
        dataset = dataset_named(node.catalogue.datasets, one)
        found[one] = tuple(column for column in dataset.schema.names if column not in dataset.held_back)
    return found


def _trust(home: Path, settings: Webhook) -> ssl.SSLContext | bool:
    """Whose certificates are believed."""
    if not settings.url.startswith("https:"):
        return False
    try:
        return ssl.create_default_context(cafile=str(home / settings.trust) if settings.trust else None)
    except ssl.SSLError as error:
        raise UserFault(
            Code.CERTIFICATE_UNFIT,
            N_("'{path}' holds no certificates that could be believed: {detail}"),
            N_("Give the certificates of the target's authority as PEM."),
            path=home / settings.trust,
            detail=error.reason or str(error),
        ) from error


def _told(page: Page) -> list[dict[str, Any]]:
    return [change._asdict() for change, _ in page.changes]
