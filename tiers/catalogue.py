"""The catalogue: every dataset, publication and flow a node knows, from the built-in texts and the site's own.

Built-in texts are the package's tiers/catalogue/*.toml and tiers/flows/declared/*.toml; whoever does I/O reads them. A
site's text may declare datasets and flows whose ids begin with 'x_', publications of those datasets or named
'<dataset>.x_...', and may set the filter of any publication:

    [override."case.nation"]
    filter = "all"

and the deadlines of any dataset:

    [override.case_stat.deadlines.daily]
    due_days = 2
    cut_off_days = 4

and the limits of any flow's states:

    [override.W2.limit]
    issued = "4 work_hour"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sync.phrase import Phrase
from sync.schema import RowSchema
from tiers.dataset import SITE_PREFIX, Dataset, Publication
from tiers.declare import read_dataset, read_deadlines, read_publication, read_publication_filter, read_push
from tiers.faults import CatalogueFault, Mistake, Table
from tiers.flows.check import check_starts
from tiers.flows.declare import read_flow, read_limits
from tiers.flows.table import Flow
from tiers.grants import for_subscribers
from tiers.rollup import RollUp, read_rollup


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Datasets, publications and flows by id; roll-ups by the dataset that they fill."""

    datasets: Mapping[str, Dataset]
    publications: Mapping[str, Publication]
    rollups: Mapping[str, RollUp] = field(default_factory=dict)
    flows: Mapping[str, Flow] = field(default_factory=dict)
    _granted: dict[str, Publication] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        granted = (for_subscribers(dataset) for dataset in self.datasets.values())
        object.__setattr__(self, "_granted", {publication.id: publication for publication in granted})

    @classmethod
    def build(cls, builtin: Iterable[tuple[str, str]], site: Iterable[tuple[str, str]] = ()) -> Catalogue:
        """From (name, TOML text) pairs. Raises CatalogueFault with every mistake of all texts."""
        reading = _Reading()
        for name, text in builtin:
            reading.declare(name, text, of_site=False)
        for name, text in site:
            reading.declare(name, text, of_site=True)
        reading.read_publications()
        reading.check_flows()
        if reading.mistakes:
            raise CatalogueFault(reading.mistakes)
        return cls(
            MappingProxyType(reading.datasets),
            MappingProxyType(reading.publications),
            MappingProxyType(reading.rollups),
            MappingProxyType(reading.flows),
        )

    def publication(self, name: str) -> Publication | None:
        """A publication by which rows may arrive: a declared one, or of what a dataset's owner granted to this node."""
        return self.publications.get(name) or self._granted.get(name)

    def dataset_of(self, publication: str) -> Dataset | None:
        """The dataset that a publication publishes; None if the publication is unknown."""
        found = self.publication(publication)
        return self.datasets[found.dataset] if found else None

    def publications_of(self, dataset: str) -> tuple[Publication, ...]:
        """All publications of a dataset, in order of declaration."""
        return tuple(p for p in self.publications.values() if p.dataset == dataset)

    def schema(self, publication: str, dataset: str) -> RowSchema | None:
        """As sync.judge.Judge.schema; publication '' asks for a dataset whoever it goes to."""
        if not publication:
            return self.datasets[dataset].schema if dataset in self.datasets else None
        found = self.publication(publication)
        return self.datasets[dataset].schema if found and found.dataset == dataset else None

    def code_tables(self) -> tuple[Dataset, ...]:
        """Datasets whose rows are codes that records may carry (`Dataset.code_table` says how)."""
        return tuple(d for d in self.datasets.values() if d.code_table is not None and not d.code_table.extension)

    def extensions(self) -> tuple[Dataset, ...]:
        """Datasets whose rows register extension codes."""
        return tuple(d for d in self.datasets.values() if d.code_table is not None and d.code_table.extension)


UNSAID = -1
"""Stands for a size that an override leaves as it is."""


