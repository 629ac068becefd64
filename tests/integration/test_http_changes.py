"""Changes followed over HTTP: none is missed, by page or by stream, over restarts; what may not be seen is not told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node import audit, following
from node.commands.tokens import token_id
from node.http.api import changes
from tests.integration.http_kit import Site, case
from tests.integration.kit import node_of

ROWS = "/datasets/case/rows"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests of this module."""
    made = Site(tmp_path_factory.mktemp("site"), changes_keep_days=7)
    yield made
    made.end()


@pytest.fixture(scope="module")
def full(site: Site) -> httpx.Client:
    """A client that may read and write everything."""
    return site.client("read", "write", held_back=True)


def _now(client: httpx.Client) -> str:
    return str(client.get("/changes").raise_for_status().json()["next"])


def _all(client: httpx.Client, cursor: str, **params: str) -> tuple[list[dict[str, Any]], str]:
    """Page after page until there is no more."""
    found: list[dict[str, Any]] = []
    while True:
        page = client.get("/changes", params={"cursor": cursor, **params}).raise_for_status().json()
        found += page["changes"]
        cursor = page["next"]
        if not page["more"]:
            return found, cursor


def _put(client: httpx.Client, *rows: dict[str, Any]) -> None:
    client.post(ROWS, json={"rows": list(rows)}).raise_for_status()


def test_puts_and_voids_are_told_in_order(site: Site, full: httpx.Client) -> None:
    """A row as it is now; one that is gone by its key."""
    start = _now(full)
    _put(full, case(1, reporter_phone="138"), case(2))
    full.delete(f"{ROWS}/sh-00002", params={"reason": "test"}).raise_for_status()
    found, end = _all(full, start)
    assert [(one["key"], one["change"]) for one in found] == [
        (["sh-00001"], "put"),
        (["sh-00002"], "gone"),
        (["sh-00002"], "gone"),
    ]
    assert found[0]["row"] == full.get(f"{ROWS}/sh-00001").json()
    assert found[0]["origin"] == site.city.node
    assert _all(full, end) == ([], end)


def test_who_follows_cases_is_in_the_audit(site: Site, full: httpx.Client) -> None:
    """A line for each page, with the token and how many rows it told."""
    secret, reader, start = site.token("read"), site.client(), _now(full)
    reader.headers["authorization"] = f"Bearer {secret}"
    _put(full, case(901), case(902))
    _all(reader, start)
    (line,) = [line for line in _reads(site) if line.get("by") == f"token {token_id(secret)}"]
    assert (line["dataset"], line["rows"]) == ("case", 2)


def _reads(site: Site) -> list[dict[str, Any]]:
    return [one["fields"] for one in audit.read(site.city.home / "audit") if one["event"] == "rows_read"]


def test_who_may_not_see_it_is_not_told(site: Site, full: httpx.Client) -> None:
    """Neither of other datasets nor held-back columns; the place moves on all the same."""
    start = _now(full)
    _put(full, case(10, reporter_phone="138"))
    reader, other = site.client("read", datasets=["case"]), site.client("read", datasets=["component"])
    (told,), _ = _all(reader, start)
    assert "reporter_phone" not in told["row"]
    found, end = _all(other, start)
    assert found == []
    assert end != start
    assert other.get("/changes", params={"dataset": "case"}).status_code == 403
    assert site.client("write").get("/changes").status_code == 403
    assert len(_all(full, start, dataset="case")[0]) == 1
    assert _all(full, start, dataset="component")[0] == []


