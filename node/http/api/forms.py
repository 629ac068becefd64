"""What requests and answers of coordination hold beside tasks' own: parts, maintenance, subscriptions, quality."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from node.commands.maintenance import REASON_CHARACTERS_MAX
from node.commands.splitting import PARTS_MAX
from node.http.api.shapes import KeyCell, MoveIn, Word
from sync.limits import DETAIL_CHARACTERS_MAX, KEY_COLUMNS_MAX

Said = Annotated[str, Meta(max_length=DETAIL_CHARACTERS_MAX)]
Name = Annotated[str, Meta(max_length=200)]
Listed = Annotated[str, Meta(max_length=4_000)]


class SplitIn(Struct, forbid_unknown_fields=True):
    """Children, by node id or division code, that a task is handed on to. fields: what each part says; title,
    requirement, due and basis are as in the task where they are not said.
    """

    to: Annotated[list[Word], Meta(min_length=1, max_length=PARTS_MAX)]
    fields: dict[str, str] = {}
    dry_run: bool = False


class PartOut(Struct):
    """A task that a part is, with the moves that begin it; its id is empty where nothing was made."""

    task: str
    holder: str
    moves: list[MoveIn]


class SplitOut(Struct):
    """What became of it: the ids of all moves, that of the task itself first; or the draft, else 0. needs_approval: an
    approver has to approve it first.
    """

    task: str
    parts: list[PartOut]
    move_ids: list[str]
    draft: int
    needs_approval: bool
    dry_run: bool


class WindowIn(Struct, forbid_unknown_fields=True, rename={"since": "from"}):
    """When this node may be out of reach, or the child that `node` names."""

    since: Word
    until: Word
    reason: Annotated[str, Meta(min_length=1, max_length=REASON_CHARACTERS_MAX)]
    node: Name = ""
    dry_run: bool = False


class WindowsOut(Struct):
    """As `tiersync maintenance list --json`."""

    windows: list[dict[str, Any]]


class TryIn(Struct, forbid_unknown_fields=True):
    """dry_run: nothing is written."""

    dry_run: bool = False


class ApplyIn(Struct, forbid_unknown_fields=True, rename={"since": "from"}):
    """An application for a service; columns with commas between them, filter as JSON, days as 2026-12-31."""

    service: Word
    purpose: Annotated[str, Meta(min_length=1, max_length=DETAIL_CHARACTERS_MAX)]
    until: Word
    since: Name = ""
    provider: Name = ""
    scenario: Said = ""
    columns: Listed = ""
    filter: Listed = ""
    range: Said = ""
    dry_run: bool = False


class DecideIn(Struct, forbid_unknown_fields=True):
    """A move of a subscription or an issue, with the reason where one is needed."""

    reason: Said = ""
    dry_run: bool = False


class CheckIn(DecideIn, forbid_unknown_fields=True):
    """The check of an application. to_publish: the data must first be published, so the owner has longer to answer."""

    to_publish: bool = False


class PassIn(Struct, forbid_unknown_fields=True):
    """The successor, by node id, that goes on with a task."""

    to: Word


class MarkIn(Struct, forbid_unknown_fields=True):
    """What is wrong with a record of another node, by the cells of its key; or with a period that is missing."""

    dataset: Word
    kind: Literal["missing", "late", "code_unknown", "out_of_range", "contradicts", "duplicate"]
    key: Annotated[list[KeyCell], Meta(max_length=KEY_COLUMNS_MAX)] = []
    origin: Name = ""
    column: Name = ""
    period: Name = ""
    problem: Said = ""
    exclude: bool = False
    dry_run: bool = False


class AnswerIn(Struct, forbid_unknown_fields=True):
    """What the origin says of an issue; `correct` after the row was put."""

    move: Literal["verify", "correct", "keep"]
    reason: Said = ""
    dry_run: bool = False


class IssuesOut(Struct):
    """As `tiersync quality list --json`."""

    issues: list[dict[str, Any]]


class ServicesOut(Struct):
    """As `tiersync service list --json`."""

    services: list[dict[str, Any]]


class SubscriptionsOut(Struct):
    """As `tiersync subscription list --json`."""

    subscriptions: list[dict[str, Any]]


class RemindIn(Struct, forbid_unknown_fields=True):
    """Of a dataset, and of one period or of all that is overdue among the newest."""

    dataset: Word
    period: Name = ""
    dry_run: bool = False


class DuesOut(Struct):
    """As `tiersync due list --json`; reading it writes nothing."""

    items: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    reminders: list[dict[str, Any]]


class DaysOut(Struct):
    """As `tiersync calendar show --json`. complete: of which years there is a complete list."""

    region: str
    complete: dict[str, bool]
    days: list[dict[str, Any]]
