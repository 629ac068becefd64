"""`tiersync`, and `python -m node`."""

from __future__ import annotations

import signal

__all__ = ["main"]


def main() -> None:
    """The console script. A Ctrl-C that comes while the program is still being read waits until it can be answered."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    from node.cli.main import main as program

    program()


if __name__ == "__main__":
    main()
