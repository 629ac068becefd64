"""Rows in and voids, through the node's own door: the good ones go in, the others are told each with its place.

With an Idempotency-Key the answer is kept in the same transaction, so that the same request again is answered the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

import msgspec
from starlette.responses import Response

from node.engine import Job, Step
from node.faults import Code, UserFault
from node.http.api.endpoint import Call, decoded, invalid, json_answer
from node.http.api.reading import read_key
from node.http.api.shapes import Cell, FastRowsIn, Outcome, Rejected, RowsIn, VoidsIn, Warned
from node.http.problems import speaker
from node.jobs import PutJob, PutResult
from node.jsoncells import CONVERTED, cell_of, key_of
from node.store.answers import Answer
from node.store.store import Store
from node.texts import N_, Translator
from node.writer import Ticket
from sync.effects import Reply
from sync.phrase import Phrase, as_phrase
from sync.reasons import Reason
from sync.schema import RowSchema
from sync.values import Key, Row

R = TypeVar("R")

KEY_CHARACTERS_MAX: Final = 200
_LARGE_BYTES: Final = 64 * 1_024
"""A larger body is read in a thread: the loop also serves the links."""
_row = msgspec.json.Decoder(dict[str, Cell])


class Brought(NamedTuple):
    """Rows as the door takes them, where each stood in the request, and those that are no rows at all."""

    rows: list[Row]
    places: Sequence[int]
    rejected: list[Rejected]
    dry_run: bool


async def put(call: Call) -> Response:
    """Rows into a dataset."""
    schema, to = call.dataset.schema, speaker(call.request.scope)
    body = await json_body(call)
    if len(body) > _LARGE_BYTES:
        brought = await asyncio.to_thread(_read, body, schema, to)
    else:
        brought = _read(body, schema, to)

    def told(result: PutResult) -> Outcome:
        return _outcome(result, brought.places, brought.rejected, brought.dry_run, to)

    return await _write(call, schema.dataset, brought.rows, (), "", brought.dry_run, body, told, len(brought.rejected))


async def void(call: Call) -> Response:
    """Rows of a dataset end, by their keys."""
    schema = call.dataset.schema
    body = await json_body(call)
    wish = decoded(body, VoidsIn)
    keys = [key_of(schema, cells) or tuple(cells) for cells in wish.keys]
    return await _void(call, schema.dataset, keys, wish.reason, wish.dry_run, body)


async def void_one(call: Call) -> Response:
    """One row ends."""
    dataset = call.dataset
    key, reason = read_key(dataset, call.request.path_params["key"]), call.params["reason"]
    return await _void(call, dataset.id, [key], reason, False, reason.encode())


async def _void(call: Call, dataset: str, keys: list[Key], reason: str, dry_run: bool, body: bytes) -> Response:
    to = speaker(call.request.scope)

    def told(result: PutResult) -> Outcome:
        return _outcome(result, range(len(keys)), [], dry_run, to)

    return await _write(call, dataset, (), keys, reason, dry_run, body, told)


async def json_body(call: Call) -> bytes:
    """What came with a request as JSON. Raises UserFault REQUEST_TYPE."""
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UserFault(
            Code.REQUEST_TYPE,
            N_("The body is '{kind}', and JSON is expected."),
            N_("Send it with `Content-Type: application/json`."),
            kind=kind[:100],
        )
    return await call.request.body()


# --- what was brought -----------------------------------------------------------------------------------------------


def _read(body: bytes, schema: RowSchema, to: Translator) -> Brought:
    """Raises UserFault REQUEST_INVALID where the request as a whole is none."""
    names, known = schema.names, frozenset(schema.names)
    converted = [(i, c.type) for i, c in enumerate(schema.columns) if c.type in CONVERTED]
    try:
        whole = msgspec.json.decode(body, type=FastRowsIn)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _one_by_one(decoded(body, RowsIn), schema, to)
    if not all(row.keys() <= known for row in whole.rows):
        return _one_by_one(decoded(body, RowsIn), schema, to)
    rows = [_cells(row, names, converted) for row in whole.rows]
    return Brought(rows, range(len(rows)), [], whole.dry_run)


def _cells(row: dict[str, Any], names: Sequence[str], converted: Sequence[tuple[int, Any]]) -> Row:
    cells = list(map(row.get, names))
    for i, kind in converted:
        cells[i] = cell_of(kind, cells[i])
    return tuple(cells)


def _one_by_one(wish: RowsIn, schema: RowSchema, to: Translator) -> Brought:
    """Rows among which some are no objects of known columns and plain values."""
    converted = [(i, c.type) for i, c in enumerate(schema.columns) if c.type in CONVERTED]
    rows: list[Row] = []
    places: list[int] = []
    rejected: list[Rejected] = []
    for place, raw in enumerate(wish.rows):
        try:
            row = _row.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            said = Phrase("a row is an object of columns and plain values: {}", str(error))
            rejected.append(_rejected(place, "", Reason.WRONG_TYPE, said, to))
            continue
        unknown = next((name for name in row if name not in schema.names), None)
        if unknown is not None:
            said = Phrase("column '{}' of dataset '{}'", unknown, schema.dataset)
            rejected.append(_rejected(place, "", Reason.UNKNOWN_COLUMN, said, to))
            continue
        rows.append(_cells(row, schema.names, converted))
        places.append(place)
    return Brought(rows, places, rejected, wish.dry_run)


# --- what became of it ----------------------------------------------------------------------------------------------


def _outcome(
    result: PutResult, places: Sequence[int], rejected: Sequence[Rejected], dry_run: bool, to: Translator
) -> Outcome:
    told = [_rejected(places[r.place], r.key, r.reason, r.detail, to) for r in result.rejected]
    warned = [Warned(places[w.place], w.key, w.detail.spoken(to.gettext)) for w in result.warned]
    every = sorted([*rejected, *told], key=lambda one: one.place)
    return Outcome(result.accepted, result.unchanged, every, result.warnings, warned, result.group, dry_run)


def _rejected(place: int, key: str, reason: Reason, detail: str, to: Translator) -> Rejected:
    return Rejected(place, key, int(reason), reason.name, as_phrase(detail).spoken(to.gettext))


async def _write(
    call: Call,
    dataset: str,
    rows: Sequence[Row],
    voids: Sequence[Key],
    reason: str,
    dry_run: bool,
    body: bytes,
    told: Callable[[PutResult], Outcome],
    turned_away: int = 0,
) -> Response:
    key = key_asked(call)
    asked = digest_asked(call, body)
    who, now = call.granted.token.id, call.node.clock.now_us()

    def around(job: PutJob) -> Job:
        job.turned_away = turned_away
        if not key or dry_run:
            return job
        return KeyedJob(job, who, key, asked, now, lambda result: msgspec.json.encode(told(result)))

    found: Any = await call.node.put_soon(dataset, rows, voids, reason, dry_run=dry_run, around=around)
    if isinstance(found, Replayed):
        return replayed(found)
    return json_answer(told(found))


def digest_asked(call: Call, body: bytes) -> bytes:
    """What a request is known by when it comes again."""
    return sha256(f"{call.request.method} {call.request.url.path}\0".encode() + body).digest()


def replayed(found: Replayed) -> Response:
    """What was answered before, marked so."""
    answer = json_answer(msgspec.Raw(found.body))
    answer.headers["idempotency-replayed"] = "true"
    return answer


def key_asked(call: Call) -> str:
    """The request's Idempotency-Key, '' if there is none. Raises UserFault REQUEST_INVALID."""
    key = call.request.headers.get("idempotency-key", "")
    if len(key) > KEY_CHARACTERS_MAX or not key.isascii() or not key.isprintable():
        raise invalid(N_("an Idempotency-Key has at most {most} plain characters"), most=KEY_CHARACTERS_MAX)
    return key


