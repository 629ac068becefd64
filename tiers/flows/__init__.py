"""Coordination flows (业务协同): transition tables as data, one interpreter, one arbiter per task."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tiers.flows.reminder import W9D
from tiers.flows.supervision import W2
from tiers.flows.table import Flow

FLOWS: Mapping[str, Flow] = MappingProxyType({flow.id: flow for flow in (W2, W9D)})
"""Every flow this version knows, by the id that stands in MoveBody.flow."""
