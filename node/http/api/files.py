"""Attachments over HTTP: taken in as by the command line, and given to who may read a row or a task that names
them.

One that is not here is fetched from the node whose row or move names it. What comes from elsewhere is never run
by a browser.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import Response, StreamingResponse

from node.attachments.files import Held, is_hash
from node.attachments.kinds import MEDIA_TYPES, PICTURES
from node.attachments.referring import Reference
from node.commands.attachments import unknown
from node.commands.tokens import READ, TASK, WRITE
from node.faults import Code, UserFault
from node.hands import allows, need_either
from node.http.api.endpoint import Call, json_answer
from node.http.api.shapes import Attached
from node.http.bounds import DEADLINE
from node.store.readers import Reader
from node.texts import N_
from tiers.people import Act

FETCH_S: Final = 20.0
PART_BYTES: Final = 256 * 1024


async def attach(call: Call) -> Response:
    """A file becomes an attachment. The same bytes again change nothing."""
    if not call.granted.may(WRITE):
        need_either(call.node, call.granted.hand, Act.WORK, Act.BRING)
    data = await call.request.body()
    taken = await call.node.attach(data, f"token {call.granted.token.id}")
    return json_answer(Attached(taken.hash, taken.size, taken.kind, list(taken.removed), taken.new))


async def fetch(call: Call) -> Response:
    """The bytes of an attachment. Raises UserFault ATTACHMENT_UNKNOWN, ATTACHMENT_COMING, ATTACHMENT_NOT_HAD."""
    name = call.request.path_params["hash"].lower()
    if not is_hash(name):
        raise unknown(name)

    def asked(reader: Reader) -> list[Reference]:
        return [one for referrer in call.node.referrers for one in referrer.references(reader, name)]

    if not any(_may_read(call, one) for one in await call.read(asked)):
        # Told the same as of one that nobody has: a token learns of no row that it may not read.
        raise unknown(name)
    await _wait_for(call, name)
    held = await call.node.attachment(name, f"token {call.granted.token.id}")
    kind = await call.node.attachments.in_thread(lambda: held.kind)
    shown = "inline" if kind in PICTURES else "attachment"
    headers = {
        "content-length": str(held.size),
        "content-disposition": f'{shown}; filename="{name}.{kind or "bin"}"',
        "content-security-policy": "sandbox; default-src 'none'",
        "cache-control": "no-store",
        "etag": f'"{name}"',
    }
    call.request.scope["state"][DEADLINE].reschedule(None)  # each write has its own bound
    return StreamingResponse(_parts(call, held), 200, headers, MEDIA_TYPES.get(kind, "application/octet-stream"))


async def _parts(call: Call, held: Held) -> AsyncIterator[bytes]:
    offset = 0
    while part := await call.node.attachments.read(held.hash, offset, PART_BYTES):
        offset += len(part)
        yield part


async def _wait_for(call: Call, name: str) -> None:
    """Until it is here, or so long: it goes on coming, and is asked for again."""
    try:
        async with asyncio.timeout(FETCH_S):
            await call.node.travel.fetch(name)
    except TimeoutError as error:
        raise UserFault(
            Code.ATTACHMENT_COMING,
            N_("The attachment '{hash}' is being fetched from the node that names it."),
            N_("Ask again: it goes on from where it is."),
            hash=name,
        ) from error


def _may_read(call: Call, reference: Reference) -> bool:
    """Whether the token sees a column, or a task, that names the file."""
    if reference.task:
        person = call.granted.hand
        return call.granted.may(TASK) and allows(call.node.people, person, Act.SEE, call.node.today())
    dataset = call.node.catalogue.datasets.get(reference.what)
    if dataset is None or not call.granted.may(READ, dataset.id):
        return False
    return bool(set(reference.columns) & set(call.granted.columns(dataset)))
