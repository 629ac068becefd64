"""The API of version 1: what its tokens let through, rows out in pages, rows in row by row, writes made once."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node import audit
from node.http.api import cursor, endpoint
from node.store.answers import BODY_BYTES_MAX
from node.store.readers import Reader
from node.texts import translator
from node.texts.steps import steps
from tests.integration.http_kit import Site, case
from tests.integration.kit import node_of

ROWS = "/datasets/case/rows"
_RUNS = itertools.count()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests of this module: they use rows of their own."""
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.end()


@pytest.fixture(scope="module")
def full(site: Site) -> httpx.Client:
    """A client that may do everything."""
    return site.client("read", "write", "watch", held_back=True)


def _audited(site: Site, event: audit.Event) -> list[dict[str, Any]]:
    return [r["fields"] for r in audit.read(site.city.home / "audit") if r["event"] == event.value]


def _ids(page: dict[str, Any]) -> list[str]:
    return [row["case_id"] for row in page["rows"]]


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_without_a_good_token_there_is_nothing(site: Site) -> None:
    """None, a wrong one, one of another form: 401, and the same words for all of them."""
    client, good = site.client(), site.token("read")
    wrong = good[:-1] + ("A" if good[-1] != "A" else "B")
    answers = [
        client.get(ROWS, headers={"authorization": value} if value else {})
        for value in (
            "",
            "Bearer",
            f"Bearer {wrong}",
            "Bearer x",
            "Bearer tst__",
            f"Basic {good}",
            "Bearer tst_0000000000_x",
        )
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert len({answer.text for answer in answers}) == 1
    assert any(one.get("why") == "unknown" for one in _audited(site, audit.Event.ACCESS_REFUSED))
    assert client.get(ROWS, headers={"authorization": f"bearer {good}"}).status_code == 200


def test_a_token_is_good_for_its_roles_and_datasets_alone(site: Site) -> None:
    """All else is 403 with clear words, and audited by the token's id, which is no secret."""
    reader = site.client("read", datasets=["case"], title="reads cases")
    assert reader.get(ROWS).status_code == 200
    refused = [
        reader.get("/datasets/component/rows"),
        reader.get("/datasets/nothing/rows"),
        reader.post(ROWS, json={"rows": []}),
        reader.delete(f"{ROWS}/1", params={"reason": "x"}),
        reader.post("/datasets/case/voids", json={"keys": [], "reason": "x"}),
        reader.get("/status"),
        reader.get("/loads"),
        reader.get("/trace", params={"what": "x", "dataset": "component"}),
        reader.get("/datasets/component"),
        site.client("write").get(ROWS),
        site.client("watch", all=False).get(ROWS),
    ]
    assert [answer.status_code for answer in refused] == [403] * len(refused)
    told = refused[0].json()
    assert told["code"] == "E1806"
    assert "'reads cases'" in told["detail"]
    assert "component" in told["detail"]
    assert any(
        one.get("name") == "reads cases" and len(one["access"]) == 10
        for one in _audited(site, audit.Event.ACCESS_REFUSED)
    )
    assert [one["dataset"] for one in reader.get("/datasets").json()["datasets"]] == ["case"]


def test_a_token_ends_when_it_is_revoked_or_runs_out(site: Site) -> None:
    """At once, in a node that runs; the list shows it, and shows no secret."""
    site.token("watch", title="to run out")
    secret = site.token("read", title="to be revoked")
    client = site.client()
    client.headers["authorization"] = f"Bearer {secret}"
    assert client.get(ROWS).status_code == 200
    revoked = site.do(site.city.command("token.revoke", token=secret))
    assert client.get(ROWS).status_code == 401
    assert revoked["state"] == "revoked"
    now = node_of(site.city).clock.now_us()
    listed = site.do(site.city.command("token.list", now=now))["tokens"]
    assert [one["state"] for one in listed if one["name"] == "to be revoked"] == ["revoked"]
    assert {
        one["state"] for one in site.do(site.city.command("token.list", now=now + 400 * 86_400_000_000))["tokens"]
    } == {"revoked", "expired"}
    stored = b"".join(path.read_bytes() for path in site.city.home.rglob("*") if path.is_file())
    assert secret.split("_", 2)[2].encode() not in stored, "what is secret of it may hold a _ itself"
    assert [one["name"] for one in _audited(site, audit.Event.ACCESS_REVOKED)] == ["to be revoked"]


def test_held_back_columns_are_for_tokens_that_name_them(site: Site, full: httpx.Client) -> None:
    """They are neither told nor can be asked about, so that no filter guesses them."""
    full.post(ROWS, json={"rows": [case(1, reporter_phone="13800000000")]}).raise_for_status()
    reader = site.client("read")
    assert full.get(f"{ROWS}/sh-00001").json()["reporter_phone"] == "13800000000"
    assert "reporter_phone" not in reader.get(f"{ROWS}/sh-00001").json()
    assert all("reporter_phone" not in row for row in reader.get(ROWS).json()["rows"])
    asked = json.dumps({"column": "reporter_phone", "op": "=", "value": "13800000000"})
    for params in ({"filter": asked}, {"columns": "reporter_phone"}):
        assert reader.get(ROWS, params=params).status_code == 422
        assert full.get(ROWS, params=params).status_code == 200


# --- rows out -------------------------------------------------------------------------------------------------------


def test_who_reads_cases_is_in_the_audit(site: Site) -> None:
    """The token, what it asked for and how many rows it got; a page of many rows is one line."""
    assert site.client("read").get(ROWS, params={"limit": 2, "columns": "case_id"}).status_code == 200
    line = [one for one in _audited(site, audit.Event.ROWS_READ) if "by" in one][-1]
    assert line["by"].startswith("token ")
    assert (line["dataset"], line["columns"], line["rows"] <= 2) == ("case", "case_id", True)


def test_rows_come_in_pages_of_which_none_is_missing(full: httpx.Client) -> None:
    """By cursor, in order of key, whatever the page's size; a cursor of one list fits no other."""
    full.post(ROWS, json={"rows": [case(n, summary="paged") for n in range(100, 125)]}).raise_for_status()
    asked = {"filter": json.dumps({"column": "summary", "op": "=", "value": "paged"}), "columns": "case_id"}
    wanted = [f"sh-{n:05d}" for n in range(100, 125)]
    for limit in (1, 7, 25, 26):
        found: list[str] = []
        params: dict[str, Any] = {**asked, "limit": limit}
        while True:
            page = full.get(ROWS, params=params).raise_for_status().json()
            found += _ids(page)
            if page["next"] is None:
                break
            params["cursor"] = page["next"]
        assert found == wanted
    other = full.get(ROWS, params={"cursor": params["cursor"]}) if "cursor" in params else None
    assert other is None or other.status_code == 400
    taken = full.get(ROWS, params={**asked, "limit": 3}).json()["next"]
    assert full.get(ROWS, params={"cursor": taken}).json()["code"] == "E1811"
    for forged in ("", "x", "é", "a" * 50, cursor.pack("other", ["a", ["b"]])):
        answer = full.get(ROWS, params={**asked, "cursor": forged})
        assert answer.status_code == (200 if not forged else 400)


def test_a_page_ends_before_it_is_too_large(full: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few large rows fill it; `next` goes on, and a row larger than a page comes by itself."""
    full.post(ROWS, json={"rows": [case(n, summary="large") for n in range(200, 210)]}).raise_for_status()
    asked = {"filter": json.dumps({"column": "summary", "op": "=", "value": "large"}), "columns": "case_id,summary"}
    for bound, pages in ((1, 10), (100, 3), (1_000_000, 1)):
        monkeypatch.setattr("node.http.api.reading.PAGE_BYTES_MAX", bound)
        found: list[str] = []
        params, count = dict(asked), 0
        while True:
            page = full.get(ROWS, params=params).raise_for_status().json()
            found, count = found + _ids(page), count + 1
            if page["next"] is None:
                break
            params["cursor"] = page["next"]
        assert found == [f"sh-{n:05d}" for n in range(200, 210)]
        assert count >= pages


def test_a_row_that_was_not_let_in_is_found_with_its_reason(site: Site, full: httpx.Client) -> None:
    """By its key and by its source's number, also where it never came in; in both languages; once for each try."""
    wrong = {**case(7700), "category": "nonsense", "source_key": "12345-7700"}
    for _ in range(2):
        answer = full.post(ROWS, json={"rows": [wrong, case(7701)]}).raise_for_status().json()
        assert answer["rejected"]
    for what in ("sh-07700", "12345-7700"):
        (row,) = full.get("/trace", params={"what": what, "dataset": "case"}).raise_for_status().json()["rows"]
        assert row["version"] == 0
        first = row["rejects"][0]
        assert (first["load"], first["line"], first["reason"]) == (None, None, "UNKNOWN_CODE")
        assert "'category'" in first["detail"]
        assert first["at"].startswith("20")
        assert len(row["rejects"]) == 2
    english, chinese = ([step.words for step in steps(row, translator(one), str)] for one in ("en", "zh"))
    assert any(line.startswith("rejected at the door at 20") for line in english)
    assert any("入口拒收" in line for line in chinese)
    full.post(ROWS, json={"rows": [case(7700)]}).raise_for_status()
    (row,) = full.get("/trace", params={"what": "sh-07700", "dataset": "case"}).json()["rows"]
    assert row["version"] > 0
    assert len(row["rejects"]) == 2, "it is in by now, and was not before"


def test_loads_come_in_pages(site: Site, full: httpx.Client) -> None:
    """By cursor, the newest first; one of another list is none of this."""

    for n in range(5):
        digest = f"{n:064x}"
        site.do(site.city.command("load.start", dataset="case", file=f"file-{n}.csv", digest=digest))
    whole = [one["file"] for one in full.get("/loads").json()["loads"]]
    assert whole[:5] == [f"file-{n}.csv" for n in (4, 3, 2, 1, 0)]
    found: list[str] = []
    params = {"limit": "2"}
    while True:
        page = full.get("/loads", params=params).raise_for_status().json()
        found += [one["file"] for one in page["loads"]]
        if page["next"] is None:
            break
        params["cursor"] = page["next"]
    assert found == whole
    rows = full.get(ROWS, params={"limit": 1}).json()["next"]
    assert rows is None or full.get("/loads", params={"cursor": rows}).json()["code"] == "E1811"


def test_a_row_is_told_as_json_says_it(site: Site, full: httpx.Client) -> None:
    """Moments in UTC as ISO 8601; what was told can be put again and changes nothing."""
    full.post(ROWS, json={"rows": [case(200)]}).raise_for_status()
    row = full.get(f"{ROWS}/sh-00200").json()
    assert row["reported_at"] == "2026-03-02T01:15:00.000001+00:00"
    assert row["_origin"] == site.city.node
    assert row["summary"] == "第200件"
    again = {name: cell for name, cell in row.items() if not name.startswith("_")}
    assert full.post(ROWS, json={"rows": [again]}).json()["unchanged"] == 1
    assert full.get(f"{ROWS}/%5B%22sh-00200%22%5D").json() == row
    assert full.get(f"{ROWS}/sh-00200", params={"origin": site.city.node}).json() == row
    assert full.get(f"{ROWS}/sh-00200", params={"origin": "n100000.cn-demo"}).status_code == 404
    assert full.get(f"{ROWS}/nobody").json()["code"] == "E1404"
    assert full.get(f"{ROWS}/%5B1,2%5D").status_code == 400


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"limit": "0"}, 400),
        ({"limit": "1001"}, 400),
        ({"limit": "x"}, 400),
        ({"nonsense": "1"}, 400),
        ({"filter": "{"}, 422),
        ({"filter": '{"column": "nobody", "op": "=", "value": 1}'}, 422),
        ({"columns": "case_id,nobody"}, 422),
        ({"origin": "x" * 2_001}, 400),
    ],
)
def test_what_cannot_be_asked_is_told(full: httpx.Client, params: dict[str, str], status: int) -> None:
    """A problem with a code, never half an answer."""
    answer = full.get(ROWS, params=params)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


