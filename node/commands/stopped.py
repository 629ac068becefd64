"""A stopped node looked at: its replica rebuilt from the store through a read-only connection, as at a start.

Nothing is written and nothing is locked; keys are needed for nothing, so a home whose keys are lost can be looked at
and checked too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from certs import files
from certs.anchor import open_anchor
from certs.files import HomeFiles
from certs.suites import SUITES
from node.announced import said_by, shown_now, that_counts
from node.attachments.files import Files
from node.clock import SystemClock
from node.commands.view import View
from node.config import Config
from node.dues import counted, reminders_at
from node.excused import Excused
from node.extensions import extensions_in_use, unregistered
from node.granting import take_granted
from node.quality import counts
from node.revising import job_of
from node.silence import find_silent, spans_declared
from node.status import heard_of, status_of
from node.store.home import DATABASE_FILE
from node.store.readers import Reader
from node.store.records import ANCHOR
from node.subscriptions import counts as subscribed
from sync.core import Identity, Seams
from sync.errors import InputFault, LocalFault, RemoteFault
from sync.replica import Replica
from sync.wire.v1.entry_pb2 import Anchor, AnchorBody
from tiers.catalogue import Catalogue
from tiers.flows import REMINDER
from tiers.judging import TierJudge
from tiers.profile import PROFILES, Standing, signing_scope
from tiers.publishing import TierPublisher

HEARD_SHOWN = 50


class _OnlyPublic(NamedTuple):
    """The node's log key as far as it is at hand. It never signs: nothing is said in the name of a stopped node."""

    suite: int
    public_key: bytes

    def sign(self, message: bytes) -> bytes:
        """Raises AssertionError."""
        raise AssertionError("a stopped node signs nothing")


class Stopped(NamedTuple):
    """What a home amounts to while no process serves it."""

    replica: Replica
    publisher: TierPublisher
    catalogue: Catalogue


def rebuilt(home: Path, config: Config, catalogue: Catalogue, reader: Reader) -> Stopped:
    """The node as its store says it today. Raises StoreFault."""
    own = config.node
    parent = config.parent.node_id if config.parent else ""
    state = reader.load_state()
    body = _anchor(home, config, reader)
    if body is not None and not state.anchor:
        state.anchor = files.load_public(HomeFiles(home).anchor)
    publisher = _publisher(config, catalogue, body)
    take_granted(publisher, reader, SystemClock().now_us())
    me = Identity(own.federation, own.node_id, parent, state.instance, bytes(16), "reading")
    reads = reader.reads()
    seams = Seams(
        SUITES,
        _own_key(home),
        TierJudge(catalogue),
        publisher,
        reads,
        reads,
        lambda anchor: _opened(home, own.federation, anchor),
    )
    return Stopped(Replica(me, seams, state), publisher, catalogue)


def publisher_of(home: Path, config: Config, catalogue: Catalogue, reader: Reader) -> TierPublisher:
    """What a node with this configuration and catalogue publishes to whom today. Raises StoreFault."""
    publisher = _publisher(config, catalogue, _anchor(home, config, reader))
    take_granted(publisher, reader, SystemClock().now_us())
    return publisher


def _publisher(config: Config, catalogue: Catalogue, anchor: AnchorBody | None) -> TierPublisher:
    own, parent = config.node, config.parent.node_id if config.parent else ""
    profile, nation = PROFILES[own.tier], anchor.nation if anchor is not None else ""
    scope = signing_scope(profile, own.region)
    return TierPublisher(catalogue, Standing(own.node_id, profile, own.region, parent, nation, scope))


def status(home: Path, config: Config, view: View) -> dict[str, Any]:
    """The same as a running node says, without links."""
    stopped = rebuilt(home, config, view.catalogue, view.reader)
    found = status_of(stopped.replica, view.reader.reads())
    found["heard"] = heard_of(view.reader, HEARD_SHOWN)
    found["attachments"] |= {
        "used_bytes": Files(home).used(),
        "quota_bytes": config.attachments.quota_bytes,
        "pushed_waiting": 0,
    }
    found["heard_open"] = view.reader.heard_open()
    found["reread"] = view.reader.reread_count()
    found["personal"] = []
    found["quality"] = counts(view.reader, view.node)
    found["subscriptions"] = subscribed(view.reader, view.node)
    found["jobs"] = job_of(view.reader)
    found["unregistered"] = unregistered(extensions_in_use(view.reader, view.catalogue))
    factor = config.data.silence_factor
    spans = spans_declared(view.home)
    excused = Excused(view.node, lambda: view.now_us, lambda: stopped.replica.core)
    parent_of, seen = stopped.replica.core.registry.parent, view.reader.windows.all()
    excused.maintenance = that_counts(said_by(view.reader, view.now_us), seen, parent_of, config)
    silent = find_silent(view.reader, view.catalogue, view.node, factor, view.now_us, spans, excused.covered_us)
    found["silent"] = [one.shown() for one in silent]
    found["maintenance"] = shown_now(excused.maintenance, view.now_us)
    found["dues"] = counted(view.catalogue.flows[REMINDER], view.node, reminders_at(view.reader), 0, "")
    found["alarms"], found["alarm_count"] = [], 0
    found["parent_link"] = {"state": "", "detail": ""}
    found["exchange_port"] = found["http_port"] = 0
    found["webhooks"] = []
    return found


def reader_of(home: Path, catalogue: Catalogue) -> Reader:
    """The home's store, read-only. Raises StoreFault, UnsafeSqlite."""
    return Reader(home / DATABASE_FILE, [d.schema for d in catalogue.datasets.values()])


def _own_key(home: Path) -> _OnlyPublic:
    try:
        key = files.load_log_key(HomeFiles(home).log_key)
    except (LocalFault, OSError):
        return _OnlyPublic(min(SUITES), b"")
    return _OnlyPublic(key.suite, key.public_key)


def _anchor(home: Path, config: Config, reader: Reader) -> AnchorBody | None:
    """The newest anchor that the store or the home has."""
    held = reader.meta(ANCHOR)
    if not isinstance(held, bytes) or not held:
        try:
            held = files.load_public(HomeFiles(home).anchor)
        except LocalFault:
            return None
    return _opened(home, config.node.federation, held)


def _opened(home: Path, federation: str, anchor: Anchor | bytes) -> AnchorBody | None:
    try:
        root = files.load_certificates(HomeFiles(home).root)[0]
        return open_anchor(anchor, root, federation)
    except (RemoteFault, InputFault, LocalFault):
        return None
