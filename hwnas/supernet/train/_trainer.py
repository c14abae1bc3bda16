"""Training of a supernet: all subnets at once, in shared weights.

A run is a function of its settings and seed, because the draws of a step depend only on the step's number. Its state (weights,
optimizer, frozen teacher, best epoch) is regularly written beside the result, so that a killed run resumes where it stopped and
ends with the same weights as an uninterrupted one.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hwnas import __version__
from hwnas.errors import SupernetError
from hwnas.space import network_inputs
from hwnas.supernet._base import Supernet
from hwnas.supernet._calibration import Calibration
from hwnas.supernet._evaluate import error_of, evaluate
from hwnas.supernet._execute import on
from hwnas.supernet.train._device import deterministic
from hwnas.supernet.train._feed import Feed, feed_of
from hwnas.supernet.train._importance import BATCHES, importance
from hwnas.supernet.train._optimizer import make_optimizer, moments, optimizer_tensors, restore_optimizer
from hwnas.supernet.train._schedule import Schedule, StepPlan, Taught, extremes, get_schedule
from hwnas.supernet.train._settings import TrainSettings
from hwnas.supernet.train._state import State
from hwnas.supernet.train._team import ALONE, Team
from hwnas.task import Inputs, TrainingTask, ahead, loss_of, placed

Progress = Callable[[int, float], None]
"""Called after each step with the number of steps done and the loss of the step's first subnet."""

_STATE_VERSION = 5


