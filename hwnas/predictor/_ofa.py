"""Accuracy predictors that Once-for-All released (Cai et al. 2020): perceptrons on one-hot genes.

``acc_predictor.pth`` belongs to ``ofa_mbv3_w1.2``. Its inputs are 20 kernels, 20 expansions and 8 resolutions (112..224 in steps
of 16); it was trained on 160..224. ``ofa_resnet50_acc_predictor.pth`` belongs to ``ofa_resnet50``. Its inputs are 8 resolutions,
the stem layer, 6 widths and 18 expansions. Files are read with ``weights_only``, and numpy evaluates the network.
"""

from __future__ import annotations

import itertools
import pickle
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import PredictorError
from hwnas.predictor._base import Arrays, Card, Predictor, Vector
from hwnas.predictor._effects import effects_of
from hwnas.space import Population, SearchSpace

_BLOCK = 256
"""Rows predicted at once. The memory of larger hidden layers would be freed and allocated again for each block."""

_NEGLIGIBLE = 1e-30
"""Smaller weights are set to zero: the released files hold many denormals, which slow arithmetic down."""

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class _Layout:
    """Inputs of a released network, in order.

    Attributes:
        genes: names of genes, or arch keys for all genes of that key. There is one input per choice, except for ``r``.
        resolutions: of the inputs of ``r``.
        trained: the smallest and largest resolution in training.
        title: name of the released file.
    """

    genes: tuple[str, ...]
    resolutions: tuple[int, ...]
    trained: tuple[int, int]
    title: str


_LAYOUTS: Mapping[str, _Layout] = {
    "ofa_mbv3_w1.2": _Layout(("ks", "e", "r"), tuple(range(112, 225, 16)), (160, 224), "acc_predictor.pth"),
    "ofa_resnet50": _Layout(
        ("r", "d[0]", "w", "e"), (128, 144, 160, 176, 192, 224, 240, 256), (128, 256), "ofa_resnet50_acc_predictor.pth"
    ),
}


