"""The file of an unfinished run, from which a killed run resumes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from hwnas.errors import SupernetError
from hwnas.files import replacing
from hwnas.supernet._checkpoint import read_tensors, write_safetensors


@dataclass(frozen=True)
class State:
    """The state of a run.

    Attributes:
        step: number of steps done.
        weights: of the supernet, by name.
        optimizer: its state, see `optimizer_tensors`.
        teacher: weights of the frozen teacher; empty without one.
        best: score and parameters of the best epoch; None before the first.
        validated: accuracies of the subnets measured after the last epoch, by their names.
    """

    step: int
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    teacher: Mapping[str, Tensor]
    best: tuple[float, Mapping[str, Tensor]] | None
    validated: Mapping[str, float]

    def save(self, path: Path, run: Mapping[str, Any]) -> None:
        """Write the file, completely or not at all; ``run`` is everything that the run depends on."""
        metadata = {"run": json.dumps(run), "step": str(self.step), "validated": json.dumps(self.validated)}
        kinds = {"weights": self.weights, "optimizer": self.optimizer, "teacher": self.teacher}
        if self.best is not None:
            score, kinds["best"] = self.best
            metadata["best"] = repr(score)
        tensors = {f"{kind}:{name}": tensor for kind, group in kinds.items() for name, tensor in group.items()}
        with replacing(path) as part:
            write_safetensors(part, tensors, metadata)

    @classmethod
    def read(cls, path: Path, run: Mapping[str, Any]) -> State:
        """Read a state that :meth:`save` wrote.

        Raises:
            SupernetError: the file cannot be read, or is of another run.
        """
        tensors = read_tensors(path)
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        if json.loads(metadata.get("run", "{}")) != run:
            rule = "it is of a run with other settings"
            raise SupernetError(f"training state {path}", rule, "delete it, or use the same settings")
        kinds: dict[str, dict[str, Tensor]] = {"weights": {}, "optimizer": {}, "teacher": {}, "best": {}}
        for key, tensor in tensors.items():
            kind, _, name = key.partition(":")
            kinds[kind][name] = tensor
        best = kinds.pop("best")
        return cls(
            int(metadata["step"]),
            best=(float(metadata["best"]), best) if "best" in metadata else None,
            validated=json.loads(metadata["validated"]),
            **kinds,
        )
