"""Signing in with a token of the API, and out again; and which page a token opens.

The cookie is out of reach of scripts and of other sites, and lasts a working day. The token's own end or revocation
counts at once. Forms are taken from our own pages only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from node.app import Node
from node.audit import Event as AuditEvent
from node.faults import Code, UserFault, translated
from node.http.access import Access, Grant
from node.http.pages.look import HEADERS, html, icon, style
from node.http.pages.sessions import LIFE_US, TRIES_WITHIN_US, Sessions, Tries
from node.http.pages.speech import COOKIE as LANGUAGE_COOKIE
from node.http.pages.speech import Speech, language_of
from node.http.problems import status_of
from node.store.faults import StoreFault
from node.texts import LANGUAGES, N_
from node.trial import is_trial
from node.version import VERSION
from sync.errors import SyncError

FORM_BYTES_MAX: Final = 4_096
_LANGUAGE_KEPT_S: Final = 365 * 86_400
READERS: Final = ("watch", "read", "task")
"""Roles of which one is needed to sign in."""

Handler = Callable[[Request], Awaitable[Response]]


class Visit(NamedTuple):
    """One reader and one page."""

    node: Node
    grant: Grant
    speech: Speech
    request: Request

    def asked(self, name: str) -> str:
        """A field of the address, without what surrounds it."""
        return self.request.query_params.get(name, "").strip()


class View(NamedTuple):
    """A page: what it is called, which role it needs, and what it says. refresh_s: 0 = it stays as it is."""

    name: str
    title: str
    role: str
    template: str
    build: Callable[[Visit], Awaitable[dict[str, Any]]]
    refresh_s: int = 0


MENU: Final = (
    ("/", N_("Tree overview"), "watch"),
    ("/statement", N_("Daily statement"), "watch"),
    ("/overdue", N_("Overdue"), "watch"),
    ("/tasks", N_("Tasks"), "task"),
    ("/task-stats", N_("Task statistics"), "task"),
    ("/trace", N_("Trace"), "read"),
    ("/about", N_("About"), ""),
)
_PLACES: Final = {path for path, _, _ in MENU} | {"/node", "/task"}


class Door:
    """Opens pages to who has signed in."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._access = Access(node)
        self._sessions = Sessions()
        self._tries = Tries()

    def page(self, view: View) -> Handler:
        """The page, for whoever may see it; else the way to sign in, or why not."""

        async def show(request: Request) -> Response:
            grant = await self._visitor(request)
            if grant is None:
                after = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return self._answer(RedirectResponse("/sign-in?" + urlencode({"next": after}), 303))
            try:
                if view.role:
                    grant.need(view.role)
                context = await view.build(Visit(self._node, grant, self._speech(request), request))
                return self._page(request, grant, view.template, view.title, context, refresh_s=view.refresh_s)
            except (UserFault, SyncError) as error:
                return self._refused(request, grant, error)

        return show

    async def sign_in(self, request: Request) -> Response:
        """The form, and what is sent with it."""
        if request.method != "POST":
            return self._form(request, request.query_params.get("next", ""), None)
        peer, now = _peer(request), self._node.clock.monotonic_us()
        fields = await _fields(request)
        after = fields.get("next", "")
        if not is_from_here(request):
            return self._form(request, after, _not_from_here(), 403)
        if self._tries.too_many(peer, now):
            return self._form(request, after, _too_often(), 429)
        try:
            grant = await self._access.of_secret(fields.get("token", "").strip(), peer)
            if not any(role in grant.token.roles for role in READERS):
                grant.need(READERS[0])
        except UserFault as fault:
            self._tries.failed(peer, now)
            return self._form(request, after, fault, status_of(fault.code))
        secret = self._sessions.open(grant.token.id, now, self._node.randomness)
        self._node.note(AuditEvent.SIGNED_IN, access=grant.token.id, name=grant.token.name, peer=peer)
        answer = self._answer(RedirectResponse(_first(grant, within(after)), 303))
        self._set_cookie(answer, secret, LIFE_US // 1_000_000)
        return answer

    async def sign_out(self, request: Request) -> Response:
        """Ends the session, if the wish comes from our own page."""
        if not is_from_here(request):
            return self._form(request, "", _not_from_here(), 403)
        self._sessions.close(request.cookies.get(self._cookie, ""))
        answer = self._answer(RedirectResponse("/sign-in", 303))
        self._set_cookie(answer, "", 0)
        return answer

    # --- who --------------------------------------------------------------------------------------------------------

    @property
    def _cookie(self) -> str:
        return "__Host-tiersync" if self._is_encrypted else "tiersync"

    @property
    def _is_encrypted(self) -> bool:
        return bool(self._node.config.http.certificate)

    async def _visitor(self, request: Request) -> Grant | None:
        found = self._sessions.find(request.cookies.get(self._cookie, ""), self._node.clock.monotonic_us())
        return await self._access.of_id(found.token) if found is not None else None

    def _set_cookie(self, answer: Response, value: str, seconds: int) -> None:
        answer.set_cookie(
            self._cookie, value, max_age=seconds, path="/", secure=self._is_encrypted, httponly=True, samesite="strict"
        )

    # --- what is shown ----------------------------------------------------------------------------------------------

    def _speech(self, request: Request) -> Speech:
        return Speech(language_of(request), self._node.config.run.time_zone, self._node.clock.now_us())

    def _form(self, request: Request, after: str, fault: UserFault | None, status: int = 200) -> Response:
        context = {"after": within(after), "fault": fault, "tries_min": TRIES_WITHIN_US // 60_000_000}
        return self._page(request, None, "sign_in.html", N_("Sign in"), context, status=status)

    def _refused(self, request: Request, grant: Grant, error: Exception) -> Response:
        fault = translated(error)
        assert fault is not None
        status = 503 if isinstance(error, StoreFault) else status_of(fault.code)
        return self._page(request, grant, "fault.html", N_("This cannot be shown"), {"fault": fault}, status=status)

    def _page(
        self,
        request: Request,
        grant: Grant | None,
        template: str,
        title: str,
        context: dict[str, Any],
        *,
        status: int = 200,
        refresh_s: int = 0,
    ) -> Response:
        speech, config = self._speech(request), self._node.config.node
        languages = [(one, _with_language(request, one)) for one in LANGUAGES if one != speech.to.language]
        answer = html(
            template,
            status,
            {
                **context,
                "_": speech.to,
                "say": speech,
                "title": title,
                "place": config.title,
                "federation": config.federation,
                "trial": is_trial(config.federation),
                "version": VERSION,
                "style": style().path,
                "icon": icon().path,
                "language": {"zh": "zh-CN", "en": "en"}[speech.to.language],
                "languages": languages,
                "path": request.url.path,
                "reader": grant.token.name if grant else "",
                "menu": [entry for entry in MENU if grant and (not entry[2] or grant.may(entry[2]))],
                "refresh_s": refresh_s,
            },
        )
        answer.headers["content-language"] = speech.to.language
        if request.query_params.get("lang") == speech.to.language:
            answer.set_cookie(
                LANGUAGE_COOKIE,
                speech.to.language,
                max_age=_LANGUAGE_KEPT_S,
                path="/",
                secure=self._is_encrypted,
                httponly=True,
                samesite="lax",
            )
        return answer

    @staticmethod
    def _answer(answer: Response) -> Response:
        answer.headers.update(HEADERS)
        return answer


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""


async def _fields(request: Request) -> dict[str, str]:
    """The first value of each field of a form. Raises UserFault REQUEST_TOO_LARGE."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES_MAX:
            raise UserFault(
                Code.REQUEST_TOO_LARGE,
                N_("The request has more than {most} bytes."),
                N_("Send the form of the sign-in page as it is."),
                most=FORM_BYTES_MAX,
            )
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace"), max_num_fields=10).items()}


def is_from_here(request: Request) -> bool:
    """Whether a form was sent from a page of ours, as far as the browser says; what says nothing is no browser."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def within(path: str) -> str:
    """A path of this server; '/' for anything that might lead elsewhere."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if safe and path.partition("?")[0] in _PLACES else "/"


def _first(grant: Grant, path: str) -> str:
    """Where signing in leads: who asked for nothing and may not see the tree is shown what they may."""
    return path if path != "/" else next((place for place, _, role in MENU if role and grant.may(role)), path)


def _with_language(request: Request, language: str) -> str:
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return request.url.path + "?" + urlencode([*others, ("lang", language)])


def _not_from_here() -> UserFault:
    return UserFault(
        Code.TOKEN_REFUSED,
        N_("This form was not sent from a page of this node."),
        N_("Open the node's own address in the browser, and sign in there."),
    )


def _too_often() -> UserFault:
    return UserFault(
        Code.TOKEN_REFUSED,
        N_("Too many sign-ins from this address have failed."),
        N_("Wait {minutes} minutes; `tiersync token list` shows which tokens are valid."),
        minutes=TRIES_WITHIN_US // 60_000_000,
    )
