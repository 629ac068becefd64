"""Tasks, drafts and people over HTTP: a token acts for its person, and for nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from certs.forms import fingerprint, from_pem
from node.client import ApiFault, Client
from node.config import CONFIG_NAME, load_file, render
from node.evidence.check import check_evidence
from node.settings import TasksSection
from tests import pictures
from tests.integration.http_kit import Site
from tests.integration.test_audited import audited
from tests.unit.tiers.kit import CATALOGUE
from tiers.judging import TierJudge

PEOPLE = {"li": "officer", "wang": "approver", "chen": "approver", "qian": "viewer", "zhao": "officer"}
ISSUED = [("register", {"title": "路面破损"}), ("issue", {"requirement": "整改", "due": "2026-12-31"})]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests of this module, with people at the municipality."""
    made = Site(tmp_path_factory.mktemp("site"))
    path = made.city.home / CONFIG_NAME
    path.write_text(render(replace(load_file(path), tasks=TasksSection("all"))), "utf-8")
    made.do(made.city.restart())
    made.staff(**PEOPLE)
    yield made
    made.end()


@pytest.fixture(scope="module")
def by(site: Site) -> Iterator[dict[str, Client]]:
    """A client of each person."""
    base = site.base.removesuffix("/api/v1")
    made = {name: Client(base, site.token("task", all=False, person=name), language="en") for name in PEOPLE}
    yield made
    for client in made.values():
        client.close()


def _issued(site: Site, title: str) -> str:
    """A task that the nation, which has no people, issued to the municipality."""
    nation, holder = site.net["nation"], site.city.node
    first = {"move": "register", "fields": {"title": title}}
    then = [{"move": "issue", "fields": {"requirement": "整改", "due": "2026-12-31"}}]
    task = str(site.do(nation.command("task.move", flow="W2", holder=holder, **first, then=then))["task"])
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


def _raised(fault: pytest.ExceptionInfo[ApiFault]) -> tuple[int, str]:
    return fault.value.status, fault.value.code


def test_a_task_is_signed_for_by_one_and_approved_by_another(site: Site, by: dict[str, Client]) -> None:
    """Drafted, approved, confirmed by the nation; it is told who handles it, and who may do what."""
    task = _issued(site, "API 督办")
    assert [one["person"] for one in by["li"].tasks(open_only=True, person="-") if one["task"] == task] == [""]
    made = by["li"].move(task, "sign")
    assert (made.move_ids, made.draft > 0) == ([], True)
    assert by["li"].drafts(mine=True)[0]["draft"] == made.draft
    with pytest.raises(ApiFault) as fault:
        by["li"].approve(made.draft)
    assert _raised(fault) == (403, "E1510")
    approved = by["wang"].approve(made.draft)
    assert (approved["state"], approved["decided_by"], approved["author"]) == ("approved", "wang", "li")
    _reaches(site, task, "signed")
    shown = by["qian"].task(task)
    assert [(move["org"], move["role"]) for move in shown["moves"] if move["move"] == "sign"] == [
        ("督查处", "approver")
    ]
    assert by["li"].assign(task, "zhao")["person"] == "zhao"
    assert [one["task"] for one in by["zhao"].tasks(mine=True)] == [task]
    assert {one["name"] for one in by["qian"].people()} >= set(PEOPLE)


def test_a_task_says_who_must_act_until_when(site: Site, by: dict[str, Client]) -> None:
    """As the issuer's node said; nothing of it is overdue yet."""
    task = _issued(site, "限期")
    shown = by["li"].task(task)
    assert (shown["owner"], shown["usual"], shown["overdue"]) == ("holder", "sign", False)
    assert shown["ends"] == shown["moves"][-1]["due_at"] != ""
    assert task in [one["task"] for one in by["li"].tasks(open_only=True)]
    assert task not in [one["task"] for one in by["li"].tasks(overdue=True)]


def test_evidence_is_given_to_whoever_may_see_the_task(site: Site, by: dict[str, Client]) -> None:
    """The same file as at the command line, and a line in the audit; a token for rows does not get it."""
    task = _issued(site, "evidence")
    file = by["qian"].evidence(task)
    root = fingerprint(from_pem((site.city.home / "certs" / "root.pem").read_bytes())[0])
    result = check_evidence(file, TierJudge(CATALOGUE), root)
    assert [told.step.body.move for told in result.moves] == ["register", "issue"]
    assert not any(found.wrong for found in result.findings)
    assert audited(site.city, "evidence_made")[-1]["task"] == task
    with pytest.raises(ApiFault):
        by["qian"].evidence("nope")
    with site.client("read") as other:
        assert other.get(f"/tasks/{task}/evidence").status_code == 403


def test_statistics_of_tasks_are_told_to_whoever_may_see_them(site: Site, by: dict[str, Client]) -> None:
    """Twelve months, of which nothing is known before the node joined; what cannot be is refused."""
    found = by["qian"].task_statistics(period="2025-12", flow="W2", tier="city")
    assert (found["months"][0], found["flow"], found["tier"]) == ("2025-01", "W2", "city")
    assert {one["state"] for one in found["here"]["months"]} == {"unknown"}
    with pytest.raises(ApiFault, match="no month that has ended"):
        by["qian"].task_statistics(period="2025")
    with Client(site.base.removesuffix("/api/v1"), site.token("watch")) as other, pytest.raises(ApiFault):
        other.task_statistics()


