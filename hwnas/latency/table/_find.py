"""Where latency tables are: below the working folder, and those that ship."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hwnas.errors import TableError, UnknownNameError
from hwnas.latency.device._device import Device
from hwnas.latency.table._table import DEVICE, TABLE, LatencyTable
from hwnas.space import SearchSpace

FOLDER = "latency_tables"
_PACKAGE = Path(__file__).resolve().parents[2]


def table_folders() -> list[Path]:
    """Folders that may hold tables, nearest first: the working folder's, a checkout's, an installed wheel's."""
    found = [Path.cwd() / FOLDER, _PACKAGE.parent / FOLDER, _PACKAGE / FOLDER]
    if not (_PACKAGE.parent / "pyproject.toml").is_file():  # site-packages/latency_tables would be somebody else's
        del found[1]
    return [folder for folder in dict.fromkeys(p.resolve() for p in found) if folder.is_dir()]


def table_paths() -> Iterator[Path]:
    """Folders of tables; of those that share a name, the nearest."""
    seen = set()
    for folder in table_folders():
        for path in sorted(folder.iterdir()):
            if path.name not in seen and (path / DEVICE).is_file():
                seen.add(path.name)
                yield path


def find_table(name: str | os.PathLike[str]) -> LatencyTable:
    """The table in a folder, or of a name below ``latency_tables/``.

    Raises:
        UnknownNameError: there is no such table; suggests the nearest.
        TableError: it cannot be read.
    """
    path = Path(name)
    if path.name in (TABLE, DEVICE):
        path = path.parent
    if (path / DEVICE).is_file() or (path / TABLE).is_file():
        return LatencyTable.load(path)
    known = {p.name: p for p in table_paths()}
    if str(name) in known:
        return LatencyTable.load(known[str(name)])
    if path.is_dir():
        raise TableError(f"{path}", f"it has no {TABLE} and {DEVICE}", "name the folder of a latency table")
    raise UnknownNameError("latency table", str(name), known)


def find_table_for(device: Device, space: SearchSpace | None = None) -> LatencyTable | None:
    """The nearest table made under a device's conditions, or None.

    Args:
        device: a device of this machine.
        space: the table must cover some resolution of it.

    Raises:
        TableError: a table of that name cannot be read.
    """
    for folder in table_folders():
        path = folder / device.id
        if not (path / DEVICE).is_file():
            continue
        table = LatencyTable.load(path)
        if not table.device.differences(device) and (space is None or _covers(table, space)):
            return table
    return None


def _covers(table: LatencyTable, space: SearchSpace) -> bool:
    try:
        table.covered(space)
    except TableError:
        return False
    return True
