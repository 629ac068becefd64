"""Medians, spread, percentiles and ratios mean what the table says."""

import pytest

from bench.contest import Plan, as_json, as_table, hold
from bench.figures import FIGURES, Work, percentile, summarise, times_as_good
from sync.errors import LocalFault

T_RATE, L_P50 = FIGURES[0], FIGURES[1]
PLAN = Plan(works=(Work.T, Work.L), rows=2_000, singles=10, seconds=1, runs=3)


class Steady:
    """A contestant whose figures are given."""

    works = frozenset({Work.T, Work.L})

    def __init__(self, name, seconds, fails_in_round=None):
        self.name = name
        self.seconds = list(seconds)
        self.fails_in_round = fails_in_round
        self.started = 0
        self.running = False

    def start(self):
        """Count the rounds."""
        assert not self.running
        self.running = True
        self.started += 1
        if self.started == self.fails_in_round:
            raise LocalFault("no more")

    def throughput(self, rows, rows_per_set):
        """The given seconds."""
        assert (len(rows), rows_per_set) == (2_000, 1_000)
        return self.seconds.pop(0)

    def latency(self, rows, commits_per_s):
        """One to fifty milliseconds."""
        return [(place + 1) / 1_000 for place in range(len(rows))]

    def catch_up(self, rows, rows_per_set):
        """Not asked for."""
        raise AssertionError

    def stop(self):
        """Stopped."""
        self.running = False


def test_median_and_spread_of_runs():
    """The middle run counts, and the best and worst are told."""
    summary = summarise([30.0, 10.0, 20.0])
    assert (summary.median, summary.least, summary.most, summary.runs) == (20.0, 10.0, 30.0, (30.0, 10.0, 20.0))


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (99, 99), (100, 100), (0, 1), (99.5, 100)])
def test_percentile_is_the_nearest_rank(percent: float, expected: float):
    """No value is made up between two that were measured."""
    assert percentile(list(range(100, 0, -1)), percent) == expected


def test_no_values_have_no_percentile():
    """An empty measurement is a fault, not a zero."""
    with pytest.raises(LocalFault):
        percentile([], 50)


def test_above_one_is_better_whichever_way_a_figure_counts():
    """Twice the rows and half the wait are both twice as good."""
    assert times_as_good(T_RATE, 200.0, 100.0) == 2.0
    assert times_as_good(L_P50, 1.0, 2.0) == 2.0


def test_a_contest_takes_turns_and_reports_medians_and_ratios():
    """Each round starts afresh; ratios are taken within a round, and keep their spread."""
    ours = Steady("ours", [1.0, 0.25, 0.5])
    reference = Steady("postgres-tuned", [1.0, 1.0, 2.0])
    results = hold([ours, reference], PLAN, lambda line: None)
    report = as_json(results, PLAN, {})
    figures = report["contestants"]["ours"]["figures"]
    assert figures["T_rows_per_s"] == {
        "median": 4_000,
        "min": 2_000,
        "max": 8_000,
        "runs": [2_000, 8_000, 4_000],
        "times_as_good_as_reference": {"median": 4.0, "min": 1.0, "max": 4.0, "runs": [1.0, 4.0, 4.0]},
    }
    assert figures["L_p50_ms"]["median"] == 25.0
    assert (ours.started, ours.running) == (3, False)
    table = as_table(results)
    assert table.row_count == 2
    assert next(iter(table.columns[1].cells)) == "4,000\n\\[2,000-8,000]\n(4.00 \\[1.00-4.00])"


def test_the_marks_say_what_was_reached():
    """By the median of the rounds' ratios and of the waits; what was not measured is neither met nor missed."""
    slow = [Steady("tiersync", [1.0, 2.0, 4.0]), Steady("postgres-tuned", [1.0, 1.0, 1.0])]
    assert as_json(hold(slow, PLAN, lambda line: None), PLAN, {})["marks"] == {
        "T_ratio": {"at_least": 1.0, "value": 0.5, "met": False},
        "C_ratio": {"at_least": 1.0, "value": None, "met": None},
        "C1_ratio": {"at_least": 1.0, "value": None, "met": None},
        "L_p50_ms": {"at_most": 10.0, "value": 25.0, "met": False},
    }
    quick = [Steady("tiersync", [1.0, 0.5, 0.5]), Steady("postgres-tuned", [1.0, 1.0, 1.0])]
    assert as_json(hold(quick, PLAN, lambda line: None), PLAN, {})["marks"]["T_ratio"]["met"] is True
    alone = as_json(hold([Steady("tiersync", [1.0] * 3)], PLAN, lambda line: None), PLAN, {})["marks"]
    assert alone["T_ratio"]["met"] is None
    assert alone["L_p50_ms"]["value"] == 25.0


def test_who_fails_leaves_and_the_others_go_on():
    """A failure is told, its earlier runs stay, and it is stopped like anyone else."""
    failing = Steady("ours", [1.0], fails_in_round=2)
    steady = Steady("postgres-tuned", [1.0, 1.0, 1.0])
    results = hold([failing, steady], PLAN, lambda line: None)
    assert [result.failed for result in results] == ["no more", None]
    assert len(results[0].values["T_rows_per_s"]) == 1
    assert len(results[1].values["T_rows_per_s"]) == 3
    assert (failing.started, failing.running) == (2, False)


def test_without_the_reference_there_are_no_ratios():
    """A run of ours alone says nothing about PostgreSQL."""
    results = hold([Steady("ours", [1.0, 1.0, 1.0])], PLAN, lambda line: None)
    report = as_json(results, PLAN, {})
    assert report["reference"] is None
    assert report["contestants"]["ours"]["figures"]["T_rows_per_s"]["times_as_good_as_reference"] is None
