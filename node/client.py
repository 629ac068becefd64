"""A client of the HTTP API in Python, for the platform's own systems: typed, one call at a time.

    with Client("https://node.example:8443", token, trust="authority.pem") as client:
        told = client.put("case", rows)
        for row in client.rows("case", filter={"column": "state", "op": "=", "value": "closed"}):
            ...
        for change in client.follow(cursor):
            apply(change); keep(change.cursor)

Every call is tried again while the line or the node is away, for `patience_s`: reads change nothing, and writes carry
an Idempotency-Key of their own. Needs httpx and tenacity; nothing of the node but node/client_acts.py is imported.
"""

from __future__ import annotations

import json
import secrets
import ssl
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from node.client_acts import Acts

PAGE_ROWS: Final = 500
BATCH_ROWS: Final = 1_000
TIMEOUT_S: Final = 90.0
SILENCE_S: Final = 60.0
"""A stream that says nothing for so long is broken: the node tells its place every 15 s."""
PATIENCE_S: Final = 300.0
RETRY_S: Final = 0.5
RETRY_S_MAX: Final = 30.0
_AWAY: Final = frozenset({429, 502, 503, 504})

Row = dict[str, Any]
T = TypeVar("T")


class ApiFault(Exception):
    """The node refused. code is stable (E1806); next says what to do."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", ""))
        self.detail = str(problem.get("detail", ""))
        self.next = str(problem.get("next", ""))
        super().__init__(f"{status} {self.code} {self.detail} {self.next}".strip())


class _Away(Exception):
    """The line or the node is away for now; `cause` is what is raised when patience ends."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Rejected(NamedTuple):
    """A row that was not let in: its place among all that were brought, from 0, its key, and why."""

    place: int
    key: str
    reason: int
    name: str
    detail: str


@dataclass(slots=True)
class Told:
    """What became of a write, of all its batches together."""

    accepted: int = 0
    unchanged: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    warnings: int = 0


class Change(NamedTuple):
    """One row that changed. change: 'put' with the row as it is now, or 'gone'. cursor: where to go on behind it."""

    dataset: str
    origin: str
    key: list[Any]
    change: str
    row: Row | None
    cursor: str


class Made(NamedTuple):
    """What became of moves: their ids in order; or the number of the draft that waits for an approver, else 0."""

    task: str
    move_ids: list[str]
    draft: int


