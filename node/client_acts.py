"""The part of the Python client that coordinates: parts of tasks, maintenance, subscriptions, quality issues, dues.

What a second call would do again (an application, a mark) is tried once: when the answer is lost, look before you call
again.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

Row = dict[str, Any]


class Acts(ABC):
    """With a token of role task, as its person may. Every method raises ApiFault and httpx.TransportError."""

    @abstractmethod
    def _get(self, path: str, **params: str) -> Row: ...

    @abstractmethod
    def _post(self, path: str, body: Row | None = None, headers: Mapping[str, str] | None = None) -> Row: ...

    @abstractmethod
    def _once(self, path: str, body: Row) -> Row: ...

    def split(self, task: str, to: Sequence[str], *, dry_run: bool = False, **fields: str) -> Row:
        """Hands a task on to children, by node id or division code: its parts, or the draft where an approver has to
        approve it first."""
        body = {"to": list(to), "fields": fields, "dry_run": dry_run}
        return self._post(f"/tasks/{_part(task)}/split", body, {"idempotency-key": secrets.token_hex(16)})

    def pass_over(self, task: str, to: str) -> Row:
        """Says which successor (node id) goes on with a task, where a node was divided among several."""
        return self._once(f"/tasks/{_part(task)}/pass-over", {"to": to})

    # --- maintenance ------------------------------------------------------------------------------------------------

    def maintenance(self, *, every: bool = False, limit: int = 100) -> list[Row]:
        """Announced windows; every: also those that are over."""
        return list(self._get("/maintenance", all=_flag(every), limit=str(limit))["windows"])

    def announce(self, since: str, until: str, reason: str, *, node: str = "", dry_run: bool = False) -> Row:
        """Announces when this node, or a child of it, may be out of reach. The same again changes nothing."""
        said = {"from": since, "until": until, "reason": reason, "node": node, "dry_run": dry_run}
        return self._post("/maintenance", said)

    def cancel(self, window: str, *, dry_run: bool = False) -> Row:
        """Takes back what this node announced."""
        return self._once(f"/maintenance/{_part(window)}/cancel", {"dry_run": dry_run})

    # --- calendar and dues ------------------------------------------------------------------------------------------

    def days(self, period: str, region: str = "") -> Row:
        """What each day of a month or a year is."""
        return self._get("/calendar", period=period, region=region)

    def due(self, since: str, limit: str, region: str = "") -> Row:
        """When a limit is over that begins at a moment: '3 work_day', '4 工作时'."""
        return self._get("/calendar/due", **{"from": since, "limit": limit, "region": region})

    def dues(self, dataset: str = "", *, month: str = "", overdue: bool = False) -> Row:
        """What is owed, scores by node, and reminders that are open."""
        return self._get("/dues", dataset=dataset, month=month, overdue=_flag(overdue))

    def remind(self, dataset: str, period: str = "", *, dry_run: bool = False) -> Row:
        """Reminds all who owe what is overdue; whoever was reminded already is so again."""
        return self._once("/dues/reminders", {"dataset": dataset, "period": period, "dry_run": dry_run})

    def position(self, dataset: str, period: str) -> Row:
        """What was held when a period was closed, signed."""
        return self._get("/dues/position", dataset=dataset, period=period)

    # --- quality issues ---------------------------------------------------------------------------------------------

    def issues(self, *, open_only: bool = False, to_answer: bool = False, limit: int = 100) -> list[Row]:
        """Quality issues, the newest first."""
        flags = {"open": _flag(open_only), "to_answer": _flag(to_answer)}
        return list(self._get("/quality", **flags, limit=str(limit))["issues"])

    def mark(self, dataset: str, kind: str, key: Sequence[Any] = (), *, dry_run: bool = False, **about: Any) -> Row:
        """Marks a record of another node. about: origin, column, period, problem, exclude."""
        return self._once("/quality", {"dataset": dataset, "kind": kind, "key": list(key), "dry_run": dry_run, **about})

    def answer(self, issue: str, move: str, reason: str = "", *, dry_run: bool = False) -> Row:
        """Answers an issue about an own record: verify, correct (after the row was put), keep."""
        return self._once(f"/quality/{_part(issue)}/answer", {"move": move, "reason": reason, "dry_run": dry_run})

    def close_issue(self, issue: str, *, dry_run: bool = False) -> Row:
        """Closes an issue that this node found."""
        return self._once(f"/quality/{_part(issue)}/close", {"dry_run": dry_run})

    def reopen(self, issue: str, reason: str, *, dry_run: bool = False) -> Row:
        """Reopens an issue that this node found."""
        return self._once(f"/quality/{_part(issue)}/reopen", {"reason": reason, "dry_run": dry_run})

    # --- subscriptions ----------------------------------------------------------------------------------------------

    def services(self, *, every: bool = False, limit: int = 100) -> list[Row]:
        """What is offered here and by others."""
        return list(self._get("/services", all=_flag(every), limit=str(limit))["services"])

    def subscriptions(self, *, open_only: bool = False, to_do: bool = False, limit: int = 100) -> list[Row]:
        """Subscriptions, the newest first; to_do: those that wait for a word of this node."""
        flags = {"open": _flag(open_only), "to_do": _flag(to_do)}
        return list(self._get("/subscriptions", **flags, limit=str(limit))["subscriptions"])

    def subscription(self, subscription: str) -> Row:
        """One of them, and what may be done next."""
        return self._get(f"/subscriptions/{_part(subscription)}")

    def apply(self, service: str, purpose: str, until: str, *, dry_run: bool = False, **about: str) -> Row:
        """Applies for a service. about: from, provider, scenario, columns, filter, range."""
        said = {"service": service, "purpose": purpose, "until": until, "dry_run": dry_run, **about}
        return self._once("/subscriptions", said)

    def decide(self, subscription: str, move: str, reason: str = "", *, dry_run: bool = False) -> Row:
        """A move of a subscription: approve, refuse, withdraw, dispute, uphold, overrule."""
        return self._once(f"/subscriptions/{_part(subscription)}/{_part(move)}", {"reason": reason, "dry_run": dry_run})

    def check(self, subscription: str, reason: str = "", *, to_publish: bool = False, dry_run: bool = False) -> Row:
        """Says that an application may be made. to_publish: the owner has longer to answer."""
        said = {"reason": reason, "to_publish": to_publish, "dry_run": dry_run}
        return self._once(f"/subscriptions/{_part(subscription)}/check", said)


def _flag(wanted: bool) -> str:
    return "1" if wanted else ""


def _part(name: str) -> str:
    return quote(name, safe="")
