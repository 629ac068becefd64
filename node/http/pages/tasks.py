"""What stands on the pages of tasks: all of them with their clocks, and one with its moves.

What the other side has not confirmed is never shown as done: a state here is always the confirmed one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from node.commands.tasks import list_tasks, show_task
from node.flows import PARTIES
from node.hands import need
from node.http.pages import beside
from node.http.pages.asking import ask, tree_of
from node.http.pages.door import Visit
from node.texts import Translator
from node.texts.flows import FlowWords
from node.texts.standing import WHOLES
from node.texts.steps import detail, next_step, reason
from tiers.people import Act

TASKS_SHOWN: Final = 50
PAGES_MAX: Final = 1_000
MOVES_SHOWN: Final = 500
"""The newest of a task's moves: comments may be many."""
PARTS_SHOWN: Final = 200
SHOWS: Final = ("open", "overdue", "all")


async def tasks_page(visit: Visit) -> dict[str, Any]:
    """Tasks, those that are open first; what is asked for and cannot be is taken for the usual."""
    need(visit.node, visit.grant.hand, Act.SEE)
    show = visit.asked("show") if visit.asked("show") in SHOWS else SHOWS[0]
    flow, page = visit.asked("flow"), _page(visit.asked("page"))
    narrowed = {"open": {"open": True}, "overdue": {"overdue": True}, "all": {"open_first": True}}[show]
    wish = {**narrowed, "flow": flow, "skip": (page - 1) * TASKS_SHOWN, "limit": TASKS_SHOWN + 1}
    found = (await ask(visit, list_tasks, wish))["tasks"]
    words = FlowWords(visit.node.catalogue.flows, visit.speech.to)
    titles = _titles(visit)
    return {
        "show": show,
        "flow": flow,
        "page": page,
        "more": len(found) > TASKS_SHOWN and page < PAGES_MAX,
        "flows": [(one, words.flow(one)) for one in sorted(visit.node.catalogue.flows)],
        "tasks": [_task(visit, words, titles, one) for one in found[:TASKS_SHOWN]],
    }


async def task_page(visit: Visit) -> dict[str, Any]:
    """One task: how it stands and until when, its moves, what waits, what was refused, parts and bundle; and what
    stands beside."""
    need(visit.node, visit.grant.hand, Act.SEE)
    found = await ask(visit, show_task, {"task": visit.asked("id")})
    words, titles, flow = FlowWords(visit.node.catalogue.flows, visit.speech.to), _titles(visit), found["flow"]
    given = {"titles": titles, "words": words, "flow": flow, "to": visit.speech.to}
    return {
        "task": _task(visit, words, titles, found),
        "moves": [_move(one, **given) for one in found["moves"][-MOVES_SHOWN:]],
        "left_out": max(0, len(found["moves"]) - MOVES_SHOWN),
        "pending": [_move(one, **given) for one in found["pending"]],
        "refused": [_move(one, **given) for one in found["refused"]],
        "handled": beside.whose(visit, words, found["person"]),
        "drafts": beside.drafts(visit, words, found["drafts"], titles),
        "comments": beside.comments(found, lambda one: _move(one, **given)),
        "files": beside.files(found, titles),
        "people": beside.people(found["moves"], words, titles),
        "together": [(name, _together(found[name], words, titles)) for name in ("parts", "bundle") if name in found],
        "next": [words.move(flow, one["move"]) for one in found["next"]],
    }


def _page(asked: str) -> int:
    return min(max(int(asked), 1), PAGES_MAX) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 1


def _titles(visit: Visit) -> dict[str, str]:
    return {one["node"]: one["title"] for one in tree_of(visit.node)}


def _task(visit: Visit, words: FlowWords, titles: Mapping[str, str], one: Mapping[str, Any]) -> dict[str, Any]:
    """A task as its line in the list and the head of its page say it."""
    party = one["owner"]
    actor = one.get(party, "") if party else ""
    return {
        **one,
        "flow_said": words.flow(one["flow"]),
        "state_said": words.state(one["flow"], one["state"]),
        "issuer_said": titles.get(one["issuer"], one["issuer"]),
        "holder_said": titles.get(one["holder"], one["holder"]),
        "actor": titles.get(actor, actor),
        "party": visit.speech.to(PARTIES[party]) if party else "",
        "acts_here": actor == visit.node.config.node.node_id,
        "usual_said": words.move(one["flow"], one["usual"]) if one["usual"] else "",
        "waiting": [words.move(one["flow"], move) for move in one["pending_moves"]],
    }


def _move(
    one: Mapping[str, Any], titles: Mapping[str, str], words: FlowWords, flow: str, to: Translator
) -> dict[str, Any]:
    return {
        **one,
        "said": words.move(flow, one["move"]),
        "by_said": titles.get(one["by"], one["by"]),
        "role_said": words.role(one["role"]),
        "state_said": words.state(flow, one["state"]) if one["state"] else "",
        "texts": beside.texts(words, flow, one["fields"]),
        "why": " ".join(part for part in (reason(one["reason"], to), detail(one, to)) if part) if one["reason"] else "",
        "todo": next_step(one["reason"], to) if one["reason"] else "",
    }


def _together(found: Mapping[str, Any], words: FlowWords, titles: Mapping[str, str]) -> dict[str, Any]:
    return {
        "whole": WHOLES[found["whole"]],
        "open": found["open"],
        "count": len(found["tasks"]),
        "tasks": [
            {
                **one,
                "holder_said": titles.get(one["holder"], one["holder"]),
                "state_said": words.state(one["flow"], one["state"]),
            }
            for one in found["tasks"][:PARTS_SHOWN]
        ],
    }
