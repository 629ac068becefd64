"""`tiersync`, and `python -m node`."""

from __future__ import annotations

from node.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
