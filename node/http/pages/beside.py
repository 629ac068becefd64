"""What stands on a task's page beside its moves: files, comments, drafts, and on whose behalf people acted.

People are shown by organisation and role, as moves record them. Names stay within the node; on a page, which others may
look at, only its administrators read them, and everybody their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from node.hands import allows
from node.http.pages.door import Visit
from node.texts.flows import FlowWords
from tiers.flows.check import COMMENT
from tiers.flows.fields import FILES, files_in
from tiers.people import Act

COMMENTS_SHOWN: Final = 50
"""The newest; all of them stand among the moves."""
PEOPLE_SHOWN: Final = 100

Shown = dict[str, Any]


def texts(words: FlowWords, flow: str, fields: Mapping[str, str]) -> list[tuple[str, str]]:
    """What fields say; of files how many, since which ones stands in a table of its own."""
    told = ((name, str(len(files_in(text))) if name == FILES else text) for name, text in fields.items())
    return [words.said(flow, name, text) for name, text in told]


def files(found: Mapping[str, Any], titles: Mapping[str, str]) -> list[Shown]:
    """Files that moves and drafts name."""
    return [{**one, "by_said": [titles.get(node, node) for node in one["by"]]} for one in found["files"]]


def comments(found: Mapping[str, Any], made: Callable[[Mapping[str, Any]], Shown]) -> list[Shown]:
    """What both sides said to each other, the newest first, with what is not confirmed yet."""
    said = [(one, one in found["pending"]) for one in [*found["moves"], *found["pending"]] if one["move"] == COMMENT]
    return [{**made(one), "waits": waits} for one, waits in said[: -COMMENTS_SHOWN - 1 : -1]]


def drafts(
    visit: Visit, words: FlowWords, found: Sequence[Mapping[str, Any]], titles: Mapping[str, str]
) -> list[Shown]:
    """Drafts with all that their moves say, so that an approver can read them here."""
    return [
        {
            "draft": one["draft"],
            "at": one["at"],
            "by_said": whose(visit, words, one["author"], one["org"]),
            "moves": _said(words, one["flow"], one["moves"]),
            "parts": [
                {"holder_said": titles.get(p["holder"], p["holder"]), "moves": _said(words, p["flow"], p["moves"])}
                for p in one["parts"]
            ],
        }
        for one in found
    ]


def people(moves: Iterable[Mapping[str, Any]], words: FlowWords, titles: Mapping[str, str]) -> list[Shown]:
    """On whose behalf confirmed moves were made, by node, in the order in which they came in."""
    found: dict[tuple[str, str, str], Shown] = {}
    for one in moves:
        who = (one["by"], one["org"], one["role"])
        if one["accepted"] and (one["org"] or one["role"]):
            before = found.get(who)
            count = before["count"] + 1 if before is not None else 1
            said = {
                "by_said": titles.get(one["by"], one["by"]),
                "org": one["org"],
                "role_said": words.role(one["role"]),
            }
            found[who] = {**said, "count": count, "at": one["at"]}
    return list(found.values())[:PEOPLE_SHOWN]


def whose(visit: Visit, words: FlowWords, name: str, org: str = "") -> str:
    """A person of this node as this reader may know them; '' for nobody."""
    if not name:
        return ""
    known, hand = visit.node.people.people.get(name), visit.grant.hand
    role = words.role(known.speaks_as.value) if known is not None else ""
    behalf = " ".join(part for part in (org or (known.org if known is not None else ""), role) if part)
    if name != hand.person and not allows(visit.node.people, hand, Act.ADMINISTER, visit.node.today()):
        return behalf or "–"
    return f"{known.shown if known is not None else name} ({behalf})" if behalf else name


def _said(words: FlowWords, flow: str, moves: Iterable[Mapping[str, Any]]) -> list[Shown]:
    return [{"said": words.move(flow, one["move"]), "texts": texts(words, flow, one["fields"])} for one in moves]
