"""What machines read is as published: the demo's verdict and a node's status, by their JSON schemas."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from rich.console import Console

import node.demo.run
from certs.suites import SUITES
from node.demo.hostile import TRICK_WORDS, TRICKS, offer_tampered
from node.demo.reader import catalogue_of, compare, fsck
from node.demo.stages import proven
from node.demo.verdict import FeedDigest, NodeFigures, Verdict, lag_of
from node.demo.words import joined, place, plain
from node.faults import Code, UserFault
from node.store.faults import StoreFault, StoreTrouble
from node.store.fsck import Report
from node.testing import Topology
from node.testing.peer import SessionOver
from node.texts import Text
from sync.values import FeedName
from tests.integration.kit import CODED, cases, coded, has_heard, open_door, put, run, seq

DOCS = Path(__file__).resolve().parents[2] / "docs"


def validator(name: str) -> Draft202012Validator:
    """A published schema, itself checked."""
    schema: dict[str, Any] = json.loads((DOCS / f"{name}.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def made_by_hand() -> Verdict:
    """A verdict with everything in it."""
    verdict = Verdict(seconds=61.04, coordination_seconds=12.345)
    verdict.check("nodes_enrolled", True, Text("all joined"), Text("{count} nodes", count=5))
    digest = "ab" * 32
    verdict.digests.append(FeedDigest("c330100.p330000.cn-demo/case.parent", "province", 3, digest, 3, digest))
    verdict.nodes.append(NodeFigures("nation", "n100000.cn-demo", 12, 7, 6, 0, 0, 81_000))
    verdict.lag_steady, verdict.lag_outage = lag_of([1.5, 2.5, 9.0]), lag_of([1_000.0, 2_000.0])
    verdict.lag_municipality = lag_of([1.0])
    verdict.held_back["address_exact"] = 3
    verdict.loaded["hangzhou"] = {"read": 3_000, "taken": 1_000, "not_ours": 2_000, "rejected": 0}
    return verdict


def test_a_verdict_is_as_its_schema_says() -> None:
    """A whole one, and one that broke off before anything was measured."""
    schema = validator("demo")
    whole = made_by_hand()
    assert whole.passed
    schema.validate(json.loads(json.dumps(whole.as_json())))
    broken = Verdict()
    broken.check("went_through", False, Text("goes through"), Text("the province did not start"))
    assert broken.as_json()["verdict"] == "failed"
    schema.validate(broken.as_json())


def test_what_was_seen_is_said_in_both_languages() -> None:
    """Whatever the language that the demo was run in: who reads the JSON may speak the other."""
    verdict = Verdict()
    verdict.check("memory", True, Text("Each node needs little memory"), joined([place("hangzhou"), place("nation")]))
    said = verdict.as_json()["checks"][0]
    assert (said["title"], said["title_zh"]) == ("Each node needs little memory", "每个节点占用内存不大")
    assert (said["detail"], said["detail_zh"]) == ("Hangzhou\nthe nation", "杭州\n国家")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value.pop("held_back"),
        lambda value: value.update(verdict="good"),
        lambda value: value["checks"][0].update(name="Nodes enrolled"),
        lambda value: value["digests"][0].update(digest="xyz"),
        lambda value: value["nodes"][0].pop("peak_kib"),
        lambda value: value["nodes"][0].pop("unchecked"),
        lambda value: value["lag"].update(steady={"p50_ms": 1}),
        lambda value: value.update(more=1),
    ],
)
def test_the_schema_tells_a_wrong_verdict(spoil: Any) -> None:
    """A schema that takes everything would say nothing."""
    value = json.loads(json.dumps(made_by_hand().as_json()))
    spoil(value)
    with pytest.raises(ValidationError):
        validator("demo").validate(value)


def test_a_verdict_needs_checks_and_digests_that_agree() -> None:
    """Nothing seen is not passed; one check or one digest that differs fails the whole."""
    assert not Verdict().passed
    for name in ("checks", "digests"):
        verdict = made_by_hand()
        getattr(verdict, name).clear()
        assert not verdict.passed
    verdict = made_by_hand()
    verdict.digests.append(verdict.digests[0]._replace(rows=2))
    assert verdict.as_json()["verdict"] == "failed"
    verdict = made_by_hand()
    verdict.digests.append(verdict.digests[0]._replace(rows=0, origin_rows=0))
    assert not verdict.passed, "two empty tables say nothing"
    verdict = made_by_hand()
    verdict.check("held_back", False, Text("nothing leaks"), Text("1 found"))
    assert verdict.as_json()["verdict"] == "failed"


@pytest.mark.parametrize(
    "error",
    [
        SessionOver("MALFORMED: a frame does not parse"),
        UserFault(Code.NODE_NOT_RUNNING, "not running", "start it"),
        ConnectionRefusedError(111, "refused"),
        TimeoutError("330106-1"),
        StoreFault(StoreTrouble.OTHER, "the file is gone"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_demo_that_breaks_off_ends_with_a_failed_verdict(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with a traceback: whoever runs it gets a verdict that says what it was."""

    async def fails(_: Topology) -> None:
        raise error

    monkeypatch.setattr(Topology, "_build", fails)
    verdict = asyncio.run(node.demo.run._run(tmp_path, Console(file=StringIO()), watched=False))
    assert [(check.name, check.ok) for check in verdict.checks] == [("went_through", False)]
    assert type(error).__name__ in str(verdict.checks[0].detail)
    validator("demo").validate(verdict.as_json())


