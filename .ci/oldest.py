"""Print the oldest versions that pyproject.toml allows, as constraints for pip.

torch stays at the version of constraints.txt: its old builds on the package index bring gigabytes of CUDA.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEWEST = ("torch",)


def main() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    for requirement in declared:
        name, oldest = re.fullmatch(r"([\w.-]+)>=([\w.]+)", requirement).groups()
        sys.stdout.write(f"{name}=={pinned[name] if name in NEWEST else oldest}\n")


main()
