"""What `tiersync preview` says of changed settings is what the next start then does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node.app import read_catalogue
from node.cli.doctor import examine
from node.cli.session import Session
from node.commands.stopped import reader_of
from node.config import CONFIG_NAME, Config, DataSection, Publication, load_file, render
from node.faults import Manner
from node.preview import held_back, preview
from node.testing import Member, Topology
from sync.chain import open_content
from sync.rows import EndKind, RowBatch, key_getter, key_text
from sync.values import Kind
from sync.wire.v1.entry_pb2 import EntryHeader
from tests.integration.kit import cases, put, run
from tiers.faults import CatalogueFault

SITE = "site.toml"
PLAN = """
[dataset.x_plan]
version = 1
owner = ["city"]
zh = "计划"
en = "Plan"
definition = "A plan."
definition_zh = "一个计划。"
cadence = ["on_change"]
key = ["plan_id"]
fields = [
  {{ name = "plan_id", type = "text", nullable = false, zh = "编号", en = "Id", definition = "No.", example = "1" }},
  {{ name = "title", type = "text", length = 40, zh = "名称", en = "Title", definition = "Its name.", example = "a" }},
  {{ name = "phone", type = "text", length = 40{held}, zh = "电话", en = "Phone", definition = "No.", example = "1" }},
]

[publication."x_plan.parent"]
route = "parent"
lane = "normal"
columns = [{columns}]
"""


def site(columns: str, *, held: bool = True) -> str:
    return PLAN.format(columns=columns, held=", held_back = true" if held else "")


def said(member: Member, since: dict[str, int]) -> dict[tuple[str, str], dict[str, list[str]]]:
    """What own feeds said above these heads: keys put and ended, by publication and addressee."""
    config = load_file(member.home / CONFIG_NAME)
    catalogue = read_catalogue(member.home, config)
    reader = reader_of(member.home, catalogue)
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    try:
        for state in reader.feeds():
            if state.name.origin != member.node:
                continue
            told = found.setdefault(
                (state.name.publication, state.name.addressee), {"puts": [], "left": [], "void": []}
            )
            for entry in reader.entries(state.name, state.head.epoch, since.get(str(state.name), 0) + 1, 1 << 24, 4096):
                header = EntryHeader.FromString(entry.header)
                if int(header.kind) != Kind.RECORDS:
                    continue
                batch = open_content(header, entry.payload, lambda _, dataset: catalogue.schema("", dataset))
                assert isinstance(batch, RowBatch)
                key_of = key_getter(catalogue.datasets[batch.dataset].schema, batch.columns)
                told["puts"] += [key_text(key_of(row)) for row in batch.puts]
                for end in batch.ends:
                    told["left" if end.kind is EndKind.LEFT else "void"].append(key_text(end.key))
    finally:
        reader.close()
    return {name: told for name, told in found.items() if any(told.values())}


def heads(member: Member) -> dict[str, int]:
    config = load_file(member.home / CONFIG_NAME)
    reader = reader_of(member.home, read_catalogue(member.home, config))
    try:
        return {str(state.name): state.head.seq for state in reader.feeds()}
    finally:
        reader.close()


def foreseen(member: Member, config: Config | None = None, files: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The preview, with all keys."""
    now = load_file(member.home / CONFIG_NAME)
    wanted = config or now
    held_now = held_back(read_catalogue(member.home, now))
    changed = read_catalogue(member.home, wanted, files)
    return preview(member.home, wanted, changed, held_now, 1_000, lambda *_: None)


def as_said(found: dict[str, Any]) -> dict[tuple[str, str], dict[str, list[str]]]:
    """A preview in the shape of `said`."""
    return {
        (one["publication"], one["addressee"]): {
            "puts": [key for kind in ("arrive", "change", "again") for key in one[kind]["keys"]],
            "left": one["leave"]["keys"],
            "void": one["void"]["keys"],
        }
        for one in found["feeds"]
    }


def ordered(told: dict[tuple[str, str], dict[str, list[str]]]) -> dict[tuple[str, str], dict[str, list[str]]]:
    return {name: {kind: sorted(keys) for kind, keys in kinds.items()} for name, kinds in told.items()}


def with_filter(member: Member, setting: str) -> Config:
    now = load_file(member.home / CONFIG_NAME)
    return replace(now, publications={"case.nation": Publication(setting)})


async def follow(net: Topology, member: Member, config: Config) -> dict[tuple[str, str], dict[str, list[str]]]:
    """What the node says by itself at its next start with these settings."""
    await member.stop()
    before = heads(member)
    (member.home / CONFIG_NAME).write_text(render(config), "utf-8")
    await member.start()
    await net.level()
    return said(member, before)


