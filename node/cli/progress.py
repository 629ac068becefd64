"""A moving line on stderr while something long goes on, if somebody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from node.cli.output import console
from node.texts import _


@contextmanager
def moving(title: str) -> Iterator[Callable[[str], None]]:
    """Shows the title, what was said last, and the time; it is gone at the end."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    shown = console(err=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.fields[said]}"))
    with Progress(*columns, TimeElapsedColumn(), console=shown, transient=True, disable=not shown.is_terminal) as bar:
        task = bar.add_task(title, total=None, said="")
        yield lambda said: bar.update(task, said=said)


@contextmanager
def counting(title: str, counted: str) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """`moving` for commands that tell {counted, of}."""
    with moving(title) as tell:
        yield lambda said: tell(_("{done} of {all}").format(done=said[counted], all=said["of"]))
