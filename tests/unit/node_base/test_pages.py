"""The pages without a node: sessions, failed sign-ins, how things are said, what templates make of hostile names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from node.clock import SystemRandomness
from node.http.pages import look
from node.http.pages.door import is_from_here, within
from node.http.pages.sessions import (
    LIFE_US,
    SESSIONS_MAX,
    SESSIONS_OF_A_TOKEN_MAX,
    TRIES_KEPT,
    TRIES_MAX,
    TRIES_WITHIN_US,
    Sessions,
    Tries,
)
from node.http.pages.speech import Speech, language_of
from node.http.pages.task_stats import Size, lines
from node.texts import translator
from node.texts.standing import GRADES
from tiers.grades import Grade

RANDOM = SystemRandomness()
TEMPLATES = Path(look.__file__).parent / "templates"


def test_a_session_lasts_a_working_day_and_no_longer() -> None:
    """Found until its end, by its own secret only; signing out ends it at once."""
    sessions = Sessions()
    secret = sessions.open("t1", 0, RANDOM)
    found = sessions.find(secret, LIFE_US - 1)
    assert found is not None
    assert found.token == "t1"
    assert sessions.find(secret, LIFE_US) is None
    assert sessions.find("", 0) is None
    assert sessions.find("x" * 64, 0) is None
    sessions.close(secret)
    assert sessions.find(secret, 0) is None


def test_sessions_are_bounded_and_the_oldest_go() -> None:
    """Of one token, and of all."""
    sessions = Sessions()
    of_one = [sessions.open("t1", 0, RANDOM) for _ in range(SESSIONS_OF_A_TOKEN_MAX + 3)]
    assert [sessions.find(secret, 0) is not None for secret in of_one] == [False] * 3 + [True] * SESSIONS_OF_A_TOKEN_MAX
    others = [sessions.open(f"o{n}", 0, RANDOM) for n in range(SESSIONS_MAX)]
    assert all(sessions.find(secret, 0) is None for secret in of_one)
    assert all(sessions.find(secret, 0) is not None for secret in others)


def test_who_fails_too_often_waits_and_locks_nobody_else_out() -> None:
    """Ten times within five minutes; other addresses are not concerned, however many tries there are."""
    tries = Tries()
    for _ in range(TRIES_MAX):
        assert not tries.too_many("a", 0)
        tries.failed("a", 0)
    assert tries.too_many("a", 1)
    assert not tries.too_many("b", 1)
    assert not tries.too_many("a", TRIES_WITHIN_US)
    for number in range(2 * TRIES_KEPT):
        tries.failed(f"x{number}", TRIES_WITHIN_US)
    assert not tries.too_many("b", TRIES_WITHIN_US)


@pytest.mark.parametrize(
    ("asked", "goes_to"),
    [
        ("/", "/"),
        ("/trace?what=1&dataset=case", "/trace?what=1&dataset=case"),
        ("/node?id=n100000.cn", "/node?id=n100000.cn"),
        ("", "/"),
        ("//evil.example/trace", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/trace", "/"),
        ("/sign-out", "/"),
        ("/trace\r\nset-cookie: a=b", "/"),
        ("//[", "/"),
    ],
)
def test_signing_in_leads_to_a_page_of_this_node_only(asked: str, goes_to: str) -> None:
    """Whatever the address asks for."""
    assert within(asked) == goes_to


@given(st.text(max_size=60))
def test_no_text_leads_elsewhere(asked: str) -> None:
    """A path, never a host."""
    goes_to = within(asked)
    assert goes_to.startswith("/")
    assert not goes_to.startswith(("//", "/\\"))
    assert goes_to.isprintable()


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://node:8443"}, False),
        ({"origin": "http://node:8443"}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://["}, False),
    ],
)
def test_a_form_counts_only_from_a_page_of_ours(headers: dict[str, str], taken: bool) -> None:
    """As far as the browser says where it comes from."""
    assert is_from_here(_request(headers={"host": "node:8443", **headers})) is taken


def _request(query: str = "", headers: dict[str, str] | None = None) -> Request:
    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "query_string": query.encode(), "headers": raw})


@pytest.mark.parametrize(
    ("query", "cookie", "accepts", "language"),
    [
        ("lang=en", "zh", "zh", "en"),
        ("lang=de", "zh", "en", "zh"),
        ("", "en", "zh", "en"),
        ("", "", "en;q=0.9, zh;q=0.1", "en"),
        ("", "junk", "zh-CN", "zh"),
    ],
)
def test_the_language_is_what_was_asked_for_last(query: str, cookie: str, accepts: str, language: str) -> None:
    """The address, else the cookie, else the browser."""
    asked = _request(query, {"cookie": f"tiersync_lang={cookie}", "accept-language": accepts})
    assert language_of(asked).language == language


def test_times_are_those_of_the_region_and_spans_in_their_largest_unit() -> None:
    """Also of a moment that no calendar has."""
    speech = Speech(translator("en"), "Asia/Shanghai", 100_000_000_000)
    assert speech.moment(0) == ""
    assert speech.moment(1) == "1970-01-01 08:00:00"
    assert speech.moment("2026-11-22T18:00:00Z") == "2026-11-23 02:00:00"
    assert speech.moment(1 << 62) == str(1 << 62)
    assert speech.moment("<b>") == "<b>"
    assert [speech.span(us) for us in (0, 59_999_999, 60_000_000, 7_200_000_000, 172_800_000_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "2 h",
        "2 d",
    ]
    assert speech.ago(40_000_000_000) == "16 h ago"
    assert [speech.share(part) for part in (None, 0.0, 0.5, 0.57, 0.9999, 1.0)] == [
        "–",
        "0 %",
        "50 %",
        "57 %",
        "99.9 %",
        "100 %",
    ]
    assert (speech.count(1_234_567), speech.count(None)) == ("1,234,567", "–")


def test_a_line_over_months_is_interrupted_where_nothing_is_known() -> None:
    """Nothing known is no zero; what is out of range stays inside the drawing."""
    size = Size(width=110, height=50, edge=0)
    months = [{"open": 0}, {"open": 5}, {}, {"open": None}, {"open": 20}, {"open": 10}]
    assert lines(months, "open", 10.0, size) == [[(0.0, 50.0), (22.0, 25.0)], [(88.0, 0.0), (110.0, 0.0)]]
    assert lines([{}, {}], "open", 1.0, size) == []
    assert lines([{"rate": "0.5000"}], "rate", 1.0, size) == [[(0.0, 25.0)]]


def test_templates_hold_no_script_and_no_style_and_trust_no_value() -> None:
    """The policy forbids it, and so nothing may lean on it."""
    for path in TEMPLATES.glob("*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe|Markup|autoescape", text), path
        assert not re.search(r"https?://", text), path


def test_a_hostile_name_is_shown_as_text() -> None:
    """In an element, in an attribute, in an address."""
    evil = "\"><script>alert(1)</script>'"
    fault = SimpleNamespace(
        code=evil, message=SimpleNamespace(say=lambda _: evil), next_step=SimpleNamespace(say=lambda _: evil)
    )
    context = {
        "_": translator("en"),
        "say": Speech(translator("en"), "Asia/Shanghai", 1),
        "title": evil,
        "place": evil,
        "federation": evil,
        "trial": False,
        "version": "1",
        "style": "/s",
        "icon": "/i",
        "language": "en",
        "languages": [("zh", "/?" + evil)],
        "path": "/",
        "reader": evil,
        "menu": [("/", "Tree overview", "")],
        "refresh_s": 0,
        "fault": fault,
    }
    text = look.environment().get_template("fault.html").render(context)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 6


def test_every_grade_has_words() -> None:
    """In the order of the ladder."""
    assert list(GRADES) == list(Grade)


def test_a_node_without_http_carries_no_template_engine() -> None:
    """What serves the links and the command line imports neither Jinja2 nor the pages."""
    asked = "import sys, node.serve, node.cli.main; sys.exit(bool({'jinja2', 'node.http.pages'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
