"""Code tables: codes list, show, extensions; draft, activate, retire, extend. What they change are rows like others."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from node.cli.asking import ask
from node.cli.output import remark, say, say_json, table
from node.cli.rows import put_rows
from node.cli.session import Session, here
from node.cli.verbs import Verbs
from node.faults import Code, UserFault
from node.reading import day_of
from node.texts import N_, _
from tiers.codes import DRAFT, EFFECTIVE, RETIRED

VERBS = Verbs("codes", N_("Code tables: what is in force from when to when, and codes of one's own beside it."))

STATUSES = {DRAFT: N_("draft"), EFFECTIVE: N_("in force"), RETIRED: N_("retired")}
_TABLE_HELP = N_("Code table, such as GBT30428.2-2013.")
_VERSION_HELP = N_("Version of the table; else the newest in which the code stands.")
_DRY_HELP = N_("Write nothing; say what would be rejected.")

Table = Annotated[str, typer.Argument(metavar="TABLE", help=_(_TABLE_HELP))]
OneCode = Annotated[str, typer.Argument(metavar="CODE", help=_("The code."))]
Version = Annotated[int, typer.Option("--table-version", metavar="N", min=0, help=_(_VERSION_HELP))]
DryRun = Annotated[bool, typer.Option("--dry-run", help=_(_DRY_HELP))]


@VERBS.verb(N_("List the code tables held here, or the codes of one."), "list")
def list_tables(
    context: typer.Context,
    of: Annotated[str, typer.Argument(metavar="TABLE", help=_(_TABLE_HELP))] = "",
) -> None:
    session = here(context)
    found = ask(session, "codes.list", table=of)
    if session.as_json:
        return say_json(found)
    if of:
        return _show_codes(found["codes"])
    heads = [_("code table"), _("dataset"), *(_(word) for word in STATUSES.values())]
    lines = [(t["table"], t["dataset"], *(t.get(status, 0) for status in STATUSES)) for t in found["tables"]]
    table("", heads, lines)
    return None


def _show_codes(codes: list[dict[str, Any]]) -> None:
    heads = [_("code"), _("version"), _("name"), _("status"), _("in force from"), _("last day"), _("counts under")]
    table("", heads, [_line(one) for one in codes])


def _line(one: dict[str, Any]) -> tuple[object, ...]:
    row, status = one["row"], one["status"]
    of = row.get("table_version", row.get("division", ""))
    days = (row.get("effective_on") or "", row.get("retired_on") or "")
    return one["code"], of, row["name_zh"], _(STATUSES.get(status, status)), *days, row.get("mapped_to") or ""


@VERBS.verb(N_("Show every version of a code, who has registered it as an extension, and who uses it as one."))
def show(context: typer.Context, of: Table, code: OneCode) -> None:
    session = here(context)
    found = ask(session, "codes.show", table=of, code=code)
    if session.as_json:
        return say_json(found)
    if not found["codes"] and not found["in_use"]:
        raise _unknown(of, code)
    _show_codes(found["codes"])
    if found["in_use"]:
        say()
        _show_in_use(found["in_use"])
    return None


@VERBS.verb(N_("List the extension codes that rows have, and which of them nobody has registered yet."))
def extensions(context: typer.Context) -> None:
    session = here(context)
    found = ask(session, "codes.extensions")
    if session.as_json:
        return say_json(found)
    _show_in_use(found["in_use"])
    if found["unregistered"]["codes"]:
        words = _("Unregistered: {codes} codes in {rows} rows. They are kept, and count under no standard class.")
        remark(words.format(**found["unregistered"]))
    return None


def _show_in_use(used: list[dict[str, Any]]) -> None:
    heads = [_("origin"), _("dataset"), _("code table"), _("code"), _("rows"), _("counts under")]
    lines = [
        (
            o["origin"],
            o["dataset"],
            o["table"],
            o["code"],
            o["rows"],
            (o["counts_under"] or {}).get("code", _("unregistered")),
        )
        for o in used
    ]
    table("", heads, lines)


@VERBS.verb(N_("Draft a code (nation): it is seen by all and in force nowhere."))
def draft(
    context: typer.Context,
    of: Table,
    code: OneCode,
    name_zh: Annotated[str, typer.Option(metavar="TEXT", help=_("What the code stands for, in Chinese."))],
    name_en: Annotated[str, typer.Option(metavar="TEXT", help=_("The same in English."))] = "",
    parent: Annotated[
        str, typer.Option(metavar="CODE", help=_("The code that it belongs to, in the same table."))
    ] = "",
    version: Version = 0,
    dry_run: DryRun = False,
) -> int:
    session = here(context)
    row = {
        "table_name": of,
        "code": code,
        "table_version": version or 1,
        "name_zh": name_zh,
        "name_en": name_en or None,
        "parent_code": parent or None,
        "is_extension": False,
        "status": DRAFT,
    }
    return put_rows(session, "class_code", [row], dry_run)


@VERBS.verb(N_("Put a code in force from a day on. A record may have it if its own date is that day or later."))
def activate(
    context: typer.Context,
    of: Table,
    code: OneCode,
    since: Annotated[str, typer.Option("--from", metavar="DATE", help=_("First day, such as 2027-01-01."))],
    version: Version = 0,
    dry_run: DryRun = False,
) -> int:
    session = here(context)
    own = _own(session, of, code, version)
    row = {**own["row"], "status": EFFECTIVE, "effective_on": day_of(since)}
    return put_rows(session, own["dataset"], [row], dry_run)


@VERBS.verb(N_("Retire a code after a day. Records whose own date is that day or earlier keep it."))
def retire(
    context: typer.Context,
    of: Table,
    code: OneCode,
    last: Annotated[str, typer.Option("--after", metavar="DATE", help=_("Last day, such as 2026-12-31."))],
    version: Version = 0,
    dry_run: DryRun = False,
) -> int:
    session = here(context)
    own = _own(session, of, code, version)
    row = {**own["row"], "status": RETIRED, "retired_on": day_of(last)}
    return put_rows(session, own["dataset"], [row], dry_run)


@VERBS.verb(N_("Register a code of one's own (province, city) and the standard class that it counts under."))
def extend(
    context: typer.Context,
    of: Table,
    code: OneCode,
    name_zh: Annotated[str, typer.Option(metavar="TEXT", help=_("What the code stands for, in Chinese."))],
    mapped_to: Annotated[str, typer.Option(metavar="CODE", help=_("Standard class under which it counts."))],
    mapped_table: Annotated[
        str, typer.Option(metavar="TABLE", help=_("Code table of the standard class; else the same table."))
    ] = "",
    name_en: Annotated[str, typer.Option(metavar="TEXT", help=_("The same in English."))] = "",
    since: Annotated[str, typer.Option("--from", metavar="DATE", help=_("First day, such as 2027-01-01."))] = "",
    dry_run: DryRun = False,
) -> int:
    session = here(context)
    _check_reserved(session, of, code)
    row = {
        "division": session.config.node.region,
        "table_name": of,
        "code": code,
        "name_zh": name_zh,
        "name_en": name_en or None,
        "mapped_table": mapped_table or of,
        "mapped_to": mapped_to,
        "status": EFFECTIVE,
        "effective_on": day_of(since) if since else None,
    }
    return put_rows(session, "class_extension", [row], dry_run)


def _own(session: Session, of: str, code: str, version: int) -> dict[str, Any]:
    """The code as this node wrote it. Raises UserFault."""
    found = [
        one
        for one in ask(session, "codes.show", table=of, code=code)["codes"]
        if one["origin"] == session.config.node.node_id and version in (0, one["row"].get("table_version", version))
    ]
    if not found:
        raise _unknown(of, code)
    newest: dict[str, Any] = max(found, key=lambda one: one["row"].get("table_version", 0))
    return newest


def _check_reserved(session: Session, of: str, code: str) -> None:
    """Raises UserFault for a code that no record could carry as an extension."""
    refs = [f.codes for d in session.catalogue.datasets.values() for f in d.fields if f.codes is not None]
    if any(ref.is_extension(of, code) for ref in refs):
        return
    ranges = sorted({str(one) for ref in refs for one in ref.reserved})
    prefixes = sorted({ref.free_prefix for ref in refs if ref.free_prefix})
    raise UserFault(
        Code.BAD_ARGUMENT,
        N_("'{code}' of '{table}' is not a code that a province or city may add."),
        N_("Take one of a reserved range ({ranges}; a point is any digit), or a table that begins with: {prefixes}."),
        code=code,
        table=of,
        ranges=", ".join(ranges),
        prefixes=", ".join(prefixes),
    )


def _unknown(of: str, code: str) -> UserFault:
    return UserFault(
        Code.BAD_ARGUMENT,
        N_("This node has no code '{code}' of '{table}' of its own making."),
        N_("`tiersync codes list TABLE` lists the codes of a table; who wrote a code changes it."),
        code=code,
        table=of,
    )
