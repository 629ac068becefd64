"""An endpoint as a declaration: routes, checks and the OpenAPI document all come from it, and so cannot differ."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from node.app import Node
from node.faults import Code, UserFault
from node.http.access import Access, Grant
from node.storable import storable
from node.store.readers import Reader
from node.texts import N_
from tiers.dataset import Dataset
from tiers.people import Act

T = TypeVar("T")

READ_S: Final = 10.0
"""For what one request reads: everybody who reads at this node waits for it."""
TEXT_CHARACTERS_MAX: Final = 2_000
_DIGITS_MAX: Final = 18


class Param(NamedTuple):
    """A parameter of the query. most: of a whole number, which is at least 1; 0 for a text."""

    name: str
    about: str
    most: int = 0
    needed: bool = False


class Site(NamedTuple):
    """What all requests share. closing: set when the node stops: an answer that does not end ends then."""

    access: Access
    closing: asyncio.Event
    streams: set[object]


class Call(NamedTuple):
    """One request, let in. params: of the query, checked; absent ones are '' or 0."""

    node: Node
    request: Request
    grant: Grant | None
    params: Mapping[str, Any]
    site: Site

    async def read(self, question: Callable[[Reader], T]) -> T:
        """As Node.read, within bounds. Raises UserFault READ_TOO_SLOW."""
        return await self.node.read(question, READ_S)

    @property
    def granted(self) -> Grant:
        """The token's grant; every endpoint but the open ones has one."""
        assert self.grant is not None
        return self.grant

    @property
    def dataset(self) -> Dataset:
        """The dataset of the path. Raises UserFault UNKNOWN_DATASET."""
        from node.datasets import dataset_named

        return dataset_named(self.node.catalogue.datasets, self.request.path_params["dataset"])


class Endpoint(NamedTuple):
    """role: what the token must be good for, '' for nothing more than being one, None for none at all. or_role: is
    enough instead of it.

    body, answer: msgspec types, or bytes. writes: takes an Idempotency-Key. streams: answers as text/event-stream too.
    act: what the token's person must be allowed.
    """

    method: str
    path: str
    name: str
    about: str
    run: Callable[[Call], Awaitable[Response]]
    role: str | None
    answer: Any = None
    params: tuple[Param, ...] = ()
    body: Any = None
    writes: bool = False
    streams: bool = False
    act: Act | None = None
    or_role: str = ""


def params_of(request: Request, known: tuple[Param, ...]) -> dict[str, Any]:
    """The query's parameters. Raises UserFault REQUEST_INVALID for one unknown, doubled, missing or too much."""
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    by_name = {param.name: param for param in known}
    for name in names:
        if name not in by_name or names.count(name) > 1:
            raise invalid(N_("parameter '{name}' is not known here, or stands twice"), name=name[:100])
    found: dict[str, Any] = {param.name: 0 if param.most else "" for param in known}
    for name, value in given:
        found[name] = _value(by_name[name], value)
    for param in known:
        if param.needed and not found[param.name]:
            raise invalid(N_("parameter '{name}' is missing"), name=param.name)
    return found


def _value(param: Param, value: str) -> Any:
    if not param.most:
        if len(value) > TEXT_CHARACTERS_MAX or not storable(value):
            raise invalid(N_("parameter '{name}' is too long, or no text"), name=param.name)
        return value
    whole = value.isascii() and value.isdigit() and len(value) <= _DIGITS_MAX
    if not whole or not 1 <= int(value) <= param.most:
        raise invalid(N_("parameter '{name}' is a whole number from 1 to {most}"), name=param.name, most=param.most)
    return int(value)


def decoded(body: bytes, kind: type[T]) -> T:
    """A body as its type. Raises UserFault REQUEST_INVALID with the place of what is wrong."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(N_("the body: {detail}"), detail=str(error)) from error


def json_answer(value: object) -> Response:
    """A value as JSON. Nobody on the way keeps it: it may be personal data."""
    return Response(msgspec.json.encode(value), headers={"cache-control": "no-store"}, media_type="application/json")


def invalid(what: str, **fields: object) -> UserFault:
    """Something of the request itself is wrong."""
    from node.texts import Text

    return UserFault(
        Code.REQUEST_INVALID,
        N_("This request cannot be read: {what}."),
        N_("/api/v1/openapi.json describes what may be sent."),
        what=Text(what, **fields),
    )
