"""Encoders fine-tuned on texts: what is learned, kept, sorted, and that a run repeats and resumes exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hwnas.errors import DataError, SupernetError
from hwnas.study._data import evaluation_data
from hwnas.supernet import Accuracy, Supernet, Trainer, TrainSettings, evaluate, extremes, load_supernet
from hwnas.supernet.hf._supernet import _recipe
from hwnas.supernet.train import _trainer as trainer_module
from hwnas.supernet.train._importance import importance
from hwnas.task import Sampling, TextFolder
from tests.supernet.hf.conftest import save, write_texts
from tests.supernet.training import train

RUN = TrainSettings(steps=12, optimizer="adamw", learning_rate=3e-3, clip_norm=1.0, validates=True)


def opened(folder: Path) -> tuple[Supernet, TextFolder]:
    """A new network for the texts, and these."""
    save(folder / "net", "bert", classes=None)
    write_texts(folder / "data")
    net = load_supernet(f"hf:{folder / 'net'}")
    data = net.open_data(folder / "data", Sampling(batch_size=16), own_classes=True)
    assert isinstance(data, TextFolder)
    return net.adapted(data).with_head(data.labels), data


def trained(
    folder: Path, settings: TrainSettings = RUN, state: Path | None = None, steps: int | None = None
) -> Supernet:
    net, data = opened(folder)
    return train(net, data, settings, state, steps)


@pytest.mark.parametrize("stopped", [1, 5, 9])
def test_a_run_repeats_and_resumes_bit_for_bit(stopped: int, tmp_path: Path) -> None:
    state = tmp_path / "state.safetensors"
    whole = trained(tmp_path)
    trained(tmp_path, state=state, steps=stopped)
    assert trained(tmp_path, state=state).digest == whole.digest


def test_texts_are_learned_by_large_and_small(tmp_path: Path) -> None:
    net = trained(tmp_path, TrainSettings(steps=120, optimizer="adamw", learning_rate=3e-3, clip_norm=1.0))
    net.save(tmp_path / "own.safetensors")
    other = load_supernet(str(tmp_path / "own.safetensors"))
    data, _ = evaluation_data("own", other, tmp_path / "data", Sampling(99, 9, 16))
    for row in extremes(other.space):
        found = evaluate(other, row, data)
        assert found.value > 90
        assert found.n_calibration == 0
    assert other.labels == ("negative", "positive")


@pytest.mark.parametrize("name", ["largest", "subnet"])
def test_what_trains_one_subnet_alone_is_judged_by_it(name: str, tmp_path: Path) -> None:
    net, data = opened(tmp_path)
    smallest, largest = extremes(net.space)
    row, arch = (largest, "") if name == "largest" else (smallest, json.dumps(net.space.decode(smallest)))
    settings = TrainSettings(steps=4, optimizer="adamw", schedule="alone", validates=True, arch=arch)
    trainer = Trainer(net, data, settings)
    trainer.run()
    assert trainer.validated == {name: evaluate(net, row, data).value}


def test_the_best_epoch_is_kept(tmp_path: Path) -> None:
    net, data = opened(tmp_path)
    trainer = Trainer(net, data, RUN)
    kept: list[tuple[float, dict[str, torch.Tensor]]] = []

    def spoil(_step: int, _loss: float) -> None:
        if trainer.best is not None and not kept:
            kept.append(trainer.best)
            trainer.best = (1e3, trainer.best[1])  # nothing later reaches it

    trainer.run(spoil)
    assert set(trainer.validated) == {"largest", "smallest", "random"}
    for name, tensor in kept[0][1].items():
        assert torch.equal(net.tensors[name], tensor)


@pytest.mark.parametrize(("last", "kept_epoch"), [(88.0, 1), (89.0, 2)])
def test_an_earlier_epoch_is_kept_if_it_is_better_by_more_than_a_standard_error(
    last: float, kept_epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, data = opened(tmp_path)
    epochs = iter(
        [90.0] * 3 + [last] * 3
    )  # of the largest, the smallest and a random subnet; of 400 samples: 1.6 points
    monkeypatch.setattr(trainer_module, "evaluate", lambda *_: Accuracy(next(epochs), 400, 0))
    after: dict[int, dict[str, torch.Tensor]] = {}

    def note(step: int, _loss: float) -> None:
        after[step] = {name: tensor.detach().clone() for name, tensor in net.parameters().items()}

    steps = 2 * data.steps_per_epoch
    Trainer(net, data, replace(RUN, steps=steps)).run(note)
    for name, tensor in after[kept_epoch * data.steps_per_epoch].items():
        assert torch.equal(net.tensors[name], tensor)
    assert not all(torch.equal(tensor, after[steps][name]) for name, tensor in after[data.steps_per_epoch].items())


def test_units_stand_by_importance_when_others_are_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, data = opened(tmp_path)
    seen = []

    def spied(*arguments: Any) -> Any:
        seen.append(importance(*arguments))
        return seen[-1]

    monkeypatch.setattr(trainer_module, "importance", spied)
    trainer = Trainer(net, data, RUN)
    trainer.step = trainer.schedule.start
    before = {name: tensor.detach().clone() for name, tensor in net.tensors.items()}
    trainer._sort_units()
    assert len(seen) == 1
    for units, values in seen[0].items():
        order = np.argsort(-values.numpy(), kind="stable")
        weight = before[f"{units.readers[0]}.weight"].reshape(len(before[f"{units.readers[0]}.weight"]), -1, units.size)
        expected = weight[:, order].flatten(1)
        assert torch.equal(net.tensors[f"{units.readers[0]}.weight"], expected)


def test_a_network_without_head_is_not_evaluated(tmp_path: Path) -> None:
    net, _ = opened(tmp_path)
    with pytest.raises(
        SupernetError, match=r"train it first: hwnas train --supernet hf:x --data .* --out own.safetensors"
    ):
        evaluation_data("hf:x", net, tmp_path / "data", Sampling(9, 9, 9))


def test_labels_that_a_trained_head_does_not_know_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "net", "bert", classes=3)
    write_texts(tmp_path / "data")
    net = load_supernet(f"hf:{tmp_path / 'net'}")
    with pytest.raises(
        DataError, match="the label 'negative', and the network's classes are class 0, class 1, class 2"
    ):
        net.open_data(tmp_path / "data")


def test_narrow_encoders_learn_at_twice_the_rate_of_wide_ones(tmp_path: Path) -> None:
    save(tmp_path / "net", "bert", classes=None)
    narrow = load_supernet(f"hf:{tmp_path / 'net'}")
    assert narrow.recipe.learning_rate == pytest.approx(2e-4)
    family = narrow.family  # type: ignore[attr-defined] # encoders alone have one
    for channels, rate in ((384, 2e-4), (512, 1.5e-4), (768, 1e-4), (1024, 0.75e-4)):
        wide = replace(family, encoder=replace(family.encoder, channels=channels))
        assert _recipe(wide).learning_rate == pytest.approx(rate)


@pytest.mark.parametrize(
    ("positions", "told"),
    [
        (34, "all but 1 % of the texts are within 16 tokens"),
        (8, "of the texts are longer than the network's 8 tokens"),
    ],
)
def test_texts_that_are_longer_than_the_network_takes_are_told(
    positions: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("hwnas.supernet.hf._supernet.notice", said.append)
    save(tmp_path / "net", "bert", classes=None, max_position_embeddings=positions)
    write_texts(tmp_path / "data")
    net = load_supernet(f"hf:{tmp_path / 'net'}")
    net.adapted(net.open_data(tmp_path / "data", Sampling(batch_size=16), own_classes=True))
    assert told in said[-1]
