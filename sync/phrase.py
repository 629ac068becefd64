"""Words about a reason that every reader sees in a language of his own: a form, and what it is about.

Receivers tell an origin a form and arguments, never a finished sentence (protocol section 9): so a node that speaks
Chinese says in Chinese what one that speaks English refused. A form is English with {} for each argument, and the key
under which the words of other languages are found; a form that is not known there is shown as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, repeat

from sync import limits

_PLACE = "{}"
_SEPARATOR = "\x1f"


class Phrase(str):
    """The English sentence, which knows its form and its arguments. What exceeds the bounds is cut off."""

    __slots__ = ("arguments", "form")
    form: str
    arguments: tuple[str, ...]

    def __new__(cls, form: str, *arguments: object) -> Phrase:
        """A phrase whose form came from a peer is as harmless as any text: {} is all that has a meaning in it."""
        form = form[: limits.DETAIL_CHARACTERS_MAX]
        said = tuple(str(argument)[: limits.ARGUMENT_CHARACTERS_MAX] for argument in arguments[: limits.ARGUMENTS_MAX])
        phrase = super().__new__(cls, _filled(form, said))
        phrase.form, phrase.arguments = form, said
        return phrase

    def spoken(self, translate: Callable[[str], str]) -> str:
        """The sentence by the form that `translate` gives for the English one."""
        return _filled(translate(self.form), self.arguments) if self.form else ""

    @property
    def words(self) -> tuple[str, ...]:
        """Form and arguments: what Phrase(*words) is made of again."""
        return self.form, *self.arguments

    def packed(self) -> str:
        """As one text that `unpacked` reads again: for columns and fields that hold one text."""
        return _SEPARATOR.join(part.replace(_SEPARATOR, " ") for part in self.words)


def as_phrase(text: str) -> Phrase:
    """A text that may be a phrase already; any other is a form without arguments."""
    return text if isinstance(text, Phrase) else Phrase(text)


def unpacked(text: str) -> Phrase:
    """The inverse of Phrase.packed."""
    return Phrase(*text.split(_SEPARATOR))


def _filled(form: str, arguments: tuple[str, ...]) -> str:
    first, *parts = form.split(_PLACE)
    # A place that lacks its argument keeps its braces.
    return first + "".join(place + part for place, part in zip(chain(arguments, repeat(_PLACE)), parts, strict=False))
