"""The API of version 1, below /api/v1: every endpoint as one declaration."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from node.app import Node
from node.commands.tokens import READ, TASK, WATCH, WRITE
from node.hands import need
from node.http.access import Access
from node.http.api import changes, coordinating, files, looking, reading, tasking, writing
from node.http.api.describe import describe
from node.http.api.endpoint import Call, Endpoint, Param, Site, json_answer, params_of
from node.http.api.shapes import (
    Attached,
    ChangesPage,
    Datasets,
    DraftOut,
    Drafts,
    EvidenceOut,
    Health,
    Loads,
    MadeOut,
    MovesIn,
    Outcome,
    Page,
    People,
    PersonIn,
    ReasonIn,
    Rejects,
    RowOut,
    RowsIn,
    TaskIn,
    TaskOut,
    Tasks,
    TaskStats,
    Trace,
    VoidsIn,
)
from tiers.people import Act

ROOT: Final = "/api/v1"

_ROWS = "/datasets/{dataset}/rows"
_ROW = _ROWS + "/{key:path}"
_ORIGIN = Param("origin", "Node id of the rows' origin; all if not given.")
_TASK = "/tasks/{task}"
_DRAFT = "/drafts/{draft:int}"
_LIMIT = Param("limit", f"At most so many; {tasking.LISTED} if not given.", tasking.LISTED_MAX)
_OF_TASKS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        "GET",
        "/tasks",
        "tasks",
        "Tasks, the most recently moved first.",
        tasking.list_tasks,
        TASK,
        Tasks,
        (
            Param("open", "1: only those that have not ended.", 1),
            Param("overdue", "1: only those whose limit has passed.", 1),
            Param("mine", "1: only those that the token's person handles.", 1),
            Param("person", "Only those that this person of this node handles; - for those that nobody does."),
            Param("flow", "Only those of this flow."),
            Param("due_before", "Only those that are open and whose limit ends before a day or moment."),
            Param("skip", "Not the first so many.", tasking.SKIPPED_MAX),
            _LIMIT,
        ),
        act=Act.SEE,
    ),
    Endpoint(
        "POST",
        "/tasks",
        "start_task",
        "Start a task.",
        tasking.start,
        TASK,
        MadeOut,
        body=TaskIn,
        writes=True,
        act=Act.WORK,
    ),
    Endpoint("GET", _TASK, "task", "One task with all its moves.", tasking.show_task, TASK, TaskOut, act=Act.SEE),
    Endpoint(
        "GET",
        _TASK + "/evidence",
        "task_evidence",
        "A file that proves every move of a task to whoever holds the root's fingerprint.",
        tasking.evidence,
        TASK,
        EvidenceOut,
        act=Act.SEE,
    ),
    Endpoint(
        "GET",
        "/task-statistics",
        "task_statistics",
        "Statistics of tasks over twelve months, of this place and of each one below it.",
        tasking.statistics,
        TASK,
        TaskStats,
        (
            Param("period", "The last of the months, such as 2026-03; the newest that has ended if not given."),
            Param("flow", "Only of this flow."),
            Param("tier", "Only tasks that are the work of this tier: national, provincial, city or district."),
        ),
        act=Act.SEE,
    ),
    Endpoint(
        "POST",
        _TASK + "/moves",
        "move_task",
        "Make moves of a task.",
        tasking.move,
        TASK,
        MadeOut,
        body=MovesIn,
        writes=True,
        act=Act.WORK,
    ),
    Endpoint(
        "POST",
        _TASK + "/person",
        "assign_task",
        "Say who at this node handles a task.",
        tasking.assign,
        TASK,
        TaskOut,
        body=PersonIn,
        act=Act.ASSIGN,
    ),
    Endpoint(
        "GET",
        "/drafts",
        "drafts",
        "Moves that wait for an approver, the newest first.",
        tasking.list_drafts,
        TASK,
        Drafts,
        (
            Param("all", "1: also those that were decided.", 1),
            Param("mine", "1: only those that the token's person answers for.", 1),
            _LIMIT,
        ),
        act=Act.SEE,
    ),
    Endpoint("GET", _DRAFT, "draft", "One draft.", tasking.show_draft, TASK, DraftOut, act=Act.SEE),
    Endpoint(
        "POST",
        _DRAFT + "/approve",
        "approve_draft",
        "Approve a draft of somebody else: its moves are made.",
        tasking.approve,
        TASK,
        DraftOut,
        act=Act.APPROVE,
    ),
    Endpoint(
        "POST",
        _DRAFT + "/refuse",
        "refuse_draft",
        "Refuse a draft, with the reason for its author.",
        tasking.refuse,
        TASK,
        DraftOut,
        body=ReasonIn,
        act=Act.APPROVE,
    ),
    Endpoint(
        "POST",
        _DRAFT + "/drop",
        "drop_draft",
        "Take back a draft that the token's person answers for.",
        tasking.drop,
        TASK,
        DraftOut,
        act=Act.WORK,
    ),
    Endpoint(
        "GET",
        "/people",
        "people",
        "The people of this node, their roles and deputies.",
        tasking.list_people,
        TASK,
        People,
        act=Act.SEE,
    ),
)
ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint("GET", "/health", "health", "Whether the node works.", looking.health, None, Health),
    Endpoint(
        "GET", "/datasets", "datasets", "The datasets that the token is good for.", looking.datasets, "", Datasets
    ),
    Endpoint("GET", "/datasets/{dataset}", "dataset", "One dataset with its columns and checks.", looking.dataset, ""),
    Endpoint(
        "GET",
        _ROWS,
        "rows",
        "Rows of a dataset, a page at a time.",
        reading.rows,
        READ,
        Page,
        (
            Param(
                "filter",
                'JSON, such as {"column": "state", "op": "=", "value": "closed"}; operators = != < <= > >= in.',
            ),
            Param("columns", "Names of columns with commas between them; all if not given."),
            _ORIGIN,
            Param("limit", f"Rows of a page; {reading.PAGE_ROWS} if not given.", reading.PAGE_ROWS_MAX),
            Param("cursor", "`next` of the page before."),
        ),
    ),
    Endpoint(
        "POST", _ROWS, "put_rows", "Put rows: one transaction.", writing.put, WRITE, Outcome, body=RowsIn, writes=True
    ),
    Endpoint(
        "GET",
        _ROW,
        "row",
        "One row by its key; several cells as a JSON list.",
        reading.one_row,
        READ,
        RowOut,
        (_ORIGIN,),
    ),
    Endpoint(
        "DELETE",
        _ROW,
        "void_row",
        "Void one row: it ends everywhere it went to.",
        writing.void_one,
        WRITE,
        Outcome,
        (Param("reason", "Why; it travels with the removal.", needed=True),),
        writes=True,
    ),
    Endpoint(
        "POST",
        "/datasets/{dataset}/voids",
        "void_rows",
        "Void rows by their keys: one transaction.",
        writing.void,
        WRITE,
        Outcome,
        body=VoidsIn,
        writes=True,
    ),
    Endpoint(
        "GET",
        "/changes",
        "changes",
        "Rows that changed since a cursor, in order of commit; as text/event-stream for as long as it is read.",
        changes.changes,
        READ,
        ChangesPage,
        (
            Param(
                "cursor",
                "`next` of the page before, or 'oldest' for all that is kept; from now on if not given. "
                "Last-Event-ID says the same.",
            ),
            Param("dataset", "Only of this dataset."),
        ),
        streams=True,
    ),
    Endpoint(
        "GET",
        "/trace",
        "trace",
        "One row's way through the tiers, as far as this node knows it.",
        looking.trace,
        READ,
        Trace,
        (
            Param("what", "A key, a number of the source system, or FEED@SEQ.", needed=True),
            Param("dataset", "Only of this dataset."),
            _ORIGIN,
        ),
    ),
    Endpoint(
        "POST",
        "/attachments",
        "attach",
        "A file as an attachment, a picture without its metadata; rows and moves of tasks name it by `hash`.",
        files.attach,
        WRITE,
        Attached,
        body=bytes,
        or_role=TASK,
    ),
    Endpoint(
        "GET",
        "/attachments/{hash}",
        "attachment",
        "The bytes of an attachment that a row or task names which the token may read; fetched if it is not here.",
        files.fetch,
        READ,
        bytes,
        or_role=TASK,
    ),
    Endpoint("GET", "/status", "status", "How the node stands (docs/status.schema.json).", looking.status, WATCH),
    Endpoint(
        "GET",
        "/loads",
        "loads",
        "What was loaded, the newest first.",
        looking.loads,
        WATCH,
        Loads,
        (
            Param("limit", f"At most so many; {looking.LOADS} if not given.", looking.LOADS_MAX),
            Param("cursor", "`next` of the page before."),
        ),
    ),
    Endpoint(
        "GET",
        "/loads/{load:int}/rejects",
        "rejects",
        "Lines of a load that were not let in.",
        looking.rejects,
        WATCH,
        Rejects,
    ),
    *_OF_TASKS,
    *coordinating.ENDPOINTS,
)


def openapi() -> dict[str, Any]:
    """The description of this API."""
    return describe(ENDPOINTS, ROOT)


def routes(node: Node, closing: asyncio.Event) -> list[BaseRoute]:
    """The routes of the API. closing: set when the node stops."""
    site = Site(Access(node), closing, set())
    described = openapi()

    async def document(request: Request) -> Response:
        return json_answer(described)

    by_path: dict[str, dict[str, Endpoint]] = {}
    for one in ENDPOINTS:
        by_path.setdefault(one.path, {})[one.method] = one
    found = [Route(path, _serve(node, site, ends), methods=list(ends)) for path, ends in by_path.items()]
    return [Mount(ROOT, routes=[Route("/openapi.json", document), *found])]


def _serve(node: Node, site: Site, ends: Mapping[str, Endpoint]) -> Callable[[Request], Awaitable[Response]]:
    """The token first, then what it asks for: a stranger learns nothing of what there is."""

    async def serve(request: Request) -> Response:
        one = ends["GET" if request.method == "HEAD" else request.method]
        grant = None
        if one.role is not None:
            grant = await site.access.grant(request)
            if one.role and not (one.or_role and grant.may(one.or_role)):
                grant.need(one.role, request.path_params.get("dataset", ""))
            if one.act is not None:
                need(node, grant.hand, one.act)
        return await one.run(Call(node, request, grant, params_of(request, one.params), site))

    return serve
