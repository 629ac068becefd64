"""What a grant publishes: no more than was offered and asked for, and never a column that is held back."""

from __future__ import annotations

from typing import Any

import pytest

from sync.errors import InputFault
from sync.reasons import Reason
from sync.rows import RowBatch
from sync.values import Fate, Lane, Route
from sync.wire.v1.entry_pb2 import EntryHeader
from tests.unit.tiers.kit import CATALOGUE, CITY_STANDS, NOTHING_KNOWN, a_case, signer
from tiers.catalogue import Catalogue
from tiers.faults import CatalogueFault
from tiers.grants import Grant, check_wish, for_subscribers, grant_of, publication_of, read_rule
from tiers.judging import TierJudge
from tiers.publishing import TierPublisher

CASE = CATALOGUE.datasets["case"]
TO = "c330200.p330000.cn-demo"
CLOSED = '{"column": "state", "op": "=", "value": "closed"}'
ROW: dict[str, Any] = {
    "role": "owner",
    "state": "in_use",
    "provider": CITY_STANDS.node,
    "applicant": TO,
    "dataset": "case",
    "columns": "state,summary",
    "row_filter": None,
    "valid_to": "2026-12-31",
}


def test_every_dataset_has_a_publication_for_subscribers_that_nobody_declares() -> None:
    """With all columns that may leave; it sends nothing by itself."""
    for dataset in CATALOGUE.datasets.values():
        publication = CATALOGUE.publication(f"{dataset.id}.subscribers")
        assert publication is not None
        assert publication == for_subscribers(dataset)
        assert set(publication.columns) == set(dataset.schema.names) - dataset.held_back
        assert CATALOGUE.schema(publication.id, dataset.id) is dataset.schema
    assert not any("subscribers" in name for name in TierPublisher(CATALOGUE, CITY_STANDS).settings())
    declared = '[publication."case.subscribers"]\nroute = "parent"\n'
    with pytest.raises(CatalogueFault, match="it is not declared"):
        Catalogue.build([], [("site.toml", declared)])


def test_a_grant_carries_what_was_granted_and_what_rows_are_judged_by() -> None:
    publication = publication_of(Grant("case", TO, ("summary", "reporter_phone"), CLOSED), CASE)
    assert publication is not None
    assert publication.columns == CASE.whole(("summary",))
    assert set(publication.columns) == {
        *("case_id", "category", "source", "division", "state", "reported_at", "supervised", "summary")
    }
    assert (publication.route, publication.lane, publication.addressees) == (Route.NODE, Lane.BULK, (TO,))
    code = publication_of(Grant("case", TO, ("class_code",)), CASE)
    assert code is not None
    assert "class_scheme" in code.columns, "a code is judged by its table"


@pytest.mark.parametrize(
    "rule", ["[", '{"column": "gone", "op": "="}', CLOSED.replace("state", "reporter_name"), "[" * 9_000, '"\\ud800"']
)
def test_by_a_rule_that_cannot_be_read_nothing_is_sent(rule: str) -> None:
    assert publication_of(Grant("case", TO, ("summary",), rule), CASE) is None
    with pytest.raises(InputFault):
        read_rule(CASE, rule)
    publisher = TierPublisher(CATALOGUE, CITY_STANDS)
    before = publisher.settings()
    publisher.take(publisher.with_grants([Grant("case", TO, ("summary",), rule)]))
    assert publisher.settings() == before


@pytest.mark.parametrize(
    "grant", [Grant("gone", TO, ()), Grant("class_code", TO, ()), Grant("case", CITY_STANDS.node, ())]
)
def test_what_is_not_this_nodes_to_send_is_not_sent(grant: Grant) -> None:
    """A dataset that is gone, or another tier's; and nobody sends to itself."""
    publisher = TierPublisher(CATALOGUE, CITY_STANDS)
    assert publisher.settings(publisher.with_grants([grant])) == publisher.settings()


def test_one_grant_of_a_dataset_per_subscriber() -> None:
    publisher = TierPublisher(CATALOGUE, CITY_STANDS)
    publisher.take(publisher.with_grants([Grant("case", TO, ("summary",)), Grant("case", TO, ("state",))]))
    assert len(publisher.settings()["case.subscribers"]) == 1


@pytest.mark.parametrize(
    ("offered", "columns", "rule", "reason"),
    [
        ((), ("reporter_phone",), "", Reason.HELD_BACK_PRESENT),
        ((), ("gone",), "", Reason.UNKNOWN_COLUMN),
        (("state",), ("summary",), "", Reason.UNKNOWN_COLUMN),
        (("state",), (), CLOSED.replace("state", "summary"), Reason.UNKNOWN_COLUMN),
        ((), (), CLOSED.replace("state", "reporter_name"), Reason.HELD_BACK_PRESENT),
        ((), (), "nonsense", Reason.RULE_BROKEN),
    ],
)
def test_more_than_is_offered_is_not_granted(
    offered: tuple[str, ...], columns: tuple[str, ...], rule: str, reason: Reason
) -> None:
    with pytest.raises(InputFault) as fault:
        check_wish(CASE, offered, columns, rule)
    assert fault.value.reason is reason


def test_what_is_offered_may_be_asked_for() -> None:
    assert set(check_wish(CASE, (), (), "")) == set(CASE.schema.names) - CASE.held_back
    assert check_wish(CASE, ("summary",), (), CLOSED) == CASE.whole(("summary",))
    assert check_wish(CASE, ("summary", "street_code"), ("summary",), "") == CASE.whole(("summary",))


@pytest.mark.parametrize(
    ("cells", "granted"),
    [
        ({}, True),
        ({"valid_to": "2026-12-30"}, False),
        ({"valid_to": None}, False),
        ({"state": "granted"}, False),
        ({"state": "withdrawn"}, False),
        ({"role": "applicant"}, False),
        ({"provider": TO}, False),
        ({"applicant": "not a node"}, False),
    ],
)
def test_only_the_owners_row_grants_and_only_while_it_is_in_use(cells: dict[str, Any], granted: bool) -> None:
    found = grant_of({**ROW, **cells}, CITY_STANDS.node, "2026-12-31")
    assert found == (Grant("case", TO, ("state", "summary")) if granted else None)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (CASE.whole(("summary",)), None),
        ((*CASE.whole(()), "reporter_name"), Reason.HELD_BACK_PRESENT),
        (("case_id", "division", "reported_at"), Reason.RULE_BROKEN),
    ],
)
def test_a_subscriber_judges_rows_as_of_any_publication(columns: tuple[str, ...], reason: Reason | None) -> None:
    row = dict(zip(CASE.schema.names, a_case(), strict=True))
    batch = RowBatch("case", columns, [tuple(row[name] for name in columns)], [], [])
    header = EntryHeader(publication="case.subscribers", schema_version=CASE.version)
    found = TierJudge(CATALOGUE).records(header, batch, signer(CITY_STANDS), NOTHING_KNOWN)
    if reason is None:
        assert found.puts == batch.puts
    else:
        assert [(bad.fate, bad.reason) for bad in found.bad] == [(Fate.REFUSED, reason)]