class Client(Acts):
    """One node, with one token. Use as a context manager, or close it. Used from one thread.

    trust: a PEM file of the authority of the node's HTTPS certificate; '' = those the system trusts.
    language: of the words in faults and rejects, zh or en.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        trust: str | Path = "",
        language: str = "zh",
        patience_s: float = PATIENCE_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"authorization": f"Bearer {token}", "accept-language": language}
        verify: ssl.SSLContext | bool = url.startswith("https:")
        if verify:
            verify = ssl.create_default_context(cafile=str(trust) or None)
        self._patience_s = patience_s
        self._http = httpx.Client(
            base_url=url.rstrip("/") + "/api/v1",
            headers=headers,
            verify=verify,
            timeout=TIMEOUT_S,
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._http.close()

    # --- rows -------------------------------------------------------------------------------------------------------

    def datasets(self) -> list[Row]:
        """The datasets that the token is good for."""
        return list(self._get("/datasets")["datasets"])

    def dataset(self, dataset: str) -> Row:
        """One dataset with its columns and checks."""
        return self._get(f"/datasets/{dataset}")

    def rows(
        self,
        dataset: str,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - as the API calls it
        columns: Sequence[str] = (),
        origin: str = "",
    ) -> Iterator[Row]:
        """Every row, page by page. Raises ApiFault, httpx.TransportError."""
        params = {"limit": str(PAGE_ROWS), "columns": ",".join(columns), "origin": origin}
        if filter is not None:
            params["filter"] = json.dumps(filter)
        cursor: str | None = ""
        while cursor is not None:
            page = self._get(f"/datasets/{dataset}/rows", **params, cursor=cursor)
            yield from page["rows"]
            cursor = page["next"]

    def row(self, dataset: str, *key: Any, origin: str = "") -> Row | None:
        """One row by the cells of its key; None if there is none."""
        try:
            return self._get(f"/datasets/{dataset}/rows/{_path(key)}", origin=origin)
        except ApiFault as fault:
            if fault.code == "E1404":
                return None
            raise

    def put(self, dataset: str, rows: Iterable[Mapping[str, Any]], *, dry_run: bool = False) -> Told:
        """Whole rows, in batches of one transaction each. A row that is not let in is told, and the others go in.

        When it raises, batches before are in: put all of them again, which doubles nothing.
        """
        return self._write(f"/datasets/{dataset}/rows", rows, lambda part: {"rows": part, "dry_run": dry_run})

    def void(self, dataset: str, keys: Iterable[Sequence[Any]], reason: str, *, dry_run: bool = False) -> Told:
        """Ends rows everywhere they went to."""
        said = {"reason": reason, "dry_run": dry_run}
        return self._write(f"/datasets/{dataset}/voids", keys, lambda part: {"keys": part, **said})

    def _write(self, path: str, items: Iterable[Any], body: Callable[[list[Any]], Row]) -> Told:
        told, brought, waiting = Told(), 0, iter(items)
        while part := list(islice(waiting, BATCH_ROWS)):
            # Made before the first try, so that every try of this batch is the same request.
            headers = {"idempotency-key": secrets.token_hex(16), "content-type": "application/json"}
            content = json.dumps(body(part), ensure_ascii=False).encode()
            found = self._patient(partial(self._send, "POST", path, headers, content))
            told.accepted += found["accepted"]
            told.unchanged += found["unchanged"]
            told.warnings += found["warnings"]
            told.rejected += [Rejected(**{**one, "place": brought + one["place"]}) for one in found["rejected"]]
            brought += len(part)
        return told

    # --- attachments ------------------------------------------------------------------------------------------------

    def attach(self, data: bytes) -> str:
        """A file as an attachment; the SHA-256 by which rows name it. The same bytes again change nothing."""
        headers = {"content-type": "application/octet-stream"}
        return str(self._patient(partial(self._send, "POST", "/attachments", headers, data))["hash"])

    def attachment(self, name: str) -> bytes:
        """The bytes of an attachment by its SHA-256, fetched from another node if need be. Raises ApiFault."""
        return self._patient(partial(self._bytes, f"/attachments/{quote(name, safe='')}"))

    def _bytes(self, path: str) -> bytes:
        answer = self._http.get(path)
        if answer.is_success:
            return answer.content
        raise _fault(answer)

    # --- changes ----------------------------------------------------------------------------------------------------

    def newest(self) -> str:
        """The cursor of now: take it, read all rows, then follow from it."""
        return str(self._get("/changes")["next"])

    def changes(self, cursor: str, dataset: str = "") -> Iterator[Change]:
        """What changed since a cursor, up to now. Raises ApiFault E1813 if that is not kept any more."""
        more = True
        while more:
            page = self._get("/changes", cursor=cursor, dataset=dataset)
            cursor, more = page["next"], page["more"]
            # A page is the smallest step here: all of its changes have the cursor behind it.
            yield from (Change(**one, cursor=cursor) for one in page["changes"])

    def follow(self, cursor: str, dataset: str = "") -> Iterator[Change]:
        """Changes as they come, for ever; dials again by itself. Keep each change's cursor once it is applied.

        Raises ApiFault where dialling again does not help: the token ended, or the cursor is over (E1813).
        """
        while True:
            for change in self._patient(partial(self._first, cursor, dataset)):
                if isinstance(change, Change):
                    yield change
                    cursor = change.cursor
                else:
                    cursor = change

    def _first(self, cursor: str, dataset: str) -> Iterator[Change | str]:
        """A stream that has begun; it ends without a word when the line breaks."""
        events = self._events(cursor, dataset)
        first = next(events)

        def going_on() -> Iterator[Change | str]:
            yield first
            try:
                yield from events
            except (_Away, httpx.TransportError):
                return

        return going_on()

    def _events(self, cursor: str, dataset: str) -> Iterator[Change | str]:
        headers = {"accept": "text/event-stream", "last-event-id": cursor}
        params = {"dataset": dataset} if dataset else {}
        timeout = httpx.Timeout(TIMEOUT_S, read=SILENCE_S)
        with self._http.stream("GET", "/changes", headers=headers, params=params, timeout=timeout) as answer:
            if not answer.is_success:
                answer.read()
                raise _fault(answer)
            at, data = cursor, ""
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    at = value
                elif name == "data":
                    data = value
                elif not line:
                    yield Change(**json.loads(data), cursor=at) if data else at
                    data = ""

    # --- tasks: with a token of role task, as its person may ----------------------------------------------------------

    def tasks(
        self,
        *,
        open_only: bool = False,
        overdue: bool = False,
        mine: bool = False,
        person: str = "",
        flow: str = "",
        due_before: str = "",
        skip: int = 0,
        limit: int = 100,
    ) -> list[Row]:
        """Tasks, the most recently moved first; `person`: '-' for those that nobody here handles. due_before: open ones
        whose limit ends before a day or moment."""
        asked = {"open": open_only, "overdue": overdue, "mine": mine}
        flags = {name: "1" if wanted else "" for name, wanted in asked.items()}
        about = {"person": person, "flow": flow, "due_before": due_before, "skip": str(skip or "")}
        return list(self._get("/tasks", **flags, **about, limit=str(limit))["tasks"])

    def task(self, task: str) -> Row:
        """One task with its moves, what is pending, and what may be done next."""
        return self._get(f"/tasks/{quote(task, safe='')}")

    def evidence(self, task: str) -> bytes:
        """The file that proves a task's history; `tiersync verify` checks it anywhere. Raises ApiFault."""
        return b64decode(self._get(f"/tasks/{quote(task, safe='')}/evidence")["file"])

    def task_statistics(self, *, period: str = "", flow: str = "", tier: str = "") -> Row:
        """Statistics of tasks over the twelve months up to `period`, of the node's place and of each one below it."""
        return self._get("/task-statistics", period=period, flow=flow, tier=tier)

    def start(self, flow: str, holder: str, moves: Sequence[tuple[str, Mapping[str, str]]], task: str = "") -> Made:
        """A new task: its opening move and what follows at once, such as register and issue."""
        return self._hand_in("/tasks", {"flow": flow, "holder": holder, "task": task}, moves)

    def move(self, task: str, move: str, **fields: str) -> Made:
        """A move of a task's flow: sign, reply, check, return, close, extend, withdraw ... with what it says. Raises
        ApiFault where it cannot be made; in Made.draft stands the draft where an approver has to approve it first.
        """
        return self._hand_in(f"/tasks/{quote(task, safe='')}/moves", {}, [(move, fields)])

    def assign(self, task: str, person: str) -> Row:
        """Says who at this node handles a task."""
        return self._post(f"/tasks/{quote(task, safe='')}/person", {"person": person})

    def drafts(self, *, mine: bool = False, every: bool = False, limit: int = 100) -> list[Row]:
        """Drafts that wait for an approver, the newest first; every: also those that were decided."""
        flags = {"all": "1" if every else "", "mine": "1" if mine else ""}
        return list(self._get("/drafts", **flags, limit=str(limit))["drafts"])

    def draft(self, draft: int) -> Row:
        """One draft."""
        return self._get(f"/drafts/{draft}")

    def approve(self, draft: int) -> Row:
        """Approves a draft of somebody else: its moves are made. The draft as it is then."""
        return self._post(f"/drafts/{draft}/approve")

    def refuse(self, draft: int, reason: str) -> Row:
        """Refuses a draft, with the reason for its author."""
        return self._post(f"/drafts/{draft}/refuse", {"reason": reason})

    def drop(self, draft: int) -> Row:
        """Takes back a draft of one's own."""
        return self._post(f"/drafts/{draft}/drop")

    def people(self) -> list[Row]:
        """The people of this node, their roles and deputies."""
        return list(self._get("/people")["people"])

    def _hand_in(self, path: str, about: Row, moves: Sequence[tuple[str, Mapping[str, str]]]) -> Made:
        said = [{"move": name, "fields": dict(fields)} for name, fields in moves]
        # One key for all tries: a move that was made although the answer got lost is not made again.
        found = self._post(path, {**about, "moves": said}, {"idempotency-key": secrets.token_hex(16)})
        return Made(**found)

    def _post(self, path: str, body: Row | None = None, headers: Mapping[str, str] | None = None) -> Row:
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        kind = {} if body is None else {"content-type": "application/json"}
        return self._patient(partial(self._send, "POST", path, {**kind, **(headers or {})}, content))

    def _once(self, path: str, body: Row) -> Row:
        headers, content = {"content-type": "application/json"}, json.dumps(body, ensure_ascii=False).encode()
        try:
            return self._send("POST", path, headers, content)
        except _Away as away:
            raise away.cause from away

    # --- how the node stands ----------------------------------------------------------------------------------------

    def trace(self, what: str, dataset: str = "") -> Row:
        """A row's way through the tiers, by its key or its number in the system that it came from."""
        return self._get("/trace", what=what, dataset=dataset)

    def status(self) -> Row:
        """How the node stands; for tokens of the role watch."""
        return self._get("/status")

    # --- inside -----------------------------------------------------------------------------------------------------

    def _get(self, path: str, **params: str) -> Row:
        given = {name: value for name, value in params.items() if value}
        return self._patient(partial(self._send, "GET", path, {}, None, given))

    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes | None,
        params: Mapping[str, str] | None = None,
    ) -> Row:
        answer = self._http.request(method, path, headers=dict(headers), content=content, params=dict(params or {}))
        if answer.is_success:
            found: Row = answer.json()
            return found
        raise _fault(answer)

    def _patient(self, call: Callable[[], T]) -> T:
        """Calls until it is answered or patience ends; what is refused is not asked again."""
        wait = wait_exponential_jitter(multiplier=RETRY_S, max=RETRY_S_MAX, jitter=RETRY_S)
        stop = stop_after_delay(self._patience_s)
        retry = retry_if_exception_type((_Away, httpx.TransportError))
        try:
            return Retrying(wait=wait, stop=stop, retry=retry, reraise=True)(call)
        except _Away as away:
            raise away.cause from away


def _fault(answer: httpx.Response) -> Exception:
    try:
        problem = answer.json()
    except ValueError:
        problem = {"detail": answer.text[:200]}
    fault = ApiFault(answer.status_code, problem if isinstance(problem, dict) else {})
    return _Away(fault) if answer.status_code in _AWAY else fault


def _path(key: Sequence[Any]) -> str:
    """A key in a path: as JSON, which no text of a key can be taken for."""
    return quote(json.dumps(list(key), ensure_ascii=False), safe="")
