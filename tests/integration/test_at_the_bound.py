"""What a running node does where it can go no further: the disk is nearly full, or its store fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from node import app
from node.cli.main import run as program
from node.clock import SystemClock, SystemRandomness
from node.engine import Engine
from node.faults import Code, Exit, UserFault
from node.founding import found_nation
from node.serve import LOG_FOLDER, Served
from node.store.faults import StoreFault, StoreTrouble
from node.subscribing import Subscriptions
from node.telemetry import LOG_NAME
from node.testing import Topology
from sync.events import AnchorKnown
from tests.integration.kit import CODE_COLUMNS, COLUMNS, cases, code_row, put, run
from tests.integration.test_serving import LISTEN


def test_below_the_reserve_the_door_is_shut_and_links_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are refused with the reason and one alarm; what comes from the neighbour is taken; with room again the door
    opens by itself.
    """
    plain, full = shutil.disk_usage, True

    def usage(path: Path) -> Any:
        found = plain(path)
        return found._replace(free=1) if full and path.name == "city" else found

    async def work() -> None:
        nonlocal full
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            monkeypatch.setattr(shutil, "disk_usage", usage)
            monkeypatch.setattr(app, "DISK_ASKED_EVERY_US", 0)
            for _ in range(2):
                with pytest.raises(UserFault, match="bytes of disk are left") as refused:
                    await city.put("case", COLUMNS, cases(1))
                assert refused.value.code is Code.INPUT_FAULT
            status = await city.status()
            assert [a["name"] for a in status["alarms"]] == ["disk_low"]
            await nation.put("class_code", CODE_COLUMNS, [code_row("x", "01")])
            await net.level()
            _, rows = await (await city.client()).query("class_code", columns=("code",))
            assert rows == [("01",)]
            full = False
            await put(city, cases(3))
            await net.level()

    run(work())


@pytest.mark.parametrize(
    ("failure", "alarm", "words_said", "code"),
    [
        (
            StoreFault(StoreTrouble.IO, "no such device"),
            "store_failed",
            "no such device; the disk reported",
            Exit.FAILED,
        ),
        (AssertionError("half a thought"), "writer_failed", "a fault of its own (AssertionError)", Exit.BUG),
    ],
    ids=["the store", "our own mistake"],
)
def test_a_node_whose_writer_fails_ends_with_words_and_comes_back_with_the_next_start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: Exception,
    alarm: str,
    words_said: str,
    code: int,
) -> None:
    """It says why and ends, so that whatever supervises it starts it again; its log names the alarm, and what fails
    only because the writer is over adds none.
    """
    home = tmp_path / "nation"
    found_nation(home, tmp_path / "root", "cn-test", "100000", "国家平台", LISTEN, SystemClock(), SystemRandomness())
    plain = Engine.step

    def failing(self: Engine, items: Sequence[Any], now: int) -> bool:
        if any(isinstance(item, AnchorKnown) for item in items):  # the first that a node is told when it is up
            raise failure
        return plain(self, items, now)

    def fails_with_it(self: Subscriptions) -> None:
        node = self._node
        node.writer.stopped.add_done_callback(
            lambda _: node.alarm("subscriptions_failed", detail="the node has stopped")
        )

    monkeypatch.setenv("TIERSYNC_LANG", "en")
    with monkeypatch.context() as broken:
        broken.setattr(Engine, "step", failing)
        broken.setattr(Subscriptions, "start", fails_with_it)
        assert program(["--home", str(home), "run"]) == code
    assert words_said in capsys.readouterr().err
    log = [json.loads(line) for line in (home / LOG_FOLDER / LOG_NAME).read_text("utf-8").splitlines()]
    assert [line["alarm"] for line in log if line["event"] == "alarm"] == [alarm]

    async def again() -> None:
        async with Served(home) as serving:
            await serving.node.writer.ask(lambda replica, _: replica.core.me)

    run(again())
