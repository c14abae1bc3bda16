"""The trainer: what schedules plan, what a step updates, and that a run repeats and resumes exactly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from hwnas.errors import HwnasError, SupernetError
from hwnas.space import TensorSpec, get_space
from hwnas.supernet import Supernet, Trainer, TrainSettings, extremes
from hwnas.supernet.digits import Digits
from hwnas.supernet.train import training_device, training_precision
from hwnas.supernet.train._schedule import Sandwich, Shrinking, get_schedule
from hwnas.task import DigitsData, Inputs, InputsAt, Specs
from hwnas.task._digits import SPLIT, _split
from tests.supernet.training import train

DATA = DigitsData(batch=240)


class Few(DigitsData):
    """Nine steps per epoch, each on a quarter of its images: whether a run repeats does not depend on how many."""

    def training_batch(self, step: int, seed: int) -> tuple[InputsAt, torch.Tensor]:
        images_at, labels = super().training_batch(step, seed)

        def first(specs: Specs) -> torch.Tensor:
            images = images_at(specs)
            assert isinstance(images, torch.Tensor)
            return images[:20]

        return first, labels[:20]


FEW = Few(batch=80)

SHORT = TrainSettings(epochs=1, seed=4)
SMALL, LARGE = ({"input": TensorSpec((1, size, size))} for size in (8, 16))


def trained(settings: TrainSettings = SHORT, state: Path | None = None, steps: int | None = None) -> Supernet:
    return train(Digits.random(settings.seed), FEW, settings, state, steps)


@pytest.mark.parametrize("schedule", ["sandwich", "shrinking"])
def test_a_run_repeats_and_resumes_bit_for_bit(schedule: str, tmp_path: Path):
    settings = TrainSettings(epochs=1, seed=4, schedule=schedule)
    whole = trained(settings)
    trained(settings, tmp_path / "state.safetensors", steps=7)  # the last state holds 6 steps
    resumed = trained(settings, tmp_path / "state.safetensors")
    assert resumed.digest == whole.digest


def test_a_state_of_other_settings_is_refused(tmp_path: Path):
    state = tmp_path / "state.safetensors"
    trained(SHORT, state, steps=3)
    with pytest.raises(SupernetError, match="other settings"):
        trained(TrainSettings(epochs=2, seed=4), state)
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(SupernetError, match="nor readable as safetensors"):
        trained(SHORT, state)


@pytest.mark.parametrize("schedule", ["sandwich", "shrinking"])
def test_what_a_step_is_fed_is_made_once_per_resolution_and_ahead_of_it(schedule: str):
    made: list[tuple[int, Specs]] = []
    ended: list[int] = []

    class Counted(DigitsData):
        def training_batch(self, step: int, seed: int) -> tuple[InputsAt, torch.Tensor]:
            images_at, labels = super().training_batch(step, seed)

            def counted(specs: Specs) -> Inputs:
                made.append((step, specs))
                return images_at(specs)

            return counted, labels

    trainer = Trainer(Digits.random(0), Counted(batch=240), TrainSettings(steps=12, schedule=schedule))
    trainer.run(lambda *_: ended.append(max(early for early, _ in made)))
    assert len({str(each) for each in made}) == len(made)
    assert {step for step, _ in made} == set(range(12))
    plans = [trainer.schedule.plan(step) for step in range(12)]
    assert len(made) < sum(len(plan.rows) + (plan.teacher == "frozen") for plan in plans)
    assert all(early <= step + 1 for step, early in enumerate(ended))  # one step ahead, no more


class Jealous(DigitsData):
    """Bears one user at a time, and an epoch's first batch takes longer than a step."""

    def __init__(self) -> None:
        super().__init__(batch=240)
        self.one = threading.Lock()

    @contextmanager
    def used(self) -> Iterator[None]:
        assert self.one.acquire(blocking=False), "two at a time"
        yield
        self.one.release()

    def training_batch(self, step: int, seed: int) -> tuple[InputsAt, torch.Tensor]:
        with self.used():
            time.sleep(1.5 * (step % self.steps_per_epoch == 0))
            return super().training_batch(step, seed)

    def calibration(self, specs: Specs) -> Iterator[torch.Tensor]:
        with self.used():
            yield from super().calibration(specs)

    def validation(self, specs: Specs) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        with self.used():
            yield from super().validation(specs)


