"""Maintenance, calendar, dues, quality issues and subscriptions over HTTP: what the command line does, by the same
roles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from node.client import ApiFault, Client
from tests.integration.http_kit import Site, case

PEOPLE = {"li": "officer", "qian": "viewer", "sun": "administrator"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests of this module, with people at the municipality."""
    made = Site(tmp_path_factory.mktemp("site"))
    made.staff(**PEOPLE)
    yield made
    made.end()


@pytest.fixture(scope="module")
def by(site: Site) -> Iterator[dict[str, Client]]:
    """A client of each person, and one of a system that brings rows."""
    base = site.base.removesuffix("/api/v1")
    made = {name: Client(base, site.token("task", all=False, person=name), language="en") for name in PEOPLE}
    made["system"] = Client(base, site.token("read", "write"), language="en")
    yield made
    for client in made.values():
        client.close()


def _raised(fault: pytest.ExceptionInfo[ApiFault]) -> tuple[int, str]:
    return fault.value.status, fault.value.code


def test_an_administrator_announces_maintenance_and_others_read_it(site: Site, by: dict[str, Client]) -> None:
    wish = ("2099-03-01T22:00", "2099-03-02T06:00", "new storage")
    for name in ("li", "qian"):
        with pytest.raises(ApiFault) as fault:
            by[name].announce(*wish)
        assert _raised(fault) == (403, "E1510")
    made = by["sun"].announce(*wish)
    assert made["node"] == site.city.node
    assert [one["window"] for one in by["qian"].maintenance()] == [made["window"]]
    with site.client("watch") as watching:
        (seen,) = watching.get("/maintenance").json()["windows"]
    assert (seen["counts"], seen["reason"]) == (True, "new storage")
    assert by["sun"].cancel(made["window"], dry_run=True)["state"] == "cancelled"
    assert by["sun"].cancel(made["window"])["state"] == "cancelled"
    assert by["li"].maintenance() == []
    with pytest.raises(ApiFault) as fault:
        by["sun"].cancel(made["window"])
    assert _raised(fault) == (400, "E1008")


def test_any_token_asks_the_calendar(by: dict[str, Client]) -> None:
    """It says nothing of anybody."""
    days = by["system"].days("2026-10")
    assert (days["days"][0]["kind"], days["complete"]) == ("holiday", {"2026": True})
    due = by["qian"].due("2026-09-29T16:00", "3 work_day")
    assert due["due"] > "2026-10"
    with pytest.raises(ApiFault) as fault:
        by["li"].days("2026-13")
    assert _raised(fault) == (400, "E1008")


def test_what_is_owed_is_read_and_reminded_of(by: dict[str, Client]) -> None:
    """Reading writes nothing; who reminds speaks for the node."""
    found = by["qian"].dues("case_stat", overdue=True)
    assert set(found) == {"items", "scores", "reminders"}
    assert by["li"].remind("case_stat", dry_run=True)["dry_run"]
    with pytest.raises(ApiFault) as fault:
        by["qian"].remind("case_stat")
    assert _raised(fault) == (403, "E1510")
    with pytest.raises(ApiFault) as fault:
        by["li"].position("case_stat", "2026-01-01")
    assert _raised(fault) == (400, "E1008")


def test_an_issue_of_the_nation_is_answered(site: Site, by: dict[str, Client]) -> None:
    """By an officer; nobody else, and not to records that are none."""
    by["system"].put("case", [case(7, supervised=True)])
    site.do(site.net.level())
    wish = {"dataset": "case", "kind": "duplicate", "key": ["sh-00007"], "origin": site.city.node}
    issue = site.do(site.net["nation"].command("quality.mark", **wish))["issue"]
    site.do(site.net.level())
    assert [one["issue"] for one in by["qian"].issues(to_answer=True)] == [issue]
    with pytest.raises(ApiFault) as fault:
        by["qian"].answer(issue, "keep", "it is right")
    assert _raised(fault) == (403, "E1510")
    assert by["li"].answer(issue, "keep", "it is right", dry_run=True)["state"] == "kept"
    assert by["li"].answer(issue, "keep", "it is right")["state"] == "kept"
    for call in (by["li"].close_issue, lambda one: by["li"].reopen(one, "x")):
        with pytest.raises(ApiFault):
            call(issue)  # only who found it does
    with pytest.raises(ApiFault) as fault:
        by["li"].mark("case", "duplicate", ["nobody"])
    assert fault.value.status in (400, 404)


