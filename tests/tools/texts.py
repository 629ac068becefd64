"""Extracts, updates and compiles the texts; with --check fails when they are stale or a Chinese text is
missing.

After a change to an English text: run this, write the Chinese into
node/texts/locale/zh_CN/LC_MESSAGES/tiersync.po,
run it again, commit both files.
"""

from __future__ import annotations

import datetime as dt
import io
import string
import sys
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "node" / "texts" / "locale" / "zh_CN" / "LC_MESSAGES"
PO, MO = FOLDER / "tiersync.po", FOLDER / "tiersync.mo"
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "Phrase": (1,),
}
METHODS = [("**.py", "python"), ("**.html", "jinja2")]
FOLDERS = ("node", "sync", "tiers", "certs")
LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)  # a date in the header would make every run a change


def _empty() -> Catalog:
    catalog = Catalog(
        locale="zh_CN",
        domain="tiersync",
        project="tiersync",
        version="1",
        creation_date=LONG_AGO,
        revision_date=LONG_AGO,
        last_translator="tiersync",
        language_team="tiersync",
        copyright_holder="tiersync",
        msgid_bugs_address="",
        fuzzy=False,
        header_comment="# Chinese texts. Made by tests/tools/texts.py; write only the msgstr lines.",
    )
    return catalog


def extracted() -> dict[str | tuple[str, ...], set[str]]:
    """Message id (or singular and plural) -> the files that use it."""
    found: dict[str | tuple[str, ...], set[str]] = {}
    for folder in FOLDERS:
        for name, _line, message, _comments, _context in extract_from_dir(
            ROOT / folder, method_map=METHODS, keywords=KEYWORDS, comment_tags=()
        ):
            if message and message != ("",):
                found.setdefault(message, set()).add(f"{folder}/{name}")
    return found


def kept() -> dict[str, str | tuple[str, ...]]:
    """Texts written so far, by message id (the singular)."""
    if not PO.is_file():
        return {}
    with PO.open("rb") as source:
        catalog = read_po(source, locale="zh_CN", domain="tiersync")
    return {_id(message): _string(message) for message in catalog if message.id}


def _id(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _string(message: Message) -> str | tuple[str, ...]:
    text = message.string
    return text if isinstance(text, str) else tuple(text)


def build() -> Catalog:
    """The catalogue as it should be: what the code says, with the Chinese written so far."""
    texts = kept()
    catalog = _empty()
    for message, files in sorted(extracted().items(), key=lambda item: str(item[0])):
        singular = message if isinstance(message, str) else message[0]
        blank: str | tuple[str, ...] = "" if isinstance(message, str) else ("",)
        catalog.add(
            message,
            string=texts.get(singular, blank),
            locations=[(name, 0) for name in sorted(files)],
            flags=["python-brace-format"] if "{" in singular else [],
        )
    return catalog


def po_bytes(catalog: Catalog) -> bytes:
    """The readable file. No line numbers, so that moving code changes nothing here."""
    out = io.BytesIO()
    write_po(out, catalog, width=110, include_lineno=False, sort_output=False)
    return out.getvalue()


def mo_bytes(catalog: Catalog) -> bytes:
    """The compiled file."""
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def missing(catalog: Catalog) -> list[str]:
    """English texts without a Chinese one."""
    return [_id(m) for m in catalog if m.id and not all((m.string,) if isinstance(m.string, str) else m.string)]


def unlike(catalog: Catalog) -> list[str]:
    """English texts whose Chinese names other fields in braces: formatting would fail or lose something."""
    return [_id(m) for m in catalog if m.id and any(_fields(text) != _fields(_id(m)) for text in _texts(m))]


def _texts(message: Message) -> tuple[str, ...]:
    return tuple(t for t in ((message.string,) if isinstance(message.string, str) else message.string) if t)


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def main() -> int:
    """0 when everything is fresh (or was written) and no Chinese text is missing."""
    catalog = build()
    po, mo = po_bytes(catalog), mo_bytes(catalog)
    bad = 0
    if "--check" in sys.argv:
        pairs = ((PO, po), (MO, mo))
        stale = [str(p.relative_to(ROOT)) for p, want in pairs if not p.is_file() or p.read_bytes() != want]
        if stale:
            print("stale texts, run 'python tests/tools/texts.py':", *stale, sep="\n  ")
            bad = 1
    else:
        FOLDER.mkdir(parents=True, exist_ok=True)
        PO.write_bytes(po)
        MO.write_bytes(mo)
    for text in missing(catalog):
        print(f"no Chinese text: {text!r}")
        bad = 1
    for text in unlike(catalog):
        print(f"the Chinese text has other fields: {text!r}")
        bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
