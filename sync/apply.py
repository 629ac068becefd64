"""What entries that a feed has taken do here: rows are judged one by one, each with its fate (design section 3.7)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby

from sync.chain import Content, Opened, open_content
from sync.core import Core
from sync.effects import FateRow, FeedState, LogEntry, SaveFates, SaveHeard, SaveMoves
from sync.errors import RemoteFault
from sync.judge import Judgement
from sync.merge import Change, Merged, keys_of, merge
from sync.origin import emit_move, emit_refusals
from sync.phrase import as_phrase
from sync.ports import ParkedRef
from sync.reasons import Reason
from sync.refusals import shortened
from sync.registry import Enrolment
from sync.rows import BadRow, RowBatch, Undecodable, key_getter, key_text, shift_digest
from sync.schema import RowSchema
from sync.values import REFUSALS, REGISTRY, Fate, Key, Kind
from sync.wire.v1.entry_pb2 import EntryHeader, MovePayload, Refusal, RefusalsPayload, RegistryPayload

REJUDGE_AT_ONCE = 20_000
"""Parked rows of one feed that a round looks at."""
_BEFORE_ALL = (0, -2)
"""(seq, place) before that of any parked row: a whole entry's place is -1."""


class _Collected:
    """The changes of a run on their way into the rows, in order, and the fates beside them."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, Change]] = []
        self.fates: list[FateRow] = []
        self.seqs: list[int] = []
        """Of which entry each change is."""


def apply_entries(core: Core, state: FeedState, entries: Sequence[Opened]) -> None:
    """Applies the newly taken entries of a feed, in order, in the transaction that stores them."""
    collected = _Collected()
    for opened in entries:
        header, content = opened.header, opened.content
        enrolment = core.registry.enrolment(header.origin, header.enrolment)
        if content is None:
            # When the run was opened, the registry did not show yet that this node applies the feed.
            content = open_again(core, header, opened.entry.payload)
        if content is None or enrolment is None:
            continue
        if isinstance(content, RowBatch):
            _judge_rows(core, header, content, enrolment, collected, None)
        elif isinstance(content, Undecodable):
            collected.fates.append(_whole(header, content))
        elif isinstance(content, MovePayload):
            _judge_move(core, header, content, enrolment, collected)
        elif isinstance(content, RegistryPayload):
            admit_registry(core, header, content, collected.fates)
        elif isinstance(content, RefusalsPayload):
            core.do(SaveHeard(header.origin, [r.SerializeToString() for r in content.refusals]))
    _settle(core, state, collected)


# --- judging ----------------------------------------------------------------------------------------------------------


def _judge_rows(
    core: Core,
    header: EntryHeader,
    batch: RowBatch,
    enrolment: Enrolment,
    collected: _Collected,
    only: frozenset[int] | None,
) -> None:
    """Judges a batch; with `only`, just the rows at these places of the payload (a second look at parked ones)."""
    if only is None and not batch.bad:
        places: Sequence[int] = range(len(batch.puts) + len(batch.ends))
        bad: list[BadRow] = []
    else:
        places, bad, batch = _chosen(batch, only)
    judged: Judgement = core.seams.judge.records(header, batch, enrolment.signer, core.known)
    bad.extend(b._replace(place=places[b.place]) for b in judged.bad)
    collected.fates.extend(_fate_row(header, batch.dataset, b) for b in bad)
    if judged.puts or judged.ends:
        change = Change(header.group, batch.columns, judged.puts, judged.ends)
        collected.changes.append((batch.dataset, change))
        collected.seqs.append(header.seq)


def _chosen(batch: RowBatch, only: frozenset[int] | None) -> tuple[Sequence[int], list[BadRow], RowBatch]:
    """What of a batch is to be judged: the places in the payload of its rows, those bad by themselves, the rows."""
    total = len(batch.puts) + len(batch.ends) + len(batch.bad)
    skipped = {bad.place for bad in batch.bad}
    places: Sequence[int] = range(total) if not skipped else [i for i in range(total) if i not in skipped]
    bad = list(batch.bad)
    if only is not None:
        chosen = [(place, i) for i, place in enumerate(places) if place in only]
        puts = [batch.puts[i] for _, i in chosen if i < len(batch.puts)]
        ends = [batch.ends[i - len(batch.puts)] for _, i in chosen if i >= len(batch.puts)]
        places = [place for place, _ in chosen]
        bad = [b for b in batch.bad if b.place in only]
        batch = RowBatch(batch.dataset, batch.columns, puts, ends)
    return places, bad, batch


def _fate_row(header: EntryHeader, dataset: str, bad: BadRow) -> FateRow:
    return FateRow(header.seq, bad.place, dataset, bad.key, bad.fate, bad.reason, bad.detail)


def _whole(header: EntryHeader, content: Undecodable) -> FateRow:
    return FateRow(header.seq, -1, content.dataset, "", content.fate, content.reason, content.detail)


def _judge_move(
    core: Core, header: EntryHeader, payload: MovePayload, enrolment: Enrolment, collected: _Collected
) -> None:
    body = payload.body
    if body.issuer == core.me.node and (core.restored or core.recovering):
        # The arbiter numbers nothing before it is level with its own past: the number might be taken.
        fate = FateRow(
            header.seq, 0, body.flow, key_text([body.task, body.move_id]), Fate.PARKED, Reason.RECOVERING, ""
        )
        collected.fates.append(fate)
        core.rejudge_wanted = True
        return
    if body.issuer == core.me.node and core.succeeded_by:
        # The task goes on with the successor, which has the last word; this node's would be a second one.
        fate = FateRow(
            header.seq, 0, body.flow, key_text([body.task, body.move_id]), Fate.REFUSED, Reason.ENROLMENT_CLOSED, ""
        )
        collected.fates.append(fate)
        return
    word = core.seams.judge.move(header, body, enrolment.signer, core.known, core.me.node, core.now)
    if word.record:
        core.do(SaveMoves(body.task, list(word.record)))
        core.known.note(word.record)
        # What parked may have waited for this very move.
        core.rejudge_wanted = True
    for answer in word.answers:
        emit_move(core, answer, header.origin)
    if word.fate is not Fate.APPLIED:
        key = key_text([body.task, body.move_id])
        collected.fates.append(FateRow(header.seq, 0, body.flow, key, word.fate, word.reason, word.detail))


def admit_registry(core: Core, header: EntryHeader, payload: RegistryPayload, fates: list[FateRow]) -> None:
    """Takes records that count; refuses the others with their reason."""
    for place, record in enumerate(payload.records):
        reason, detail = core.registry.admit(header.origin, record, header.enrolment)
        if reason is not Reason.NONE:
            key = key_text([record.node, record.version])
            fates.append(FateRow(header.seq, place, REGISTRY, key, Fate.REFUSED, reason, detail))
        elif record.node == core.me.node and record.successions:
            names = ", ".join(one.successor for one in record.successions)
            core.alarm_once("node_succeeded", names, by=names)
        elif record.node == core.me.node and record.log_public_key != core.seams.signer.public_key:
            core.alarm_once("record_of_this_node_not_asked_for", str(record.version), parent=header.origin)
    for place, confirmation in enumerate(payload.epochs, start=len(payload.records)):
        reason, detail = core.registry.confirm_epoch(header.origin, confirmation)
        if reason is not Reason.NONE:
            key = key_text([confirmation.origin, confirmation.publication])
            fates.append(FateRow(header.seq, place, REGISTRY, key, Fate.REFUSED, reason, detail))


# --- into the rows ----------------------------------------------------------------------------------------------------


def _settle(core: Core, state: FeedState, collected: _Collected) -> None:
    """Merges what was let in, records what was not, and tells the origin."""
    if state.parked or any(fate.fate is Fate.PARKED for fate in collected.fates):
        _supersede(core, state, collected)
    for dataset, group in groupby(collected.changes, key=lambda item: item[0]):
        schema = core.seams.judge.schema(state.name.publication, dataset)
        assert schema is not None
        _merge(core, state, schema, [change for _, change in group])
    if collected.fates:
        _record_fates(core, state, collected.fates)


def _merge(core: Core, state: FeedState, schema: RowSchema, changes: list[Change]) -> None:
    """Puts changes of one dataset into the rows."""
    keys = keys_of(schema, changes)
    held = core.log.held(schema.dataset, state.name.origin, keys)
    merged: Merged = merge(schema, state.name, changes, keys, held)
    for write in merged.writes:
        core.do(write)
    state.digest = shift_digest(state.digest, merged.added, merged.removed)
    state.rows += merged.rows
    core.rows_changed(schema.dataset)


def _record_fates(core: Core, state: FeedState, fates: list[FateRow]) -> None:
    fates = [shortened(fate) for fate in fates]
    core.do(SaveFates(state.name, state.head.epoch, fates))
    for fate in fates:
        if fate.fate is Fate.PARKED:
            core.count_parked(state, 1)
        elif fate.fate is Fate.REFUSED:
            state.refused += 1
    if state.name.publication == REFUSALS:
        return
    refusals = [
        Refusal(
            publication=state.name.publication,
            addressee=state.name.addressee,
            epoch=state.head.epoch,
            seq=f.seq,
            dataset=f.dataset,
            key=f.key,
            fate=int(f.fate),  # type: ignore[arg-type]
            reason=int(f.reason),
            detail=said.form,
            arguments=said.arguments,
        )
        for f, said in ((fate, as_phrase(fate.detail)) for fate in fates)
    ]
    emit_refusals(core, state.name.origin, refusals)


def _supersede(core: Core, state: FeedState, collected: _Collected) -> None:
    """A newer version of a parked row's key overtakes it (fate c), whether it was parked before or by this very run."""
    latest: dict[tuple[str, str], int] = {}
    for (dataset, change), seq in zip(collected.changes, collected.seqs, strict=True):
        schema = core.seams.judge.schema(state.name.publication, dataset)
        assert schema is not None
        for key in keys_of(schema, [change]):
            latest[dataset, key_text(key)] = seq
    parked = [fate for fate in collected.fates if fate.fate is Fate.PARKED and fate.place >= 0]
    for fate in parked:
        place = (fate.dataset, fate.key)
        latest[place] = max(latest.get(place, 0), fate.seq)
    collected.fates = [
        fate._replace(fate=Fate.SUPERSEDED)
        if fate.fate is Fate.PARKED and fate.place >= 0 and latest[fate.dataset, fate.key] > fate.seq
        else fate
        for fate in collected.fates
    ]
    overtaken = [
        FateRow(ref.seq, ref.place, ref.dataset, ref.key, Fate.SUPERSEDED, ref.reason, "")
        for ref in (core.log.parked_among(state.name, state.head.epoch, latest) if state.parked else ())
        if latest[ref.dataset, ref.key] > ref.seq
    ]
    core.count_parked(state, -len(overtaken))
    collected.fates.extend(overtaken)


