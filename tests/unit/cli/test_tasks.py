"""Tasks and flows by the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from node.engine import Step
from node.faults import Code, UserFault
from node.store.store import Store
from node.testing.running import InProcess
from sync.effects import DropMoves, Reply, SaveMoves, Write
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import MoveBody
from tests import pictures
from tests.unit.cli.conftest import Call, Country


def test_a_task_from_issue_to_close(call: Call, country: Country) -> None:
    """Issued at the nation, signed and replied to at the city, closed at the nation; both sides hold the same moves."""
    nation, city = country.home("nation"), country.home("city")
    wish = ("--title", "路面破损", "--due", "2026-12-31", "--field", "class=road", "--org", "督查处", "--role", "主办")
    issued = call("--home", nation, "task", "new", country.node("city"), *wish, "--json").json
    task = issued["task"]
    assert (issued["state"], issued["title"], issued["due"], issued["number"]) == (
        "issued",
        "路面破损",
        "2026-12-31",
        2,
    )
    _wait(country, call, city, task, "issued")
    signed = call("--home", city, "task", "sign", task, "--json").json
    assert [m["move"] for m in signed["moves"][2:] or signed["pending"]] == ["sign"]
    _wait(country, call, city, task, "signed")
    in_words = call("--home", city, "--lang", "zh", "task", "show", task).out
    for said in ("标题: 路面破损", "签收", "reply (回复)", "result (办理结果)", "W2 巡查发现与督办"):
        assert said in in_words, said
    call("--home", city, "task", "reply", task, "已修复")
    _wait(country, call, nation, task, "replied")
    assert call("--home", nation, "task", "close", task, "--json").json["final"] is True
    _wait(country, call, city, task, "closed")
    ends = [call("--home", home, "task", "show", task, "--json").json["moves"] for home in (nation, city)]
    assert ends[0] == ends[1]
    assert [m["move"] for m in ends[0]] == ["register", "issue", "sign", "reply", "close"]
    assert ends[0][0]["fields"] == {"title": "路面破损", "class": "road"}
    listed = call("--home", city, "task", "list", "--json").json["tasks"]
    assert [(t["task"], t["final"]) for t in listed if t["task"] == task] == [(task, True)]
    still_open = call("--home", city, "task", "list", "--open", "--json").json["tasks"]
    assert task not in [t["task"] for t in still_open]
    assert "closed" in call("--home", nation, "task", "list").out


def test_an_issuer_lengthens_a_limit(call: Call, country: Country) -> None:
    """With the day and the reason, which the other side reads."""
    nation = country.home("nation")
    issued = call(
        "--home", nation, "task", "new", country.node("city"), "--title", "x", "--due", "2026-12-31", "--json"
    )
    more = ("--due", "2027-01-31", "--reason", "雨季", "--json")
    longer = call("--home", nation, "task", "extend", issued.json["task"], *more).json
    assert (longer["due"], longer["moves"][-1]["move"]) == ("2027-01-31", "extend")
    assert longer["moves"][-1]["fields"] == {"due": "2027-01-31", "reason": "雨季"}


def test_a_move_brings_its_files(call: Call, country: Country, tmp_path: Path) -> None:
    """Attached without what they say beside their pixels, named in the move, listed with the task; one that is not
    taken ends it before anything is attached or made."""
    nation, city = country.home("nation"), country.home("city")
    path, bad = tmp_path / "a.jpg", tmp_path / "b.jpg"
    path.write_bytes(pictures.jpeg(seed=51))
    bad.write_bytes(b"MZ" + bytes(50))
    wish = ("--title", "x", "--due", "2026-12-31", "--file", str(path), "--json")
    issued = call("--home", nation, "task", "new", country.node("city"), *wish).json
    task, (one,) = issued["task"], issued["files"]
    assert (one["here"], one["kind"], one["by"]) == (True, "jpeg", [country.node("nation")])
    assert issued["moves"][0]["fields"] == {"title": "x", "files": one["hash"]}
    assert one["hash"] in call("--home", nation, "task", "show", task).out
    (shown,) = call("--home", nation, "attachment", "show", one["hash"], "--json").json["references"]
    assert shown["task"] == task
    _wait(country, call, city, task, "issued")
    other = tmp_path / "c.jpg"
    other.write_bytes(pictures.jpeg(seed=52))
    refused = call("--home", city, "task", "sign", task, "--file", str(other), "--file", str(bad), "--json")
    assert refused.json["error"]["name"] == "ATTACHMENT_REFUSED"
    assert not call("--home", city, "task", "show", task, "--json").json["pending"]
    signed = call("--home", city, "task", "sign", task, "--file", str(other), "--json").json
    assert [(f["here"], f["by"]) for f in signed["files"]] == [
        (True, [country.node("city")]),
        (False, [country.node("nation")]),
    ]
    named = call("--home", city, "task", "move", task, "comment", "--field", "text=x", "--field", "files=x", "--json")
    assert named.json["error"]["name"] == "MOVE_REFUSED"


def _wait(country: Country, call: Call, home: str, task: str, state: str) -> None:
    """Waits, woken by each commit, until a node shows a task in a state with nothing pending."""
    name = "city" if home == country.home("city") else "nation"

    async def work() -> None:
        client = await country.net[name].client()
        async for _ in client.follow(20):
            listed = (await client.command("task.list"))["tasks"]
            if any(t["task"] == task and t["state"] == state and not t["pending_moves"] for t in listed):
                return

    country.do(work())


def test_only_the_opening_move_makes_a_task(country: Country) -> None:
    """A move of a task that is not known here is refused, with or without a holder: nothing is registered."""

    async def work() -> None:
        client = await country.net["nation"].client()
        with pytest.raises(UserFault) as told:
            await client.command(
                "task.move", flow="W2", task="never", move="close", holder=country.node("city"), fields={"title": "x"}
            )
        assert told.value.code is Code.MOVE_REFUSED
        assert "never" not in [t["task"] for t in (await client.command("task.list"))["tasks"]]

    country.do(work())


@pytest.mark.parametrize(
    ("arguments", "code", "number"),
    [
        (("task", "show", "nope"), 3, "E1501"),
        (("task", "sign", "nope"), 3, "E1501"),
        (("task", "new", "c310000.cn-demo", "--title", "x", "--due", "2026-12-31", "--flow", "W9"), 3, "E1502"),
        (("task", "move", "nope", "sign", "--field", "broken"), 2, "E1008"),
        (("task", "new", "c310000.cn-demo", "--title", "x", "--flow", "W1"), 2, "E1008"),
        (("task", "new", "c999999.cn-demo", "--title", "x", "--due", "d"), 3, "E1402"),
        (("task", "new", "n100000.cn-demo", "--title", "x", "--due", "d"), 4, "E1503"),
        (("flow", "show", "W99"), 3, "E1502"),
    ],
)
def test_moves_that_cannot_be_made(
    call: Call, country: Country, arguments: tuple[str, ...], code: int, number: str
) -> None:
    """The reason is said in words, numbered."""
    called = call("--home", country.home("nation"), *arguments)
    assert (called.code, f"Error {number}:" in called.err) == (code, True), called.err


def test_what_does_not_exist_is_not_mended_by_an_upgrade(call: Call, country: Country) -> None:
    """An unknown task says how tasks are listed, an unknown move which ones there are."""
    nation = country.home("nation")
    unknown = call("--home", nation, "task", "move", "nope", "sign")
    assert "`tiersync task list`" in unknown.err
    wish = (country.node("city"), "--title", "x", "--task", "task-typo", "--register-only")
    assert call("--home", nation, "task", "new", *wish).code == 0
    slip = call("--home", nation, "task", "move", "task-typo", "isue")
    assert (slip.code, "Error E1504:" in slip.err) == (3, True), slip
    assert "register, issue," in slip.err
    assert "`tiersync flow show W2`" in slip.err
    for said in (unknown.err, slip.err):
        assert "Upgrade" not in said


def test_the_wrong_side_is_refused(call: Call, country: Country) -> None:
    """An issuer cannot sign its own task, and a move that must say something must say it."""
    nation = country.home("nation")
    wish = (country.node("city"), "--title", "x", "--task", "task-wrong", "--register-only", "--json")
    task = call("--home", nation, "task", "new", *wish).json
    assert (task["task"], task["state"]) == ("task-wrong", "registered")
    assert call("--home", nation, "task", "issue", "task-wrong", "--requirement", "r", "--due", "2026-12-31").code == 0
    early = ("--home", nation, "task", "close", "task-wrong")
    assert "'close' (close) cannot be made now: the task stands at 'issued'" in call(*early).err
    assert "“close”（销号）" in (in_words := call(*early, "--lang", "zh").err)
    assert "“已下发”" in in_words
    assert "NOT_YOUR_MOVE" in _audited(call, nation) or call("--home", nation, "task", "sign", "task-wrong").code == 4
    assert "must say 'reason'" in call("--home", nation, "task", "withdraw", "task-wrong").err
    assert call("--home", nation, "task", "withdraw", "task-wrong", "not needed", "--json").json["state"] == "withdrawn"


@pytest.mark.parametrize(
    ("arguments", "said", "advice"),
    [
        (("--due", "tomorrow"), "must be a date", "`tiersync flow show W2` lists its fields"),
        (("--due", "2026-12-31", "--field", "level=9"), "must be one of 1, 2, 3", "`tiersync flow show W2`"),
        (("--due", "2026-12-31", "--requirement", "x" * 65_000), "characters", "lists its fields"),
        (("--flow", "W3U", "--field", "request=x", "--field", "urgency=normal"), "does not issue W3U", "upwards or"),
        (("--flow", "W4"), "must say each of these: doc, version", "detail names"),
    ],
)
def test_what_is_wrong_with_a_move_is_not_said_of_rows(
    call: Call, country: Country, arguments: tuple[str, ...], said: str, advice: str
) -> None:
    """Whoever made a slip in a field is not told to load a row again, nor that the other side is to move."""
    told = call("--home", country.home("nation"), "task", "new", country.node("city"), "--title", "x", *arguments)
    assert (told.code, "Error E1503:" in told.err) == (4, True), told
    assert said in told.err
    assert advice in told.err
    assert "row" not in told.err


@pytest.mark.parametrize("task", ["a b", "a/b", "a\nb", "a\x1b[31m", "a\u200b", "a\u2028b"])
def test_an_id_that_nobody_could_type_again_is_refused(call: Call, country: Country, task: str) -> None:
    """Before anything is registered; what nodes have agreed on already is not asked."""
    wish = (country.node("city"), "--title", "x", "--due", "2026-12-31", "--task", task)
    called = call("--home", country.home("nation"), "task", "new", *wish)
    assert (called.code, "Error E1008:" in called.err) == (2, True), called
    assert "\x1b" not in called.err


def test_what_is_typed_goes_where_the_flow_wants_it(call: Call, country: Country) -> None:
    """One word for a move, whatever its field is called in this flow; beside a move that must say nothing it is a text;
    a field that no flow knows is remarked on."""
    city, nation = country.home("city"), country.node("nation")
    wish = ("--flow", "W10", "--title", "x", "--field", "alarm=A1", "--field", "level=3", "--field", "levle=2")
    made = call("--home", city, "task", "new", nation, *wish, "--task", "typed-1")
    assert (made.code, "no field 'levle'" in made.err, "'alarm'" in made.err) == (0, True, False), made
    for move, said in (("confirm", "seen"), ("report", "valve shut"), ("end", ""), ("file", "learnt")):
        verb = ("move", "typed-1", "end", "--field", "result=ok") if move == "end" else (move, "typed-1", said)
        assert call("--home", city, "task", *verb).code == 0
    moves = call("--home", city, "task", "show", "typed-1", "--json").json["moves"]
    assert [list(move["fields"].items()) for move in moves[1:]] == [
        [("text", "seen")],
        [("text", "valve shut")],
        [("result", "ok")],
        [("review", "learnt")],
    ]


def test_a_day_that_has_passed_is_remarked_on(call: Call, country: Country) -> None:
    """It is let in, for work that is entered late; mostly it is a slip."""
    wish = (country.node("city"), "--title", "x", "--requirement", "y", "--due")
    late, good = (
        call("--home", country.home("nation"), "task", "new", *wish, day) for day in ("2020-01-01", "2100-01-01")
    )
    assert (late.code, "2020-01-01 has passed already" in late.err) == (0, True), late
    assert (good.code, "passed" in good.err) == (0, False), good


def _audited(call: Call, home: str) -> str:
    return str(call("--home", home, "audit", "show", "--event", "move_refused", "--json").json)


def test_flows_are_listed_shown_and_sound(call: Call) -> None:
    """The tables can be read without a node."""
    listed = [f["flow"] for f in call("flow", "list", "--json").json["flows"]]
    assert {"W2", "W9D"} <= set(listed)
    assert call("flow", "check", "--json").json == {"flows": listed}
    shown = call("flow", "show", "W2", "--json").json
    assert {"move": "sign", "by": "holder", "to": "signed"}.items() <= next(
        m for m in shown["moves"] if m["move"] == "sign"
    ).items()
    in_words = call("--lang", "zh", "flow", "show", "W2").out
    for said in ("签收", "国家, 省级, 市级", "3 (三级)", "日期，如 2026-12-31，至多提前 366 天"):
        assert said in in_words, said
    assert "Sound: " in call("flow", "check").out


@dataclass
class _Overtake:
    """What a tail that comes back does to a task (sync/overtaken.py)."""

    token: object
    body: MoveBody

    def run(self, store: Store) -> Sequence[Step]:
        effects = (DropMoves(self.body.task, 2), SaveMoves(self.body.task, [self.body]))
        return (*(partial(_perform, effect) for effect in effects), Reply(self.token, None))


def _perform(effect: Write, store: Store) -> None:
    store.perform(effect)


def test_a_move_that_lost_its_number_stays_in_sight(call: Call, country: Country) -> None:
    """As refused, with what has its number now, and not as one that waits."""
    nation = country.home("nation")
    wish = ("--title", "x", "--due", "2026-12-31", "--json")
    task = call("--home", nation, "task", "new", country.node("city"), *wish).json["task"]
    running = country.net["nation"].running
    assert isinstance(running, InProcess)
    assert running.serving is not None
    writer = running.serving.node.writer
    word = MoveBody(flow="W2", task=task, move="issue", move_id="lost", verdict=True)
    word.reason, word.detail = Reason.CROSSED, "'remark' was move 2"
    country.do(writer.call(lambda ticket: _Overtake(ticket, word)))
    shown = call("--home", nation, "task", "show", task, "--json").json
    assert [(m["move"], m["number"], m["reason"]) for m in shown["refused"]] == [("issue", 0, "CROSSED")]
    assert [m["number"] for m in shown["moves"]] == [1]
    assert not shown["pending"]
    words = call("--home", nation, "task", "show", task).out
    assert "'remark' was move 2" in words
    assert "has not confirmed" not in words


def test_a_task_is_not_submitted_while_a_part_of_it_is_open(call: Call, country: Country) -> None:
    """A city that handed a part on says so, and waits for it or says why not; what a task's parts are is shown."""
    nation, city = country.home("nation"), country.home("city")
    wish = ("--title", "迎检", "--flow", "W1", "--due", "2026-12-31", "--task", "key-1", "--field", "bundle=key")
    issued = call("--home", nation, "task", "new", country.node("city"), *wish, "--json").json
    assert (issued["state"], issued["bundle"]["whole"]) == ("issued", "issued")
    _wait(country, call, city, "key-1", "issued")
    for move, field in (("receive", ()), ("split", ("--field", "parts=1"))):
        call("--home", city, "task", "move", "key-1", move, *field)
    below = MoveBody(flow="W1", task="key-1.1", issuer=country.node("city"), holder="d310104.c310000.cn-demo")
    below.move, below.move_id, below.number, below.accepted, below.state = "draft", "part-1", 1, True, "draft"
    below.by_node = below.issuer
    for name, text in (("title", "迎检"), ("part_of", "key-1")):
        below.fields.add(name=name, text=text)
    running = country.net["city"].running
    assert isinstance(running, InProcess)
    assert running.serving is not None
    writer = running.serving.node.writer
    country.do(writer.call(lambda ticket: _Keep(ticket, below)))
    shown = call("--home", city, "task", "show", "key-1", "--json").json
    assert (shown["parts"]["open"], shown["parts"]["tasks"][0]["task"]) == (1, "key-1.1")
    told = call("--home", city, "task", "show", "key-1").out
    assert "draft: 1 of 1 open" in told
    assert "d310104.c310000.cn-demo" in told[told.index("key-1.1") :]
    held = call("--home", city, "task", "move", "key-1", "submit", "--field", "result=done")
    assert (held.code, "1 part(s) of the task are open" in held.err) == (4, True)
    why = ("--field", "result=done", "--field", "override_reason=the part follows")
    assert call("--home", city, "task", "move", "key-1", "submit", *why).code == 0
    _wait(country, call, nation, "key-1", "submitted")


