"""The error tree of the core.

SyncError
├── RemoteFault    the peer did wrong: drop, count, go on (carries a Reason)
└── LocalFault     we or our caller did wrong: stop and tell the operator
    └── InputFault a value given by a person or a file is not acceptable
"""

from __future__ import annotations

from sync.reasons import Reason


class SyncError(Exception):
    """Root of what the core raises on purpose; anything else is a bug."""


class RemoteFault(SyncError):
    """Something a peer sent is not acceptable.

    Attributes: reason - the reason code; detail - what exactly, without personal data.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.name}: {detail}" if detail else reason.name)
        self.reason = reason
        self.detail = detail


class LocalFault(SyncError):
    """This node's own state or configuration is not acceptable."""


class InputFault(LocalFault):
    """A value from a person, a file or a local system is not acceptable; says which reason code fits."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.name}: {detail}")
        self.reason = reason
        self.detail = detail