def test_what_comes_from_other_nodes_is_told(site: Site, full: httpx.Client) -> None:
    """At the nation: cases of the municipality appear, and one is gone when it was voided there."""
    nation = node_of(site.net["nation"])
    shown = {"case": nation.catalogue.datasets["case"].schema.names}

    def follow(cursor: str) -> following.Page:
        ask = partial(following.page, catalogue=nation.catalogue, shown=shown, cursor=cursor)
        return site.do(nation.read(ask))

    start = site.do(nation.read(following.newest))
    _put(full, case(20))
    site.do(site.net.level())
    page = follow(start)
    told = {(*change.key, change.change, change.origin) for change, _ in page.changes}
    assert told == {("sh-00020", "put", site.city.node)}
    full.delete(f"{ROWS}/sh-00020", params={"reason": "test"}).raise_for_status()
    site.do(site.net.level())
    assert [(one.key, one.change) for one, _ in follow(page.cursor).changes] == [(["sh-00020"], "gone")]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.tuples(st.integers(50, 56), st.booleans()), min_size=1, max_size=5), min_size=1, max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_who_follows_has_the_rows(
    full: httpx.Client, transactions: list[list[tuple[int, bool]]], looks: list[bool]
) -> None:
    """Whatever is put and voided, and whenever somebody looks: the sum of what was told is what is there."""
    cursor = _now(full)
    kept = {row["case_id"]: row for row in full.get(ROWS, params={"limit": 1000}).json()["rows"]}
    for number, (transaction, look) in enumerate(zip(transactions, looks, strict=False)):
        puts = {n: case(n, summary=f"{number}") for n, stays in transaction if stays}
        voids = sorted({n for n, stays in transaction if not stays} - set(puts))
        _put(full, *puts.values())
        full.post("/datasets/case/voids", json={"keys": [[f"sh-{n:05d}"] for n in voids], "reason": "x"})
        if look:
            cursor = _follow(full, cursor, kept)
    _follow(full, cursor, kept)
    there = full.get(ROWS, params={"limit": 1000}).json()["rows"]
    assert kept == {row["case_id"]: row for row in there}


def _follow(client: httpx.Client, cursor: str, kept: dict[str, Any]) -> str:
    found, cursor = _all(client, cursor, dataset="case")
    for one in found:
        (key,) = one["key"]
        if one["change"] == "gone":
            kept.pop(key, None)
        else:
            kept[key] = one["row"]
    return cursor


# --- as a stream ----------------------------------------------------------------------------------------------------


@contextmanager
def _stream(
    site: Site, client: httpx.Client, cursor: str = ""
) -> Iterator[Iterator[tuple[str, dict[str, Any] | None]]]:
    """(id, change or None) of each event."""
    headers = {"accept": "text/event-stream", **({"last-event-id": cursor} if cursor else {})}
    with client.stream("GET", f"{site.base}/changes", headers=headers) as answer:
        answer.raise_for_status()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    name, data = "", ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "id":
            name = value
        elif field == "data":
            data = value
        elif not line:
            yield name, json.loads(data) if data else None
            data = ""


def _told(events: Iterator[tuple[str, dict[str, Any] | None]], count: int) -> tuple[list[str], str]:
    """The next keys, and the id behind the last of them."""
    keys: list[str] = []
    for name, change in events:
        if change is not None:
            keys.append(change["key"][0])
        if len(keys) == count:
            return keys, name
    raise AssertionError("the stream ended")


def test_a_stream_tells_what_comes_and_goes_on_after_a_restart(site: Site) -> None:
    """By the id of the last event that was read: in the midst of a transaction, and over a restart of the node."""
    client = site.client("read", "write")
    with _stream(site, client) as events:
        next(events)
        _put(client, case(100), case(101), case(102))
        keys, last = _told(events, 2)
    assert keys == ["sh-00100", "sh-00101"]
    site.do(site.city.restart())
    _put(client, case(103))
    with _stream(site, client, last) as events:
        assert _told(events, 2)[0] == ["sh-00102", "sh-00103"]


def test_a_stream_ends_with_its_token(site: Site) -> None:
    """Revoked in the midst of it: the next look is the last, and the reader who dials again is told why."""
    secret = site.token("read", "write")
    client = site.client()
    client.headers["authorization"] = f"Bearer {secret}"
    writer = site.client("write")
    with _stream(site, client) as events:
        next(events)
        site.do(site.city.command("token.revoke", token=secret))
        _put(writer, case(110))
        assert list(events) == []
    assert client.get("/changes").status_code == 401


def test_more_streams_than_may_be_are_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """429, and those that are read go on."""
    monkeypatch.setattr(changes, "STREAMS_MAX", 1)
    client = site.client("read", "write")
    with _stream(site, client) as events:
        next(events)
        refused = client.get("/changes", headers={"accept": "text/event-stream"})
        assert (refused.status_code, refused.json()["code"]) == (429, "E1814")
        _put(client, case(120))
        assert _told(events, 1)[0] == ["sh-00120"]


def test_places_that_are_none_are_told(site: Site, full: httpx.Client) -> None:
    """A cursor of another kind is the caller's mistake; 'oldest' is all that is kept."""
    assert full.get("/changes", params={"cursor": "nonsense"}).json()["code"] == "E1811"
    assert full.get("/changes", headers={"last-event-id": "nonsense"}).status_code == 400
    _put(full, case(130))
    assert _all(full, "oldest")[0][-1]["key"] == ["sh-00130"]
