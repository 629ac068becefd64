"""People, drafts and who handles what, as they are typed; in a country of its own, since its moves need approval."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.unit.cli.conftest import Call, Called, Country

By = Callable[..., Called]


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Country]:
    """A country of its own for this file."""
    made = Country(tmp_path_factory.mktemp("people"))
    yield made
    made.end()


@pytest.fixture
def by(call: Call, staffed: Country, monkeypatch: pytest.MonkeyPatch) -> By:
    """Calls the program at the nation as an account, '' = as the one that runs the node. People are declared first."""
    home = staffed.home("nation")

    def calling(account: str, *arguments: str) -> Called:
        if account:
            monkeypatch.setenv("SUDO_USER", account)
        else:
            monkeypatch.delenv("SUDO_USER", raising=False)
        return call("--home", home, *arguments)

    if not calling("", "people", "list", "--json").json["people"]:
        for name, called, *roles in (
            ("li", "李秀英", "officer"),
            ("wang", "王建国", "approver"),
            ("chen", "陈立", "approver", "administrator"),
            ("qian", "钱多", "viewer"),
        ):
            words = [word for role in roles for word in ("--role", role)]
            assert calling("", "people", "add", name, "--called", called, "--org", "督查处", *words).code == 0
    return calling


def _drafted(by: By, staffed: Country, *more: str) -> tuple[int, str]:
    wish = ("--title", "路面破损", "--due", "2026-12-31", "--json", *more)
    made = by("li", "task", "new", staffed.node("city"), *wish).json
    return made["draft"]["draft"], made["task"]


def test_a_move_waits_for_its_approver(by: By, staffed: Country) -> None:
    """Drafted, listed, shown, approved; then the task is there and its officer handles it."""
    draft, task = _drafted(by, staffed)
    assert task in by("wang", "draft", "list").out
    assert "requirement" in by("wang", "draft", "show", str(draft)).out
    assert "E1510" in by("li", "draft", "approve", str(draft)).err
    assert "审批人" in by("li", "--lang", "zh", "draft", "approve", str(draft)).err
    in_words = by("wang", "--lang", "zh", "draft", "show", str(draft)).out
    assert all(said in in_words for said in ("下发", "办理期限", "标题")), in_words
    approved = by("wang", "draft", "approve", str(draft), "--json").json
    assert (approved["state"], approved["person"], approved["draft"]["state"]) == ("issued", "li", "approved")
    assert {(move["org"], move["role"]) for move in approved["moves"]} == {("督查处", "approver")}
    assert task in [one["task"] for one in by("li", "task", "list", "--mine", "--json").json["tasks"]]
    assert task not in [one["task"] for one in by("li", "task", "list", "--unassigned", "--json").json["tasks"]]
    again = by("wang", "draft", "approve", str(draft))
    assert "E1506" in again.err
    assert "approved" in again.err
    assert "已批准" in by("wang", "--lang", "zh", "draft", "approve", str(draft)).err
    assert "Handled here by" in by("qian", "task", "show", task).out


def test_a_draft_is_refused_or_dropped(by: By, staffed: Country) -> None:
    """Refused with a reason that its author reads; dropped by its author."""
    refused, _ = _drafted(by, staffed)
    assert by("wang", "draft", "refuse", str(refused), "--reason", "依据不足").code == 0
    assert "依据不足" in by("li", "draft", "list", "--all").out
    dropped, _ = _drafted(by, staffed)
    assert "waits for approval" in by("li", "draft", "show", str(dropped)).out
    assert "E1510" in by("wang", "draft", "drop", str(dropped)).err
    assert by("li", "draft", "drop", str(dropped), "--json").json["state"] == "dropped"
    assert "E1505" in by("li", "draft", "show", "9999").err


def test_nobody_is_let_in_who_is_not_declared(by: By, staffed: Country) -> None:
    """A stranger sees nothing; a viewer sees, and does nothing; the account of the node administers."""
    assert "E1510" in by("stranger", "status").err
    assert by("qian", "task", "list").code == 0
    wish = (staffed.node("city"), "--title", "x", "--due", "2026-12-31")
    assert "E1510" in by("qian", "task", "new", *wish).err
    assert "E1510" in by("", "task", "new", *wish).err
    assert "E1510" in by("li", "people", "add", "x", "--called", "X", "--org", "o", "--role", "viewer").err
    assert "E1008" in by("li", "task", "new", *wish, "--org", "别的单位").err
    assert by("", "status").code == 0


def test_who_leaves_hands_over(by: By, staffed: Country) -> None:
    """What would pass is listed first; then it has passed, in one act."""
    _, task = _drafted(by, staffed)
    new = ("--called", "周", "--org", "督查处", "--role", "officer")
    assert by("chen", "people", "add", "zhou", *new).code == 0
    assert by("chen", "task", "default", "li", "--flow", "W9D").code == 0
    assert "E1511" in by("chen", "people", "leave", "li").err
    would = by("chen", "people", "leave", "li", "--to", "zhou", "--dry-run", "--json").json
    assert would["flows"] == ["W9D"]
    assert would["drafts"]
    assert "li" in by("chen", "people", "leave", "li", "--to", "zhou").out
    listed = by("chen", "people", "list", "--json").json
    assert [one["active"] for one in listed["people"] if one["name"] == "li"] == [False]
    assert listed["flows"] == {"W9D": "zhou"}
    kept = by("zhou", "draft", "list", "--mine", "--json").json["drafts"]
    assert [(one["keeper"], one["author"]) for one in kept if one["task"] == task] == [("zhou", "li")]
    assert "E1510" in by("li", "task", "list").err
    assert by("chen", "people", "change", "li", "--back").code == 0
    assert by("li", "task", "list").code == 0


def test_a_deputy_stands_in(by: By, staffed: Country) -> None:
    """From day to day; ended at once. What a deputy does is audited as that, with the name of who was stood in for."""
    draft, task = _drafted(by, staffed)
    days = ("--from", "2020-01-01", "--until", "2090-01-01")
    assert "qian" in by("chen", "people", "deputy", "wang", "qian", *days).out
    assert by("qian", "draft", "approve", str(draft)).code == 0
    assert by("qian", "task", "move", task, "remark", "--field", "text=x").code == 0
    assert by("li", "task", "move", task, "remark", "--field", "text=y").code == 0
    events = by("", "audit", "show", "--event", "move_signed", "--json").json["events"]
    said = [one["fields"] for one in events if one["fields"]["task"] == task]
    acts = [(one["move"], "(qian)" in one["by"], one.get("deputy_for")) for one in said]
    assert sorted(acts, key=str) == [
        ("issue", True, "wang"),
        ("register", True, "wang"),
        ("remark", False, None),
        ("remark", True, "wang"),
    ]
    assert by("chen", "people", "deputy", "wang", "qian", "--end").code == 0
    draft, _ = _drafted(by, staffed)
    assert "E1510" in by("qian", "draft", "approve", str(draft)).err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("people", "add", "wang", "--called", "x", "--org", "o", "--role", "viewer"), "E1008"),
        (("people", "add", "x", "--called", "x", "--org", "x", "--role", "viewer"), "E1008"),
        (("people", "add", "a b", "--called", "x", "--org", "o", "--role", "viewer"), "E1008"),
        (("people", "add", "x", "--called", "x", "--org", "o", "--role", "boss"), "E1008"),
        (("people", "add", "x", "--called", "x", "--org", "", "--role", "viewer"), "E1008"),
        (("people", "change", "nobody", "--org", "o"), "E1509"),
        (("people", "leave", "nobody", "--to", "wang"), "E1509"),
        (("people", "deputy", "wang", "wang", "--from", "2026-01-01", "--until", "2026-01-02"), "E1008"),
        (("people", "deputy", "wang", "chen", "--from", "2026-01-03", "--until", "2026-01-02"), "E1008"),
        (("people", "deputy", "wang", "chen", "--from", "soon", "--until", "2026-01-02"), "E1008"),
        (("people", "deputy", "wang", "qian", "--end"), "E1008"),
        (("task", "assign", "nope", "wang"), "E1501"),
        (("task", "default", "qian"), "E1008"),
        (("task", "default", "wang", "--flow", "W99"), "E1502"),
    ],
)
def test_what_cannot_be_recorded_is_told(by: By, arguments: tuple[str, ...], code: str) -> None:
    """Nothing is changed then."""
    before = by("", "people", "list", "--json").json
    told = by("", *arguments)
    assert told.code != 0
    assert code in told.err
    assert by("", "people", "list", "--json").json == before
