"""What was found of a task's evidence, in words and as JSON: who did what when, who had seen it, what is not proved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from node.clock import iso
from node.evidence.result import Finding, Place, Result, Told, Verdict, Witness
from node.status import detail_shown, reason_name
from node.texts import N_, Text, Translator
from node.texts.standing import ROLES
from sync.phrase import Phrase
from sync.wire.v1.entry_pb2 import MoveBody
from tiers.flows.retrace import Outcome
from tiers.flows.steps import counted_of, fields_of
from tiers.flows.table import FieldRule, Flow, MoveRule

Moment = Callable[[str], str]
"""ISO text in UTC as a clock on the wall says it."""

VERDICTS: Final = {
    Verdict.GOOD: N_("GOOD: every move is genuine, sealed by the node it names, lawful, and known to the other side."),
    Verdict.BAD: N_("NOT GOOD: this file does not prove what it says. See above what is wrong."),
    Verdict.INCOMPLETE: N_("INCOMPLETE: what is in the file is genuine; what it does not prove is listed above."),
}
_OUTCOMES: Final = {
    Outcome.ACCEPTED: N_("accepted"),
    Outcome.REFUSED: N_("refused"),
    Outcome.PENDING: N_("pending: the issuer has not confirmed it"),
    Outcome.VOID: N_("never numbered: without effect"),
}
_WITNESSES: Final = {
    "numbered": N_("{node} had it on {at} by its own clock: it gave it number {number}"),
    "built_on": N_("{node} had it on {at} by its own clock: its move {number} was made in its knowledge"),
    "receipt": N_("{node} had it on {at} by its own clock at the latest: it signed a receipt"),
}


def lines(result: Result, flows: Mapping[str, Flow], to: Translator, when: Moment) -> Iterator[str]:
    """The whole account, a line at a time. flows: those that are known here, for their words."""
    flow = flows.get(result.flow)
    yield from _head(result, flow, to, when)
    for told in result.moves:
        yield ""
        yield from _move(result, told, flow, to, when)
    yield ""
    for wrong, title in ((True, N_("What is wrong:")), (False, N_("What is not proved:"))):
        found = [f for f in result.findings if f.wrong is wrong]
        if found:
            yield to(title)
            yield from (f"  - {f.text.say(to)}" for f in found)
            yield ""
    yield to(VERDICTS[result.verdict])


def _head(result: Result, flow: Flow | None, to: Translator, when: Moment) -> Iterator[str]:
    title = (_title(flow, to) if flow else "").strip()
    about = Text(N_("Evidence of task {task}, flow {flow}"), task=result.task, flow=f"{result.flow} {title}".strip())
    yield about.say(to)
    yield Text(N_("Federation: {name}"), name=result.federation).say(to)
    yield Text(N_("Issuer: {node}"), node=_named(result, result.issuer)).say(to)
    yield Text(N_("Holder: {node}"), node=_named(result, result.holder)).say(to)
    made = N_("Made by {node} on {at} by its own clock; SHA-256 of the file: {digest}")
    yield Text(made, node=_named(result, result.made_by), at=_at(result.made_at, when), digest=result.digest).say(to)
    form = N_("Root: {root} (the one that you gave)") if result.root_confirmed else N_("Root: {root}")
    yield Text(form, root=result.root or "-").say(to)
    yield to(N_("Times of moves are those that their makers said; a time beside another node's name is that node's."))


def _move(result: Result, told: Told, flow: Flow | None, to: Translator, when: Moment) -> Iterator[str]:
    body, step = told.step.body, told.step
    rule = flow.rule(body.move) if flow else None
    title = _title(rule, to) if rule else ""
    role = to(ROLES[body.by_role]) if body.by_role in ROLES else body.by_role
    behalf = ", ".join(part for part in (body.by_org, role) if part)
    who = _named(result, body.retold.by_node or body.by_node) + (f" ({behalf})" if behalf else "")
    yield f"{body.number or '-'}. {_at(body.at, when)}  {who}: {_named_as(body.move, title)}"
    for field, said in fields_of(body).items():
        known = flow.field(field) if flow else None
        yield f"   {field if known is None else _named_as(field, _title(known, to))}: {said}"
    if body.HasField("retold"):
        again = Text(N_("told again from task {task}, whose own evidence proves it"), task=body.retold.task)
        yield f"   {again.say(to)}"
    outcome = to(_OUTCOMES[step.outcome])
    if body.reason:
        outcome += f": {reason_name(body.reason)} {Phrase(body.detail, *body.arguments).spoken(to.gettext)}".rstrip()
    if step.outcome in (Outcome.ACCEPTED, Outcome.REFUSED):
        outcome += "; " + Text(N_("state then: {state}"), state=_state(flow, body.state, to)).say(to)
        counted = counted_of(body)
        if counted != body.at:
            outcome += "; " + Text(N_("counted as made on {at}"), at=_at(counted, when)).say(to)
    yield f"   {outcome}"
    for place, node in ((told.by_holder, result.holder), (told.by_issuer, result.issuer)):
        if place is not None:
            yield f"   {_sealed(result, place, node, to, when)}"
    for one in told.witnesses:
        form = _WITNESSES[one.how]
        seen = Text(form, node=_named(result, one.node), at=_at(one.at, when), number=one.number or "-")
        yield f"   {seen.say(to)}"


def _sealed(result: Result, place: Place, node: str, to: Translator, when: Moment) -> str:
    form = N_("sealed by {node} on {at} by its own clock: entry {seq} of its feed, key version {version}")
    at, version = _at(place.sealed_at, when), place.enrolment
    return Text(form, node=_named(result, node), at=at, seq=place.seq, version=version).say(to)


def _named(result: Result, node: str) -> str:
    party = result.parties.get(node)
    return f"{party.title} {node}" if party is not None and party.title else (node or "-")


def _title(one: Flow | MoveRule | FieldRule, to: Translator) -> str:
    return one.title_zh if to.language == "zh" else one.title_en


def _named_as(name: str, title: str) -> str:
    """As it is sealed, and as people read it."""
    return f"{name} ({title})" if title not in ("", name) else name


def _state(flow: Flow | None, state: str, to: Translator) -> str:
    found = next((s for s in flow.states if s.name == state), None) if flow else None
    if found is None:
        return state
    return found.title_zh if to.language == "zh" else found.title_en


def _at(us: int, when: Moment) -> str:
    return when(iso(us)) if us > 0 else "-"


def as_json(result: Result, to: Translator) -> dict[str, Any]:
    """The same for programs. Times are ISO text in UTC, '' where none was said."""
    return {
        "verdict": result.verdict.name.lower(),
        "words": to(VERDICTS[result.verdict]),
        "federation": result.federation,
        "task": result.task,
        "flow": result.flow,
        "state": result.state,
        "issuer": result.issuer,
        "holder": result.holder,
        "nodes": {p.node: {"title": p.title, "region": p.region, "tier": p.profile} for p in result.parties.values()},
        "made_by": result.made_by,
        "made_at": iso(result.made_at),
        "sha256": result.digest,
        "root": {"sha256": result.root, "confirmed": result.root_confirmed},
        "moves": [_move_json(told) for told in result.moves],
        "wrong": [_finding_json(f, to) for f in result.findings if f.wrong],
        "not_proved": [_finding_json(f, to) for f in result.findings if not f.wrong],
    }


def _move_json(told: Told) -> dict[str, Any]:
    body = told.step.body
    return {
        "number": body.number,
        "move": body.move,
        "move_id": body.move_id,
        "by": body.by_node,
        "org": body.by_org,
        "role": body.by_role,
        "said_at": iso(body.at),
        "counted_at": iso(counted_of(body)) if body.number else "",
        "fields": fields_of(body),
        "outcome": told.step.outcome.value,
        **_refusal_json(body),
        "state": body.state,
        "sealed": {
            side: None if place is None else {**place._asdict(), "sealed_at": iso(place.sealed_at)}
            for side, place in (("issuer", told.by_issuer), ("holder", told.by_holder))
        },
        "witnesses": [_witness_json(one) for one in told.witnesses],
    }


def _refusal_json(body: MoveBody) -> dict[str, Any]:
    said = detail_shown(Phrase(body.detail, *body.arguments))
    return {"reason": reason_name(body.reason) if body.reason else "", **said}


def _witness_json(one: Witness) -> dict[str, Any]:
    return {"node": one.node, "at": iso(one.at), "how": one.how, "number": one.number}


def _finding_json(found: Finding, to: Translator) -> dict[str, Any]:
    return {"code": found.code, "moves": list(found.numbers), "words": found.text.say(to)}
