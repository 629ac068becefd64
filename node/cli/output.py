"""What goes to the terminal: JSON alone, or tables and lines. Progress and remarks go to stderr."""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from node.storable import visible
from node.texts import _
from node.texts.standing import WAYS
from sync.phrase import Phrase

if TYPE_CHECKING:
    from rich.console import Console

NARROW = 100
WIDE = 200
"""Columns of a table that goes to a file or pipe: nothing is cut to the width of a terminal there."""
LIMIT_MAX = 1_000_000
"""The most that --limit may ask for: node.queries.ROWS_MAX, not imported so that the program starts quicker."""
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def say_json(value: object) -> None:
    """One JSON document on stdout."""
    text = json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)
    typer.echo(visible(text))  # a file's name may hold bytes that are not UTF-8; as an escape they are JSON too


def say(text: str = "") -> None:
    """A line on stdout."""
    typer.echo(clean(text))


def remark(text: str) -> None:
    """A line on stderr: never part of what a script reads."""
    typer.echo(clean(text), err=True)


def clean(text: str) -> str:
    """Without what a terminal would obey: names and details may come from other nodes."""
    return _UNSEEN.sub("\ufffd", text)


def worded(one: Mapping[str, Any]) -> str:
    """The detail of a refusal that a node told, in the language of the call."""
    form, *arguments = one["phrase"]
    return Phrase(form, *arguments).spoken(_)


def console(*, err: bool = False) -> Console:
    """A rich console that takes texts as they are."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; a line that says so where there are no rows."""
    from rich import box
    from rich.table import Table

    shown = [[cell(value) for value in row] for row in rows]
    if title:
        say(title)
    if not shown:
        say("  " + _("none"))
        return
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for head in heads:
        made.add_column(clean(head), overflow="fold")
    for row in shown:
        made.add_row(*row)
    console().print(made)


def cell(value: object) -> str:
    """A value as tables show it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return f"{value:g}" if value == int(value) else str(value)
    return clean(str(value)).replace("\n", " ")


def moment(us: int | str, zone: str) -> str:
    """Microseconds since 1970, or ISO text in UTC, as the clock on the wall says; '' for none.

    A moment outside the calendar is shown as it stands.
    """
    if not us:
        return ""
    if isinstance(us, str):
        when = dt.datetime.fromisoformat(us)
    else:
        try:
            when = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=us)
        except OverflowError:  # a timestamp column may hold what no calendar does
            return str(us)
    try:
        return when.astimezone(zoneinfo.ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")
    except OverflowError:
        return str(us)


def way(route: str) -> str:
    """Where a feed of this route goes (its name in JSON, as sync.values.Route)."""
    return _(WAYS.get(route, route))


def size(count: int) -> str:
    """Bytes in a handy unit."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def pairs(values: Iterable[tuple[str, Any]]) -> None:
    """Lines of name and value."""
    from rich.table import Table

    made = Table.grid(padding=(0, 2))
    made.add_column()
    # A Chinese sentence has no spaces to break at: it must not end in dots.
    made.add_column(overflow="fold")
    for name, value in values:
        made.add_row(clean(name), cell(value))
    console().print(made)
