"""What the integration tests share: case rows, the node inside this process, and the comparison of two stores."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from node.app import Node
from node.demo.reader import catalogue_of, compare
from node.testing import Member, Topology
from node.testing.running import InProcess
from sync.values import Key, Row
from tiers.catalogue import Catalogue
from tiers.dataset import Publication
from tiers.door import Checked, Door, Reject
from tiers.publishing import TierPublisher

LIMIT_S = 240.0
START_US = 1_790_000_000_000_000
COLUMNS = ("case_id", "category", "source", "division", "state", "reported_at", "supervised", "summary")
CODED = (*COLUMNS, "class_scheme", "class_version", "class_code")
CODE_COLUMNS = ("table_name", "code", "table_version", "name_zh", "is_extension", "status")

Status = dict[str, Any]


def run(work: Awaitable[None]) -> None:
    """Runs an async test in a loop of its own."""
    asyncio.run(_bounded(work))


async def _bounded(work: Awaitable[None]) -> None:
    async with asyncio.timeout(LIMIT_S):
        await work


def cases(
    count: int, *, first: int = 1, division: str = "330106", supervised: bool = False, text: str = ""
) -> list[Row]:
    """Rows for COLUMNS."""
    return [
        (
            f"{division[:4]}-{n:06d}",
            "event",
            "public",
            division,
            "handling",
            START_US + n,
            supervised,
            text or f"第{n}件",
        )
        for n in range(first, first + count)
    ]


def publish_all_columns(node: Node) -> None:
    """A node's program goes wrong: whatever it publishes has every column, also those that must stay."""

    plain = Catalogue.publications_of

    def everything(self: Catalogue, dataset: str) -> tuple[Publication, ...]:
        whole = self.datasets[dataset].schema.names
        return tuple(replace(one, columns=whole) for one in plain(self, dataset))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Catalogue, "publications_of", everything)
        publisher = TierPublisher(node.catalogue, node.standing)
    object.__setattr__(node.core().seams, "publisher", publisher)


def coded(number: int, scheme: str, code: str, *, supervised: bool = False) -> Row:
    """A row for CODED."""
    return (*cases(1, first=number, supervised=supervised)[0], scheme, 1, code)


def code_row(table: str, code: str) -> Row:
    """A row for CODE_COLUMNS."""
    return (table, code, 1, f"类别{code}", True, "effective")


async def put(member: Member, rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> int:
    """Rows in at the door, all of them; the transaction's group."""
    result = await member.put("case", columns, rows)
    assert not result.rejected, list(result.rejected)
    assert result.accepted == len(rows)
    return int(result.group)


def node_of(member: Member) -> Node:
    """The node of a member that runs inside this process."""
    assert isinstance(member.running, InProcess)
    assert member.running.serving is not None
    return member.running.serving.node


class _OpenDoor:
    """Lets everything in, as a program without a door would."""

    def check_local_rows(self, dataset: str, rows: Sequence[Row], known: object) -> Checked:
        return Checked(list(rows), [], 0)

    def check_local_keys(self, dataset: str, keys: Sequence[Key], put: Sequence[Key]) -> list[Reject]:
        return []

    region = "330100"

    def code_life(self, dataset: str) -> None:
        return None


def open_door(member: Member) -> None:
    """From now on this node's own door checks nothing: what it lets in has to be judged above."""
    node_of(member).door = cast("Door", _OpenDoor())


def feed(status: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One feed of a status by its text; {} if it is not there."""
    return next((f for f in status["feeds"] if f["feed"] == name), {})


def seq(status: Mapping[str, Any], name: str) -> int:
    """Head of a feed; 0 if it is not there."""
    return int(feed(status, name).get("seq", 0))


def heard(status: Mapping[str, Any], reason: str, fate: str) -> list[dict[str, Any]]:
    """What other nodes said of this node's rows."""
    return [h for h in status["heard"] if (h["reason"], h["fate"]) == (reason, fate)]


def has_heard(reason: str, fate: str, count: int = 1) -> Callable[[Status], bool]:
    """A condition for Member.until."""
    return lambda status: len(heard(status, reason, fate)) >= count


def has_no_link(peer: Member) -> Callable[[Status], bool]:
    """A condition for Member.until: the link to a neighbour is gone."""
    return lambda status: all(link["peer"] != peer.node for link in status["links"])


def same_cases(net: Topology, city: str, above: Mapping[str, str]) -> int:
    """Asserts that both feeds of a city's cases stand above it as at the city, by an independent reader of the stores.

    above: publication -> place that holds it. Returns how many rows were compared.
    """
    origin = net[city]
    catalogue = catalogue_of(origin)
    case = catalogue.datasets["case"]
    rows = 0
    for publication, place in above.items():
        addressee = net["nation"].node if publication == "case.nation" else ""
        found = compare(origin, net[place], case, catalogue.publications[publication], addressee)
        assert found.agrees, found
        rows += found.rows
    return rows


THREE_UP = {"case.parent": "province", "case.nation": "nation"}
