"""Checks the evidence of a task by itself: pure, and away from any node. Nothing of the file is believed but its root,
and that only as far as its fingerprint is the one that whoever asks has from elsewhere.

(1) the root and its anchors  (2) the registry from there down: whose key is whose  (3) the maker's signature
(4) the moves: chains, seals, payloads  (5) the history, by the rules of its flow  (6) receipts  (7) forks.
"""

from __future__ import annotations

from hashlib import sha256

from certs.anchor import open_anchor
from certs.forms import fingerprint, root_from_der
from certs.suites import SUITES
from node.evidence.file import Container, unpack
from node.evidence.history import Retold
from node.evidence.result import Party, Result
from node.evidence.sealed import flawed, moves_of, why
from node.texts import N_, Text
from sync.core import feed_of
from sync.days import hlc_us
from sync.errors import InputFault, RemoteFault
from sync.forks import proves_fork
from sync.judge import Judge
from sync.phrase import as_phrase
from sync.reasons import Reason
from sync.registry import Registry
from sync.stretches import learn_registry
from sync.suites import TASK_EVIDENCE
from sync.wire.v1.task_evidence_pb2 import TaskEvidenceBody


def check_evidence(file: bytes, judge: Judge, trusted: bytes | None) -> Result:
    """trusted: SHA-256 of the federation's root certificate, known by other ways than this file; None: not known."""
    result = Result(sha256(file).hexdigest())
    try:
        container = unpack(file)
    except RemoteFault as fault:
        result.wrong("file", Text(N_("The file cannot be read as evidence: {why}"), why=as_phrase(fault.detail)))
        return result
    body = container.body
    result.federation, result.task, result.made_by = body.federation, body.task, body.made_by
    result.made_at = hlc_us(body.hlc)
    registry = _registry(result, body, trusted)
    if registry is None:
        return result
    _check_maker(result, container, registry)
    Retold(result, registry, judge, moves_of(result, body, registry), body).tell()
    _check_forks(result, body, registry)
    named = {result.issuer, result.holder, result.made_by}
    result.parties = {one: _party(registry, one) for one in sorted(named) if one}
    return result


def _party(registry: Registry, node: str) -> Party:
    known = registry.newest(node)
    return Party(node, known.title, known.region, known.profile) if known else Party(node, "", "", "")


def _registry(result: Result, body: TaskEvidenceBody, trusted: bytes | None) -> Registry | None:
    """All that follows from the root; None if not even a nation's key does."""
    try:
        root = root_from_der(body.root)
    except InputFault as fault:
        result.wrong("root", Text(N_("The root certificate in the file is none: {why}"), why=as_phrase(fault.detail)))
        return None
    found = fingerprint(root)
    result.root, result.root_confirmed = found.hex(), trusted == found
    if trusted is None:
        text = N_("Nobody has said which root is the federation's: compare the fingerprint with one that you trust.")
        result.lacks("root_unconfirmed", Text(text))
    elif trusted != found:
        text = N_("The file rests on another root than the one given: whoever made that root could prove anything.")
        result.wrong("root_differs", Text(text))
    registry = Registry(body.federation)
    for anchor in body.anchors:
        try:
            reason, detail = registry.set_anchor(open_anchor(anchor, root, body.federation)), ""
        except RemoteFault as fault:
            reason, detail = fault.reason, fault.detail
        if reason is not Reason.NONE:
            result.wrong("anchor", Text(N_("An anchor does not hold: {why}"), why=why(reason, detail)))
    if not registry.root:
        result.wrong("anchor", Text(N_("No anchor signed by the root is there: no key follows from it.")))
        return None
    for flaw in learn_registry(registry, body.registry, SUITES):
        result.wrong("registry", flawed(flaw))
    return registry


def _check_maker(result: Result, container: Container, registry: Registry) -> None:
    """Whoever leaves something out, at the end too, needs the log key of an enrolled node: it signs for the whole."""
    body = container.body
    known = registry.enrolment(body.made_by, body.enrolment)
    suite = SUITES.get(known.suite) if known is not None else None
    if known is not None and suite is not None:
        message = TASK_EVIDENCE + suite.hash(container.data)
        if suite.verify(known.public_key, container.signature, message):
            return
    text = N_("The file is not signed by {node}, which it names as its maker: it was changed, or put together anew.")
    result.wrong("maker", Text(text, node=body.made_by))


def _check_forks(result: Result, body: TaskEvidenceBody, registry: Registry) -> None:
    """Two histories of one feed, each sealed by its origin: what stands from there on may be either."""
    for evidence in body.forks:
        feed = feed_of(evidence.feed)
        if not proves_fork(evidence, registry, SUITES):
            text = N_("What is said to prove a fork of the feed {feed} proves none.")
            result.wrong("fork", Text(text, feed=str(feed)[:200]))
            continue
        seqs = [
            place.seq
            for told in result.moves
            for place in (told.by_issuer, told.by_holder)
            if place is not None and (place.feed, place.epoch) == (str(feed), evidence.epoch.hex())
        ]
        if any(seq >= evidence.seq for seq in seqs):
            text = N_(
                "{node} has sealed two histories of the feed {feed} from entry {seq} on: what follows is disputed."
            )
            result.wrong("fork", Text(text, node=feed.origin, feed=str(feed), seq=evidence.seq))
