"""Heads statements by the suite of whoever states them, whatever suite the receiver's own key has."""

from __future__ import annotations

from hashlib import sha256

import pytest

from sync.statements import heads_digest
from sync.suites import HEADS
from sync.values import FeedName
from sync.wire.v1.entry_pb2 import ROUTE_PARENT
from sync.wire.v1.frame_pb2 import FeedHead, HeadsBody, HeadsStatement, Statements
from tests.unit.sync.stage import Numbered, Stage, second_version
from tests.vectors.world import CITY, FEDERATION, key, sixteen


class OtherHash(Numbered):
    """A suite whose hash is another one, as SM3 is."""

    def hash(self, data: bytes) -> bytes:
        return sha256(b"other" + data).digest()


@pytest.mark.parametrize("version", [1, 2])
def test_a_list_of_heads_is_hashed_by_the_suite_of_its_origin(version: int) -> None:
    """The city has passed to suite 2 with its second version; the province has not."""
    stage = Stage(suites=2)
    stage.suites[2] = OtherHash(2)
    second_version(stage, suite=2)
    city = stage.dial_in(CITY)
    suite = stage.suites[version]
    heads = [FeedHead(publication="case.parent", route=ROUTE_PARENT, epoch=bytes(16), seq=1, header_hash=bytes(32))]
    body = HeadsBody(
        federation=FEDERATION,
        origin=CITY,
        boot=sixteen("b"),
        counter=1,
        digest=heads_digest(suite, heads),
        enrolment=version,
    ).SerializeToString()
    signature = key(CITY if version == 1 else f"{CITY}/2").sign(HEADS + suite.hash(body))
    city.say(statements=Statements(heads=[HeadsStatement(body=body, signature=signature, heads=heads, whole=True)]))
    assert ("heads", CITY, "") in stage.core.statements
    assert FeedName(CITY, "case.parent") in stage.core.withheld
