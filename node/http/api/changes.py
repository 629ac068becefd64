"""The changes of this node's rows, by page or as server-sent events (the WHATWG's, as every browser reads them)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

import msgspec
from starlette.responses import Response, StreamingResponse

from node import following
from node.commands.tokens import READ
from node.faults import Code, UserFault
from node.following import Change, Page, Shown
from node.http.access import Grant
from node.http.api.endpoint import Call, json_answer
from node.http.api.shapes import ChangeOut, ChangesPage
from node.http.bounds import DEADLINE
from node.reads import reads_of
from node.texts import N_
from sync.errors import SyncError

STREAMS_MAX: Final = 16
PAUSE_S: Final = 0.05
"""Between two looks: what was committed meanwhile comes in one page."""
BEAT_S: Final = 15.0
"""Without a change for so long, the place is told: the line is seen to live, and what was of no interest is passed."""
EVENTS: Final = "text/event-stream"
_OLDEST: Final = "oldest"


async def changes(call: Call) -> Response:
    """One page, or a stream where the request accepts one. Raises UserFault."""
    cursor = call.params["cursor"] or call.request.headers.get("last-event-id", "")
    page = await _page(call, _shown(call.granted, call), cursor)
    if EVENTS not in call.request.headers.get("accept", ""):
        found = [_out(change) for change, _ in page.changes]
        return json_answer(ChangesPage(found, page.cursor, page.more))
    streams = call.site.streams
    if len(streams) >= STREAMS_MAX:
        raise UserFault(
            Code.TOO_MANY_STREAMS,
            N_("{most} streams of changes are read already."),
            N_("Read with fewer, or ask for pages of changes instead."),
            most=STREAMS_MAX,
        )
    call.request.scope["state"][DEADLINE].reschedule(None)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_stream(call, page), headers=headers, media_type=EVENTS)


async def _page(call: Call, shown: Shown, cursor: str) -> Page:
    node = call.node
    if not cursor:
        return Page([], await call.read(following.newest), False)
    if cursor == _OLDEST:
        cursor = await call.read(following.oldest)
    page = await call.read(partial(following.page, catalogue=node.catalogue, shown=shown, cursor=cursor))
    for one in reads_of(f"token {call.granted.token.id}", page.datasets_with_rows):
        node.note_read(one)
    return page


async def _stream(call: Call, page: Page) -> AsyncIterator[bytes]:
    """Ends when the node stops, the token ends, or the journal does; the reader dials again and is told why."""
    mine, clock = object(), call.node.clock
    call.site.streams.add(mine)
    closing = asyncio.create_task(call.site.closing.wait())
    try:
        yield b"retry: 3000\n" + _said(page)
        told = clock.monotonic_us()
        while not closing.done():
            changed = call.node.changed
            page = await _page(call, _shown(await call.site.access.grant(call.request), call), page.cursor)
            if page.changes or clock.monotonic_us() - told > BEAT_S * 1e6:
                yield _said(page)
                told = clock.monotonic_us()
            if not page.more:
                await _soon(changed, closing)
                await asyncio.sleep(PAUSE_S)
    except (UserFault, SyncError):
        return
    finally:
        call.site.streams.discard(mine)
        closing.cancel()


async def _soon(changed: asyncio.Event, closing: asyncio.Task[bool]) -> None:
    """Waits until something is committed, the node stops, or a beat is due."""
    waiting = asyncio.create_task(changed.wait())
    try:
        await asyncio.wait((waiting, closing), timeout=BEAT_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


def _said(page: Page) -> bytes:
    """Events with their cursors; then the cursor alone, behind what this follower does not see."""
    events = [
        b"id: %b\nevent: change\ndata: %b\n\n" % (cursor.encode(), msgspec.json.encode(_out(change)))
        for change, cursor in page.changes
    ]
    return b"".join(events) + b"id: %b\n\n" % page.cursor.encode()


def _out(change: Change) -> ChangeOut:
    return ChangeOut(change.dataset, change.origin, change.key, change.change, change.row)


def _shown(grant: Grant, call: Call) -> Shown:
    """What this token may follow. Raises UserFault TOKEN_FORBIDS, UNKNOWN_DATASET."""
    wanted = call.params["dataset"]
    if wanted:
        from node.datasets import dataset_named

        grant.need(READ, wanted)
        dataset_named(call.node.catalogue.datasets, wanted)
    return {
        one.id: grant.columns(one)
        for one in call.node.catalogue.datasets.values()
        if grant.may(READ, one.id) and wanted in ("", one.id)
    }
