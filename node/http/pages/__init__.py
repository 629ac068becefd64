"""Pages for people: the tree and how each node of it stands, tasks, a row's way, a day's statement. Read-only.

    door.py       signing in with a token of the API, and out; which page a token opens
    sessions.py   who has signed in, and how often somebody tried in vain
    speech.py     the reader's language, and how times and counts are said in it
    look.py       templates into HTML, the style sheet, and the headers that keep a browser from doing more
    views.py      what stands on each page
    tasks.py      what stands on those of tasks
    asking.py     how a page asks the node
    templates/    Jinja2, all escaped; no script is served or allowed

Only signing in and out change anything (a session in this process's memory). Every page asks the node by the same
questions as the command line and the API.
"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from node.app import Node
from node.http.pages import views
from node.http.pages.door import Door, Handler
from node.http.pages.look import icon, style


def routes(node: Node) -> list[BaseRoute]:
    """The routes of the pages."""
    door = Door(node)
    return [
        *(Route(kept.path, kept.serve) for kept in (style(), icon())),
        Route("/sign-in", door.sign_in, methods=["GET", "POST"]),
        Route("/sign-out", door.sign_out, methods=["POST"]),
        *(Route(path, door.page(view), name=view.name) for path, view in views.made(node).items()),
        Route("/{elsewhere:path}", _nowhere(door)),
    ]


def _nowhere(door: Door) -> Handler:
    """A page for a person who mistyped; a program gets a problem, as below /api."""
    page = door.page(views.NOWHERE)

    async def show(request: Request) -> Response:
        if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
            raise HTTPException(404)
        return await page(request)

    return show