# --- a second look ----------------------------------------------------------------------------------------------------


def rejudge(core: Core) -> None:
    """Judges parked rows again. If it changed something, another round is wished for, since that may find more.

    What this round writes, rows and fates, is not read again in it (effects are performed after it): an entry that
    touches such a key ends the round.
    """
    core.touched.clear()
    if core.rejudge_wanted:
        core.rejudge_left = {feed: state.parked for feed, state in core.feeds.items() if feed in core.parked}
    changed = False
    # Feed by feed, so that many rows of one that wait for long do not keep those of another waiting.
    for feed in list(core.rejudge_left):
        outcome = _rejudge_feed(core, core.feeds[feed])
        changed = changed or outcome is not False
        if outcome is None:
            break
    core.rejudge_wanted = changed


def _rejudge_feed(core: Core, state: FeedState) -> bool | None:
    """A round of one feed: whether anything changed; None if it ends the round.

    Where more rows wait than a round looks at, each goes on where the last one stopped and comes round to the first.
    `rejudge_left` counts down how many are still to be looked at.
    """
    feed, epoch = state.name, state.head.epoch
    left = core.rejudge_left.pop(feed)
    if state.frozen:
        return False
    after = core.rejudged_up_to.pop(feed, _BEFORE_ALL) if state.parked > REJUDGE_AT_ONCE else _BEFORE_ALL
    waiting = core.log.parked_after(feed, epoch, after, REJUDGE_AT_ONCE)
    at_end = len(waiting) < REJUDGE_AT_ONCE
    if not at_end:
        core.rejudged_up_to[feed] = (waiting[-1].seq, waiting[-1].place)
    if left > len(waiting) and not (at_end and after == _BEFORE_ALL):
        core.rejudge_left[feed] = left - len(waiting)
    later = _Later(core, state, {(ref.dataset, ref.key) for ref in waiting if ref.place < 0})
    changed = False
    for seq, rows in groupby(waiting, key=lambda ref: ref.seq):
        outcome = _rejudge_entry(core, state, seq, list(rows), later)
        if outcome is None:
            core.rejudged_up_to[feed] = (seq, _BEFORE_ALL[1])
            return None
        changed = outcome or changed
    return changed


