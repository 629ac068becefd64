"""A statement as a table, a page and a workbook."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from openpyxl import load_workbook

from node.exporting.statement import heads, rows, write_html, write_workbook
from node.texts import LANGUAGES, Language, translator

DOOR = {"in_source": 42, "brought": 9, "taken": 6, "unchanged": 1, "rejected": 2, "last": ""}
OUTCOME = {"received": 6, "applied": 5, "refused": 1, "parked": 0, "overtaken": 0}
UNKNOWN = dict.fromkeys(OUTCOME)


def line(**changed: Any) -> dict[str, Any]:
    sent = {"entries": 2, "rows": 6, "first": 1, "last": 2, "at": ""}
    tiers = [
        {"node": "p.cn", "proof": "receipt", "up_to": 2, "signed": "", **OUTCOME},
        {"node": "n.cn", "proof": "none", "up_to": 0, "signed": "", **UNKNOWN},
    ]
    feed = {"feed": "c.cn/case.parent", "publication": "case.parent", "addressee": "", "sent": sent}
    return {
        "origin": "=1+1",
        "dataset": "case",
        "title_zh": "案件<b>",
        "title_en": "Case",
        "door": DOOR,
        "sources": [{"source": "a", "held": 40}, {"source": "b", "held": 2}],
        "waiting": 3,
        "feeds": [{**feed, "newest": "", "stated": None, "tiers": tiers, "missing": {"first": 3, "last": 4}}],
        **changed,
    }


def page(*lines: dict[str, Any]) -> dict[str, Any]:
    made = "2026-11-23T01:00:00.000000Z"
    return {"day": "2026-11-23", "zone": "UTC+08:00", "open": True, "node": "c.cn", "made": made, "lines": list(lines)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_row_for_every_tier_and_the_door_once(language: Language) -> None:
    """What is not known is a question mark, and never a zero."""
    to = translator(language)
    first, second = rows(page(line()), to)
    assert len(first) == len(second) == len(heads(to))
    assert first[2:8] == [42, 9, 6, 1, 2, 3]
    assert first[9:17] == [2, 6, "p.cn", 6, 5, 1, 0, 0]
    assert second[:11] == [""] * 11
    assert second[12:17] == ["?"] * 5
    assert "3" in str(first[17])
    assert "4" in str(first[17])


def test_what_only_the_node_itself_knows_is_not_known_elsewhere() -> None:
    """Of another node's door nothing is claimed; nor how many rows a source holds that was not compared."""
    to = translator("en")
    assert rows(page(line(door=None, sources=[], waiting=None)), to)[0][2:8] == ["?"] * 6
    assert rows(page(line(door={**DOOR, "in_source": None})), to)[0][2] == "?"
    assert len(rows(page(line(feeds=[])), to)[0]) == len(heads(to))
    unseen = {
        "feed": "f",
        "publication": "p",
        "addressee": "x",
        "sent": None,
        "stated": {"entries": 2, "rows": 9},
        "tiers": [],
        "missing": None,
    }
    (row,) = rows(page(line(feeds=[unseen])), to)
    assert row[8:11] == ["p@x", "?", "?"]
    assert row[17] == "the origin states 2 entries with 9 rows"


def test_the_page_holds_names_as_text() -> None:
    """Nothing that a peer or a declaration says becomes markup."""
    out = BytesIO()
    write_html(out, page(line(origin="<script>")), translator("zh"), str)
    said = out.getvalue().decode()
    assert "<script" not in said
    assert "案件&lt;b&gt;" in said
    assert 'lang="zh-CN"' in said


def test_the_workbook_holds_numbers_as_numbers_and_names_as_text() -> None:
    """A name that looks like a formula is none."""
    out = BytesIO()
    write_workbook(out, page(line()), translator("en"), str)
    sheet = load_workbook(out).worksheets[0]
    found = [[cell.value for cell in row] for row in sheet.iter_rows()]
    at = next(i for i, row in enumerate(found) if row[0] == "=1+1")
    assert found[at][2:8] == [42, 9, 6, 1, 2, 3]
    assert sheet.cell(at + 1, 1).data_type == "s"
