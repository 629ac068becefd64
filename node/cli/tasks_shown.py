"""Tasks as officers read them on the command line: in the words of their flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from node.cli.catalogues import catalogue_of
from node.cli.output import moment, pairs, say, say_json, size, table
from node.cli.session import Session
from node.flows import PARTIES
from node.texts import N_, _, current
from node.texts.flows import FlowWords
from node.texts.standing import CITED, WHOLES
from node.texts.steps import detail, reason
from tiers.flows.fields import FILES, files_in

_OUTCOMES: Final[Mapping[str, str]] = {
    "accepted": N_("accepted"),
    "pending": N_("pending: the issuer has not confirmed it"),
    "refused": N_("refused"),
}


def show_made(session: Session, made: dict[str, Any]) -> None:
    """What became of moves that were handed in, or of a draft that was approved."""
    if "moves" in made or session.as_json:
        return show_task(session, made)
    return _say_draft(flow_words(session), made["draft"])


def show_tasks(session: Session, tasks: Sequence[dict[str, Any]]) -> None:
    """A line for each."""
    heads = [
        _("task"),
        _("title"),
        _("state"),
        _("pending"),
        _("issuer"),
        _("holder"),
        _("handled by"),
        _("must act"),
        _("due"),
        _("moved"),
    ]
    words = flow_words(session)
    rows = [
        (
            one["task"],
            one["title"],
            _state_word(one),
            ", ".join(words.move(one["flow"], move) for move in one["pending_moves"]),
            one["issuer"],
            one["holder"],
            one["person"],
            _(PARTIES[one["owner"]]) if one["owner"] else "",
            _ends(session, one),
            moment(one["at"], session.zone),
        )
        for one in tasks
    ]
    table("", heads, rows)


def show_task(session: Session, task: dict[str, Any]) -> None:
    """A task with its moves, and what may be done next."""
    if session.as_json:
        return say_json(task)
    words = flow_words(session)
    said = [
        (_("Task"), task["task"]),
        (_("Flow"), f"{task['flow']} {words.flow(task['flow'])}"),
        (_("Title"), task["title"]),
        (_("State"), _standing(words, task)),
        (_("Issuer"), task["issuer"]),
        (_("Holder"), task["holder"]),
        (_("Handled here by"), task["person"]),
        (_("Must act"), _must_act(words, task)),
        (_("Due"), _ends(session, task)),
        (_("Parts"), _together(task, "parts")),
        (_("Bundle"), _together(task, "bundle")),
    ]
    pairs([(name, text) for name, text in said if text])
    say()
    heads = [_("no."), _("move"), _("by"), _("on behalf of"), _("at"), _("says"), _("outcome")]
    rows = [
        *(_move_row(session, words, task["flow"], one, _decided(one)) for one in task["moves"]),
        *(_move_row(session, words, task["flow"], one, "pending") for one in task["pending"]),
        *(_move_row(session, words, task["flow"], one, "refused") for one in task["refused"]),
    ]
    table(_("Moves"), heads, rows)
    _show_together(words, _("Parts"), task.get("parts"))
    _show_together(words, _("Bundle"), task.get("bundle"))
    _show_files(task["files"])
    _show_cited(task["cited"])
    for draft in task["drafts"]:
        _say_draft(words, draft)
    _show_next(words, task)
    return None


def flow_words(session: Session) -> FlowWords:
    """The words of the flows that are known here, in the language of the call."""
    return FlowWords(catalogue_of(session).flows, current())


def _state_word(task: dict[str, Any]) -> str:
    """A state as people read it."""
    return str(task["state_zh"] if current().language == "zh" else task["state_en"])


def _standing(words: FlowWords, task: dict[str, Any]) -> str:
    """The confirmed state, and what is not confirmed yet: nobody takes his own move for done."""
    if not task["pending_moves"]:
        return _state_word(task)
    waiting = ", ".join(words.move(task["flow"], move) for move in task["pending_moves"])
    return _("{state}; not confirmed yet: {moves}").format(state=_state_word(task), moves=waiting)


def draft_moves(words: FlowWords, draft: dict[str, Any]) -> str:
    """What a draft is, once it is approved."""
    return ", ".join(words.move(draft["flow"], one["move"]) for one in draft["moves"])


def _say_draft(words: FlowWords, draft: dict[str, Any]) -> None:
    say(
        _("Draft {draft} of {author} waits for an approver: {moves} of task {task}.").format(
            draft=draft["draft"], author=draft["author"], moves=draft_moves(words, draft), task=draft["task"]
        )
    )
    if draft["parts"]:
        say(_("With it a part for each of: {nodes}").format(nodes=", ".join(one["holder"] for one in draft["parts"])))


def _show_files(files: list[dict[str, Any]]) -> None:
    if not files:
        return
    say()
    heads = [_("SHA-256"), _("here"), _("kind"), _("size"), _("named by")]
    rows = [
        (one["hash"], one["here"], one["kind"], size(one["size"]) if one["here"] else "", ", ".join(one["by"]))
        for one in files
    ]
    table(_("Files"), heads, rows)


def _show_cited(cited: list[dict[str, Any]]) -> None:
    """What the moves cite, and whether what is held here is the same."""
    if not cited:
        return
    say()
    heads = [_("no."), _("field"), _("cites"), _("up to"), _("here")]
    rows = [
        (one["number"] or "", one["field"], one["what"], one["seq"] or "", _(CITED[one["stands"]])) for one in cited
    ]
    table(_("Cited"), heads, rows)


def _show_together(words: FlowWords, title: str, found: Mapping[str, Any] | None) -> None:
    """The parts that were handed on, or all targets of one piece of work, each with its state."""
    if found is None:
        return
    say()
    rows = [(one["task"], one["holder"], words.state(one["flow"], one["state"])) for one in found["tasks"]]
    table(title, [_("task"), _("holder"), _("state")], rows)


def _show_next(words: FlowWords, task: dict[str, Any]) -> None:
    """Names as they are typed, with their titles."""
    if not task["next"]:
        return say(_("This node can make no move now."))
    flow = task["flow"]
    rows = [
        (
            _named(one["move"], words.move(flow, one["move"])),
            ", ".join(_named(name, words.field(flow, name)) for name in one["fields"]),
        )
        for one in task["next"]
    ]
    say()
    return table(_("What this node may do next"), [_("move"), _("must say")], rows)


def _named(name: str, title: str) -> str:
    return name if title in ("", name) else f"{name} ({title})"


def _together(task: dict[str, Any], name: str) -> str:
    """How the parts that were handed on stand, or all targets of one piece of work; '' where there are none."""
    if name not in task:
        return ""
    found = task[name]
    word, count = WHOLES[found["whole"]], len(found["tasks"])
    told = _("{whole}: {open} of {count} open").format(whole=_(word), open=found["open"], count=count)
    phase = found["phase_zh"] if current().language == "zh" else found["phase_en"]
    return f"{told} ({phase})" if phase else told


def _must_act(words: FlowWords, task: dict[str, Any]) -> str:
    if not task["owner"]:
        return ""
    move = _named(task["usual"], words.move(task["flow"], task["usual"]))
    return _("{party}, as a rule by '{move}'").format(party=_(PARTIES[task["owner"]]), move=move)


def _ends(session: Session, task: dict[str, Any]) -> str:
    """When the limit ends as the issuer's node has said it; of a node that said none, the day that a person set."""
    if task["final"]:
        return ""
    if not task["ends"]:
        return str(task["due"])
    marks = [_("provisional")] if task["provisional"] else []
    marks += [_("overdue")] if task["overdue"] else []
    return " ".join([moment(task["ends"], session.zone), *(f"({mark})" for mark in marks)])


def _decided(one: dict[str, Any]) -> str:
    return "accepted" if one["accepted"] else "refused"


def _move_row(session: Session, words: FlowWords, flow: str, one: dict[str, Any], outcome: str) -> tuple[object, ...]:
    why = ""
    if outcome == "refused" and one["reason"]:
        why = " ".join(part for part in (reason(one["reason"], current()), detail(one, current())) if part)
    behalf = " ".join(part for part in (one["org"], words.role(one["role"])) if part)
    return (
        one["number"] or "",
        words.move(flow, one["move"]),
        one["by"],
        behalf,
        moment(one["at"], session.zone),
        "; ".join(_said(words, flow, name, text) for name, text in one["fields"].items()),
        ": ".join(part for part in (_(_OUTCOMES[outcome]), why) if part),
    )


def _said(words: FlowWords, flow: str, name: str, text: str) -> str:
    if name == FILES:
        # Which ones stands below, in a table of their own.
        text = str(len(files_in(text)))
    title, said = words.said(flow, name, text)
    return f"{title}: {said}"
