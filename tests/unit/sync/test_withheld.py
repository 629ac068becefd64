"""What an origin stated and a relay keeps back, or an origin that is kept from speaking: somebody is told."""

from __future__ import annotations

from collections.abc import Callable

from sync import limits
from sync.statements import heads_digest
from sync.suites import HEADS
from sync.wire.v1.entry_pb2 import ENROLMENT_STATUS_SUSPENDED
from sync.wire.v1.frame_pb2 import FeedHead, HeadsBody, HeadsStatement, Statements
from tests.unit.sync.stage import CASE_FEED, SECOND, Cases, Played, Stage, begun, second_version
from tests.vectors.world import CITY, FEDERATION, SUITE, key, sixteen

LATE = limits.WITHHELD_AFTER_US // SECOND + 10
SILENT = limits.SILENT_AFTER_US // SECOND + 10


def states(city: Played, forge: Cases, counter: int) -> None:
    """The city's statement of its head arrives."""
    head = FeedHead(
        publication=forge.feed.publication,
        route=int(forge.route),  # type: ignore[arg-type]
        epoch=forge.epoch,
        seq=forge.seq,
        header_hash=forge.head,
    )
    body = HeadsBody(
        federation=FEDERATION,
        origin=CITY,
        boot=sixteen("boot"),
        counter=counter,
        digest=heads_digest(SUITE, [head]),
        enrolment=1,
    ).SerializeToString()
    signature = key(CITY).sign(HEADS + SUITE.hash(body))
    city.say(statements=Statements(heads=[HeadsStatement(body=body, signature=signature, heads=[head], whole=True)]))


def swallowed() -> tuple[Stage, Cases, Played]:
    """Two entries are held, a third is stated and does not come."""
    stage, forge, city, _ = begun()
    stage.live(10)
    forge.put()
    states(city, forge, 1)
    return stage, forge, city


def again(stage: Stage, forge: Cases, number: int) -> Played:
    """The next session: the neighbour shows what it has acknowledged, and no more."""
    return stage.dial_in(CITY, boot=sixteen(f"boot {number}"))


def told(stage: Stage) -> int:
    return stage.alarmed().count("feed_withheld")


def test_a_head_that_was_stated_once_and_never_came_is_told_though_nothing_more_is_said() -> None:
    """Whoever keeps entries back may keep the statements back as well."""
    stage, _, city = swallowed()
    stage.live(LATE - 20)
    assert told(stage) == 0
    stage.live(30)
    assert told(stage) == 1
    alarm = next(a for a in stage.alarms if a.name == "feed_withheld")
    assert (alarm.fields["feed"], alarm.fields["seq"], alarm.fields["peer"]) == (str(CASE_FEED), 3, CITY)
    stage.live(LATE)
    assert told(stage) == 1
    assert city.ended() is None


def test_a_head_that_is_stated_again_and_again_is_no_younger_for_it() -> None:
    """Nor for what its origin writes meanwhile."""
    stage, forge, city = swallowed()
    for counter in range(2, LATE // 10 + 2):
        forge.put()
        states(city, forge, counter)
        stage.live(10)
    assert told(stage) == 1


def test_a_feed_that_comes_slowly_is_not_withheld() -> None:
    """It is behind the newest statement all the time, and moves."""
    stage, forge, city, _ = begun()
    coming = []
    for counter in range(1, 2 * LATE // 10):
        coming += [forge.next_run(), forge.next_run()]
        states(city, forge, counter)
        city.run(coming.pop(0))
        stage.live(10)
    assert CASE_FEED in stage.core.withheld
    assert told(stage) == 0


def test_what_comes_after_all_ends_it_and_what_is_kept_back_next_is_told_again() -> None:
    """An alarm for each time."""
    stage, forge, city, _ = begun()
    run = forge.next_run()
    states(city, forge, 1)
    stage.live(LATE)
    city.run(run)
    stage.live(10)
    assert not stage.core.withheld
    forge.put()
    states(city, forge, 2)
    stage.live(LATE)
    assert told(stage) == 2


def test_time_without_a_link_does_not_count() -> None:
    """An origin that is off-line withholds nothing."""
    stage, forge, city = swallowed()
    stage.cut(city)
    stage.live(10 * LATE)
    city = again(stage, forge, 2)
    stage.live(LATE - 30)
    assert told(stage) == 0


def test_links_that_break_again_and_again_hide_nothing() -> None:
    """Their working time is added up."""
    stage, forge, city = swallowed()
    for number in range(2, 2 + LATE // 60):
        stage.live(60)
        stage.cut(city)
        stage.wait(600)
        city = again(stage, forge, number)
    assert told(stage) == 1


def test_what_was_stated_is_remembered_over_a_restart() -> None:
    """The statement is kept, so it is looked at again."""
    stage, forge, _ = swallowed()
    stage.engine.rebuild()
    stage.remember()
    stage.played.clear()
    again(stage, forge, 2)
    stage.live(LATE)
    assert told(stage) == 1


def silence(stage: Stage) -> int:
    return stage.alarmed().count("origin_silent")


def heard() -> tuple[Stage, Cases, Played]:
    """A city that has stated what is held of it."""
    stage, forge, city, _ = begun()
    states(city, forge, 1)
    return stage, forge, city


def test_an_origin_that_states_nothing_any_more_is_told_once_until_it_speaks() -> None:
    """By a name that accuses nobody: it may be off-line, or not let through."""
    stage, forge, city = heard()
    stage.live(SILENT - 20)
    assert silence(stage) == 0
    stage.live(20 + SILENT)
    assert silence(stage) == 1
    states(city, forge, 2)
    stage.live(SILENT)
    assert silence(stage) == 2
    assert told(stage) == 0


def test_an_origin_that_states_each_minute_is_not_silent() -> None:
    """Though nothing ever changes."""
    stage, forge, city = heard()
    for counter in range(2, 2 * SILENT // 60):
        stage.live(60)
        states(city, forge, counter)
    assert silence(stage) == 0


def _cut(stage: Stage, city: Played) -> None:
    stage.cut(city)


def _suspend(stage: Stage, city: Played) -> None:
    second_version(stage, status=ENROLMENT_STATUS_SUSPENDED)


def test_nobody_is_called_silent_to_whom_no_link_works_or_who_is_suspended() -> None:
    """Weeks without a link are ordinary."""
    why: tuple[Callable[[Stage, Played], None], ...] = (_cut, _suspend)
    for happens in why:
        stage, _, city = heard()
        happens(stage, city)
        stage.live(2 * SILENT)
        assert silence(stage) == 0
