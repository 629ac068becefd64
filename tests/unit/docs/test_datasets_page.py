"""The pages of the datasets are those of the declarations."""

from __future__ import annotations

import pytest

from tests.tools import datasetdocs
from tests.tools.datasetdocs import Language


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_fresh(language: Language) -> None:
    """Who reads the page reads what the program declares today."""
    written = datasetdocs.PAGES[language].read_text("utf-8")
    assert written == datasetdocs.page(language), "run: python tests/tools/datasetdocs.py"


def test_no_column_that_is_held_back_stands_among_what_goes_out() -> None:
    """A line that says where rows go never names a column that must stay."""
    catalogue = datasetdocs.builtin()
    page = datasetdocs.page("en")
    for dataset in catalogue.datasets.values():
        section = page.partition(f"\n## {dataset.id}\n")[2].partition("\n## ")[0]
        goes = [line for line in section.splitlines() if line.startswith("- Goes to")]
        assert len(goes) == max(1, len(catalogue.publications_of(dataset.id)))
        assert not [name for name in dataset.held_back for line in goes if f"`{name}`" in line]
        assert all(f"| `{f.column.name}`" in section for f in dataset.fields)
