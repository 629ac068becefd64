"""What is audited of a node's own work, and of neighbours that went wrong: each event is brought about once."""

from __future__ import annotations

import os
import pwd
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from node.caller import caller
from node.clock import SystemRandomness
from node.config import CONFIG_NAME, load_file
from node.faults import UserFault
from node.store.home import INSTANCE_FILE
from node.testing import Topology
from node.testing.peer import SessionOver, dial
from node.writer import Writer
from sync import limits
from sync.events import RunArrived
from sync.values import FeedName
from sync.wire.v1.entry_pb2 import Anchor
from sync.wire.v1.frame_pb2 import Hello
from tests.integration.kit import COLUMNS, cases, node_of, put, run
from tests.integration.test_audited import audited


async def load_and_unload(net: Topology) -> None:
    """A file goes in at the city, and is taken back."""
    city = net["city"]
    load = (await city.command("load.start", dataset="case", file="x.csv", digest="00" * 32))["load"]
    await (await city.client()).put("case", COLUMNS, cases(3), load=load)
    await city.command("load.finish", load=load, lines=3, written=3, unchanged=0, rejected=0)
    await city.command("unload", load=load)
    loaded = {"load": load, "dataset": "case", "file": "x.csv", "digest": "00" * 32}
    counts = {"lines": 3, "written": 3, "unchanged": 0, "rejected": 0}
    assert audited(city, "rows_loaded") == [{**loaded, **counts}]
    (back,) = audited(city, "rows_unloaded")
    assert (back["load"], back["dataset"], back["rows"]) == (load, "case", 3)


async def read_cases(net: Topology) -> None:
    """A question for cases is one line, however many rows it gets; codes may be read by anybody."""
    city = net["city"]
    await put(city, cases(1_500))
    client = await city.client()
    where = '{"column": "state", "op": "=", "value": "handling"}'
    assert len((await client.query("case", where, ("case_id", "summary"), origin=city.node))[1]) == 1_500
    await client.query("class_code")
    (line,) = audited(city, "rows_read")
    by = line.pop("by")
    assert by.startswith(pwd.getpwuid(os.getuid()).pw_name)
    asked = {"columns": "case_id,summary", "filter": where, "origin": city.node}
    assert line == {"dataset": "case", "rows": 1_500, **asked}
    for _ in range(100):
        await client.query("case", limit=1)
    assert len(audited(city, "rows_read")) < 40, "the same question again and again is counted"


async def check_twice(net: Topology) -> None:
    """The store is whole; then somebody has changed a row by hand."""
    city = net["city"]
    await put(city, cases(2))
    await city.command("fsck")
    assert [(line["rows"], line["found"]) for line in audited(city, "check_passed")] == [(2, 0)]
    assert audited(city, "check_failed") == []
    await node_of(city).writer.ask(
        lambda _, store: store.session.connection.execute("UPDATE rows_case SET summary = 'x'").connection.commit()
    )
    assert (await city.command("fsck"))["found"] > 0
    assert [line["found"] > 0 for line in audited(city, "check_failed")] == [True]


async def sign_a_move(net: Topology) -> None:
    """An officer's move, and one that may not be made."""
    nation, city = net["nation"], net["city"]
    wish = {"flow": "W2", "task": "t1", "holder": city.node, "org": "督查处", "role": "officer"}
    made = await nation.command("task.move", **wish, move="register", fields={"title": "路面破损"})
    (line,) = audited(nation, "move_signed")
    assert line.pop("by") == caller()
    assert line == {"task": "t1", "move": "register", "move_id": made["move_id"], "org": "督查处", "role": "officer"}


