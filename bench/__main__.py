"""`python -m bench`: hold the contest; JSON on stdout or in a file, the table and the progress on stderr."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from bench.contest import Contestant, Plan, as_json, as_table, hold
from bench.direct import DirectSqlite
from bench.figures import Work
from bench.machine import machine_facts
from bench.postgres import RELAXED, SHIPPED, TUNED, PostgresCascade, postgres_version
from bench.tiersync import TiersyncNodes
from node.store import driver

_CONTESTANTS: dict[str, tuple[Callable[[], Contestant], ...]] = {
    "tiersync": (TiersyncNodes,),
    "postgres": (lambda: PostgresCascade(TUNED), lambda: PostgresCascade(SHIPPED)),
    "sqlite": (DirectSqlite,),
    "relaxed": (lambda: PostgresCascade(RELAXED),),
}
_USUAL = ("tiersync", "postgres", "sqlite")
_WIDTH = 130
_QUICK = {"rows": 5_000, "singles": 500, "seconds": 2, "runs": 1}
_WHOLE = {"rows": 200_000, "singles": 20_000, "seconds": 20, "runs": 3}


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every contestant that was asked for finished, 1 when one left the contest."""
    asked = _parser().parse_args(arguments)
    sizes = {name: _size(asked, name) for name in _WHOLE}
    plan = Plan(works=asked.work, **sizes)
    contestants = [make() for name in asked.only for make in _CONTESTANTS[name]]
    console = Console(stderr=True, width=None if sys.stderr.isatty() else _WIDTH)
    signal.signal(signal.SIGTERM, _leave)
    machine = machine_facts() | {"postgres": postgres_version(), "sqlite": driver.VERSION_TEXT}
    results = hold(contestants, plan, lambda line: console.print(line, markup=False, highlight=False))
    console.print(as_table(results))
    _write(json.dumps(as_json(results, plan, machine), ensure_ascii=False, indent=2) + "\n", asked.json)
    return 1 if any(result.failed for result in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Our three tiers beside PostgreSQL's.")
    parser.add_argument("--work", type=_works, default=tuple(Work), metavar="T,L,C,C1", help="which works (all)")
    parser.add_argument("--only", type=_names, default=_USUAL, metavar=",".join(_CONTESTANTS))
    parser.add_argument("--rows", type=_positive, help=f"rows of T and C ({_WHOLE['rows']:,})")
    parser.add_argument("--singles", type=_positive, help=f"rows of C1, one a transaction ({_WHOLE['singles']:,})")
    parser.add_argument("--seconds", type=_positive, help=f"seconds of L ({_WHOLE['seconds']})")
    parser.add_argument("--runs", type=_positive, help=f"rounds ({_WHOLE['runs']})")
    parser.add_argument("--quick", action="store_true", help=f"small sizes: {_QUICK}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON there instead of to stdout")
    return parser


def _size(asked: argparse.Namespace, name: str) -> int:
    given: int | None = getattr(asked, name)
    return given if given is not None else (_QUICK if asked.quick else _WHOLE)[name]


def _works(text: str) -> tuple[Work, ...]:
    return tuple(Work(name) for name in text.split(","))


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(_CONTESTANTS):
        raise argparse.ArgumentTypeError(f"no contestant {', '.join(sorted(unknown))}")
    return names


def _positive(text: str) -> int:
    number = int(text)
    if number <= 0:
        raise ValueError(text)
    return number


def _write(text: str, file: Path | None) -> None:
    if file is None:
        sys.stdout.write(text)
    else:
        file.write_text(text, encoding="utf-8")


def _leave(number: int, frame: FrameType | None) -> None:
    """Ended from outside: unwind, so that every child is stopped and every file removed."""
    del frame
    sys.exit(128 + number)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
