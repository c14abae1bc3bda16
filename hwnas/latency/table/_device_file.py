"""``device.json``: the device of a table, and facts about the profile of each precision and space."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwnas.errors import TableError
from hwnas.latency.device._device import Device

SCHEMA = 2
"""Tables of schema 1 hold one precision, which is part of the device. They can still be read."""

Facts = Mapping[str, Any]

DEVICE = "device.json"


@dataclass(frozen=True)
class DeviceFile:
    """The content of a ``device.json``.

    Attributes:
        device: the conditions of all rows.
        profiles: facts about each profile, by precision and space name.
        rows: number of rows of the table.
        only: in schema 1, whose rows have no precision, the precision of all rows; else None.
    """

    device: Device
    profiles: Mapping[str, Mapping[str, Facts]]
    rows: object
    only: str | None = None


def write_device(path: Path, device: Device, profiles: Mapping[str, Mapping[str, Facts]], rows: int) -> None:
    """Write the file.

    Args:
        path: of the file.
        device, profiles, rows: see `DeviceFile`.
    """
    data = {
        "schema": SCHEMA,
        "id": device.id,
        "device": device.to_json(),
        "rows": rows,
        "profiles": {precision: dict(spaces) for precision, spaces in profiles.items()},
    }
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def read_device(path: Path) -> DeviceFile:
    """Read the file.

    Raises:
        TableError: the file is missing or unreadable, has another schema version, or lacks expected fields.
    """
    data = _json(path)
    try:
        device = Device.from_json(data.get("device") or {})
    except TableError as error:
        raise TableError(f"{path}, {error.value}", error.rule, error.remedy) from error
    if data.get("schema") not in (1, SCHEMA):
        rule = f"its schema is {data.get('schema')!r}, this version of hwnas reads 1 and {SCHEMA}"
        raise TableError(f"{path}", rule, "profile again: hwnas profile")
    if data["schema"] == SCHEMA:
        return DeviceFile(device, _checked(data.get("profiles"), path), data.get("rows"))
    only = str(data["device"].get("precision", "fp32"))
    profiles = _checked({only: data.get("spaces")}, path)
    runtime = {"runtime": data["device"].get("runtime", "")}  # which schema 1 keeps with the device only
    with_runtime = {only: {name: {**runtime, **facts} for name, facts in profiles[only].items()}}
    return DeviceFile(device, with_runtime, data.get("rows"), only)


def _checked(profiles: object, path: Path) -> Mapping[str, Mapping[str, Facts]]:
    """The argument, if it holds facts by precision and space name."""
    by_precision = profiles.values() if isinstance(profiles, dict) else [None]
    for spaces in by_precision:
        if not isinstance(spaces, dict) or not all(isinstance(facts, dict) for facts in spaces.values()):
            raise TableError(f"{path}", "it does not describe its spaces", "profile again: hwnas profile")
    found: Mapping[str, Mapping[str, Facts]] = profiles  # type: ignore[assignment]
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TableError(f"{path.parent}", f"it has no {path.name}", "name the folder of a latency table") from None
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"{path}", f"it cannot be read ({error})", "profile again: hwnas profile") from error
    if not isinstance(data, dict):
        raise TableError(f"{path}", "it holds no JSON object", "profile again: hwnas profile")
    return data
