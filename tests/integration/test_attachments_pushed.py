"""Attachments that come by themselves where a publication says so, and those that HTTP is asked for."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from node.attachments.files import Files
from node.config import CONFIG_NAME, load_file, render
from node.demo.reader import catalogue_of
from node.http.api import files as over_http
from node.settings import Publication
from node.testing import Member, Topology
from tests import pictures
from tests.integration.http_kit import Site, calling, configure_http
from tests.integration.kit import run
from tests.integration.test_attachments import REPORT, attach, held, noise, report


def push_to(member: Member) -> None:
    """From its next start on attachments of reports of up to 200,000 bytes come to this node by themselves."""
    path = member.home / CONFIG_NAME
    chosen = {f"{REPORT}.ancestors": Publication(push_attachments_up_to=200_000)}
    path.write_text(render(replace(load_file(path), publications=chosen)), "utf-8")


def test_small_files_come_by_themselves_and_large_ones_when_asked_for(tmp_path: Path) -> None:
    """At the node that says so; the province between, which says nothing, has none. A
    large one is asked for by a person."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            push_to(nation)
            await nation.restart()
            small, large = await attach(city, pictures.jpeg()), await attach(city, noise(300))
            await report(city, "330100", small, large)
            await net.level()
            await nation.until(lambda status: status["attachments"]["counts"].get("not_fetched", 0) == 1)
            await nation.until(lambda status: status["attachments"]["pushed_waiting"] == 0)
            assert sha256(held(nation, small)).hexdigest() == small
            assert Files(nation.home).find(large) is None
            assert Files(province.home).find(small) is None
            assert (await nation.command("attachment.fetch", hash=large))["size"] == len(held(city, large))
            assert (await nation.status())["attachments"]["pushed_waiting"] == 0

    run(work())


def test_what_is_missing_is_found_again_after_a_start(tmp_path: Path) -> None:
    """The rows say what is missing: nothing else is remembered of it."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            push_to(nation)
            await nation.stop()
            name = await attach(city, pictures.jpeg())
            await report(city, "330100", name)
            await nation.start()
            await net.level()
            await nation.until(lambda status: status["attachments"]["counts"].get("fetched", 0) == 1)
            await nation.until(lambda status: status["attachments"]["pushed_waiting"] == 0)
            await nation.command("attachment.remove", hash=name, reason="to see it come back")
            await nation.restart()
            await nation.until(lambda status: status["attachments"]["counts"].get("fetched", 0) == 1)
            await nation.until(lambda status: not status["attachments"]["fetching"])
            assert sha256(held(nation, name)).hexdigest() == name

    run(work())


# --- over HTTP --------------------------------------------------------------------------------------------------------


def test_a_download_at_an_upper_tier_fetches_it(tmp_path: Path) -> None:
    """With a token that may read the row; the answer is what the hash says, and no browser runs it."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            configure_http(nation)
            await nation.restart()
            name = await attach(city, pictures.jpeg())
            await report(city, "330100", name)
            await net.level()
            wish: dict[str, Any] = {"title": "t", "roles": ["read"]}
            good = (await nation.command("token.make", **wish, datasets=[REPORT]))["secret"]
            other = (await nation.command("token.make", **wish, datasets=["case"]))["secret"]
            async with calling(nation, other) as client:
                for what in (name, "ab" * 32, "x"):
                    answer = await client.get(f"/attachments/{what}")
                    assert (answer.status_code, answer.json()["code"]) == (404, "E1852")
            assert Files(nation.home).find(name) is None
            async with calling(nation, good) as client:
                answer = await client.get(f"/attachments/{name.upper()}")
            assert answer.status_code == 200
            assert sha256(answer.content).hexdigest() == name
            assert answer.headers["content-type"] == "image/jpeg"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in answer.headers["content-security-policy"]
            assert answer.headers["cache-control"] == "no-store"

    run(work())


def test_one_that_takes_longer_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The city is off-line: 503 with the words that it is on its way; when the link is back, it comes."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            configure_http(nation)
            await nation.restart()
            name = await attach(city, pictures.jpeg())
            await report(city, "330100", name)
            await net.level()
            await city.stop()
            secret = (await nation.command("token.make", title="t", roles=["read"], all=True))["secret"]
            monkeypatch.setattr(over_http, "FETCH_S", 0.05)
            async with calling(nation, secret) as client:
                answer = await client.get(f"/attachments/{name}")
                assert (answer.status_code, answer.json()["code"]) == (503, "E1855")
                await city.start()
                await net.settled()
                monkeypatch.setattr(over_http, "FETCH_S", 60.0)
                assert (await client.get(f"/attachments/{name}")).status_code == 200

    run(work())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Site(tmp_path_factory.mktemp("files"))
    yield made
    made.end()


def test_a_system_brings_pictures_over_http(site: Site) -> None:
    """Clean when they are kept; the same bytes again are no news; what is no picture is refused by its content."""
    full = site.client("write")
    answer = full.post("/attachments", content=pictures.jpeg(), headers={"content-type": "image/jpeg"})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["kind"], told["new"]) == ("jpeg", True)
    assert "Exif" in told["removed"]
    stored = held(site.city, told["hash"])
    assert pictures.traces(stored) == []
    assert not full.post("/attachments", content=stored).json()["new"]
    bad = full.post("/attachments", content=b"MZ" + bytes(50), headers={"content-type": "image/jpeg"})
    assert (bad.status_code, bad.json()["code"]) == (422, "E1851")
    assert site.client("read").post("/attachments", content=stored).status_code == 403
    assert site.client().post("/attachments", content=stored).status_code == 401


def test_the_python_client_brings_and_gets(site: Site) -> None:
    """A row that names the file entitles; held-back columns never name any."""
    from node.client import ApiFault, Client
    from tests.integration.filled import Filler

    secret = site.token("read", "write")
    with Client(site.base.removesuffix("/api/v1"), secret, language="en", patience_s=5) as client:
        data = pictures.png("RGB")
        name = client.attach(data)
        with pytest.raises(ApiFault) as refused:
            client.attachment(name)
        assert refused.value.code == "E1852"
        dataset = catalogue_of(site.city).datasets[REPORT]
        (row,) = Filler(site.city.node, "310000").rows(dataset, 1)
        cells = dict(zip(dataset.schema.names, row, strict=True)) | {"evidence": name}
        result = site.do(site.city.put(REPORT, dataset.schema.names, [tuple(cells.values())]))
        assert result.accepted == 1, list(result.rejected)
        assert pictures.shown(client.attachment(name)) == pictures.shown(data)
