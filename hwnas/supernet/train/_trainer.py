"""Training a supernet: every subnet at once, in shared weights.

A run is a function of its settings and seed: what a step draws depends on the step number alone.
Its state (weights, momentum, frozen teacher) is written beside the result every so often, so that a
killed run resumes where it stood and ends with the same weights as an uninterrupted one.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from hwnas import __version__
from hwnas.errors import SupernetError
from hwnas.files import replacing
from hwnas.space import network_inputs
from hwnas.supernet._base import Supernet
from hwnas.supernet._calibration import Calibration
from hwnas.supernet._checkpoint import read_tensors, write_safetensors
from hwnas.supernet._execute import on
from hwnas.supernet.train._schedule import Schedule, StepPlan, Teacher, extremes, get_schedule
from hwnas.task import InputsAt, TrainingTask

Progress = Callable[[int, float], None]
"""Called after each step with the number of steps done and the loss of the step's first subnet."""

_STATE_VERSION = 2


@dataclass(frozen=True)
class TrainSettings:
    """All that a run depends on beside the supernet and its data.

    Attributes:
        epochs: passes over the training images.
        seed: of weights, images and subnets.
        schedule: ``"sandwich"`` or ``"shrinking"``.
        learning_rate: its peak; it rises linearly over the first ``rise`` of the steps, then falls by a cosine to 0.
        momentum, weight_decay: of SGD (Nesterov); only convolution and linear weights decay.
    """

    epochs: int = 400
    seed: int = 0
    schedule: str = "sandwich"
    learning_rate: float = 0.1
    rise: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 1e-4


