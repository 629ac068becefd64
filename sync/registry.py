"""Who is who: enrolment versions, the tree they span, and which key and scope count for an entry (protocol section 6).

A record about X counts only if sealed by X's parent, under a chain of records that ends at the anchor, and if its
scopes lie inside the parent's carrying scope. Who that parent is, X's node id says: so no second node can claim X, and
which of them was heard first decides nothing. Lookups may come from other threads; only the writer admits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sync.errors import InputFault
from sync.judge import Signer
from sync.reasons import Reason
from sync.scope import Scope, ScopeItem, common_pattern
from sync.values import NUMBER_MAX, is_node_id
from sync.wire.v1.entry_pb2 import (
    ENROLMENT_STATUS_ENROLLED,
    ENROLMENT_STATUS_SUCCEEDED,
    AnchorBody,
    EnrolmentRecord,
    EpochConfirmation,
)
from sync.wire.v1.entry_pb2 import ScopeItem as WireScopeItem

SUCCESSORS_MAX = 64
REGIONS_PASSED_MAX = 1_000

Closings = Mapping[tuple[str, str], tuple[bytes, int]]


class Succession(NamedTuple):
    """What passed to whom, as patterns of regions; from a node that was succeeded, or, asked back, to its successor."""

    node: str
    regions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One enrolment version of one node."""

    node: str
    version: int
    profile: str
    suite: int
    public_key: bytes
    signing: Scope
    carrying: Scope
    transport_key_hash: bytes
    enrolled: bool
    parent: str
    region: str
    title: str
    key_lost: bool
    closes_older: bool
    closings: Closings
    effective: str = ""
    """ISO date from which it is in force; '' for from the beginning."""
    successions: tuple[Succession, ...] = ()
    """To whom its regions passed; then nothing counts under this version, though the node may still be spoken with."""

    @property
    def is_living(self) -> bool:
        """Whether it is enrolled, and nobody has succeeded it."""
        return self.enrolled and not self.successions

    @property
    def signer(self) -> Signer:
        """What judges need to know of it."""
        return Signer(self.node, self.profile, self.region, self.signing, self.parent)


def scope_from_wire(items: object) -> Scope:
    """Scope from repeated ScopeItem. Raises InputFault on a malformed code or date."""
    return Scope(
        tuple(
            ScopeItem(item.region, tuple(getattr(item, "except")), item.from_date, item.until_date)
            for item in items  # type: ignore[attr-defined]
        )
    )


def scope_to_wire(scope: Scope) -> list[WireScopeItem]:
    """The same, back."""
    return [
        WireScopeItem(region=i.region, from_date=i.since, until_date=i.until, **{"except": list(i.leaving_out)})
        for i in scope.items
    ]


def enrolment_from_record(record: EnrolmentRecord) -> Enrolment:
    """The checked value of a registry record. Raises InputFault when a field is not well-formed."""
    if not is_node_id(record.node) or not is_node_id(record.parent):
        raise InputFault(Reason.MALFORMED, "a record's node id is not well-formed")
    if not 1 <= record.version <= NUMBER_MAX or any(c.seq > NUMBER_MAX for c in record.closings):
        raise InputFault(Reason.MALFORMED, f"the record of {record.node} holds a number that cannot be")
    if not record.log_public_key or len(record.transport_key_hash) != 32:
        raise InputFault(Reason.MALFORMED, f"the record of {record.node} lacks a version or key")
    successions = tuple(Succession(s.successor, tuple(s.regions)) for s in record.successions)
    _check_successions(record, successions)
    return Enrolment(
        node=record.node,
        version=record.version,
        profile=record.profile,
        suite=record.suite,
        public_key=record.log_public_key,
        signing=scope_from_wire(record.signing_scope),
        carrying=scope_from_wire(record.carrying_scope),
        transport_key_hash=record.transport_key_hash,
        enrolled=record.status in (ENROLMENT_STATUS_ENROLLED, ENROLMENT_STATUS_SUCCEEDED),
        parent=record.parent,
        region=record.region,
        title=record.title,
        key_lost=record.key_lost,
        closes_older=record.closes_older,
        closings={(c.publication, c.addressee): (c.epoch, c.seq) for c in record.closings},
        effective=record.effective,
        successions=successions,
    )


