"""Reading published latency tables, in which layers have their authors' names.

Three naming schemes are known: OFA's tutorial (``expanded_conv-...-expand:<channels>-...-hs:1``), ProxylessNAS
(``expand:<ratio>``, no squeeze-excite), and NSGANetV2's block table (``MBConv-...``, pooling not timed).
"""

from __future__ import annotations

import csv
import gzip
import math
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hwnas.errors import TableError
from hwnas.files import ends_in, files_in
from hwnas.latency.device._device import Device
from hwnas.latency.device._hardware import Hardware
from hwnas.latency.table._rows import Row
from hwnas.latency.table._table import LatencyTable
from hwnas.space import LayerSpec, SearchSpace, Shape
from hwnas.space.ops import Add, Conv
from hwnas.wording import first_few

_SUFFIXES = (".yaml", ".yml", ".csv", ".csv.gz")
_STEM = re.compile(r"(?:Conv|first_conv)-input:(\d+)x\1x3-")
_WRITTEN = "name a published table, or the result of a bundle"
_REMEDY = "name a published table, or restrict the space to what it has with --fix"

Times = Mapping[str, float]
"""Milliseconds by the authors' name of the layer."""


def read_published(path: str | os.PathLike[str], device: str, space: SearchSpace) -> LatencyTable:
    """The rows of ``space`` in a published table.

    Files of a folder may disagree on the layers they share, so their rows are bound to their resolution.

    Args:
        path: a ``.yaml``, ``.csv`` or ``.csv.gz`` file, or a folder with one such file per resolution.
        device: name of the device that was measured.
        space: resolutions that the table lacks are left out; at the others it must have every layer.

    Raises:
        TableError: the file is no such table, or layers have no row: names the first and their number.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", device):
        raise TableError(f"device {device!r}", "it names a folder: letters, digits, - _ .", "choose another --device")
    files = _files(Path(path))
    rows: list[Row] = []
    resolutions: list[Any] = []
    for file in files:
        times = _read(file)
        part = _part(space, times)
        if part is None:
            continue
        (found,) = part.input_values.values()
        if len(files) > 1 and len(found) > 1:
            raise TableError(f"{file}", "a file of a folder holds one resolution", "import the file by itself")
        resolutions += found
        context = f"r={found[0]}" if len(files) > 1 else ""
        rows += [Row(layer.key, ms, ms, ms, 0, layer.macs, context) for layer, ms in _looked_up(file, part, times)]
    if not rows:
        raise TableError(f"{path}", f"it has no resolution of {space.name}", _REMEDY)
    facts = {
        "fingerprint": space.fingerprint,
        "resolutions": sorted(resolutions),
        "method": "imported",
        "source": ", ".join(file.name for file in files),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return LatencyTable.of(Device(device, "", threads=0, hardware=Hardware(device)), rows, {space.name: facts})


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = files_in(path, *_SUFFIXES)
    if not files:
        what = f"it has no {', '.join(_SUFFIXES)} file" if path.is_dir() else "there is no such file or folder"
        raise TableError(f"{path}", what, _WRITTEN)
    return files


def _read(file: Path) -> dict[str, float]:
    """Milliseconds by layer name in a file.

    Raises:
        TableError: the file is neither YAML nor CSV with names and milliseconds, or a time is impossible.
    """
    import yaml

    try:
        raw = gzip.decompress(file.read_bytes()) if ends_in(file, ".gz") else file.read_bytes()
        text = raw.decode("utf-8")
        if ends_in(file, ".csv", ".csv.gz"):
            data: Any = _csv_means(file, text)
        else:
            data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, EOFError, zlib.error, ValueError, RecursionError, csv.Error, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TableError(f"{file}", f"it cannot be read ({reason})", _WRITTEN) from error
    if not isinstance(data, dict) or not data:
        raise TableError(f"{file}", "it does not hold layers by name", _WRITTEN)
    times = {}
    for name, value in data.items():
        mean = value.get("mean") if isinstance(value, dict) else value
        if isinstance(mean, bool) or not isinstance(mean, int | float) or not math.isfinite(mean) or mean < 0:
            raise TableError(
                f"{file}, {str(name)[:80]}", f"its mean is {str(mean)[:40]!r}", "it must be a latency in ms"
            )
        times[str(name)] = float(mean)
    return times


def _csv_means(file: Path, text: str) -> dict[str, float]:
    reader = csv.DictReader(text.splitlines(), strict=True)
    if not {"key", "mean_ms"} <= set(reader.fieldnames or ()):
        raise TableError(f"{file}", "its columns are not key and mean_ms", _WRITTEN)
    times: dict[str, float] = {}
    for row in reader:
        if row["key"] in times:
            raise TableError(f"{file}, line {reader.line_num}", f"{row['key']} is there twice", "delete one of the two")
        if row["mean_ms"] is None:
            raise TableError(f"{file}, line {reader.line_num}", "it has no mean_ms", "complete or delete it")
        times[row["key"]] = float(row["mean_ms"])
    return times


def _part(space: SearchSpace, times: Times) -> SearchSpace | None:
    """``space`` at the resolutions whose first convolution is in the table; None if there are none."""
    there = {int(match[1]) for match in map(_STEM.match, times) if match}
    if len(space.input_genes) != 1:
        raise TableError(f"space {space.name}", "published tables are read for spaces with a resolution", _REMEDY)
    ((name, values),) = space.input_values.items()
    kept = [value for value in values if value in there]
    return space.restrict(**{name: kept}) if kept else None


def _looked_up(file: Path, space: SearchSpace, times: Times) -> Iterator[tuple[LayerSpec, float]]:
    missing: dict[str, None] = {}
    pools_timed = any(name.startswith("AvgPool") for name in times)
    seen = set()
    for slot in space.slots:
        for _, layer in space.slot_layers(slot):
            if layer is None or layer.key in seen:
                continue
            seen.add(layer.key)
            names = _names(slot.name, layer)
            ms = next((times[name] for name in names if name in times), None)
            if ms is None and slot.name == "global_avg_pool" and not pools_timed:
                ms = 0.0
            if ms is None:
                missing.setdefault(names[0])
            else:
                yield layer, ms
    if missing:
        rule = f"it has no {first_few(missing, 1)} of the {len(seen)} layers of {space.name}"
        raise TableError(f"{file}", rule, _REMEDY)


def _names(slot: str, layer: LayerSpec) -> list[str]:
    """Names of a layer in the known schemes."""
    shapes = f"input:{_shape(layer.input_shape)}-output:{_shape(layer.output_shape)}"
    depthwise = next((op for op in layer.ops if isinstance(op, Conv) and op.name == "depthwise"), None)
    if depthwise is not None:
        channels, mid = layer.input_shape[0], depthwise.shape[0]
        kernel = f"kernel:{depthwise.kernel[0]}-stride:{depthwise.stride[0]}"
        skip = f"idskip:{int(any(isinstance(op, Add) for op in layer.ops))}"
        se = f"se:{int(any(op.name == 'se.pool' for op in layer.ops))}"
        hs = f"hs:{int(any(op.name.endswith('.hswish') for op in layer.ops))}"
        ratio = f"expand:{mid / channels:g}"
        names = [
            f"expanded_conv-{shapes}-expand:{mid}-{kernel}-{skip}-{se}-{hs}",
            f"MBConv-{shapes}-{ratio}-{kernel}-{skip}-{se}",
        ]
        # ProxylessNAS's names do not mention squeeze-excite, which its layers do not have.
        return names if se == "se:1" else [*names, f"expanded_conv-{shapes}-{ratio}-{kernel}-{skip}"]
    if slot == "classifier":
        return [f"Logits-{shapes}", f"classifier-input:{layer.input_shape[0]}-output:{layer.output_shape[0]}"]
    kinds = {
        "first_conv": ("Conv", "first_conv"),
        "final_expand_layer": ("Conv_1", "final_expand_layer"),
        "global_avg_pool": ("AvgPool2D",),
        "feature_mix_layer": ("Conv_2", "feature_mix_layer", "Conv_1"),
    }
    return [f"{kind}-{shapes}" for kind in kinds.get(slot, (slot,))]


def _shape(shape: Shape) -> str:
    return f"{shape[1]}x{shape[2]}x{shape[0]}" if len(shape) == 3 else str(shape[0])