# --- rows in --------------------------------------------------------------------------------------------------------


def test_good_rows_go_in_and_the_others_are_told_by_place(full: httpx.Client) -> None:
    """Bad shape, unknown column, wrong type, another's region, a key twice: each with its place and reason."""
    rows: list[Any] = [
        case(300),
        "no row",
        case(301, nobody=1),
        case(302, division="330106"),
        case(303, reported_at="yesterday"),
        case(300),
        case(304, summary={"a": 1}),
        case(305, supervised=2**70),
        case(306),
    ]
    told = full.post(ROWS, json={"rows": rows}).raise_for_status().json()
    assert told["accepted"] == 2
    assert [(one["place"], one["name"]) for one in told["rejected"]] == [
        (1, "WRONG_TYPE"),
        (2, "UNKNOWN_COLUMN"),
        (3, "OUT_OF_SCOPE"),
        (4, "WRONG_TYPE"),
        (5, "RULE_BROKEN"),
        (6, "WRONG_TYPE"),
        (7, "WRONG_TYPE"),
    ]
    assert "nobody" in told["rejected"][1]["detail"]
    assert full.get(f"{ROWS}/sh-00306").status_code == 200
    assert full.get(f"{ROWS}/sh-00302").status_code == 404


def test_bytes_that_are_no_text_are_one_rows_matter(full: httpx.Client) -> None:
    """The row beside it is in."""
    good = json.dumps(case(307)).encode()
    body = b'{"rows": [{"case_id": "\xff"}, ' + good + b"]}"
    told = full.post(ROWS, content=body, headers={"content-type": "application/json"}).json()
    assert (told["accepted"], [one["place"] for one in told["rejected"]]) == (1, [0])


