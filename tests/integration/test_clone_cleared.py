"""An administrator ends a clone alarm with two commands: one copy goes on, the other is refused for ever."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from node.cli.main import run as tiersync
from node.demo.reader import fsck
from node.testing import Topology
from node.testing.peer import SessionOver, dial
from tests.integration.kit import cases, put, run
from tests.integration.test_audited import audited


def test_one_copy_goes_on_and_the_other_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is changed by --dry-run, by a node that runs, or for a node of which no copy was seen."""

    def said(home: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = tiersync(["--home", str(home), "--lang", "en", "--json", "clone", *arguments])
        return code, json.loads(capsys.readouterr().out or "{}")

    async def work() -> None:
        async with Topology(tmp_path / "net") as net:
            city, province, other = net["city"], net["province"], tmp_path / "other"
            await put(city, cases(1))
            await net.level()
            shutil.copytree(city.home, other, ignore=shutil.ignore_patterns("*.sock"))
            with pytest.raises(SessionOver, match="CLONE"):
                async with dial(other):
                    pass
            await province.until(lambda s: s["clones"] == [city.node])
            assert said(city.home, "keep")[0] == 4, "it runs"
            await city.stop()
            await province.stop()
            before = (city.home / "instance").read_text("ascii").strip()
            assert said(city.home, "keep", "--dry-run") == (0, {"node": city.node, "before": before, "instance": ""})
            assert said(province.home, "clear", city.node, "--dry-run")[1] == {"node": city.node, "cleared": False}
            assert said(province.home, "clear", "c999999.cn-demo")[0] != 0
            code, kept = said(city.home, "keep")
            assert (code, kept["before"]) == (0, before)
            assert (city.home / "instance").read_text("ascii").strip() == kept["instance"] != before
            assert said(province.home, "clear", city.node) == (0, {"node": city.node, "cleared": True})
            await province.start()
            await city.start()
            await put(city, cases(2, first=2))
            await net.level()
            assert (await province.status())["clones"] == []
            assert (await city.status())["instance"] == kept["instance"]
            assert [line["instance"] for line in audited(city, "instance_renewed")] == [kept["instance"]]
            assert [line["peer"] for line in audited(province, "clone_cleared")] == [city.node]
            await city.stop()
            with pytest.raises(SessionOver, match="CLONE"):
                async with dial(other):
                    pass
            await net.stop()
            assert all(fsck(member).sound for member in net.members.values())

    run(work())
