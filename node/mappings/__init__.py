"""Built-in mappings (package data): TOML files, the lookup tables beside them, and how to read both."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Names of the built-in mappings."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def text(name: str) -> str:
    """The TOML text of a built-in mapping. Raises FileNotFoundError."""
    return (FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def read_table(name: str) -> bytes:
    """A file that a built-in mapping names. Raises FileNotFoundError; a name never leads out of the folder."""
    return (FOLDER / Path(name).name).read_bytes()