def test_a_subscription_is_applied_for_and_withdrawn(site: Site, by: dict[str, Client]) -> None:
    """By an administrator, as at the command line."""
    site.do(site.net["nation"].command("service.publish", dataset="eval_indicator", service="S1"))
    site.do(site.net.level())
    assert "S1" in [one["service_id"] for one in by["qian"].services()]
    with pytest.raises(ApiFault) as fault:
        by["li"].apply("S1", "city check-up", "2099-12-31")
    assert _raised(fault) == (403, "E1510")
    made = by["sun"].apply("S1", "city check-up", "2099-12-31")
    assert by["qian"].subscription(made["subscription"])["state"] == "applied"
    assert [one["subscription"] for one in by["qian"].subscriptions(open_only=True)] == [made["subscription"]]
    with pytest.raises(ApiFault):
        by["sun"].decide(made["subscription"], "approve")  # the owner does
    with pytest.raises(ApiFault):
        by["sun"].check(made["subscription"], to_publish=True)  # the node above both does
    for move in ("dispute", "uphold", "overrule"):
        with pytest.raises(ApiFault):
            by["sun"].decide(made["subscription"], move, "x")  # nothing was refused
    assert by["sun"].decide(made["subscription"], "withdraw", "not needed")["state"] == "withdrawn"


def test_a_task_passes_over_only_where_its_other_side_was_succeeded(site: Site, by: dict[str, Client]) -> None:
    """It is asked of the command, and of who may give tasks to others."""
    wish = {"flow": "W2", "holder": site.city.node, "move": "register", "fields": {"title": "x"}}
    then = [{"move": "issue", "fields": {"requirement": "x", "due": "2026-12-31"}}]
    task = site.do(site.net["nation"].command("task.move", **wish, then=then))["task"]
    site.do(site.net.level())
    with pytest.raises(ApiFault) as fault:
        by["sun"].pass_over(task, site.net["nation"].node)
    assert _raised(fault) == (409, "E1108")
    with pytest.raises(ApiFault) as fault:
        by["li"].pass_over(task, site.net["nation"].node)
    assert _raised(fault) == (403, "E1510")


def test_tasks_are_listed_by_flow_limit_and_page(site: Site, by: dict[str, Client]) -> None:
    """The rest of what the command line can ask."""
    nation, then = site.net["nation"], [{"move": "issue", "fields": {"requirement": "x", "due": "2026-12-31"}}]
    before = len(by["qian"].tasks(flow="W2"))
    for number in range(3):
        wish = {"flow": "W2", "holder": site.city.node, "move": "register", "fields": {"title": str(number)}}
        site.do(nation.command("task.move", **wish, then=then))
    site.do(site.net.level())
    listed = [one["task"] for one in by["qian"].tasks(flow="W2")]
    assert len(listed) == before + 3
    assert [one["task"] for one in by["qian"].tasks(flow="W2", skip=1, limit=1)] == listed[1:2]
    assert by["qian"].tasks(flow="W1") == []
    assert by["qian"].tasks(due_before="2020-01-01") == []
    assert [one["task"] for one in by["qian"].tasks(due_before="2099-01-01")] == listed
    with pytest.raises(ApiFault) as fault:
        by["qian"].tasks(due_before="soon")
    assert _raised(fault) == (400, "E1008")