def test_a_dry_run_writes_nothing(full: httpx.Client) -> None:
    """And tells the same."""
    told = full.post(ROWS, json={"rows": [case(310), case(311, division="330106")], "dry_run": True}).json()
    assert (told["accepted"], len(told["rejected"]), told["group"], told["dry_run"]) == (1, 1, 0, True)
    assert full.get(f"{ROWS}/sh-00310").status_code == 404


def test_rows_are_voided_by_key(site: Site, full: httpx.Client) -> None:
    """One by its path or many by a list; gone here and at the nation."""
    full.post(ROWS, json={"rows": [case(n) for n in (320, 321, 322)]}).raise_for_status()
    one = full.request("DELETE", f"{ROWS}/sh-00320", params={"reason": "entered twice"}).json()
    assert (one["accepted"], one["rejected"]) == (1, [])
    many = full.post("/datasets/case/voids", json={"keys": [["sh-00321"], ["sh-00399"], [1]], "reason": "test"}).json()
    assert (many["accepted"], many["unchanged"]) == (1, 1)
    assert [one["place"] for one in many["rejected"]] == [2]
    assert [full.get(f"{ROWS}/sh-{n:05d}").status_code for n in (320, 321, 322)] == [404, 404, 200]
    assert full.delete(f"{ROWS}/sh-00322").status_code == 400, "a reason is needed"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"rows": 1}', "application/json", 400),
        (b'{"rows": [], "more": 1}', "application/json", 400),
        (b'{"rows": [{"case_id": "\\ud800"}]}', "application/json", 400),
        (b'{"rows": [' + b"[" * 10_000 + b"]" * 10_000 + b"]}", "application/json", 400),
        (b"case_id\n1", "text/csv", 415),
        (b"{}", "", 415),
        (b'{"rows": [' + b"{}," * 10_000 + b"{}]}", "application/json", 400),
    ],
)
def test_a_body_that_is_none_changes_nothing(full: httpx.Client, body: bytes, kind: str, status: int) -> None:
    """Neither broken JSON nor endless nesting nor too many rows gets further than the first look."""
    answer = full.post(ROWS, content=body, headers={"content-type": kind} if kind else {})
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] in ("E1808", "E1809")


