"""What must stay at a city stays: real records, marked in every held-back column, are looked for in all that the
province and the nation hold. And the search is worth something: it finds a leak that was planted.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from node.demo.reader import catalogue_of, held_back_cells
from node.demo.stages import demo_input, load
from node.testing import Topology
from node.testing.leaks import Canary, float_canary, scan_home, text_canary
from sync.values import Row
from tests.integration.kit import (
    CODE_COLUMNS,
    COLUMNS,
    THREE_UP,
    cases,
    code_row,
    node_of,
    publish_all_columns,
    run,
    same_cases,
    seq,
)

MARKED_EVERY = 40
SUPERVISED_EVERY = 80
ROWS_AT_ONCE = 200
LEAKY = """
[dataset.x_notice]
version = 1
zh = "现场记录"
en = "Site notes"
definition = "A copy of case whose author forgot to hold the free text back."
definition_zh = "测试用。"
cadence = ["daily"]
owner = ["city"]
key = ["note_id"]
classification = "internal"
source_unit = "城市管理主管部门"
sharing = "conditional"
fields = [
  { name = "note_id", type = "text", length = 64, nullable = false, zh = "标识", en = "Id" },
  { name = "description", type = "text", length = 4000, zh = "问题描述", en = "Description" },
  { name = "pos_lon_exact", type = "float", zh = "精确经度", en = "Exact longitude", unit = "degree" },
]

[publication."x_notice.parent"]
route = "parent"
lane = "normal"
"""


def _mark(place: int, column: str) -> str | float:
    """A value that stands nowhere else in the world."""
    if column.startswith("pos_"):
        return (28.29401771 if "lat" in column else 118.29401771) + place * 1e-7
    return f"金丝雀{place:05d}-{column}-canary"


def _canaries(column: str, value: object) -> Canary:
    if isinstance(value, float):
        return float_canary(column, value)
    assert isinstance(value, str)
    return text_canary(column, value)


def _marked(columns: Sequence[str], rows: Sequence[Row], held_back: Sequence[str]) -> tuple[list[Row], list[Canary]]:
    """Rows with some of them marked in every held-back column, and some of those supervised: they go to the nation."""
    at = {name: i for i, name in enumerate(columns)}
    marked: list[Row] = []
    canaries: list[Canary] = []
    for place in range(0, len(rows), MARKED_EVERY):
        cells: list[Any] = list(rows[place])
        cells[at["supervised"]] = place % SUPERVISED_EVERY == 0
        for column in held_back:
            if column == "anonymous":
                cells[at[column]] = place % 2 == 0
                continue
            cells[at[column]] = _mark(place, column)[:30] if column == "reporter_phone" else _mark(place, column)
            canaries.append(_canaries(column, cells[at[column]]))
        marked.append(tuple(cells))
    return marked, canaries


def test_held_back_columns_of_real_records_are_nowhere_above_their_city(tmp_path: Path) -> None:
    """Log, outbox, payloads, tables, WAL, logs and audit of province and nation hold no held-back column, no mark.

    The city's own store holds every one of them, so the search can see.
    """

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, nation = net["city"], net["nation"]
            case = catalogue_of(city).datasets["case"]
            held_back = sorted(case.held_back)
            classes = await load(nation, "class_code", "class_code", _class_codes())
            await city.until(lambda s: seq(s, f"{nation.node}/class_code.all") > 0)
            report = await load(city, "case", "myla311", demo_input())
            assert report["taken"] > 500
            assert classes["taken"] > 0
            columns, rows = await (await city.client()).query("case")
            marked, canaries = _marked(columns, rows, held_back)
            for start in range(0, len(marked), ROWS_AT_ONCE):
                assert not (await city.put("case", columns, marked[start : start + ROWS_AT_ONCE])).rejected
            await net.level()
            assert same_cases(net, "city", THREE_UP) > len(rows)
            kept = held_back_cells(city, case, city.node)
            assert all(kept[column] for column in held_back), kept
            for name in ("province", "nation"):
                found = scan_home(net[name].home, canaries, case.held_back)
                assert found.leaks == []
                assert found.rows >= (len(rows) if name == "province" else len(marked) // 2)
                assert found.payloads > 3
                assert found.cells > (20_000 if name == "province" else 500)
                assert (net[name].home / "store.db-wal").stat().st_size > 0
                assert any((net[name].home / "logs").iterdir())
            at_home = scan_home(city.home, canaries, case.held_back)
            assert {leak.what for leak in at_home.leaks} == case.held_back
            # Even at the city they stand in its own tables only, never in what is published.
            assert not any("payload of" in leak.where or "columns of" in leak.where for leak in at_home.leaks)

    run(work())


def _class_codes() -> Path:
    return Path(str(resources.files("node.mappings") / "class_code_myla311.csv"))


def test_a_site_dataset_that_forgets_to_hold_back_is_found(tmp_path: Path) -> None:
    """A planted leak: a dataset of the site's own publishes the free text. Payload, table and files give it away."""

    async def work() -> None:
        async with Topology(tmp_path, catalogue=LEAKY) as net:
            text, longitude = "住在三楼的王女士-canary-0001", 120.15370042
            columns = ("note_id", "description", "pos_lon_exact")
            rows: list[Row] = [("n1", text, longitude), *((f"n{i}", "x" * 40, 1.5) for i in range(2, 60))]
            assert (await net["city"].put("x_notice", columns, rows)).accepted == len(rows)
            await net.level()
            canaries = [text_canary("text", text), float_canary("longitude", longitude)]
            found = scan_home(net["province"].home, canaries, {"description"})
            for what in ("text", "longitude"):
                assert found.found(what, "payload of entry")
                assert found.found(what, "of table rows_x_notice")
                assert found.found(what, "file store.db")
            assert found.found("description", "columns of entry")
            assert found.found("description", "table rows_x_notice")
            # It is a publication to the parent: the nation holds nothing of it.
            assert scan_home(net["nation"].home, canaries, {"description"}).leaks == []

    run(work())


