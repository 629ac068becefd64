"""Which format a file is read as: what was said wins over what its name suggests; its first bytes may contradict."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from node.faults import Code, UserFault
from node.texts import N_, Text

CSV: Final = "csv"
JSONL: Final = "jsonl"
XLSX: Final = "xlsx"
PARQUET: Final = "parquet"
FORMATS: Final = (CSV, JSONL, XLSX, PARQUET)
AUTO: Final = "auto"

_BY_SUFFIX: Final = {
    ".jsonl": JSONL,
    ".ndjson": JSONL,
    ".xlsx": XLSX,
    ".xlsm": XLSX,
    ".parquet": PARQUET,
    ".pq": PARQUET,
}
_ZIP: Final = b"PK\x03\x04"
_COMPOUND: Final = b"\xd0\xcf\x11\xe0"
_PARQUET: Final = b"PAR1"
MAGIC_BYTES: Final = 4


def checked(form: str) -> str:
    """A format as somebody named it, '' for none. Raises UserFault."""
    if form and form not in FORMATS:
        raise UserFault(
            Code.BAD_ARGUMENT,
            N_("'{value}' is not one of: {words}"),
            N_("Give one of these with --format, or leave it out."),
            value=form,
            words=", ".join(FORMATS),
        )
    return form


def by_name(path: Path) -> str:
    """The format that a file's name suggests; CSV when it suggests none."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return _BY_SUFFIX.get(suffixes[-1], CSV) if suffixes else CSV


def contradiction(form: str, first: bytes) -> Text | None:
    """Why a file that begins so is not of that format; None when it may be."""
    if first.startswith(_COMPOUND):
        return Text(N_("it is an old Excel workbook (.xls) or one with a password: save it as .xlsx without one"))
    if form == XLSX and not first.startswith(_ZIP):
        return Text(N_("it is not an Excel workbook (.xlsx)"))
    if form == PARQUET and not first.startswith(_PARQUET):
        return Text(N_("it is not a Parquet file"))
    if form in (CSV, JSONL) and first.startswith(_ZIP):
        return Text(N_("it is a zip archive; an Excel workbook is read with --format xlsx"))
    if form in (CSV, JSONL) and first.startswith(_PARQUET):
        return Text(N_("it is a Parquet file: read it with --format parquet"))
    return None
