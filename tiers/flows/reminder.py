"""W9D 催报 reminder of overdue data: the part of W9 (reference/domain.md 10) that is about what is missing.

A proposal. The issuer reminds, again if need be; the holder may answer why it is late and when it will come. What ends
it is the data: the issuer's node settles it when it has come.
"""

from __future__ import annotations

from sync.reasons import Reason
from tiers.flows.table import BEFORE, STAY, Flow, MoveRule, Party, State

_OPEN = ("reminded", "answered")

W9D = Flow(
    id="W9D",
    title_zh="催报",
    title_en="Reminder of overdue data",
    dates=("expected",),
    states=(
        State("reminded", "已催报", "reminded"),
        State("answered", "已说明", "answered"),
        State("settled", "已补报", "data has come", final=True),
        State("withdrawn", "撤销", "withdrawn", final=True, refusal=Reason.WITHDRAWN),
    ),
    moves=(
        MoveRule(
            "remind", "催报", "remind", Party.ISSUER, (BEFORE,), "reminded", ("title", "dataset", "period", "why")
        ),
        MoveRule("again", "再次催报", "remind again", Party.ISSUER, _OPEN, STAY, ("why",), quiet=True),
        MoveRule("answer", "说明原因", "answer", Party.HOLDER, _OPEN, "answered", ("text",)),
        MoveRule("settle", "确认已报", "settle", Party.ISSUER, _OPEN, "settled"),
        MoveRule("withdraw", "撤销", "withdraw", Party.ISSUER, _OPEN, "withdrawn", ("reason",)),
    ),
)
