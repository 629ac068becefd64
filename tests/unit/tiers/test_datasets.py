"""What the built-in datasets must say and keep, one by one: reference/domain.md 9 as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest

from sync.judge import LocalRows
from sync.rows import RowBatch
from sync.schema import CellType
from sync.values import Cell, Lane, Route, Row
from tests.unit.tiers.kit import (
    CATALOGUE,
    CITY_STANDS,
    DISTRICT_STANDS,
    MUNICIPALITY_STANDS,
    NATION_STANDS,
    PROVINCE_STANDS,
    KnownFake,
    a_header,
    published,
    signer,
)
from tiers.dataset import SITE_PREFIX, Dataset, Field
from tiers.door import Door
from tiers.filters import compile_filter
from tiers.judging import TierJudge
from tiers.profile import Standing
from tiers.publishing import TierPublisher

STANDS = (NATION_STANDS, PROVINCE_STANDS, CITY_STANDS, MUNICIPALITY_STANDS, DISTRICT_STANDS)
CODES = KnownFake({"GBT30428.2-2013": ["0110"]})

SIXTEEN = (
    "admin_division",
    "class_code",
    "org_unit",
    "grid_cell",
    "component",
    "component_stat",
    "case",
    "case_stat",
    "monitor_device",
    "monitor_alarm",
    "operation_vitals",
    "eval_indicator",
    "eval_submission",
    "work_task",
    "supervision_item",
    "guidance_doc",
)
PARTS = ("work_task_report", "class_extension", "operation_vitals_stat", "task_stat")
"""Tables that hold what another writer says of a dataset's rows, adds to them, or makes of them."""
SHARED = ("calendar_day",)
"""Tables by which nodes reckon: limits run by the working calendar."""
SYSTEM = (
    "node_status",
    "taken_over",
    "service_catalogue",
    "subscription",
    "receipt",
    "reconciliation",
    "quality_issue",
    "quality_answer",
    "maintenance_window",
)

HELD_BACK = {
    "org_unit": {"names of staff": {"contact_name"}, "personal phones": {"contact_phone"}},
    "component": {"exact position": {"pos_lon_exact", "pos_lat_exact", "elevation"}, "note": {"note"}},
    "case": {
        "reporter's name": {"reporter_name"},
        "reporter's phone": {"reporter_phone"},
        "reporter's ID": {"reporter_id"},
        "reporter's account": {"reporter_account", "anonymous"},
        "recording": {"recording"},
        "exact address": {"address_exact"},
        "exact position": {"pos_lon_exact", "pos_lat_exact"},
        "free-text description": {"description"},
        "original photos, video, audio": {"original_media"},
        "names of inspector and handler": {"inspector_name", "handler_name"},
        "their phones": {"inspector_phone", "handler_phone"},
        "their tracks": {"inspector_track"},
        "the party in an enforcement case": {"enforcement_party"},
    },
    "monitor_device": {
        "exact position": {"pos_lon_exact", "pos_lat_exact"},
        "network address": {"network_address"},
        "thresholds": {"thresholds"},
        "raw series": {"raw_series"},
    },
    "monitor_alarm": {"exact position": {"pos_lon_exact", "pos_lat_exact"}, "device readings": {"readings"}},
    "eval_submission": {
        "raw answers": {"questionnaire_answers"},
        "respondent data": {"respondents"},
        "field-check staff": {"field_staff"},
    },
    "supervision_item": {"inspectors' names": {"inspector_names"}},
}
"""By dataset: what reference/domain.md 9 lists as held back, and the columns that hold it. Others hold nothing back:
a boundary (grid_cell) goes to provinces alone, and small cells (case_stat) have no column; both have tests below."""

DATASETS = list(CATALOGUE.datasets.values())
by_dataset = pytest.mark.parametrize("dataset", DATASETS, ids=lambda d: d.id)


def test_the_catalogue_is_what_the_reference_lists() -> None:
    """Sixteen datasets, three tables that go with them, one to reckon by, eight system sets; none in a site's name
    space."""
    assert set(CATALOGUE.datasets) == {*SIXTEEN, *PARTS, *SHARED, *SYSTEM}
    assert not any(name.startswith(SITE_PREFIX) for name in CATALOGUE.datasets)


@by_dataset
def test_everything_is_said_in_both_languages(dataset: Dataset) -> None:
    """Titles, definitions, codes, checks; and each field has an example, so that nobody has to guess."""
    said = [dataset.title_zh, dataset.title_en, dataset.definition, dataset.definition_zh, dataset.source_unit]
    for field in dataset.fields:
        said += [field.title_zh, field.title_en, field.definition, field.definition_zh, field.example]
        said += chain.from_iterable((v.title_zh, v.title_en) for v in field.values)
    said += chain.from_iterable((c.title_zh, c.title_en) for c in dataset.checks)
    assert all(said)
    assert dataset.cadence
    assert dataset.definition.startswith("Proposal")
    assert dataset.definition_zh.startswith("建议稿")


@by_dataset
def test_no_list_of_codes_passes_for_the_standards(dataset: Dataset) -> None:
    """None is confirmed but the sharing classes, which the decree on sharing names."""
    for field in dataset.fields:
        if field.values and field.column.name != "sharing":
            assert "proposal" in field.definition, field.column.name
            assert "建议稿" in field.definition_zh, field.column.name


@by_dataset
def test_what_the_reference_holds_back_is_held_back(dataset: Dataset) -> None:
    """Exactly the columns of the table above, and none of them in any publication."""
    wanted: set[str] = set().union(*HELD_BACK.get(dataset.id, {}).values())
    assert dataset.held_back == wanted
    for publication in CATALOGUE.publications_of(dataset.id):
        assert not set(publication.columns) & wanted


