"""The installed ``ofa`` package as an oracle, on a machine without torchvision, tqdm or a network.

``ofa`` is a test-only install (``pip install --no-deps ofa``). Importing it needs modules that parity
does not: they are stubbed while it is being imported and taken away again, so that no other test
sees them. Every function skips the calling test, saying why, where the package is absent.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import sys
import unittest
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import yaml

from hwnas.space import SearchSpace

STUBBED = (
    "torchvision",
    "torchvision.transforms",
    "torchvision.transforms.functional",
    "torchvision.datasets",
    "tqdm",
    "gdown",
)

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "ofa_mbv3_w1.0": ("OFAMobileNetV3", {"width_mult": 1.0}),
    "ofa_mbv3_w1.2": ("OFAMobileNetV3", {"width_mult": 1.2}),
    "ofa_proxyless_w1.3": ("OFAProxylessNASNets", {"width_mult": 1.3}),
    "ofa_resnet50": ("OFAResNets", {"width_mult_list": [0.65, 0.8, 1.0]}),
}
"""Upstream class and arguments of each of our spaces; the rest of the arguments follow from the class."""


class _Stub(ModuleType):
    """A module whose every attribute is an empty class, made when asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if f"{self.__name__}.{name}" in STUBBED:
            return sys.modules[f"{self.__name__}.{name}"]
        stub = type(name, (), {})
        setattr(self, name, stub)
        return stub


@contextmanager
def _stubs() -> Iterator[None]:
    """Stand-ins for the modules of ``STUBBED`` that are not installed, for the time of the block."""
    # torchvision is always stubbed: where its wheel does not match torch, importing it fails.
    missing = [name for name in STUBBED if name.startswith("torchvision") or importlib.util.find_spec(name) is None]
    before = {name: sys.modules.get(name) for name in missing}
    for name in missing:
        sys.modules[name] = _Stub(name)
    if "tqdm" in missing:
        vars(sys.modules["tqdm"])["tqdm"] = lambda iterable=(), **_: iterable
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


@functools.cache
def import_ofa(module: str = "ofa") -> ModuleType:
    """Import ``ofa`` or one of its submodules.

    Raises:
        unittest.SkipTest: the package is not installed (pytest reports a skip).
    """
    for package in ("ofa", "PIL"):
        if importlib.util.find_spec(package) is None:
            reason = f"parity needs the package {package!r}: pip install --no-deps {package}"
            raise unittest.SkipTest(reason)
    with _stubs():
        return importlib.import_module(module)