def _check_successions(record: EnrolmentRecord, said: tuple[Succession, ...]) -> None:
    """Raises InputFault where what the record says of its successors is not well-formed by itself."""
    if bool(said) is not (record.status == ENROLMENT_STATUS_SUCCEEDED):
        raise InputFault(Reason.MALFORMED, f"the record of {record.node} is succeeded by nobody, or is not succeeded")
    if len(said) > SUCCESSORS_MAX or any(len(s.regions) > REGIONS_PASSED_MAX for s in said):
        raise InputFault(Reason.LIMIT_EXCEEDED, f"the record of {record.node} names too many successors or regions")
    if len({s.node for s in said}) != len(said) or any(not s.regions for s in said):
        raise InputFault(Reason.MALFORMED, f"the record of {record.node} names a successor twice, or for no region")
    if said and (not record.closes_older or record.signing_scope):
        raise InputFault(Reason.RULE_BROKEN, f"{record.node} is succeeded, but may go on writing")
    for one in said:
        Scope.of(*one.regions)
        others = (region for other in said if other.node != one.node for region in other.regions)
        if any(common_pattern(region, other) for other in others for region in one.regions):
            raise InputFault(Reason.RULE_BROKEN, f"a region of {record.node} would pass into two hands")


class Registry:
    """All enrolment versions held here. `root` is the nation's node id once an anchor is known."""

    def __init__(self, federation: str) -> None:
        self.federation = federation
        self.root = ""
        self.anchor_serial = 0
        self._anchor: AnchorBody | None = None
        self._versions: dict[str, dict[int, Enrolment]] = {}
        self._newest: dict[str, Enrolment] = {}
        self._children: dict[str, list[str]] = {}
        self._predecessors: dict[str, list[str]] = {}

    # --- admitting ------------------------------------------------------------------------------------------------

    def set_anchor(self, body: AnchorBody) -> Reason:
        """Takes a root-signed anchor whose signature was checked, the same one again too. Refused are: one of another
        federation, an older one, another one of the same serial, an older enrolment, another key for a known one.
        """
        if body.federation != self.federation:
            return Reason.FEDERATION_MISMATCH
        if body.serial < self.anchor_serial or (self.root and body.nation != self.root):
            return Reason.STALE_VERSION
        if body.serial == self.anchor_serial and body != self._anchor:
            return Reason.FORK
        held = self._newest.get(body.nation)
        if held is not None and body.enrolment < held.version:
            return Reason.ENROLMENT_FELL
        same = self.enrolment(body.nation, body.enrolment)
        if same is not None and (same.suite, same.public_key) != (body.suite, body.log_public_key):
            return Reason.STALE_VERSION
        self.root, self.anchor_serial, self._anchor = body.nation, body.serial, body
        closings = {(c.publication, c.addressee): (c.epoch, c.seq) for c in body.closings}
        self._add(
            Enrolment(
                node=body.nation,
                version=body.enrolment,
                profile=body.profile,
                suite=body.suite,
                public_key=body.log_public_key,
                signing=Scope.of(body.region),
                carrying=Scope.of("*"),
                transport_key_hash=body.transport_key_hash,
                enrolled=True,
                parent="",
                region=body.region,
                title=body.title,
                key_lost=body.key_lost,
                closes_older=body.closes_older,
                closings=closings,
            )
        )
        return Reason.NONE

    def admit(self, sealer: str, record: EnrolmentRecord, under: int = 0) -> tuple[Reason, str]:
        """Takes a record that `sealer` sealed; (NONE, '') if it counts, else why not. The same record twice is fine.

        under: the enrolment version of the header that carried it; its scope is the one that counts, so that the order
        in which the feeds of two nodes arrive decides nothing. 0 = the newest, for what is not sealed yet.
        """
        try:
            new = enrolment_from_record(record)
        except InputFault as fault:
            return fault.reason, fault.detail
        if new.parent != sealer:
            return Reason.NOT_OWNER, f"a record about {new.node} sealed by {sealer}, which is not its parent"
        parent = self.enrolment(sealer, under) if under else self._newest.get(sealer)
        if parent is None:
            return Reason.UNKNOWN_ENROLMENT, f"{sealer} is not enrolled"
        if new.node == self.root or self.is_below(sealer, new.node) or new.node == sealer:
            return (
                Reason.RULE_BROKEN,
                f"{new.node} cannot stand below {sealer}: the tree would close a circle",
            )
        if not self.may_enrol(sealer, new.node):
            return Reason.NOT_OWNER, f"{new.node} is the name of a node below another one than {sealer}"
        before = self._newest.get(new.node)
        if before is not None:
            if new.version in self._versions[new.node]:
                same = self._versions[new.node][new.version] == new
                return (
                    (Reason.NONE, "") if same else (Reason.STALE_VERSION, f"version {new.version} of {new.node} exists")
                )
            if new.version < before.version:
                return Reason.STALE_VERSION, f"version {new.version} of {new.node} after {before.version}"
            if new.suite < before.suite:
                return Reason.SUITE_FELL, f"suite {new.suite} of {new.node} after {before.suite}"
        flaw = self._succession_flaw(sealer, new, before)
        if flaw:
            return Reason.RULE_BROKEN, flaw
        passed = Scope.of(*(region for s in new.successions for region in s.regions))
        if not parent.carrying.holds(passed):
            return Reason.OUT_OF_SCOPE, f"what passes from {new.node} ({passed}) is not inside the scope of {sealer}"
        if not parent.carrying.holds(new.signing) or not parent.carrying.holds(new.carrying):
            return Reason.OUT_OF_SCOPE, f"scope of {new.node} ({new.signing}) is not inside that of {sealer}"
        self._add(new)
        return Reason.NONE, ""

    def _succession_flaw(self, sealer: str, new: Enrolment, before: Enrolment | None) -> str:
        """Why a record may not say that its node is succeeded, or is so no longer. All that it depends on stands in the
        sealer's own feed, so every node finds the same. No circle can close: who was succeeded never lives again.
        """
        older = () if before is None else before.successions
        if new.successions and (before is None or (before.suite, before.public_key) != (new.suite, new.public_key)):
            return f"{new.node} is succeeded under another key than it had"
        for said in older:
            now = next((s.regions for s in new.successions if s.node == said.node), ())
            if not set(said.regions) <= set(now):
                return f"what passed from {new.node} to {said.node} does not come back"
        for said in new.successions:
            successor = self._newest.get(said.node)
            if successor is None or successor.parent != sealer or said.node == new.node:
                return f"{said.node}, which {new.node} is succeeded by, is no other child of {sealer}"
            if said.node not in {s.node for s in older} and not successor.is_living:
                return f"{said.node}, which {new.node} is succeeded by, is succeeded itself, or not enrolled"
        return ""

    def confirm_epoch(self, sealer: str, confirmation: EpochConfirmation) -> tuple[Reason, str]:
        """Whether a parent's word that a child's feed may begin a new epoch counts. Nothing acts on it yet."""
        child = self._newest.get(confirmation.origin)
        if child is None or child.parent != sealer:
            return Reason.NOT_OWNER, f"{sealer} is not the parent of {confirmation.origin}"
        return Reason.NONE, ""

    def may_enrol(self, sealer: str, node: str) -> bool:
        """Whether a node id is one for a child of `sealer`: a label before the sealer's own id, or, straight below the
        root, before what the root's own label stands before."""
        above = node.partition(".")[2]
        return above == sealer or (sealer == self.root and above == sealer.partition(".")[2])

    def copy(self) -> Registry:
        """The same, on which records can be tried."""
        made = Registry(self.federation)
        made.root, made.anchor_serial, made._anchor = self.root, self.anchor_serial, self._anchor
        made._versions = {node: dict(versions) for node, versions in self._versions.items()}
        made._newest = dict(self._newest)
        made._predecessors = {node: list(found) for node, found in self._predecessors.items()}
        made._children = {node: list(children) for node, children in self._children.items()}
        return made

    def _add(self, new: Enrolment) -> None:
        self._versions.setdefault(new.node, {})[new.version] = new
        newest = self._newest.get(new.node)
        if newest is None:
            self._children.setdefault(new.parent, []).append(new.node)
        if newest is None or new.version >= newest.version:
            self._newest[new.node] = new
            for said in new.successions:
                found = self._predecessors.setdefault(said.node, [])
                if new.node not in found:
                    found.append(new.node)

    # --- asking ---------------------------------------------------------------------------------------------------

    def enrolment(self, node: str, version: int) -> Enrolment | None:
        """That version of that node, or None while it is not known here."""
        return self._versions.get(node, {}).get(version)

    def newest(self, node: str) -> Enrolment | None:
        """The newest version of a node."""
        return self._newest.get(node)

    def in_force(self, node: str, day: str) -> Enrolment | None:
        """The version of a node that was in force at the end of a day (ISO date); None if it was not enrolled then."""
        held = self._versions.get(node, {})
        begun = [held[number] for number in sorted(held) if held[number].effective <= day]
        return begun[-1] if begun and begun[-1].is_living else None

    def inherited(self, node: str) -> tuple[Succession, ...]:
        """What passed to a node: from whom, directly or through others, and which regions (each pattern once)."""
        found: dict[str, dict[str, None]] = {}
        todo = [Succession(node, ("*",))]
        while todo:
            heir = todo.pop()
            for one in self._predecessors.get(heir.node, ()):
                passed = next(s.regions for s in self._newest[one].successions if s.node == heir.node)
                both = dict.fromkeys(c for a in passed for b in heir.regions if (c := common_pattern(a, b)))
                if both:
                    found.setdefault(one, {}).update(both)
                    todo.append(Succession(one, tuple(both)))
        return tuple(Succession(one, tuple(found[one])) for one in sorted(found))

    def heirs(self) -> tuple[str, ...]:
        """Every node that something passed to."""
        return tuple(sorted(self._predecessors))

    def nodes(self) -> Iterator[Enrolment]:
        """Newest version of every node, in order of enrolment here."""
        yield from list(self._newest.values())

    def children(self, node: str) -> tuple[str, ...]:
        """Node ids enrolled directly below `node`, retired ones too."""
        return tuple(self._children.get(node, ()))

    def parent(self, node: str) -> str:
        """Node id of the parent; '' for the nation and for unknown nodes."""
        found = self._newest.get(node)
        return found.parent if found else ""

    def depth(self, node: str) -> int:
        """0 for the nation; 99 for what is unknown."""
        depth = 0
        while node and node != self.root:
            node = self.parent(node)
            depth += 1
        return depth if node else 99

    def is_below(self, node: str, above: str) -> bool:
        """Whether `node` stands in the subtree of `above` (not itself)."""
        node = self.parent(node)
        while node:
            if node == above:
                return True
            node = self.parent(node)
        return False

    def next_hop(self, here: str, target: str) -> str:
        """The neighbour of `here` on the way to `target`; '' when target is here or not known."""
        if target == here or target not in self._newest:
            return ""
        if not self.is_below(target, here):
            return self.parent(here)
        while self.parent(target) != here:
            target = self.parent(target)
        return target

    def closed_at(self, node: str, version: int, publication: str, addressee: str) -> tuple[bytes, int] | None:
        """Up to which (epoch, seq) that version counts in a feed; None while it is not closed."""
        asked = self.enrolment(node, version)
        if asked is not None and asked.successions:
            return b"", 0  # nothing was ever sealed under it
        newest = self._newest.get(node)
        if newest is None or newest.version <= version:
            return None
        limit: tuple[bytes, int] | None = None
        for number in sorted(n for n in self._versions[node] if n > version):
            later = self._versions[node][number]
            if not later.closes_older:
                continue
            said = later.closings.get((publication, addressee), (b"", 0))
            # What one record has closed, a later one does not open again.
            if limit is None or (said[0] in (b"", limit[0]) and said[1] < limit[1]):
                limit = said
        return limit
