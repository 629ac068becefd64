"""What the owner of data says to subscriptions: what was asked for against what is offered, and what days bring about.

Once its period is over or its applicant takes its word back, the owner's row says so and the flow stops; when its first
day comes, it begins. Where the sharing class of a service is unconditional, an application that was checked is granted
by itself (reference/domain.md 10 W8: a proposal).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from node.app import Node
from node.audit import Event as AuditEvent
from node.background import Background
from node.calendar import calendar_of
from node.clock import iso
from node.faults import Code, UserFault, of_detail
from node.store.readers import Reader
from node.subscriptions import Cells, Known, subscriptions, time_of
from node.texts import N_
from sync.days import day_begins_us, day_of_us
from sync.errors import InputFault, LocalFault
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.values import Row
from tiers.catalogue import Catalogue
from tiers.dataset import Sharing
from tiers.grants import check_wish, names_in, read_json
from tiers.rules import business_day
from tiers.services import PUBLISHED, check_offer
from tiers.subscriptions import CHECKED, GRANTED, IN_USE, OVER, SUBSCRIPTION, Side, checker_of, due

SERVICES: Final = "service_catalogue"
LIMITS_EVERY_S: Final = 900.0
"""How often it is looked whether a word of this node is waited for too long."""
PAUSE_S: Final = 1.0
"""Between two looks, however much is committed meanwhile."""


def offered_by(reader: Reader, provider: str, service: str) -> Cells | None:
    """The newest version of a service that a node offers now; '' for whichever node. None where there is none."""
    names = reader.schema(SERVICES).names
    where, parameters = '"service_id" = ? AND "state" = ? AND "_origin" = "node"', [service, PUBLISHED]
    if provider:
        where, parameters = where + ' AND "_origin" = ?', [*parameters, provider]
    rows = reader.query(SERVICES, where, parameters, names, 1_000)
    offers = [dict(zip(names, row, strict=True)) for row in rows]
    if len({offer["node"] for offer in offers}) > 1:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("Several nodes offer a service '{service}'."),
            N_("Name one of them with --provider."),
            service=service,
        )
    return max(offers, key=lambda offer: int(offer["version"] or 0), default=None)


def columns_asked(catalogue: Catalogue, offer: Cells | None, columns: str, rule: str) -> tuple[str, ...]:
    """The columns that would be sent for these of an offer. Raises InputFault where more is asked for than is offered.

    An offer or a dataset that is not known here is looked at by the provider.
    """
    dataset = None if offer is None else catalogue.datasets.get(str(offer["dataset"]))
    if offer is None or dataset is None:
        read_json(rule)
        return names_in(columns)
    return check_wish(dataset, names_in(str(offer["columns"] or "")), names_in(columns), rule)


async def granted_rows(node: Node, one: Known, reason: str) -> Cells:
    """The owner's row that grants what was asked for. Raises UserFault, InputFault where it cannot be granted."""
    asked, here = one.application, node.standing.node
    if asked["checker"] != checker_of(str(asked["applicant"]), here, node.core().registry.parent):
        raise InputFault(Reason.NOT_YOUR_MOVE, Phrase("'{}' does not check for this node", asked["checker"] or "-"))
    offer = await node.read(lambda reader: offered_by(reader, here, str(asked["service_id"])))
    if offer is None:
        raise InputFault(Reason.WRONG_STATE, Phrase("service '{}' is not offered now", str(asked["service_id"])))
    dataset = node.catalogue.datasets.get(str(offer["dataset"]))
    if dataset is None:
        raise InputFault(Reason.UNKNOWN_DATASET, Phrase("dataset '{}'", str(offer["dataset"])))
    check_offer(dataset, names_in(str(offer["columns"] or "")), node.profile.tiers(node.parent))
    columns = columns_asked(node.catalogue, offer, str(asked["columns"] or ""), str(asked["row_filter"] or ""))
    today = business_day(node.clock.now_us())
    if str(asked["valid_to"] or "") < today:
        raise InputFault(Reason.WRONG_STATE, Phrase("its last day, {}, is over", str(asked["valid_to"] or "-")))
    state = IN_USE if str(asked["valid_from"] or "") <= today else GRANTED
    row = {**decision(node, one, state, reason), "dataset": dataset.id, "columns": ",".join(columns)}
    await _check_alone(node, row)
    return row


