"""Vectors of registry records and evidence."""

from __future__ import annotations

from functools import partial
from typing import Any

from sync.registry import scope_to_wire
from sync.scope import Scope, ScopeItem
from sync.values import FeedName
from sync.wire.v1.entry_pb2 import ENROLMENT_STATUS_SUCCEEDED, Closing, EnrolmentRecord, Succession
from sync.wire.v1.frame_pb2 import Entry, Evidence, EvidenceBranch
from sync.wire.v1.frame_pb2 import FeedName as WireFeed
from tests.vectors.objects import Vectors
from tests.vectors.runs import as_hex, flip
from tests.vectors.world import (
    CITY,
    NATION,
    OTHER_CITY,
    OTHER_PROVINCE,
    PROVINCE,
    Forge,
    city_feed,
    demo_row,
    key,
    known_records,
    record,
    registry,
    sixteen,
)

# --- registry ---


def registry_records() -> Vectors:
    """Records, by whom they were sealed, and whether they count beside those of runs.json."""
    wide = scope_to_wire(Scope.of("34*"))
    dated = scope_to_wire(Scope((ScopeItem("3301*", (), "2026-01-01", "2027-01-01"),)))
    district = f"d330106.{CITY}"
    told: dict[str, tuple[str, str, EnrolmentRecord]] = {
        "the parent enrols a child": ("NONE", CITY, record(district, CITY, "330106", **_exact("330106"))),
        "the same record again": ("NONE", NATION, known_records()[0][1]),
        "the next version with a dated scope": (
            "NONE",
            PROVINCE,
            record(CITY, PROVINCE, "330100", version=3, signing_scope=dated),
        ),
        "a record by a node that is not the parent": ("NOT_OWNER", OTHER_CITY, record(CITY, OTHER_CITY, "330100", 3)),
        "a record that names another parent than its sealer": (
            "NOT_OWNER",
            NATION,
            record(CITY, PROVINCE, "330100", 3),
        ),
        "a record about a node in another province": (
            "UNKNOWN_ENROLMENT",
            OTHER_PROVINCE,
            record(CITY, OTHER_PROVINCE, "330100", 3),
        ),
        "a new node whose id is named below another node": (
            "NOT_OWNER",
            CITY,
            record(f"d330106.{PROVINCE}", CITY, "330106", **_exact("330106")),
        ),
        "the nation past a province": ("NOT_OWNER", NATION, record(f"c330900.{PROVINCE}", NATION, "330900")),
        "a scope wider than the parent's": (
            "OUT_OF_SCOPE",
            PROVINCE,
            record(CITY, PROVINCE, "330100", 3, signing_scope=wide),
        ),
        "a carrying scope wider than the parent's": (
            "OUT_OF_SCOPE",
            PROVINCE,
            record(CITY, PROVINCE, "330100", 3, carrying_scope=scope_to_wire(Scope.of("*"))),
        ),
        "a child that stands above its parent closes a circle": (
            "RULE_BROKEN",
            CITY,
            record(PROVINCE, CITY, "330000", 2),
        ),
        "the nation below somebody closes a circle": ("RULE_BROKEN", CITY, record(NATION, CITY, "330100", 2)),
        "a node below itself closes a circle": ("RULE_BROKEN", CITY, record(CITY, CITY, "330100", 3)),
        "another record of a version that exists": (
            "STALE_VERSION",
            PROVINCE,
            record(CITY, PROVINCE, "330100", title="另一个"),
        ),
        "a lower suite than before": ("SUITE_FELL", PROVINCE, record(CITY, PROVINCE, "330100", 3, suite=0)),
        "version 0": ("MALFORMED", PROVINCE, record(CITY, PROVINCE, "330100", 0, log_public_key=b"k")),
        "a node id in upper case": ("MALFORMED", PROVINCE, record(CITY, PROVINCE, "330100", 3)),
        "a region that is no code": (
            "OUT_OF_SCOPE",
            PROVINCE,
            record(CITY, PROVINCE, "330100", 3, signing_scope=_scope_text("３３*")),
        ),
    }
    told |= _succession_records()
    told["a node id in upper case"][2].node = CITY.upper()
    cases = {
        name: {"sealer": sealer, "record": as_hex(said), "reason": reason}
        for name, (reason, sealer, said) in told.items()
    }
    about = "EnrolmentRecord messages, each read by itself after the anchor and records of runs.json."
    return {"about": about, "cases": cases}


def succeeded(node: str, region: str, version: int, *passed: tuple[str, str], **fields: Any) -> EnrolmentRecord:
    """The record that ends a node: under the key it had, with what passes to whom."""
    said = [Succession(successor=successor, regions=regions.split(",")) for successor, regions in passed]
    held = registry().newest(node)
    made: dict[str, Any] = {
        "status": ENROLMENT_STATUS_SUCCEEDED,
        "closes_older": True,
        "signing_scope": (),
        "successions": said,
        "log_public_key": (held.public_key if held else key(node).public_key),
    }
    return record(node, PROVINCE, region, version, **(made | fields))


