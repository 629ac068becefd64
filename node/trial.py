"""Trial operation (联调): a federation whose name says so. The name is inside every signed byte, so a trial is one for
good: no node of it can link with one of the real federation, and nothing of it can be counted there.
"""

from __future__ import annotations

from typing import Final

TRIAL_SUFFIX: Final = "-trial"
TRIAL_COLUMN: Final = "_trial"
"""What every row of an exported file has beside its own columns: the name of the trial federation."""


def is_trial(name: str) -> bool:
    """Whether a federation is a trial, by its name; or a node, for its federation's name ends its id."""
    return name.endswith(TRIAL_SUFFIX)
