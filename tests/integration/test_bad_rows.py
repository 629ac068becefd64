"""Rows that may not be: each meets its fate with a reason that names it, the origin hears of it, all else goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from certs.suites import SUITES
from node.clock import SystemClock
from node.demo.reader import fsck
from node.faults import UserFault
from node.identity import read_home
from node.store.home import INSTANCE_FILE
from node.testing import Member, Topology
from node.testing.peer import dial, held, run_of
from sync.chain import Author, Draft, make_entry, seal
from sync.core import feed_of
from sync.effects import LogEntry
from sync.payload import encode_records
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.values import REFUSALS, Fate, FeedName, Head, Kind, Lane, Route, Row
from sync.wire.v1.entry_pb2 import EntryHeader, Refusal, RefusalsPayload
from tests.integration.kit import (
    CODE_COLUMNS,
    CODED,
    COLUMNS,
    START_US,
    cases,
    code_row,
    coded,
    feed,
    has_heard,
    heard,
    open_door,
    put,
    run,
    same_cases,
)

LONG_CELL = "".join(Random(7).choices("ab", k=2 * 1024 * 1024))
GOOD = cases(1, first=900)[0]


def with_cell(row: Row, column: str, cell: Any, columns: Sequence[str] = COLUMNS) -> Row:
    """The row with one cell another."""
    at = columns.index(column)
    return (*row[:at], cell, *row[at + 1 :])


# --- at the door ------------------------------------------------------------------------------------------------------

BASE = cases(1)[0]
AT_THE_DOOR: dict[str, tuple[Sequence[str], Row, str, str]] = {
    "outside scope": (COLUMNS, with_cell(BASE, "division", "440106"), "OUT_OF_SCOPE", "440106"),
    "wrong type": (COLUMNS, with_cell(BASE, "reported_at", "yesterday"), "WRONG_TYPE", "reported_at"),
    "2 MiB cell": (COLUMNS, with_cell(BASE, "summary", LONG_CELL), "TOO_LONG", "summary"),
    "key missing": (COLUMNS, with_cell(BASE, "case_id", None), "KEY_MISSING", "case_id"),
    "unknown value of a closed list": (COLUMNS, with_cell(BASE, "state", "lost"), "UNKNOWN_CODE", "lost"),
    "unknown code": (CODED, coded(1, "zj-2026", "7711"), "UNKNOWN_CODE", "7711"),
    "too few cells": (COLUMNS, BASE[:-1], "WRONG_TYPE", "7 cells"),
}


@pytest.mark.parametrize("case", AT_THE_DOOR)
def test_a_bad_row_is_rejected_at_the_door_and_the_good_one_beside_it_goes_up(tmp_path: Path, case: str) -> None:
    """The answer names place, reason and column or value; nothing of the bad row is stored or sent."""
    columns, row, reason, names = AT_THE_DOOR[case]

    async def work() -> None:
        async with Topology(tmp_path) as net:
            await net["nation"].put("class_code", CODE_COLUMNS, [code_row("zj-2026", "0110")])
            await net.level()
            good = GOOD if columns == COLUMNS else coded(900, "zj-2026", "0110")
            result = await net["city"].put("case", columns, [good, row])
            assert (result.accepted, [r.index for r in result.rejected]) == (1, [1])
            assert Reason(result.rejected[0].reason).name == reason
            assert names in result.rejected[0].detail
            await net.level()
            assert same_cases(net, "city", {"case.parent": "province"}) == 1

    run(work())


def test_an_unknown_column_or_dataset_is_a_clear_fault(tmp_path: Path) -> None:
    """The whole call is refused with number, words and next step, and the node goes on; so is a dataset not its own."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            for dataset, columns, names in (
                ("case", (*COLUMNS, "phone_of_aunt"), "phone_of_aunt"),
                ("cases", COLUMNS, "cases"),
                ("class_code", CODE_COLUMNS, "national"),
            ):
                row = (*BASE, "x")[: len(columns)] if dataset != "class_code" else code_row("t", "1")
                with pytest.raises(UserFault) as caught:
                    await city.put(dataset, columns, [row])
                assert names in str(caught.value.message)
                assert str(caught.value.next_step)
            await put(city, cases(3))
            await net.level()
            assert same_cases(net, "city", {"case.parent": "province"}) == 3

    run(work())


