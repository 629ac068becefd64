"""The Python client, against a real node; and what it does while one is away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from node import client as module
from node.client import ApiFault, Client
from tests.integration.http_kit import Site, case


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests of this module."""
    made = Site(tmp_path_factory.mktemp("site"), changes_keep_days=7)
    yield made
    made.end()


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    """With a token that may do everything."""
    with Client(site.base.removesuffix("/api/v1"), site.token("read", "write", "watch"), language="en") as made:
        yield made


def test_rows_go_in_by_batches_and_come_out_by_pages(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejected ones are told by their place among all; what is there is read whole."""
    monkeypatch.setattr(module, "BATCH_ROWS", 4)
    monkeypatch.setattr(module, "PAGE_ROWS", 3)
    rows = [case(n) for n in range(10)]
    rows[6]["division"] = "330106"
    told = client.put("case", iter(rows))
    assert (told.accepted, told.unchanged) == (9, 0)
    assert [(one.place, one.name) for one in told.rejected] == [(6, "OUT_OF_SCOPE")]
    assert client.put("case", rows).unchanged == 9
    some = client.rows("case", filter={"column": "case_id", "op": "<", "value": "sh-00005"}, columns=["case_id"])
    assert [row["case_id"] for row in some] == [f"sh-0000{n}" for n in range(5)]
    assert client.void("case", [["sh-00009"]], "test").accepted == 1
    assert client.row("case", "sh-00009") is None
    found = client.row("case", "sh-00001")
    assert found is not None
    assert found["summary"] == "第1件"
    assert client.trace("sh-00001")["rows"][0]["key"] == '["sh-00001"]'
    assert client.dataset("case")["key"] == ["case_id"]
    assert client.status()["state"] == "working"


def test_what_is_refused_is_raised_with_what_to_do(site: Site, client: Client) -> None:
    """At once, with the code that does not change."""
    with pytest.raises(ApiFault) as found:
        client.dataset("nobody")
    assert (found.value.status, found.value.code) == (404, "E1010")
    assert found.value.next
    with Client(site.base.removesuffix("/api/v1"), "wrong") as stranger, pytest.raises(ApiFault) as found:
        stranger.datasets()
    assert found.value.code == "E1805"


def test_changes_are_followed_over_a_restart_of_the_node(site: Site, client: Client) -> None:
    """It dials again by itself and goes on where it was; pages tell the same."""
    start = client.newest()
    following = client.follow(start, "case")
    client.put("case", [case(100)])
    assert next(following).key == ["sh-00100"]
    site.do(site.city.restart())
    client.put("case", [case(101)])
    again = next(following)
    assert (again.key, again.change) == (["sh-00101"], "put")
    assert {tuple(one.key) for one in client.changes(start)} == {("sh-00100",), ("sh-00101",)}
    with pytest.raises(ApiFault) as found:
        next(client.follow("nonsense"))
    assert found.value.code == "E1811"


class _Away:
    """A node that is away for the first calls."""

    def __init__(self, *answers: int | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if self._answers else 200
        if isinstance(answer, Exception):
            raise answer
        told: dict[str, Any] = {"accepted": 1, "unchanged": 0, "rejected": [], "warnings": 0}
        return httpx.Response(answer, json=told if answer == 200 else {"code": "E1804", "detail": "d", "next": "n"})


def test_a_write_is_tried_again_under_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the line breaks or the node says 503: the same request, so that it is made once."""
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    away = _Away(503, httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), 429)
    with Client("http://node", "t", transport=httpx.MockTransport(away)) as client:
        assert client.put("case", [case(1)]).accepted == 1
        client.put("case", [case(2)])
    keys = [request.headers["idempotency-key"] for request in away.asked]
    assert len(set(keys[:5])) == 1
    assert len({request.content for request in away.asked[:5]}) == 1
    assert keys[5] != keys[0]


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then what the node said last is raised; what it refuses is not asked twice."""
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    away = _Away(*[503] * 1000)
    with Client("http://node", "t", patience_s=0.05, transport=httpx.MockTransport(away)) as client:
        with pytest.raises(ApiFault) as found:
            client.status()
        assert (found.value.status, found.value.code) == (503, "E1804")
    refusing = _Away(403)
    with Client("http://node", "t", transport=httpx.MockTransport(refusing)) as client, pytest.raises(ApiFault):
        client.status()
    assert len(refusing.asked) == 1


def test_what_is_sent_is_plain_json() -> None:
    """Chinese as it is written."""
    away = _Away()
    with Client("http://node", "t", transport=httpx.MockTransport(away)) as client:
        client.put("case", [{"summary": "第1件"}])
    assert json.loads(away.asked[0].content)["rows"] == [{"summary": "第1件"}]
    assert "第1件".encode() in away.asked[0].content
