"""Templates into HTML, and what a browser may do with it: show it, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

_FOLDER = Path(__file__).parent
HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "content-security-policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        ),
        "x-frame-options": "DENY",
        # Not no-referrer: a form's Origin would be null then, and signing in looks at it.
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-store",
        "vary": "accept-language, cookie",
    }
)


@cache
def environment() -> Environment:
    """Everything is escaped, and a name that is not there is a mistake."""
    return Environment(
        loader=FileSystemLoader(_FOLDER / "templates", encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def html(template: str, status: int, context: Mapping[str, Any]) -> Response:
    """One page."""
    text = environment().get_template(template).render(context)
    return Response(text.encode("utf-8", "replace"), status, dict(HEADERS), "text/html")


class Kept:
    """A file of the pages, under a path that changes with it: a browser may keep it for ever."""

    def __init__(self, name: str, media_type: str) -> None:
        self._data = (_FOLDER / name).read_bytes()
        digest = sha256(self._data).hexdigest()[:16]
        stem, dot, ending = name.rpartition(".")
        self.path = f"/{stem}.{digest}{dot}{ending}"
        self._tag = f'"{digest}"'
        self._media_type = media_type

    async def serve(self, request: Request) -> Response:
        """It says nothing of this node, so it asks for no session."""
        headers = {"etag": self._tag, "cache-control": "public, max-age=31536000, immutable"}
        if request.headers.get("if-none-match") == self._tag:
            return Response(status_code=304, headers=headers)
        return Response(self._data, headers=headers, media_type=self._media_type)


@cache
def style() -> Kept:
    """The one style sheet."""
    return Kept("style.css", "text/css")


@cache
def icon() -> Kept:
    """What a browser shows on its tab; without one it would ask for /favicon.ico."""
    return Kept("icon.svg", "image/svg+xml")
