"""Export beside a node that writes, and of one that is stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from node import texts
from node.app import read_catalogue
from node.cli.main import run as call
from node.commands.stopped import reader_of
from node.config import CONFIG_NAME, load_file
from node.exporting import pages
from node.testing import Topology
from tests.integration.kit import cases, put, run


def exported(home: Path, file: Path) -> list[str]:
    columns = "_origin,case_id"
    assert call(["--home", str(home), "export", "case", "--output", str(file), "--columns", columns]) == 0
    return [json.loads(line)["case_id"] for line in file.read_text("utf-8").splitlines()]


def test_all_rows_of_all_origins_from_a_stopped_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command line, over several pages; the file is the same at each tier."""
    monkeypatch.setattr(texts._chosen, "language", texts._chosen.language)  # put back at the end
    monkeypatch.setattr(pages, "PAGE_ROWS", 4)

    async def work() -> None:
        async with Topology(tmp_path / "net") as net:
            await put(net["city"], cases(10, supervised=True))
            await net.level()
            await net.stop()
            wanted = [str(row[0]) for row in cases(10)]
            for name in ("city", "province", "nation"):
                assert exported(net[name].home, tmp_path / f"{name}.jsonl") == wanted

    run(work())


def test_rows_that_change_meanwhile_stand_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page at a time, no read is held open between two: rows that are put and voided behind and before the reader
    neither double nor hide a row that was there all the time."""
    monkeypatch.setattr(pages, "PAGE_ROWS", 2)

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            await put(city, cases(10))
            catalogue = read_catalogue(city.home, load_file(city.home / CONFIG_NAME))
            reader = reader_of(city.home, catalogue)
            try:
                source = pages.Source(reader, pages.Wish(catalogue.datasets["case"], ("case_id",)))
                found: list[str] = []
                for number, page in enumerate(source.pages()):
                    assert not reader.session.in_transaction
                    found += [str(row[0]) for row in page]
                    if number == 1:
                        await put(city, cases(3, text="changed") + cases(1, first=11))
                        await city.put("case", (), [], voids=[(cases(1)[0][0],), (cases(1, first=8)[0][0],)])
                assert found == [str(row[0]) for row in cases(11) if row != cases(1, first=8)[0]]
            finally:
                reader.close()

    run(work())
