"""What a dataset and a publication are. Read from TOML by tiers/declare.py; facts in reference/domain.md 2.4 and 9."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from sync.schema import Column, RowSchema
from sync.values import Lane, Route
from tiers.codes import Life, Range, is_reserved
from tiers.filters import Filter

NATION = "nation"
"""Symbolic addressee: each node puts the nation's node id in its place."""

OF_ROW = "@"
"""Begins a symbolic addressee: '@origin' is the node that each row names in its column 'origin'."""

SUBSCRIBERS = "subscribers"
"""Names the publication of any dataset that carries what was granted to a node (tiers/grants.py); none is declared."""

SITE_PREFIX = "x_"
"""Ids that a site may declare; the built-in catalogue never uses them."""


class Sharing(Enum):
    """Sharing classes of the government data directory (Decree 809; reference/domain.md 8.2)."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    WITHHELD = "withheld"


class Classification(Enum):
    """How sensitive the dataset is as a whole (a proposal: no binding list is confirmed)."""

    PUBLIC = "public"
    INTERNAL = "internal"
    SENSITIVE = "sensitive"


class Cadence(Enum):
    """How often an owner brings a dataset's rows; a dataset may have several (cases: at once, and a daily close)."""

    ON_CHANGE = "on_change"
    REAL_TIME = "real_time"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    YEARLY = "yearly"
    EVENT = "event"


class Severity(Enum):
    """What a broken check does at the door."""

    REJECT = "reject"
    WARN = "warn"


class Personal(Enum):
    """What becomes of numbers of persons (phone, identity card …) in a text that leaves: tiers/personal.py.

    REFUSE: the node's own door rejects the row. MASK: this node keeps the text, and what leaves is masked. WARN: it
    leaves as it is, and who brought it is told.
    """

    REFUSE = "refuse"
    MASK = "mask"
    WARN = "warn"


Bound = int | float | Decimal
"""A bound of numbers: int for integer columns, float for float, Decimal for decimal."""


SOURCE_COLUMN = "source_key"
"""The number that a row has in the system it comes from, in datasets that have this column."""


@dataclass(frozen=True, slots=True)
class CodeValue:
    """One value of a closed enumeration, as stored, and as people read it."""

    value: str
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True)
class CodeRef:
    """A cell that must be a code of a table: `table` by name, or the table that the row itself names in `column`.

    Tables whose name begins with `free_prefix` ('' = none) are their origin's own and are not checked, so that cities'
    extension codes are kept and counted apart, never dropped (flow W11). That depends on the row alone: whether a row
    applies must never depend on which feed came first. The same holds of codes in a range that is `reserved` for
    extensions of a table that others write.
    """

    table: str = ""
    column: str = ""
    free_prefix: str = ""
    reserved: tuple[Range, ...] = ()

    def is_extension(self, table: object, code: object) -> bool:
        """Whether a cell is an extension code by itself, whatever is registered."""
        of_own_table = bool(self.free_prefix) and isinstance(table, str) and table.startswith(self.free_prefix)
        return code is not None and (of_own_table or is_reserved(code, self.reserved))


@dataclass(frozen=True, slots=True)
class Field:
    """A column with its meaning. `decimals` bounds a float's precision: what is rounded for privacy stays so.

    example: a cell as a file would write it. minimum, maximum: of a number, both allowed themselves. attachment: the
    text names files by the SHA-256 of their bytes (hexadecimal, commas between them): see tiers/attached.py.
    """

    column: Column
    title_zh: str
    title_en: str
    definition: str = ""
    definition_zh: str = ""
    unit: str = ""
    example: str = ""
    held_back: bool = False
    values: tuple[CodeValue, ...] = ()
    codes: CodeRef | None = None
    decimals: int | None = None
    minimum: Bound | None = None
    maximum: Bound | None = None
    personal: Personal | None = None
    attachment: bool = False


@dataclass(frozen=True, slots=True)
class CodeTable:
    """Says that a dataset's rows are codes: which column names the table, which holds the code, which rows count.

    life: the columns that say from when to when. extension: the rows register codes that other tables are extended by;
    no record waits for them.
    """

    table_column: str
    code_column: str
    in_force: Filter | None
    life: Life | None = None
    extension: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """A rule across the cells of one row: `rule` holds of every sound row.

    Asked at the door of the node that writes the row, never of what arrives: a receiver of another version would judge
    by other checks, so two tiers would hold different rows of one feed. And some checks ask about held-back columns,
    which a receiver does not have. What every tier must be sure of is a bound, a value list or a type.
    """

    name: str
    severity: Severity
    rule: Filter
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """When rows of a period should be there, and when the period is closed: natural days after its last day is over."""

    due_days: int
    cut_off_days: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table with a schema, an owner tier and a key. `region`, `date` and `period` are column names, '' for none.

    owner: tier names (TierProfile.tiers) whose nodes may write it. A row is inside a signer's scope if its region lies
    in it at its business date. period: what names the period that a row is about (tiers/periods.py).
    deadlines: by cadence; a cadence without one has no due dates.
    """

    id: str
    version: int
    title_zh: str
    title_en: str
    definition: str
    definition_zh: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    owner: tuple[str, ...]
    cadence: tuple[Cadence, ...]
    region: str = ""
    date: str = ""
    classification: Classification = Classification.INTERNAL
    source_unit: str = ""
    sharing: Sharing = Sharing.CONDITIONAL
    code_table: CodeTable | None = None
    checks: tuple[Check, ...] = ()
    period: str = ""
    deadlines: Mapping[Cadence, Deadline] = field(default_factory=dict)
    schema: RowSchema = field(init=False)

    def __post_init__(self) -> None:
        columns = tuple(f.column for f in self.fields)
        object.__setattr__(self, "schema", RowSchema(self.id, self.version, columns, self.key, self.region))

    @property
    def attachments(self) -> tuple[str, ...]:
        """Names of the columns that name files, in schema order."""
        return tuple(f.column.name for f in self.fields if f.attachment)

    @property
    def held_back(self) -> frozenset[str]:
        """Names of the columns that never leave the node that owns the row."""
        return frozenset(f.column.name for f in self.fields if f.held_back)

    def whole(self, wanted: Collection[str]) -> tuple[str, ...]:
        """These columns, and those without which receivers could not judge rows of them, in schema order."""
        must = {*wanted, *self.key, self.region, self.date}
        must |= {c.name for c in self.schema.columns if not c.nullable}
        must |= {f.codes.column for f in self.fields if f.codes and f.codes.column and f.column.name in must}
        return tuple(name for name in self.schema.names if name in must)


@dataclass(frozen=True, slots=True)
class Publication:
    """What of a dataset goes to whom. `columns` are in schema order; `filter` None means all rows.

    addressees: for route NODE only: node ids, NATION, or OF_ROW and a column. push_attachments_up_to: files of so many
    bytes that rows name come by themselves; 0: only when they are asked for.
    """

    id: str
    dataset: str
    route: Route
    lane: Lane
    columns: tuple[str, ...]
    addressees: tuple[str, ...] = ()
    filter: Filter | None = None
    push_attachments_up_to: int = 0
