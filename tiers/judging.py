"""Implements sync.judge.Judge: who may say what about which place, row by row (design section 3, fates b and c)."""

from __future__ import annotations

from collections.abc import Callable

from sync.judge import Judgement, Known, MoveJudgement, Signer
from sync.phrase import Phrase
from sync.reasons import Reason
from sync.rows import BadRow, End, RowBatch, key_text
from sync.schema import RowSchema
from sync.values import Fate, Key, Row
from sync.wire.v1.entry_pb2 import EntryHeader, MoveBody
from tiers.catalogue import Catalogue
from tiers.dataset import Dataset, Publication
from tiers.flows.arbiter import judge_move
from tiers.flows.clocks import Calendar
from tiers.flows.standing import say_due
from tiers.profile import PROFILES
from tiers.rules import Flaw, RowRules, duplicates

_PLANS_MAX = 256
"""Column lists come from peers, so what is kept of them has a bound."""
_OWNERS_MAX = 1024
_FEW_ROWS = 4
"""So few rows are judged faster one by one than column by column; single-row change sets are the usual live traffic."""


class _Plan:
    """What follows from dataset, publication and an entry's columns alone. Without `rules` there always is a flaw."""

    __slots__ = ("newer_flaw", "old_flaw", "rules")

    def __init__(self, dataset: Dataset, publication: Publication, columns: tuple[str, ...]) -> None:
        self.old_flaw = _columns_flaw(dataset, publication, columns, newer=False)
        self.newer_flaw = _columns_flaw(dataset, publication, columns, newer=True)
        needed = {*dataset.key, dataset.region, dataset.date} - {""}
        self.rules = RowRules(dataset, columns) if needed <= set(columns) else None


class TierJudge:
    """Judges by a catalogue. Pure: what it keeps between calls only saves time.

    calendar: the issuer's, for the ends of limits that an arbiter says; without one it says none.
    """

    def __init__(self, catalogue: Catalogue, calendar: Callable[[], Calendar] | None = None) -> None:
        self._catalogue = catalogue
        self._calendar = calendar
        self._plans: dict[tuple[str, tuple[str, ...]], _Plan] = {}
        self._owners: dict[tuple[str, str, str, bool], Flaw | None] = {}

    def schema(self, publication: str, dataset: str) -> RowSchema | None:
        """As sync.judge.Judge.schema."""
        return self._catalogue.schema(publication, dataset)

    def is_awaited(self, dataset: str) -> bool:
        """As sync.judge.Judge.is_awaited: nothing but codes is looked up in other rows."""
        declared = self._catalogue.datasets.get(dataset)
        return declared is not None and declared.code_table is not None and not declared.code_table.extension

    def records(self, header: EntryHeader, batch: RowBatch, signer: Signer, known: Known) -> Judgement:
        """As sync.judge.Judge.records. `bad` holds what is found here; its places count the batch's puts, then ends.

        A row is refused for ownership, scope, held-back columns, closed lists, rules or a key that stands twice, and
        parked for a code or code table that is not here yet.
        """
        publication = self._catalogue.publication(header.publication)
        if publication is None or publication.dataset != batch.dataset:
            return _all_bad(
                batch, None, Flaw(Fate.PARKED, Reason.UNKNOWN_DATASET, Phrase("dataset '{}'", batch.dataset))
            )
        dataset = self._catalogue.datasets[publication.dataset]
        plan = self._plan(dataset, publication, batch.columns)
        newer = header.schema_version > dataset.version
        flaw = self._owner_flaw(dataset, signer, newer) or (plan.newer_flaw if newer else plan.old_flaw)
        if flaw is not None:
            return _all_bad(batch, plan.rules, flaw)
        rules = plan.rules
        assert rules is not None
        puts, ends = batch.puts, batch.ends
        keys = set(map(rules.key_of, puts))
        keys.update(end.key for end in ends)
        if len(keys) == len(puts) + len(ends):
            if len(puts) > _FEW_ROWS:
                good = rules.all_good(puts, signer.scope, known)
            else:
                good = all(rules.flaw(row, signer.scope, known) is None for row in puts)
            if good:
                return Judgement(puts, ends)
        return _one_by_one(batch, rules, signer, known, newer)

    def move(
        self, header: EntryHeader, body: MoveBody, signer: Signer, known: Known, here: str, now: int
    ) -> MoveJudgement:
        """As sync.judge.Judge.move; the rules: tiers/flows/arbiter.py. A verdict says when the limit ends, too."""
        found = judge_move(self._catalogue.flows, body, signer, known, here, now)
        if here == body.issuer and self._calendar is not None:
            for verdict in found.record:  # the same values are its answers
                say_due(self._catalogue.flows[body.flow], known.task(body.task), verdict, self._calendar())
        return found

    def _plan(self, dataset: Dataset, publication: Publication, columns: tuple[str, ...]) -> _Plan:
        name = (publication.id, columns)
        plan = self._plans.get(name)
        if plan is None:
            if len(self._plans) >= _PLANS_MAX:
                self._plans.clear()
            plan = self._plans[name] = _Plan(dataset, publication, columns)
        return plan

    def _owner_flaw(self, dataset: Dataset, signer: Signer, newer: bool) -> Flaw | None:
        name = (dataset.id, signer.profile, signer.parent, newer)
        if name not in self._owners:
            if len(self._owners) >= _OWNERS_MAX:
                self._owners.clear()
            self._owners[name] = _owner_flaw(dataset, signer, newer)
        return self._owners[name]