def _succession_records() -> dict[str, tuple[str, str, EnrolmentRecord]]:
    """A city that merges into another; what of it counts, and what does not."""
    whole, closing = (OTHER_CITY, "3301*"), Closing(publication="case.parent", epoch=bytes(16), seq=7)
    ended = partial(succeeded, CITY, "330100", 3)
    return {
        "a city is succeeded by another": ("NONE", PROVINCE, ended(whole, closings=[closing])),
        "a city is succeeded in a part of its regions": ("NONE", PROVINCE, ended((OTHER_CITY, "330106,330108"))),
        "a succession that the successor says": ("NOT_OWNER", OTHER_CITY, ended(whole)),
        "a succession that another province says": ("NOT_OWNER", OTHER_PROVINCE, ended(whole)),
        "a succession that the city says of itself": ("NOT_OWNER", CITY, ended(whole)),
        "succeeded by itself": ("RULE_BROKEN", PROVINCE, ended((CITY, "3301*"))),
        "succeeded by its parent": ("RULE_BROKEN", PROVINCE, ended((PROVINCE, "3301*"))),
        "succeeded by a node that nobody enrolled": ("RULE_BROKEN", PROVINCE, ended((f"c330900.{PROVINCE}", "3301*"))),
        "succeeded under another key": ("RULE_BROKEN", PROVINCE, ended(whole, log_public_key=key("x").public_key)),
        "succeeded, with a scope to write in": (
            "RULE_BROKEN",
            PROVINCE,
            ended(whole, signing_scope=scope_to_wire(Scope.of("3301*"))),
        ),
        "succeeded, without an end to what it wrote": ("RULE_BROKEN", PROVINCE, ended(whole, closes_older=False)),
        "succeeded in regions beyond the parent's": ("OUT_OF_SCOPE", PROVINCE, ended((OTHER_CITY, "34*"))),
        "succeeded in what is no region": ("OUT_OF_SCOPE", PROVINCE, ended((OTHER_CITY, "3301"))),
        "succeeded by nobody": ("MALFORMED", PROVINCE, ended()),
        "succeeded for no region": (
            "MALFORMED",
            PROVINCE,
            ended(whole, successions=[Succession(successor=OTHER_CITY)]),
        ),
        "succeeded, and enrolled all the same": ("MALFORMED", PROVINCE, ended(whole, status=1)),
        "succeeded by one node twice": ("MALFORMED", PROVINCE, ended((OTHER_CITY, "330106"), (OTHER_CITY, "330108"))),
    }


def _exact(region: str) -> dict[str, Any]:
    return {"signing_scope": scope_to_wire(Scope.of(region)), "carrying_scope": scope_to_wire(Scope.of(region))}


def _scope_text(region: str) -> list[Any]:
    items = scope_to_wire(Scope.of("33*"))
    items[0].region = region
    return items


# --- evidence ---


def evidence() -> Vectors:
    """Evidence messages: two branches that disagree about one seq, or do not."""
    told = {
        "two sealed entries of one seq": (True, _evidence(_branch(1), _branch(2))),
        "a branch of three headers up to a seal": (True, _evidence(_branch(1, 3), _branch(2))),
        "a branch that starts after the contested seq and proves it by prev": (
            True,
            _evidence(_branch(1, 2)[1:], _branch(2)),
        ),
        "two equal headers": (False, _evidence(_branch(1), _branch(1))),
        "two branches of one history": (False, _evidence(_branch(1, 2), _branch(1))),
        "a branch without a seal": (False, _evidence(_branch(1), _unsealed(_branch(2)))),
        "a seal that does not verify": (False, _evidence(_branch(1), _badly_sealed(_branch(2)))),
        "a branch that does not speak of the contested seq": (False, _evidence(_branch(1), _branch(2, 3)[2:])),
        "a branch whose headers do not follow one another": (
            False,
            _evidence(_branch(1), [_branch(2, 3)[0], _branch(2, 3)[2]]),
        ),
        "a branch of another feed": (False, _evidence(_branch(1), _branch(2, publication="demo.other"))),
        "a branch of another epoch": (False, _evidence(_branch(1), _branch(2, epoch=sixteen("other")))),
        "a branch of another federation": (False, _evidence(_branch(1), _branch(2, federation="cn-trial"))),
        "an empty branch": (False, _evidence(_branch(1), [])),
    }
    cases = {name: {"evidence": as_hex(said), "proves": proves} for name, (proves, said) in told.items()}
    return {"about": "Evidence messages and whether they prove a fork.", "cases": cases}


def _branch(marker: int, length: int = 1, publication: str = "demo.parent", **fields: Any) -> list[Entry]:
    forge = Forge(FeedName(CITY, publication), key(CITY), **fields)
    made = [forge.records([demo_row(marker)], sealed=n == length - 1) for n in range(length)]
    return [Entry(header=e.header, seal=e.seal) for e in made]


def _unsealed(entries: list[Entry]) -> list[Entry]:
    return [Entry(header=e.header) for e in entries]


def _badly_sealed(entries: list[Entry]) -> list[Entry]:
    return [Entry(header=e.header, seal=flip(e.seal, 0)) for e in entries]


def _evidence(one: list[Entry], other: list[Entry]) -> Evidence:
    feed = WireFeed(origin=CITY, publication="demo.parent")
    epoch = city_feed().epoch
    branches = EvidenceBranch(entries=one), EvidenceBranch(entries=other)
    return Evidence(feed=feed, epoch=epoch, seq=1, one=branches[0], other=branches[1])