class Negative(DigitsData):
    """Alters images to their negatives, which are told from others by their sign."""

    def altered(self, inputs: Inputs, step: int, seed: int) -> Inputs:  # noqa: ARG002
        assert isinstance(inputs, torch.Tensor)
        return -1 - inputs.abs()


SMALLEST = json.dumps(get_space("digits").decode(extremes(get_space("digits"))[0]))


@pytest.mark.parametrize(
    ("settings", "altered"),
    [
        (TrainSettings(steps=10), False),
        (TrainSettings(steps=10, schedule="shrinking"), False),
        (TrainSettings(steps=10, schedule="alone"), False),
        (TrainSettings(steps=10, arch=SMALLEST), True),
    ],
)
def test_only_samples_that_a_teacher_alone_labels_are_altered(settings: TrainSettings, altered: bool):
    trainer = Trainer(Digits.random(0), Negative(batch=240), settings)
    plan = trainer.schedule.plan(9)
    feed = trainer._feed(9, plan)
    assert len(feed.inputs) == len(plan.rows) + (plan.teacher == "frozen")
    for inputs in feed.inputs:
        assert isinstance(inputs, torch.Tensor)
        assert bool((inputs <= -1).all()) is altered


def test_a_subnet_learns_what_its_teacher_says_of_altered_samples():
    class Noise(DigitsData):
        def altered(self, inputs: Inputs, step: int, seed: int) -> Inputs:  # noqa: ARG002
            assert isinstance(inputs, torch.Tensor)
            return torch.randn(inputs.shape, generator=torch.Generator().manual_seed(step))

    def taught(data: DigitsData) -> Supernet:
        return train(Digits.random(0), data, TrainSettings(steps=60, arch=SMALLEST, learning_rate=0.02))

    def apart(net: Supernet) -> float:
        """Of the smallest subnet from the largest as it was, on noise."""
        noise = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(99))
        small, large = extremes(net.space)
        told = Digits.random(0).forward(large, torch.nn.functional.interpolate(noise, 16), "train").softmax(-1)
        return float((net.forward(small, noise, "train").softmax(-1) - told).abs().mean())

    assert apart(taught(Noise(batch=240))) < apart(Digits.random(0))


def test_one_subnet_of_a_classifier_ends_halfway(monkeypatch: pytest.MonkeyPatch):
    settings = TrainSettings(steps=3, arch=SMALLEST)
    first, halfway = Digits.random(0).tensors, train(Digits.random(0), FEW, settings).tensors
    monkeypatch.setattr(Few, "labels", ())
    last = train(Digits.random(0), FEW, settings).tensors
    moved = [name for name in first if ".running_" not in name and not torch.equal(first[name], last[name])]
    assert moved
    for name in moved:
        torch.testing.assert_close(halfway[name], (first[name] + last[name]) / 2)


def test_data_have_one_user_at_a_time():
    data = Jealous()
    trainer = Trainer(Digits.random(0), data, TrainSettings(steps=2 * data.steps_per_epoch + 1, validates=True))
    trainer.run()
    assert set(trainer.validated) == {"largest", "smallest", "random"}


def test_training_lowers_the_loss():
    losses: list[float] = []
    net = Digits.random(0)
    Trainer(net, DigitsData(batch=80), TrainSettings(epochs=4)).run(lambda _, loss: losses.append(loss))
    assert len(losses) == 36
    assert np.mean(losses[-6:]) < 0.8 * np.mean(losses[:6])
    assert not any(t.requires_grad for t in net.tensors.values())


def test_a_step_of_one_small_subnet_moves_only_its_slices():
    space = get_space("digits")
    smallest, _ = extremes(space)
    net = Digits.random(0)
    before = {name: tensor.clone() for name, tensor in net.tensors.items()}
    trainer = Trainer(net, DATA, TrainSettings(epochs=1, weight_decay=0.0))
    plan = trainer.schedule.plan(0)
    trainer._train_step(trainer._feed(0, type(plan)(smallest[None], (1.0,), "none")))
    depthwise = "blocks.0/depthwise"  # 16 of 48 channels, 3x3 by way of the transform
    moved = (net.tensors[f"{depthwise}.weight"] != before[f"{depthwise}.weight"]).flatten(1)
    assert moved[:16].any(1).all()
    assert not moved[16:].any()
    centre = moved[:16].reshape(16, 5, 5)
    assert not centre[:, 0].any()
    assert not centre[:, :, 4].any()
    assert not torch.equal(net.tensors[f"{depthwise}.5to3"], before[f"{depthwise}.5to3"])
    assert torch.equal(net.tensors["blocks.1/project.weight"], before["blocks.1/project.weight"])  # skipped by depth