class Trainer:
    """Trains one supernet.

    Args:
        supernet: its tensors are updated in place.
        data: training and calibration images.
        settings: see :class:`TrainSettings`.
        state_path: file for the state of an unfinished run; None keeps no state.
        about: everything else that the run depends on (its data), for provenance.
        save_every: steps between two states.
        device: ``"cpu"``, where a run repeats bit for bit, or ``"cuda"``, where it repeats nearly.
        team: the processes that train together, each with its own `Trainer`. A run can be resumed by another number of
            processes, because this number is no part of its state.

    Attributes:
        validated: accuracies after the last epoch: of ``largest``, of ``smallest`` and ``random`` if they are trained, or of
            ``subnet`` if only one is trained; empty before the first epoch ends.

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
        device: str | torch.device = "cpu",
        team: Team = ALONE,
    ) -> None:
        self.device = torch.device(device)
        self.supernet, self.settings, self.team = supernet, settings, team
        self.data = placed(data, self.device)
        self.loss = loss_of(data)
        self.steps = settings.steps or settings.epochs * data.steps_per_epoch
        self.schedule: Schedule = (
            Taught(supernet.space.encode(json.loads(settings.arch)))
            if settings.arch
            else get_schedule(settings.schedule, supernet.space, self.steps, settings.seed)
        )
        self.state_path = Path(state_path) if state_path is not None else None
        self.save_every = save_every
        self.step = 0
        self.start = {"weights": supernet.digest, **(about or {})}
        self.teacher: Supernet | None = None
        supernet.tensors = {name: tensor.detach().clone().to(self.device) for name, tensor in supernet.tensors.items()}
        self.parameters = supernet.parameters()
        self.optimizer = make_optimizer(
            settings.optimizer,
            self.parameters,
            learning_rate=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
        self.smallest, self.largest = extremes(supernet.space)
        self.validated: dict[str, float] = {}
        self.best: tuple[float, dict[str, Tensor]] | None = None
        self.last = (-math.inf, 0.0)  # score of the last epoch, and its standard error
        if self.state_path is not None and self.state_path.exists():
            self._resume(self.state_path)

    def run(self, progress: Progress | None = None) -> None:
        """Train to the end, choose the epoch, then calibrate and store the batch norms of the largest subnet.

        Only the first process of a team evaluates, keeps the state, and has the result in the end.

        Raises:
            SupernetError: the loss is NaN or infinite, the processes of a team are not at the same step of the same run, or
                one is lost.
            DataError: a batch has fewer samples than the team has processes.
        """
        position = (json.dumps(self._identity()), self.step)
        self.team.agree("the run", position, "give all machines the same files, and --out in a folder that they share")
        leads = self.team.leads
        with deterministic(self.device):
            while self.step < self.steps:
                if self.step == self.schedule.start and self.supernet.units():
                    self._sort_units()
                steps = range(self.step, self._next_pause())
                for feed in ahead(self._feed(step, self.schedule.plan(step)) for step in steps):
                    loss = self._train_step(feed)
                    self._refuse_divergence(loss)
                    self.step += 1
                    ends_epoch = self.step % self.data.steps_per_epoch == 0 or self.step == self.steps
                    if leads and self.settings.validates and ends_epoch:
                        self._validate()
                    if progress is not None:
                        progress(self.step, loss)
                    saves = self.step % self.save_every == 0 and self.step < self.steps
                    if leads and saves and self.state_path is not None:
                        self._state().save(self.state_path, self._identity())
        if leads:
            self._finish()

    def provenance(self) -> dict[str, str]:
        """The metadata of the checkpoint: everything that the weights depend on."""
        run = {
            **self._identity(),
            "steps": self.step,
            "workers": self.team.size,
            "device": str(self.device),
            "hwnas": __version__,
            "torch": torch.__version__,
        }
        return {"training": json.dumps(run)}

    # --- one step -----------------------------------------------------------------------------

    def _next_pause(self) -> int:
        """The next step before which the data serve another purpose: tasks need not support two users at once."""
        epoch = self.data.steps_per_epoch
        pauses = (self.steps, (self.step // epoch + 1) * epoch, self.schedule.start)
        return min(step for step in pauses if step > self.step)

    def _feed(self, step: int, plan: StepPlan) -> Feed:
        return feed_of(
            plan,
            step,
            self.settings.seed,
            supernet=self.supernet,
            teacher=self.largest,
            data=self.data,
            team=self.team,
        )

    def _train_step(self, feed: Feed) -> float:
        plan, labels = feed.plan, feed.labels.to(self.device)
        teacher_logits = None
        if plan.teacher == "frozen":
            if self.teacher is None:
                self.teacher = self.supernet.alike({k: t.detach().clone() for k, t in self.supernet.tensors.items()})
            with torch.no_grad():
                teacher_logits = self._forward(self.teacher, self.largest, feed.inputs[-1])
        losses = []
        for row, weight, inputs in zip(plan.rows, plan.weights, feed.inputs, strict=False):
            logits = self._forward(self.supernet, row, inputs)
            loss = feed.share * self._loss(logits, labels, teacher_logits, plan)
            if plan.teacher == "in_place" and teacher_logits is None:
                teacher_logits = logits.detach()
            torch.autograd.backward(loss * weight)
            losses.append(loss.detach())
        self.team.add([*(t.grad for t in self.parameters.values() if t.grad is not None), losses[0]])
        self._update()
        return float(losses[0])

    def _forward(self, supernet: Supernet, row: NDArray[Any], inputs: Inputs) -> Tensor:
        lower = self.settings.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=lower):
            return supernet.forward(row, on(self.device, inputs), self.team.statistics or "train").float()

    def _loss(self, logits: Tensor, labels: Tensor, teacher_logits: Tensor | None, plan: StepPlan) -> Tensor:
        """The loss by labels without a teacher, else by the teacher, or the sum of both."""
        if teacher_logits is None:
            return self.loss(logits, labels)
        distillation = _distillation(logits, teacher_logits)
        return distillation + self.loss(logits, labels) if plan.by_labels else distillation

    def _sort_units(self) -> None:
        """Sort heads, neurons and channels by importance, most important first, with their optimizer state."""
        seed, steps = self.settings.seed, range(min(BATCHES, self.data.steps_per_epoch))
        specs = network_inputs(self.supernet.network(self.largest))
        drawn = (self.data.training_batch(step, seed) for step in steps)
        batches = ((on(self.device, at(specs)), labels.to(self.device)) for at, labels in drawn)
        importances = importance(self.supernet, self.largest, batches, self.loss)
        with torch.no_grad():
            for units, own in importances.items():
                values = self.team.follow(own)
                for tensors in (self.supernet.tensors, *moments(self.optimizer, self.parameters)):
                    for name, moved in units.sorted(tensors, values).items():
                        tensors[name].copy_(moved)

    def _validate(self) -> None:
        """Measure the largest, the smallest and a random subnet, and note the weights if their mean is the best so far.

        The random subnet is always the same, so that means are comparable. If a single subnet is trained, only this one is
        measured.
        """
        rows = {"subnet": self.schedule.plan(0).rows[0]} if self.settings.arch else {"largest": self.largest}
        if self.schedule.start >= 0:
            rng = np.random.default_rng(self.settings.seed)
            random = self.supernet.space.sample(1, rng, distinct_uniform=False)[0]
            rows |= {"smallest": self.smallest, "random": random}
        measured = {name: evaluate(self.supernet, row, self.data) for name, row in rows.items()}
        self.validated = {name: accuracy.value for name, accuracy in measured.items()}
        mean = float(np.mean(list(self.validated.values())))
        score = mean if self.supernet.measures().maximise else -mean
        # Subnets err alike on the same samples, so the error of their mean is the mean of their errors.
        self.last = score, float(np.mean([error_of(accuracy, self.data) or 0.0 for accuracy in measured.values()]))
        if self.best is None or score >= self.best[0]:
            self.best = score, {name: tensor.detach().clone() for name, tensor in self.parameters.items()}

    def _update(self) -> None:
        if self.settings.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.settings.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _learning_rate(self) -> float:
        rise = max(1, round(self.settings.rise * self.steps))
        if self.step < rise:
            return self.settings.learning_rate * (self.step + 1) / rise
        return self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (self.step - rise) / (self.steps - rise)))

    def _finish(self) -> None:
        """Choose the epoch, store batch-norm statistics, and move everything to the CPU.

        An earlier epoch replaces the last one only if it is better by more than a standard error (Breiman et al. 1984,
        "Classification and Regression Trees", section 3.4.3). The highest of several noisy accuracies is partly luck, and
        choosing by it would make the accuracies on these samples too high for all that follows.

        A single subnet of a classifier ends with the mean of its weights before and after (WiSE-FT, Wortsman et al. 2021,
        arXiv:2109.01903), which keeps what it learned with all others.
        """
        averages = bool(self.settings.arch and self.data.labels)
        score, error = self.last
        for name, tensor in self.parameters.items():
            tensor.requires_grad_(False)
            if self.best is not None and self.best[0] > score + error:
                tensor.copy_(self.best[1][name])
            if averages and self.teacher is not None:
                tensor.lerp_(self.teacher.tensors[name], 0.5)
        self.supernet.head_is_new = False
        self._store_statistics()
        self.supernet.tensors = {name: tensor.cpu() for name, tensor in self.supernet.tensors.items()}

    def _store_statistics(self) -> None:
        """Store the batch-norm statistics of the largest subnet; other subnets re-calibrate theirs."""
        if not any(".running_" in name for name in self.supernet.tensors):
            return
        calibration = Calibration()
        specs = network_inputs(self.supernet.network(self.largest))
        with torch.no_grad():
            for batch in self.data.calibration(specs):
                self.supernet.forward(self.largest, on(self.device, batch), calibration)
            for name, value in calibration.statistics().items():
                self.supernet.tensors[name][: len(value)] = value

    def _refuse_divergence(self, loss: float) -> None:
        if math.isfinite(loss):
            return
        if self.state_path is not None:
            self.state_path.unlink(missing_ok=True)  # a resumed run would diverge again
        rule = f"its loss is {loss} after step {self.step + 1}, and its weights are useless"
        remedy = f"lower --learning-rate {self.settings.learning_rate:g}"
        raise SupernetError("training", rule, remedy)

    # --- state --------------------------------------------------------------------------------

    def _identity(self) -> dict[str, Any]:
        return {
            "version": _STATE_VERSION,
            "space": self.supernet.space.name,
            "fingerprint": self.supernet.space.fingerprint,
            "start": self.start,
            "settings": self.settings.to_json(),
        }

    def _state(self) -> State:
        teacher = self.teacher.tensors if self.teacher is not None else {}
        optimizer = optimizer_tensors(self.optimizer, self.parameters)
        return State(self.step, self.supernet.tensors, optimizer, teacher, self.best, self.validated)

    def _resume(self, path: Path) -> None:
        state = State.read(path, self._identity())
        self.step, self.validated = state.step, dict(state.validated)
        with torch.no_grad():
            for name, tensor in self.supernet.tensors.items():
                tensor.copy_(state.weights[name])
        restore_optimizer(self.optimizer, self.parameters, state.optimizer)
        if state.teacher:
            self.teacher = self.supernet.alike(self._placed(state.teacher))
        if state.best is not None:
            score, parameters = state.best
            self.best = score, self._placed(parameters)

    def _placed(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor.to(self.device) for name, tensor in tensors.items()}


def _distillation(logits: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy against the teacher's probabilities (Hinton et al. 2015), at temperature 1."""
    return F.cross_entropy(logits.flatten(0, -2), teacher.flatten(0, -2).softmax(-1))
