"""Tasks, drafts and people, as the person of a token may: the same commands as at the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.responses import Response

from node.audit import Event
from node.commands import drafts, people, tasks
from node.commands.evidence import evidence_of
from node.commands.task_stats import stats_of
from node.commands.view import ROWS_SHOWN_MAX, Arguments, View
from node.commands.work import view_of
from node.desk import HandIn, Made
from node.engine import Job
from node.http.api.endpoint import READ_S, Call, decoded, json_answer
from node.http.api.shapes import MadeOut, MoveIn, MovesIn, PersonIn, ReasonIn, TaskIn
from node.http.api.writing import KeyedJob, Replayed, digest_asked, json_body, key_asked, replayed
from node.storable import check_storable
from node.store.people import DraftState

LISTED = 100
LISTED_MAX = 1_000
SKIPPED_MAX = ROWS_SHOWN_MAX


async def list_tasks(call: Call) -> Response:
    """The most recently moved first."""
    asked = call.params
    person = call.granted.token.person if asked["mine"] else asked["person"]
    wish = {"limit": asked["limit"] or LISTED, "person": person}
    wish |= {"open": bool(asked["open"]), "overdue": bool(asked["overdue"])}
    wish |= {name: asked[name] for name in ("flow", "skip", "due_before")}
    return await _asked(call, tasks.list_tasks, wish)


async def show_task(call: Call) -> Response:
    """One task with all its moves."""
    return await _asked(call, tasks.show_task, {"task": call.request.path_params["task"]})


async def evidence(call: Call) -> Response:
    """What proves a task's history, as one file."""
    arguments, signer = {"task": call.request.path_params["task"]}, call.node.identity.log_key
    check_storable(arguments)
    made = await call.read(lambda reader: evidence_of(view_of(call.node, reader), arguments, signer))
    by = f"token {call.granted.token.id}"
    call.node.note(Event.EVIDENCE_MADE, task=made["task"], bytes=made["bytes"], by=by)
    return json_answer(made)


async def statistics(call: Call) -> Response:
    """Twelve months of this place, and of those below it."""
    check_storable(dict(call.params))
    return json_answer(await stats_of(call.node, call.params, READ_S))


async def start(call: Call) -> Response:
    """A new task."""
    body = await json_body(call)
    wish = decoded(body, TaskIn)
    about = {"task": wish.task, "flow": wish.flow, "holder": wish.holder}
    return await _hand_in(call, body, about, wish.moves)


async def move(call: Call) -> Response:
    """Moves of a task that is known here."""
    body = await json_body(call)
    return await _hand_in(call, body, {"task": call.request.path_params["task"]}, decoded(body, MovesIn).moves)


async def assign(call: Call) -> Response:
    """Who handles a task."""
    wish = decoded(await json_body(call), PersonIn)
    arguments = {"task": call.request.path_params["task"], "person": wish.person}
    check_storable(arguments)
    async for told in people.assign(call.node, call.granted.hand, arguments):
        return json_answer(told)
    raise AssertionError("a command answers")


async def list_drafts(call: Call) -> Response:
    """The newest first."""
    asked = call.params
    person = call.granted.token.person if asked["mine"] else ""
    wish = {"limit": asked["limit"] or LISTED, "all": bool(asked["all"]), "person": person}
    return await _asked(call, drafts.list_drafts, wish)


async def show_draft(call: Call) -> Response:
    """One draft."""
    return await _asked(call, drafts.show_draft, {"draft": call.request.path_params["draft"]})


async def approve(call: Call) -> Response:
    """A draft's moves are made."""
    return await _decided(call, DraftState.APPROVED, "")


async def refuse(call: Call) -> Response:
    """A draft goes back to its author."""
    return await _decided(call, DraftState.REFUSED, decoded(await json_body(call), ReasonIn).reason)


async def drop(call: Call) -> Response:
    """A draft is taken back."""
    return await _decided(call, DraftState.DROPPED, "")


async def list_people(call: Call) -> Response:
    """Who is here."""
    return await _asked(call, people.list_people, {})


# --- inside ---------------------------------------------------------------------------------------------------------


async def _asked(call: Call, question: Callable[[View, Arguments], dict[str, Any]], arguments: Arguments) -> Response:
    check_storable(arguments)
    return json_answer(await call.read(lambda reader: question(view_of(call.node, reader), arguments)))


async def _hand_in(call: Call, body: bytes, about: dict[str, Any], moves: list[MoveIn]) -> Response:
    """Made once under its key; the body is at most as large as a request may be."""
    steps = [{"move": one.move, "fields": one.fields} for one in moves]
    arguments = {**about, **steps[0], "then": steps[1:]}
    await asyncio.to_thread(check_storable, arguments)
    key, who, now = key_asked(call), call.granted.token.id, call.node.clock.now_us()

    def around(job: HandIn) -> Job:
        if not key:
            return job
        return KeyedJob(job, who, key, digest_asked(call, body), now, lambda made: msgspec.json.encode(_made(made)))

    wishes = tasks.wishes_of(call.node, arguments)
    found: Any = await tasks.hand_in(call.node, call.granted.hand, wishes, around)
    return replayed(found) if isinstance(found, Replayed) else json_answer(_made(found))


async def _decided(call: Call, state: DraftState, reason: str) -> Response:
    check_storable(reason)
    which = call.request.path_params["draft"]
    await drafts.decided(call.node, call.granted.hand, which, state, reason)
    return await show_draft(call)


def _made(made: Made) -> MadeOut:
    return MadeOut(made.task, list(made.move_ids), made.draft.id if made.draft is not None else 0)
