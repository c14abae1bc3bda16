"""Bundles: a zip of a few MB with everything that a device without hwnas needs to be profiled."""

from __future__ import annotations

import hashlib
import json
import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from typing import Any

import numpy as np

from hwnas import __version__
from hwnas.errors import DeviceError
from hwnas.files import replacing
from hwnas.graph import short_tables, weight_shapes
from hwnas.latency.boards._board import PLAN
from hwnas.latency.boards._layout import WEIGHTS, Layout, zeros
from hwnas.latency.device._device import Device
from hwnas.latency.device._provider import provider_of
from hwnas.latency.profiling._methods import (
    ALONE_SESSIONS,
    CALIBRATION,
    COVER_SESSIONS,
    IN_CONTEXT,
    ISOLATED,
    VALIDATION,
    networks_by_name,
)
from hwnas.latency.profiling._sizes import middle, usual_anchor
from hwnas.latency.profiling._subnets import Plan, Subnets, choose_subnets
from hwnas.latency.profiling._timer import model_of
from hwnas.latency.profiling._whole import WHOLE
from hwnas.latency.table._command import space_options
from hwnas.latency.timing._block import ROUNDS, SECONDS_PER_MODEL
from hwnas.latency.timing._measure import few_at_a_time
from hwnas.space import Network, Population, SearchSpace

FORMAT = 2

SCRIPTS = {
    "hwnas.latency.boards._board": "run.py",
    "hwnas.latency.timing._alone": "alone.py",
    "hwnas.latency.timing._loop": "loop.py",
    "hwnas.latency.device._facts": "facts.py",
}
"""Modules in the bundle, and their file names there."""

Stage = tuple[str, Mapping[str, Network], bool]
"""Name, networks by name, and whether nodes are timed."""

BLOCK_BYTES = 512 << 20
"""Most bytes of weights that are loaded at once; small boards have 1 GB."""


def bundled_device(name: str, *, threads: int = 1, batch: int = 1) -> Device:
    """A device of another machine, of which only the provider is known.

    Raises:
        UnknownNameError: there is no such provider; suggests the nearest.
        DeviceError: an option is impossible.
    """
    provider, index = provider_of(name)
    if threads < 1 or batch < 1:
        raise DeviceError(f"{threads} threads, batch {batch}", "both are at least 1", "use 1 or more")
    return Device(name, provider.name, provider.options(index, threads), threads=threads, batch=batch)


@dataclass(frozen=True)
class Bundle:
    """A written bundle: size of the zip in bytes, number of networks, and number of timings."""

    size: int
    networks: int
    timings: int


def write_bundle(
    path: str | os.PathLike[str],
    device: Device,
    space: SearchSpace,
    plan: Plan | None = None,
    *,
    precision: str = "fp32",
    rows: Population | None = None,
) -> Bundle:
    """Write models, plan and scripts for a device on which hwnas cannot be installed.

    Args:
        path: of the zip.
        device: from `bundled_device`.
        space: its domain is profiled.
        plan: how much is measured; by default as on this machine.
        precision: of the networks.
        rows: ``(n, g)`` canonical rows of subnets to measure, instead of profiling the space.

    Raises:
        UnknownNameError, DeviceError: the precision is unknown, or the device does not compute in it.
        DataError: the file cannot be written.
    """
    modelled = model_of(device, precision)
    plan = plan or Plan()
    if plan.method is None:
        plan = replace(plan, method="in-context" if device.known_provider.node_times else "isolated")
    contents, networks = _plan(device, space, plan, rows)
    contents["precision"] = precision
    anchor = space.network(np.array(contents["anchor"]["row"], dtype=np.int16))
    models = {name: short_tables(each, device.batch) for name, each in {"anchor": anchor, **networks}.items()}
    layout = Layout(models.values())
    contents["weights"] = {"file": WEIGHTS, "parts": layout.parts, "seed": plan.seed}
    with replacing(path) as part:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
            for name, network in models.items():
                model = modelled(network, weights=zeros(network))
                about = contents["anchor"] if name == "anchor" else contents["networks"][name]
                about["inputs"] = [vars(each) for each in model.inputs]
                _add(file, _file(name), layout.outside(model).SerializeToString())
            for module, name in SCRIPTS.items():
                _add(file, name, _script(module).encode())
            _add(file, PLAN, json.dumps(contents).encode())
        size = part.stat().st_size
    return Bundle(size, len(models), sum(len(block["networks"]) for block in contents["blocks"]))