def test_a_publisher_gone_wrong_is_found_even_though_its_rows_are_refused(
    tmp_path: Path,
) -> None:
    """A planted leak: a city's program publishes all columns. The province refuses the rows, which say so to the city;
    but their entry is kept, compressed, and the search finds it there.
    """
    mark = "上城区某弄某号-canary-0002"

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            publish_all_columns(node_of(city))
            rows = [(*row, mark) for row in cases(60)]
            assert (await city.put("case", (*COLUMNS, "address_exact"), rows)).accepted == 60
            status = await city.until(lambda s: any(h["reason"] == "HELD_BACK_PRESENT" for h in s["heard"]))
            assert status["heard"][0]["detail"].startswith("column '")
            found = scan_home(province.home, [text_canary("address", mark)], {"address_exact"})
            assert found.found("address", "payload of entry")
            assert found.found("address", "inflated")
            assert found.found("address_exact", "columns of entry")
            assert not found.found("address", "of table rows_case")

    run(work())


def test_what_is_looked_for_is_found_in_every_form(tmp_path: Path) -> None:
    """Text and number in a row table, in the log file, and in the WAL before any checkpoint."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            nation = net["nation"]
            row = code_row("canary-table-77", "0110")
            assert (await nation.put("class_code", CODE_COLUMNS, [row])).accepted == 1
            await net.level()
            found = scan_home(net["city"].home, [text_canary("table", "canary-table-77")])
            assert found.found("table", "payload of entry")
            assert found.found("table", "table rows_class_code")
            assert found.found("table", "file store.db-wal")
            node_of(net["city"]).log.info("said", about="canary-in-the-log")
            found = scan_home(net["city"].home, [text_canary("log", "canary-in-the-log")])
            assert found.found("log", "file logs/")

    run(work())
