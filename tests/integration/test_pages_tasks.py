"""The pages of tasks: for tokens of role task only, with clocks, and nothing shown as done that is not confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from node.client import Client
from node.commands.tasks import show_task
from node.commands.view import Arguments, View
from node.config import CONFIG_NAME, load_file, render
from node.http.pages import tasks as pages
from node.settings import TasksSection
from node.testing import Topology
from node.timekeeper import Timekeeper
from tests import pictures
from tests.integration.http_kit import PLACES, Site, configure_http
from tests.integration.kit import has_no_link, node_of, run
from tests.integration.test_pages_browser import CHROMIUM, reading
from tests.integration.test_rollups import StoodClock
from tests.integration.test_timekeeper import TASK, next_act

EVIL = "<script>alert(1)</script>"
PEOPLE = {"li": "officer", "wang": "approver", "qian": "viewer", "zhao": "administrator"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A municipality with people, which the nation gives tasks to."""
    made = Site(tmp_path_factory.mktemp("site"))
    try:
        path = made.city.home / CONFIG_NAME
        path.write_text(render(replace(load_file(path), tasks=TasksSection("all"))), "utf-8")
        made.do(made.city.restart())
        made.staff(**PEOPLE)
        yield made
    finally:
        made.end()


@pytest.fixture
def browser(site: Site) -> Iterator[httpx.Client]:
    """Nobody has signed in with it yet."""
    base = site.base.removesuffix("/api/v1")
    with httpx.Client(base_url=base, headers={"accept-language": "en"}, timeout=30, trust_env=False) as client:
        yield client


def _sign_in(site: Site, client: httpx.Client, *roles: str, **wish: Any) -> httpx.Response:
    return client.post("/sign-in", data={"token": site.token(*roles, **wish), "next": "/"})


def _issue(site: Site, title: str, flow: str = "W2", **said: str) -> str:
    """A task of the nation's, once the municipality knows it."""
    opening = {"W1": "draft", "W2": "register"}[flow]
    wish = {"flow": flow, "holder": site.city.node, "move": opening, "fields": {"title": title, **said}}
    then = [{"move": "issue", "fields": {"requirement": "整改", "due": "2099-12-31"}}]
    task = str(site.do(site.net["nation"].command("task.move", **wish, then=then))["task"])
    _reaches(site, task, "issued")
    return task


def _reaches(site: Site, task: str, state: str) -> None:
    async def work() -> None:
        client = await site.city.client()
        async for _ in client.follow(20):
            listed = (await client.command("task.list"))["tasks"]
            if any(one["task"] == task and one["state"] == state and not one["pending_moves"] for one in listed):
                return

    site.do(work())


def test_only_a_token_for_tasks_opens_them(site: Site, browser: httpx.Client) -> None:
    """Whoever signs in with one lands there; another is told in plain words, and sees no link to them."""
    task = _issue(site, "谁可看")
    _sign_in(site, browser, "watch", "read")
    for path in ("/tasks", f"/task?id={task}"):
        answer = browser.get(path)
        assert answer.status_code == 403
        assert "谁可看" not in answer.text
    assert 'href="/tasks"' not in browser.get("/").text
    assert _sign_in(site, browser, "task", person="qian").headers["location"] == "/tasks"
    shown = browser.get("/tasks")
    assert (shown.status_code, "谁可看" in shown.text) == (200, True)
    assert browser.get("/").status_code == 403
    assert browser.get("/task?id=nope").status_code == 404


