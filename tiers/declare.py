"""Reads declared datasets and publications, and finds all their mistakes at once.

The shape of a declaration is shown by tiers/catalogue/*.toml; what each key means is in tiers/dataset.py.
"""

from __future__ import annotations

from sync.limits import ARGUMENT_CHARACTERS_MAX, KEY_COLUMNS_MAX
from sync.phrase import Phrase
from sync.schema import CellType, RowSchema
from sync.values import Lane, Route, dataset_of, is_identifier, is_node_id, is_publication
from tiers.codes import STATUSES, Life
from tiers.dataset import (
    NATION,
    OF_ROW,
    SUBSCRIBERS,
    Cadence,
    Check,
    Classification,
    CodeTable,
    Dataset,
    Deadline,
    Field,
    Publication,
    Severity,
    Sharing,
)
from tiers.declare_fields import read_fields
from tiers.faults import Table
from tiers.filters import Filter, columns_of, read_filter
from tiers.periods import CALENDAR
from tiers.profile import PROFILES

_ROUTES = {r.name.lower(): r for r in Route}
_LANES = {lane.name.lower(): lane for lane in Lane}
_SHARING = {s.value: s for s in Sharing}
_CLASSES = {c.value: c for c in Classification}
_CADENCES = {c.value: c for c in Cadence}
_SEVERITIES = {s.value: s for s in Severity}
_OWNERS = frozenset(t for p in PROFILES.values() for t in p.acts_as)
CHECKS_MAX = 64
DEADLINE_DAYS_MAX = 366
_DATED = (CellType.DATE, CellType.TIMESTAMP)


def read_dataset(name: str, table: Table) -> Dataset | None:
    """The dataset declared by `table`; None when it has mistakes (noted in the table's list)."""
    before = len(table.mistakes)
    if not is_identifier(name):
        table.wrong("", Phrase("'{}' is not an identifier (a-z, 0-9, _)", name))
    version = table.whole("version", 1, 2**31)
    zh, en = table.text("zh"), table.text("en")
    definition, definition_zh = table.text("definition"), table.text("definition_zh")
    owner = table.texts("owner")
    for unknown in sorted(set(owner) - _OWNERS):
        table.wrong("owner", Phrase("'{}' is not a tier: {}", unknown, ", ".join(sorted(_OWNERS))))
    classification = table.choice("classification", _CLASSES, Classification.INTERNAL)
    sharing = table.choice("sharing", _SHARING, Sharing.CONDITIONAL)
    source_unit = table.text("source_unit", "")
    cadence = _cadence(table)
    fields = read_fields(table)
    by_name = {f.column.name: f for f in fields}
    key = table.texts("key")
    region, date = table.text("region", ""), table.text("date", "")
    _check_key(table, key, by_name)
    _check_place(table, "region", region, (CellType.TEXT,), by_name)
    _check_place(table, "date", date, _DATED, by_name)
    if date and not region:
        table.wrong("date", Phrase("has no use without region"))
    _check_references(table, fields, by_name)
    for name in {*key, region} & {f.column.name for f in fields if f.personal}:
        table.wrong("fields", Phrase("'{}' is in the key or the region, so it cannot be 'personal'", name))
    schema = None
    if is_identifier(name) and fields and key and set(key) <= set(by_name):
        schema = RowSchema(name, version, tuple(f.column for f in by_name.values()), key)
    code_table = _code_table(table, schema, by_name)
    checks = _checks(table, schema)
    period = table.text("period", "")
    _check_place(table, "period", period, (CellType.TEXT,), by_name)
    if period and period not in key:
        table.wrong("period", Phrase("must be a key column"))
    deadlines = read_deadlines(table, cadence, period)
    table.finish()
    if len(table.mistakes) > before or classification is None or sharing is None:
        return None
    return Dataset(
        name,
        version,
        zh,
        en,
        definition,
        definition_zh,
        fields,
        key,
        owner,
        cadence,
        region,
        date,
        classification,
        source_unit,
        sharing,
        code_table,
        checks,
        period,
        deadlines,
    )


def _check_key(table: Table, key: tuple[str, ...], by_name: dict[str, Field]) -> None:
    if len(key) > KEY_COLUMNS_MAX:
        table.wrong("key", Phrase("has more than {} columns", KEY_COLUMNS_MAX))
    for name in key:
        _check_place(table, "key", name, (*_DATED, CellType.TEXT, CellType.INTEGER, CellType.BYTES), by_name)