def test_what_this_node_does_not_own_is_not_let_in(full: httpx.Client) -> None:
    """The door's own reason, as `tiersync put` gives it."""
    answer = full.post("/datasets/class_code/rows", json={"rows": []})
    assert answer.status_code == 403
    assert full.post("/datasets/nobody/rows", json={"rows": []}).status_code == 404


# --- made once ------------------------------------------------------------------------------------------------------


def test_the_same_request_under_its_key_is_made_once(site: Site, full: httpx.Client) -> None:
    """The first answer comes again, also after a restart; another request under the key is refused."""
    key = {"idempotency-key": "order-1"}
    first = full.post(ROWS, json={"rows": [case(400), case(401, division="330106")]}, headers=key)
    full.post(ROWS, json={"rows": [case(400, summary="changed since")]}).raise_for_status()
    again = full.post(ROWS, json={"rows": [case(400), case(401, division="330106")]}, headers=key)
    assert again.json() == first.json()
    assert (again.headers.get("idempotency-replayed"), first.headers.get("idempotency-replayed")) == ("true", None)
    assert full.get(f"{ROWS}/sh-00400").json()["summary"] == "changed since"
    other = full.post(ROWS, json={"rows": [case(402)]}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "E1810")
    assert full.get(f"{ROWS}/sh-00402").status_code == 404
    assert site.client("write").post(ROWS, json={"rows": [case(402)]}, headers=key).json()["accepted"] == 1
    assert full.post(ROWS, json={"rows": []}, headers={"idempotency-key": "x" * 201}).status_code == 400


