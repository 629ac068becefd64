"""Coordination beside single tasks: parts, maintenance, subscriptions, quality issues, dues and the calendar. Each
endpoint is the command of the same name at the command line, with its act (node/commands/acts.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response

from node.commands import COMMANDS, QUESTIONS
from node.commands.acts import ACTS
from node.commands.dues import list_dues
from node.commands.maintenance import list_windows
from node.commands.splitting import Splitting, splitting
from node.commands.tasks import hand_in
from node.commands.tokens import TASK, WATCH
from node.commands.view import Arguments
from node.commands.work import view_of
from node.desk import HandIn, Made
from node.engine import Job
from node.http.api.endpoint import Call, Endpoint, Param, decoded, json_answer
from node.http.api.forms import (
    AnswerIn,
    ApplyIn,
    CheckIn,
    DaysOut,
    DecideIn,
    DuesOut,
    IssuesOut,
    MarkIn,
    PartOut,
    PassIn,
    RemindIn,
    ServicesOut,
    SplitIn,
    SplitOut,
    SubscriptionsOut,
    TryIn,
    WindowIn,
    WindowsOut,
)
from node.http.api.shapes import MoveIn
from node.http.api.writing import KeyedJob, Replayed, digest_asked, json_body, key_asked, replayed
from node.storable import check_storable
from tiers.people import Act

LISTED: Final = 100
LISTED_MAX: Final = 1_000
Run = Callable[[Call], Awaitable[Response]]
_FLAGS: Final = frozenset({"open", "all", "overdue", "to_answer", "to_do"})
_LIMIT: Final = Param("limit", f"At most so many; {LISTED} if not given.", LISTED_MAX)


async def split(call: Call) -> Response:
    """A task is handed on to nodes below."""
    body = await json_body(call)
    wish = decoded(body, SplitIn)
    arguments = {"task": call.request.path_params["task"], "to": wish.to, "fields": wish.fields}
    check_storable(arguments)
    asked = await splitting(call.node, arguments)
    key, who, now = key_asked(call), call.granted.token.id, call.node.clock.now_us()

    def around(job: HandIn) -> Job:
        if not key or wish.dry_run:
            return job
        encode = msgspec.json.encode
        return KeyedJob(job, who, key, digest_asked(call, body), now, lambda made: encode(_split(asked, made, False)))

    found: Any = await hand_in(call.node, call.granted.hand, asked.wishes, around, dry_run=wish.dry_run)
    return replayed(found) if isinstance(found, Replayed) else json_answer(_split(asked, found, wish.dry_run))


def _split(asked: Splitting, made: Made, dry_run: bool) -> SplitOut:
    parts = [
        PartOut(
            "" if dry_run else task,
            holder,
            [MoveIn(wish.move, dict(wish.fields)) for wish in asked.wishes if wish.task == task],
        )
        for task, holder in asked.parts
    ]
    draft = made.draft.id if made.draft is not None else 0
    return SplitOut(asked.task, parts, list(made.move_ids), draft, made.needs_approval or draft > 0, dry_run)


async def windows(call: Call) -> Response:
    """What maintenance is announced."""
    return await _first(list_windows(call.node, _asked(call)))


async def dues(call: Call) -> Response:
    """What is owed; nothing is written."""
    arguments = {**_asked(call), "read_only": True}
    check_storable(arguments)
    return await _first(list_dues(call.node, arguments))


def _question(name: str) -> Run:
    """An endpoint that asks what the query says."""

    async def run(call: Call) -> Response:
        arguments = {**call.request.path_params, **_asked(call)}
        check_storable(arguments)
        return json_answer(await call.read(lambda reader: QUESTIONS[name](view_of(call.node, reader), arguments)))

    return run


def _command(name: str, body: Any = None) -> Run:
    """An endpoint that gives a command what path, query and body say."""

    async def run(call: Call) -> Response:
        arguments: dict[str, Any] = {**_asked(call)}
        if body is not None:
            arguments |= msgspec.to_builtins(decoded(await json_body(call), body))
        # What the path names is what is meant, whatever else was sent.
        arguments |= call.request.path_params
        check_storable(arguments)
        return await _first(COMMANDS[name](call.node, call.granted.hand, arguments))

    return run


def _asked(call: Call) -> Arguments:
    """The query as a command takes it."""
    return {name: bool(said) if name in _FLAGS else said for name, said in call.params.items()}


async def _first(answers: AsyncIterator[Mapping[str, Any]]) -> Response:
    async for told in answers:
        return json_answer(told)
    raise AssertionError("a command answers")


def _get(path: str, name: str, about: str, command: str, answer: Any = None, *params: Param) -> Endpoint:
    return Endpoint("GET", path, name, about, _question(command), TASK, answer, params, act=ACTS[command])


def _post(path: str, name: str, about: str, command: str, body: Any = None) -> Endpoint:
    return Endpoint("POST", path, name, about, _command(command, body), TASK, None, body=body, act=ACTS[command])


_WINDOW: Final = "/maintenance/{window}"
_ISSUE: Final = "/quality/{issue}"
_SUBSCRIPTION: Final = "/subscriptions/{subscription}"
_REGION: Final = Param("region", "Division code; else this node's own.")
_DATASET: Final = Param("dataset", "Only of this dataset.")

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        "POST",
        "/tasks/{task}/split",
        "split_task",
        "Hand a task on to several children: a task of its own for each, in one transaction.",
        split,
        TASK,
        SplitOut,
        body=SplitIn,
        writes=True,
        act=Act.WORK,
    ),
    _post(
        "/tasks/{task}/pass-over",
        "pass_over_task",
        "Say which successor goes on with a task, where a node was divided among several.",
        "task.pass_over",
        PassIn,
    ),
    Endpoint(
        "GET",
        "/maintenance",
        "maintenance",
        "Announced maintenance, and whether it counts here.",
        windows,
        WATCH,
        WindowsOut,
        (Param("all", "1: also what is over.", 1), _LIMIT),
        or_role=TASK,
    ),
    _post(
        "/maintenance",
        "announce_maintenance",
        "Announce, before it begins, when this node or a child of it may be out of reach.",
        "maintenance.announce",
        WindowIn,
    ),
    _post(
        _WINDOW + "/cancel",
        "cancel_maintenance",
        "Take back what this node announced; what has begun ends now.",
        "maintenance.cancel",
        TryIn,
    ),
    Endpoint(
        "GET",
        "/calendar",
        "calendar",
        "What each day of a month or year is: worked, rest or holiday, with office hours.",
        _question("calendar.days"),
        "",
        DaysOut,
        (Param("period", "A month or a year: 2027-02, 2027.", needed=True), _REGION),
    ),
    Endpoint(
        "GET",
        "/calendar/due",
        "calendar_due",
        "When a limit is over that begins at a moment, and when 80 % of it have passed.",
        _question("calendar.due"),
        "",
        None,
        (
            Param("from", "Such as 2026-09-29T16:00, of this node's time zone unless it names another.", needed=True),
            Param("limit", "A number and a clock, such as 3 work_day.", needed=True),
            _REGION,
        ),
    ),
    Endpoint(
        "GET",
        "/dues",
        "dues",
        "What is owed for periods, whether it has come, and why not.",
        dues,
        WATCH,
        DuesOut,
        (
            _DATASET,
            Param("month", "Of the periods that end in a month, such as 2026-03; else the newest ones."),
            Param("overdue", "1: only what is overdue.", 1),
        ),
        or_role=TASK,
    ),
    _post("/dues/reminders", "remind_dues", "Remind all who owe what is overdue.", "due.remind", RemindIn),
    Endpoint(
        "GET",
        "/dues/position",
        "due_position",
        "What was held when a period was closed, signed.",
        _command("due.position"),
        TASK,
        None,
        (
            Param("dataset", "The dataset.", needed=True),
            Param("period", "The period, such as 2026-03.", needed=True),
        ),
        act=ACTS["due.position"],
    ),
    _get(
        "/quality",
        "quality_issues",
        "Quality issues, the newest first.",
        "quality.list",
        IssuesOut,
        Param("open", "1: only those that are not closed.", 1),
        Param("to_answer", "1: only those that wait for this node.", 1),
        _LIMIT,
    ),
    _post("/quality", "mark_quality", "Mark a record of another node, which is told.", "quality.mark", MarkIn),
    _post(_ISSUE + "/answer", "answer_quality", "Answer an issue about an own record.", "quality.answer", AnswerIn),
    _post(_ISSUE + "/close", "close_quality", "Close an issue that this node found.", "quality.close", TryIn),
    _post(_ISSUE + "/reopen", "reopen_quality", "Reopen such an issue, with the reason.", "quality.reopen", DecideIn),
    _get(
        "/services",
        "services",
        "The services that are offered here and by others.",
        "service.list",
        ServicesOut,
        Param("all", "1: also versions that are changed or stopped.", 1),
        _LIMIT,
    ),
    _get(
        "/subscriptions",
        "subscriptions",
        "Subscriptions in which this node has a part.",
        "subscription.list",
        SubscriptionsOut,
        Param("open", "1: only those that have not ended.", 1),
        Param("to_do", "1: only those that wait for a word of this node.", 1),
        _LIMIT,
    ),
    _get(_SUBSCRIPTION, "subscription", "One subscription, and what may be done next.", "subscription.show"),
    _post("/subscriptions", "apply_subscription", "Apply for a service.", "subscription.apply", ApplyIn),
    _post(
        _SUBSCRIPTION + "/check",
        "check_subscription",
        "Say that an application may be made: by the node above both.",
        "subscription.check",
        CheckIn,
    ),
    *(
        _post(f"{_SUBSCRIPTION}/{move}", f"{move}_subscription", about, f"subscription.{move}", DecideIn)
        for move, about in (
            ("approve", "Grant a subscription: its rows go out from the first day of its period on."),
            ("refuse", "Refuse a subscription, with the reason."),
            ("withdraw", "End a subscription; what was sent is taken back."),
            ("dispute", "Ask the node above both to rule on a refusal, with the reason; once."),
            ("uphold", "Rule that a refusal stands: by the node above both."),
            ("overrule", "Rule that a refusal does not stand; the owner can only approve then."),
        )
    ),
)
