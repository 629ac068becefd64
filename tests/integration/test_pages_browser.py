"""The pages in a real browser, over a real tree of nodes: what a person sees, and no complaint of the browser's."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from node.testing import Member, Topology
from node.testing.topology import THREE, Place
from tests.integration.http_kit import configure_http
from tests.integration.kit import COLUMNS, cases, run

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine: apt-get install chromium")

EVIL = "<script>document.title='taken'</script><b>平台</b>"
PLACES = (*THREE[:2], Place("city", "city", "330100", EVIL[:60], "province"))
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1366, "height": 768}
SHOTS = os.environ.get("TIERSYNC_SHOTS", "")
"""A folder for pictures of the pages, for whoever wants to look at them."""


class Reader:
    """One person at a browser: signs in, looks, and keeps what the browser complains of."""

    def __init__(self, page, base: str) -> None:
        self.page, self.base = page, base
        self.complaints: list[str] = []
        page.on("console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", self._failed)
        page.on("request", lambda request: request.url.startswith(base) or self.complaints.append(request.url))

    def _failed(self, request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a page that was left while it loaded
            self.complaints.append(f"{request.url} {request.failure}")

    async def sign_in(self, secret: str) -> None:
        await self.page.goto(self.base + "/")
        await self.page.fill("#token", secret)
        await self.press("main button")

    async def press(self, what: str) -> None:
        """A link or button, and where it leads."""
        async with self.page.expect_navigation():
            await self.page.click(what)

    async def go(self, path: str) -> str:
        """The text of a page, once it was seen at a desk and on a phone."""
        answer = await self.page.goto(self.base + path)
        assert answer.status == 200, path
        for size in (PHONE, DESK):
            await self.page.set_viewport_size(size)
            wide, seen = await self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
            assert wide <= seen, f"{path} scrolls sideways at {size['width']}"
            if SHOTS:
                name = path.strip("/").partition("?")[0] or "overview"
                language = await self.page.get_attribute("html", "lang")
                await self.page.screenshot(path=f"{SHOTS}/{name}.{language}.{size['width']}.png", full_page=True)
        return await self.page.inner_text("body")

    async def until(self, path: str, words: str) -> str:
        """The text of a page once it says this: receipts come every five seconds, an overview may be a second old."""
        while words not in (text := await self.go(path)):
            pass
        return text


@asynccontextmanager
async def reading(member: Member, locale: str, *roles: str, **wish: str) -> AsyncIterator[Reader]:
    """A person at a node's pages, signed in; by a token that opens those of how nodes and rows stand, unless told."""
    from playwright.async_api import async_playwright

    base = f"http://127.0.0.1:{(await member.status())['http_port']}"
    made = await member.command("token.make", title="wall", roles=list(roles) or ["watch", "read"], all=True, **wish)
    async with async_playwright() as tool:
        # Chromium does not sandbox itself for root, who runs CI.
        browser = await tool.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False)
        try:
            context = await browser.new_context(locale=locale, viewport=DESK)
            reader = Reader(await context.new_page(), base)
            await reader.sign_in(made["secret"])
            yield reader
        finally:
            await browser.close()


def test_a_person_sees_how_the_tree_stands(tmp_path: Path) -> None:
    """Signed in at the nation: the tree, a row by its source number, the statement on paper, the other language; then
    the province is killed, and the page says so."""

    async def work() -> None:
        async with Topology(tmp_path, PLACES, processes=True) as net:
            nation, city = net["nation"], net["city"]
            configure_http(nation)
            await nation.restart()
            rows = [(*row, f"12345-{n}") for n, row in enumerate(cases(20, supervised=True))]
            done = await city.put("case", (*COLUMNS, "source_key"), rows)
            assert done.accepted == len(rows)
            span = {"from": "2099-03-01T22:00", "until": "2099-03-02T06:00"}
            await city.command("maintenance.announce", **span, reason="<b>更换存储</b>")
            await net.level()
            async with reading(nation, "en-GB") as reader:
                await _looks_around(reader, nation, city)
                await net["province"].kill()
                await nation.until(lambda status: all(link["peer"] != net["province"].node for link in status["links"]))
                await _sees_the_province_gone(reader)
                assert reader.complaints == []

    run(work())


async def _looks_around(reader: Reader, nation: Member, city: Member) -> None:
    page = reader.page
    text = await reader.until("/", "Announced maintenance")
    assert "<b>更换存储</b>" in text
    assert "data flowing" in text
    assert "Need attention" in text
    assert EVIL[:60] in text, "a title is text, whatever it holds"
    assert await page.title() == "Tree overview · 国家平台"
    assert await page.locator("table.tree tbody tr").count() == len(PLACES)
    await reader.press(f"a[href='/node?id={city.node}']")
    assert "case.nation" in await page.inner_text("main")
    traced = await reader.until("/trace?what=12345-7", nation.node + ": received and applied")
    assert "第8件" not in traced
    evil = await reader.go("/trace?what=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert(1)</script>" in evil
    assert city.node in await reader.go("/statement?child=" + city.node)
    paper = await page.pdf(prefer_css_page_size=True)
    assert paper.startswith(b"%PDF-")
    await page.emulate_media(media="print")
    assert not await page.locator("nav").is_visible()
    assert not await page.locator("form.ask").is_visible()
    assert await page.locator("table.statement").is_visible()
    await page.emulate_media(media="screen")
    await reader.go("/overdue?all=1")
    await reader.go("/about")
    await reader.press("text=中文")
    assert await page.get_attribute("html", "lang") == "zh-CN"
    assert "数据通" in await reader.go("/")
    await reader.go("/trace?what=12345-7")
    await reader.go("/node?id=" + city.node)
    await reader.go("/statement")
    await reader.go("/overdue?all=1")
    await reader.go("/about?lang=en")


async def _sees_the_province_gone(reader: Reader) -> None:
    text = await reader.until("/", "link down")
    assert "What needs attention" in text
    assert "no link" in text
    assert await reader.page.locator(".badge.away").count() >= 2, "also what is reached only by way of it"
    await reader.press("text=Sign out")
    assert await reader.page.locator("#token").is_visible()
    assert await reader.page.locator("nav").count() == 0
