"""What the demo does, stage by stage. Each stage notes in the verdict what it promised and what was seen."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import resources
from math import inf
from pathlib import Path
from typing import Any

from certs.suites import SUITES
from node.demo.coordination import coordination
from node.demo.hostile import TRICK_WORDS, offer_tampered
from node.demo.reader import catalogue_of, compare, fsck, held_back_cells, wait_visible, watch_visible
from node.demo.scene import BELOW_PROVINCE, WAIT_S, Demo
from node.demo.verdict import NodeFigures, lag_of
from node.demo.words import joined, place, plain
from node.store.fsck import Report
from node.testing import Member
from node.texts import N_, Text
from node.texts.reasons import words
from sync.values import FeedName

CITIES = ("hangzhou", "ningbo", "shanghai")
MUNICIPALITY = "shanghai"
INPUT = "input/myla311-2018-01-cut.csv.gz"
LAG_SAMPLES = 20
LAG_PAUSE_S = 0.04
OUTAGE_ROWS = 10
OUTAGE_PAUSE_S = 0.02
MEMORY_KIB_MAX = 150 * 1024


def demo_input() -> Path:
    """The real service requests that come with the package (origin named beside the file)."""
    return Path(str(resources.files("node.demo") / INPUT))


async def enrolled(demo: Demo) -> None:
    """Every node below the nation used up its own invite at its parent."""
    used: set[str] = set()
    for member in demo.net.members.values():
        listed = await member.command("invite.list", status="used")
        used.update(invite["node"] for invite in listed["invites"])
    below = {member.node for member in demo.net.members.values() if member.place.parent}
    detail = Text(N_("{nodes} nodes, {invites} invites used"), nodes=len(demo.net.members), invites=len(used))
    title = Text(N_("Every node joined by a one-time invite of its parent"))
    demo.verdict.check("nodes_enrolled", used == below, title, detail)


async def publish_codes(demo: Demo) -> None:
    """The nation publishes the scheme for the request types of the real data; cities have it before they load."""
    demo.picture.stage("codes")
    report = await load(demo.net["nation"], "class_code", "class_code", _code_file())
    taken = report["taken"]
    title, detail = Text(N_("The nation's code table is in force")), Text(N_("{count} codes"), count=taken)
    demo.verdict.check("codes_published", taken > 0, title, detail)
    for name in CITIES:
        await demo.net[name].until(lambda s: _seq(s, "class_code.all") > 0)


async def load_cities(demo: Demo) -> None:
    """Real requests at the three city nodes, each taking what is its own."""
    demo.picture.stage("load")
    reports = await asyncio.gather(*(load(demo.net[name], "case", "myla311", demo_input()) for name in CITIES))
    for name, report in zip(CITIES, reports, strict=True):
        counts = report
        demo.verdict.loaded[name] = {k: counts[k] for k in ("read", "taken", "not_ours", "rejected")}
        demo.picture.says(f"{place(name).say()}: {counts['taken']} / {counts['read']}")
    taken = sum(report["taken"] for report in reports)
    detail = Text(N_("{rows} rows at {cities} cities"), rows=taken, cities=len(CITIES))
    demo.verdict.check("rows_loaded", taken > 0, Text(N_("The cities loaded real service requests")), detail)
    await demo.net.level()
    demo.note_memory()


async def supervise_some(demo: Demo) -> None:
    """Some real cases become supervised, one commit each: the nation sees them too. This is the steady-state lag."""
    demo.picture.stage("lag")
    samples: dict[str, list[float]] = {name: [] for name in CITIES}
    for name in CITIES:
        columns, rows = await (await demo.net[name].client()).query("case", origin=demo.net[name].node)
        place, key = columns.index("supervised"), columns.index("case_id")
        for row in rows[:LAG_SAMPLES]:
            changed = (*row[:place], True, *row[place + 1 :])
            samples[name].append(await _one_lag(demo, name, columns, changed, str(row[key])))
            await asyncio.sleep(LAG_PAUSE_S)
        demo.keys[name] = [str(row[key]) for row in rows]
    # Two hops and one hop are two figures.
    demo.verdict.lag_steady = lag_of([ms for name in BELOW_PROVINCE for ms in samples[name]])
    demo.verdict.lag_municipality = lag_of(samples[MUNICIPALITY])
    await demo.net.level()


async def _one_lag(demo: Demo, name: str, columns: Sequence[str], row: tuple[Any, ...], key: str) -> float:
    """Milliseconds from commit at the city to visible at the nation for one supervised row."""
    loop = asyncio.get_running_loop()
    seen = loop.run_in_executor(
        None,
        wait_visible,
        demo.net["nation"],
        "case",
        "case_id",
        key,
        '"supervised" = 1',
        time.monotonic() + WAIT_S,
    )
    result = await demo.net[name].put("case", columns, [row])
    committed = time.monotonic()
    assert result.accepted == 1, list(result.rejected)
    return max(0.0, (await seen - committed) * 1000)


class Writer:
    """A city at work: it makes one case after the other supervised until it is told to end."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._going = True
        self._task: asyncio.Task[None] | None = None
        self.committed: dict[str, float] = {}
        """Case -> when it was committed (monotonic seconds)."""

    async def __aenter__(self) -> Writer:
        columns, rows = await (await self._member.client()).query("case", origin=self._member.node)
        self._task = asyncio.create_task(self._write(columns, rows))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _write(self, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        place, key = columns.index("supervised"), columns.index("case_id")
        for row in rows:
            if not self._going:
                return
            if not row[place]:
                result = await self._member.put("case", columns, [(*row[:place], True, *row[place + 1 :])])
                assert result.accepted == 1, list(result.rejected)
                self.committed[str(row[key])] = time.monotonic()
                await asyncio.sleep(OUTAGE_PAUSE_S)

    async def more(self, rows: int = OUTAGE_ROWS) -> None:
        """Returns when so many more rows are committed. Raises what the writing ended with, or TimeoutError."""
        assert self._task is not None
        wanted = len(self.committed) + rows
        async with asyncio.timeout(WAIT_S):
            while len(self.committed) < wanted:
                if self._task.done():
                    self._task.result()
                    raise AssertionError(f"{self._member.place.name} has no rows left to write")
                await asyncio.sleep(OUTAGE_PAUSE_S)

    async def end(self) -> None:
        """The row that is under way is the last one. Raises what the writing ended with."""
        assert self._task is not None
        self._going = False
        await self._task

    def between(self, start: float, end: float) -> dict[str, float]:
        """What was committed in that time."""
        return {key: at for key, at in self.committed.items() if start <= at < end}


async def province_outage(demo: Demo) -> None:
    """The province is killed (-9) while its cities write; they go on, it comes back, and everything converges."""
    demo.picture.stage("outage")
    net = demo.net
    demo.note_memory()
    enough = threading.Event()
    watching = asyncio.create_task(
        asyncio.to_thread(watch_visible, net["nation"], "case", "case_id", '"supervised" = 1', enough)
    )
    try:
        async with Writer(net[BELOW_PROVINCE[0]]) as first, Writer(net[BELOW_PROVINCE[1]]) as second:
            writers = dict(zip(BELOW_PROVINCE, (first, second), strict=True))
            await asyncio.gather(first.more(), second.more())
            await net["province"].kill()
            killed = time.monotonic()
            await asyncio.gather(first.more(2 * OUTAGE_ROWS), second.more(2 * OUTAGE_ROWS))
            queued = {name: await _waiting(net[name]) for name in BELOW_PROVINCE}
            starts = time.monotonic()
            await net["province"].start()
            back = time.monotonic()
            await asyncio.gather(first.more(), second.more())
            await asyncio.gather(first.end(), second.end())
        await net.level()
    finally:
        enough.set()
        seen = await watching
    said = []
    for name, writer in writers.items():
        before, down, after = (len(writer.between(*span)) for span in ((0, killed), (killed, starts), (back, inf)))
        form = N_("{place}: {before} rows before it, {down} during it, {after} after it; {queued} waited")
        text = Text(form, place=place(name), before=before, down=down, after=after, queued=queued[name])
        said.append((min(before, down, after, queued[name]), text))
    title = Text(N_("The cities go on writing while the province is down"))
    demo.verdict.check("cities_go_on", all(least > 0 for least, _ in said), title, joined(text for _, text in said))
    written = {key for writer in writers.values() for key in writer.committed}
    arrived = len(written & seen.keys())
    detail = Text(N_("{arrived} of {written} rows at the nation"), arrived=arrived, written=len(written))
    title = Text(N_("All of it arrives afterwards"))
    demo.verdict.check("converged_after_kill", arrived == len(written), title, detail)
    committed = [item for writer in writers.values() for item in writer.between(killed, starts).items()]
    demo.verdict.lag_outage = lag_of([(seen[key] - at) * 1000 for key, at in committed if key in seen])


async def _waiting(member: Member) -> int:
    """Change sets in a node's outbox."""
    return sum(f["waiting"] for f in (await member.status())["feeds"] if f["own"])


async def tampered_copy(demo: Demo) -> None:
    """The province offers a tampered copy of a city's entries; the nation refuses each, whoever brings it."""
    demo.picture.stage("tamper")
    net = demo.net
    nation, province = net["nation"], net["province"]
    feed = FeedName(net["hangzhou"].node, "case.nation", nation.node)
    before = _seq(await nation.status(), feed.publication, feed.origin)
    demo.note_memory()
    await province.stop()
    await nation.until(lambda s: not any(link["peer"] == province.node for link in s["links"]))
    answers = await offer_tampered(province.home, feed, SUITES[1])
    after = _seq(await nation.status(), feed.publication, feed.origin)
    await province.start()
    await net.level()
    for answer in answers:
        trick, why = Text(TRICK_WORDS[answer.trick]), Text(words(answer.reason).title)
        refused = answer.reason.name in ("BAD_PAYLOAD_DIGEST", "BAD_SEAL")
        detail = Text("{name}: {why}", name=answer.reason.name, why=why)
        title = Text(N_("The nation refuses a tampered copy: {trick}"), trick=trick)
        demo.verdict.check("refused_" + answer.trick.replace(" ", "_"), refused, title, detail)
        demo.picture.says(f"{trick.say()}: {why.say()}")
    detail = Text(N_("last entry {before} before, {after} after"), before=before, after=after)
    demo.verdict.check("nothing_false_stored", before == after, Text(N_("Nothing false was stored")), detail)


async def judge(demo: Demo) -> None:
    """The independent reader: digests at both ends of each feed, held-back columns, every store from its bytes."""
    demo.picture.stage("judge")
    net, case = demo.net, demo.case
    nation, province = net["nation"], net["province"]
    catalogue = catalogue_of(nation)
    publications = catalogue.publications
    for below in (province, *(net[name] for name in CITIES)):
        codes = compare(nation, below, catalogue.datasets["class_code"], publications["class_code.all"], "")
        demo.verdict.digests.append(codes)
    for name in CITIES:
        city = net[name]
        parent = nation if name == MUNICIPALITY else province
        demo.verdict.digests.append(compare(city, parent, case, publications["case.parent"], ""))
        demo.verdict.digests.append(compare(city, nation, case, publications["case.nation"], nation.node))
        for column, cells in held_back_cells(city, case, city.node).items():
            demo.verdict.held_back[column] = demo.verdict.held_back.get(column, 0) + cells
    leaked = 0
    for name in CITIES:
        for upper in (nation, province):
            leaked += sum(held_back_cells(upper, case, net[name].node).values())
    kept = sum(demo.verdict.held_back.values())
    detail = Text(N_("{kept} cells at the cities, {leaked} of them found above"), kept=kept, leaked=leaked)
    demo.verdict.check("held_back", leaked == 0 < kept, Text(N_("What is held back stays in its city")), detail)
    demo.note_memory()
    statuses = {name: await member.status() for name, member in net.members.items()}
    await net.stop()
    for name, member in net.members.items():
        report = await asyncio.to_thread(fsck, member)
        rows = sum(f["rows"] for f in statuses[name]["feeds"] if f["applied_here"] or f["own"])
        demo.verdict.nodes.append(
            NodeFigures(
                name,
                member.node,
                rows,
                report.entries,
                report.seals,
                report.found,
                len(report.unchecked),
                demo.peak_kib.get(name, 0),
            )
        )
        title = Text(N_("The store of {place}, verified from its bytes"), place=place(name))
        demo.verdict.check(f"fsck_{name}", proven(report), title, _said(report))
    peaks = [demo.peak_kib.get(name, 0) for name in net.members]
    least, most, allowed = (kib // 1024 for kib in (min(peaks), max(peaks), MEMORY_KIB_MAX))
    told = Text(N_("{least} to {most} MiB; {allowed} are allowed"), least=least, most=most, allowed=allowed)
    small = all(0 < peak < MEMORY_KIB_MAX for peak in peaks)
    demo.verdict.check("memory", small, Text(N_("Each node needs little memory")), told)


def proven(report: Report) -> bool:
    """Whether fsck found nothing wrong, left nothing out, and had something to look at."""
    return report.sound and not report.unchecked and report.entries > 0 and report.seals > 0


def _said(report: Report) -> Text:
    unchecked = (Text(N_("unchecked: {what}"), what=plain(str(line))) for line in report.unchecked[:3])
    wrong = [*(plain(str(finding)) for finding in report.findings[:3]), *unchecked]
    sound = Text(N_("sound: {entries} entries, {seals} seals"), entries=report.entries, seals=report.seals)
    return joined(wrong) if wrong else sound


async def load(member: Member, dataset: str, mapping: str, file: Path) -> dict[str, Any]:
    """`tiersync load DATASET FILE --map MAPPING --json`, as an administrator calls it; its answer.

    Rejects make it end with another code than 0, which is no failure here: the answer counts them.
    """
    command = [sys.executable, "-m", "node", "--home", str(member.home), "--json", "load", dataset, str(file)]
    process = await asyncio.create_subprocess_exec(
        *command,
        "--map",
        mapping,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate()
    answer: dict[str, Any] = json.loads(out or b"{}")
    if "taken" not in answer:
        raise AssertionError(f"load at {member.place.name}: {out.decode()} {said.decode(errors='replace')}")
    return answer


def _code_file() -> Path:
    return Path(str(resources.files("node.mappings") / "class_code_myla311.csv"))


def _seq(status: Mapping[str, Any], publication: str, origin: str = "") -> int:
    return max(
        (f["seq"] for f in status["feeds"] if f["publication"] == publication and origin in ("", f["origin"])),
        default=0,
    )


STAGES: tuple[Callable[[Demo], Awaitable[None]], ...] = (
    enrolled,
    publish_codes,
    load_cities,
    supervise_some,
    province_outage,
    tampered_copy,
    coordination,
    judge,
)