def test_a_refused_row_that_was_corrected_is_not_counted_any_more(tmp_path: Path) -> None:
    """Two are refused above and counted at the city; the one that is put right is not, though both stay listed."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            bad = cases(2, division="440106")
            open_door(city)
            await put(city, bad)
            status = await city.until(has_heard("OUT_OF_SCOPE", "REFUSED", 2))
            assert status["heard_open"] == 2
            await city.put("case", COLUMNS, [with_cell(bad[0], "division", "330106"), bad[1]])
            status = await city.until(lambda s: s["heard_open"] == 1)
            assert [h["key"] for h in status["heard"][:1]] == [f'["{bad[1][0]}"]']
            assert len(heard(status, "OUT_OF_SCOPE", "REFUSED")) == 2

    run(work())


# --- from a city gone bad ---------------------------------------------------------------------------------------------


class Crafted(NamedTuple):
    """One entry as no honest city makes it, and what becomes of its bad row at the province."""

    columns: Sequence[str]
    rows: Sequence[Row]
    fate: Fate
    reason: Reason
    names: str
    dataset: str = "case"
    schema_version: int = 1
    applied: int = 1
    """How many of its rows are good."""


def beside(number: int) -> Row:
    """A good row beside the bad one."""
    return cases(1, first=500 + number)[0]


CRAFTED: dict[str, Crafted] = {
    "outside scope": Crafted(
        COLUMNS,
        [beside(1), with_cell(cases(1, first=1)[0], "division", "440106")],
        Fate.REFUSED,
        Reason.OUT_OF_SCOPE,
        "440106",
    ),
    "wrong type": Crafted(
        COLUMNS,
        [beside(2), with_cell(cases(1, first=2)[0], "reported_at", "yesterday")],
        Fate.REFUSED,
        Reason.WRONG_TYPE,
        "reported_at",
    ),
    "2 MiB cell": Crafted(
        COLUMNS,
        [beside(3), with_cell(cases(1, first=3)[0], "summary", LONG_CELL)],
        Fate.REFUSED,
        Reason.TOO_LONG,
        "summary",
    ),
    "unknown column": Crafted(
        (*COLUMNS, "phone_of_aunt"),
        [(*cases(1, first=4)[0], "1")],
        Fate.REFUSED,
        Reason.UNKNOWN_COLUMN,
        "phone_of_aunt",
        applied=0,
    ),
    "held-back column": Crafted(
        (*COLUMNS, "reporter_phone"),
        [(*cases(1, first=5)[0], "1")],
        Fate.REFUSED,
        Reason.HELD_BACK_PRESENT,
        "reporter_phone",
        applied=0,
    ),
    "unknown dataset": Crafted(
        ("id",), [("1",)], Fate.PARKED, Reason.UNKNOWN_DATASET, "weather", dataset="weather", applied=0
    ),
    "unknown schema version": Crafted(
        (*COLUMNS, "mood"),
        [(*cases(1, first=6)[0], "good")],
        Fate.PARKED,
        Reason.UNKNOWN_SCHEMA_VERSION,
        "version 99",
        schema_version=99,
        applied=0,
    ),
    "unknown code": Crafted(
        CODED,
        [coded(507, "zj-2026", "0110"), coded(7, "zj-2026", "7711")],
        Fate.PARKED,
        Reason.UNKNOWN_CODE,
        "7711",
    ),
    "unknown value of a closed list": Crafted(
        COLUMNS,
        [beside(8), with_cell(cases(1, first=8)[0], "state", "lost")],
        Fate.REFUSED,
        Reason.UNKNOWN_CODE,
        "lost",
    ),
    "key missing": Crafted(COLUMNS[1:], [BASE[1:]], Fate.REFUSED, Reason.KEY_MISSING, "case_id", applied=0),
}


def crafted_entries(city: Member, name: FeedName) -> list[LogEntry]:
    """All of CRAFTED, chained behind what the city's feed holds and sealed with the city's own key."""
    config, identity = read_home(city.home, SystemClock().now_us())
    state, _ = held(city.home, name)
    instance = bytes.fromhex((city.home / INSTANCE_FILE).read_text("ascii").strip())
    author = Author(config.node.federation, city.node, instance, state.enrolment)
    head, made = state.head, []
    for number, one in enumerate(CRAFTED.values(), start=1):
        encoded = encode_records(one.dataset, one.columns, one.rows, ())
        draft = Draft(
            Kind.RECORDS,
            Lane.NORMAL,
            encoded.codec,
            encoded.payload,
            encoded.plain_size,
            encoded.rows,
            one.schema_version,
            1_000 + number,
        )
        entry = seal(identity.log_key, make_entry(SUITES[1], author, name, Route.PARENT, head, draft, START_US))
        head = Head(head.epoch, entry.seq, entry.header_hash)
        made.append(entry)
    return made


async def refusals_heard(peer: Any, count: int) -> list[Refusal]:
    """What the province says of the city's rows, as it arrives in the feed `refusals`."""
    found: dict[tuple[int, str], Refusal] = {}
    place = 0
    while len(found) < count:
        if place == len(peer.frames):
            await peer.hear()
        frame = peer.frames[place]
        place += 1
        if frame.WhichOneof("kind") == "run" and feed_of(frame.run.feed).publication == REFUSALS:
            for entry in frame.run.entries:
                if int(EntryHeader.FromString(entry.header).kind) == Kind.REFUSALS:
                    for refusal in RefusalsPayload.FromString(entry.payload).refusals:
                        found[refusal.seq, refusal.key] = refusal
    return list(found.values())


