"""A pretrained supernet on a user's classes: a new head, and one file that is a supernet of its own."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest
import torch
from PIL import Image

from hwnas.cli import main
from hwnas.errors import SupernetError
from hwnas.space import TensorSpec
from hwnas.study._training import Training
from hwnas.supernet import Supernet, extremes, get_supernet, load_supernet
from hwnas.supernet.train import ALONE
from hwnas.task import ImageFolder, Sampling, TrainingTask
from tests.conftest import REPOSITORY
from tests.supernet.conftest import OWN

CLASSES = ("blue", "green", "red")
SPECS = {"input": TensorSpec((3, 32, 32))}


def exit_code(*args: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(args))
    return int(caught.value.code or 0)


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes that a few steps tell apart: 12 training and 6 validation images of each colour."""
    folder, rng = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    for split, n in (("train", 12), ("val", 6)):
        for channel, label in enumerate(reversed(CLASSES)):
            (folder / split / label).mkdir(parents=True)
            for i in range(n):
                pixels = rng.integers(0, 90, (40, 40, 3))
                pixels[..., channel] += 150
                Image.fromarray(pixels.astype(np.uint8)).save(folder / split / label / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def trained(colours: Path, own_supernet: Supernet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    own_supernet.save(folder / "ten.safetensors")
    given = ("--supernet", OWN, "--checkpoint", str(folder / "ten.safetensors"), "--data", str(colours))
    options = ("--epochs", "8", "--batch-size", "12", "--learning-rate", "0.05")
    assert exit_code("train", *given, *options, "--out", str(folder / "own.safetensors")) == 0
    assert not list(folder.glob("*.state.*"))
    return folder / "own.safetensors"


def test_a_new_head_keeps_all_other_weights(own_supernet: Supernet):
    three = own_supernet.with_head(CLASSES, seed=1)
    assert (three.classes, three.space.name, three.labels) == (3, "own-c3", CLASSES)
    assert three.tensors["head/linear.weight"].shape == (3, 64)
    for name, tensor in own_supernet.tensors.items():
        assert name.startswith("head/") or torch.equal(three.tensors[name], tensor)
    assert three.digest == own_supernet.with_head(CLASSES, seed=1).digest != own_supernet.with_head(CLASSES).digest


def test_the_file_is_a_supernet_for_every_command(
    trained: Path, colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    net = load_supernet(str(trained))
    assert (net.reference, net.labels, net.space.name) == (OWN, CLASSES, "own-c3")
    assert get_supernet(str(trained)).__name__ == "OwnSupernet"

    data = ("--supernet", str(trained), "--data", str(colours), "--batch-size", "9")
    table = tmp_path / "accuracy.csv"
    assert exit_code("evaluate", *data, "--sample", "10", "--out", str(table)) == 0
    frame = pd.read_csv(table)
    assert frame["top1"].max() > 90  # three colours after 24 steps
    assert frame["n_images"].tolist() == [18] * 10

    front = tmp_path / "front.csv"
    search = ("--evaluate", "--evals", "12", "--objectives", "top1,macs", "--out", str(front))
    assert exit_code("search", *data, *search) == 0
    out = tmp_path / "x.onnx"
    assert (
        exit_code("export", str(front), "--row", "1", "--data", str(colours), "--images", "18", "--out", str(out)) == 0
    )
    properties = {prop.key: prop.value for prop in onnx.load(out).metadata_props}
    assert json.loads(properties["labels"]) == list(CLASSES)
    assert properties["space"] == "own-c3"
    assert "head" not in capsys.readouterr().err


def test_other_classes_are_refused_and_other_numbers_get_a_new_head(
    trained: Path, colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    other = tmp_path / "other"
    for split in ("train", "val"):
        for old, new in zip(CLASSES, ("azure", "green", "red"), strict=True):
            (other / split / new).mkdir(parents=True)
            for file in (colours / split / old).iterdir():
                (other / split / new / file.name).symlink_to(file)
    args = (
        "evaluate",
        "--supernet",
        str(trained),
        "--data",
        str(other),
        "--sample",
        "1",
        "--out",
        str(tmp_path / "a.csv"),
    )
    assert exit_code(*args) == 2
    assert "it has the class folder 'azure', and the network's classes are blue, green, red" in capsys.readouterr().err
    (other / "val" / "azure").rename(tmp_path / "gone")
    assert exit_code("train", "--supernet", str(trained), "--out", str(tmp_path / "x.safetensors")) == 2
    assert "a pretrained network learns from your data; add --data FOLDER" in capsys.readouterr().err
    given = ("train", "--supernet", str(trained), "--out", str(tmp_path / "x.safetensors"), "--data")
    assert exit_code(*given, str(other)) == 2
    assert "val/ has no folder azure, and train/ has" in capsys.readouterr().err
    assert exit_code(*given, str(colours / "val")) == 2
    assert "it has no train/ to learn from" in capsys.readouterr().err
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.parametrize(
    ("folders", "stays"),
    [
        (("red", "blue", "green"), True),
        (("0", "1", "2"), True),
        (("n01440764", "n01443537", "n01484850"), True),  # WordNet's ids, of classes that are called by words
        (("1", "2", "3"), False),
        (("cat", "dog", "red"), False),
    ],
)
def test_a_head_stays_for_its_own_classes_however_folders_call_them(
    folders: tuple[str, ...],
    stays: bool,
    trained: Path,
    colours: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        for colour, name in zip(CLASSES, folders, strict=True):
            (tmp_path / split / name).symlink_to(colours / split / colour)
    args = ("train", "--supernet", str(trained), "--data", str(tmp_path), "--steps", "1", "--batch-size", "4")
    assert exit_code(*args, "--out", str(tmp_path / "x.safetensors")) == 0
    assert ("the head stays" in capsys.readouterr().err) == stays
    net = load_supernet(str(tmp_path / "x.safetensors"))
    assert net.labels == (CLASSES if stays else folders)
    if not stays:
        arch = json.dumps(net.space.decode(extremes(net.space)[0]))
        pd.DataFrame({"row": [1], "macs": [9], "arch": [arch]}).to_csv(tmp_path / "front.csv", index=False)
        assert exit_code(*args, "--front", str(tmp_path / "front.csv"), "--out", str(tmp_path / "one.safetensors")) == 2
        assert "--front: its subnet learns from the largest, whose head does not have the 3" in capsys.readouterr().err


def test_one_subnet_of_a_trained_network_learns_at_half_the_usual_rate(trained: Path, colours: Path, tmp_path: Path):
    def rate(arch: str = "", given: float | None = None) -> float:
        state = tmp_path / "x.state"
        training = Training(str(trained), state, data=colours, batch_size=4, steps=1, arch=arch, learning_rate=given)
        return training.trainer(ALONE).settings.learning_rate

    space = load_supernet(str(trained)).space
    arch = json.dumps(space.decode(extremes(space)[0]))
    assert rate(arch) == rate() / 2
    assert rate(arch, 0.003) == rate(given=0.003) == 0.003


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (None, "no such file"),
        (b"", "damaged"),
        (b"\xff" * 100, "damaged"),
        (b"\x02\0\0\0\0\0\0\0{}", "damaged"),
        (b"\x25\0\0\0\0\0\0\0" + b'{"__metadata__":{"space":"digits"}}  ', "does not say which supernet"),
    ],
)
def test_files_that_are_no_supernets(content: bytes | None, rule: str, tmp_path: Path):
    if content is not None:
        (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(SupernetError, match=rule):
        load_supernet(str(tmp_path / "x.safetensors"))


def test_what_cannot_be_read_is_not_called_damaged(tmp_path: Path):
    (tmp_path / "x.safetensors").mkdir()
    with pytest.raises(SupernetError, match=r"it cannot be read \(Is a directory\); give a file that can"):
        get_supernet(str(tmp_path / "x.safetensors"))


def test_training_batches_repeat_and_show_each_image_once(colours: Path):
    data = ImageFolder(colours, None, Sampling(9, 9, 12))
    assert isinstance(data, TrainingTask)
    assert (data.labels, data.steps_per_epoch) == (CLASSES, 3)
    first, labels = data.training_batch(4, seed=1)
    again, _ = data.training_batch(4, seed=1)
    images = first(SPECS)
    assert isinstance(images, torch.Tensor)
    assert images.shape == (12, 3, 32, 32)
    assert torch.equal(images, again(SPECS))  # type: ignore[arg-type]
    assert not torch.equal(images, data.training_batch(4, seed=2)[0](SPECS))  # type: ignore[arg-type]
    assert not torch.equal(labels, data.training_batch(1, seed=1)[1])
    epoch = torch.cat([data.training_batch(step, seed=0)[1] for step in range(3, 6)])
    assert torch.bincount(epoch).tolist() == [12, 12, 12]


def test_fetching_a_checkpoint_and_reading_a_header_load_no_torch(trained: Path):
    code = (
        "import sys; from hwnas.supernet import download; from hwnas.supernet._header import described; "
        f"described({str(trained)!r}); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_loads():
    import hwnas.supernet

    for name in hwnas.supernet.__all__:
        assert getattr(hwnas.supernet, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hwnas.supernet.nothing  # noqa: B018


def test_a_folder_to_deploy_holds_classes_and_preprocessing(
    trained: Path, colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    arch = json.dumps({"d": [2, 2, 2], "e": [1.0] * 6, "r": 32})
    deploy = tmp_path / "deploy"
    given = ("--supernet", str(trained), "--data", str(colours), "--batch-size", "9", "--arch", arch)
    assert exit_code("export", *given, "--out", str(deploy)) == 0
    assert sorted(path.name for path in deploy.iterdir()) == ["config.json", "model.onnx", "preprocessor_config.json"]
    assert json.loads((deploy / "config.json").read_text())["id2label"] == dict(zip("012", CLASSES, strict=True))

    data = ImageFolder(colours, 3, Sampling(18, 18, 18))
    ((images, _),) = data.validation(SPECS)
    session = ort.InferenceSession(deploy / "model.onnx", providers=["CPUExecutionProvider"])
    files = sorted((colours / "val").rglob("*.png"))
    monkeypatch.setattr(sys, "argv", ["classify_images.py", str(deploy), *map(str, files)])
    capsys.readouterr()
    told = runpy.run_path(str(REPOSITORY / "examples" / "classify_images.py"), run_name="__main__")
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert sum(label == Path(file).parent.name for label, file in lines) > 15  # three colours after 24 steps
    assert isinstance(images, torch.Tensor)
    expected = session.run(["logits"], {"pixel_values": images.numpy()})[0]
    assert np.abs(expected - told["logits"]).max(axis=1).min() < 1e-4  # the last file is among the images
    assert np.abs(images.numpy() - told["pixels"].transpose(2, 0, 1)).max(axis=(1, 2, 3)).min() < 1e-5
