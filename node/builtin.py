"""What the program declares itself: datasets and publications, and how tasks move."""

from __future__ import annotations

from importlib import resources

_FOLDERS = ("catalogue", "flows/declared")


def builtin_texts() -> list[tuple[str, str]]:
    """(file name, TOML text) of every declaration, as Catalogue.build takes them."""
    return [text for folder in _FOLDERS for text in _texts(folder)]


def flow_texts() -> list[tuple[str, str]]:
    """Those of flows alone."""
    return _texts("flows/declared")


def _texts(folder: str) -> list[tuple[str, str]]:
    found = resources.files("tiers").joinpath(*folder.split("/"))
    return sorted((f.name, f.read_text("utf-8")) for f in found.iterdir() if f.name.endswith(".toml"))
