"""Local work at simulated nodes: transactions that read and write in one go, and the rows they write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from node.granting import GrantJob
from node.sim.places import catalogue, newest_catalogue
from node.sim.releases import CASE_COLUMNS, FIRST, NEW_DATASET
from node.sim.simnode import SimNode
from node.store.store import Store
from node.taking_over import NoAnswer, taken_over
from sync.errors import InputFault
from sync.events import Event, LocalMove, LocalPut
from sync.judge import LocalRows
from sync.rows import key_getter
from sync.values import Cell, Key, Row
from tiers.flows import SUPERVISION
from tiers.flows.steps import Author, party_of, propose, shown_state, start
from tiers.flows.table import Flow, Kind, Party
from tiers.subscriptions import SUBSCRIPTION, Side

TABLE = "SIM-2026"


@dataclass(frozen=True, slots=True)
class Put:
    """A local transaction that reads, inside it, what the rows were before. What of it is done is the token of its
    answer."""

    node: str
    dataset: str
    rows: Sequence[Row]
    voids: Sequence[Key] = ()

    @property
    def token(self) -> object:
        """As node.engine.Job.token."""
        return self

    @property
    def keys(self) -> list[Key]:
        """Of the rows."""
        # A key is the same in every release.
        schema = newest_catalogue().datasets[self.dataset].schema
        return list(map(key_getter(schema, schema.names), self.rows))

    def run(self, store: Store) -> Sequence[Event]:
        """As node.engine.Job.run."""
        before = store.read_rows(self.dataset, self.node, [*self.keys, *self.voids])
        voids = [(key, "") for key in self.voids if key in before]
        schema = next(s for s in store.schemas() if s.dataset == self.dataset)
        others = [key for key in self.voids if key not in before]
        taken = taken_over(store, schema, self.node, region_of(self.node), self.rows, others)
        following = [LocalPut(NoAnswer(), part) for part in taken]
        if not self.rows and not voids:
            return following
        # A row that is not there is not voided: its caller is promised nothing of it.
        done = replace(self, voids=tuple(key for key, _ in voids))
        return (LocalPut(done, LocalRows(self.dataset, self.rows, voids, before)), *following)


@dataclass(frozen=True, slots=True)
class Move:
    """One move in a task, whatever its state allows this node; nothing if it allows nothing. Its own token too."""

    node: str
    task: str
    move_id: str
    at: int
    choose: Callable[[Sequence[str]], str]
    holder: str = ""
    opening: SimNode | None = None
    flow: str = SUPERVISION
    """Of a task that does not exist yet."""

    @property
    def token(self) -> object:
        """As node.engine.Job.token."""
        return self

    def run(self, store: Store) -> Sequence[Event]:
        """As node.engine.Job.run."""
        flows, author = catalogue().flows, Author(self.node)
        history, pending = store.moves(self.task), store.pending_moves(self.task)
        flow = flows[history[0].flow if history else self.flow]
        fields = fields_for(flow)
        if not history:
            if self.opening is None:
                return ()
            standing = self.opening.standing
            body = start(flow, standing, self.holder, self.task, self.move_id, author, self.at, fields)
            return (LocalMove(self, body, body.holder),)
        party = Party.ISSUER if history[0].issuer == self.node else Party.HOLDER
        state = shown_state(flow, history, pending)
        open_moves = [rule.name for rule in flow.open_moves(state, party)]
        if not open_moves:
            return ()
        name = self.choose(open_moves)
        try:
            body = propose(flow, history, pending, name, self.move_id, author, self.at, fields)
        except InputFault:
            return ()
        assert party_of(body) is party
        return (LocalMove(self, body, body.holder if party is Party.ISSUER else body.issuer),)


def fields_for(flow: Flow) -> dict[str, str]:
    """Something proper for every field that a move of a flow must say."""
    said = {Kind.DATE: "2026-12-31", Kind.INTEGER: "1", Kind.TEXT: "x", Kind.NODE: "c330200.p330000.cn-sim"}
    said |= {Kind.POSITION: "-", Kind.RELEASE: f"{'a' * 64}:7"}
    wanted = {name for rule in flow.moves for name in rule.fields}
    return {
        rule.name: rule.values[0].value if rule.kind is Kind.CHOICE else said[rule.kind]
        for rule in flow.fields
        if rule.name in wanted
    }


def subscription(node: SimNode, to: SimNode, at: int, *said: Mapping[str, Cell]) -> GrantJob:
    """What an owner says of subscriptions in one transaction, each of all cases and for long unless told otherwise, and
    what follows from it."""
    usual: dict[str, Cell] = {
        "subscription_id": f"W8-{to.label}",
        "writer": region_of(node.id),
        "role": Side.OWNER.value,
        "service_id": "cases",
        "applicant": to.id,
        "provider": node.id,
        "dataset": "case",
        "valid_to": "2099-12-31",
    }
    names = node.catalogue.datasets[SUBSCRIPTION].schema.names
    rows = [tuple({**usual, **cells}.get(name) for name in names) for cells in said]
    return GrantJob(Put(node.id, SUBSCRIPTION, rows), node.publisher, lambda: node.core, at)


def region_of(node: str) -> str:
    """The region that a node id begins with."""
    return node.partition(".")[0][1:]


def row_of(dataset: str, release: int = FIRST, **cells: Cell) -> Row:
    """A row in the order of a release's schema; what is not given is empty."""
    return tuple(cells.get(name) for name in catalogue(release=release).datasets[dataset].schema.names)


def case_row(
    number: int,
    region: str,
    *,
    supervised: bool,
    state: str = "reported",
    code: str = "",
    at: int,
    release: int = FIRST,
) -> Row:
    """A case with something in a held-back column, which must never leave its node, and in all that a release added."""
    return row_of(
        "case",
        release,
        **{name: f"r{since} {state}" for since, name in CASE_COLUMNS.items() if since <= release},
        case_id=f"{region}-{number:03d}",
        category="event",
        source="inspector",
        division=region,
        state=state,
        reported_at=at,
        supervised=supervised,
        class_scheme=TABLE if code else None,
        class_code=code or None,
        description="stays at home",
    )


def code_row(code: str, name: str, status: str = "effective", release: int = FIRST, table: str = TABLE) -> Row:
    """A code of a simulated code table."""
    cells: dict[str, Cell] = {"table_name": table, "code": code, "table_version": 1, "name_zh": name, "status": status}
    return row_of("class_code", release, **cells, is_extension=False)


def unit_row(region: str, number: int, name: str, release: int = FIRST) -> Row:
    """An organisation."""
    return row_of("org_unit", release, uscc=f"{region}{number:012d}", name=name, division=region, role="handling")


def thing_row(region: str, number: int, release: int) -> Row:
    """A row of the dataset that a release adds."""
    return row_of(NEW_DATASET, release, thing_id=f"{region}-{number}", division=region, kept="stays at home")
