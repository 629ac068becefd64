"""Who reads rows that are about persons: the audit says it, a line for each question, not for each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from tiers.dataset import Dataset

BY_MAX = 100
QUESTION_S = 60.0
"""What is asked on the command line may read for so long: all that is read at a node waits for it."""


class Read(NamedTuple):
    """A question for rows that was answered. by: an account, or an API token; columns: '' for all."""

    by: str
    dataset: str
    rows: int
    columns: str = ""
    filter: str = ""
    origin: str = ""

    @property
    def key(self) -> str:
        """What is the same for questions that a program asks again and again."""
        return f"{self.by[:BY_MAX]} {self.dataset} {self.columns} {self.filter} {self.origin}"


def reads_of(by: str, datasets: Iterable[str]) -> list[Read]:
    """What one answer, or one message, with rows of several datasets amounts to. datasets: of each of its rows."""
    return [Read(by, dataset, rows) for dataset, rows in Counter(datasets).items()]


def is_watched(dataset: Dataset) -> bool:
    """Whether reads of a dataset are audited: it has columns that never leave, or texts in which persons may stand."""
    return bool(dataset.held_back) or any(field.personal is not None for field in dataset.fields)
