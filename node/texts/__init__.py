"""Texts for people: gettext domain `tiersync`, English in the code, Chinese in the catalogue.

Language: TIERSYNC_LANG, else LC_ALL, LC_MESSAGES, LANG, else Chinese. Both languages can be used in one
process (`translator("zh")`), because refusals show both. A table marks its texts with `N_` and translates
when it prints.
"""

from __future__ import annotations

import gettext as _gettext
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, get_args

from sync.phrase import Phrase

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
DOMAIN = "tiersync"
LOCALES = Path(__file__).with_name("locale")
_VARIABLES = ("TIERSYNC_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def language_of(environ: Mapping[str, str]) -> Language:
    """The language that an environment asks for. 'C' and 'POSIX' say nothing, so they mean Chinese too."""
    for variable in _VARIABLES:
        asked = environ.get(variable, "").strip().lower()
        if asked.startswith("zh"):
            return "zh"
        if asked.startswith("en"):
            return "en"
        if asked and asked.partition(".")[0] not in ("c", "posix"):
            return "en"
    return "zh"


@dataclass(frozen=True, slots=True)
class Translator:
    """The texts of one language."""

    language: Language
    _catalogue: _gettext.NullTranslations = field(repr=False)

    def gettext(self, message: str) -> str:
        """The text for an English message; the message itself if the catalogue lacks it."""
        return self._catalogue.gettext(message) if message else ""

    def ngettext(self, one: str, many: str, count: int) -> str:
        """The text for a number of things."""
        return self._catalogue.ngettext(one, many, count)

    def __call__(self, message: str) -> str:
        return self.gettext(message)


@lru_cache(maxsize=len(LANGUAGES))
def translator(language: Language) -> Translator:
    """The translator of a language. Raises FileNotFoundError if the installation lacks its compiled
    catalogue.
    """
    if language == "en":
        return Translator(language, _gettext.NullTranslations())
    compiled = LOCALES / "zh_CN" / "LC_MESSAGES" / f"{DOMAIN}.mo"
    with compiled.open("rb") as source:
        return Translator(language, _gettext.GNUTranslations(source))


class _Chosen:
    """The language this process speaks to its user; set once by the entry point."""

    __slots__ = ("language",)

    def __init__(self) -> None:
        self.language: Language | None = None


_chosen = _Chosen()


def use(language: Language) -> None:
    """Chooses the language of `_` and `ngettext` for this process."""
    _chosen.language = language


def use_environment(environ: Mapping[str, str]) -> Language:
    """Chooses the language that the environment asks for, and says which."""
    use(language_of(environ))
    return current().language


def current() -> Translator:
    """The translator of the chosen language; Chinese until one is chosen."""
    return translator(_chosen.language or "zh")


def _(message: str) -> str:
    """An English message in the chosen language."""
    return current().gettext(message)


def ngettext(one: str, many: str, count: int) -> str:
    """A message about a number of things in the chosen language."""
    return current().ngettext(one, many, count)


def N_(message: str) -> str:  # noqa: N802 - the name that gettext tools look for
    """Marks a text for the catalogue and leaves it as it is: for tables that are translated when shown."""
    return message


@dataclass(frozen=True, slots=True, init=False)
class Text:
    """A message with its fields, not yet in any language. `{name}` in the message stands for a field, `{{` for a brace.

    Fields may be Texts, or tuples of them (joined by line breaks), and are then said in the same language.
    """

    message: str
    fields: Mapping[str, object]

    def __init__(self, message: str, /, **fields: object) -> None:
        object.__setattr__(self, "message", message)
        object.__setattr__(self, "fields", fields)

    def say(self, to: Translator | None = None) -> str:
        """The text in a language (the chosen one if none is given)."""
        speaker = to or current()
        template = speaker.gettext(self.message)
        try:
            return template.format(**{name: _said(value, speaker) for name, value in self.fields.items()})
        except (LookupError, ValueError):  # a template with stray braces: better shown raw than not at all
            return template

    def both(self) -> dict[str, str]:
        """{'zh': ..., 'en': ...}: for refusals and audit, which show both."""
        return {language: self.say(translator(language)) for language in LANGUAGES}

    def __str__(self) -> str:
        return self.say(translator("en"))


class Titled(Text):
    """A title that stands in a declaration, in both languages: the catalogue of texts does not know it."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__("{en}", zh=zh, en=en)

    def say(self, to: Translator | None = None) -> str:
        """As Text.say."""
        return str(self.fields[(to or current()).language])


def listed(parts: Iterable[Text]) -> Text:
    """Several texts with commas between them, as one field of another."""
    found = {f"part{number}": part for number, part in enumerate(parts)}
    return Text(", ".join(f"{{{name}}}" for name in found), **found)


def _said(value: object, to: Translator) -> object:
    if isinstance(value, Exception) and value.args:
        value = value.args[0]
    if isinstance(value, Text):
        return value.say(to)
    if isinstance(value, Phrase):
        return value.spoken(to.gettext)
    if isinstance(value, tuple) and all(isinstance(part, Text) for part in value):
        return "\n".join(part.say(to) for part in value)
    return value