@pytest.mark.parametrize(
    "report",
    [
        Report(),
        Report(entries=3),
        Report(seals=3),
        Report(entries=3, seals=3, found=1),
        Report(entries=3, seals=3, unchecked=["rows of a feed"]),
    ],
)
def test_a_store_is_proven_only_if_all_of_it_was_looked_at(report: Report) -> None:
    """An empty store and one that could not be read in part are no proof."""
    assert not proven(report)
    assert proven(Report(entries=3, seals=3))


def test_what_ci_asks_of_the_json_is_that_it_is_valid_and_passed() -> None:
    """A verdict that failed and one of another shape are told apart from a good one."""

    def said(value: dict[str, Any]) -> tuple[int, str]:
        tool = DOCS.parent / "tests" / "tools" / "demo_json.py"
        ended = subprocess.run(
            [sys.executable, str(tool)], input=json.dumps(value), capture_output=True, text=True, check=False
        )
        return ended.returncode, ended.stdout

    good = made_by_hand().as_json()
    assert said(good)[0] == 0
    failed = made_by_hand()
    failed.check("memory", False, Text("small"), Text("151 MiB"))
    assert said(failed.as_json()) == (1, "demo --json: valid, failed, 2 checks memory\n")
    assert "'more' was unexpected" in said({**good, "more": 1})[1]
    assert said({**good, "more": 1})[0] == 1


def test_the_demos_own_means_work_on_a_small_tree(tmp_path: Path) -> None:
    """Reader, hostile relay and fsck, as the demo uses them, on three nodes; their figures make a valid verdict."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, province, nation = net["city"], net["province"], net["nation"]
            await put(city, cases(30, supervised=True))
            await net.level()
            verdict = Verdict(lag_steady=lag_of([1.0, 2.0]))
            catalogue = catalogue_of(nation)
            case, publications = catalogue.datasets["case"], catalogue.publications
            verdict.digests.append(compare(city, province, case, publications["case.parent"], ""))
            verdict.digests.append(compare(city, nation, case, publications["case.nation"], nation.node))
            feed = FeedName(city.node, "case.nation", nation.node)
            await province.stop()
            answers = await offer_tampered(province.home, feed, SUITES[1])
            assert [answer.trick for answer in answers] == list(TRICKS)
            for answer in answers:
                refused = answer.reason.name in ("BAD_PAYLOAD_DIGEST", "BAD_SEAL")
                name = "refused_" + answer.trick.replace(" ", "_")
                verdict.check(name, refused, Text(TRICK_WORDS[answer.trick]), plain(answer.detail))
            assert seq(await nation.status(), str(feed)) == 1
            await net.stop()
            for name, member in net.members.items():
                report = fsck(member)
                assert proven(report)
                figures = (report.rows, report.entries, report.seals, report.found, len(report.unchecked), 0)
                verdict.nodes.append(NodeFigures(name, member.node, *figures))
            value = verdict.as_json()
            validator("demo").validate(value)
            assert value["verdict"] == "passed", value

    run(work())


def test_the_status_of_each_node_is_as_its_schema_says(tmp_path: Path) -> None:
    """Calm, with rows that were refused and parked, with receipts and alarms, and with the link down."""

    async def work() -> None:
        schema = validator("status")
        async with Topology(tmp_path) as net:
            city, province = net["city"], net["province"]
            for status in (await net.settled()).values():
                schema.validate(status)
            open_door(city)
            await put(city, [*cases(3, supervised=True), *cases(1, division="440106")])
            await put(city, [coded(9, "zj-2026", "0110")], CODED)
            await city.until(has_heard("MISSING_DEPENDENCY", "PARKED"))
            await city.until(lambda s: any(f["receipts"] for f in s["feeds"]))
            statuses = [await member.status() for member in net.members.values()]
            for status in statuses:
                schema.validate(status)
            assert any(status["parked"] for status in statuses)
            assert any(status["heard"] for status in statuses)
            await province.stop()
            schema.validate(await city.until(lambda s: s["parent_link"]["state"] == "unreachable"))

    run(work())
