"""The script ``hwnas`` and ``python -m hwnas``: the command line, whose modules take half a second to load."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line; Ctrl-C while it loads gets its line too, and `kill` and `timeout` leave no more behind than
    Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from hwnas.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
