"""A trial says so wherever it is seen, and goes live with its settings and none of its data."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook

from node import audit, texts
from node.cli.main import run as program
from node.clock import SystemClock
from node.config import CONFIG_NAME, load_file
from node.demo.reader import fsck
from node.enrol.home import ARCHIVE, KEPT, Begun
from node.faults import UserFault
from node.golive import plan, put_aside, put_back
from node.testing import Member, Topology
from node.testing.topology import THREE
from tests.integration.http_kit import configure_http, port_of
from tests.integration.kit import CODE_COLUMNS, cases, code_row, put, run
from tests.integration.test_audited import audited

TRIAL = "cn-trial"
MARK = "试运行数据请勿统计"
SITE = """
[override."case.nation"]
filter = "all"
"""


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The program, as it would be called: code, stdout, stderr. In English."""
    code = program(["--lang", "en", *arguments])
    told = capsys.readouterr()
    texts.use("zh")
    return code, told.out, told.err


def everything(member: Member) -> bytes:
    """Every byte of a home but the archive."""
    files = [p for p in member.home.rglob("*") if p.is_file() and ARCHIVE not in p.relative_to(member.home).parts]
    return b"".join(path.read_bytes() for path in files)


async def _ids(member: Member) -> set[str]:
    _, rows = await (await member.client()).query("case", columns=("case_id",))
    return {str(row[0]) for row in rows}


def test_a_trial_goes_live_with_its_settings_and_without_its_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three real nodes: rows of the trial, then live ones. No row, entry or key of the trial is in the live homes; the
    trial can still be looked at where it was put; addresses, datasets and publications stay as they were set."""

    async def work() -> None:
        net = Topology(tmp_path, federation=TRIAL, catalogue=SITE)
        async with net:
            await put(net["city"], cases(5, text=MARK))
            await net.level()
            status = await net["nation"].status()
            assert status["trial"] is True
            assert MARK.encode() in everything(net["nation"])
        before = {name: load_file(member.home / CONFIG_NAME) for name, member in net.members.items()}
        for member in net.members.values():
            assert call(capsys, "--home", str(member.home), "go-live", "--dry-run")[0] == 0
            assert (member.home / CONFIG_NAME).exists()
        root = str(tmp_path / "live-root")
        nation = net["nation"]
        live = ("--federation", "cn-live", "--root-dir", root)
        code, _, told = call(capsys, "--home", str(nation.home), "go-live", *live)
        assert (code, "TRIAL federation 'cn-trial'" in told) == (0, True)
        nation.node = "n100000.cn-live"
        await nation.start()
        for place in THREE[1:]:
            member, above = net[place.name], net[place.parent]
            made = await above.command(
                "invite.make", profile=place.tier, region=place.region, title=place.title, approval="automatic"
            )
            invite = tmp_path / f"{place.name}.txt"
            invite.write_text(str(made["invite"]), "utf-8")
            code, out, err = await _in_thread(capsys, member, f"@{invite}")
            assert code == 0, out + err
            member.node = load_file(member.home / CONFIG_NAME).node.node_id
            await member.start()
            await member.until(lambda s: any(link["phase"] == "exchange" for link in s["links"]))
        try:
            await put(net["city"], cases(3, first=100, text="正式数据"))
            await net.level()
            for name, member in net.members.items():
                assert await _ids(member) == {"3301-000100", "3301-000101", "3301-000102"}, name
                status = await member.status()
                assert (status["trial"], status["federation"]) == (False, "cn-live")
                assert not any(TRIAL in feed["feed"] for feed in status["feeds"])
                assert MARK.encode() not in everything(member)
                after = load_file(member.home / CONFIG_NAME)
                assert replace(after, node=before[name].node, parent=before[name].parent) == before[name]
                assert not (member.home / KEPT).exists()
        finally:
            await net.stop()
        for name, member in net.members.items():
            assert fsck(member).sound
            (old,) = (member.home / ARCHIVE).iterdir()
            assert load_file(old / CONFIG_NAME) == before[name]
            code, out, _ = call(capsys, "--home", str(old), "query", "case", "--json")
            assert (code, len(json.loads(out)["rows"])) == (0, 5)
            assert call(capsys, "--home", str(old), "audit", "verify")[0] == 0
            assert [line["event"] for line in _audit(old)][-2:] == ["trial_ended", "rows_read"]

    run(work())


def _audit(home: Path) -> list[dict[str, Any]]:
    return list(audit.read(home / audit.FOLDER))


async def _in_thread(capsys: pytest.CaptureFixture[str], member: Member, invite: str) -> tuple[int, str, str]:
    """go-live beside the parent, which runs in this loop."""
    return await asyncio.to_thread(call, capsys, "--home", str(member.home), "go-live", invite)


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """The home of a trial's nation with five cases' worth of settings, stopped."""
    net = Topology(tmp_path, THREE[:1], federation=TRIAL, catalogue=SITE)

    async def work() -> None:
        async with net:
            pass

    run(work())
    return net["nation"].home


def test_a_crash_in_the_middle_is_gone_on_with(trial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever file was moved last: the same again brings the same end, in the archive that was begun."""
    told = ("sources/hotline.toml", "sources/hotline.password", "webhooks/cim.secret", "notify/duty.secret")
    for name in told:
        (trial / name).parent.mkdir(exist_ok=True)
        (trial / name).write_text(name, "utf-8")
    names = {p.name for p in trial.iterdir()}
    plain, left = Path.rename, [len(names) // 2]

    def rename(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return plain(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            put_aside(trial, SystemClock())
    assert (trial / Begun.GOING_LIVE.value).exists()
    put_aside(trial, SystemClock())
    (archive,) = (trial / ARCHIVE).iterdir()
    assert {p.name for p in archive.iterdir()} >= names - {"home.lock"}
    assert {p.name for p in trial.iterdir()} == {ARCHIVE, KEPT, "home.lock"}
    assert (trial / KEPT / "site.toml").read_text("utf-8") == SITE
    put_back(trial)
    for name in told:
        assert ((trial / name).read_text("utf-8"), (trial / name).stat().st_mode & 0o777) == (name, 0o600)
    assert archive.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--federation", "cn-live"), "--root-dir"),
        (("--federation", "other-trial", "--root-dir", "/nowhere"), "is a trial again"),
        (("tsinvite1:nonsense",), "invite"),
    ],
)
def test_what_cannot_come_next_changes_nothing(
    trial: Path, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], said: str
) -> None:
    """It is asked before anything is moved."""
    before = sorted(p.name for p in trial.iterdir())
    code, out, err = call(capsys, "--home", str(trial), "go-live", *arguments)
    assert code != 0
    assert said in out + err
    assert sorted(p.name for p in trial.iterdir()) == before


