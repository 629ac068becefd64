"""Failures as problem details (RFC 9457), with the fault's code and what to do, in the language of Accept-Language."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from node.faults import Code, Exit, UserFault, translated
from node.store.faults import StoreFault
from node.texts import LANGUAGES, N_, Language, Translator, current, translator
from sync.errors import InputFault
from sync.reasons import Reason

PROBLEM_TYPE: Final = "application/problem+json"
STATUS: Final[Mapping[Code, int]] = MappingProxyType(
    {
        Code.PATH_UNKNOWN: 404,
        Code.METHOD_UNKNOWN: 405,
        Code.REQUEST_TOO_LARGE: 413,
        Code.REQUEST_TOO_SLOW: 503,
        Code.READ_TOO_SLOW: 422,
        Code.REQUEST_INVALID: 400,
        Code.CHANGES_EXPIRED: 410,
        Code.TOO_MANY_STREAMS: 429,
        Code.REQUEST_TYPE: 415,
        Code.CURSOR_INVALID: 400,
        Code.TOKEN_REFUSED: 401,
        Code.TOKEN_FORBIDS: 403,
        Code.UNKNOWN_DATASET: 404,
        Code.ROW_UNKNOWN: 404,
        Code.LOAD_UNKNOWN: 404,
        Code.TASK_UNKNOWN: 404,
        Code.DRAFT_UNKNOWN: 404,
        Code.PERSON_UNKNOWN: 404,
        Code.PERSON_FORBIDS: 403,
        Code.FOUR_EYES: 403,
        Code.DISK_FULL: 507,
        Code.ATTACHMENT_UNKNOWN: 404,
        Code.ATTACHMENT_NOT_HAD: 404,
        Code.ATTACHMENT_COMING: 503,
        Code.ATTACHMENTS_FULL: 507,
        Code.BUG: 500,
    }
)
"""Of codes whose kind of exit says too little."""
_BY_EXIT: Final[Mapping[Exit, int]] = MappingProxyType(
    {Exit.USAGE: 400, Exit.INPUT: 422, Exit.STATE: 409, Exit.REMOTE: 502, Exit.BUG: 500}
)


_BY_REASON: Final[Mapping[Reason, int]] = MappingProxyType(
    {Reason.UNKNOWN_DATASET: 404, Reason.NOT_OWNER: 403, Reason.DISK_FULL: 507, Reason.LIMIT_EXCEEDED: 413}
)


def status_of(code: Code) -> int:
    """The HTTP status of a fault."""
    return STATUS.get(code) or _BY_EXIT.get(code.exit_code, 500)


def speaker(scope: Scope) -> Translator:
    """The language that the request asks for; the node's own where it asks for none of ours."""
    asked = b",".join(value for name, value in scope["headers"] if name == b"accept-language")
    found = _preferred(asked.decode("latin-1"))
    return translator(found) if found else current()


def _preferred(asked: str) -> Language | None:
    best: tuple[float, Language | None] = (0.0, None)
    for part in asked.split(",")[:20]:
        tag, _, weight = part.partition(";")
        language = next((one for one in LANGUAGES if tag.strip().lower().startswith(one)), None)
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if language and quality > best[0]:
            best = (quality, language)
    return best[1]


def problem(fault: UserFault, scope: Scope, status: int = 0) -> Response:
    """A fault as an answer."""
    to = speaker(scope)
    body: dict[str, Any] = {
        "type": f"urn:tiersync:fault:{fault.code}",
        "title": fault.code.name,
        "status": status or status_of(fault.code),
        "detail": fault.message.say(to),
        "code": str(fault.code),
        "next": fault.next_step.say(to),
    }
    if fault.details:
        body["errors"] = [detail.say(to) for detail in fault.details]
    headers = {"content-language": to.language, "vary": "accept-language", "cache-control": "no-store"}
    return Response(msgspec.json.encode(body), body["status"], headers, PROBLEM_TYPE)


async def on_fault(request: Request, error: Exception) -> Response:
    """Answers for what routes raise on purpose."""
    fault = translated(error)
    assert fault is not None
    status = 503 if isinstance(error, StoreFault) else 0
    if isinstance(error, InputFault):
        status = _BY_REASON.get(error.reason, 0)
    answer = problem(fault, request.scope, status)
    if answer.status_code == 401:
        answer.headers["www-authenticate"] = "Bearer"
    return answer


async def on_http(request: Request, error: Exception) -> Response:
    """Answers for what the router itself raises: no such path, no such method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        fault = UserFault(
            Code.METHOD_UNKNOWN,
            N_("'{path}' does not know {method}."),
            N_("/api/v1/openapi.json describes every path."),
            path=request.url.path,
            method=request.method,
        )
    else:
        fault = UserFault(
            Code.PATH_UNKNOWN,
            N_("There is nothing at '{path}'."),
            N_("/api/v1/openapi.json describes every path."),
            path=request.url.path,
        )
    answer = problem(fault, request.scope, error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def on_bug(request: Request, error: Exception) -> Response:
    """Answers for a mistake of ours; bounds.py writes it into the log."""
    fault = UserFault(
        Code.BUG,
        N_("The program met a fault of its own ({kind})."),
        N_("Send the node's log to your supplier; the node's data is not touched by this."),
        kind=type(error).__name__,
    )
    return problem(fault, request.scope)