def test_files_of_a_task_are_brought_and_given_by_its_people(site: Site, by: dict[str, Client]) -> None:
    """Named in a draft, approved, fetched by whoever may see the task; a viewer brings none, and a token for rows gets
    none of them."""
    task = _issued(site, "附件")
    name = by["li"].attach(pictures.jpeg(seed=41))
    made = by["li"].move(task, "comment", text="现场", files=name)
    if made.draft:
        assert by["wang"].attachment(name), "who approves looks at it first"
        by["wang"].approve(made.draft)
    assert [(one["hash"], one["here"]) for one in by["qian"].task(task)["files"]] == [(name, True)]
    assert by["qian"].attachment(name) == by["li"].attachment(name)
    with pytest.raises(ApiFault) as fault:
        by["qian"].attach(pictures.jpeg(seed=42))
    assert _raised(fault) == (403, "E1510")
    with pytest.raises(ApiFault) as fault:
        by["li"].attachment(by["li"].attach(pictures.jpeg(seed=43)))
    assert fault.value.status == 404, "nothing names it"
    with site.client("read") as other:
        assert other.get(f"/attachments/{name}").status_code == 404


def test_nobody_does_more_than_their_person_may(site: Site, by: dict[str, Client]) -> None:
    """A viewer writes nothing, an author does not approve, a system's token sees no task."""
    task = _issued(site, "权限")
    with pytest.raises(ApiFault) as fault:
        by["qian"].move(task, "sign")
    assert _raised(fault) == (403, "E1510")
    own = by["wang"].move(task, "sign").draft
    with pytest.raises(ApiFault) as fault:
        by["wang"].approve(own)
    assert _raised(fault) == (403, "E1508")
    assert by["chen"].refuse(own, "依据不足")["reason"] == "依据不足"
    with pytest.raises(ApiFault) as fault:
        by["chen"].approve(own)
    assert _raised(fault) == (409, "E1506")
    mine = by["li"].move(task, "sign").draft
    assert by["li"].drop(mine)["state"] == "dropped"
    for huge in (1 << 63, 1 << 80):
        with pytest.raises(ApiFault) as fault:
            by["chen"].approve(huge)
        assert fault.value.status == 400, "no number of a draft, and nothing for the store"
    for call in (lambda: by["li"].task("nope"), lambda: by["li"].draft(9_999), lambda: by["li"].assign(task, "nobody")):
        with pytest.raises(ApiFault) as fault:
            call()
        assert fault.value.status == 404
    assert site.client("read", "write", "watch").get("/tasks").status_code == 403
    assert by["li"]._http.get("/status").status_code == 403


def test_a_move_is_made_once_under_its_key(site: Site, by: dict[str, Client]) -> None:
    """A note whose answer got lost is not said twice, also when it waits as a draft; another request is refused."""
    task = _issued(site, "一次")
    client = site.client()
    client.headers["authorization"] = str(by["li"]._http.headers["authorization"])

    def said(text: str, key: str, move: str) -> httpx.Response:
        body: dict[str, Any] = {"moves": [{"move": move, "fields": {"text": text}}]}
        return client.post(f"/tasks/{task}/moves", json=body, headers={"idempotency-key": key})

    first, again = said("收到", "k1", "comment"), said("收到", "k1", "comment")
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert said("别的", "k1", "comment").status_code == 422
    drafted, again = said("签收", "k2", "sign"), said("签收", "k2", "sign")
    assert drafted.json()["draft"] == again.json()["draft"] > 0
    shown = by["li"].task(task)
    assert [one["move"] for one in [*shown["moves"], *shown["pending"]]].count("comment") == 1
    assert len(shown["drafts"]) == 1


def test_several_moves_are_made_together_or_not_at_all(site: Site, by: dict[str, Client]) -> None:
    """The second cannot be made: the first is not either."""
    task = _issued(site, "一起")
    client = by["li"]
    with pytest.raises(ApiFault) as fault:
        client._hand_in(f"/tasks/{task}/moves", {}, [("sign", {}), ("close", {})])
    assert _raised(fault) == (409, "E1503")
    assert client.task(task)["drafts"] == []
    with pytest.raises(ApiFault) as fault:
        client.start("W2", site.net["nation"].node, ISSUED)
    assert _raised(fault) == (409, "E1503")


def test_a_token_ends_with_its_person(site: Site) -> None:
    """Who leaves takes nothing along; and a token for tasks is always somebody's."""
    site.staff(zhou="officer")
    secret = site.token("task", all=False, person="zhou")
    client = site.client()
    client.headers["authorization"] = f"Bearer {secret}"
    assert client.get("/tasks").status_code == 200
    left = site.do(site.city.command("people.leave", person="zhou"))
    assert len(left["tokens"]) == 1
    assert client.get("/tasks").status_code == 401
    for wish in ({"roles": ["task"]}, {"roles": ["task"], "person": "zhou"}, {"roles": ["read"], "person": "li"}):
        answer = _made(site, {"title": "x", "all": True, **wish})
        assert answer in ("E1008", "E1509")


def _made(site: Site, wish: dict[str, Any]) -> str:
    from node.faults import UserFault

    try:
        site.do(site.city.command("token.make", **wish))
    except UserFault as fault:
        return str(fault.code)
    return ""
