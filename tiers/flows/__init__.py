"""Coordination flows (业务协同): transition tables as data, one interpreter, one arbiter per task."""

from __future__ import annotations

SUPERVISION = "W2"
"""The flow by which an upper tier supervises a lower one."""
REMINDER = "W9D"
"""The flow by which a node reminds of data that is overdue: node/dues.py makes its moves."""
EVALUATION = "W6"
"""The flow of an evaluation; it goes by one frozen release of its indicators."""
ONBOARDING = "W7"
"""The flow of a node that was enrolled: node/grading.py makes its moves by what the exchange shows."""
