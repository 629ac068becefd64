"""Runs a simulated country for weeks and tells in figures what it did: `make country`, or
`python -m tests.tools.country --seed 7 [--shape 1,32,333] [--tasks 1000] [--days 30] [--replay] [--json]`.

Ends with 1 when a promise does not hold, or when --replay finds that the seed does not repeat.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from dataclasses import asdict
from time import monotonic, process_time
from typing import Any

from node.sim.country.report import CountryReport
from node.sim.country.run import DAYS, FULL, TASKS, run_country


def main() -> int:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shape", type=_shape, default=FULL, help="nations,provinces,cities")
    parser.add_argument("--tasks", type=int, default=TASKS)
    parser.add_argument("--days", type=float, default=DAYS)
    parser.add_argument("--replay", action="store_true", help="run it twice and compare")
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    runs = [_timed(said) for _ in range(2 if said.replay else 1)]
    report, figures = runs[0]
    repeats = all(asdict(one) == asdict(report) for one, _ in runs)
    if said.json:
        told = {**asdict(report), **figures, "crossing_share": report.crossing_share, "sound": report.sound}
        print(json.dumps({**told, "repeats": repeats if said.replay else None}, ensure_ascii=False))
    else:
        _tell(report, figures)
        if said.replay:
            print("again: the same, move by move and frame by frame" if repeats else "again: NOT THE SAME")
    return 0 if report.sound and repeats else 1


def _timed(said: argparse.Namespace) -> tuple[CountryReport, dict[str, Any]]:
    began, used = monotonic(), process_time()
    report = run_country(said.seed, said.shape, said.tasks, said.days)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 * 1024 if sys.platform == "darwin" else 1024)
    took = {"wall_seconds": round(monotonic() - began, 1), "processor_seconds": round(process_time() - used, 1)}
    return report, {**took, "peak_mib": peak}


def _tell(report: CountryReport, figures: dict[str, Any]) -> None:
    crossed, all_tasks = f"{report.crossing_share:.1%}", sum(report.flows.values())
    lines = (
        ("seed, nodes", f"{report.seed}, {' + '.join(map(str, report.shape))}"),
        ("virtual days", f"{report.virtual_days:.1f}, of them {report.days:g} with trouble"),
        ("tasks", f"{report.planned} of people, {report.parts} parts, {report.started} started by flows"),
        ("by flow", _counts(report.flows)),
        ("ended", f"{report.ended} of {all_tasks}"),
        ("moves", f"{sum(report.moves_made.values())} made: {_counts(report.moves_made)}"),
        ("refused", f"{sum(report.refused_moves.values())}: {_counts(report.refused_moves)}"),
        ("not made", f"{report.hindered}: parts were open, or the time was over"),
        (
            "crossings",
            f"forced in {report.crossing_forced} planned tasks ({crossed}); in {report.crossing} tasks in all",
        ),
        (
            "links cut",
            f"{report.cuts}, {report.cut_days:.0f} days in all, the longest {report.longest_cut_days:.1f} days",
        ),
        ("nodes stopped", f"{report.stops}; connections broken: {report.resets}"),
        ("level again", f"within {report.level_after_hours:g} virtual hours"),
        ("exchange", f"{report.frames} frames, {report.commits} commits, {report.steps} steps"),
        ("outcome", report.outcome),
        ("trace", report.trace),
        ("took", ", ".join(f"{value} {name}" for name, value in figures.items())),
    )
    for name, text in lines:
        print(f"{name:<14} {text}")
    print("sound: every promise held" if report.sound else f"FAILED: {report.failure}")


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(found.items(), key=lambda one: (-one[1], one[0])))


def _shape(text: str) -> tuple[int, int, int]:
    nations, provinces, cities = map(int, text.split(","))
    return nations, provinces, cities


if __name__ == "__main__":
    sys.exit(main())
