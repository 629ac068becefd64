"""Options of the whole test run."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# A slow machine makes no rule about data false.
settings.register_profile("tiersync", deadline=None)
settings.load_profile("tiersync")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--seeds N`: how many seeds the simulator runs (`make sim` asks for 2,000)."""
    parser.addoption("--seeds", type=int, default=100, help="seeds of the simulated federation (default 100)")
    parser.addoption("--first-seed", type=int, default=0, help="the first of them (default 0)")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where CI runs everything must be there: a skipped test fails the run (its reason is printed by -ra)."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("TIERSYNC_CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
