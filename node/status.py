"""What a node says of itself: one JSON value for the CLI, the console, scripts and tests (docs/status.schema.json)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from node.announced import shown_now
from node.quality import counts
from node.revising import job_of
from node.store.readers import Reader
from node.subscriptions import counts as subscribed
from node.trial import is_trial
from sync.core import Core
from sync.effects import FeedState
from sync.link import Link
from sync.phrase import Phrase, as_phrase
from sync.ports import Log
from sync.reasons import Reason
from sync.replica import Replica
from sync.statements import RECEIPT_SORT
from sync.values import Fate, FeedName
from sync.wire.v1.frame_pb2 import ReceiptBody

if TYPE_CHECKING:
    from node.app import Node

PARKED_SHOWN = 50
HEARD_SHOWN = 50
ALARMS_SHOWN = 20


def status_of(replica: Replica, store: Log) -> dict[str, Any]:
    """In the writer's thread: replica and store as of the last commit. Bounded in size by the number of feeds."""
    core = replica.core
    receipts = _receipts(core)
    return {
        "node": core.me.node,
        "federation": core.me.federation,
        "trial": is_trial(core.me.federation),
        "parent": core.me.parent,
        "instance": core.me.instance.hex(),
        "state": _state(core),
        "enrolment": core.enrolment,
        "group": core.group,
        "tree": [_member(core, e.node) for e in core.registry.nodes()],
        "links": [_link(link) for link in core.links.values()],
        "feeds": [_feed(core, state, receipts) for state in sorted(core.feeds.values(), key=lambda s: s.name)],
        "parked": [
            {"feed": str(p.feed), "seq": p.seq, "dataset": p.dataset, "key": p.key, "reason": p.reason.name}
            for p in store.parked(None, PARKED_SHOWN)
        ],
        "clones": sorted(core.clones),
        "attachments": {
            "fetching": [
                {"hash": one.hash.hex(), "origin": one.origin, "received": one.received, "total": one.total}
                for one in core.attachments.fetches.values()
            ],
            "passing": len(core.attachments.passing),
            "counts": dict(sorted(core.attachments.counts.items())),
        },
        "forks": sorted({str(f) for f in core.evidence} | {str(f) for f, state in core.feeds.items() if state.frozen}),
    }


async def status_now(node: Node) -> dict[str, Any]:
    """The same with what the running node knows beside its core: links, alarms, ports."""
    status = await node.writer.ask(status_of)
    status["heard"] = await node.read(lambda reader: heard_of(reader, HEARD_SHOWN))
    status["heard_open"] = await node.read(lambda reader: reader.heard_open())
    status["reread"] = await node.read(lambda reader: reader.reread_count())
    status["dues"] = node.dues
    status["unregistered"] = await node.unregistered()
    status["personal"] = [
        {"dataset": dataset, "column": column, "rule": rule, "cells": cells}
        for (dataset, column, rule), cells in sorted(node.personal.items())
    ]
    status["attachments"] |= {**await node.attachments.shown(), "pushed_waiting": len(node.push_waiting)}
    status["silent"] = [one.shown() for one in node.silent]
    status["maintenance"] = shown_now(node.excused.maintenance, node.clock.now_us())
    status["quality"] = await node.read(lambda reader: counts(reader, node.standing.node))
    status["subscriptions"] = await node.read(lambda reader: subscribed(reader, node.standing.node))
    status["jobs"] = await node.read(job_of)
    status["webhooks"] = [one.shown() for one in node.webhooks]
    status["alarms"] = node.alarms[-ALARMS_SHOWN:]
    status["alarm_count"] = node.alarm_count
    status["parent_link"] = dict(zip(("state", "detail"), node.link_state, strict=True))
    status["exchange_port"] = node.exchange_port
    status["http_port"] = node.http_port
    return status


