"""A city whose program keeps no rules: what its moves do at an honest province, and what becomes of each of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from node.testing import Topology
from sync.events import LocalMove
from sync.reasons import Reason
from sync.wire.v1.entry_pb2 import MoveBody
from tests.integration.kit import node_of, run
from tests.integration.test_task_files import started
from tests.integration.test_traps import CITIES

Spoil = Callable[[MoveBody], object]
REFUSED: dict[str, tuple[Spoil, Reason]] = {
    "a time that no calendar has": (lambda b: setattr(b, "at", 1 << 62), Reason.RULE_BROKEN),
    "a number of its own": (lambda b: setattr(b, "number", 3), Reason.NOT_YOUR_MOVE),
    "a verdict of its own": (lambda b: setattr(b, "verdict", True), Reason.NOT_YOUR_MOVE),
    "in its sibling's name": (lambda b: setattr(b, "by_node", b.issuer), Reason.NOT_YOUR_MOVE),
    "for its sibling": (lambda b: setattr(b, "holder", "c330200.p330000.cn-demo"), Reason.NOT_YOUR_MOVE),
    "a task that it lays on its parent": (lambda b: _open(b, b.holder, b.issuer, "W2"), Reason.NOT_YOUR_MOVE),
    "a task that another lays on itself": (lambda b: _open(b, b.issuer, b.holder, "W2"), Reason.NOT_YOUR_MOVE),
    "an id with a slash": (lambda b: _open(b, b.holder, b.issuer, "W3U", "a/b"), Reason.RULE_BROKEN),
    "another flow": (lambda b: setattr(b, "flow", "W1"), Reason.NOT_YOUR_MOVE),
}
WAITING: dict[str, tuple[Spoil, Reason]] = {
    "a flow of its own": (lambda b: setattr(b, "flow", "x_own"), Reason.UNKNOWN_FLOW),
    "a move of a newer version": (lambda b: setattr(b, "move", "escalate"), Reason.UNKNOWN_FLOW),
    "built on what never was": (lambda b: setattr(b, "base", 99), Reason.MISSING_DEPENDENCY),
    "a task that nobody knows": (lambda b: setattr(b, "task", "gone"), Reason.MISSING_DEPENDENCY),
}


def _open(body: MoveBody, issuer: str, holder: str, flow: str, task: str = "of-its-own") -> None:
    body.issuer, body.holder, body.by_node, body.flow, body.task = issuer, holder, issuer, flow, task
    body.move, body.number, body.accepted, body.base = ("register" if flow == "W2" else "ask"), 1, True, 0
    body.state, body.counted_at = ("registered" if flow == "W2" else "asked"), body.at


def test_moves_of_a_city_gone_bad_meet_their_fates_one_by_one(tmp_path: Path) -> None:
    """Each is refused or waits, with its reason, and the city is told; the honest one between them counts, and nothing
    of it keeps the province's officers from their tasks."""

    async def work() -> None:
        async with Topology(tmp_path, CITIES) as net:
            city, province = net["city"], net["province"]
            task = await started(province, city)
            await net.level()
            bad = node_of(city)
            honest = (await city.command("task.move", task=task, move="sign"))["move_id"]
            for name, (spoil, _) in {**REFUSED, **WAITING}.items():
                body = MoveBody(flow="W2", task=task, move="comment", move_id=f"bad {name}"[:64], base=2)
                body.issuer, body.holder, body.by_node = province.node, city.node, city.node
                body.at = bad.clock.now_us()
                body.fields.add(name="text", text=name)
                spoil(body)
                await bad.writer.call(lambda ticket, said=body: LocalMove(ticket, said, province.node))
            await net.level()
            shown = await province.command("task.show", task=task)
            assert [(move["move"], move["accepted"]) for move in shown["moves"]] == [
                ("register", True),
                ("issue", True),
                ("sign", True),
            ]
            assert shown["moves"][-1]["move_id"] == honest
            assert [one["task"] for one in (await province.command("task.list"))["tasks"]] == [task]
            refused = (await province.command("refused"))["here"]
            waiting = (await province.command("parked"))["parked"]
            assert _fates(refused) == {name: reason.name for name, (_, reason) in REFUSED.items()}
            assert _fates(waiting) == {name: reason.name for name, (_, reason) in WAITING.items()}
            heard = (await city.command("refused"))["heard"]
            assert len(heard) == len(REFUSED) + len(WAITING)

    run(work())


def _fates(told: list[dict[str, str]]) -> dict[str, str]:
    return {one["key"].split("bad ")[1].rstrip('"]'): one["reason"] for one in told}