def _rejudge_entry(core: Core, state: FeedState, seq: int, refs: list[ParkedRef], later: _Later) -> bool | None:
    """Whether anything changed; None if it must wait for the next round."""
    entry = core.log.entry(state.name, state.head.epoch, seq)
    if entry is None:
        return False
    header = EntryHeader.FromString(entry.header)
    enrolment = core.registry.enrolment(header.origin, header.enrolment)
    content = open_again(core, header, entry.payload)
    if enrolment is None or content is None:
        return False
    whole = any(ref.place < 0 for ref in refs)
    if isinstance(content, Undecodable):
        if content.fate is Fate.PARKED:
            return False
        gone = _whole(header, content)
        _close(core, state, [gone._replace(place=ref.place, key=ref.key) for ref in refs])
        return True
    if isinstance(content, MovePayload):
        return _rejudge_move(core, state, header, content, enrolment)
    if not isinstance(content, RowBatch):
        return False
    collected = _Collected()
    only = later.not_overtaken(seq, content) if whole else frozenset(ref.place for ref in refs)
    _judge_rows(core, header, content, enrolment, collected, only)
    still = {f.place: f for f in collected.fates}
    collected.fates = [f for f in collected.fates if whole]
    keys = _keys_said(core, state, collected)
    if not core.touched.isdisjoint(keys):
        return None
    closed = [_closing(ref, header, still.get(ref.place)) for ref in refs if _moved(ref, still.get(ref.place))]
    if not closed and not collected.fates:
        return False
    _close(core, state, closed)
    _settle_again(core, state, collected)
    core.touched.update(keys)
    return True