def _state(core: Core) -> str:
    if core.recovering or core.republishing:
        return "recovering"
    if core.restored:
        return "restored"
    if core.succeeded_by:
        return "succeeded"
    return "working" if core.enrolment else "not_enrolled"


def _member(core: Core, node: str) -> dict[str, Any]:
    found = core.registry.newest(node)
    assert found is not None
    return {
        "node": node,
        "parent": found.parent,
        "profile": found.profile,
        "region": found.region,
        "title": found.title,
        "enrolled": found.enrolled,
        "succeeded_by": [one.node for one in found.successions],
        "version": found.version,
        "scope": str(found.signing),
        "key": found.public_key.hex(),
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "peer": link.peer,
        "to_parent": link.to_parent,
        "phase": link.phase.value,
        "since_us": link.opened_at,
        "heard_us": link.heard_at,
        "under_way_bytes": link.urgent.outstanding + link.bulk.outstanding,
        "window_bytes": link.bulk.size,
        "failing": {str(feed): trouble.bad for feed, trouble in link.inn.items() if trouble.bad},
        "unknown_frames": link.unknown_frames,
        "clock_ahead_us": link.hello.clock_us - link.opened_at if link.hello else 0,
    }


def _feed(core: Core, state: FeedState, receipts: Mapping[FeedName, list[dict[str, Any]]]) -> dict[str, Any]:
    feed = state.name
    return {
        "feed": str(feed),
        "origin": feed.origin,
        "publication": feed.publication,
        "addressee": feed.addressee,
        "route": state.route.name.lower(),
        "lane": state.lane.name.lower(),
        "own": feed.origin == core.me.node,
        "applied_here": feed.origin != core.me.node and core.applies(feed, int(state.route)),
        "epoch": state.head.epoch.hex(),
        "seq": state.head.seq,
        "hash": state.head.hash.hex(),
        "enrolment": state.enrolment,
        "waiting": core.waiting.get(feed, 0),
        "rows": state.rows,
        "digest": state.digest.hex(),
        "parked": state.parked,
        "refused": state.refused,
        "frozen": state.frozen,
        "disputed_from": state.disputed_from,
        "receipts": receipts.get(feed, []),
    }


def _receipts(core: Core) -> dict[FeedName, list[dict[str, Any]]]:
    """What other nodes have signed for, per own feed."""
    found: dict[FeedName, list[dict[str, Any]]] = {}
    for (sort, by, about), (data, _, _) in core.statements.items():
        if sort != RECEIPT_SORT or about != core.me.node:
            continue
        for feed in ReceiptBody.FromString(data).feeds:
            name = FeedName(about, feed.publication, feed.addressee)
            found.setdefault(name, []).append({"by": by, "received": feed.received_seq, "applied": feed.applied_seq})
    return found


def heard_of(reader: Reader, limit: int, feed: FeedName | None = None) -> list[dict[str, Any]]:
    """What other nodes refused or parked of this node's rows, in one of its feeds or in all: first what is so still,
    the newest first."""
    return [
        {
            "by": by,
            "publication": r.publication,
            "seq": r.seq,
            "dataset": r.dataset,
            "key": r.key,
            "fate": fate_name(r.fate),
            "reason": reason_name(r.reason),
            **detail_shown(Phrase(r.detail, *r.arguments)),
        }
        for by, r in reader.heard(limit, feed)
    ]


def detail_shown(detail: str) -> dict[str, Any]:
    """A detail in JSON: the English sentence, and what it was made of, for a reader of another language."""
    said = as_phrase(detail)
    return {"detail": str(said), "phrase": list(said.words)}


def fate_name(number: int) -> str:
    """Name of a fate as another node told it, or the bare number of one that is not known here; empty for none."""
    return Fate(number).name if number in Fate._value2member_map_ else str(number or "")


def reason_name(number: int) -> str:
    """Name of a reason code, or the bare number of one that this version does not know."""
    return Reason(number).name if number in Reason._value2member_map_ else str(number)