async def _check_alone(node: Node, row: Cells) -> None:
    """One subscription of a dataset per subscriber at a time, and one of an id. Raises InputFault."""
    for other in await node.read(subscriptions):
        held = other.decision
        if other.name == row["subscription_id"] and held and held["applicant"] != row["applicant"]:
            raise InputFault(Reason.WRONG_STATE, Phrase("'{}' is another node's subscription", other.name))
        same = all(held.get(name) == row[name] for name in ("provider", "applicant", "dataset"))
        if not same or other.state in OVER or other.name == row["subscription_id"]:
            continue
        first, last = (str(held[name] or "") for name in ("valid_from", "valid_to"))
        if held["state"] in (GRANTED, IN_USE) and first <= str(row["valid_to"]) and str(row["valid_from"]) <= last:
            raise InputFault(
                Reason.WRONG_STATE,
                Phrase("subscription '{}' of this dataset lasts from {} to {}", other.name, first, last),
            )


def decision(node: Node, one: Known, state: str, reason: str) -> Cells:
    """The owner's row in another state: as it was, or as the application has it."""
    about = one.decision or one.application
    mine: Cells = {"writer": node.standing.region, "role": Side.OWNER.value, "state": state, "reason": reason or None}
    return {**about, **mine, "decided_at": node.clock.now_us()}


async def write(node: Node, rows: Iterable[Cells], *, dry_run: bool = False) -> None:
    """In one transaction. Raises UserFault, InputFault."""
    names = node.catalogue.datasets[SUBSCRIPTION].schema.names
    cells: Sequence[Row] = [tuple(row.get(name) for name in names) for row in rows]
    result = await node.put_subscriptions(cells, dry_run=dry_run)
    if result.rejected:
        first = result.rejected[0]
        raise refused(first.detail)


def refused(detail: str, code: Code = Code.MOVE_REFUSED) -> UserFault:
    """What is said where a subscription does not allow what was asked for; the advice of the reason codes is for rows
    and tasks."""
    return of_detail(
        code,
        N_("This cannot be done with the subscription."),
        detail,
        N_(
            "`tiersync subscription show SUBSCRIPTION` says how it stands and what may be done next. What an "
            "application asks for is not changed: correct what the detail names and apply anew; the owner refuses the "
            "old one."
        ),
    )


