"""A nation that was founded once; each test works on a copy of its folder. Tests may be coroutines."""

from __future__ import annotations

import asyncio
import inspect
import shutil
from pathlib import Path

import pytest

from tests.unit.enrol.world import found


@pytest.fixture(scope="session")
def _first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("country")
    found(folder)
    return folder


@pytest.fixture
def country(_first: Path, tmp_path: Path) -> Path:
    """A folder with `nation` (a whole home) and `root`."""
    shutil.copytree(_first, tmp_path, dirs_exist_ok=True)
    for home in (tmp_path / "nation", tmp_path / "root"):
        home.chmod(0o700)
    return tmp_path


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a coroutine test in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**{n: pyfuncitem.funcargs[n] for n in names}), 60))
    return True
