"""`fsck` of a home: what the store's checks need to know (keys, schemas, publications) comes from the home itself.

Keys come from the registry feeds in the store, from the anchor down, and the anchor is checked against the root
certificate: nothing is believed because it stands in a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from certs.anchor import open_anchor
from certs.suites import SUITES
from node.app import read_catalogue
from node.clock import SystemClock
from node.config import Config
from node.granting import take_granted
from node.identity import NodeIdentity
from node.known import StoreKnown
from node.publications import settings_of
from node.store.fsck import Report, Rules, check_file
from node.store.home import DATABASE_FILE
from node.store.store import Store
from sync.core import Core, Identity, Seams
from sync.errors import RemoteFault
from sync.judge import LocalRows
from sync.replica import Replica
from sync.values import FeedName, Route, Row
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody
from tiers.catalogue import Catalogue
from tiers.judging import TierJudge
from tiers.profile import PROFILES, Standing, signing_scope
from tiers.publishing import TierPublisher


def check_home(home: Path, config: Config, identity: NodeIdentity) -> Report:
    """Checks the store of a home whose lock the caller holds. Raises StoreFault, CatalogueFault."""
    catalogue = read_catalogue(home, config)
    publisher = _publisher(config, identity, catalogue)
    core = _core(home, config, identity, catalogue, publisher)
    return check_file(home / DATABASE_FILE, rules_of(core, catalogue, publisher))


def rules_of(core: Core, catalogue: Catalogue, publisher: TierPublisher) -> Rules:
    """What a store is checked against, as a replica that was built from it knows it."""
    node = core.me.node

    def key_of(origin: str, version: int) -> tuple[int, bytes] | None:
        found = core.registry.enrolment(origin, version)
        return (found.suite, found.public_key) if found is not None else None

    def published(dataset: str, row: Row) -> Mapping[FeedName, tuple[tuple[str, ...], Row]]:
        return {
            FeedName(node, out.publication, out.addressee): (out.columns, out.puts[0])
            for out in publisher.publish(LocalRows(dataset, [row], (), {}))
            if out.puts and FeedName(node, out.publication, out.addressee) in core.feeds
        }

    def applies(feed: FeedName, route: Route) -> bool:
        return core.applies(feed, int(route))

    return Rules(
        node=node,
        federation=core.me.federation,
        suites=SUITES,
        key_of=key_of,
        schemas=[d.schema for d in catalogue.datasets.values()],
        schema_of=catalogue.schema,
        applies=applies,
        published=published,
        settings=settings_of(publisher),
        registry=core.registry,
    )


def _publisher(config: Config, identity: NodeIdentity, catalogue: Catalogue) -> TierPublisher:
    own = config.node
    profile = PROFILES[own.tier]
    parent = config.parent.node_id if config.parent else ""
    scope = signing_scope(profile, own.region)
    return TierPublisher(catalogue, Standing(own.node_id, profile, own.region, parent, identity.nation, scope))


def _core(home: Path, config: Config, identity: NodeIdentity, catalogue: Catalogue, publisher: TierPublisher) -> Core:
    """The replica's state as the node would build it at its start; nothing is written."""

    def verify(anchor: Anchor) -> AnchorBody | None:
        try:
            return open_anchor(anchor, identity.trust.root, config.node.federation)
        except RemoteFault:
            return None

    store = Store.open(home / DATABASE_FILE, [d.schema for d in catalogue.datasets.values()])
    try:
        take_granted(publisher, store, SystemClock().now_us())
        rebuilt = store.load_state()
        rebuilt.anchor = rebuilt.anchor or identity.anchor
        judge, known = TierJudge(catalogue), StoreKnown(store, catalogue)
        parent = config.parent.node_id if config.parent else ""
        me = Identity(config.node.federation, config.node.node_id, parent, rebuilt.instance, bytes(16), "fsck")
        seams = Seams(SUITES, identity.log_key, judge, publisher, known, store, verify)
        return Replica(me, seams, rebuilt).core
    finally:
        store.close()