def test_sandwich_starts_late_and_gently():
    space = get_space("digits")
    smallest, largest = extremes(space)
    schedule = Sandwich(space, 1000, 0)
    assert [len(schedule.plan(step).rows) for step in (0, 199, 200, 999)] == [1, 1, 4, 4]
    assert schedule.plan(0).teacher == "none"
    weights = [schedule.plan(step).weights[1] for step in (200, 250, 300, 999)]
    assert weights == pytest.approx([0.01, 0.505, 1.0, 1.0])
    plan = schedule.plan(500)
    assert plan.teacher == "in_place"
    assert plan.rows[0].tolist() == largest.tolist()
    (resolution,) = space.input_genes
    small = np.delete(plan.rows[1], resolution).tolist()
    assert small == np.delete(smallest, resolution).tolist()
    assert len({int(schedule.plan(step).rows[1][resolution]) for step in range(500, 540)}) == 5
    assert space.contains(plan.rows).all()
    assert plan.rows.tolist() == schedule.plan(500).rows.tolist()
    assert plan.rows.tolist() != schedule.plan(501).rows.tolist()


def test_shrinking_opens_one_kind_of_gene_after_another():
    space = get_space("digits")
    _, largest = extremes(space)
    schedule = Shrinking(space, 500, 0)

    def varied(steps: range) -> set[str]:
        rows = np.concatenate([schedule.plan(step).rows for step in steps])
        return {space.genes[c].group for c in range(space.n_genes) if (rows[:, c] != largest[c]).any()}

    assert varied(range(200)) == {"r"}
    assert varied(range(200, 300)) == {"r", "ks"}
    assert {"r", "ks", "d"} <= varied(range(300, 400))
    assert varied(range(400, 500)) == {"r", "ks", "d", "e"}
    assert {schedule.plan(step).teacher for step in range(200, 500)} == {"frozen"}


def test_an_unknown_schedule_is_refused_with_a_suggestion():
    with pytest.raises(HwnasError, match="did you mean 'sandwich'"):
        get_schedule("sandwhich", get_space("digits"), 10, 0)


def test_digits_are_split_without_overlap_and_evenly():
    parts = _split()
    assert {name: len(part) for name, part in parts.items()} == SPLIT
    assert sorted(np.concatenate(list(parts.values()))) == list(range(1797))
    for part in parts.values():
        counts = np.bincount(load_digits().target[part], minlength=10)
        assert counts.max() - counts.min() <= 3


def test_digits_show_one_distortion_at_every_resolution():
    images_at, labels = DATA.training_batch(5, seed=1)
    small, large = images_at(SMALL), images_at(LARGE)
    assert isinstance(small, torch.Tensor)
    assert isinstance(large, torch.Tensor)
    assert small.shape == (240, 1, 8, 8)
    assert labels.shape == (240,)
    reduced = torch.nn.functional.avg_pool2d(large, 2)
    related = torch.corrcoef(torch.stack([small.flatten(), reduced.flatten()]))[0, 1]
    assert related > 0.95
    again, other = (DATA.training_batch(step, seed=1)[0](SMALL) for step in (5, 6))
    assert (again == small).all()  # type: ignore[union-attr] # one input: a tensor
    assert (other != small).any()  # type: ignore[union-attr]


def test_an_epoch_shows_every_training_image_once():
    seen = torch.cat([DATA.training_batch(step, seed=0)[1] for step in range(3, 6)])
    assert torch.bincount(seen).tolist() == [71, 73, 71, 73, 72, 73, 73, 72, 70, 72]


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing():
    trainer = Trainer(Digits.random(0), FEW, TrainSettings(steps=100, learning_rate=0.2, rise=0.1))
    rates = []
    for trainer.step in range(100):
        rates.append(trainer._learning_rate())
    assert rates[:10] == pytest.approx([0.02 * (step + 1) for step in range(10)])
    assert rates[10] == pytest.approx(0.2)
    assert np.all(np.diff(rates[10:]) < 0)
    assert 0 < rates[-1] < 1e-3