@dataclass
class _Keep:
    """Writes a move as if it had been made."""

    token: object
    body: MoveBody

    def run(self, store: Store) -> Sequence[Step]:
        store.perform(SaveMoves(self.body.task, [self.body]))
        return (Reply(self.token, None),)


def test_a_flow_that_goes_upwards(call: Call, country: Country) -> None:
    """A city raises an alarm to the nation, which says that it has read it; the city's node has the last word."""
    nation, city = country.home("nation"), country.home("city")
    wish = ("--flow", "W10", "--title", "燃气泄漏", "--task", "alarm-1", "--field", "alarm=G-1")
    assert call("--home", city, "task", "new", country.node("nation"), *wish).code == 4, "its level must be said"
    raised = call("--home", city, "task", "new", country.node("nation"), *wish, "--field", "level=1", "--json").json
    assert (raised["state"], raised["issuer"]) == ("raised", country.node("city"))
    _wait(country, call, nation, "alarm-1", "raised")
    call("--home", nation, "task", "move", "alarm-1", "seen")
    call("--home", city, "task", "move", "alarm-1", "confirm")
    _wait(country, call, nation, "alarm-1", "handling")
    down = ("task", "new", country.node("city"), *wish[:4], "--field", "level=1", "--field", "alarm=G-1")
    assert call("--home", nation, *down).code == 4, "an alarm is not laid on those below"
