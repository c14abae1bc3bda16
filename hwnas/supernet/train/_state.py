"""The file of an unfinished run, from which a killed one goes on."""

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
    """Where a run stands.

    Attributes:
        step: steps that are done.
        weights: of the supernet, by name.
        optimizer: its state, see `optimizer_tensors`.
        teacher: weights of the frozen teacher; empty without one.
        best: the score of the best epoch, and its parameters; None before the first.
        validated: what the last epoch's subnets reach, by their names.
    """

    step: int
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    teacher: Mapping[str, Tensor]
    best: tuple[float, Mapping[str, Tensor]] | None
    validated: Mapping[str, float]

    def save(self, path: Path, run: Mapping[str, Any]) -> None:
        """Write the file, whole or not at all; ``run`` is everything that the run depends on."""
        told = {"run": json.dumps(run), "step": str(self.step), "validated": json.dumps(self.validated)}
        kinds = {"weights": self.weights, "optimizer": self.optimizer, "teacher": self.teacher}
        if self.best is not None:
            score, kinds["best"] = self.best
            told["best"] = repr(score)
        tensors = {f"{kind}:{name}": tensor for kind, group in kinds.items() for name, tensor in group.items()}
        with replacing(path) as part:
            write_safetensors(part, tensors, told)

    @classmethod
    def read(cls, path: Path, run: Mapping[str, Any]) -> State:
        """What :meth:`save` wrote.

        Raises:
            SupernetError: it cannot be read, or is of another run.
        """
        tensors = read_tensors(path)
        with safe_open(path, "pt") as file:
            told = file.metadata() or {}
        if json.loads(told.get("run", "{}")) != run:
            raise SupernetError(
                f"training state {path}", "it is of a run with other settings", "delete it, or use the same settings"
            )
        kinds: dict[str, dict[str, Tensor]] = {"weights": {}, "optimizer": {}, "teacher": {}, "best": {}}
        for key, tensor in tensors.items():
            kind, _, name = key.partition(":")
            kinds[kind][name] = tensor
        best = (float(told["best"]), kinds.pop("best")) if "best" in told else None
        return cls(
            int(told["step"]),
            kinds["weights"],
            kinds["optimizer"],
            kinds["teacher"],
            best,
            json.loads(told["validated"]),
        )
