"""The OpenAPI document, made from the endpoints' declarations; docs/openapi.json is it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from node.attachments.kinds import MEDIA_TYPES
from node.http.api.endpoint import TEXT_CHARACTERS_MAX, Endpoint, Param
from node.http.api.shapes import Problem
from node.http.api.writing import KEY_CHARACTERS_MAX
from node.http.problems import PROBLEM_TYPE

_ABOUT = """\
Rows in and out of one node, for the platform's own systems. Errors are RFC 9457 problems with a stable `code`, in
Chinese or English by Accept-Language. Members are only ever added to answers: leave alone what you do not know."""

_BYTES: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


def describe(endpoints: Sequence[Endpoint], root: str) -> dict[str, Any]:
    """OpenAPI 3.1."""
    types = {kind for one in endpoints for kind in (one.body, one.answer) if kind not in (None, bytes)}
    types.add(Problem)
    ordered = sorted(types, key=lambda kind: kind.__name__)
    found, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    schemas = dict(zip(ordered, found, strict=True))
    paths: dict[str, Any] = {}
    for one in endpoints:
        paths.setdefault(one.path.replace(":path}", "}").replace(":int}", "}"), {})[one.method.lower()] = _operation(
            one, schemas
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": "tiersync", "version": "1", "description": _ABOUT, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": root}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "`tiersync token make`"}},
        },
    }


def _operation(one: Endpoint, schemas: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.about,
        "parameters": [*_path(one.path), *map(_query, one.params)],
        "responses": _responses(one, schemas),
        "security": [] if one.role is None else [{"token": []}],
    }
    if one.role:
        other = f" or `{one.or_role}`" if one.or_role else ""
        whose = f", and a person who may `{one.act.value}`" if one.act is not None else ""
        operation["description"] = f"Needs the role `{one.role}`{other}{whose}."
    if one.writes:
        operation["parameters"].append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The same request again within a day is answered the same and changes nothing.",
                "schema": {"type": "string", "maxLength": KEY_CHARACTERS_MAX, "pattern": "^[ -~]*$"},
            }
        )
    if one.body is not None:
        content = _BYTES if one.body is bytes else {"application/json": {"schema": schemas[one.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _responses(one: Endpoint, schemas: dict[Any, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": schemas.get(one.answer, {"type": "object"})}}
    if one.answer is bytes:
        content = {kind: {"schema": {}} for kind in (*MEDIA_TYPES.values(), *_BYTES)}
    if one.streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    good = {"description": "As asked.", "content": content}
    bad = {"description": "A problem.", "content": {PROBLEM_TYPE: {"schema": schemas[Problem]}}}
    codes = ["400", "404", "409", "410", "413", "422", "503", "507"] if one.role is not None else ["400"]
    if one.body not in (None, bytes):
        codes.append("415")
    if one.role is not None:
        codes += ["401", "403"]
    if one.streams:
        codes.append("429")
    return {"200": good, **dict.fromkeys(sorted(codes), bad)}


def _path(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 1, "maximum": 1_000_000_000}
            if kind == "int"
            else {"type": "string", "minLength": 1},
        }
        for name, kind in re.findall(r"\{([a-z]+)(?::([a-z]+))?\}", path)
    ]


def _query(param: Param) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "maxLength": TEXT_CHARACTERS_MAX}
    if param.most:
        schema = {"type": "integer", "minimum": 1, "maximum": param.most}
    elif param.needed:
        schema["minLength"] = 1
    return {"name": param.name, "in": "query", "required": param.needed, "description": param.about, "schema": schema}
