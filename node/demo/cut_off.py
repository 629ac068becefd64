"""Supervision (W2) while the line is cut: the city goes on, the nation too, and two of their moves cross."""

from __future__ import annotations

from node.demo.officers import LIMIT_DAYS, day_in, history, move, new_id, reaches, same_at
from node.demo.scene import BELOW_PROVINCE, Demo
from node.texts import N_, Text, _
from node.texts.reasons import words
from sync.reasons import Reason

FIRST = BELOW_PROVINCE[0]


async def work_through(demo: Demo) -> str:
    """Two items, signed for; the line is cut; the city replies to both while the nation withdraws one of them, whose
    id is given back."""
    demo.picture.stage("cut_off")
    nation, province, city = (demo.net[name] for name in ("nation", "province", FIRST))
    task, crossed = [await _supervised(demo, case) for case in demo.keys[FIRST][:2]]
    demo.note_memory()
    await province.kill()
    await city.until(lambda status: not status["links"])
    for one in (task, crossed):
        await move(demo, city, one, "reply", {"result": _("Put right.")})
    await move(demo, nation, crossed, "withdraw", {"reason": _("Registered twice.")})
    later = {"due": day_in(2 * LIMIT_DAYS), "reason": _("The line is down.")}
    await move(demo, nation, task, "extend", later)
    waiting = [await city.command("task.show", task=one) for one in (task, crossed)]
    pending = [one["pending_moves"] for one in waiting]
    demo.verdict.check(
        "work_goes_on",
        pending == [["reply"], ["reply"]] and all(one["state"] == "signed" for one in waiting),
        Text(N_("Supervision (W2): cut off, the city goes on; its moves are pending until the nation confirms")),
        Text(N_("{count} replies pending at the city, no link"), count=sum(map(len, pending))),
    )
    await province.start()
    await reaches([nation, city], task, "replied")
    await reaches([nation, city], crossed, "withdrawn")
    await _crossing_decided(demo, crossed)
    for step in ("check", "close"):
        await move(demo, nation, task, step)
    await reaches([nation, city], task, "closed")
    same = await same_at(demo, task, ("nation", FIRST), "closed")
    count = len(await history(nation, task))
    detail = Text(N_("{task}: {moves} moves, the same at both ends"), task=task, moves=count)
    title = Text(N_("The reply counts, though the limit was changed meanwhile; the nation closes"))
    demo.verdict.check("supervision_closed", same, title, detail)
    return crossed


async def _supervised(demo: Demo, case: str) -> str:
    """One supervision item about a real case, signed for by the city."""
    nation, city = demo.net["nation"], demo.net[FIRST]
    task = new_id(demo, "W2")
    about = {"title": _("Supervised case {case}").format(case=case)}
    await move(demo, nation, task, "register", about, holder=city, flow="W2", then="issue")
    await reaches([city], task, "issued")
    await move(demo, city, task, "sign")
    await reaches([nation, city], task, "signed")
    return task


async def _crossing_decided(demo: Demo, task: str) -> None:
    """The issuer's move stands; the city's is kept at both ends as refused, with its reason."""
    nation, city = demo.net["nation"], demo.net[FIRST]
    seen = []
    for member in (nation, city):
        shown = await member.command("task.show", task=task)
        seen.append([(m["move"], m["reason"]) for m in [*shown["moves"], *shown["refused"]] if not m["accepted"]])
    lost, name = seen[0][0] if seen[0] else ("", "")
    reason = Reason[name] if name in Reason.__members__ else Reason.NONE
    same = await same_at(demo, task, ("nation", FIRST), "withdrawn")
    title = Text(N_("Of two moves that crossed one counts at both ends; the other is kept as refused"))
    detail = Text(N_("the withdrawal counts, the reply is refused: {reason}"), reason=Text(words(reason).title))
    demo.verdict.check("crossing_decided", same and seen[0] == seen[1] and lost == "reply", title, detail)