class Noted(Protocol[R]):
    """A job that says in its transaction what became of it."""

    token: Ticket[R]
    noted: Callable[[Store, R], None] | None

    def run(self, store: Store) -> Sequence[Step]:
        """As node.engine.Job.run."""
        ...


class Replayed(NamedTuple):
    """What this request was answered before."""

    body: bytes


@dataclass(slots=True)
class KeyedJob(Generic[R]):
    """A write that is made once under its key, however often it is asked for."""

    job: Noted[R]
    who: str
    key: str
    request: bytes
    now: int
    encode: Callable[[R], bytes]

    @property
    def token(self) -> Ticket[R]:
        """As node.engine.Job."""
        return self.job.token

    def run(self, store: Store) -> Sequence[Step]:
        """As node.engine.Job.run."""
        held = store.answers.get(self.who, self.key, self.now)
        if held is None:
            self.job.noted = self._keep
        elif held.request != self.request:
            return (Reply(self.token, _other_request(self.key)),)
        elif held.body:
            return (Reply(self.token, Replayed(held.body)),)
        return self.job.run(store)

    def _keep(self, store: Store, result: R) -> None:
        store.answers.keep(self.who, self.key, Answer(self.request, self.encode(result)), self.now)


def _other_request(key: str) -> UserFault:
    return UserFault(
        Code.IDEMPOTENCY_KEY,
        N_("Under the Idempotency-Key '{key}' another request was made before."),
        N_("Use a new key for every request, and the same only to make the same request again."),
        key=key,
    )