class _Reading:
    """Collects declarations of several texts; publications are read last, since they may name any dataset."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self.datasets: dict[str, Dataset] = {}
        self.publications: dict[str, Publication] = {}
        self.rollups: dict[str, RollUp] = {}
        self.flows: dict[str, Flow] = {}
        self._flow_tables: dict[str, Table] = {}
        self._waiting: list[tuple[str, Table, bool]] = []
        self._rolling: list[tuple[str, Table, bool]] = []
        self._overrides: list[tuple[str, Table]] = []

    def declare(self, name: str, text: str, of_site: bool) -> None:
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self.mistakes.append(Mistake(name, Phrase("is not TOML: {}", error)))
            return
        top = Table(content, f"{name}:", self.mistakes)
        for dataset_id, table in top.named("dataset"):
            if dataset_id.startswith(SITE_PREFIX) is not of_site:
                table.wrong("", Phrase("ids that begin with '{}' are a site's, and only those", SITE_PREFIX))
            if dataset_id in self.datasets:
                table.wrong("", Phrase("dataset '{}' is declared twice", dataset_id))
            dataset = read_dataset(dataset_id, table)
            if dataset is not None:
                self.datasets[dataset_id] = dataset
        for flow_id, table in top.named("flow"):
            self._declare_flow(flow_id, table, of_site)
        self._waiting += [(p, table, of_site) for p, table in top.named("publication")]
        self._rolling += [(d, table, of_site) for d, table in top.named("rollup")]
        overrides = top.named("override")
        if overrides and not of_site:
            top.wrong("override", Phrase("belongs in a site's text"))
        self._overrides += overrides
        top.finish()

    def _declare_flow(self, name: str, table: Table, of_site: bool) -> None:
        if name in self._flow_tables:
            table.wrong("", Phrase("flow '{}' is declared twice", name))
        self._flow_tables[name] = table
        flow = read_flow(name, table, of_site)
        if flow is not None:
            self.flows[name] = flow

    def check_flows(self) -> None:
        """What a flow starts may be declared anywhere."""
        for name, flow in self.flows.items():
            for fault in check_starts(flow, self.flows):
                self._flow_tables[name].wrong("starts", fault)

    def read_publications(self) -> None:
        for name, table, of_site in self._waiting:
            dataset_id, _, audience = name.partition(".")
            if (dataset_id.startswith(SITE_PREFIX) or audience.startswith(SITE_PREFIX)) is not of_site:
                table.wrong(
                    "",
                    Phrase("'{}' before dataset or audience marks a site's publications, and only those", SITE_PREFIX),
                )
            if name in self.publications:
                table.wrong("", Phrase("publication '{}' is declared twice", name))
            publication = read_publication(name, table, self.datasets)
            if publication is not None:
                self.publications[name] = publication
        for name, table in self._overrides:
            self._override(name, table)

        for name, table, of_site in self._rolling:
            self._roll_up(name, table, of_site)

    def _roll_up(self, name: str, table: Table, of_site: bool) -> None:
        if name.startswith(SITE_PREFIX) is not of_site:
            table.wrong(
                "", Phrase("datasets that begin with '{}' are rolled up by a site's text, and only those", SITE_PREFIX)
            )
        if name in self.rollups:
            table.wrong("", Phrase("the roll-up of '{}' is declared twice", name))
        rollup = read_rollup(name, table, self.datasets)
        if rollup is not None:
            self.rollups[name] = rollup

    def _override(self, name: str, table: Table) -> None:
        if name in self.flows:
            self.flows[name] = read_limits(table, self.flows[name])
            return
        if name in self.datasets:
            dataset = self.datasets[name]
            deadlines = read_deadlines(table, dataset.cadence, dataset.period)
            table.finish()
            self.datasets[name] = replace(dataset, deadlines={**dataset.deadlines, **deadlines})
            return
        publication = self.publications.get(name)
        condition, push = table.raw("filter"), read_push(table, UNSAID)
        table.finish()
        if publication is None:
            table.wrong("", Phrase("'{}' is no publication, dataset or flow (or has mistakes)", name))
            return
        if condition is None and push == UNSAID:
            table.wrong("filter", Phrase("is missing: a filter, or 'all'; or push_attachments_up_to"))
        if push != UNSAID:
            if push and not set(publication.columns) & set(self.datasets[publication.dataset].attachments):
                table.wrong("push_attachments_up_to", Phrase("none of its columns names files"))
            publication = self.publications[name] = replace(publication, push_attachments_up_to=push)
        if condition is not None:
            dataset = self.datasets[publication.dataset]
            chosen = read_publication_filter(table, "filter", condition, dataset)
            self.publications[name] = replace(publication, filter=chosen)
