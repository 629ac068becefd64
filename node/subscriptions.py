"""Subscriptions as the store holds them: the rows of applicant, checker and owner side by side, and what was sent."""

from __future__ import annotations

from typing import Any, NamedTuple

from node.clock import iso
from node.store.readers import Reader
from sync.values import Cell
from tiers.dataset import SUBSCRIBERS
from tiers.flows.clocks import WARN_AT, Calendar, Clock, Due, due, limit_of, share_at
from tiers.grants import names_in
from tiers.subscriptions import (
    ANSWER_DAYS,
    APPLIED,
    CHECKED,
    DISPUTED,
    IN_USE,
    OVERRULED,
    SUBSCRIPTION,
    Owed,
    Said,
    Side,
    open_moves,
    owed,
    standing,
)

LOOKED_AT_MAX = 100_000
Cells = dict[str, Cell]


class Known(NamedTuple):
    """One subscription: the cells of each side's row, {} where none is held here.

    A node above the provider alone may hold the owner's row without the application.
    """

    application: Cells
    check: Cells
    decision: Cells
    ruling: Cells = {}

    @property
    def about(self) -> Cells:
        """The row that says who asks whom for what; the owner's has what was granted."""
        return self.decision or self.application or self.check

    @property
    def name(self) -> str:
        """Its id."""
        return str(self.about["subscription_id"])

    @property
    def said(self) -> Said:
        """The states that the rows say."""
        return Said(*(str(row.get("state") or "") for row in self))

    @property
    def state(self) -> str:
        """Where it stands."""
        return standing(self.said)

    def sides(self, node: str) -> frozenset[Side]:
        """In which parts a node stands."""
        about = self.application or self.about
        named = {Side.APPLICANT: about["applicant"], Side.CHECKER: about["checker"], Side.OWNER: about["provider"]}
        named[Side.ARBITER] = about.get("arbiter")
        return frozenset(side for side, who in named.items() if who == node)

    def moves(self, node: str) -> tuple[str, ...]:
        """What a node may do next."""
        return tuple(dict.fromkeys(move.name for move in open_moves(self.said, self.sides(node))))

    @property
    def owed(self) -> Owed | None:
        """Whose word is waited for, and for how many working days."""
        days = self.check.get("answer_days") or self.decision.get("answer_days") or ANSWER_DAYS
        return owed(self.said, int(days))

    @property
    def waits_since_us(self) -> int:
        """When the last word was said, by the clock of who said it."""
        order = (self.ruling, self.application) if self.state in (DISPUTED, OVERRULED) else ()
        last: Cells = next((row for row in (*order, self.decision, self.check, self.application) if row), {})
        return int(last.get("decided_at") or 0)


def subscriptions(reader: Reader, name: str = "") -> list[Known]:
    """All that are held here, or those of one id; the newest first. Who wrote a row counts, not who it says did."""
    names = reader.schema(SUBSCRIPTION).names
    where, parameters = ('"subscription_id" = ?', (name,)) if name else ("", ())
    found = reader.query(SUBSCRIPTION, where, parameters, ("_origin", *names), LOOKED_AT_MAX)
    rows = [(str(origin), dict(zip(names, cells, strict=True))) for origin, *cells in found]
    groups: dict[tuple[Cell, ...], dict[Side, Cells]] = {}
    checks: list[tuple[str, Side, Cells]] = []
    for origin, row in rows:
        side = Side(str(row["role"]))
        group = row["subscription_id"], row["applicant"], row["provider"]
        if side in (Side.CHECKER, Side.ARBITER):
            checks.append((origin, side, row))
        elif origin == row["applicant" if side is Side.APPLICANT else "provider"]:
            groups.setdefault(group, {})[side] = row
    for origin, side, row in checks:
        held = groups.setdefault((row["subscription_id"], row["applicant"], row["provider"]), {})
        asked = held.get(Side.APPLICANT) or held.get(Side.OWNER) or row
        if asked["checker" if side is Side.CHECKER else "arbiter"] == origin:
            held[side] = row
    known = [Known(*(held.get(side, {}) for side in Side)) for held in groups.values() if held]
    return sorted(known, key=lambda one: (-_asked_at(one), one.name))


