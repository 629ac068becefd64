"""The pages of the flows are those of the declarations."""

from __future__ import annotations

import re

import pytest

from tests.tools import flowdocs
from tests.tools.flowdocs import Language
from tiers.catalogue import Catalogue
from tiers.flows.check import PASSED_OVER


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_fresh(language: Language) -> None:
    """Who reads the page reads what the program declares today."""
    written = flowdocs.PAGES[language].read_text("utf-8")
    assert written == flowdocs.page(language), "run: python -m tests.tools.flowdocs"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_diagram_of_a_flow_has_each_of_its_states(language: Language) -> None:
    """A state that is missing in the picture would be missing in the officer's head."""
    page = flowdocs.page(language)
    for flow in flowdocs.built_in().flows.values():
        diagram = page.partition(f"\n## {flow.id}\n")[2].partition("```mermaid\n")[2].partition("```")[0]
        reached = set(re.findall(r"--> (\w+)", diagram))
        assert {state.name for state in flow.states if state.name != PASSED_OVER} == reached


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_the_page_shows_as_a_site_s_flow_is_sound(language: Language) -> None:
    """An example that does not pass the check would be copied all the same."""
    shown = re.findall(r"```toml\n(.*?)```", flowdocs.page(language), re.DOTALL)
    assert len(shown) == 2
    assert "x_visit" in Catalogue.build(flowdocs.builtin_texts(), [("site.toml", text) for text in shown]).flows
