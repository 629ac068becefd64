"""Every dataset through three tiers: filled at each node that owns it, beside real records, and the same at each tier
that it is for, by an independent reader. What must stay at home is looked for in all that others hold, decoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from node.demo.reader import catalogue_of, compare, held_back_cells
from node.demo.stages import demo_input, load
from node.store.driver import connect_reader
from node.store.home import DATABASE_FILE
from node.testing import DEMO, Member, Topology
from node.testing.leaks import float_canary, scan_home, text_canary
from sync.payload import CODEC_ROWS, CODEC_ROWS_ZSTD, inflate
from sync.values import Route
from sync.wire.v1.entry_pb2 import EntryHeader
from tests.integration.filled import MARK, MARK_FLOAT, Filler, code_rows
from tests.integration.kit import node_of, run
from tiers.dataset import NATION, Dataset, Publication
from tiers.profile import PROFILES
from tiers.subscriptions import SUBSCRIPTION

ROWS = 40
_ENTRIES = """SELECT header,
    coalesce(payload, (SELECT bytes FROM payload WHERE payload.digest = log.payload_digest)) FROM log"""


def _owned(net: Topology, member: Member) -> list[Dataset]:
    """The datasets that a node's tier writes."""
    place = member.place
    above = net[place.parent].node if place.parent else ""
    tiers = PROFILES[place.tier].tiers(above)
    return [d for d in catalogue_of(member).datasets.values() if set(d.owner) & set(tiers)]


async def _fill(net: Topology, member: Member, dataset: Dataset) -> int:
    """Generated rows of one dataset in; how many were let in: the door has rules that no declaration says."""
    region = member.place.region
    rows = list(Filler(member.node, region).rows(dataset, ROWS))
    if dataset.id == SUBSCRIPTION:
        # What it says is what leaves, so the door is shut to it.
        result: Any = await node_of(member).put_subscriptions(rows)
    else:
        result = await member.put(dataset.id, dataset.schema.names, rows)
    said = [reject.detail for reject in result.rejected][:3]
    assert result.accepted >= ROWS // 2, f"{member.place.name}: {dataset.id}: {said}"
    return int(result.accepted)


def _receivers(net: Topology, origin: Member, publication: Publication) -> Iterator[tuple[Member, str]]:
    """(node, addressee of the feed) of everybody that a publication of this origin is for."""
    above: list[Member] = []
    at = origin.place.parent
    while at:
        above.append(net[at])
        at = net[at].place.parent
    match publication.route:
        case Route.PARENT:
            yield from ((member, "") for member in above[:1])
        case Route.ANCESTORS:
            yield from ((member, "") for member in above)
        case Route.DESCENDANTS:
            for member in net.members.values():
                if origin in _ancestors(net, member):
                    yield member, ""
        case Route.NODE:
            if publication.addressees != (NATION,):
                return  # whom each row names: tests/integration/test_quality.py
            if origin is not net["nation"]:
                yield net["nation"], net["nation"].node


def _ancestors(net: Topology, member: Member) -> list[Member]:
    parent = member.place.parent
    return [net[parent], *_ancestors(net, net[parent])] if parent else []


def _digests(net: Topology) -> Counter[str]:
    """Compares every feed at both ends; how many rows each dataset has at its receivers."""
    arrived: Counter[str] = Counter()
    for origin in net.members.values():
        catalogue = catalogue_of(origin)
        for dataset in _owned(net, origin):
            for publication in catalogue.publications_of(dataset.id):
                for receiver, addressee in _receivers(net, origin, publication):
                    found = compare(origin, receiver, dataset, publication, addressee)
                    assert (found.rows, found.digest) == (found.origin_rows, found.origin_digest), found
                    arrived[dataset.id] += found.rows
    return arrived


def _columns_sent(member: Member) -> dict[str, set[str]]:
    """By dataset: the columns of every payload in a store, decoded."""
    sent: dict[str, set[str]] = {}
    with closing(connect_reader(member.home / DATABASE_FILE)) as connection:
        for packed, payload in connection.execute(_ENTRIES):
            header = EntryHeader.FromString(packed)
            if header.codec in (CODEC_ROWS, CODEC_ROWS_ZSTD):
                dataset, columns, _, _ = msgspec.msgpack.decode(inflate(header, payload))
                sent.setdefault(dataset, set()).update(columns)
    return sent


def _nothing_held_back(net: Topology, member: Member) -> None:
    """In no payload, table or file of a node stands anything that another node holds back."""
    catalogue = catalogue_of(member)
    for dataset, columns in _columns_sent(member).items():
        assert not columns & catalogue.datasets[dataset].held_back, dataset
    for other in net.members.values():
        for dataset in catalogue.datasets.values() if other is not member else ():
            assert not any(held_back_cells(member, dataset, other.node).values()), (dataset.id, other.place.name)


def test_every_dataset_is_the_same_at_every_tier_and_nothing_held_back_left_its_node(tmp_path: Path) -> None:
    """A nation, a province, its two cities and a municipality: all own rows of each dataset, generated, and real
    records of cases and their classes. A node without rows of its own to hold back has no mark anywhere."""

    async def work() -> None:
        async with Topology(tmp_path, DEMO) as net:
            nation = net["nation"]
            codes = catalogue_of(nation).datasets["class_code"]
            assert codes.code_table is not None
            filled = code_rows(codes, codes.code_table, nation.node)
            assert (await nation.put("class_code", codes.schema.names, filled)).accepted == len(filled)
            kinds = Path(str(resources.files("node.mappings") / "class_code_myla311.csv"))
            assert (await load(nation, "class_code", "class_code", kinds))["taken"] > 0
            await net.level()
            put: Counter[str] = Counter()
            for member in net.members.values():
                for dataset in _owned(net, member):
                    if dataset.id != "class_code":
                        put[dataset.id] += await _fill(net, member, dataset)
                if member.place.tier == "city":
                    assert (await load(member, "case", "myla311", demo_input()))["taken"] > 100
            await net.level()
            statuses = {name: await member.status() for name, member in net.members.items()}
            for status in statuses.values():
                assert not any(feed["parked"] or feed["refused"] for feed in status["feeds"])
            assert put.keys() | {"class_code"} == set(catalogue_of(nation).datasets)
            arrived = _digests(net)
            catalogue = catalogue_of(nation)
            stays = {name for name in catalogue.datasets if not catalogue.publications_of(name)}
            # An answer goes to whom it names: tests/integration/test_quality.py.
            assert {name for name in catalogue.datasets if not arrived[name]} == {*stays, "quality_answer"}
            for member in net.members.values():
                _nothing_held_back(net, member)
            marks = [text_canary("text", MARK), float_canary("number", MARK_FLOAT)]
            at_home = scan_home(net["hangzhou"].home, marks)
            assert at_home.found("text", "rows_case")
            assert at_home.found("number", "rows_case")
            for member in net.members.values():
                found = scan_home(member.home, marks)
                assert not found.found("text", "payload of"), member.place.name
                assert not found.found("number", "payload of"), member.place.name

    run(work())