@pytest.mark.parametrize("dataset", ["grid_cell", "monitor_device"])
def test_the_nation_gets_no_detail_of_what_it_should_only_count(dataset: str) -> None:
    """A municipality's parent is the nation, so its rows match nothing; those of a city go to its province."""
    (publication,) = CATALOGUE.publications_of(dataset)
    assert publication.route is Route.PARENT
    assert publication.filter is not None
    schema = CATALOGUE.datasets[dataset].schema
    matches = compile_filter(publication.filter, schema.names)
    row = dict.fromkeys(schema.names)

    def goes(division: str) -> bool:
        return matches(tuple({**row, "division": division}.values()))

    assert [code for code in ("110101", "120000", "310115", "500157") if goes(code)] == []
    assert all(goes(code) for code in ("130102", "320100", "330106", "429004", "510100", "659001"))


def test_statistics_name_no_place_below_a_county() -> None:
    """So no cell of a few cases, nor its absence, tells of a street."""
    for name in ("case_stat", "component_stat"):
        columns = set(CATALOGUE.datasets[name].schema.names)
        assert not columns & {"street_code", "community_code", "grid_code"}
        measures = [f for f in CATALOGUE.datasets[name].fields if f.column.type is CellType.INTEGER]
        assert measures
        assert all(f.column.nullable for f in measures), "not counted is not 0"


def test_each_audience_gets_what_is_meant_for_it() -> None:
    """Components go to nobody by themselves; alarms by level; policy down, experience up, drafts nowhere."""
    assert CATALOGUE.publications_of("component") == ()
    first, second = CATALOGUE.publications["monitor_alarm.level1"], CATALOGUE.publications["monitor_alarm.level2"]
    assert (first.lane, second.lane, first.route, second.route) == (
        Lane.URGENT,
        Lane.NORMAL,
        Route.ANCESTORS,
        Route.ANCESTORS,
    )
    assert _audiences("monitor_alarm", level="1") == {"level1"}
    assert _audiences("monitor_alarm", level="2") == {"level2"}
    assert _audiences("monitor_alarm", level="3") == set()
    assert _audiences("guidance_doc", kind="policy", status="published") == {"below"}
    assert _audiences("guidance_doc", kind="work_report", status="pending") == {"above"}
    assert _audiences("guidance_doc", kind="experience", status="draft") == set()
    assert _audiences("work_task", state="draft") == set()
    for name in ("admin_division", "class_code", "eval_indicator"):
        (down,) = CATALOGUE.publications_of(name)
        assert (down.route, down.filter) == (Route.DESCENDANTS, None)


def _audiences(name: str, **cells: Cell) -> set[str]:
    """The publications that the example row, with some cells set, belongs to."""
    dataset = CATALOGUE.datasets[name]
    row = example_row(dataset, **cells)
    found = CATALOGUE.publications_of(name)
    names = dataset.schema.names
    return {p.id.partition(".")[2] for p in found if p.filter is None or compile_filter(p.filter, names)(row)}


def test_only_what_concerns_no_sibling_goes_down() -> None:
    """Scores, supervision, status and quality of one node are not for its siblings; of maintenance only a node's own
    goes to those below it."""
    down = {p.dataset for p in CATALOGUE.publications.values() if p.route in (Route.DESCENDANTS, Route.EVERYWHERE)}
    assert down == {"admin_division", "calendar_day", "class_code", "eval_indicator", "guidance_doc"} | {
        "service_catalogue",
        "work_task",
        "maintenance_window",
    }


@by_dataset
def test_the_example_row_is_taken_by_its_owner_and_by_all_who_receive_it(dataset: Dataset) -> None:
    """A row of the fields' examples passes the door of each tier that owns the dataset, and the judge elsewhere."""
    owners = [s for s in STANDS if set(dataset.owner) & set(s.profile.tiers(s.parent))]
    assert owners
    as_written = example_row(dataset)
    assert dataset.region == "" or any(_covers(s, dataset, as_written) for s in owners)
    for stands in owners:
        row = example_row(dataset, **({dataset.region: stands.region} if dataset.region else {}))
        checked = Door(CATALOGUE, stands).check_local_rows(dataset.id, [row], CODES)
        assert checked.rejects == []
        assert checked.rows == [row]
        for out in TierPublisher(CATALOGUE, stands).publish(LocalRows(dataset.id, [row], [], {})):
            assert not dataset.held_back & set(out.columns)
        for publication in CATALOGUE.publications_of(dataset.id):
            batch = RowBatch(dataset.id, publication.columns, [published(row, publication.id)], [], [])
            header = a_header(publication.id, dataset.version)
            judged = TierJudge(CATALOGUE).records(header, batch, signer(stands), CODES)
            assert list(judged.bad) == []
            assert list(judged.puts) == batch.puts


def _covers(stands: Standing, dataset: Dataset, row: Row) -> bool:
    region = row[dataset.schema.names.index(dataset.region)]
    return isinstance(region, str) and stands.scope.covers(region, "")


def example_row(dataset: Dataset, **cells: Cell) -> Row:
    """A whole row of the fields' examples, with some cells set."""
    row = {field.column.name: example_cell(field) for field in dataset.fields}
    assert set(cells) <= set(row)
    return tuple({**row, **cells}.values())


def example_cell(field: Field) -> Cell:
    """The cell that a field's example stands for."""
    text = field.example
    match field.column.type:
        case CellType.INTEGER:
            return int(text)
        case CellType.FLOAT:
            return float(text)
        case CellType.BOOLEAN:
            return text == "true"
        case CellType.TIMESTAMP:
            return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        case _:
            return text
