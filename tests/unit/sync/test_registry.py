"""The registry by itself: anchors, closings, and which scope judges a record."""

from __future__ import annotations

from typing import Any

import pytest

from sync.errors import InputFault
from sync.events import RegistryChange
from sync.reasons import Reason
from sync.registry import Registry, scope_to_wire
from sync.scope import Scope
from sync.wire.v1.entry_pb2 import AnchorBody, Closing, EpochConfirmation
from tests.unit.sync.stage import Stage
from tests.vectors.world import CITY, NATION, OTHER_PROVINCE, PROVINCE, anchor_body, key, record, registry

EPOCH, OTHER_EPOCH = b"e" * 16, b"o" * 16


def _closing(seq: int, epoch: bytes = EPOCH, publication: str = "case.parent") -> Closing:
    return Closing(publication=publication, epoch=epoch, seq=seq)


def _with(*closings: tuple[Closing, ...] | None) -> Registry:
    """Versions 3, 4 ... of the city, each closing the older ones with such a list, or not at all."""
    made = registry()
    for version, listed in enumerate(closings, start=3):
        fields: dict[str, Any] = {} if listed is None else {"closes_older": True, "closings": listed}
        reason, detail = made.admit(PROVINCE, record(CITY, PROVINCE, "330100", version, **fields))
        assert reason is Reason.NONE, detail
    return made


CLOSED: dict[str, tuple[tuple[tuple[Closing, ...] | None, ...], tuple[bytes, int] | None]] = {
    "no record closes": ((None,), None),
    "a feed on the list counts up to its seq": (((_closing(7),),), (EPOCH, 7)),
    "a feed not on the list counts nowhere": (((_closing(7, publication="case.nation"),),), (b"", 0)),
    "a later record that does not close leaves it closed": (((_closing(7),), None), (EPOCH, 7)),
    "what was closed is not opened again": (((_closing(7),), (_closing(9),)), (EPOCH, 7)),
    "a later record may close earlier still": (((_closing(7),), (_closing(5),)), (EPOCH, 5)),
    "a later record without the feed closes it everywhere": (((_closing(7),), ()), (b"", 0)),
    "a later epoch's seq says nothing of an earlier epoch": (((_closing(7),), (_closing(2, OTHER_EPOCH),)), (EPOCH, 7)),
}


@pytest.mark.parametrize(("closings", "limit"), [pytest.param(*v, id=k) for k, v in CLOSED.items()])
def test_a_version_counts_up_to_where_a_later_record_closed_it(
    closings: tuple[tuple[Closing, ...] | None, ...], limit: tuple[bytes, int] | None
) -> None:
    """Version 2 of the city, in one feed."""
    made = _with(*closings)
    assert made.closed_at(CITY, 2, "case.parent", "") == limit
    assert made.closed_at(CITY, 2 + len(closings), "case.parent", "") is None


ANCHORS: dict[str, tuple[Reason, AnchorBody]] = {
    "the same anchor again": (Reason.NONE, anchor_body(serial=5)),
    "a newer one": (Reason.NONE, anchor_body(serial=6)),
    "an older one": (Reason.STALE_VERSION, anchor_body(serial=4)),
    "another one of the same serial": (Reason.FORK, anchor_body(serial=5, title="x")),
    "one that names another nation": (Reason.STALE_VERSION, anchor_body(serial=6, nation=PROVINCE)),
    "one of another federation": (Reason.FEDERATION_MISMATCH, anchor_body(serial=6, federation="cn-trial")),
    "one whose known version has another key": (
        Reason.STALE_VERSION,
        anchor_body(serial=6, log_public_key=key("x").public_key),
    ),
}


@pytest.mark.parametrize(("reason", "offered"), [pytest.param(*v, id=k) for k, v in ANCHORS.items()])
def test_an_anchor_is_taken_or_refused_with_its_reason(reason: Reason, offered: AnchorBody) -> None:
    """Serial 5 is held; what is refused changes nothing."""
    made = Registry("cn-demo")
    assert made.set_anchor(anchor_body(serial=5)) is Reason.NONE
    assert made.set_anchor(offered) is reason
    newest = made.newest(NATION)
    assert newest is not None
    assert newest.public_key == key(NATION).public_key
    assert made.anchor_serial == (offered.serial if reason is Reason.NONE else 5)


