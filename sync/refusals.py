"""What an origin is told of its refused and parked rows: few words of each, in as many entries as their bounds ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from sync import limits
from sync.effects import FateRow
from sync.phrase import as_phrase
from sync.wire.v1.entry_pb2 import Refusal, RefusalsPayload

_FIELD_BYTES = 8
"""A field's tag and length in the payload, at most."""


def shortened(fate: FateRow) -> FateRow:
    """The same, in no more words than are told. What a peer wrote may stand in them at any length."""
    return fate._replace(dataset=fate.dataset[: limits.NAME_CHARACTERS_MAX], detail=as_phrase(fate.detail))


def in_payloads(refusals: Sequence[Refusal]) -> Iterator[RefusalsPayload]:
    """Refusals in one feed of an origin. Of one of its entries at most 1,000 are listed and the others counted, so that
    a bad entry has a bounded answer; of many entries each has its own.
    """
    payload, size = RefusalsPayload(), 0
    for _, one_entry in groupby(sorted(refusals, key=_seq), key=_seq):
        group = list(one_entry)
        for refusal in group[: limits.REFUSALS_PER_ENTRY_MAX]:
            more = refusal.ByteSize() + _FIELD_BYTES
            full = len(payload.refusals) == limits.REFUSALS_PER_ENTRY_MAX or size + more > limits.REFUSALS_BYTES_MAX
            if payload.refusals and full:
                yield payload
                payload, size = RefusalsPayload(), 0
            payload.refusals.append(refusal)
            size += more
        if len(group) > limits.REFUSALS_PER_ENTRY_MAX:
            payload.not_listed = len(group) - limits.REFUSALS_PER_ENTRY_MAX
            yield payload
            payload, size = RefusalsPayload(), 0
    if payload.refusals:
        yield payload


def _seq(refusal: Refusal) -> int:
    return refusal.seq