def _check_place(table: Table, key: str, name: str, types: tuple[CellType, ...], by_name: dict[str, Field]) -> None:
    """Key, region and business date are in every row of every publication, so that each can be judged anywhere."""
    if not name or not by_name:
        return
    field = by_name.get(name)
    if field is None:
        table.wrong(key, Phrase("'{}' is not a field (or has mistakes)", name))
        return
    if field.column.type not in types:
        table.wrong(key, Phrase("'{}' must be {}", name, " or ".join(t.value for t in types)))
    if field.column.nullable:
        table.wrong(key, Phrase("'{}' must not be nullable", name))
    if field.held_back:
        table.wrong(key, Phrase("'{}' must not be held back", name))


def _check_references(table: Table, fields: tuple[Field, ...], by_name: dict[str, Field]) -> None:
    for field in fields:
        if field.codes is None or not field.codes.column:
            continue
        other = by_name.get(field.codes.column)
        if other is None or other.column.type is not CellType.TEXT:
            table.wrong(
                "fields",
                Phrase("'{}' takes its code table from '{}': no text field", field.column.name, field.codes.column),
            )
        elif other.held_back and not field.held_back:
            table.wrong("fields", Phrase("'{}' takes its code table from a held-back field", field.column.name))


def _cadence(table: Table) -> tuple[Cadence, ...]:
    """Each said once, in the order declared."""
    named = table.texts("cadence")
    for unknown in sorted(set(named) - set(_CADENCES)):
        table.wrong("cadence", Phrase("'{}' is none of {}", unknown, ", ".join(_CADENCES)))
    return tuple(_CADENCES[name] for name in named if name in _CADENCES)


def read_deadlines(table: Table, cadence: tuple[Cadence, ...], period: str) -> dict[Cadence, Deadline]:
    """By cadence. `calendar` has one value yet: natural days."""
    found = {}
    for name, one in table.named("deadlines"):
        said = _CADENCES.get(name)
        due = one.whole("due_days", 0, DEADLINE_DAYS_MAX)
        cut_off = one.whole("cut_off_days", 0, DEADLINE_DAYS_MAX)
        one.choice("calendar", {"natural": "natural"}, "natural")
        one.finish()
        if said not in CALENDAR or said not in cadence:
            one.wrong("", Phrase("'{}' is no cadence with periods that the dataset has", name))
        elif cut_off < due:
            one.wrong("cut_off_days", Phrase("is before due_days"))
        else:
            found[said] = Deadline(due, cut_off)
    if found and not period:
        table.wrong("deadlines", Phrase("need a period: the key column that names it"))
    return found


def _checks(table: Table, schema: RowSchema | None) -> tuple[Check, ...]:
    declared = table.tables("checks")
    if len(declared) > CHECKS_MAX:
        table.wrong("checks", Phrase("are more than {}", CHECKS_MAX))
    read = [c for t in declared[:CHECKS_MAX] if (c := _check(t, schema)) is not None]
    if len({c.name for c in read}) != len(read):
        table.wrong("checks", Phrase("a name stands twice"))
    return tuple(read)


def _check(table: Table, schema: RowSchema | None) -> Check | None:
    name, zh, en = table.text("name"), table.text("zh"), table.text("en")
    severity = table.choice("severity", _SEVERITIES)
    condition = table.raw("rule")
    if name and not is_identifier(name):
        table.wrong("name", Phrase("'{}' is not an identifier (a-z, 0-9, _)", name))
    if max(len(zh), len(en)) > ARGUMENT_CHARACTERS_MAX:
        table.wrong("", Phrase("zh and en have at most {} characters", ARGUMENT_CHARACTERS_MAX))
    if condition is None:
        table.wrong("rule", Phrase("is missing: a filter that every sound row matches"))
    table.finish()
    if condition is None or schema is None:
        return None
    rule = read_filter(condition, schema, table.at("rule"), table.mistakes)
    return Check(name, severity, rule, zh, en) if rule is not None and severity is not None else None


def _code_table(table: Table, schema: RowSchema | None, by_name: dict[str, Field]) -> CodeTable | None:
    raw = table.raw("code_table")
    if raw is None:
        return None
    inner = Table(raw, table.at("code_table"), table.mistakes)
    table_column, code_column = inner.text("table"), inner.text("code")
    for said, column in (("table", table_column), ("code", code_column)):
        if column and (column not in by_name or by_name[column].column.type is not CellType.TEXT):
            inner.wrong(said, Phrase("'{}' is not a text field", column))
    condition = inner.raw("in_force")
    in_force = None
    if condition is not None and schema is not None:
        in_force = read_filter(condition, schema, inner.at("in_force"), table.mistakes)
    life, extension = _life(inner, by_name), inner.flag("extension", False)
    inner.finish()
    return CodeTable(table_column, code_column, in_force, life, extension)