class Trainer:
    """Trains one supernet.

    Args:
        supernet: its tensors are updated in place.
        data: training and calibration images.
        settings: see :class:`TrainSettings`.
        state_path: where the state of an unfinished run is kept; None keeps none.
        about: what else the run depends on, for provenance: its data.
        save_every: steps between two states.
        device: ``"cpu"``, where a run repeats bit for bit, or ``"cuda"``, where it does so nearly.

    Raises:
        SupernetError: ``state_path`` holds the state of another run.
    """

    def __init__(
        self,
        supernet: Supernet,
        data: TrainingTask,
        settings: TrainSettings,
        state_path: str | os.PathLike[str] | None = None,
        *,
        about: Mapping[str, Any] | None = None,
        save_every: int = 500,
        device: str = "cpu",
    ) -> None:
        self.supernet, self.data, self.settings = supernet, data, settings
        self.steps = settings.epochs * data.steps_per_epoch
        self.schedule: Schedule = get_schedule(settings.schedule, supernet.space, self.steps, settings.seed)
        self.state_path = Path(state_path) if state_path is not None else None
        self.save_every = save_every
        self.step = 0
        self.start = {"weights": supernet.digest, **(about or {})}
        self.teacher: Supernet | None = None
        self.device = torch.device(device)
        supernet.tensors = {name: tensor.detach().clone().to(self.device) for name, tensor in supernet.tensors.items()}
        self.parameters = supernet.parameters()
        self.optimizer = _sgd(self.parameters, settings)
        self.largest = extremes(supernet.space)[1]
        if self.state_path is not None and self.state_path.exists():
            self._resume(self.state_path)

    def run(self, progress: Progress | None = None) -> None:
        """Train to the end, then calibrate the largest subnet's batch norms and store them."""
        with deterministic(self.device):
            while self.step < self.steps:
                loss = self._train_step(self.schedule.plan(self.step))
                self.step += 1
                if progress is not None:
                    progress(self.step, loss)
                if self.state_path is not None and self.step % self.save_every == 0 and self.step < self.steps:
                    self._save(self.state_path)
        for tensor in self.parameters.values():
            tensor.requires_grad_(False)
        self._store_statistics()
        self.supernet.tensors = {name: tensor.cpu() for name, tensor in self.supernet.tensors.items()}

    def provenance(self) -> dict[str, str]:
        """What goes into the checkpoint's metadata: everything the weights depend on."""
        run = {**self._identity(), "steps": self.step, "hwnas": __version__, "torch": torch.__version__}
        return {"training": json.dumps(run)}

    # --- one step -----------------------------------------------------------------------------

    def _train_step(self, plan: StepPlan) -> float:
        images, labels = self.data.training_batch(self.step, self.settings.seed)
        labels = labels.to(self.device)
        if plan.teacher == "frozen" and self.teacher is None:
            self.teacher = self.supernet.alike({k: t.detach().clone() for k, t in self.supernet.tensors.items()})
        taught = self._frozen_logits(images) if plan.teacher == "frozen" else None
        losses = []
        for row, weight in zip(plan.rows, plan.weights, strict=True):
            logits = self._forward(self.supernet, row, images)
            loss = _loss(logits, labels, taught, plan.teacher)
            if plan.teacher == "in_place" and taught is None:
                taught = logits.detach()
            torch.autograd.backward(loss * weight)
            losses.append(loss.item())
        self._update()
        return losses[0]

    def _forward(self, supernet: Supernet, row: NDArray[Any], images: InputsAt) -> Tensor:
        specs = network_inputs(supernet.network(row))
        return supernet.forward(row, on(self.device, images(specs)), "train")

    def _frozen_logits(self, images: InputsAt) -> Tensor:
        assert self.teacher is not None
        with torch.no_grad():
            return self._forward(self.teacher, self.largest, images)

    def _update(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _learning_rate(self) -> float:
        rise = max(1, round(self.settings.rise * self.steps))
        if self.step < rise:
            return self.settings.learning_rate * (self.step + 1) / rise
        return self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (self.step - rise) / (self.steps - rise)))

    def _store_statistics(self) -> None:
        """The stored batch-norm statistics are the largest subnet's; others re-calibrate theirs."""
        calibration = Calibration()
        specs = network_inputs(self.supernet.network(self.largest))
        with torch.no_grad():
            for batch in self.data.calibration(specs):
                self.supernet.forward(self.largest, on(self.device, batch), calibration)
            for name, value in calibration.statistics().items():
                self.supernet.tensors[name][: len(value)] = value

    # --- state --------------------------------------------------------------------------------

    def _identity(self) -> dict[str, Any]:
        return {
            "version": _STATE_VERSION,
            "space": self.supernet.space.name,
            "fingerprint": self.supernet.space.fingerprint,
            "start": self.start,
            "settings": asdict(self.settings),
        }

    def _save(self, path: Path) -> None:
        tensors = {f"weights:{k}": t for k, t in self.supernet.tensors.items()}
        for name, parameter in self.parameters.items():
            if parameter in self.optimizer.state:
                tensors[f"momentum:{name}"] = self.optimizer.state[parameter]["momentum_buffer"]
        if self.teacher is not None:
            tensors |= {f"teacher:{k}": t for k, t in self.teacher.tensors.items()}
        with replacing(path) as part:
            write_safetensors(part, tensors, {"run": json.dumps(self._identity()), "step": str(self.step)})

    def _resume(self, path: Path) -> None:
        tensors = read_tensors(path)
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        if json.loads(metadata.get("run", "{}")) != self._identity():
            raise SupernetError(
                f"training state {path}", "it is of a run with other settings", "delete it, or use the same settings"
            )
        self.step = int(metadata["step"])
        with torch.no_grad():
            for name, tensor in self.supernet.tensors.items():
                tensor.copy_(tensors[f"weights:{name}"])
        for name, parameter in self.parameters.items():
            if f"momentum:{name}" in tensors:
                momentum = tensors[f"momentum:{name}"].to(self.device)
                self.optimizer.state[parameter]["momentum_buffer"] = momentum
        teacher = {
            k.removeprefix("teacher:"): t.to(self.device) for k, t in tensors.items() if k.startswith("teacher:")
        }
        if teacher:
            self.teacher = self.supernet.alike(teacher)


def _sgd(parameters: Mapping[str, Tensor], settings: TrainSettings) -> torch.optim.SGD:
    groups: tuple[list[Tensor], list[Tensor]] = ([], [])
    for name, tensor in parameters.items():
        decays = name.endswith(".weight") and not name.endswith(".bn.weight")
        groups[decays].append(tensor.requires_grad_())
    return torch.optim.SGD(
        [{"params": groups[0], "weight_decay": 0.0}, {"params": groups[1], "weight_decay": settings.weight_decay}],
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=True,
    )


def _loss(logits: Tensor, labels: Tensor, taught: Tensor | None, teacher: Teacher) -> Tensor:
    """In place, the teacher's output replaces the labels; a frozen teacher's joins them."""
    if taught is None:
        return F.cross_entropy(logits, labels)
    distillation = _distillation(logits, taught)
    return distillation if teacher == "in_place" else distillation + F.cross_entropy(logits, labels)


def _distillation(logits: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy against the teacher's probabilities (Hinton et al. 2015), at temperature 1."""
    return F.cross_entropy(logits, teacher.softmax(1))


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """On a CPU, one thread and deterministic algorithms: the same sums in the same order, every time."""
    if device.type != "cpu":
        yield
        return
    threads, algorithms = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(algorithms)