def _rejudge_move(
    core: Core, state: FeedState, header: EntryHeader, payload: MovePayload, enrolment: Enrolment
) -> bool:
    collected = _Collected()
    _judge_move(core, header, payload, enrolment, collected)
    if any(fate.fate is Fate.PARKED for fate in collected.fates):
        return False
    key = key_text([payload.body.task, payload.body.move_id])
    applied = FateRow(header.seq, 0, payload.body.flow, key, Fate.APPLIED, Reason.NONE, "")
    _close(core, state, collected.fates or [applied])
    return True


def _keys_said(core: Core, state: FeedState, collected: _Collected) -> set[tuple[str, str, str]]:
    """What an entry is about, in this round: rows that change, and rows that wait from now on, which a later entry of
    the same key must find waiting."""
    origin = state.name.origin
    said = {(fate.dataset, origin, fate.key) for fate in collected.fates if fate.fate is Fate.PARKED}
    for dataset, change in collected.changes:
        schema = core.seams.judge.schema(state.name.publication, dataset)
        assert schema is not None
        said.update((dataset, origin, key_text(key)) for key in keys_of(schema, [change]))
    return said


def _moved(ref: ParkedRef, now: FateRow | None) -> bool:
    return ref.place < 0 or now is None or now.fate is not Fate.PARKED


def _closing(ref: ParkedRef, header: EntryHeader, now: FateRow | None) -> FateRow:
    if now is not None:
        return now
    return FateRow(header.seq, ref.place, ref.dataset, ref.key, Fate.APPLIED, ref.reason, "")


