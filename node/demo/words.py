"""What the demo says, in the language it is run in: the places, and how a line is put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from node.texts import N_, Text

_PLACES: Mapping[str, str] = {
    "nation": N_("the nation"),
    "province": N_("the province"),
    "hangzhou": N_("Hangzhou"),
    "ningbo": N_("Ningbo"),
    "shanghai": N_("Shanghai"),
}


def place(name: str) -> Text:
    """A node of the demo as people call it."""
    return Text(_PLACES.get(name, name))


def joined(parts: Iterable[Text]) -> Text:
    """Several things that were seen, one a line."""
    return Text("{parts}", parts=tuple(parts))


def plain(said: str) -> Text:
    """What is shown as it is: a program's own words, or a name."""
    return Text("{said}", said=said)