class OfaNet(Predictor):
    """``ofa-net``: a released network. ``predict_std`` is NaN."""

    kind = "ofa-net"

    @classmethod
    def read(cls, path: Path, space: SearchSpace) -> OfaNet:
        """The network of a released ``.pth`` file.

        Raises:
            PredictorError: the file is not such a network, holds Python objects, or belongs to another space.
        """
        net = cls(space)
        layout = net._layout()
        tensors = _tensors(path)
        weights = [t.T for name, t in tensors.items() if name.endswith("weight") and t.ndim == 2]
        biases = [t for name, t in tensors.items() if name.endswith("bias")]
        if "base_acc" in tensors:  # the bias of the last layer
            biases.append(tensors["base_acc"])
        chained = all(a.shape[1] == b.shape[0] for a, b in itertools.pairwise(weights))
        shapes = [b.shape for b in biases] == [(w.shape[1],) for w in weights]
        if not weights or not chained or not shapes or weights[-1].shape[1] != 1:
            raise PredictorError(f"file {path}", "it is no perceptron with one output", f"pass OFA's {layout.title}")
        n_inputs = sum(len(inputs) for _, inputs in net._inputs())
        if len(weights[0]) != n_inputs:
            raise PredictorError(
                f"file {path}, of {len(weights[0])} inputs",
                f"a predictor of {space.name} has {n_inputs}",
                f"name its space ({', '.join(f'{name} for {known.title}' for name, known in _LAYOUTS.items())})",
            )
        resolutions = space.genes[space.groups["r"][0]].choices
        low, high = layout.trained
        covered = [r for r in resolutions if r in layout.resolutions and low <= float(r) <= high]
        net.card = Card(covered={"r": covered}, notes=f"released by Once-for-All as {layout.title}")
        net._layers = list(zip(weights, biases, strict=True))
        net._compile()
        net.fitted = True
        return net

    def _layout(self) -> _Layout:
        if self.space.name not in _LAYOUTS:
            released = ", ".join(f"{known.title} of {name}" for name, known in _LAYOUTS.items())
            raise PredictorError(f"space {self.space.name}", f"OFA released {released}", "pass that space")
        return _LAYOUTS[self.space.name]

    def _inputs(self) -> list[tuple[int, Sequence[int | None]]]:
        """Gene columns in input order, and the choice of each of the gene's inputs (None if the space lacks it)."""
        layout, space = self._layout(), self.space
        inputs: list[tuple[int, Sequence[int | None]]] = []
        for name in layout.genes:
            for column in space.groups.get(name) or [c for c, g in enumerate(space.genes) if g.name == name]:
                choices = space.genes[column].choices
                if name == "r":
                    inputs.append((column, [choices.index(r) if r in choices else None for r in layout.resolutions]))
                else:
                    inputs.append((column, range(len(choices))))
        return inputs

    def _compile(self) -> None:
        """Rearrange the first layer to one row per choice of each gene, and drop units that are zero for every subnet."""
        first, bias = self._layers[0]
        rows, best, at = [], bias.astype(float), 0
        self._columns = [column for column, _ in self._inputs()]
        for column, inputs in self._inputs():
            gene = self.space.genes[column]
            table = np.zeros((len(gene.choices), first.shape[1]), np.float32)
            for choice in inputs:
                if choice is not None:
                    table[choice] = first[at]
                at += 1
            rows.append(table)
            best = best + np.maximum(table.max(axis=0), 0 if gene.controller is not None else -np.inf)
        sizes = [len(table) for table in rows]
        self._offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        starts = self.space.starts
        self._places = np.concatenate([np.arange(starts[c], starts[c + 1]) for c in self._columns])
        weights = [np.concatenate(rows), *(w for w, _ in self._layers[1:])]
        biases = [b for _, b in self._layers]
        for i in range(len(weights) - 1):
            alive = best > 0
            weights[i], biases[i], weights[i + 1] = weights[i][:, alive], biases[i][alive], weights[i + 1][alive]
            best = biases[i + 1] + np.maximum(weights[i + 1], 0).T @ best[alive]
        self._compiled = [(_flushed(w), _flushed(b)) for w, b in zip(weights, biases, strict=True)]

    def _predict(self, x: Population) -> Vector:
        blocks = [self._score(x[i : i + _BLOCK]) for i in range(0, len(x), _BLOCK)]
        return np.concatenate(blocks) if blocks else np.zeros(0)

    def _score(self, x: Population) -> Vector:
        weight, bias = self._compiled[-1]
        return (self._hidden(x)[-1] @ weight[:, 0]).astype(float) * 100 + float(bias[0]) * 100

    def _hidden(self, x: Population) -> list[Weights]:
        """Outputs of each hidden layer."""
        h = np.zeros((len(x), len(self._compiled[0][0])), np.float32)
        h[np.arange(len(x))[:, None], x[:, self._columns] + self._offsets] = self.space.active(x)[:, self._columns]
        found = []
        for weight, bias in self._compiled[:-1]:
            h = h @ weight
            h += bias
            np.maximum(h, 0, out=h)
            found.append(h)
        return found

    def _effects(self, x: Population) -> NDArray[np.float64]:
        """By back-propagation."""
        gradient = np.full((len(x), 1), 100, np.float32)
        for (weight, _), h in zip(self._compiled[:0:-1], self._hidden(x)[::-1], strict=True):
            gradient = gradient @ weight.T
            gradient *= h > 0
        slopes = np.zeros((len(x), self.space.starts[-1]))
        slopes[:, self._places] = gradient @ self._compiled[0][0].T
        return effects_of(self.space, x, slopes)

    def _predict_std(self, x: Population) -> Vector:
        return np.full(len(x), np.nan)

    def _fit(self, x: Population, y: Vector, variance: Vector) -> None:  # noqa: ARG002 - it refuses
        raise PredictorError(f"kind {self.kind!r}", "a released network is read, not fitted", "fit a gp, ridge or mlp")

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays: Arrays = {}
        for i, (weight, bias) in enumerate(self._layers):
            arrays |= {f"layer{i}.weight": weight, f"layer{i}.bias": bias}
        return arrays, {"layers": len(self._layers)}

    def _restore(self, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> None:
        layers = range(int(settings["layers"]))
        self._layers = [(arrays[f"layer{i}.weight"], arrays[f"layer{i}.bias"]) for i in layers]
        self._compile()


def _flushed(values: Weights) -> Weights:
    return np.ascontiguousarray(np.where(np.abs(values) < _NEGLIGIBLE, 0, values), dtype=np.float32)


def _tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """A state dict of plain tensors, as numpy arrays."""
    import torch  # only upstream's files need it

    refused = PredictorError(f"file {path}", "it is not a state dict of tensors", "pass OFA's released .pth file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        remedy = "check the path"
        raise PredictorError(f"file {path}", f"it cannot be read ({error.strerror or error})", remedy) from error
    except pickle.UnpicklingError as error:
        rule = "it is damaged, or holds Python objects, which are not read"
        raise PredictorError(f"file {path}", rule, "pass OFA's released .pth file") from error
    except (RuntimeError, EOFError, ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        raise refused from error
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(state, dict) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise refused
    return {str(name): tensor.detach().float().numpy() for name, tensor in state.items()}