def _close(core: Core, state: FeedState, closed: list[FateRow]) -> None:
    """Ends the waiting of parked rows: their later fate is recorded and told."""
    if not closed:
        return
    core.count_parked(state, -len(closed))
    _record_fates(core, state, closed)
    core.receipts_due.add(state.name.origin)
    core.save(state)


def _settle_again(core: Core, state: FeedState, collected: _Collected) -> None:
    if state.parked:
        _supersede(core, state, collected)
    for dataset, group in groupby(collected.changes, key=lambda item: item[0]):
        schema = core.seams.judge.schema(state.name.publication, dataset)
        assert schema is not None
        _merge(core, state, schema, [change for _, change in group])
    if collected.fates:
        _record_fates(core, state, collected.fates)
    core.save(state)


def open_again(core: Core, header: EntryHeader, payload: bytes) -> Content:
    """The content of an entry that is held, as far as it can be read now; None if nothing can be made of it."""
    try:
        return open_content(header, payload, core.seams.judge.schema)
    except RemoteFault:
        return None


def _places(batch: RowBatch) -> list[int]:
    """The places in the payload of a batch's puts and ends, in that order; what did not decode has left its own."""
    skipped = {bad.place for bad in batch.bad}
    total = len(batch.puts) + len(batch.ends) + len(batch.bad)
    return [place for place in range(total) if place not in skipped]


class _Later:
    """Which rows of entries that waited as a whole were changed by later entries of the feed: those were readable,
    these were not. Read in one pass over the feed, when it is first asked.
    """

    def __init__(self, core: Core, state: FeedState, whole: Collection[tuple[str, str]]) -> None:
        self._core = core
        self._state = state
        # All that wait as a whole, this round looks at them or not; those of a later format say no dataset.
        waiting = core.log.parked_among(state.name, state.head.epoch, {*whole, ("", "")}) if whole else ()
        self._seqs = frozenset(ref.seq for ref in waiting)
        self._last: dict[tuple[str, Key], int] | None = None

    def not_overtaken(self, seq: int, batch: RowBatch) -> frozenset[int]:
        """Places of the rows of entry `seq` that are still its own to decide, the undecodable ones among them."""
        if self._last is None:
            self._last = self._read()
        own = {bad.place for bad in batch.bad}
        for place, key in zip(_places(batch), self._keys(batch), strict=True):
            if self._last.get((batch.dataset, key), 0) <= seq:
                own.add(place)
        return frozenset(own)

    def _keys(self, batch: RowBatch) -> list[Key]:
        schema = self._core.seams.judge.schema(self._state.name.publication, batch.dataset)
        assert schema is not None
        return [*map(key_getter(schema, batch.columns), batch.puts), *(end.key for end in batch.ends)]

    def _read(self) -> dict[tuple[str, Key], int]:
        log, state = self._core.log, self._state
        wanted: set[tuple[str, Key]] = set()
        for seq in sorted(self._seqs):
            entry = log.entry(state.name, state.head.epoch, seq)
            if entry is not None and (batch := self._batch(entry)) is not None:
                wanted.update((batch.dataset, key) for key in self._keys(batch))
        last: dict[tuple[str, Key], int] = {}
        seq = min(self._seqs)
        # A row that was refused has changed nothing.
        refused = log.refused(state.name, state.head.epoch, seq)
        while entries := log.entries(state.name, state.head.epoch, seq + 1, 1024 * 1024, 1_000):
            for entry in entries:
                # One that waits as well is judged after this one, and may be refused.
                batch = None if entry.seq in self._seqs else self._batch(entry)
                if batch is None:
                    continue
                for place, key in zip(_places(batch), self._keys(batch), strict=True):
                    if (batch.dataset, key) in wanted and (entry.seq, place) not in refused:
                        last[batch.dataset, key] = entry.seq
            seq = entries[-1].seq
        return last

    def _batch(self, entry: LogEntry) -> RowBatch | None:
        header = EntryHeader.FromString(entry.header)
        content = open_again(self._core, header, entry.payload) if int(header.kind) == Kind.RECORDS else None
        return content if isinstance(content, RowBatch) else None
