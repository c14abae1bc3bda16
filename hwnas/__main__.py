"""``python -m hwnas`` is the command line."""

from __future__ import annotations

from hwnas.cli import main

if __name__ == "__main__":
    main()