class Subscriptions(Background):
    """The task that follows days, and what others say. Used in the loop."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self._seen: tuple[int, str] = (-1, "")
        self._told: set[tuple[str, bool, int]] = set()
        self._limits_at = 0
        self._failing = False

    def start(self) -> None:
        """Looks at once: days may have passed since the node ran."""
        self.begin(self._run(), "subscriptions")

    async def _run(self) -> None:
        node = self._node
        while not node.writer.stopped.done():
            changed = node.changed
            try:
                await self._look_if_changed()
                self._failing = False
            except LocalFault as fault:
                node.log.warning("subscriptions_failed", detail=str(fault))
                if not self._failing:
                    # Told once: it is tried again with every commit.
                    node.alarm("subscriptions_failed", detail=str(fault))
                self._failing = True
            await asyncio.sleep(PAUSE_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), min(LIMITS_EVERY_S, _until_tomorrow_s(node.clock.now_us())))

    async def _look_if_changed(self) -> None:
        node = self._node
        if node.clock.now_us() - self._limits_at >= LIMITS_EVERY_S * 1_000_000:
            await self.tell_limits()
        written = await node.writer.ask(lambda _, store: store.written(SUBSCRIPTION))
        seen = written, business_day(node.clock.now_us())
        if seen != self._seen and await self.look():
            self._seen = seen

    async def tell_limits(self) -> list[str]:
        """Tells of this node's own word that is waited for, when 80 % of its time have passed and when all has: once
        each while the node runs. The subscriptions that it tells of. Raises StoreFault."""
        node = self._node
        self._limits_at = now = node.clock.now_us()
        late = await node.read(lambda reader: _late(reader, node, now))
        fresh = [one for one in late if one not in self._told]
        self._told = set(late)
        for name, is_over, ends_us in fresh:
            if is_over:
                node.alarm("subscription_overdue", subscription=name, due=iso(ends_us))
            else:
                node.alarm("subscription_due_soon", subscription=name, due=iso(ends_us))
        return [name for name, _, _ in fresh]

    async def look(self) -> bool:
        """Says what is due. Whether that is all; else it has to look again. Raises InputFault, StoreFault."""
        node = self._node
        async with node.subscribing:
            today = business_day(node.clock.now_us())
            mine = [one for one in await node.read(subscriptions) if Side.OWNER in one.sides(node.standing.node)]
            found = [(one, state) for one in mine if (state := _due(one, today))]
            whole = await self._say(found)
            for one in mine:
                if one.state == CHECKED and await self._is_unconditional(one):
                    await self._grant(one)
        return whole

    async def _say(self, found: Sequence[tuple[Known, str]]) -> bool:
        """In one transaction, so that one that follows upon another goes on. Where too much is being followed for one
        to begin, others end all the same."""
        try:
            await self._write(found)
        except InputFault as fault:
            if fault.reason is not Reason.LIMIT_EXCEEDED:
                raise
            self._node.log.warning("subscription_not_begun", detail=str(fault))
            await self._write([(one, state) for one, state in found if state in OVER])
            return False
        return True

    async def _write(self, found: Sequence[tuple[Known, str]]) -> None:
        if not found:
            return
        await write(self._node, [decision(self._node, one, state, "") for one, state in found])
        for one, state in found:
            self._note(AuditEvent.SUBSCRIPTION_ENDED if state in OVER else AuditEvent.SUBSCRIPTION_BEGUN, one, state)

    async def _is_unconditional(self, one: Known) -> bool:
        here, service = self._node.standing.node, str(one.about["service_id"])
        offer = await self._node.read(lambda reader: offered_by(reader, here, service))
        return offer is not None and offer["sharing"] == Sharing.UNCONDITIONAL.value

    async def _grant(self, one: Known) -> None:
        """Where that cannot be, a person has to decide: it stays among those that wait."""
        try:
            row = await granted_rows(self._node, one, "")
            await write(self._node, [row])
        except (InputFault, UserFault) as fault:
            self._node.log.warning("subscription_not_granted", subscription=one.name, detail=str(fault))
            return
        self._note(AuditEvent.SUBSCRIPTION_APPROVED, one, str(row["state"]))

    def _note(self, event: AuditEvent, one: Known, state: str) -> None:
        self._node.note(event, **audited(one, state))


def _late(reader: Reader, node: Node, now: int) -> list[tuple[str, bool, int]]:
    """(subscription, whether its time is over, when it ends) of those that wait too long, or nearly, for this node."""
    here = node.standing.node
    mine = [one for one in subscriptions(reader) if one.owed is not None and one.owed.side in one.sides(here)]
    if not mine:
        return []
    calendar, found = calendar_of(reader, node.config), []
    for one in mine:
        time = time_of(one, calendar)
        if time is not None and time.warn_us < now:
            found.append((one.name, time.due.at_us < now, time.due.at_us))
    return found


def _due(one: Known, today: str) -> str:
    held = one.decision
    if not held:
        return ""
    return due(one.said, str(held["valid_from"] or ""), str(held["valid_to"] or ""), today)


def audited(one: Known, state: str) -> dict[str, object]:
    """What the audit says of a subscription."""
    about = one.application or one.about
    names = ("applicant", "provider", "dataset")
    return {"subscription": one.name, **{name: about[name] or "" for name in names}, "state": state}


def _until_tomorrow_s(now_us: int) -> float:
    return (day_begins_us(day_of_us(now_us) + 1) - now_us) / 1e6
