"""Quality issues as the store holds them: the finder's row and the origin's answer side by side, and the record."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, NamedTuple

from node.clock import iso
from node.store.readers import Reader
from sync.core import Core
from sync.registry import Registry
from sync.schema import RowSchema
from sync.values import Cell, Key, dataset_of
from tiers.catalogue import Catalogue
from tiers.quality import CLOSED, Answer, Issue, Side, open_moves, standing

ISSUES, ANSWERS = "quality_issue", "quality_answer"
LOOKED_AT_MAX = 100_000


class Known(NamedTuple):
    """One issue: who found it, the cells of its row, and those of the answer, {} where there is none."""

    finder: str
    row: dict[str, Cell]
    answer_row: dict[str, Cell]

    @property
    def issue(self) -> Issue:
        """What the finder says."""
        return Issue(str(self.row["state"]), int(self.row["round"] or 1))

    @property
    def answer(self) -> Answer | None:
        """What the origin says."""
        said = self.answer_row
        return Answer(str(said["answer"]), int(said["round"] or 1)) if said else None

    @property
    def state(self) -> str:
        """Where it stands."""
        return standing(self.issue, self.answer)


def issues(reader: Reader, where: str = "", parameters: tuple[Cell, ...] = ()) -> list[Known]:
    """The issues held here, newest first. `where` is of this program, values only in `parameters`."""
    names = reader.schema(ISSUES).names
    rows = reader.query(ISSUES, where, parameters, ("_origin", *names), LOOKED_AT_MAX)
    found = [Known(str(finder), dict(zip(names, cells, strict=True)), {}) for finder, *cells in rows]
    found.sort(key=lambda one: (-int(one.row["found_at"] or 0), str(one.row["issue_id"])))
    return _answered(reader, found)


def _answered(reader: Reader, found: list[Known]) -> list[Known]:
    """With what their origins answered."""
    names = reader.schema(ANSWERS).names
    asked: dict[str, list[Key]] = {}
    for one in found:
        asked.setdefault(str(one.row["origin"]), []).append(_answer_key(one))
    held = {origin: reader.read_rows(ANSWERS, origin, keys) for origin, keys in asked.items()}
    answers = [held[str(one.row["origin"])].get(_answer_key(one)) for one in found]
    return [
        one._replace(answer_row=dict(zip(names, answer[1], strict=True)) if answer else {})
        for one, answer in zip(found, answers, strict=True)
    ]


def _answer_key(one: Known) -> Key:
    return (one.row["issue_id"], one.finder)


def own_issues(reader: Reader, here: str, ids: Collection[str]) -> dict[str, Known]:
    """The issues of this node with these ids."""
    names = reader.schema(ISSUES).names
    held = reader.read_rows(ISSUES, here, [(one,) for one in ids])
    found = [Known(here, dict(zip(names, cells, strict=True)), {}) for _, cells in held.values()]
    return {str(one.row["issue_id"]): one for one in _answered(reader, found)}


def record_key(schema: RowSchema, one: Known) -> Key | None:
    """The key of the record that an issue is about; None if it is about none, or cannot be read here."""
    try:
        cells = json.loads(str(one.row["record_key"] or "null"))
    except ValueError:
        return None
    return tuple(cells) if isinstance(cells, list) and len(cells) == len(schema.key) else None


def changed_since(reader: Reader, catalogue: Catalogue, one: Known) -> bool | None:
    """Whether the record is another than was marked: changed, gone, or come. None if that cannot be told."""
    dataset = catalogue.datasets.get(str(one.row["dataset"]))
    key = record_key(dataset.schema, one) if dataset is not None else None
    if dataset is None or key is None:
        return None
    held = reader.read_rows(dataset.id, str(one.row["origin"]), [key]).get(key)
    before = one.row["found_version"]
    return held is not None if before is None else held is None or held[0] != before


def shown(reader: Reader, catalogue: Catalogue, here: str, one: Known) -> dict[str, Any]:
    """An issue as JSON."""
    row, answer = one.row, one.answer_row
    side = Side.FINDER if one.finder == here else Side.ORIGIN if row["origin"] == here else None
    return {
        "issue": row["issue_id"],
        "finder": one.finder,
        "origin": row["origin"],
        "dataset": row["dataset"],
        "record": row["record_key"] or "",
        "period": row["period"] or "",
        "kind": row["kind"],
        "column": row["column_name"] or "",
        "problem": row["problem"] or "",
        "state": one.state,
        "round": one.issue.round,
        "excluded": row["excluded"],
        "found_at": iso(int(row["found_at"] or 0)),
        "closed_at": iso(int(row["closed_at"])) if row["closed_at"] else "",
        "answer": answer.get("answer") or "",
        "answer_round": answer.get("round") or 0,
        "reason": answer.get("reason") or "",
        "answered_at": iso(int(answer["answered_at"] or 0)) if answer else "",
        "record_changed": changed_since(reader, catalogue, one),
        "next": [move.name for move in open_moves(one.issue, one.answer, side)] if side is not None else [],
    }


class LeftOut(NamedTuple):
    """A record that this node leaves out of statistics, and since when."""

    origin: str
    key: Key
    since: int


def left_out(reader: Reader, registry: Registry, here: str, schema: RowSchema) -> list[LeftOut]:
    """The records of a dataset that this node marked and leaves out, until it closes the issue; less those that a node
    between marked, whose figures are without them already."""
    where = '"dataset" = ? AND "excluded" = ? AND "state" <> ?'
    mine: dict[tuple[str, Key], int] = {}
    others: set[tuple[str, Key]] = set()
    for one in issues(reader, where, (schema.dataset, True, CLOSED)):
        origin, key = str(one.row["origin"]), record_key(schema, one)
        if key is None:
            continue
        if one.finder == here:
            since = int(one.row["found_at"] or 0)
            mine[origin, key] = min(since, mine.get((origin, key), since))
        elif registry.is_below(one.finder, here) and registry.is_below(origin, one.finder):
            others.add((origin, key))
    return [LeftOut(*record, since) for record, since in mine.items() if record not in others]


def columns_here(core: Core, catalogue: Catalogue, reader: Reader, origin: str, dataset: str) -> set[str]:
    """What of a dataset an origin publishes to this node."""
    feeds = [state for state in reader.feeds() if state.name.origin == origin]
    names = [state.name.publication for state in feeds if core.applies(state.name, int(state.route))]
    known = catalogue.publications
    return {column for name in names if dataset_of(name) == dataset and name in known for column in known[name].columns}


def counts(reader: Reader, here: str) -> dict[str, int]:
    """Open issues: those that this node found, and those that wait for its answer."""
    where = '"state" <> ? AND ("_origin" = ? OR "origin" = ?)'
    found = issues(reader, where, (CLOSED, here, here))
    waiting = [one for one in found if one.row["origin"] == here and one.finder != here]
    return {
        "marked": sum(one.finder == here for one in found),
        "to_answer": sum(
            any(m.by is Side.ORIGIN for m in open_moves(one.issue, one.answer, Side.ORIGIN)) for one in waiting
        ),
    }
