"""The script ``hwnas`` and ``python -m hwnas``."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line.

    Its modules take half a second to load, so Ctrl-C is handled here as well. SIGTERM (`kill`, `timeout`) acts like Ctrl-C, so
    that it cleans up too.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from hwnas.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
