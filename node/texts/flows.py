"""Flows, states, moves and fields in the reader's language: as the command line and the pages say them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.texts import Translator
from node.texts.standing import ROLES
from tiers.flows.table import FieldRule, Flow


class FlowWords:
    """Their titles; the bare word where this version does not know it."""

    def __init__(self, flows: Mapping[str, Flow], to: Translator) -> None:
        self._flows, self._to, self._is_zh = flows, to, to.language == "zh"

    def title(self, one: Any, otherwise: str) -> str:
        """The title of anything that has one in both languages."""
        return otherwise if one is None else str(one.title_zh if self._is_zh else one.title_en)

    def flow(self, name: str) -> str:
        return self.title(self._flows.get(name), name)

    def state(self, flow: str, name: str) -> str:
        known = self._flows.get(flow)
        return self.title(next((one for one in known.states if one.name == name), None) if known else None, name)

    def move(self, flow: str, name: str) -> str:
        known = self._flows.get(flow)
        return self.title(known.rule(name) if known else None, name)

    def field(self, flow: str, name: str) -> str:
        return self.title(self._field(flow, name), name)

    def said(self, flow: str, name: str, text: str) -> tuple[str, str]:
        """A field and what it says."""
        rule = self._field(flow, name)
        choice = next((one for one in rule.values if one.value == text), None) if rule else None
        return self.title(rule, name), self.title(choice, text)

    def role(self, name: str) -> str:
        return self._to(ROLES[name]) if name in ROLES else name

    def _field(self, flow: str, name: str) -> FieldRule | None:
        known = self._flows.get(flow)
        return known.field(name) if known else None