def test_open_tasks_come_first_page_by_page_and_by_flow(
    site: Site, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once over the pages; what ended stands behind all that is open, though it moved last; titles are text."""
    ended, first, second = (_issue(site, title) for title in ("已撤", "甲", EVIL))
    site.do(site.net["nation"].command("task.move", task=ended, move="withdraw", fields={"reason": "误发"}))
    _reaches(site, ended, "withdrawn")
    _sign_in(site, browser, "task", person="qian")
    everything = browser.get("/tasks?show=all").text
    assert max(everything.index(first), everything.index(second)) < everything.index(ended)
    assert ended not in browser.get("/tasks").text
    assert EVIL not in everything
    assert first not in browser.get("/tasks?show=all&flow=W1").text
    assert first in browser.get("/tasks?show=all&flow=W2").text
    monkeypatch.setattr(pages, "TASKS_SHOWN", 1)
    listed: list[str] = []
    for page in range(1, 20):
        text = browser.get(f"/tasks?show=all&page={page}").text
        listed += [task for task in (ended, first, second) if f"/task?id={task}" in text]
        if "Next page" not in text:
            break
    assert listed == [second, first, ended]
    assert browser.get("/tasks?page=x&show=y").status_code == 200


def test_a_draft_is_no_move_until_it_was_approved_and_confirmed(site: Site, browser: httpx.Client) -> None:
    """Before, the page says that nothing was sent; after, who said it, by organisation and role. A name is read by its
    bearer and by administrators."""
    task = _issue(site, "签收")
    base = site.base.removesuffix("/api/v1")
    _sign_in(site, browser, "task", person="qian")
    with Client(base, site.token("task", all=False, person="li"), language="en") as li:
        draft = li.move(task, "sign").draft
    text = browser.get(f"/task?id={task}").text
    waiting = text[text.index('id="drafts"') :]
    for shown in (f'<th scope="row">{draft}</th>', "督查处 officer", "<strong>sign for</strong>"):
        assert shown in waiting
    assert "li 同志" not in text
    assert "nothing of them was sent" in text
    for name in ("li", "zhao"):
        _sign_in(site, browser, "task", person=name)
        assert "li 同志 (督查处 officer)" in browser.get(f"/task?id={task}").text
    assert "accepted: signed" not in text
    with Client(base, site.token("task", all=False, person="wang"), language="en") as wang:
        wang.approve(draft)
    _reaches(site, task, "signed")
    text = browser.get(f"/task?id={task}").text
    assert "accepted: signed" in text
    assert "督查处" in text
    assert "nothing of them was sent" not in text
    assert "waiting for confirmation" not in text
    people = text[text.index('id="people"') :]
    assert "督查处" in people


def test_comments_and_files_stand_beside_the_moves(site: Site, browser: httpx.Client) -> None:
    """Who said what, by organisation and role; which files are named and whether they are here; the text is text."""
    task, absent = _issue(site, "材料"), "ab" * 32
    base = site.base.removesuffix("/api/v1")
    writing = site.token("write", "task", person="li")
    with Client(base, writing, language="en") as li:
        name = li.attach(pictures.jpeg())
        draft = li.move(task, "comment", text=f"已核实 {EVIL}", files=f"{name},{absent}").draft
    _sign_in(site, browser, "task", person="qian")
    assert "files: 2" in browser.get(f"/task?id={task}").text, "an approver reads what leaves"
    with Client(base, site.token("task", all=False, person="wang"), language="en") as wang:
        wang.approve(draft)
    _reaches(site, task, "issued")
    text = browser.get(f"/task?id={task}").text
    comments = text[text.index('id="comments"') : text.index('id="moves"')]
    for shown in ("已核实 &lt;script&gt;", "督查处", "approver", "files: 2"):
        assert shown in comments
    files = text[text.index('id="files"') :]
    assert files.index(name) < files.index(absent)
    assert "not here yet" in files
    assert EVIL not in text


def test_what_was_refused_says_why_and_the_targets_of_one_work_are_listed(
    site: Site, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move that lost its number is not shown as accepted, although it once was."""
    task = _issue(site, "迎检", "W1", bundle="autumn")

    def lost(view: View, arguments: Arguments) -> dict[str, Any]:
        found = show_task(view, arguments)
        one = {**found["moves"][-1], "number": 0, "reason": "CROSSED", "counted_at": "", "phrase": ["it came late"]}
        return {**found, "refused": [one]}

    monkeypatch.setattr(pages, "show_task", lost)
    _sign_in(site, browser, "task", person="qian")
    text = browser.get(f"/task?id={task}").text
    assert "Bundle: the same piece of work at all its holders: issued: 1 of 1 open" in text
    refused = text[text.index('id="refused"') :]
    assert "CROSSED" in refused
    assert "it came late" in refused
    assert "accepted" not in refused


@pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine: apt-get install chromium")
def test_a_person_sees_the_clock_of_a_task_and_what_is_not_confirmed(tmp_path: Path) -> None:
    """Warned, then overdue; a move made without the link waits, and the state stays what it was; in both languages."""

    async def work() -> None:
        async with Topology(tmp_path, PLACES) as net:
            nation, city = net["nation"], net["city"]
            configure_http(city)
            await city.restart()
            said = {"requirement": "修复破损路面", "due": "2026-12-31"}
            wish = {"flow": "W2", "task": TASK, "holder": city.node, "fields": {"title": "路面破损 " + EVIL}}
            await nation.command("task.move", move="register", **wish, then=[{"move": "issue", "fields": said}])
            act = await next_act(node_of(nation))
            node_of(nation).clock = StoodClock(act.at_us)
            assert await Timekeeper(node_of(nation)).look() == [(TASK, "warned")]
            await net.level()
            await nation.stop()
            await city.until(has_no_link(nation))
            await city.command("task.move", task=TASK, move="sign", org="市督查处", role="officer")
            picture = (await node_of(city).attach(pictures.jpeg(), "test")).hash
            await city.command("task.move", task=TASK, move="comment", fields={"text": EVIL, "files": picture})
            await city.command("people.add", person="li", shown="李", org="督查处", roles=["officer"])
            node_of(city).clock = StoodClock(act.at_us)
            async with reading(city, "en-GB", "task", person="li") as reader:
                text = await reader.go("/tasks")
                assert "time is running out" in text
                assert "2 waiting for confirmation" in text
                assert EVIL in text, "a title is text, whatever it holds"
                await reader.press(f"a[href='/task?id={TASK}']")
                assert await reader.page.locator(".badge.warned").is_visible()
                text = await reader.go(f"/task?id={TASK}")
                assert "Until it has, nothing of it counts" in text
                assert await reader.page.locator("dl.facts .badge.pending").count() == 1
                assert "accepted: signed" not in text
                assert picture in await reader.page.locator("section[aria-labelledby=files]").inner_text()
                comment = reader.page.locator("section[aria-labelledby=comments]")
                assert EVIL in await comment.inner_text(), "what somebody says is text too"
                assert await comment.locator(".badge.pending").count() == 1
                node_of(city).clock = StoodClock(act.at_us + 90 * 86_400_000_000)
                zh = await reader.go("/tasks?show=overdue&lang=zh")
                assert "逾期" in zh
                assert "2 项等待确认" in zh
                text = await reader.go(f"/task?id={TASK}")
                assert "下发方节点尚未确认" in text
                assert "修复破损路面" in text
                assert reader.complaints == []

    run(work())
