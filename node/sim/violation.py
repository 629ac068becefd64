"""What the simulator raises when a promise is broken."""

from __future__ import annotations


class Violation(Exception):
    """An invariant does not hold. `name` is constant, `detail` says where."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.detail = detail


class Crash(BaseException):
    """The simulated process dies here. Not an Exception, so that nothing on the way handles it."""