def _life(table: Table, by_name: dict[str, Field]) -> Life | None:
    """The columns that say when a code is in force: all three, or none."""
    life = Life(table.text("status", ""), table.text("since", ""), table.text("until", ""))
    if not any(life):
        return None
    for said, name in (("since", life.since), ("until", life.until)):
        if name not in by_name or by_name[name].column.type is not CellType.DATE:
            table.wrong(said, Phrase("'{}' is not a date field", name))
    status = by_name.get(life.status)
    if status is None or {v.value for v in status.values} != set(STATUSES):
        table.wrong("status", Phrase("'{}' is not a field with the values {}", life.status, ", ".join(STATUSES)))
    return life


def read_publication(name: str, table: Table, datasets: dict[str, Dataset]) -> Publication | None:
    """The publication declared by `table`; None when it has mistakes (noted in the table's list)."""
    before = len(table.mistakes)
    dataset_id = table.text("dataset", name.partition(".")[0])
    dataset = datasets.get(dataset_id)
    if not is_publication(name) or dataset_of(name) != dataset_id:
        table.wrong("", Phrase("'{}' must be its dataset's id, a point and a name for the audience", name))
    if name.partition(".")[2] == SUBSCRIBERS:
        table.wrong("", Phrase("'{}' is what was granted to nodes; it is not declared", SUBSCRIBERS))
    if dataset is None:
        table.wrong("dataset", Phrase("'{}' is not a dataset (or has mistakes)", dataset_id))
    route = table.choice("route", _ROUTES)
    lane = table.choice("lane", _LANES, Lane.NORMAL)
    addressees = _addressees(table, route, dataset)
    columns = table.texts("columns", ())
    condition = table.raw("filter")
    push = read_push(table)
    chosen: tuple[str, ...] = ()
    row_filter = None
    if dataset is not None:
        chosen = _columns(table, dataset, columns)
        row_filter = read_publication_filter(table, "filter", condition, dataset)
        if push and not set(chosen) & set(dataset.attachments):
            table.wrong("push_attachments_up_to", Phrase("none of its columns names files"))
    table.finish()
    if len(table.mistakes) > before or route is None or lane is None:
        return None
    return Publication(name, dataset_id, route, lane, chosen, addressees, row_filter, push)


def read_push(table: Table, unsaid: int = 0) -> int:
    """Up to which size files come by themselves."""
    return table.whole("push_attachments_up_to", unsaid, 2**31, unsaid)


def _addressees(table: Table, route: Route | None, dataset: Dataset | None) -> tuple[str, ...]:
    addressees = table.texts("addressees", ())
    if route is Route.NODE and not addressees:
        table.wrong("addressees", Phrase("route node needs them: node ids, '{}', or '{}' and a column", NATION, OF_ROW))
    if route is not Route.NODE and addressees and route is not None:
        table.wrong("addressees", Phrase("go with route node only"))
    must = {c.name for c in dataset.schema.columns if c.type is CellType.TEXT and not c.nullable} if dataset else set()
    for addressee in addressees:
        if addressee.startswith(OF_ROW):
            if addressee[len(OF_ROW) :] not in must:
                table.wrong("addressees", Phrase("'{}' names no mandatory text column", addressee))
        elif addressee != NATION and not is_node_id(addressee):
            table.wrong("addressees", Phrase("'{}' is neither a node id nor '{}' nor a column", addressee, NATION))
    return addressees


def _columns(table: Table, dataset: Dataset, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The published columns in schema order; all that are not held back when none are named."""
    if not wanted:
        return tuple(n for n in dataset.schema.names if n not in dataset.held_back)
    for name in wanted:
        if name not in dataset.schema.names:
            table.wrong("columns", Phrase("'{}' is not a column of {}", name, dataset.id))
        elif name in dataset.held_back:
            table.wrong("columns", Phrase("'{}' is held back and must not leave its node", name))
    for name in dataset.whole(wanted):
        if name not in wanted:
            table.wrong("columns", Phrase("'{}' must be published: receivers judge rows by it", name))
    return tuple(n for n in dataset.schema.names if n in wanted)


def read_publication_filter(table: Table, key: str, raw: object, dataset: Dataset) -> Filter | None:
    """A publication's filter; None for all rows ('all' or absent). A held-back column must not show by membership."""
    if raw is None or raw == "all":
        return None
    path = table.at(key)
    parsed = read_filter(raw, dataset.schema, path, table.mistakes)
    if parsed is not None:
        for name in sorted(columns_of(parsed) & dataset.held_back):
            table.wrong(key, Phrase("'{}' is held back: who is in the audience would tell what it holds", name))
    return parsed
