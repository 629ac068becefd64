"""Options of the whole test run."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--seeds N`: how many seeds the simulator runs (`make sim` asks for 2,000)."""
    parser.addoption("--seeds", type=int, default=200, help="seeds of the simulated federation (default 200)")
    parser.addoption("--first-seed", type=int, default=0, help="the first of them (default 0)")
