"""A statement of the day as a table: for the terminal, as a page to print, and as a workbook."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final

from node.texts import N_, Language, Translator
from node.trial import is_trial

Cell = str | int
Moment = Callable[[str], str]
"""ISO text in UTC as the clock on the wall says."""

_HEADS: Final = (
    N_("origin"),
    N_("dataset"),
    N_("in the source"),
    N_("brought"),
    N_("taken"),
    N_("unchanged"),
    N_("rejected"),
    N_("waiting"),
    N_("feed"),
    N_("entries"),
    N_("rows sent"),
    N_("node that has it"),
    N_("received"),
    N_("applied"),
    N_("refused"),
    N_("parked"),
    N_("overtaken"),
    N_("remark"),
)
_AT_DOOR: Final = 6
_OF_FEED: Final = 3
_OUTCOME: Final = ("received", "applied", "refused", "parked", "overtaken")
UNKNOWN: Final = "?"

_STYLE: Final = """@page { size: A4 landscape; margin: 12mm }
body { font: 11px/1.4 "Noto Sans CJK SC", "Microsoft YaHei", "SimSun", sans-serif; color: #000 }
h1 { font-size: 16px; margin: 0 0 4px } p { margin: 0 0 6px }
table { border-collapse: collapse; width: 100% } thead { display: table-header-group }
th, td { border: 1px solid #666; padding: 2px 4px; text-align: left; vertical-align: top }
td.n { text-align: right } tr { break-inside: avoid } tr.first td { border-top: 2px solid #000 }"""


def heads(to: Translator) -> list[str]:
    """The headings."""
    return [to(head) for head in _HEADS]


def rows(page: Mapping[str, Any], to: Translator) -> list[list[Cell]]:
    """A row for every tier of every feed; what came to the door stands in the first row of its dataset."""
    return [row for line in page["lines"] for row in _rows_of(line, to)]


def remarks(page: Mapping[str, Any], to: Translator, moment: Moment) -> list[str]:
    """What stands above the table."""
    said = [
        to(
            N_("Days are those of Beijing time ({zone}); an entry belongs to the day that its origin signed in it.")
        ).format(zone=page["zone"]),
        to(N_("? = not known here: no signed receipt proves it. That is not the same as 0.")),
    ]
    if page["open"]:
        said.append(to(N_("The day has not ended: these are the figures of {made}.")).format(made=moment(page["made"])))
    return said


def title(page: Mapping[str, Any], to: Translator) -> str:
    """What the page is."""
    said = to(N_("Statement of {day}, made at {node}")).format(day=page["day"], node=page["node"])
    return to(N_("TRIAL, nothing of it counts: {title}")).format(title=said) if is_trial(page["node"]) else said


def write_html(out: BinaryIO, page: Mapping[str, Any], to: Translator, moment: Moment) -> None:
    """A page to print; it needs nothing beside it."""
    said = "".join(f"<p>{html.escape(one)}</p>\n" for one in _above(page, to, moment))
    named = "".join(f"<th>{html.escape(head)}</th>" for head in heads(to))
    body = "".join(_html_row(row) for row in rows(page, to))
    name = html.escape(title(page, to))
    language: Mapping[Language, str] = {"zh": "zh-CN", "en": "en"}
    out.write(
        f'<!DOCTYPE html>\n<html lang="{language[to.language]}"><head><meta charset="utf-8"><title>{name}</title>\n'
        f"<style>{_STYLE}</style></head><body>\n<h1>{name}</h1>\n{said}"
        f"<table><thead><tr>{named}</tr></thead>\n<tbody>\n{body}</tbody></table>\n</body></html>\n".encode()
    )


def _html_row(row: Sequence[Cell]) -> str:
    cells = "".join(
        f'<td class="n">{cell}</td>' if isinstance(cell, int) else f"<td>{html.escape(cell)}</td>" for cell in row
    )
    return f'<tr class="first">{cells}</tr>\n' if row[0] else f"<tr>{cells}</tr>\n"


def write_workbook(out: BinaryIO, page: Mapping[str, Any], to: Translator, moment: Moment) -> None:
    """A workbook of one sheet. Names are texts: Excel runs none as a formula."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = page["day"]
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    lines: list[Sequence[Cell]] = [[title(page, to)], *([one] for one in _above(page, to, moment)), heads(to)]
    bold = (1, len(lines))
    lines += rows(page, to)
    for number, line in enumerate(lines, start=1):
        for place, value in enumerate(line, start=1):
            cell = sheet.cell(number, place, value)
            if isinstance(value, str):
                cell.data_type = "s"
            if number in bold:
                cell.font = Font(bold=True)
    sheet.freeze_panes = sheet.cell(bold[1] + 1, 1)
    sheet.print_title_rows = f"{bold[1]}:{bold[1]}"
    book.save(out)


def _above(page: Mapping[str, Any], to: Translator, moment: Moment) -> list[str]:
    made = to(N_("Made: {made}")).format(made=moment(page["made"]))
    return [made, *remarks(page, to, moment)]


# --- rows -------------------------------------------------------------------------------------------------------------


def _rows_of(line: Mapping[str, Any], to: Translator) -> Iterator[list[Cell]]:
    name = line["title_zh"] if to.language == "zh" else line["title_en"]
    start: list[Cell] = [line["origin"], f"{line['dataset']} {name}".strip(), *_at_door(line)]
    for feed in line["feeds"] or [None]:
        for middle in _rows_of_feed(feed, to) if feed else [[""] * (_OF_FEED + 1 + len(_OUTCOME) + 1)]:
            yield [*start, *middle]
            start = [""] * len(start)


def _at_door(line: Mapping[str, Any]) -> list[Cell]:
    """Only the node itself knows what came to its door; others know it once its own statement of the day has come."""
    door = line["door"]
    if door is None:
        return [UNKNOWN] * _AT_DOOR
    said = [*(door[name] for name in ("in_source", "brought", "taken", "unchanged", "rejected")), line["waiting"]]
    return [UNKNOWN if one is None else one for one in said]


def _rows_of_feed(feed: Mapping[str, Any], to: Translator) -> Iterator[list[Cell]]:
    sent = feed["sent"]
    name = feed["publication"] + (f"@{feed['addressee']}" if feed["addressee"] else "")
    start: list[Cell] = [name, *((sent["entries"], sent["rows"]) if sent else (UNKNOWN, UNKNOWN))]
    missing = feed["missing"]
    remark = to(N_("entries {first} to {last} have not arrived")).format(**missing) if missing else ""
    stated = feed["stated"]
    if stated and stated != {name: sent[name] if sent else 0 for name in stated}:
        words = to(N_("the origin states {entries} entries with {rows} rows")).format(**stated)
        remark = "; ".join(one for one in (remark, words) if one)
    for tier in feed["tiers"] or [None]:
        if tier is None:
            yield [*start, "", *([""] * len(_OUTCOME)), remark]
        else:
            said = "; ".join(one for one in (remark, _proof(tier, to)) if one)
            yield [*start, tier["node"], *(UNKNOWN if (n := tier[one]) is None else n for one in _OUTCOME), said]
        start, remark = [""] * len(start), ""


def _proof(tier: Mapping[str, Any], to: Translator) -> str:
    if tier["proof"] == "none":
        return to(N_("no receipt has come"))
    return to(N_("up to entry {up_to}")).format(up_to=tier["up_to"])