@pytest.mark.parametrize("is_running", [True, False])
def test_what_is_foreseen_is_what_is_done(tmp_path: Path, is_running: bool) -> None:
    """Widened, narrowed: each key that goes out, anew too, and each that is taken back, feed by feed; nothing is
    written meanwhile."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            await put(city, [*cases(3), *cases(2, first=4, supervised=True)])
            await net.level()
            for setting, rows in (("all", ("arrive", 3)), ("default", ("leave", 3))):
                wanted = with_filter(city, setting)
                if not is_running:
                    await city.stop()
                before = heads(city)
                found = foreseen(city, wanted)
                assert heads(city) == before
                if not is_running:
                    await city.start()
                assert found["changed"] == ["case.nation"]
                (nation,) = (one for one in found["feeds"] if one["publication"] == "case.nation")
                assert nation[rows[0]]["rows"] == rows[1]
                done = await follow(net, city, wanted)
                assert ordered(as_said(found)) == ordered(done)
                assert not foreseen(city)["changed"]

    run(work())


def test_columns_that_would_newly_leave_are_named_and_held_back_ones_are_refused(tmp_path: Path) -> None:
    """A column more changes each row that is there; one that must stay is a mistake of the file; one that a changed
    file no longer holds back is pointed out."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            (city.home / SITE).write_text(site('"plan_id"'), "utf-8")
            data = replace(load_file(city.home / CONFIG_NAME).data, catalogue=(SITE,))
            now = replace(load_file(city.home / CONFIG_NAME), data=data)
            await follow(net, city, now)
            await city.put(
                "x_plan", ("plan_id", "title", "phone"), [("p1", "a", "1"), ("p2", "b", None), ("p3", None, "3")]
            )
            new = tmp_path / "new" / SITE
            new.parent.mkdir()
            new.write_text(site('"plan_id", "title"'), "utf-8")
            (one,) = foreseen(city, files=(new,))["feeds"]
            assert (one["columns_new"], one["columns_freed"], one["columns_gone"]) == (["title"], [], [])
            assert one["change"] == {"rows": 2, "keys": ['["p1"]', '["p2"]']}
            assert [one[kind]["rows"] for kind in ("arrive", "again", "leave", "void")] == [0, 0, 0, 0]
            new.write_text(site('"plan_id", "phone"'), "utf-8")
            with pytest.raises(CatalogueFault, match="phone"):
                foreseen(city, files=(new,))
            new.write_text(site('"plan_id", "phone"', held=False), "utf-8")
            (one,) = foreseen(city, files=(new,))["feeds"]
            assert one["columns_freed"] == ["phone"]

    run(work())


def test_a_publication_that_ends_and_a_dataset_that_may_not_end_yet(tmp_path: Path) -> None:
    """Without its publication all that it said is taken back; without the dataset the start would refuse, and so does
    the preview."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            whole = site('"plan_id", "title"')
            (city.home / SITE).write_text(whole, "utf-8")
            now = load_file(city.home / CONFIG_NAME)
            await follow(net, city, replace(now, data=DataSection(catalogue=(SITE,))))
            await city.put("x_plan", ("plan_id", "title"), [("p1", "a"), ("p2", "b")])
            await net.level()
            with pytest.raises(CatalogueFault, match="no longer declared"):
                foreseen(city, now)
            (city.home / SITE).write_text(whole[: whole.index("[publication")], "utf-8")
            found = foreseen(city)
            assert found["changed"] == ["x_plan.parent"]
            (one,) = found["feeds"]
            assert (one["leave"]["rows"], one["columns_new"], one["waiting"]) == (2, [], 0)
            done = await follow(net, city, load_file(city.home / CONFIG_NAME))
            assert ordered(as_said(found)) == ordered(done)

    run(work())


def test_datasets_that_did_more_than_add_are_refused_before_the_start(tmp_path: Path) -> None:
    """The preview and the doctor say what the start would: E1014."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            (city.home / SITE).write_text(site('"plan_id"'), "utf-8")
            now = load_file(city.home / CONFIG_NAME)
            await follow(net, city, replace(now, data=DataSection(catalogue=(SITE,))))
            (city.home / SITE).write_text(site('"plan_id"').replace("length = 40, zh", "length = 20, zh"), "utf-8")
            assert any("x_plan" in line for line in foreseen(city)["refused"])
            session = Session(Manner())
            session.home_given = city.home
            findings = await asyncio.to_thread(examine, session)
            assert any(str(f.name) == "catalogue" and f.verdict == "bad" for f in findings)

    run(work())