def _owner_flaw(dataset: Dataset, signer: Signer, newer: bool) -> Flaw | None:
    profile = PROFILES.get(signer.profile)
    if profile is None:
        # a profile of a newer version: what it may write is not known here yet
        return Flaw(Fate.PARKED, Reason.MISSING_DEPENDENCY, Phrase("tier profile '{}'", signer.profile))
    if any(tier in dataset.owner for tier in profile.tiers(signer.parent)):
        return None
    said = Phrase("dataset '{}' belongs to: {}", dataset.id, ", ".join(dataset.owner))
    if newer:
        # A later version may have given the dataset another owner beside these.
        return Flaw(Fate.PARKED, Reason.UNKNOWN_SCHEMA_VERSION, said)
    return Flaw(Fate.REFUSED, Reason.NOT_OWNER, said)


def _columns_flaw(dataset: Dataset, publication: Publication, columns: tuple[str, ...], newer: bool) -> Flaw | None:
    for name in columns:
        if name in dataset.held_back:
            return Flaw(Fate.REFUSED, Reason.HELD_BACK_PRESENT, Phrase("column '{}'", name))
    for name in columns:
        if name not in publication.columns:
            if newer:
                return Flaw(
                    Fate.PARKED, Reason.UNKNOWN_SCHEMA_VERSION, Phrase("column '{}' in '{}'", name, publication.id)
                )
            return Flaw(
                Fate.REFUSED, Reason.UNKNOWN_COLUMN, Phrase("column '{}' is not part of '{}'", name, publication.id)
            )
    for column in dataset.schema.columns:
        if not column.nullable and column.name not in columns:
            return Flaw(Fate.REFUSED, Reason.RULE_BROKEN, Phrase("column '{}' is missing", column.name))
    return None


def _text(key: Key) -> str:
    return key_text(key)


def _all_bad(batch: RowBatch, rules: RowRules | None, flaw: Flaw) -> Judgement:
    """Every row has the same flaw. Without rules the rows' keys cannot be named."""
    keys = [_text(rules.key_of(row)) if rules else "" for row in batch.puts]
    keys += [_text(end.key) for end in batch.ends]
    return Judgement([], [], [BadRow(place, key, *flaw) for place, key in enumerate(keys)])


def _one_by_one(batch: RowBatch, rules: RowRules, signer: Signer, known: Known, newer: bool) -> Judgement:
    keys = [*map(rules.key_of, batch.puts), *(end.key for end in batch.ends)]
    again = duplicates(keys)
    twice = Flaw(Fate.REFUSED, Reason.RULE_BROKEN, Phrase("the key stands twice in one entry"))
    puts: list[Row] = []
    ends: list[End] = []
    bad: list[BadRow] = []
    first_end = len(batch.puts)
    for place, key in enumerate(keys):
        flaw = twice if place in again else None
        if flaw is None and place < first_end:
            flaw = rules.flaw(batch.puts[place], signer.scope, known, newer)
        if flaw is not None:
            bad.append(BadRow(place, _text(key), *flaw))
        elif place < first_end:
            puts.append(batch.puts[place])
        else:
            ends.append(batch.ends[place - first_end])
    return Judgement(puts, ends, bad)
