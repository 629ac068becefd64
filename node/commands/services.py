"""The service catalogue: what this node offers, what others offer, and changing the own part of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from node.app import Node
from node.commands.view import Arguments, View, limit, text
from node.faults import Code, UserFault, of_detail
from node.store.readers import Reader
from node.texts import N_
from sync.errors import InputFault
from sync.values import Cell
from tiers.profile import PROFILES
from tiers.rules import business_day
from tiers.services import PUBLISHED, Offer, check_offer, offerable, publish, withdraw

SERVICES = "service_catalogue"
Offered = dict[str, Cell]


def list_services(view: View, arguments: Arguments) -> dict[str, Any]:
    """service.list {all?, limit} -> {services: offered here and by others}. `all`: also versions that are over."""
    names = view.reader.schema(SERVICES).names
    where, parameters = ("", ()) if arguments.get("all") else ('"state" = ?', (PUBLISHED,))
    rows = view.reader.query(SERVICES, where, parameters, ("_origin", *names), limit(arguments))
    return {"services": [{"own": origin == view.node, **dict(zip(names, row, strict=True))} for origin, *row in rows]}


async def list_offerable(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """service.offerable {} -> {datasets}: what this node may offer, with its sharing class."""
    yield {
        "datasets": [
            {"dataset": d.id, "zh": d.title_zh, "en": d.title_en, "sharing": d.sharing.value}
            for d in offerable(node.catalogue, _tiers(node))
        ]
    }


async def publish_service(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """service.publish {dataset, service?, title?, columns?, condition?, dry_run?} -> the new version."""
    dataset = node.catalogue.datasets.get(text(arguments, "dataset"))
    if dataset is None:
        raise UserFault(
            Code.UNKNOWN_DATASET,
            N_("There is no dataset '{dataset}' here."),
            N_("`tiersync service list --offerable` shows what this node may offer."),
            dataset=text(arguments, "dataset"),
        )
    columns = [name for name in text(arguments, "columns").replace(",", " ").split() if name]
    region = node.standing.region
    service = text(arguments, "service") or f"{region}-{dataset.id}"
    try:
        check_offer(dataset, columns, _tiers(node))
    except InputFault as fault:
        raise _not_offered(fault.detail) from fault
    held = await node.read(lambda reader: _versions(reader, node.standing.node, service))
    replaced, new = publish(_offers(held))
    row: Offered = {
        "service_id": service,
        "version": new.version,
        "division": region,
        "node": node.standing.node,
        "dataset": dataset.id,
        "title": text(arguments, "title") or dataset.title_zh,
        "columns": ",".join(columns) or None,
        "cadence": dataset.cadence[0].value,
        "sharing": dataset.sharing.value,
        "condition": text(arguments, "condition") or None,
        "source_unit": dataset.source_unit or None,
        "state": new.state,
        "valid_from": business_day(node.clock.now_us()),
    }
    await _put(node, [*_changed(held, replaced), row], arguments)
    yield {"own": True, **row}


async def withdraw_service(node: Node, arguments: Arguments) -> AsyncIterator[Mapping[str, Any]]:
    """service.withdraw {service, dry_run?} -> {services: versions that are over now}."""
    service = text(arguments, "service")
    held = await node.read(lambda reader: _versions(reader, node.standing.node, service))
    try:
        stopped = withdraw(_offers(held))
    except InputFault as fault:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("This node offers no service '{service}'."),
            N_("`tiersync service list` shows what is offered."),
            service=service,
        ) from fault
    rows = _changed(held, stopped)
    await _put(node, rows, arguments)
    yield {"services": [{"own": True, **row} for row in rows]}


def _tiers(node: Node) -> tuple[str, ...]:
    return tuple(PROFILES[node.config.node.tier].tiers(node.standing.parent))


def _versions(reader: Reader, here: str, service: str) -> list[Offered]:
    names = reader.schema(SERVICES).names
    rows = reader.query(SERVICES, '"_origin" = ? AND "service_id" = ?', (here, service), names, 100_000)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _offers(held: list[Offered]) -> list[Offer]:
    return [Offer(int(row["version"] or 0), str(row["state"])) for row in held]


def _changed(held: list[Offered], offers: list[Offer]) -> list[Offered]:
    states = {offer.version: offer.state for offer in offers}
    return [{**row, "state": states[int(row["version"] or 0)]} for row in held if row["version"] in states]


async def _put(node: Node, rows: list[Offered], arguments: Arguments) -> None:
    """In one transaction. Raises UserFault."""
    names = node.catalogue.datasets[SERVICES].schema.names
    cells = [tuple(row.get(name) for name in names) for row in rows]
    # All of them or none: the version offered until now must not end because the new one cannot be taken.
    for dry_run in (True,) if arguments.get("dry_run") else (True, False):
        result = await node.put(SERVICES, cells, dry_run=dry_run)
        if result.rejected:
            raise _not_offered(result.rejected[0].detail)


def _not_offered(detail: str) -> UserFault:
    return of_detail(
        Code.INPUT_FAULT,
        N_("This cannot be offered."),
        detail,
        N_(
            "`tiersync service list --offerable` shows the datasets that can, `tiersync catalogue show DATASET` the "
            "columns and which of them stay. Correct what the detail names; what was offered until now still is."
        ),
    )