def _asked_at(one: Known) -> int:
    return int((one.application or one.about)["decided_at"] or 0)


def shown(one: Known, node: str, calendar: Calendar, now_us: int) -> dict[str, Any]:
    """A subscription as JSON. calendar: of this node, by which limits are counted here."""
    about = one.about
    said = (one.ruling, one.application if one.state == DISPUTED else {}, one.decision, one.check, one.application)
    last = [row for row in said if row.get("reason")]
    return {
        "subscription": one.name,
        "service": about["service_id"],
        "dataset": about["dataset"] or "",
        "applicant": about["applicant"],
        "provider": about["provider"],
        "checker": about["checker"] or "",
        "purpose": about["purpose"] or "",
        "scenario": about["scenario"] or "",
        "columns": list(names_in(str(about["columns"] or ""))),
        "filter": about["row_filter"] or "",
        "range": about["range"] or "",
        "valid_from": about["valid_from"] or "",
        "valid_to": about["valid_to"] or "",
        "state": one.state,
        "reason": str(last[0]["reason"]) if last else "",
        "applied_at": _at(one.application),
        "checked_at": _at(one.check),
        "decided_at": _at(one.decision),
        "arbiter": one.application.get("arbiter") or "",
        "ruled_at": _at(one.ruling),
        **_limit(one, calendar, now_us),
        "next": list(one.moves(node)),
    }


class Time(NamedTuple):
    """When the limit of whoever must speak ends, and when 80 % of it have passed."""

    due: Due
    warn_us: int


def time_of(one: Known, calendar: Calendar) -> Time | None:
    """Until when somebody must speak; None where nobody must, or the calendar has no such day."""
    waits, since = one.owed, one.waits_since_us
    if waits is None or not since:
        return None
    try:
        limit = limit_of(waits.days, Clock.WORK_DAY)
        return Time(due(since, limit, calendar), share_at(since, limit, WARN_AT, calendar).at_us)
    except (ValueError, OverflowError):
        return None


def _limit(one: Known, calendar: Calendar, now_us: int) -> dict[str, Any]:
    waits, time = one.owed, time_of(one, calendar)
    return {
        "waits_for": waits.side.value if waits is not None else "",
        "ends": iso(time.due.at_us) if time is not None else "",
        "provisional": time is not None and time.due.is_provisional,
        "warned": time is not None and time.warn_us < now_us,
        "overdue": time is not None and time.due.at_us < now_us,
    }


def _at(row: Cells) -> str:
    return iso(int(row["decided_at"] or 0)) if row else ""


def rows_sent(reader: Reader, one: Known) -> int:
    """How many rows the feed of a subscription says, at the provider, or as far as they came, at the subscriber."""
    publication = f"{one.about['dataset']!s}.{SUBSCRIBERS}"
    wanted = one.about["provider"], publication, one.about["applicant"]
    return next((state.rows for state in reader.feeds() if state.name == wanted), 0)


def counts(reader: Reader, node: str) -> dict[str, int]:
    """What waits for this node's word, and what it sends."""
    found = [(one, one.state, one.sides(node)) for one in subscriptions(reader)]
    return {
        "to_check": sum(state == APPLIED and Side.CHECKER in sides for _, state, sides in found),
        "to_approve": sum(state in (CHECKED, OVERRULED) and Side.OWNER in sides for _, state, sides in found),
        "to_rule": sum(state == DISPUTED and Side.ARBITER in sides for _, state, sides in found),
        "in_use": sum(one.said.owner == IN_USE and Side.OWNER in sides for one, _, sides in found),
    }
