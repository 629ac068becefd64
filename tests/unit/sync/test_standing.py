"""Whom the registry does not let in: a parent of another key hears Hello and no more, and who is suspended is out."""

from __future__ import annotations

from typing import Any

import pytest

from sync import limits
from sync.link import Phase
from sync.reasons import Reason
from sync.values import FeedName, Lane, Route
from sync.wire.v1.entry_pb2 import ENROLMENT_STATUS_SUSPENDED, EnrolmentRecord
from sync.wire.v1.frame_pb2 import Cursors, Statements, Want
from tests.unit.sync.stage import CASES, SECOND, Played, Stage, a_case, begun, cursor, second_version
from tests.vectors.world import CITY, NATION, PROVINCE, Forge, key, record, sixteen

NEW = b"n" * 32
"""The hash of a transport key that no record names, until one does."""
CASE = FeedName(CITY, "case.parent")


def _registry() -> Forge:
    return Forge(FeedName(NATION, "registry"), key(NATION), Route.EVERYWHERE, Lane.URGENT)


def _again(**fields: Any) -> EnrolmentRecord:
    """The province's second version: it was installed anew, with new keys."""
    return record(PROVINCE, NATION, "330000", 2, transport_key_hash=NEW, **fields)


def _kinds(played: Played) -> list[str | None]:
    return [frame.WhichOneof("kind") for frame in played.frames]


def test_a_parent_of_another_key_hears_hello_and_why_it_hears_no_more() -> None:
    """A stolen CA can sign a certificate of the parent's name: no cursor, row or statement is for it."""
    stage = Stage(CITY)
    province = stage.dial(PROVINCE, NEW)
    province.hello()
    assert province.ended() is Reason.CERTIFICATE_NOT_REGISTERED
    assert _kinds(province) == ["hello", "notice"]


def test_an_impostors_life_makes_no_clone_of_the_true_parent() -> None:
    """An instance that returns after another was seen would lock the parent out for good."""
    stage = Stage(CITY)
    stage.cut(stage.dial_in(PROVINCE))
    stage.dial(PROVINCE, NEW).hello(instance=sixteen("impostor"), boot=sixteen("impostor"))
    province = stage.dial_in(PROVINCE)
    assert stage.core.links[province.link].phase is Phase.EXCHANGE
    assert "clone" not in stage.alarmed()


def test_a_parent_that_the_registry_does_not_show_is_refused() -> None:
    """One that never brings a record of itself."""
    stage = Stage(CITY)
    del stage.core.registry._newest[PROVINCE]
    province = stage.dial(PROVINCE)
    province.hello()
    assert province.ended() is Reason.NOT_ENROLLED


def test_while_it_is_not_shown_a_parent_gets_no_answer() -> None:
    """It promises a record that would show it; meanwhile it asks for rows, claims more than is held, and sends some."""
    stage, forge = Stage(CITY), _registry()
    epoch = sixteen("epoch")
    province = stage.dial(PROVINCE, NEW)
    province.hello(registry=[cursor(forge, 5, bytes(32)), cursor(Forge(FeedName(CITY, "registry"), key(CITY)), 9)])
    assert stage.core.links[province.link].unproved
    province.end()
    name = cursor(Forge(CASE, key(CITY))).feed
    province.say(want=Want(feed=name, epoch=epoch, from_seq=1))
    province.say(cursors=Cursors(cursors=[cursor(Forge(CASE, key(CITY)), 9, bytes(32))]))
    province.say(statements=Statements())
    codes = Forge(FeedName(NATION, "class_code.below"), key(NATION), Route.DESCENDANTS)
    province.run(codes.run([codes.records()]))
    assert _kinds(province) == ["hello", "notice"]
    assert province.notices() == [Reason.MALFORMED]
    assert stage.head(codes.feed) == 0
    assert not stage.core.recovering
    stage.wait(limits.REGISTRY_GOAL_US / SECOND)
    assert province.ended() is Reason.CERTIFICATE_NOT_REGISTERED
    assert _kinds(province) == ["hello", "notice", "notice"]


def test_a_parent_that_was_installed_anew_brings_the_record_that_shows_it() -> None:
    """Sealed by its own parent, so nobody else can bring it. Then all goes on in the same session."""
    stage, forge = Stage(CITY), _registry()
    province = stage.dial(PROVINCE, NEW)
    run = forge.run([forge.registry(_again())])
    province.hello(registry=[cursor(forge)])
    province.end()
    assert _kinds(province) == ["hello"]
    province.run(run)
    assert province.ended() is None
    assert stage.core.links[province.link].phase is Phase.EXCHANGE
    assert province.said("cursors")[-1].end


def test_a_parent_in_whose_record_another_key_stands_is_let_go() -> None:
    """While a session is open its own parent registers a key that is not the one of this session."""
    stage, forge = Stage(CITY), _registry()
    province = stage.dial_in(PROVINCE)
    assert stage.core.links[province.link].phase is Phase.EXCHANGE
    province.run(forge.run([forge.registry(_again())]))
    assert province.ended() is Reason.CERTIFICATE_NOT_REGISTERED


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": ENROLMENT_STATUS_SUSPENDED}, Reason.SUSPENDED),
        ({"transport_key_hash": NEW}, Reason.CERTIFICATE_NOT_REGISTERED),
    ],
    ids=["suspended", "another key"],
)
def test_a_record_ends_the_open_session_of_a_child_at_once(fields: dict[str, Any], reason: Reason) -> None:
    """What it sends after that is not taken."""
    stage, forge, city, _ = begun()
    held = stage.head(CASE)
    second_version(stage, **fields)
    assert city.ended() is reason
    assert city.link not in stage.core.links
    city.run(forge.run([forge.records([a_case(2)], columns=CASES, dataset="case")]))
    assert stage.head(CASE) == held


def test_a_record_of_one_child_ends_no_session_of_another() -> None:
    """And a new record of the same key none at all."""
    stage, _, city, _ = begun()
    second_version(stage)
    stage.enrol(record("c330200.p330000.cn-demo", PROVINCE, "330200", 2, status=ENROLMENT_STATUS_SUSPENDED))
    assert city.ended() is None
