"""The rows of the dataset admin_division (a proposal) as the built-in division codes have them.

Spans that were over before 1985 are left out: the data is not reliable there. So are the special administrative
regions, for which the dataset has no kind of unit. No row names the document that decided it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tiers.divisions import Change, Division, Divisions

OLDEST = "1980-12-31"
"""The day of the oldest table: of what stood there already, the first day is not known."""
RELIABLE_SINCE = "1985-01-01"
LEVELS = {1: "province", 2: "prefecture", 3: "county"}
_AS_NAMED = {
    1: (("自治区", "autonomous_region"), ("省", "province"), ("市", "municipality")),
    2: (("自治州", "autonomous_prefecture"), ("盟", "league"), ("地区", "prefecture"), ("行政区", "prefecture")),
    3: (
        ("自治县", "autonomous_county"),
        ("自治旗", "autonomous_banner"),
        ("林区", "forest_district"),
        ("特区", "special_district"),
        ("旗", "banner"),
        ("区", "district"),
        ("县", "county"),
    ),
}
_CITIES = {2: "prefecture_city", 3: "county_city"}
_SPECIAL = "特别行政区"


def rows(known: Divisions, today: str) -> Iterator[dict[str, str]]:
    """Each span as a row, by code and date; what is empty is left out."""
    for code in known.codes():
        for span in known.spans(code):
            over = bool(span.until) and span.until <= RELIABLE_SINCE
            if span.level and not over and not span.name.endswith(_SPECIAL):
                yield {name: value for name, value in _row(known, span, today).items() if value}


def _row(known: Divisions, span: Division, today: str) -> dict[str, str]:
    last = _last_day(span)
    parent = known.parent(span.code, last or today)
    above = parent.code if parent is not None and parent.level else ""
    keeper = known.keeper(span.code, last or today)
    successors = {c.new for c in known.changes(span.code) if _takes_over(c, span)}
    return {
        "code": span.code,
        "valid_from": span.since or OLDEST,
        "valid_to": last,
        "name": span.name,
        "level": LEVELS[span.level],
        "unit_type": unit_type(span),
        "parent_code": above,
        "administering_code": keeper if above and keeper != above else "",
        "successor_codes": ",".join(sorted(successors)),
    }


def _takes_over(change: Change, span: Division) -> bool:
    """Whether the new code of `change` took over what `span` was, or a part of it as it ended."""
    return bool(change.new) and change.old == span.code and bool(span.until) and change.date == span.until


def _last_day(span: Division) -> str:
    """The end of the year before the change; '' while it is in force."""
    return f"{int(span.until[:4]) - 1}-12-31" if span.until else ""


def unit_type(span: Division) -> str:
    """What sort of unit it is, by its name: the codes do not say it for all."""
    for ending, kind in _AS_NAMED[span.level]:
        if span.name.endswith(ending):
            return kind
    return _CITIES.get(span.level, "province")
