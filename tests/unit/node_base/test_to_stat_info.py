"""The mapping for the case table that many city systems share: rows with all of its columns, as domain knowledge lists
them.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from node.loading.load import Report
from node.texts import translator
from sync.payload import check_cell
from tests.unit.node_base import kit
from tests.unit.node_base.fakes import ListSink

_PAIRS: Final = ("event_src", "rec_type", "event_type", "main_type", "sub_type", "event_state", "dispose_unit")
_PLACES: Final = ("city", "district", "street", "community")
_MEASURES: Final = [
    "report_num",
    "operate_num",
    "inst_num",
    "dispatch_num",
    "need_dispose_num",
    "dispose_num",
    "intime_dispose_num",
    "overtime_dispose_num",
    "to_dispose_num",
    "need_archive_num",
    "archive_num",
    "intime_archive_num",
    "overtime_archive_num",
    "intime_to_archive_num",
    "rework_num",
    "postpone_num",
    "hang_num",
    "cancel_num",
    "patrol_report_num",
    "public_report_num",
    "valid_report_num",
]
_TIMES: Final = [
    "dispose_deadline",
    "dispose_begin_time",
    "dispose_end_time",
    "inst_time",
    "dispatch_time",
    "archive_time",
]
COLUMNS: Final = [
    *("rec_id", "task_num", "create_time", "cell_id", "duty_grid_id", "address", "event_desc"),
    *("coordinate_x", "coordinate_y", "event_grade", "event_level"),
    *(f"{name}_{part}" for name in (*_PAIRS, *_PLACES) for part in ("id", "name")),
    *(f"{place}_unit_{part}" for place in ("first", "second", "third") for part in ("id", "name")),
    *_TIMES,
    *_MEASURES,
]
CLOSED: Final = {
    **dict.fromkeys(_MEASURES, "0"),
    "rec_id": "20260301000123",
    "task_num": "杭城管〔2026〕123号",
    "create_time": "2026-03-01 10:00:00",
    "event_src_id": "1",
    "event_src_name": "监督员上报",
    "event_type_id": "2",
    "event_type_name": "事件",
    "sub_type_id": "0110",
    "sub_type_name": "暴露生活垃圾",
    "cell_id": "330106001001001",
    "address": "某路 1 号门前",
    "event_desc": "举报人王某称有垃圾",
    "coordinate_x": "120.123456",
    "coordinate_y": "30.287654",
    "event_state_id": "6",
    "event_state_name": "结案",
    "dispose_unit_name": "某街道办事处",
    "dispose_deadline": "2026-03-02 10:00:00",
    "dispose_end_time": "2026-03-01 18:00:00.0",
    "inst_time": "2026/3/1 10:05",
    "dispatch_time": "2026-03-01 10:10:00",
    "archive_time": "2026-03-01 20:00:00",
    "overtime_dispose_num": "0",
    "rework_num": "1",
    "postpone_num": "0",
}
HOUR: Final = 3_600_000_000
TEN: Final = 1_772_330_400_000_000


def _csv(*changes: dict[str, str]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows({**CLOSED, "rec_id": str(n), **change} for n, change in enumerate(changes))
    return out.getvalue().encode("gb18030")


def _load(folder: Path, content: bytes, name: str = "in.csv") -> tuple[Report, list[dict[str, object]]]:
    made, sink = kit.builtin("to_stat_info"), ListSink()
    report = kit.loader(folder, content, made, name).run(sink)
    return report, [dict(zip(made.dataset.schema.names, row, strict=True)) for row in sink.rows()]


def test_a_closed_case_in_full(tmp_path: Path) -> None:
    """Cell by cell; what names people or an exact place lies in held-back columns, and nowhere else."""
    report, (row,) = _load(tmp_path, _csv({}))
    made = kit.builtin("to_stat_info")
    assert (report.encoding, report.counts.taken) == ("gb18030", 1)
    filled = {name: cell for name, cell in row.items() if cell is not None}
    held = {name: filled.pop(name) for name in list(filled) if name in made.dataset.held_back}
    assert filled == {
        "case_id": "0",
        "source_key": "杭城管〔2026〕123号",
        "case_no": "杭城管〔2026〕123号",
        "category": "event",
        "class_scheme": "local:to_stat_info",
        "class_version": 1,
        "class_code": "0110",
        "source": "inspector",
        "division": "330106",
        "street_code": "330106001",
        "grid_code": "330106001001001",
        "state": "closed",
        "reported_at": TEN,
        "registered_at": TEN + HOUR // 12,
        "dispatched_at": TEN + HOUR // 6,
        "handled_at": TEN + 8 * HOUR,
        "closed_at": TEN + 10 * HOUR,
        "dispose_unit": "某街道办事处",
        "deadline": TEN + 24 * HOUR,
        "overtime": False,
        "rework_count": 1,
        "postpone_count": 0,
        "supervised": False,
        "pos_lon": 120.123,
        "pos_lat": 30.288,
    }
    assert held == {
        "address_exact": "某路 1 号门前",
        "description": "举报人王某称有垃圾",
        "pos_lon_exact": 120.123456,
        "pos_lat_exact": 30.287654,
    }
    assert not [f for f in made.dataset.fields if check_cell(f.column, row[f.column.name]) is not None]


STATES: Final = {
    "1": "reported",
    "3": "registered",
    "4": "handling",
    "5": "checking",
    "6": "closed",
    "7": "cancelled",
    "8": "suspended",
    "9": "handling",
}


def test_every_stage_has_its_state_and_none_makes_a_case_supervised(tmp_path: Path) -> None:
    """A mark of the source system sends no detail to the nation."""
    _, rows = _load(tmp_path, _csv(*({"event_state_id": stage} for stage in STATES)))
    assert [row["state"] for row in rows] == list(STATES.values())
    assert not any(row["supervised"] for row in rows)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event_state_id": "2"}, "column 'state': '2' is not in 'state'"),
        ({"cell_id": ""}, "column 'division' is empty"),
        ({"event_type_name": "咨询"}, "column 'category': '咨询' is not in 'category'"),
        ({"create_time": "昨天"}, "column 'reported_at': '昨天' fits no date format of the mapping: %Y-%m-%d"),
        ({"overtime_dispose_num": "2"}, "column 'overtime': '2' is not boolean"),
    ],
)
def test_what_is_not_known_is_rejected_beside_good_rows(change: dict[str, str], reason: str, tmp_path: Path) -> None:
    """A stage without a meaning, a case without a place: never guessed."""
    report, rows = _load(tmp_path, _csv({}, change, {}))
    assert [row["case_id"] for row in rows] == ["0", "2"]
    (rejected,) = report.rejects
    assert rejected.line == 3
    assert rejected.detail.say(translator("en")).startswith(reason)


def test_plane_coordinates_stay_at_home(tmp_path: Path) -> None:
    """Metres are exact however they are rounded: the published position stays empty."""
    _, (row,) = _load(tmp_path, _csv({"coordinate_x": "40512345.67", "coordinate_y": "3345678.9"}))
    assert (row["pos_lon"], row["pos_lat"], row["pos_lon_exact"]) == (None, None, 40512345.67)


def test_other_sources_and_grids(tmp_path: Path) -> None:
    """A source that is not listed is "other"; a grid code of another length still names its county."""
    _, (one, two) = _load(tmp_path, _csv({"event_src_name": "江门信"}, {"cell_id": "3301060010010012"}))
    assert one["source"] == "other"
    assert (two["division"], two["street_code"], two["grid_code"]) == ("330106", None, "3301060010010012")


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.xlsx", "in.parquet"])
def test_the_same_table_in_capitals(name: str, tmp_path: Path) -> None:
    """Some databases write all column names in capitals."""
    row = {column.upper(): CLOSED.get(column, "") for column in COLUMNS}
    book, out = Workbook(), io.BytesIO()
    if name == "in.xlsx":
        book.active.append(list(row))
        book.active.append(list(row.values()))
        book.save(out)
    elif name == "in.parquet":
        pq.write_table(pa.table({column: [value] for column, value in row.items()}), out)
    else:
        lines = [json.dumps(row)] if name == "in.jsonl" else [",".join(row), ",".join(row.values())]
        out.write("\n".join(lines).encode())
    _, (loaded,) = _load(tmp_path, out.getvalue(), name)
    assert (loaded["case_id"], loaded["state"], loaded["dispatched_at"]) == (
        "20260301000123",
        "closed",
        TEN + HOUR // 6,
    )


def test_the_same_table_as_a_workbook(tmp_path: Path) -> None:
    """The mapping names no format: what the table was exported to decides."""
    book, out = Workbook(), io.BytesIO()
    book.active.append(COLUMNS)
    book.active.append([CLOSED.get(name) for name in COLUMNS])
    book.save(out)
    report, (row,) = _load(tmp_path, out.getvalue(), "in.xlsx")
    assert (report.format, row["case_id"], row["reported_at"]) == ("xlsx", "20260301000123", TEN)
