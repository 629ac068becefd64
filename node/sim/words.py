"""Registry records and anchors as the simulated administrators write them."""

from __future__ import annotations

from node.sim.places import FEDERATION, Place
from sync.registry import scope_to_wire
from sync.wire.v1.entry_pb2 import ENROLMENT_STATUS_ENROLLED, Anchor, AnchorBody, EnrolmentRecord
from tiers.profile import PROFILES, carrying_scope, signing_scope


def anchor_for(nation: Place, public_key: bytes, transport_key_hash: bytes) -> bytes:
    """The serialised anchor; its signature is not looked at here."""
    body = AnchorBody(
        federation=FEDERATION,
        nation=nation.node,
        enrolment=1,
        suite=1,
        log_public_key=public_key,
        serial=1,
        profile=nation.profile,
        region=nation.region,
        transport_key_hash=transport_key_hash,
    )
    return Anchor(body=body.SerializeToString()).SerializeToString()


def record_for(place: Place, public_key: bytes, transport_key_hash: bytes, version: int) -> EnrolmentRecord:
    """A parent's record about a child."""
    profile = PROFILES[place.profile]
    return EnrolmentRecord(
        node=place.node,
        version=version,
        profile=place.profile,
        suite=1,
        log_public_key=public_key,
        signing_scope=scope_to_wire(signing_scope(profile, place.region)),
        carrying_scope=scope_to_wire(carrying_scope(profile, place.region)),
        transport_key_hash=transport_key_hash,
        status=ENROLMENT_STATUS_ENROLLED,
        parent=place.parent,
        region=place.region,
    )
