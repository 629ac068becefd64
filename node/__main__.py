"""`tiersync`, and `python -m node`."""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["main"]


def main() -> None:
    """The console script. A Ctrl-C that comes while the program is still being read waits until it can be answered."""
    if hasattr(signal, "pthread_sigmask"):  # not on Windows, where evidence is checked and nothing needs an orderly end
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    _occupy()
    from node.cli.main import main as program

    program()


def _occupy() -> None:
    """Where the caller closed stdin, stdout or stderr, /dev/null takes the place.

    Else the store or the audit could be opened there next, and what a library prints would go into it. What the user
    does not want to hear is silence then; that nothing can be read is told by node/reading.py.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # the lowest that is free is the one that `open` takes
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process lives
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as above


if __name__ == "__main__":
    main()
