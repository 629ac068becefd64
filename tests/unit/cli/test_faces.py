"""What can be done at the command line can be done over HTTP and by the Python client, and the other way round."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest

from node.cli import groups
from node.client import Client
from node.http.api import ENDPOINTS
from node.http.api.coordinating import ENDPOINTS as COORDINATING
from tests.unit.tiers.kit import CATALOGUE

_EMPTY: dict[str, Any] = {
    **{name: [] for name in ("tasks", "drafts", "people", "windows", "issues", "services", "subscriptions")},
    "file": "",
}
_MADE: dict[str, Any] = {"task": "t", "move_ids": [], "draft": 0}


class Face(NamedTuple):
    """One verb: as at the command line, the endpoint's name, and a call of the client that reaches it."""

    cli: str
    endpoint: str
    call: Callable[[Client], object]


def _move(name: str) -> Face:
    return Face(f"task {name}", "move_task", lambda client: client.move("t", name, reason="x"))


OF_THE_DESK = (
    Face("task list --mine", "tasks", lambda client: client.tasks(mine=True)),
    Face("task list --due-before", "tasks", lambda client: client.tasks(due_before="2026-12-31")),
    Face("task list --overdue", "tasks", lambda client: client.tasks(overdue=True)),
    Face("task list --flow", "tasks", lambda client: client.tasks(flow="W1")),
    Face("task list --skip", "tasks", lambda client: client.tasks(skip=100, limit=50)),
    *map(_move, ("issue", "sign", "return", "reply", "check", "close", "extend", "withdraw")),
    Face("task split --dry-run", "split_task", lambda client: client.split("t", ["330100"])),
)
"""Issue 4: list mine, due, overdue; issue, sign, return, reply, check, close, extend, withdraw, split."""
OTHERS = (
    Face("task new", "start_task", lambda client: client.start("W2", "n", [("register", {"title": "x"})])),
    Face("task move", "move_task", lambda client: client.move("t", "sign")),
    Face("task show", "task", lambda client: client.task("t")),
    Face("task evidence", "task_evidence", lambda client: client.evidence("t")),
    Face("task stats", "task_statistics", lambda client: client.task_statistics()),
    Face("task pass-over", "pass_over_task", lambda client: client.pass_over("t", "n")),
    Face("task assign", "assign_task", lambda client: client.assign("t", "li")),
    Face("draft list", "drafts", lambda client: client.drafts()),
    Face("draft show", "draft", lambda client: client.draft(1)),
    Face("draft approve", "approve_draft", lambda client: client.approve(1)),
    Face("draft refuse", "refuse_draft", lambda client: client.refuse(1, "x")),
    Face("draft drop", "drop_draft", lambda client: client.drop(1)),
    Face("people list", "people", lambda client: client.people()),
    Face("maintenance list --all", "maintenance", lambda client: client.maintenance(every=True)),
    Face("maintenance announce", "announce_maintenance", lambda client: client.announce("a", "b", "c")),
    Face("maintenance cancel", "cancel_maintenance", lambda client: client.cancel("w")),
    Face("calendar show", "calendar", lambda client: client.days("2026-10")),
    Face("calendar due", "calendar_due", lambda client: client.due("2026-10-01", "3 work_day")),
    Face("due list --overdue", "dues", lambda client: client.dues(overdue=True)),
    Face("due remind", "remind_dues", lambda client: client.remind("case_stat")),
    Face("due position", "due_position", lambda client: client.position("case_stat", "2026-03")),
    Face("quality list", "quality_issues", lambda client: client.issues(open_only=True, to_answer=True)),
    Face("quality mark", "mark_quality", lambda client: client.mark("case", "duplicate", ["k"])),
    Face("quality answer", "answer_quality", lambda client: client.answer("i", "keep", "x")),
    Face("quality close", "close_quality", lambda client: client.close_issue("i")),
    Face("quality reopen", "reopen_quality", lambda client: client.reopen("i", "x")),
    Face("service list", "services", lambda client: client.services(every=True)),
    Face("subscription list", "subscriptions", lambda client: client.subscriptions(to_do=True)),
    Face("subscription show", "subscription", lambda client: client.subscription("s")),
    Face("subscription apply", "apply_subscription", lambda client: client.apply("s", "x", "2027-03-31")),
    Face("subscription check --to-publish", "check_subscription", lambda client: client.check("s", to_publish=True)),
    *(
        Face(f"subscription {name}", f"{name}_subscription", lambda client, name=name: client.decide("s", name))
        for name in ("approve", "refuse", "withdraw", "dispute", "uphold", "overrule")
    ),
)
FACES = (*OF_THE_DESK, *OTHERS)
BY_NAME = {one.name: one for one in ENDPOINTS}
BY_VERB = {f"{group.name} {verb.name}": verb for group in groups.ALL for verb in group.verbs}


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.cli)
def test_a_verb_is_there_three_times(face: Face) -> None:
    """Its options too; and what the client sends reaches the endpoint, with parameters that it knows."""
    group, verb, *options = face.cli.split()
    parameters = BY_VERB[f"{group} {verb}"].function.__annotations__
    for option in options:
        name = option.removeprefix("--").replace("-", "_")
        assert name in parameters or any(f"'{option}'" in str(said) for said in parameters.values()), option
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        made = request.method == "POST" and face.endpoint in ("start_task", "move_task")
        return httpx.Response(200, json=_MADE if made else _EMPTY)

    with Client("http://node.test", "tst_x_y", transport=httpx.MockTransport(answer)) as client:
        face.call(client)
    (request,) = sent
    endpoint = BY_NAME[face.endpoint]
    path = re.sub(r"\{[a-z]+(:[a-z]+)?\}", "[^/]+", endpoint.path)
    assert request.method == endpoint.method
    assert re.fullmatch("/api/v1" + path, request.url.path)
    assert set(request.url.params) <= {param.name for param in endpoint.params}


def test_no_endpoint_of_coordination_is_without_its_verb() -> None:
    """Whoever adds one adds it three times."""
    coordinating = {one.name for one in (*COORDINATING, *ENDPOINTS) if one.act is not None} | {
        one.name for one in COORDINATING
    }
    assert coordinating == {face.endpoint for face in FACES}


def test_the_verbs_of_the_desk_are_moves_of_supervision() -> None:
    """Short forms of what W2 declares."""
    moves = {rule.name for rule in CATALOGUE.flows["W2"].moves}
    assert {face.cli.split()[1] for face in OF_THE_DESK if face.endpoint == "move_task"} <= moves