def test_rows_of_a_city_gone_bad_meet_their_fates_one_by_one(tmp_path: Path) -> None:
    """Entries that are valid in the chain, made with the city's own key, each with something that may not be.

    Every entry is stored and acknowledged, good rows apply, bad ones are refused or parked with a reason that names
    what is wrong. The city is told in its feed of refusals; when its real program is back, its status and `trace` say
    so, it goes on in the same chain, and the nation never noticed.
    """

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            await nation.put("class_code", CODE_COLUMNS, [code_row("zj-2026", "0110")])
            await put(city, cases(10, first=300))
            await net.level()
            name = FeedName(city.node, "case.parent", "")
            await city.stop()
            entries = crafted_entries(city, name)
            state, _ = held(city.home, name)
            async with dial(city.home) as peer:
                for entry in entries:
                    answer = await peer.offer(run_of(name, state.head.epoch, [entry]))
                    assert answer.WhichOneof("kind") == "ack", answer
                told = await refusals_heard(peer, len(CRAFTED))
            by_seq = {refusal.seq: refusal for refusal in told}
            assert sum(bool(refusal.key) for refusal in told) == 6
            for entry, (what, one) in zip(entries, CRAFTED.items(), strict=True):
                refusal = by_seq[entry.seq]
                assert (Fate(refusal.fate), Reason(refusal.reason)) == (one.fate, one.reason), what
                assert one.names in Phrase(refusal.detail, *refusal.arguments), what
            good = 10 + sum(one.applied for one in CRAFTED.values())
            here = feed(await province.status(), str(name))
            parked = sum(one.fate is Fate.PARKED for one in CRAFTED.values())
            assert (here["rows"], here["parked"], here["refused"]) == (good, parked, len(CRAFTED) - parked)
            assert (await nation.status())["alarms"] == []
            await nation.put("class_code", CODE_COLUMNS, [code_row("zj-2026", "7711")])
            await province.until(lambda s: feed(s, str(name))["parked"] == parked - 1)
            await city.start()
            status = await city.until(
                lambda s: s["state"] == "working" and any(h["fate"] == "APPLIED" for h in s["heard"])
            )
            assert {(h["fate"], h["reason"]) for h in status["heard"]} >= {
                (one.fate.name, one.reason.name) for what, one in CRAFTED.items() if what != "unknown code"
            }
            for entry, (what, one) in zip(entries, CRAFTED.items(), strict=True):
                said = (province.node, "APPLIED" if what == "unknown code" else one.fate.name, one.reason.name)
                # Of an entry that could not be read at all nobody knows the keys: it is asked for itself.
                key = by_seq[entry.seq].key
                for asked in (f"{name}@{entry.seq}", *([key] if key else [])):
                    traced = (await city.command("trace", what=asked))["rows"]
                    heard = [h for row in traced for h in row["heard"]]
                    assert [(h["by"], h["fate"], h["reason"]) for h in heard] == [said], (what, asked)
                    assert said[1] == "APPLIED" or one.names in heard[0]["detail"], (what, asked)
                    assert heard[0]["seq"] == entry.seq, (what, asked)
            await put(city, cases(5, first=700))
            await net.level()
            # The code came, and the real program said one row again as it may be said: without what is held back.
            assert feed(await province.status(), str(name))["rows"] == good + 1 + 1 + 5
            await net.stop()
            assert fsck(province).sound
            assert fsck(nation).sound

    run(work())
