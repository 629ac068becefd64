"""What moves cite is written by the node itself, from its own store, when they are handed in; and compared, wherever a
task is looked at, with what is held there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from node.app import Node
from node.commands.view import View
from node.faults import Code, UserFault
from node.frozen import INDICATORS
from node.jobs import MoveWish
from node.store.readers import Reader
from node.texts import N_
from sync.values import FeedName, dataset_of
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.positions import (
    NOTHING,
    POSITIONS_MAX,
    Position,
    Release,
    Stands,
    position_stands,
    position_text,
    positions_in,
    release_in,
    release_of,
    release_stands,
)
from tiers.flows.steps import fields_of
from tiers.flows.table import Flow, Kind
from tiers.profile import profile_of, stands_below

ROWS_MAX = 100_000
_VERSION = re.compile(r"[0-9]{1,9}")
_BETWEEN = re.compile(r"[\s,;，、；]+")


async def cited(node: Node, wishes: Sequence[MoveWish]) -> list[MoveWish]:
    """Wishes of one task, with what they cite written out. Raises UserFault."""
    flows = node.catalogue.flows
    history = await node.read(partial(Reader.moves, task=wishes[0].task))
    flow = flows.get(history[0].flow if history else wishes[0].flow)
    kinds = {rule.name: rule.kind for rule in flow.fields} if flow is not None else {}
    if not {Kind.POSITION, Kind.RELEASE}.intersection(kinds.values()):
        return list(wishes)
    assert flow is not None
    first = history[0] if history else None
    holder = first.holder if first is not None else wishes[0].holder
    found = []
    for wish in wishes:
        fields = dict(wish.fields)
        for name in [name for name, kind in kinds.items() if kind is Kind.POSITION and fields.get(name)]:
            fields[name] = await _positions(node, holder, fields[name])
        rule = flow.rule(wish.move)
        for name in [name for name in (rule.fields if rule is not None else ()) if kinds.get(name) is Kind.RELEASE]:
            fields[name] = await _release(node, fields)
        found.append(wish._replace(fields=fields))
    return found


async def _positions(node: Node, holder: str, said: str) -> str:
    """Where the feeds stand by which the holder of the task sent these datasets."""
    if said == NOTHING or positions_in(said) is not None:
        return said
    names = [name for name in _BETWEEN.split(said) if name]
    unknown = [name for name in names if name not in node.catalogue.datasets]
    if unknown:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{value}' is no dataset of this node."),
            N_("Name the datasets that the values were taken from, or - if they were taken from none."),
            value=unknown[0],
        )
    heads, waiting = await node.read(lambda reader: (_heads(reader, holder, names), _waiting(reader, holder, names)))
    heads += [(name, position) for name, position in waiting if dataset_of(name.publication) not in _sent(heads)]
    silent = sorted(set(names) - _sent(heads))
    if silent:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("Nothing of '{dataset}' of {node} has been exchanged yet: there is nothing to cite."),
            N_("Bring its rows first and wait until they are sent, or leave the dataset out."),
            dataset=silent[0],
            node=holder,
        )
    if len(heads) > POSITIONS_MAX:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("More than {most} feeds would be cited."),
            N_("Name fewer datasets."),
            most=POSITIONS_MAX,
        )
    return position_text(position for _, position in heads)


def _sent(heads: Sequence[tuple[FeedName, Position]]) -> set[str]:
    return {dataset_of(name.publication) for name, _ in heads}


def _waiting(reader: Reader, holder: str, names: Sequence[str]) -> list[tuple[FeedName, Position]]:
    """Datasets of which the holder has rows here: at the holder itself they may wait for their first link."""
    held = [name for name in dict.fromkeys(names) if reader.query(name, '"_origin" = ?', (holder,), ("_origin",), 1)]
    return [(FeedName(holder, f"{name}.waiting"), Position(name, "", 0, "")) for name in held]


def _heads(reader: Reader, holder: str, names: Sequence[str]) -> list[tuple[FeedName, Position]]:
    states = (one for one in reader.feeds() if one.name.origin == holder and one.head.seq)
    return [
        (one.name, Position(str(one.name), one.head.epoch.hex(), one.head.seq, one.head.hash.hex()))
        for one in states
        if dataset_of(one.name.publication) in names
    ]


async def _release(node: Node, fields: Mapping[str, str]) -> str:
    system, version = fields.get("system", ""), fields.get("version", "")
    held = await node.read(lambda reader: release_here(reader, node.config.node.node_id, system, version))
    if held is None:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("No indicator of version {version} of '{system}' is held here."),
            N_("Release the indicators first (dataset eval_indicator); a cycle goes by one release of them."),
            system=system,
            version=version or "-",
        )
    return str(held)


def release_here(reader: Reader, issuer: str, system: str, version: str) -> Release | None:
    """The rows of a release as they are held here: those of its issuer and of the nodes above it."""
    if _VERSION.fullmatch(version) is None:
        return None
    names = ("_origin", *reader.schema(INDICATORS).names)
    rows = reader.query(INDICATORS, '"system" = ? AND "version" = ?', (system, int(version)), names, ROWS_MAX)
    return release_of(dict(zip(names, row, strict=True)) for row in rows if _speaks_for(str(row[0]), issuer))


def _speaks_for(origin: str, issuer: str) -> bool:
    profile = profile_of(origin)
    return origin == issuer or (profile is not None and stands_below(issuer, origin, profile))


def cited_in(view: View, flow: Flow | None, history: Sequence[MoveBody]) -> list[dict[str, Any]]:
    """What the moves of a task cite, and how it stands against what is held here."""
    kinds = {rule.name: rule.kind for rule in flow.fields} if flow is not None else {}
    found = []
    for body in history:
        for name, said in fields_of(body).items():
            if kinds.get(name) is Kind.POSITION:
                found += [{"number": body.number, "field": name, **one} for one in _compared(view.reader, said)]
            elif kinds.get(name) is Kind.RELEASE:
                found.append({"number": body.number, "field": name, **_release_compared(view.reader, body, said)})
    return found


def _compared(reader: Reader, said: str) -> list[dict[str, Any]]:
    positions = positions_in(said) or []
    if not positions:
        return [{"what": "", "seq": 0, "stands": Stands.NOTHING.value}]
    states = {str(one.name): one for one in reader.feeds()}
    shown = []
    for one in positions:
        state = states.get(one.feed)
        entry = reader.entry(state.name, bytes.fromhex(one.epoch), one.seq) if state is not None and one.seq else None
        head = (state.head.epoch.hex(), state.head.seq) if state is not None else None
        stands = position_stands(one, entry.header_hash.hex() if entry is not None else None, head)
        shown.append({"what": one.feed, "seq": one.seq, "stands": stands.value})
    return shown


def _release_compared(reader: Reader, body: MoveBody, said: str) -> dict[str, Any]:
    fields, release = fields_of(body), release_in(said)
    system, version = fields.get("system", ""), fields.get("version", "")
    held = release_here(reader, body.issuer, system, version)
    stands = release_stands(release, held) if release is not None else Stands.OTHER
    return {"what": f"{system} {version}", "seq": release.rows if release is not None else 0, "stands": stands.value}
