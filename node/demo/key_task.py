"""A key task (W1): from the nation to the province, in parts to two cities, and back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from importlib import resources
from typing import Final

from node.demo.officers import history, move, new_id, reaches, run_program, same_at, tell
from node.demo.reader import store_of
from node.demo.scene import BELOW_PROVINCE, Demo
from node.faults import Code, UserFault
from node.testing import Member
from node.texts import N_, Text, _, current

FIRST, SECOND = BELOW_PROVINCE
PICTURE: Final = "input/cleared.png"
IN_THE_PICTURE: Final = b"telephone"
CASES: Final = "SELECT class_code, count(*) FROM view_case WHERE _origin = ? GROUP BY class_code"
CODE_NAME: Final = "SELECT name_zh, name_en FROM view_class_code WHERE code = ?"


async def work_through(demo: Demo) -> str:
    """From the nation over the province to two cities and back; the id of the key task."""
    demo.picture.stage("key_task")
    nation, province = demo.net["nation"], demo.net["province"]
    title, cases = _real_work(demo)
    key_task = new_id(demo, "W1")
    await move(demo, nation, key_task, "draft", {"title": title}, holder=province, flow="W1", then="issue")
    await reaches([province], key_task, "issued")
    await move(demo, province, key_task, "receive")
    parts = await _handed_on(demo, key_task)
    await reaches([nation, province], key_task, "in_progress")
    await _too_early(demo, key_task, len(parts))
    await asyncio.gather(*(_work(demo, *one, cases) for one in zip(BELOW_PROVINCE, parts, strict=True)))
    picture = await _picture_arrived(demo, parts[0])
    await _corrected(demo, SECOND, parts[1], cases)
    await asyncio.gather(*(_ended(demo, province, demo.net[n], p) for n, p in zip(BELOW_PROVINCE, parts, strict=True)))
    result = _("{count} cases looked at in {parts} cities").format(count=sum(cases.values()), parts=len(parts))
    await move(demo, province, key_task, "submit", {"result": result})
    await reaches([nation], key_task, "submitted")
    await _ended(demo, nation, province, key_task)
    ends = {key_task: ("nation", "province")} | {
        part: ("province", name) for name, part in zip(BELOW_PROVINCE, parts, strict=True)
    }
    whole = (await province.command("task.show", task=key_task))["parts"]
    closed = all([await same_at(demo, task, at, "closed") for task, at in ends.items()])
    detail = Text(
        N_("{moves} moves of {tasks} tasks, the same at both ends of each; {open} parts open"),
        moves=sum([len(await history(demo.net[at[0]], task)) for task, at in ends.items()]),
        tasks=len(ends),
        open=whole["open"],
    )
    about = Text(N_("Key task (W1): handed on to two cities, one sent back and corrected, all closed"))
    demo.verdict.check("key_task_closed", closed and whole["open"] == 0 and picture, about, detail)
    return key_task


def _real_work(demo: Demo) -> tuple[str, dict[str, int]]:
    """What the key task is about, from the real requests: the class with most cases; how many each city has."""
    counts = {name: _cases(demo.net[name]) for name in BELOW_PROVINCE}
    code = max(counts[FIRST], key=lambda one: (sum(found.get(one, 0) for found in counts.values()), one))
    with store_of(demo.net["province"]) as connection:
        zh, en = connection.execute(CODE_NAME, (code,)).fetchone()
    name = zh if current().language == "zh" else en
    return _("Look into how this is handled: {name}").format(name=name), {
        n: found.get(code, 0) for n, found in counts.items()
    }


def _cases(city: Member) -> dict[str, int]:
    with store_of(city) as connection:
        return dict(connection.execute(CASES, (city.node,)).fetchall())


async def _handed_on(demo: Demo, key_task: str) -> list[str]:
    """A task of the province's own for each city, as parts of the key task, in one act; their ids."""
    province, nodes = demo.net["province"], [demo.net[name].node for name in BELOW_PROVINCE]
    to = [word for node in nodes for word in ("--to", node)]
    code, out = await run_program("--home", str(province.home), "--json", "task", "split", key_task, *to)
    assert code == 0, out
    shown = json.loads(out)
    tell(demo, province, "split", shown)
    parts = {one["holder"]: one["task"] for one in shown["parts"]["tasks"]}
    return [parts[node] for node in nodes]


async def _too_early(demo: Demo, key_task: str, parts: int) -> None:
    """Nobody can answer for cities that have not answered."""
    try:
        await move(demo, demo.net["province"], key_task, "submit", {"result": "-"}, quiet=True)
        said = None
    except UserFault as fault:
        if fault.code is not Code.MOVE_REFUSED:
            raise
        said = fault
    title = Text(N_("The province cannot submit while parts of the task are open"))
    detail = Text(N_("refused while {parts} parts were open"), parts=parts) if said else Text(N_("taken"))
    demo.verdict.check("parts_waited_for", said is not None, title, detail)


async def _work(demo: Demo, name: str, part: str, cases: Mapping[str, int]) -> None:
    """A city receives its part, begins and submits; the first one with a picture."""
    city, province = demo.net[name], demo.net["province"]
    await reaches([city], part, "issued")
    for step in ("receive", "begin"):
        await move(demo, city, part, step)
    await _submit(demo, name, part, cases, with_picture=name == FIRST)
    await reaches([province, city], part, "submitted")


async def _submit(demo: Demo, name: str, part: str, cases: Mapping[str, int], *, with_picture: bool) -> None:
    city, fields = demo.net[name], {"result": _("{count} cases looked at").format(count=cases[name])}
    if with_picture:
        with resources.as_file(resources.files("node.demo") / PICTURE) as picture:
            said = ("task", "move", part, "submit", "--field", f"result={fields['result']}", "--file", str(picture))
            code, out = await run_program("--home", str(city.home), "--json", *said)
        assert code == 0, out
        tell(demo, city, "submit", json.loads(out))
    else:
        await move(demo, city, part, "submit", fields)


async def _picture_arrived(demo: Demo, part: str) -> bool:
    """The province fetches the city's picture; what the telephone wrote into it never left the city."""
    province = demo.net["province"]
    (named,) = (await province.command("task.show", task=part))["files"]
    await province.command("attachment.fetch", hash=named["hash"])
    got = b"".join([bytes(piece) async for piece in (await province.client()).read_attachment(named["hash"])])
    sent = (resources.files("node.demo") / PICTURE).read_bytes()
    clean = len(got) > 0 and IN_THE_PICTURE in sent and IN_THE_PICTURE not in got
    title = Text(N_("A city's picture reaches the province, without what the telephone wrote into it"))
    detail = Text(N_("{got} of {sent} bytes; the same SHA-256 at both"), got=len(got), sent=len(sent))
    return demo.verdict.check("picture_arrived", clean, title, detail)


async def _corrected(demo: Demo, name: str, part: str, cases: Mapping[str, int]) -> None:
    """The province sends a part back once; the city puts it right and submits again."""
    city, province = demo.net[name], demo.net["province"]
    await move(demo, province, part, "return", {"reason": _("Say how many are left.")})
    await reaches([city], part, "correcting")
    await _submit(demo, name, part, cases, with_picture=False)
    await reaches([province, city], part, "submitted")


async def _ended(demo: Demo, issuer: Member, holder: Member, task: str) -> None:
    for step in ("approve", "close"):
        await move(demo, issuer, task, step)
    await reaches([issuer, holder], task, "closed")
