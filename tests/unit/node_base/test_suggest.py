"""A drafted mapping: it binds as it stands, says what each guess rests on, and leaves to a person the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node import mappings
from node.faults import Code, UserFault
from node.loading.convert import Converter, Record, bind
from node.loading.dates import Stamp
from node.loading.found import Found
from node.loading.load import Loader
from node.loading.mapping import Source, parse
from node.loading.readers import records, survey
from node.loading.suggest import TODO, Draft, draft
from node.texts import current, use
from tests.unit.node_base import kit
from tests.unit.node_base.fakes import ListSink
from tests.unit.node_base.test_to_stat_info import CLOSED, COLUMNS

CITY = """任务号,案件编号,类型,问题来源,区,阶段,上报时间,结案日期,是否超期,处置部门,地址,经度,备用
T1,A1,事件,监督员上报,上城区,结案,2026/3/1 10:00,2026年3月2日,是,某街道,某路1号,120.12345,机密
T2,A2,部件,12345热线,西湖区,处理中,2026/3/1 11:00,,否,某街道,某路2号,120.12345,
"""


@pytest.fixture(autouse=True)
def _language() -> Iterator[None]:
    """The language is the process's: it is put back."""
    before = current().language
    yield
    use(before)


def _drafted(rows: list[Record], dataset: str = "case") -> tuple[Draft, Converter]:
    """A draft, and the mapping that it makes."""
    known = [parse(name, mappings.text(name), mappings.read_table) for name in mappings.names()]
    target = kit.catalogue().datasets[dataset]
    found = draft("in.csv", target, Source(), iter(rows), known)
    return found, bind("draft", parse("draft", found.text, kit.no_files), target)


def _of_file(path: Path, dataset: str = "case") -> tuple[Draft, Converter]:
    at = survey(path, Source())
    with records(at, Source(), None) as rows:
        return _drafted([one.record for one in rows if isinstance(one, Found)], dataset)


def test_a_city_file_is_drafted_and_loads_once_a_person_has_filled_it_in(tmp_path: Path) -> None:
    """Names, titles, code values; as it stands no file has the columns that it asks for."""
    file = tmp_path / "in.csv"
    file.write_text(CITY, "utf-8")
    use("en")
    found, made = _of_file(file)
    placed = {guess.column: (guess.heading, guess.why) for guess in found.guesses}
    assert placed == {
        "case_id": ("案件编号", "similar"),
        "category": ("类型", "codes"),
        "source": ("问题来源", "title"),
        "division": ("区", "similar"),
        "state": ("阶段", "similar"),
        "reported_at": ("上报时间", "title"),
        "closed_at": ("结案日期", "similar"),
        "overtime": ("是否超期", "title"),
        "dispose_unit": ("处置部门", "similar"),
        "address_exact": ("地址", "similar"),
        "pos_lon": ("经度", "title"),
    }
    assert (found.missing, found.left) == (("supervised",), ("任务号", "备用"))
    with pytest.raises(UserFault) as met:
        Loader(file, made, kit.everything).run(ListSink())
    assert (met.value.code, f"{TODO} supervised" in str(met.value.message)) == (Code.FILE_HEADER, True)

    filled = found.text.replace(f'supervised = {{ from = "{TODO} supervised" }}', "supervised = { value = false }")
    for place, code in (("上城区", "330102"), ("西湖区", "330106"), ("12345热线", "hotline")):
        assert f'# "{place}" = ""' in filled
        filled = filled.replace(f'# "{place}" = ""', f'"{place}" = "{code}"')
    sink = ListSink()
    made = bind("draft", parse("draft", filled, kit.no_files), made.dataset)
    assert Loader(file, made, kit.everything).run(sink).counts.taken == 2
    first = dict(zip(made.dataset.schema.names, sink.rows()[0], strict=True))
    assert (first["state"], first["division"], first["closed_at"]) == ("closed", "330102", 1_772_380_800_000_000)


def test_values_of_people_stand_in_no_draft(tmp_path: Path) -> None:
    """Only codes and names of regions are quoted; what was not placed is named by its heading alone."""
    file = tmp_path / "in.csv"
    file.write_text(CITY, "utf-8")
    text = _of_file(file)[0].text
    assert not [word for word in ("某路", "机密", "某街道", "T1", "120.1") if word in text]


def test_column_names_of_many_city_systems_are_known() -> None:
    """The headings of the built-in mappings are hints for others."""
    found, _ = _drafted([{name: CLOSED.get(name) for name in COLUMNS}])
    placed = {guess.column: guess.heading for guess in found.guesses}
    wanted = {"case_id": "rec_id", "source_key": "task_num", "grid_code": "cell_id", "closed_at": "archive_time"}
    assert {name: placed.get(name) for name in wanted} == wanted


def test_what_the_types_of_a_file_tell() -> None:
    """Cells that are dates need no format; numbers of days, words for yes and no, lengths are seen."""
    row = {
        "id": "a",
        "day": Stamp("2026-03-01"),
        "at": "46082.5",
        "open": "有",
        "name": "十" * 20,
        "division": "330106001001",
    }
    found, made = _drafted([row], "x_small")
    assert 'at = { from = "at", dates = ["excel"] }' in found.text
    assert 'open = { from = "open", true = ["有"], false = ["无"] }' in found.text
    assert 'name = { from = "name", cut = 10 }' in found.text
    cells = dict(zip(made.dataset.schema.names, made.row(row, ""), strict=True))
    assert (cells["day"], cells["at"], cells["open"]) == ("2026-03-01", 1_772_337_600_000_000, True)


def test_a_moment_is_placed_by_its_type_if_there_is_but_one() -> None:
    """Two of them are left to a person."""
    found, _ = _drafted([{"x": "2026-03-01 10:00:00", "y": "12"}])
    assert [(g.column, g.heading, g.why) for g in found.guesses] == [("reported_at", "x", "type")]
    found, _ = _drafted([{"x": "2026-03-01 10:00:00", "y": "2026-03-01"}])
    assert not found.guesses


headings = st.one_of(
    st.text(max_size=12),
    st.sampled_from([f.column.name for f in kit.catalogue().datasets["case"].fields]),
    st.sampled_from([f.title_zh for f in kit.catalogue().datasets["case"].fields]),
    st.sampled_from(["id", "day", "at", "kind", "open", "区", '"', "\n", "#", "\x7f", "]"]),
)
values = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.sampled_from(
        ["2026-03-01", "330106", "是", "结案", "a", "甲", "1", "46082", "1.5", "\x7f", '"""', "2026/3/1 1:00"]
    ),
)


@settings(max_examples=200)
@given(
    st.lists(st.dictionaries(headings, values, max_size=8), max_size=4),
    st.sampled_from(["case", "x_small", "org_unit"]),
)
def test_any_draft_is_a_mapping_of_its_dataset(rows: list[dict[str, str | None]], dataset: str) -> None:
    """Whatever the file holds, in both languages: the draft is read and bound."""
    for language in ("en", "zh"):
        use(language)
        found, made = _drafted(list(rows), dataset)
        assert {rule.target for rule in made.mapping.rules} == {g.column for g in found.guesses} | set(found.missing)
