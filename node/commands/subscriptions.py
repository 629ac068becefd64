"""Subscriptions (W8): applying to another node, checking an application, and what the owner says to it.

All but `apply` take {subscription, reason?, dry_run?} and answer with the subscription as it stands then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from node.app import Node
from node.audit import Event as AuditEvent
from node.calendar import calendar_of
from node.commands.subscription_list import unknown
from node.commands.view import Arguments, text
from node.faults import Code, UserFault
from node.reading import day_of
from node.store.readers import Reader
from node.subscribing import audited, columns_asked, decision, granted_rows, offered_by, refused, write
from node.subscriptions import Cells, Known, shown, subscriptions
from node.texts import N_
from sync.errors import InputFault
from tiers.filters import filter_sql
from tiers.grants import read_rule
from tiers.rules import business_day
from tiers.subscriptions import (
    ANSWER_DAYS,
    APPLIED,
    CHECKED,
    DISPUTED,
    PUBLISH_DAYS,
    Move,
    Side,
    arbiter_of,
    checker_of,
    choose,
)

ID_BYTES = 4
Answer = AsyncIterator[Mapping[str, Any]]
_EVENTS = {
    "check": AuditEvent.SUBSCRIPTION_CHECKED,
    "approve": AuditEvent.SUBSCRIPTION_APPROVED,
    "refuse": AuditEvent.SUBSCRIPTION_REFUSED,
    "withdraw": AuditEvent.SUBSCRIPTION_WITHDRAWN,
    "dispute": AuditEvent.SUBSCRIPTION_DISPUTED,
    "uphold": AuditEvent.SUBSCRIPTION_RULED,
    "overrule": AuditEvent.SUBSCRIPTION_RULED,
}


async def apply(node: Node, arguments: Arguments) -> Answer:
    """subscription.apply {service, provider?, purpose, scenario?, columns?, filter?, range?, from?, until, dry_run?}
    -> the application. `columns` in the answer: all that would be sent, as far as the offer is known here."""
    here, service = node.standing, text(arguments, "service")
    columns, rule = text(arguments, "columns"), text(arguments, "filter")
    async with node.subscribing:
        offer = await node.read(lambda reader: offered_by(reader, text(arguments, "provider"), service))
        provider = text(arguments, "provider") or str(offer["node"] if offer else "")
        _check_provider(node, provider, service)
        _check_purpose(text(arguments, "purpose"))
        try:
            asked = columns_asked(node.catalogue, offer, columns, rule)
        except InputFault as fault:
            raise refused(fault.detail, Code.INPUT_FAULT) from fault
        now = node.clock.now_us()
        day = datetime.fromtimestamp(now / 1e6, UTC).strftime("%Y%m%d")
        row: Cells = {
            "subscription_id": f"W8-{here.region}-{day}-{node.randomness.bytes(ID_BYTES).hex()}",
            "writer": here.region,
            "role": Side.APPLICANT.value,
            "service_id": service,
            "applicant": here.node,
            "provider": provider,
            "purpose": text(arguments, "purpose"),
            "scenario": text(arguments, "scenario") or None,
            "columns": ",".join(asked) or None,
            "range": text(arguments, "range") or None,
            "valid_from": day_of(text(arguments, "from")) if arguments.get("from") else business_day(now),
            "valid_to": day_of(text(arguments, "until")),
            "state": APPLIED,
            "decided_at": now,
            "checker": checker_of(here.node, provider, node.core().registry.parent),
            "dataset": offer["dataset"] if offer is not None else None,
            "row_filter": rule or None,
        }
        await _write(node, row, arguments)
        one = Known(_whole(node, row), {}, {})
        calendar = await node.read(lambda reader: calendar_of(reader, node.config))
    if not arguments.get("dry_run"):
        node.note(AuditEvent.SUBSCRIPTION_APPLIED, **audited(one, one.state))
    yield {**shown(one, here.node, calendar, now), "offer_known": offer is not None}


async def check(node: Node, arguments: Arguments) -> Answer:
    """subscription.check {to_publish?}: the application may be made. Of the nearest node above both sides, or of the
    provider. to_publish: the data must first be published, so the owner has longer to answer."""
    yield await _move(node, arguments, "check")


async def refuse(node: Node, arguments: Arguments) -> Answer:
    """subscription.refuse, with a reason: by who checks it, or by the owner."""
    yield await _move(node, arguments, "refuse")


async def withdraw(node: Node, arguments: Arguments) -> Answer:
    """subscription.withdraw: by the applicant, or with a reason by the owner. What was sent is taken back."""
    yield await _move(node, arguments, "withdraw")


async def dispute(node: Node, arguments: Arguments) -> Answer:
    """subscription.dispute, with a reason: the applicant asks the common parent to rule on a refusal. Once."""
    yield await _move(node, arguments, "dispute")


async def uphold(node: Node, arguments: Arguments) -> Answer:
    """subscription.uphold, with a reason: the refusal stands. By the arbiter."""
    yield await _move(node, arguments, "uphold")


async def overrule(node: Node, arguments: Arguments) -> Answer:
    """subscription.overrule, with a reason: it is to be shared; the owner then approves. By the arbiter."""
    yield await _move(node, arguments, "overrule")


async def approve(node: Node, arguments: Arguments) -> Answer:
    """subscription.approve -> also {rows: how many leave now}: rows go out from the first day of its period on."""
    yield await _move(node, arguments, "approve")


async def _move(node: Node, arguments: Arguments, name: str) -> Mapping[str, Any]:
    here, reason = node.standing.node, text(arguments, "reason")
    rows: dict[str, int] = {}
    async with node.subscribing:
        one = await _one(node, text(arguments, "subscription"))
        try:
            move = choose(one.said, one.sides(here), name, reason)
            granted = name == "approve"
            row = await granted_rows(node, one, reason) if granted else _row(node, one, move, reason, arguments)
            if name == "approve":
                rows = {"rows": await node.read(lambda reader: _matching(reader, node, row))}
            await _write(node, row, arguments)
        except InputFault as fault:
            raise refused(fault.detail) from fault
    then = _with(one, _whole(node, row))
    calendar = await node.read(lambda reader: calendar_of(reader, node.config))
    if not arguments.get("dry_run"):
        node.note(_EVENTS[name], **audited(one, then.state))
    return {**shown(then, here, calendar, node.clock.now_us()), **rows}


def _row(node: Node, one: Known, move: Move, reason: str, arguments: Arguments) -> Cells:
    """The row by which a side makes a move. Raises UserFault where nobody stands above who could rule."""
    days = PUBLISH_DAYS if arguments.get("to_publish") else ANSWER_DAYS
    if move.by is Side.OWNER or (move.by is Side.CHECKER and Side.OWNER in one.sides(node.standing.node)):
        return {**decision(node, one, move.to, reason), **({"answer_days": days} if move.to == CHECKED else {})}
    said: Cells = {"state": move.to, "decided_at": node.clock.now_us(), "reason": reason or None}
    if move.to == DISPUTED:
        said["arbiter"] = _arbiter(node, one)
    if move.by is Side.APPLICANT:
        return {**one.application, **said}
    about = ("subscription_id", "service_id", "applicant", "provider", "checker", "dataset")
    checks: Cells = {"writer": node.standing.region, "role": move.by.value}
    if move.to == CHECKED:
        checks["answer_days"] = days
    return {**{name: one.application[name] for name in about}, **checks, **said}


def _arbiter(node: Node, one: Known) -> str:
    asked = one.application
    applicant, provider, checker = (str(asked[name]) for name in ("applicant", "provider", "checker"))
    found = arbiter_of(one.said, applicant, provider, checker, node.core().registry.parent)
    if not found:
        raise UserFault(
            Code.MOVE_REFUSED,
            N_("Nobody stands above both sides who could rule on this refusal."),
            N_("Apply anew with what the reason of the refusal asks for."),
        )
    return found


def _with(one: Known, row: Cells) -> Known:
    match Side(str(row["role"])):
        case Side.APPLICANT:
            return one._replace(application=row)
        case Side.CHECKER:
            return one._replace(check=row)
        case Side.OWNER:
            return one._replace(decision=row)
        case Side.ARBITER:
            return one._replace(ruling=row)


def _matching(reader: Reader, node: Node, row: Cells) -> int:
    """How many own rows match what is granted."""
    dataset = node.catalogue.datasets[str(row["dataset"])]
    rule = read_rule(dataset, str(row["row_filter"] or ""))
    where, parameters = filter_sql(rule) if rule is not None else ("1", [])
    return reader.count(dataset.id, f'"_origin" = ? AND {where}', (node.standing.node, *parameters))


async def _one(node: Node, name: str) -> Known:
    """The subscription of this id in which this node has a part. Raises UserFault."""
    here = node.standing.node
    found = [one for one in await node.read(lambda reader: subscriptions(reader, name)) if one.sides(here)]
    if len(found) != 1:
        raise unknown(name)
    return found[0]


def _check_provider(node: Node, provider: str, service: str) -> None:
    if not provider:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("No other node is known here to offer '{service}'."),
            N_("`tiersync service list` shows offers. That of a sibling is not seen here: name it with --provider."),
            service=service,
        )
    if node.core().registry.newest(provider) is None or provider == node.standing.node:
        raise UserFault(
            Code.PEER_UNKNOWN,
            N_("No other node '{node}' is known here."),
            N_("`tiersync peers` lists the nodes."),
            node=provider,
        )


def _check_purpose(purpose: str) -> None:
    """Whoever checks and decides goes by it."""
    if not purpose.strip():
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("The application does not say what the data is for."),
            N_("Write it with --purpose; it may be used for nothing else."),
        )


async def _write(node: Node, row: Cells, arguments: Arguments) -> None:
    await write(node, [row], dry_run=bool(arguments.get("dry_run")))


def _whole(node: Node, row: Cells) -> Cells:
    return {name: row.get(name) for name in node.catalogue.datasets["subscription"].schema.names}