async def work_by_persons(net: Topology) -> None:
    """People are declared, one drafts, one approves, one takes over; and one tries what he may not."""
    nation, city = net["nation"], net["city"]
    for name, called, role in (
        ("li", "李秀英", "officer"),
        ("wang", "王建国", "approver"),
        ("chen", "陈立", "officer"),
    ):
        await nation.command("people.add", person=name, shown=called, org="督查处", roles=[role])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUDO_USER", "li")
        wish = {"flow": "W2", "task": "t1", "holder": city.node, "fields": {"title": "路面破损"}}
        then = [{"move": "issue", "fields": {"requirement": "整改", "due": "2026-12-31"}}]
        draft = (await nation.command("task.move", **wish, move="register", then=then))["draft"]["draft"]
        with pytest.raises(UserFault):
            await nation.command("draft.approve", draft=draft)
        patch.setenv("SUDO_USER", "wang")
        await nation.command("draft.approve", draft=draft)
        await nation.command("task.assign", task="t1", person="li")
    await nation.command("people.leave", person="li", to="chen")
    own = caller().partition(" ")[0]
    about = {"task": "t1", "org": "督查处"}
    assert audited(nation, "draft_made") == [
        {**about, "move": "register issue", "draft": draft, "by": f"{own} (li)", "role": "officer"}
    ]
    (ended,) = audited(nation, "draft_ended")
    assert (ended["state"], ended["by"], ended["author"]) == ("approved", f"{own} (wang)", "li")
    signed, second = audited(nation, "move_signed")
    assert (signed["move"], second["move"]) == ("register", "issue")
    assert (signed["by"], signed["author"], signed["role"]) == (f"{own} (wang)", "li", "approver")
    assert [line["act"] for line in audited(nation, "access_refused")] == ["approve"]
    assert [(line["task"], line["person"]) for line in audited(nation, "task_assigned")] == [("t1", "li")]
    assert [line["person"] for line in audited(nation, "person_changed")] == ["li", "wang", "chen"]
    (left,) = audited(nation, "person_left")
    assert (left["person"], left["to"], left["tasks"], left["by"]) == ("li", "chen", 1, caller())


async def show_a_false_anchor(net: Topology) -> None:
    """A child brings an anchor that the root has not signed."""
    city, province = net["city"], net["province"]
    await city.stop()
    node = load_file(city.home / CONFIG_NAME).node
    hello = Hello(
        format=1,
        federation=node.federation,
        node=node.node_id,
        instance=bytes.fromhex((city.home / INSTANCE_FILE).read_text("ascii").strip()),
        boot=SystemRandomness().bytes(16),
        anchor=Anchor(body=b"never signed", signature=b"s"),
    )
    async with dial(city.home, hello=False) as peer:
        await peer.open(hello)
        await peer.settle()
    assert audited(province, "seal_refused") == [{"reason": "signature"}]


async def live_twice(net: Topology) -> None:
    """While the city's link works, somebody dials with a copy of its home."""
    city, province = net["city"], net["province"]
    with pytest.raises(SessionOver, match="CLONE"):
        async with dial(city.home):
            pass
    assert [line["peer"] for line in audited(province, "clone_found")] == [city.node]
    await city.until(lambda s: any(a["name"] == "clone" for a in s["alarms"]))
    assert [line["peer"] for line in audited(city, "clone_found")] == [province.node]


async def keep_back(net: Topology) -> None:
    """The city states an entry that the nation does not get."""
    city, nation = net["city"], net["nation"]
    feed = FeedName(city.node, "case.nation", nation.node)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("LOOK_EVERY_US", "WITHHELD_AFTER_US", "STATEMENT_CHANGED_US"):
            patch.setattr(limits, name, 0)
        writer, plain = node_of(nation).writer, Writer.submit

        def swallowing(item: Any, *about: Any, **more: Any) -> None:
            if not (isinstance(item, RunArrived) and item.run.feed == feed):
                plain(writer, item, *about, **more)

        patch.setattr(writer, "submit", swallowing)
        await put(city, cases(1, supervised=True))
        await nation.until(lambda s: any(a.get("feed") == str(feed) for a in s["alarms"]))
    told = [line for line in audited(nation, "feed_withheld") if line["feed"] == str(feed)]
    assert [(line["seq"], line["peer"]) for line in told] == [("1", net["province"].node)]


OCCASIONS: list[Callable[[Topology], Awaitable[None]]] = [
    load_and_unload,
    read_cases,
    check_twice,
    sign_a_move,
    work_by_persons,
    show_a_false_anchor,
    live_twice,
    keep_back,
]


@pytest.mark.parametrize("occasion", OCCASIONS, ids=lambda occasion: occasion.__name__)
def test_what_happens_is_audited_where_it_happens(
    tmp_path: Path, occasion: Callable[[Topology], Awaitable[None]]
) -> None:
    """With who, what and how much, in a chain that verifies."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            await net.level()
            await occasion(net)

    run(work())
