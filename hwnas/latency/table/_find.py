"""Finding latency tables: below the working folder, and those that ship with hwnas."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hwnas.errors import TableError, UnknownNameError
from hwnas.graph import PRECISIONS
from hwnas.latency.device._device import Device
from hwnas.latency.table._device_file import DEVICE
from hwnas.latency.table._table import TABLE, LatencyTable
from hwnas.space import SearchSpace

FOLDER = "latency_tables"
_PACKAGE = Path(__file__).resolve().parents[2]


def table_folders() -> list[Path]:
    """Folders of tables, nearest first: in the working folder, in a checkout, in an installed wheel."""
    found = [Path.cwd() / FOLDER, _PACKAGE.parent / FOLDER, _PACKAGE / FOLDER]
    if not (_PACKAGE.parent / "pyproject.toml").is_file():  # site-packages/latency_tables would be somebody else's
        del found[1]
    return [folder for folder in dict.fromkeys(p.resolve() for p in found) if folder.is_dir()]


def table_paths() -> Iterator[Path]:
    """Folders of all tables; of tables with the same name, the nearest."""
    seen = set()
    for folder in table_folders():
        for path in sorted(folder.iterdir()):
            if path.name not in seen and (path / DEVICE).is_file():
                seen.add(path.name)
                yield path


def find_table(name: str | os.PathLike[str], precision: str | None = None) -> LatencyTable:
    """The table in a folder, or with a name below ``latency_tables/``.

    Args:
        name: of the table, its folder, or one of its files. Names of earlier versions, which end in a precision, are accepted.
        precision: of its answers; by default fp32, or else the first precision that it has.

    Raises:
        UnknownNameError: there is no such table; suggests the nearest.
        TableError: the table cannot be read.
    """
    path = Path(name)
    if path.name in (TABLE, DEVICE):
        path = path.parent
    if (path / DEVICE).is_file() or (path / TABLE).is_file():
        return LatencyTable.load(path, precision)
    known = {p.name: p for p in table_paths()}
    if str(name) in known:
        return LatencyTable.load(known[str(name)], precision)
    for suffix in PRECISIONS:
        renamed = next((p for p in known.values() if earlier_folder(p, suffix).name == str(name)), None)
        if renamed is not None:
            return LatencyTable.load(renamed, precision or suffix)
    if path.is_dir():
        raise TableError(f"{path}", f"it has no {TABLE} and {DEVICE}", "name the folder of a latency table")
    raise UnknownNameError("latency table", str(name), known)


def find_table_for(device: Device, space: SearchSpace | None = None, precision: str = "fp32") -> LatencyTable | None:
    """The nearest table made under a device's conditions that has rows of a precision, or None.

    Args:
        device: a device of this machine.
        space: the table must cover at least one of its resolutions.
        precision: of its answers.

    Raises:
        TableError: a table with that name cannot be read.
    """
    for folder in table_folders():
        for path in (folder / device.id, earlier_folder(folder / device.id, precision)):
            if not (path / DEVICE).is_file():
                continue
            table = LatencyTable.load(path, precision)
            has = _covers(table, space) if space is not None else precision in table.precisions
            if has and not table.device.differences(device):
                return table
    return None


def earlier_folder(folder: Path, precision: str) -> Path:
    """The folder in which earlier versions kept the rows of one precision: ``amd-epyc-avx512-cpu-t1-b1-int8``."""
    conditions, spinning, how = folder.name.partition("-spin-")
    return folder.with_name(f"{conditions}-{precision}{spinning}{how}")


def _covers(table: LatencyTable, space: SearchSpace) -> bool:
    try:
        table.covered(space)
    except TableError:
        return False
    return True
