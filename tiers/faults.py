"""Mistakes in declarations, collected so that a person sees all of them at once, each with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from sync.errors import LocalFault
from sync.phrase import Phrase, as_phrase

T = TypeVar("T")


class Mistake(NamedTuple):
    """One mistake: `path` is the text's name and the key path in it, e.g. 'case.toml: dataset.case.fields[3].type'."""

    path: str
    text: Phrase


class CatalogueFault(LocalFault):
    """Declarations that cannot be used. `mistakes` lists every one that was found."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(f"{m.path}: {m.text}" for m in mistakes))
        self.mistakes = tuple(mistakes)


class Table:
    """One declared table while it is read: each key is taken once; what nobody took is a mistake at `finish`."""

    __slots__ = ("_left", "mistakes", "path")

    def __init__(self, content: object, path: str, mistakes: list[Mistake]) -> None:
        self.path = path
        self.mistakes = mistakes
        self._left: dict[str, object] = {}
        if isinstance(content, Mapping):
            self._left = {str(k): v for k, v in content.items()}
        else:
            self.wrong("", Phrase("must be a table"))

    def wrong(self, key: str, text: str) -> None:
        """Notes a mistake at `key`."""
        self.mistakes.append(Mistake(self.at(key), as_phrase(text)))

    def _lacks(self, key: str, value: object, wanted: Phrase) -> None:
        self.wrong(key, Phrase("is missing") if value is None else wanted)

    def at(self, key: str) -> str:
        """The key path of `key` in this table; right below a text's name as 'site.toml: key'."""
        if not key:
            return self.path
        return f"{self.path} {key}" if self.path.endswith(":") else f"{self.path}.{key}"

    def raw(self, key: str) -> object:
        """The value as it stands; None if absent."""
        return self._left.pop(key, None)

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty; required when there is no default."""
        value = self._left.pop(key, None)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value.strip():
            self._lacks(key, value, Phrase("must be a text that is not empty"))
            return default or ""
        return value

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self._left.pop(key, default)
        if not isinstance(value, bool):
            self.wrong(key, Phrase("must be true or false"))
            return default
        return value

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number within bounds; required when there is no default."""
        value = self._left.pop(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self._lacks(key, value, Phrase("must be a whole number from {} to {}", least, most))
            return least
        return value

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """An array of distinct texts, at least one; required when there is no default."""
        value = self._left.pop(key, None)
        if value is None and default is not None:
            return default
        if not isinstance(value, list) or not value or not all(isinstance(v, str) and v for v in value):
            self._lacks(key, value, Phrase("must be an array of texts that is not empty"))
            return ()
        if len(set(value)) != len(value):
            self.wrong(key, Phrase("names something twice"))
        return tuple(dict.fromkeys(value))

    def choice(self, key: str, choices: Mapping[str, T], default: T | None = None) -> T | None:
        """One of the named choices; required when there is no default."""
        value = self._left.pop(key, None)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and value in choices:
            return choices[value]
        choose = Phrase("must be one of {}", ", ".join(choices))
        self.wrong(key, choose if value is not None else Phrase("is missing: one of {}", ", ".join(choices)))
        return default

    def tables(self, key: str) -> list[Table]:
        """An array of tables, perhaps empty."""
        value = self._left.pop(key, [])
        if not isinstance(value, list):
            self.wrong(key, Phrase("must be an array of tables"))
            return []
        return [Table(v, f"{self.at(key)}[{i}]", self.mistakes) for i, v in enumerate(value)]

    def named(self, key: str) -> list[tuple[str, Table]]:
        """A table of tables, by name, perhaps empty."""
        value = self._left.pop(key, {})
        if not isinstance(value, Mapping):
            self.wrong(key, Phrase("must be a table of tables"))
            return []
        return [(str(n), Table(v, f"{self.at(key)}.{n}", self.mistakes)) for n, v in value.items()]

    def finish(self) -> None:
        """Notes every key that nobody took: most often a misspelling."""
        for key in self._left:
            self.wrong(key, Phrase("is not known here"))
