"""The ways by which people can be told."""

from __future__ import annotations

from typing import Final

BUILT_IN: Final = ("wecom", "dingtalk", "feishu", "zwdd", "sms")
"""Templates of the program: node/notify/templates."""
WAYS: Final = ("smtp", *BUILT_IN, "template")