@pytest.mark.parametrize("clip_norm", [0.0, 1e-3])
def test_gradients_are_scaled_down_to_the_norm_that_is_asked_for(clip_norm: float):
    momentum, rate = 0.9, 0.1
    settings = TrainSettings(
        steps=1, learning_rate=rate, momentum=momentum, weight_decay=0.0, clip_norm=clip_norm, schedule="alone"
    )
    net = Digits.random(0)
    before = {name: tensor.clone() for name, tensor in net.parameters().items()}
    trainer = Trainer(net, DATA, settings)
    trainer._train_step(trainer._feed(0, trainer.schedule.plan(0)))
    moved = torch.cat([(net.tensors[name].detach() - old).flatten() for name, old in before.items()]).norm().item()
    clipped = rate * (1 + momentum) * 1e-3  # Nesterov's first step
    assert moved == pytest.approx(clipped, rel=1e-2) if clip_norm else moved > 10 * clipped


def test_a_run_that_diverges_is_refused_and_leaves_no_state(tmp_path: Path):
    state = tmp_path / "state.safetensors"
    with pytest.raises(SupernetError, match=r"its loss is nan after step .*lower --learning-rate 1e\+30"):
        trained(TrainSettings(epochs=1, learning_rate=1e30), state)
    assert not state.exists()


def test_in_bf16_losses_stay_near_while_weights_are_fp32_and_a_run_resumes(tmp_path: Path):
    """The path that mixed precision takes on a GPU, on a CPU."""
    settings = TrainSettings(steps=3, seed=4, schedule="alone", learning_rate=0.01, precision="bf16")
    losses: list[float] = []
    for precision in ("fp32", "bf16"):
        of_run = Trainer(Digits.random(4), FEW, replace(settings, precision=precision))
        of_run.run(lambda _, loss: losses.append(loss))
    assert losses[3:] == pytest.approx(losses[:3], rel=0.02)
    assert losses[3:] != losses[:3]
    assert {tensor.dtype for tensor in of_run.supernet.tensors.values()} == {torch.float32}
    trained(settings, tmp_path / "state.safetensors", steps=2)
    assert trained(settings, tmp_path / "state.safetensors").digest == of_run.supernet.digest


def test_a_gpu_is_taken_where_there_is_one_and_bf16_on_it(monkeypatch: pytest.MonkeyPatch):
    cpu = training_device(None, 1)
    assert (cpu.type, training_precision(None, cpu)) == ("cpu", "fp32")
    with pytest.raises(SupernetError, match="device cuda: torch finds 0 GPUs here"):
        training_device("cuda", 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert training_device("cuda:1", 1) == torch.device("cuda:1")
    gpu = training_device(None, 1)
    assert (gpu.type, training_precision(None, gpu), training_precision("fp32", gpu)) == ("cuda", "bf16", "fp32")
    assert training_device(None, 3).type == "cpu"
    with pytest.raises(SupernetError, match="3 processes train"):
        training_device("cuda", 3)
    with pytest.raises(SupernetError, match="torch finds 2 GPUs"):
        training_device("cuda:2", 1)
    with pytest.raises(HwnasError, match="did you mean 'cuda'"):
        training_device("cdua", 1)
    with pytest.raises(HwnasError, match="did you mean 'bf16'"):
        training_precision("fb16", gpu)


def test_the_best_epoch_of_a_minimised_metric_is_that_of_the_least(monkeypatch: pytest.MonkeyPatch):
    values = iter([10.0, 20.0])

    def rising(scored: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> float:
        assert list(scored)
        return next(values)

    monkeypatch.setattr(Few, "metrics", {"perplexity": rising})
    monkeypatch.setattr(Digits, "metric", "perplexity")
    net = Digits.random(0)
    after_an_epoch: dict[str, torch.Tensor] = {}

    def note(step: int, _loss: float) -> None:
        if step == FEW.steps_per_epoch:
            after_an_epoch.update({name: tensor.detach().clone() for name, tensor in net.parameters().items()})

    Trainer(net, FEW, TrainSettings(epochs=2, schedule="alone", validates=True)).run(note)
    assert after_an_epoch
    for name, tensor in after_an_epoch.items():
        assert torch.equal(net.tensors[name], tensor)


class AllEights(Few):
    """By a loss that takes every digit for an eight."""

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits, torch.full_like(labels, 8))


def test_a_loss_of_the_tasks_own_is_learnt_by():
    net = Digits.random(0)
    Trainer(net, AllEights(batch=80), TrainSettings(steps=6, schedule="alone", learning_rate=0.05)).run()
    logits = net.forward(extremes(net.space)[1], DATA.training_batch(0, 0)[0](LARGE), "train")
    assert (logits.argmax(1) == 8).all()
