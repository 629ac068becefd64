"""A peer that is refused again and again fills neither the audit nor the list of alarms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog

from node import audit
from node.audit import SPARING_BURST, SPARING_KEYS_MAX, SPARING_PER_S, AuditLog, Event, SparingAudit, SteadyAudit
from node.link.gate import REFUSED_KEPT, Gatekeeper
from sync.effects import Alarm
from sync.reasons import Reason
from tests.unit.node_base.fakes import HandClock

CITY = "c330100.p330000.cn-test"
WHY = (Reason.CERTIFICATE_NOT_REGISTERED, "join again")
DAY_S = 86_400


class Door:
    """A gatekeeper with its audit and alarms; what it verifies with is not needed here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = HandClock()
        self.alarms: list[Alarm] = []
        nothing: Any = None
        self.sparing = SparingAudit(SteadyAudit(AuditLog(folder, self.clock), nothing), self.clock)
        self.gate = Gatekeeper(
            "p330000.cn-test",
            nothing,
            nothing,
            self.clock,
            nothing,
            self.sparing,
            self.alarms.append,
            structlog.get_logger(),
        )

    def refuse(self, times: int, named: str = CITY, every_us: int = 200_000) -> None:
        for _ in range(times):
            self.gate.refused("ipv4:10.0.0.1:4711", named, *WHY)
            self.clock.us += every_us

    def lines(self, event: Event = Event.LINK_REFUSED) -> list[dict[str, Any]]:
        assert audit.verify(self.folder).ok
        return [line["fields"] for line in audit.read(self.folder) if line["event"] == event.value]


def test_a_refused_peer_that_dials_all_day_leaves_few_lines_and_one_alarm(tmp_path: Path) -> None:
    """Five times a second for a day of its clock; the lines say how many dials they stand for."""
    door = Door(tmp_path)
    door.refuse(1000)
    assert len(door.lines()) == SPARING_BURST
    door.refuse(200, every_us=DAY_S // 200 * 1_000_000)
    assert len(door.lines()) <= SPARING_BURST + DAY_S * SPARING_PER_S + 1
    assert [a.name for a in door.alarms] == ["link_refused"]
    assert door.alarms[0].fields == {"named": CITY, "reason": "CERTIFICATE_NOT_REGISTERED", "detail": "join again"}
    door.sparing.flush()
    lines = door.lines()
    assert sum("reason" in line for line in lines) + sum(line.get("not_told_before", 0) for line in lines) == 1200


def test_the_next_line_says_how_many_were_not_told(tmp_path: Path) -> None:
    """Of the same peer and reason; another peer's line comes at once and says nothing of them."""
    door = Door(tmp_path)
    door.refuse(SPARING_BURST + 7, every_us=0)
    door.refuse(1, "c330200.p330000.cn-test")
    assert "not_told_before" not in door.lines()[-1]
    door.clock.us += round(1e6 / SPARING_PER_S) + 1
    door.refuse(1)
    assert door.lines()[-1]["not_told_before"] == 7


def test_made_up_names_fill_nothing(tmp_path: Path) -> None:
    """A stolen CA can sign any number of names: lines and alarms are bounded all the same, and nothing is uncounted."""
    door = Door(tmp_path)
    for number in range(2_000):
        door.refuse(1, f"x{number}.cn-test", every_us=0)
    assert len(door.lines()) == SPARING_KEYS_MAX
    assert len(door.alarms) == REFUSED_KEPT
    door.sparing.flush()
    assert sum(line.get("not_told_before", 0) for line in door.lines()) == 2_000 - SPARING_KEYS_MAX


def test_who_was_let_in_is_audited_and_its_next_refusal_is_news(tmp_path: Path) -> None:
    """The alarm is told again after the peer was let in meanwhile."""
    door = Door(tmp_path)
    door.refuse(3)
    door.gate.accepted(CITY)
    door.refuse(3)
    assert door.lines(Event.LINK_ACCEPTED) == [{"peer": CITY}]
    assert len(door.alarms) == 2
