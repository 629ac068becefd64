"""The pages over HTTP: nobody sees anything without signing in, and no page says more than the token allows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from node.audit import FOLDER
from node.http.pages.door import MENU
from node.http.pages.sessions import TRIES_MAX
from tests.integration.http_kit import Site, case
from tests.integration.test_rollups import ZONE, first_day, set_clocks
from tiers.periods import midnight_us

PAGES = (*(path for path, _, _ in MENU), "/node?id=n100000.cn-demo")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def browser(site: Site) -> Iterator[httpx.Client]:
    """A client with a cookie jar, as a browser has; it has not signed in."""
    with _client(site) as client:
        yield client


def _client(site: Site, address: str = "127.0.0.1") -> httpx.Client:
    base, way = site.base.removesuffix("/api/v1"), httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=base, headers={"accept-language": "en"}, timeout=30, transport=way)


def _sign_in(client: httpx.Client, token: str, **headers: str) -> httpx.Response:
    return client.post("/sign-in", data={"token": token, "next": "/trace?what=1"}, headers=headers)


def _signed_in(site: Site, client: httpx.Client, *roles: str, **wish: Any) -> str:
    token = site.token(*roles, **wish)
    assert _sign_in(client, token).status_code == 303
    return token


@pytest.mark.parametrize("path", PAGES)
def test_without_signing_in_no_page_says_anything(browser: httpx.Client, path: str) -> None:
    """The way leads to the sign-in page, and back to what was asked for."""
    answer = browser.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=%2F")
    assert answer.content == b""


def test_the_sign_in_page_says_little(site: Site, browser: httpx.Client) -> None:
    """Whose node it is, and nothing of its tree."""
    answer = browser.get("/sign-in")
    assert answer.status_code == 200
    assert "n100000" not in answer.text
    assert site.city.node not in answer.text


def test_every_answer_forbids_scripts_frames_and_keeping(site: Site, browser: httpx.Client) -> None:
    """Also of faults, redirects and the form."""
    answers = [browser.get("/"), browser.get("/sign-in"), _sign_in(browser, "wrong")]
    _signed_in(site, browser, "watch", "read")
    answers += [browser.get(path) for path in (*PAGES, "/node?id=nobody")]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", answer.text)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(site: Site, browser: httpx.Client) -> None:
    """And what was asked for is shown after signing in."""
    answer = _sign_in(browser, site.token("watch"))
    assert answer.headers["location"] == "/trace?what=1"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "max-age=28800" in cookie
    assert "tst_" not in cookie


def test_a_form_of_another_site_signs_nobody_in_or_out(site: Site, browser: httpx.Client) -> None:
    """Whatever token it holds."""
    token = site.token("watch")
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = _sign_in(browser, token, **headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    assert _sign_in(browser, token, origin=str(browser.base_url).rstrip("/")).status_code == 303
    assert browser.post("/sign-out", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert browser.get("/").status_code == 200
    assert browser.post("/sign-out", headers={"sec-fetch-site": "same-origin"}).status_code == 303
    assert browser.get("/").status_code == 303


def test_a_session_ends_on_the_server_when_signed_out(site: Site, browser: httpx.Client) -> None:
    """A cookie that somebody kept is worth nothing afterwards."""
    _signed_in(site, browser, "watch")
    kept = dict(browser.cookies)
    browser.post("/sign-out")
    with _client(site) as thief:
        thief.cookies.update(kept)
        assert thief.get("/").status_code == 303


def test_a_revoked_token_ends_what_it_opened(site: Site, browser: httpx.Client) -> None:
    """At the next page."""
    token = _signed_in(site, browser, "watch")
    assert browser.get("/").status_code == 200
    site.do(site.city.command("token.revoke", token=token))
    assert browser.get("/").status_code == 303


def test_each_role_sees_its_own_pages(site: Site, browser: httpx.Client) -> None:
    """watch: how the nodes stand. read: where a row went. write alone: nothing."""
    _signed_in(site, browser, "read", datasets=["case"])
    assert browser.get("/trace").status_code == 200
    assert browser.get("/about").status_code == 200
    refused = browser.get("/")
    assert refused.status_code == 403
    assert "watch" in refused.text
    assert 'href="/statement"' not in refused.text
    with _client(site) as watcher:
        _signed_in(site, watcher, "watch", datasets=[])
        assert watcher.get("/").status_code == 200
        assert watcher.get("/trace").status_code == 403
    with _client(site) as writer:
        assert _sign_in(writer, site.token("write")).status_code == 403


def test_a_row_is_traced_only_where_its_dataset_may_be_read(site: Site, browser: httpx.Client) -> None:
    """Else it is as if there were none."""
    client = site.client("write")
    assert client.post("/datasets/case/rows", json={"rows": [case(71, source_key="SRC-71")]}).status_code == 200
    _signed_in(site, browser, "read", datasets=["case"])
    shown = browser.get("/trace", params={"what": "SRC-71"})
    assert shown.status_code == 200
    assert "sh-00071" in shown.text
    assert "第71件" not in shown.text
    with _client(site) as other:
        _signed_in(site, other, "read", datasets=["component"])
        hidden = other.get("/trace", params={"what": "SRC-71"})
        assert "sh-00071" not in hidden.text
        assert "Nothing is known here" in hidden.text
        assert other.get("/trace", params={"what": "SRC-71", "dataset": "case"}).status_code == 403


def test_what_is_asked_for_is_shown_as_text(site: Site, browser: httpx.Client) -> None:
    """In the field, in the message, in the links of the languages."""
    _signed_in(site, browser, "read", "watch")
    evil = '"><script>alert(1)</script>'
    for path in ("/trace", "/node", "/statement"):
        answer = browser.get(path, params={"what": evil, "id": evil, "day": evil, "child": evil, "dataset": evil})
        assert "<script" not in answer.text


def test_whoever_guesses_waits(site: Site) -> None:
    """After ten failures no token is looked at from that address, and each is in the audit."""
    with _client(site) as reader, _client(site, "127.0.0.9") as guesser:
        token = _signed_in(site, reader, "watch")
        door_tries = [_sign_in(guesser, f"tst_guess{n}_x").status_code for n in range(TRIES_MAX + 1)]
        assert door_tries[0] == 401
        assert door_tries[-1] == 429
        assert _sign_in(guesser, token).status_code == 429
    audit = "".join(path.read_text("utf-8") for path in sorted((site.city.home / FOLDER).glob("*")) if path.is_file())
    assert '"access_refused"' in audit
    assert '"signed_in"' in audit


def test_a_form_that_is_too_large_is_refused(browser: httpx.Client) -> None:
    """Before it is read to its end."""
    assert browser.post("/sign-in", data={"token": "x" * 10_000}).status_code == 413


def test_the_style_is_kept_by_browsers_until_it_changes(browser: httpx.Client) -> None:
    """Its path holds its digest; asked for again with its tag, nothing is sent."""
    path = re.search(r'href="(/style\.[0-9a-f]{16}\.css)"', browser.get("/sign-in").text)
    assert path is not None
    answer = browser.get(path[1])
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    again = browser.get(path[1], headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_language_is_kept(site: Site, browser: httpx.Client) -> None:
    """Chosen once, it holds on every page; the page says which it is."""
    _signed_in(site, browser, "watch")
    assert '<html lang="en">' in browser.get("/").text
    assert '<html lang="zh-CN">' in browser.get("/?lang=zh").text
    about = browser.get("/about")
    assert '<html lang="zh-CN">' in about.text
    assert about.headers["content-language"] == "zh"


def test_the_statement_is_the_one_of_the_command_line(site: Site, browser: httpx.Client) -> None:
    """The same figures, and a date that is none is told."""
    client = site.client("write")
    assert client.post("/datasets/case/rows", json={"rows": [case(81), case(82)]}).status_code == 200
    _signed_in(site, browser, "watch")
    found = site.do(site.city.command("statement", dataset="case"))
    (line,) = [one for one in found["lines"] if one["origin"] == site.city.node]
    text = browser.get("/statement", params={"dataset": "case"}).text
    assert f'data-label="taken" class="number">{line["door"]["taken"]}<' in text
    assert browser.get("/statement", params={"day": "yesterday"}).status_code == 400


def test_a_mistyped_address_is_a_page_for_people_and_a_problem_for_programs(site: Site, browser: httpx.Client) -> None:
    """And before signing in it is told to nobody whether a page is there."""
    person = {"accept": "text/html,*/*;q=0.8"}
    assert browser.get("/tracee", headers=person).status_code == 303
    _signed_in(site, browser, "watch")
    shown = browser.get("/tracee", headers=person)
    assert shown.status_code == 404
    assert "There is nothing at &#39;/tracee&#39;" in shown.text
    for path, headers in (("/tracee", {}), ("/api/v2/x", person), ("/api/v1/x", person)):
        answer = browser.get(path, headers=headers)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_overdue_list_is_the_one_of_the_command_line(tmp_path: Path) -> None:
    """Three days after a day of which nothing came: with the reason, and what else is owed; wrong words are told."""
    site = Site(tmp_path)
    try:
        day = first_day(site.net)
        set_clocks(site.net, midnight_us(day + timedelta(days=3), ZONE))
        found = site.do(site.city.command("due.list", overdue=False))
        late = [one for one in found["items"] if one["standing"] == "overdue"]
        assert 0 < len(late) < len(found["items"])
        with _client(site) as browser:
            _signed_in(site, browser, "watch")
            text = browser.get("/overdue").text
            assert text.count('data-label="standing"') == len(late)
            assert "nothing was brought" in text
            everything = browser.get("/overdue", params={"all": "1"}).text
            assert everything.count('data-label="standing"') == len(found["items"])
            assert browser.get("/overdue", params={"month": "soon"}).status_code == 400
            assert browser.get("/overdue", params={"dataset": "x"}).status_code == 400
    finally:
        site.end()


def test_the_overview_says_how_the_parent_stands(site: Site, browser: httpx.Client) -> None:
    """With a grade, and when it was heard."""
    _signed_in(site, browser, "watch")
    text = browser.get("/").text
    assert "国家平台" in text
    assert "this node" in text
    assert re.search(r'class="badge (service|data)"', text)