def test_a_dry_run_does_not_use_its_key_up(full: httpx.Client) -> None:
    """Tried first and then made under the same key, it is made."""
    key = {"idempotency-key": "tried-first"}
    tried = full.post(ROWS, json={"rows": [case(405)], "dry_run": True}, headers=key)
    made = full.post(ROWS, json={"rows": [case(405)]}, headers=key)
    assert [one.json()["accepted"] for one in (tried, made)] == [1, 1]
    assert full.get(f"{ROWS}/sh-00405").status_code == 200


def test_an_answer_too_long_to_keep_is_given_by_doing_it_again(full: httpx.Client) -> None:
    """Rows put twice change nothing, and a rejected row is rejected again; the key still knows its request."""
    rows = [case(410), *(case(n, division="330106") for n in range(411, 611))]
    key = {"idempotency-key": "long"}
    first = full.post(ROWS, json={"rows": rows}, headers=key)
    assert len(first.content) > BODY_BYTES_MAX
    again = full.post(ROWS, json={"rows": rows}, headers=key).json()
    assert (again["accepted"], again["unchanged"]) == (0, 1)
    assert again["rejected"] == first.json()["rejected"]
    assert full.post(ROWS, json={"rows": []}, headers=key).status_code == 422


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=8))
def test_a_key_never_stands_for_two_requests(full: httpx.Client, asked: list[tuple[int, int]]) -> None:
    """Whatever is sent under which key in which order: the first request of a key is made once, others never."""
    run = next(_RUNS)
    first: dict[int, tuple[int, Any]] = {}
    for key, body in asked:
        rows = [case(700 + body, summary=f"{run} {body}")]
        answer = full.post(ROWS, json={"rows": rows}, headers={"idempotency-key": f"run {run} key {key}"})
        if key not in first:
            told = answer.raise_for_status().json()
            assert told["accepted"] == (body not in [b for b, _ in first.values()])
            first[key] = (body, told)
        elif first[key][0] == body:
            assert answer.json() == first[key][1]
        else:
            assert answer.status_code == 422


# --- how it stands --------------------------------------------------------------------------------------------------


def test_the_way_of_a_row_and_the_state_of_the_node_are_told(site: Site, full: httpx.Client) -> None:
    """The same as the command line tells."""
    full.post(ROWS, json={"rows": [case(500)]}).raise_for_status()
    traced = full.get("/trace", params={"what": "sh-00500"}).json()
    assert traced["rows"][0]["dataset"] == "case"
    assert full.get("/trace", params={"what": "nobody"}).status_code == 404
    hidden = site.client("read", datasets=["component"]).get("/trace", params={"what": "sh-00500"})
    assert hidden.status_code == 404
    assert full.get("/status").json()["node"] == site.city.node
    assert full.get("/loads").json()["next"] is None
    assert full.get("/loads/999/rejects").status_code == 404
    assert full.get("/datasets/case").json()["columns"][0]["column"] == "case_id"


def test_a_path_says_which_methods_it_knows(full: httpx.Client) -> None:
    """All of them, where several endpoints share a path."""
    answer = full.put(ROWS)
    assert answer.status_code == 405
    assert {"GET", "POST"} <= {name.strip() for name in answer.headers["allow"].split(",")}


def test_the_description_is_the_one_of_the_documents(full: httpx.Client) -> None:
    """docs/openapi.json is what the node serves; `python tests/tools/openapi.py` writes it."""
    told = full.get("/openapi.json", headers={"authorization": ""}).json()
    written = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
    assert told == json.loads(written.read_text("utf-8"))


def test_changes_are_kept_only_where_that_is_switched_on(full: httpx.Client) -> None:
    """Else it is said who can do so."""
    answer = full.get("/changes")
    assert (answer.status_code, answer.json()["code"]) == (409, "E1812")


def test_what_takes_too_long_to_find_is_given_up(
    site: Site, full: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All who read at this node wait for it, so it ends; what is asked after it is answered."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    def query(reader: Reader, *_: object) -> list[Any]:
        return list(reader.session.rows(endless))

    monkeypatch.setattr(endpoint, "READ_S", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(Reader, "query", query)
        answer = full.get(f"{ROWS}/x")
    assert (answer.status_code, answer.json()["code"]) == (422, "E1815")
    monkeypatch.setattr(endpoint, "READ_S", 10.0)
    assert full.get(ROWS).status_code == 200
