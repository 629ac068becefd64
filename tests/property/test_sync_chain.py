"""The chain: whatever is done to a run on its way, what opens is a sealed stretch of the origin's own, or nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from certs.suites import SUITES
from sync import limits
from sync.chain import BadRun, open_run
from sync.link import Window
from sync.statements import heads_digest
from sync.wire.v1.entry_pb2 import EntryHeader
from sync.wire.v1.frame_pb2 import Entry, FeedHead, Run
from tests.vectors.world import SUITE, city_feed, demo_row, key, registry, schema_of

FORGE = city_feed()
ENTRIES = [FORGE.records([demo_row(n)], sealed=n in (2, 5)) for n in range(6)] + [FORGE.records([demo_row(6)])]
MADE = [(e.header, e.payload) for e in ENTRIES]
TWIN = city_feed()
FOREIGN = [TWIN.records([demo_row(n + 50)]) for n in range(3)]
REGISTRY = registry()


def _flip(data: bytes, bit: int) -> bytes:
    at = bit // 8 % max(1, len(data))
    return data[:at] + bytes([data[at] ^ 1 << bit % 8]) + data[at + 1 :] if data else b"\x01"


@st.composite
def mutated(draw: st.DrawFn) -> Run:
    """A run after some of: entries dropped, doubled, swapped, replaced; bits flipped; parts taken from another."""
    entries = [Entry.FromString(e.SerializeToString()) for e in ENTRIES]
    for _ in range(draw(st.integers(1, 3))):
        if not entries:
            break
        at, other = draw(st.integers(0, len(entries) - 1)), draw(st.integers(0, len(entries) - 1))
        part = draw(st.sampled_from(["header", "payload", "seal"]))
        match draw(st.sampled_from(["drop", "double", "swap", "flip", "cut", "take", "foreign", "strip", "grow"])):
            case "drop":
                del entries[at]
            case "double":
                entries.insert(at, entries[at])
            case "swap":
                entries[at], entries[other] = entries[other], entries[at]
            case "flip":
                setattr(entries[at], part, _flip(getattr(entries[at], part), draw(st.integers(0, 5000))))
            case "cut":
                setattr(entries[at], part, getattr(entries[at], part)[: draw(st.integers(0, 60))])
            case "take":
                setattr(entries[at], part, getattr(entries[other], part))
            case "foreign":
                entries[at] = draw(st.sampled_from(FOREIGN))
            case "strip":
                entries[at].seal = b""
            case "grow":
                entries[at].header += draw(st.binary(min_size=1, max_size=6))
    return FORGE.run(entries)


@settings(max_examples=400)
@given(mutated())
def test_what_opens_is_a_stretch_of_what_the_origin_made(run: Run) -> None:
    """Entries, in order, without a gap, unchanged; its last is sealed; no seal is kept that does not verify."""
    opened = open_run(run, REGISTRY, SUITES, schema_of, lambda _: True)
    if isinstance(opened, BadRun):
        assert opened.reason
        return
    found = [(o.entry.header, o.entry.payload) for o in opened.entries]
    if found[0] == (FOREIGN[0].header, FOREIGN[0].payload):
        assert len(found) <= len(FOREIGN)  # the same key's other history: a fork, which the receiver's head shows
        return
    start = MADE.index(found[0])
    assert found == MADE[start : start + len(found)]
    assert opened.last.seal
    for entry in (o.entry for o in opened.entries if o.entry.seal):
        assert SUITES[1].verify(
            key(FORGE.feed.origin).public_key, entry.seal, b"tiersync.v1.seal\0" + entry.header_hash
        )


@given(st.binary(max_size=400), st.binary(max_size=100), st.binary(max_size=64))
def test_arbitrary_entries_never_open(header: bytes, payload: bytes, seal: bytes) -> None:
    """And raise nothing."""
    run = FORGE.run([Entry(header=header, payload=payload, seal=seal)])
    assert isinstance(open_run(run, REGISTRY, SUITES, schema_of, lambda _: True), BadRun)


FIELDS = [f.name for f in EntryHeader.DESCRIPTOR.fields]


@given(st.sampled_from(FIELDS), st.integers(0, 2**64 - 1), st.binary(max_size=40))
def test_a_sealed_header_with_any_field_set_to_anything_raises_nothing(field: str, number: int, data: bytes) -> None:
    """An origin that seals nonsense harms nobody but itself."""
    kind = EntryHeader.DESCRIPTOR.fields_by_name[field]
    value: Any = {9: data.hex(), 12: data, 13: number % 2**32, 14: number % 2**31}.get(kind.type, number)
    forge = city_feed()
    opened = open_run(
        forge.run([forge.records([demo_row()], **{field: value})]), REGISTRY, SUITES, schema_of, lambda _: True
    )
    if not isinstance(opened, BadRun):
        header = opened.entries[0].header
        assert max(header.seq, header.group, header.schema_version, header.hlc) < 2**63


HEAD = st.builds(
    FeedHead,
    publication=st.sampled_from(["a", "ab", "b", "case.parent"]),
    addressee=st.sampled_from(["", "b", "a"]),
    route=st.integers(1, 5),
    epoch=st.binary(min_size=16, max_size=16),
    seq=st.integers(1, 99),
    header_hash=st.binary(min_size=32, max_size=32),
    row_digest=st.sampled_from([b"", bytes(32)]),
)
HEADS = st.lists(HEAD, max_size=5, unique_by=lambda h: (h.publication, h.addressee))


@given(HEADS.flatmap(lambda heads: st.tuples(st.just(heads), st.permutations(heads))), HEADS)
def test_a_heads_digest_is_of_the_set_and_of_nothing_else(
    made: tuple[list[FeedHead], list[FeedHead]], other: Any
) -> None:
    """In any order the same; for another list another."""
    heads, shuffled = made
    assert heads_digest(SUITE, heads) == heads_digest(SUITE, shuffled)
    alike = sorted(h.SerializeToString() for h in heads) == sorted(h.SerializeToString() for h in other)
    assert (heads_digest(SUITE, heads) == heads_digest(SUITE, other)) is alike


@given(
    st.integers(limits.OUTSTANDING_BYTES_MIN, limits.BULK_CREDIT_BYTES),
    st.lists(st.tuples(st.integers(1, limits.RUN_BYTES_MAX + limits.ENTRY_BYTES_MAX), st.integers(0, 3_000_000))),
)
def test_a_window_never_exceeds_its_credit(credit: int, runs: list[tuple[int, int]]) -> None:
    """Whatever the sizes and times of answers; a single run may be larger, alone."""
    window = Window(credit, 4 * limits.OUTSTANDING_BYTES_MIN)
    under_way: list[int] = []
    now = 0
    for size, took in runs:
        while under_way and not (window.room() > 0 and window.fits(size)):
            now += took
            window.answered(under_way.pop(0), now - took, now)
        assert window.fits(size)
        window.sent(size)
        under_way.append(size)
        assert window.outstanding == sum(under_way)
        assert len(under_way) == 1 or window.outstanding <= credit
        assert window.size <= max(credit, 4 * limits.OUTSTANDING_BYTES_MIN)
        assert limits.SEAL_EVERY_BYTES <= window.run_bytes() <= limits.RUN_BYTES_MAX
