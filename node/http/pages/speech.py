"""The reader's language, and how times, spans and counts are said in it."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from node.http.problems import speaker
from node.texts import LANGUAGES, N_, Translator, translator

COOKIE: Final = "tiersync_lang"
ASKED: Final = "lang"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_UNITS: Final = ((86_400, N_("{count} d")), (3_600, N_("{count} h")), (60, N_("{count} min")), (1, N_("{count} s")))


def language_of(request: Request) -> Translator:
    """As the address asks, else as was chosen before, else as the browser prefers, else the node's own."""
    for asked in (request.query_params.get(ASKED), request.cookies.get(COOKIE)):
        for language in LANGUAGES:
            if asked == language:
                return translator(language)
    return speaker(request.scope)


@dataclass(frozen=True, slots=True)
class Speech:
    """What templates say things with."""

    to: Translator
    zone: str
    now_us: int

    def moment(self, when: int | str) -> str:
        """Microseconds since 1970, or ISO text, as the clock on the wall says; '' for none."""
        if not when:
            return ""
        try:
            at = dt.datetime.fromisoformat(when) if isinstance(when, str) else _EPOCH + dt.timedelta(microseconds=when)
            return at.astimezone(zoneinfo.ZoneInfo(self.zone)).strftime("%Y-%m-%d %H:%M:%S")
        except (OverflowError, ValueError):  # whoever signed it may have said anything
            return str(when)

    def span(self, us: int) -> str:
        """A length of time in its largest unit."""
        seconds = max(0, us) // 1_000_000
        for length, words in _UNITS:
            if seconds >= length or length == 1:
                return self.to(words).format(count=seconds // length)
        raise AssertionError

    def ago(self, us: int) -> str:
        """How long a moment lies back; '' for none."""
        return self.to(N_("{span} ago")).format(span=self.span(self.now_us - us)) if us else ""

    def left(self, when: str) -> str:
        """How long a moment is still ahead, or how long it is past; '' for none."""
        try:
            ends_us = int((dt.datetime.fromisoformat(when) - _EPOCH) / dt.timedelta(microseconds=1))
        except (OverflowError, ValueError, TypeError):  # whoever signed it may have said anything
            return ""
        words = N_("{span} left") if ends_us >= self.now_us else N_("for {span}")
        return self.to(words).format(span=self.span(abs(ends_us - self.now_us)))

    def share(self, part: float | None) -> str:
        """A share of one as a percentage, never rounded up to all of it; a dash where there is nothing to divide."""
        return "–" if part is None else f"{int(part * 1000 + 1e-9) / 10:g} %"

    def count(self, number: int | None) -> str:
        """A number with its thousands apart; a dash for what is not known."""
        return "–" if number is None else f"{number:,}"
