"""Reading a TOML table key by key, all mistakes noted with their key paths."""

from __future__ import annotations

from typing import Any

from node.faults import Mistakes
from node.texts import N_, Text


class Keys:
    """A TOML table while it is read: each key is taken once; what nobody took is a mistake at `done`."""

    def __init__(self, content: Any, where: str, mistakes: Mistakes) -> None:
        self.where = where
        self.mistakes = mistakes
        self._known: list[str] = []
        self._left: dict[str, Any] = {}
        if isinstance(content, dict):
            self._left = dict(content)
        else:
            self.wrong("", Text(N_("must be a table")))

    def names(self) -> list[str]:
        """The keys that nobody has taken yet."""
        return list(self._left)

    def path(self, key: str) -> str:
        """The key path of a key, as messages name it."""
        return ".".join(part for part in (self.where, key) if part)

    def wrong(self, key: str, problem: Text) -> None:
        """Notes a mistake at `key`."""
        self.mistakes.add(self.path(key), problem)

    def raw(self, key: str) -> Any:
        """The value as it stands; None if absent."""
        self._known.append(key)
        return self._left.pop(key, None)

    def text(self, key: str, default: str | None = None) -> str:
        """A text; required when there is no default."""
        value = self.raw(key)
        if isinstance(value, str):
            return value
        if value is not None:
            self.wrong(key, Text(N_("must be text in quotes")))
        elif default is None:
            self.wrong(key, Text(N_("is missing")))
        return default or ""

    def choice(self, key: str, words: tuple[str, ...], default: str) -> str:
        """One of the words."""
        value = self.text(key, default)
        if value not in words:
            self.wrong(key, Text(N_("'{value}' is not one of: {words}"), value=value, words=", ".join(words)))
            return default
        return value

    def number(self, key: str, low: int, high: int) -> int | None:
        """A whole number within bounds; None if absent."""
        value = self.raw(key)
        if value is None or (type(value) is int and low <= value <= high):
            return value
        self.wrong(key, Text(N_("must be a whole number from {low} to {high}"), low=low, high=high))
        return None

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self.raw(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.wrong(key, Text(N_("must be true or false without quotes")))
        return default

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A text or a list of texts; None if absent."""
        value = self.raw(key)
        if isinstance(value, str):
            return (value,)
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(value)
        if value is not None:
            self.wrong(key, Text(N_("must be a text or a list of texts")))
        return None

    def pairs(self, key: str) -> dict[str, str]:
        """A table of texts."""
        value = self.raw(key)
        if isinstance(value, dict) and all(isinstance(part, str) for part in value.values()):
            return dict(value)
        self.wrong(key, Text(N_('must be a table of texts such as {{ Call = "hotline" }}')))
        return {}

    def below(self, key: str) -> Keys | None:
        """The table under `key`; None if absent."""
        value = self.raw(key)
        return None if value is None else Keys(value, self.path(key), self.mistakes)

    def done(self) -> None:
        """Notes every key that nobody took."""
        for key in self._left:
            self.mistakes.unknown(self.path(key), key, self._known)