def test_an_anchor_with_an_older_enrolment_version_is_refused() -> None:
    """The nation's lost key does not come back by a newer serial."""
    made = Registry("cn-demo")
    made.set_anchor(anchor_body(serial=5, enrolment=2, log_public_key=key(f"{NATION}/2").public_key))
    assert made.set_anchor(anchor_body(serial=6)) is Reason.ENROLMENT_FELL


def test_a_record_is_judged_by_the_scope_of_the_version_that_carried_it() -> None:
    """The province's scope shrinks in its version 2: what it said under version 1 counts, before and after."""
    narrow = scope_to_wire(Scope.of("3301*"))
    far = record("c330900.p330000.cn-demo", PROVINCE, "330900")
    made = registry()
    assert made.admit(NATION, record(PROVINCE, NATION, "330000", 2, carrying_scope=narrow, signing_scope=narrow)) == (
        Reason.NONE,
        "",
    )
    assert made.admit(PROVINCE, far, 2)[0] is Reason.OUT_OF_SCOPE
    assert made.admit(PROVINCE, far, 3)[0] is Reason.UNKNOWN_ENROLMENT
    assert made.admit(PROVINCE, far, 1)[0] is Reason.NONE


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_records_about_one_id_the_one_counts_whose_sealer_the_id_names(order: tuple[int, int]) -> None:
    """Another province says it first or last: it is refused, and who the city's parent is never turns."""
    made, named = registry(), "c330900.p330000.cn-demo"
    assert made.admit(NATION, record(OTHER_PROVINCE, NATION, "440000")) == (Reason.NONE, "")
    said = [
        (PROVINCE, record(named, PROVINCE, "330900")),
        (OTHER_PROVINCE, record(named, OTHER_PROVINCE, "440900")),
    ]
    told = {said[n][0]: made.admit(*said[n])[0] for n in order}
    assert told == {PROVINCE: Reason.NONE, OTHER_PROVINCE: Reason.NOT_OWNER}
    assert made.parent(named) == PROVINCE


def test_the_nation_enrols_straight_below_itself_and_nothing_below_a_province() -> None:
    """Its own label stands in no other id."""
    made = registry()
    assert made.may_enrol(NATION, "c310000.cn-demo")
    assert made.may_enrol(PROVINCE, CITY)
    assert not made.may_enrol(NATION, CITY)
    assert not made.may_enrol(PROVINCE, f"d330106.{CITY}")
    assert not made.may_enrol(PROVINCE, OTHER_PROVINCE), "only the nation's own label is left out"


def test_records_of_one_change_are_taken_together_or_not_at_all() -> None:
    """The second is refused: the first is not known either, nor is its invite used up."""
    stage = Stage()
    good = record("c330300.p330000.cn-demo", PROVINCE, "330300")
    bad = record("c440100.p330000.cn-demo", PROVINCE, "440100")
    before = dict(stage.core.waiting)
    with pytest.raises(InputFault) as caught:
        stage.engine.replica.handle(RegistryChange("enrol", [good, bad], burn="token"), stage.now)
    assert caught.value.reason is Reason.OUT_OF_SCOPE
    assert stage.core.registry.newest(good.node) is None
    assert stage.core.waiting == before
    stage.enrol(good)
    assert stage.core.registry.newest(good.node) is not None


def test_a_word_on_anothers_child_is_refused_where_it_is_said() -> None:
    """As everybody would refuse it who hears it."""
    stage = Stage()
    word = EpochConfirmation(origin=OTHER_PROVINCE, publication="case.parent", new_epoch=EPOCH)
    with pytest.raises(InputFault) as caught:
        stage.engine.replica.handle(RegistryChange("epoch", epochs=[word]), stage.now)
    assert caught.value.reason is Reason.NOT_OWNER