def supernet(space: str, seed: int = 0) -> Any:
    """Upstream's supernet of one of our spaces in eval mode, with nothing left at its initial value.

    Weights are random, and so are what a fresh network would leave trivial: batch-norm scales,
    shifts and running statistics, and the kernel transform matrices (identity when new).
    """
    networks = import_ofa("ofa.imagenet_classification.elastic_nn.networks")
    class_name, arguments = NETWORKS[space]
    elastic: dict[str, Any] = (
        {"depth_list": [0, 1, 2], "expand_ratio_list": [0.2, 0.25, 0.35]}
        if class_name == "OFAResNets"
        else {"ks_list": [3, 5, 7], "expand_ratio_list": [3, 4, 6], "depth_list": [2, 3, 4]}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = getattr(networks, class_name)(dropout_rate=0, **elastic, **arguments)
        randomise(net)
    return net.eval()


def randomise(net: Any) -> None:
    """Fill every tensor with random values, in place, so that each has a visible effect on the logits.

    torch's default initialisation shrinks the signal layer by layer: the logits of all subnets would
    agree to four digits, and hide mistakes.
    """
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if name.endswith("weight") and tensor.ndim > 1:
                gain = 2.0 if tensor.ndim == 4 and ".conv3." not in name else 0.5
                tensor.normal_(0, (gain / tensor[0].numel()) ** 0.5)
            elif name.endswith("_matrix"):
                tensor.add_(torch.randn_like(tensor), alpha=0.1)
            elif name.endswith("running_var"):
                tensor.uniform_(0.5, 2.0)
            elif name.endswith("bn.weight"):
                tensor.uniform_(0.7, 1.3)
            elif name.endswith(("running_mean", "bias")):
                tensor.normal_(0, 0.1)


def activate(net: Any, arch: Mapping[str, Any]) -> Any:
    """Make ``arch`` (one of ours; its resolution is ignored) the active subnet of an upstream supernet."""
    net.set_active_subnet(**{key: list(value) for key, value in arch.items() if key != "r"})
    return net


def active_subnet(net: Any, arch: Mapping[str, Any]) -> Any:
    """Upstream's extracted subnet of ``arch`` in eval mode, with inherited weights."""
    return activate(net, arch).get_active_subnet(preserve_weight=True).eval()


def net_config(net: Any, arch: Mapping[str, Any]) -> dict[str, Any]:
    """Upstream's config of the subnet ``arch``."""
    config: dict[str, Any] = activate(net, arch).get_active_net_config()
    for layer in config.get("input_stem", []):
        if "shortcut" in layer:  # upstream leaves a module here, where every other entry is a dict
            layer["shortcut"] = layer["shortcut"].config
    return config


def count_macs(net: Any, arch: Mapping[str, Any]) -> int:
    """Upstream's own count of multiply-accumulates of ``arch`` at its resolution, from its net config."""
    models = import_ofa("ofa.nas.efficiency_predictor")
    tables = {
        "OFAMobileNetV3": models.MBv3LatencyTable,
        "OFAProxylessNASNets": models.ProxylessNASLatencyTable,
        "OFAResNets": models.ResNet50LatencyTable,
    }
    millions: float = tables[net.name()].count_flops_given_config(net_config(net, arch), arch["r"])
    return round(millions * 1e6)


@contextmanager
def _safe_yaml(module: ModuleType) -> Iterator[None]:
    """Let upstream's ``yaml.load(fp)`` run with PyYAML >= 6, which asks for a loader."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    shim = ModuleType("yaml")
    vars(shim)["load"] = functools.partial(yaml.load, Loader=loader)
    original = module.__dict__["yaml"]
    module.__dict__["yaml"] = shim
    try:
        yield
    finally:
        module.__dict__["yaml"] = original


def latency_estimator(yaml_path: Path | str) -> Any:
    """The tutorial's estimator over one table of the w1.2 space.

    ``.predict_network_latency_given_spec(spec)`` with ``spec`` from :func:`tutorial_spec` gives ms.
    """
    module = import_ofa("ofa.tutorial.latency_table")
    with _safe_yaml(module):
        return module.LatencyEstimator(url=str(yaml_path))


def note10_table(folder: Path | str, resolutions: tuple[int, ...] = (160, 176, 192, 208, 224)) -> Any:
    """The tutorial's whole latency model: ``.predict_efficiency(spec)`` in ms."""
    module = import_ofa("ofa.tutorial.latency_table")
    table = object.__new__(module.LatencyTable)  # its constructor downloads
    table.latency_tables = {r: latency_estimator(Path(folder) / f"{r}_lookup_table.yaml") for r in resolutions}
    return table


def lookup_table(space: str, yaml_path: Path | str) -> Any:
    """Upstream's general latency table; ``.predict_network_latency_given_config(config, r)`` gives ms.

    ``config`` is ``activate(net, arch).get_active_net_config()``.
    """
    module = import_ofa("ofa.nas.efficiency_predictor.latency_lookup_table")
    kind = "ProxylessNASLatencyTable" if "proxyless" in space else "MBv3LatencyTable"
    with _safe_yaml(module):
        return getattr(module, kind)(url=str(yaml_path))


def at_width_1(config: dict[str, object], space: SearchSpace, row: np.ndarray) -> dict[str, object]:
    """Upstream's config with the channels of our layers: its supernet comes in width 1.3 only."""
    layers = dict(space.network(row))
    config["first_conv"]["out_channels"] = layers["first_conv"].output_shape[0]  # type: ignore[index]
    blocks = [layer for slot, layer in layers.items() if slot.startswith("blocks.")]
    for block, layer in zip(config["blocks"], blocks, strict=True):  # type: ignore[call-overload]
        block["mobile_inverted_conv" if "mobile_inverted_conv" in block else "conv"].update(
            in_channels=layer.input_shape[0], out_channels=layer.output_shape[0]
        )
    config["feature_mix_layer"].update(  # type: ignore[attr-defined]
        in_channels=layers["feature_mix_layer"].input_shape[0],
        out_channels=layers["feature_mix_layer"].output_shape[0],
    )
    config["classifier"]["in_features"] = layers["classifier"].input_shape[0]  # type: ignore[index]
    return config


def accuracy_predictor(pth_path: Path | str) -> Any:
    """The tutorial's accuracy predictor of the w1.2 space on the CPU.

    ``.predict_accuracy([spec, ...])`` gives an ``(n, 1)`` tensor of top-1 as fractions.
    """
    module = import_ofa("ofa.tutorial.accuracy_predictor")
    predictor = module.AccuracyPredictor(pretrained=False, device="cpu")
    predictor.model.load_state_dict(torch.load(pth_path, map_location="cpu", weights_only=True))
    return predictor


def resnet_accuracy_predictor(pth_path: Path | str) -> Any:
    """Upstream's accuracy predictor of the ResNet50 space on the CPU, ``.predict_acc([arch, ...])``.

    An arch here names its resolution ``image_size``; the resolutions are those of upstream's notebook
    (208 is not among them).
    """
    module = import_ofa("ofa.nas.accuracy_predictor")
    state = torch.load(pth_path, map_location="cpu", weights_only=True)
    state = state.get("state_dict", state)
    encoder = module.ResNetArchEncoder(image_size_list=[128, 144, 160, 176, 192, 224, 240, 256])
    layers = sorted({key.rsplit(".", 1)[0] for key in state if key.endswith("weight")})
    hidden = state[f"{layers[0]}.weight"].shape[0]
    predictor = module.AccuracyPredictor(encoder, hidden, len(layers) - 1, device="cpu")
    predictor.load_state_dict(state)
    return predictor.eval()


def tutorial_spec(arch: Mapping[str, Any]) -> dict[str, Any]:
    """One of our archs as the tutorial writes it: fresh lists, the resolution in a list of its own."""
    return {"wid": None, "ks": list(arch["ks"]), "e": list(arch["e"]), "d": list(arch["d"]), "r": [arch["r"]]}


def evolution_finder(latency_ms: float, efficiency: Any, accuracy: Any, **options: Any) -> Any:
    """The tutorial's evolutionary search under a latency budget; ``.run_evolution_search()``.

    It draws from the global generators of ``random`` and ``numpy.random``: seed both.
    """
    module = import_ofa("ofa.tutorial.evolution_finder")
    return module.EvolutionFinder("note10", latency_ms, efficiency, accuracy, **options)


def count_params(net: Any, arch: Mapping[str, Any]) -> int:
    """Parameters of the modules upstream builds for the subnet ``arch``."""
    total = 0
    for part in net_config(net, arch).values():
        for layer in part if isinstance(part, list) else [part]:
            if isinstance(layer, dict) and "name" in layer:
                total += _layer_params(json.dumps(layer))
    return total


@functools.cache
def _layer_params(config: str) -> int:
    layers = import_ofa("ofa.utils.layers")
    with torch.device("meta"):  # shapes without memory
        return sum(p.numel() for p in layers.set_layer_from_config(json.loads(config)).parameters())