def test_a_live_node_has_no_trial_to_end(tmp_path: Path) -> None:
    """Its home stays as it is."""

    async def work() -> None:
        async with Topology(tmp_path, THREE[:1]) as net:
            with pytest.raises(UserFault, match="is no node of a trial"):
                plan(net["nation"].home, SystemClock())
            assert audited(net["nation"], "trial_ended") == []

    run(work())


def test_a_file_named_in_the_settings_that_says_the_trial_s_name_is_pointed_out(trial: Path) -> None:
    """An addressee of a publication, say, is another node then."""
    (trial / "site.toml").write_text(f"# to p330000.{TRIAL}\n{SITE}", "utf-8")
    assert plan(trial, SystemClock()).named == ("site.toml",)


def test_whatever_leaves_a_trial_as_a_file_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each row of an export, a workbook's sheet, the statement's title, each command; and a live node lets none in."""

    async def work() -> None:
        async with (
            Topology(tmp_path / "t", THREE[:1], federation=TRIAL) as net,
            Topology(tmp_path / "l", THREE[:1]) as on,
        ):
            home, live = str(net["nation"].home), str(on["nation"].home)

            def tell(*arguments: str) -> tuple[int, str, str]:
                return call(capsys, "--home", home, *arguments)

            assert (await net["nation"].put("class_code", CODE_COLUMNS, [code_row("x", "1")])).accepted == 1
            for kind in ("csv", "jsonl", "xlsx"):
                file = tmp_path / f"codes.{kind}"
                code, _, err = await asyncio.to_thread(tell, "export", "class_code", "--output", str(file))
                assert (code, "TRIAL federation" in err) == (0, True), err
            with (tmp_path / "codes.csv").open(encoding="utf-8") as lines:
                assert [one["_trial"] for one in csv.DictReader(lines)] == [TRIAL]
            assert json.loads((tmp_path / "codes.jsonl").read_text("utf-8"))["_trial"] == TRIAL
            assert load_workbook(tmp_path / "codes.xlsx").sheetnames == ["TRIAL class_code"]
            _, out, _ = await asyncio.to_thread(tell, "statement")
            assert "TRIAL" in out
            assert "TRIAL" in (await asyncio.to_thread(tell, "status"))[1]
            for kind in ("csv", "jsonl", "xlsx"):
                mapping = tmp_path / "m.toml"
                mapping.write_text(_mapping(kind), "utf-8")
                into = ("load", "class_code", str(tmp_path / f"codes.{kind}"), "--map", str(mapping))
                code, _, err = await asyncio.to_thread(call, capsys, "--home", live, *into)
                assert (code != 0, "was exported from the trial" in err) == (True, True), err
                assert (await asyncio.to_thread(tell, *into))[0] == 0
            status = await on["nation"].status()
            assert status["trial"] is False
            for member, marked in ((net["nation"], True), (on["nation"], False)):
                configure_http(member)
                await member.restart()
                async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as client:
                    page = await client.get(f"http://127.0.0.1:{port_of(member)}/", headers={"accept": "text/html"})
                assert ('class="trial"' in page.text) is marked

    run(work())


def _mapping(kind: str) -> str:
    columns = ("table_name", "code", "table_version", "name_zh", "is_extension", "status")
    named = "\n".join(f'{name} = "{name}"' for name in columns)
    return (
        f'name = "m"\ntitle = {{ zh = "a", en = "a" }}\ndataset = "class_code"\n'
        f'[source]\nformat = "{kind}"\n[columns]\n{named}\n'
    )
