"""W2 巡查发现与督办 supervision: upper tier to lower, without clocks (reference/domain.md 10).

A proposal in its details. Registered by the issuer, issued, signed for, put right, replied to, checked, and closed by
the issuer alone. The holder may ask for more time or for suspension (挂账); only the issuer grants either, with a date.
"""

from __future__ import annotations

from sync.reasons import Reason
from tiers.flows.table import BEFORE, STAY, Flow, MoveRule, Party, State

_WORK = ("signed", "correcting", "returned")
_OPEN = ("issued", *_WORK, "extension_asked", "suspension_asked", "suspended", "replied", "checking")

W2 = Flow(
    id="W2",
    title_zh="巡查发现与督办",
    title_en="Supervision",
    dates=("due", "until"),
    states=(
        State("registered", "已登记", "registered", draft=True),
        State("issued", "已下发", "issued"),
        State("signed", "已签收", "signed for"),
        State("correcting", "整改中", "being put right"),
        State("extension_asked", "申请延期", "extension asked for"),
        State("suspension_asked", "申请挂账", "suspension asked for"),
        State("suspended", "挂账", "suspended"),
        State("replied", "已回复", "replied"),
        State("checking", "核查中", "being checked"),
        State("returned", "退回重办", "returned to be done again"),
        State("closed", "销号", "closed", final=True),
        State("withdrawn", "撤销", "withdrawn", final=True, refusal=Reason.WITHDRAWN),
    ),
    moves=(
        MoveRule("register", "登记", "register", Party.ISSUER, (BEFORE,), "registered", ("title",)),
        MoveRule("issue", "下发", "issue", Party.ISSUER, ("registered",), "issued", ("requirement", "due")),
        MoveRule("sign", "签收", "sign for", Party.HOLDER, ("issued",), "signed"),
        MoveRule("begin", "开始整改", "begin", Party.HOLDER, ("signed", "returned"), "correcting"),
        MoveRule("reply", "回复", "reply", Party.HOLDER, _WORK, "replied", ("result",)),
        MoveRule("check", "核查", "check", Party.ISSUER, ("replied",), "checking"),
        MoveRule("close", "销号", "close", Party.ISSUER, ("replied", "checking"), "closed"),
        MoveRule("return", "退回重办", "return", Party.ISSUER, ("replied", "checking"), "returned", ("reason",)),
        MoveRule(
            "ask_extension", "申请延期", "ask for extension", Party.HOLDER, _WORK, "extension_asked", ("reason", "due")
        ),
        MoveRule(
            "grant_extension", "同意延期", "grant extension", Party.ISSUER, ("extension_asked",), "correcting", ("due",)
        ),
        MoveRule(
            "refuse_extension",
            "不同意延期",
            "refuse extension",
            Party.ISSUER,
            ("extension_asked",),
            "correcting",
            ("reason",),
        ),
        MoveRule(
            "ask_suspension",
            "申请挂账",
            "ask for suspension",
            Party.HOLDER,
            _WORK,
            "suspension_asked",
            ("reason", "until"),
        ),
        MoveRule(
            "grant_suspension",
            "同意挂账",
            "grant suspension",
            Party.ISSUER,
            ("suspension_asked",),
            "suspended",
            ("until",),
        ),
        MoveRule(
            "refuse_suspension",
            "不同意挂账",
            "refuse suspension",
            Party.ISSUER,
            ("suspension_asked",),
            "correcting",
            ("reason",),
        ),
        MoveRule("resume", "恢复整改", "resume", Party.HOLDER, ("suspended",), "correcting"),
        MoveRule("recall", "恢复督办", "end suspension", Party.ISSUER, ("suspended",), "correcting", ("reason",)),
        # the issuer may lengthen the limit at any time, never silently; a reply made meanwhile stands
        MoveRule("extend", "延长时限", "extend", Party.ISSUER, ("issued", *_WORK), STAY, ("due", "reason"), quiet=True),
        MoveRule(
            "report", "报告进展", "report progress", Party.HOLDER, ("correcting", "suspended"), STAY, ("text",), True
        ),
        MoveRule("remark", "批示", "remark", Party.ISSUER, _OPEN, STAY, ("text",), quiet=True),
        MoveRule("withdraw", "撤销", "withdraw", Party.ISSUER, ("registered", *_OPEN), "withdrawn", ("reason",)),
    ),
)