def bundle_digest(path: str | os.PathLike[str]) -> str:
    """Digest of a bundle's plan: the same for the same content."""
    with zipfile.ZipFile(path) as file:
        return hashlib.sha256(file.read(PLAN)).hexdigest()[:16]


def _plan(
    device: Device, space: SearchSpace, plan: Plan, rows: Population | None
) -> tuple[dict[str, Any], dict[str, Network]]:
    """The plan without its weights, and networks by their short names."""
    if rows is None:
        # Of the whole space, so that bundles for parts of it have the same anchor.
        subnets, anchor = choose_subnets(space, plan), usual_anchor(space.whole, plan.seed)
        stages = _stages_of_profile(space, plan, subnets)
    else:
        subnets, anchor = Subnets(rows[:0], rows[:0], rows), middle(space, rows)
        stages = [(WHOLE, networks_by_name(space, rows), False)]
    named_networks = {name: network for _, networks, _ in stages for name, network in networks.items()}
    short = {name: f"n{i:04d}" for i, name in enumerate(named_networks)}
    contents = {
        "format": FORMAT,
        "hwnas": __version__,
        "space": {
            "name": space.name,
            "fingerprint": space.fingerprint,
            "domain": [d.tolist() for d in space.domain],
            **({"options": space_options(space)} if space.reference != space.name else {}),
        },
        "settings": asdict(plan),
        "subnets": {name: rows.tolist() for name, rows in vars(subnets).items()},
        "device": {
            **{k: v for k, v in device.to_json().items() if k not in ("hardware", "runtime", "pages")},
            "session_config": device.session_config,
            "memory": device.memory,
            "package": device.known_provider.package,
        },
        "timer": {"rounds": ROUNDS, "seconds_per_network": SECONDS_PER_MODEL},
        "anchor": {"row": anchor.tolist(), "file": _file("anchor")},
        "networks": {short[name]: {"name": name, "file": _file(short[name])} for name in short},
        "blocks": _blocks(stages, short, plan),
    }
    return contents, {short[name]: network for name, network in named_networks.items()}


def _blocks(stages: Sequence[Stage], short: Mapping[str, str], plan: Plan) -> list[dict[str, Any]]:
    """Groups of ``(network, session)`` that are measured together."""
    rng, blocks = np.random.default_rng([plan.seed, 2]), []
    for stage, networks, layers in stages:
        copies = 2 if layers else 1
        sizes = {name: copies * _weight_bytes(network) for name, network in networks.items()}
        for session in range({IN_CONTEXT: COVER_SESSIONS, ISOLATED: ALONE_SESSIONS}.get(stage, plan.sessions)):
            # A new order in each session, so that networks share blocks with others, and no block has one twice.
            names = rng.permutation(np.array(list(networks), dtype=object))
            blocks += [
                {"stage": stage, "layers": layers, "networks": [(short[name], session) for name in few]}
                for few in few_at_a_time(names, sizes.__getitem__, BLOCK_BYTES)
            ]
    return blocks


def _stages_of_profile(space: SearchSpace, plan: Plan, subnets: Subnets) -> list[Stage]:
    """The stages of a profile."""
    stages: list[Stage] = [(CALIBRATION, networks_by_name(space, subnets.calibration), False)]
    if plan.method == "in-context":
        stages.insert(0, (IN_CONTEXT, networks_by_name(space, subnets.cover), True))
    else:
        stages.append((ISOLATED, {key: [("layer", layer)] for key, layer in space.layers().items()}, False))
    stages.append((VALIDATION, networks_by_name(space, subnets.validation), False))
    return stages


def _weight_bytes(network: Network) -> int:
    return 4 * sum(math.prod(shape) for shape in weight_shapes(network).values())


def _file(name: str) -> str:
    return f"models/{name}.onnx"


def _add(file: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a file without a date, so that the same content gives the same bytes."""
    file.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def _script(module: str) -> str:
    """The source of a module, with its imports changed to the file names in the bundle."""
    package, _, name = module.rpartition(".")
    source = resources.files(package).joinpath(f"{name}.py").read_text(encoding="utf-8")
    for companion, file in SCRIPTS.items():
        source = source.replace(f"from {companion} import", f"from {file[:-3]} import")
    return source
