"""Image folders: preprocessing against torch's own antialiased resizing, draws, and folders that do not fit."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from hwnas.errors import DataError
from hwnas.space import TensorSpec
from hwnas.study._data import warn_broken
from hwnas.task import GREY, IMAGENET, DigitsData, ImageFolder, Preprocessing, Sampling, placed

SHAPE = {"input": TensorSpec((3, 32, 32))}


def opened(
    folder: Path,
    classes: int | None = 10,
    preprocessing: Preprocessing = IMAGENET,
    labels: Sequence[str] = (),
    **options: int,
) -> ImageFolder:
    sampling = Sampling(**{"n_validation": 30, "n_calibration": 20, "batch_size": 8} | options)
    return ImageFolder(folder, classes, sampling, preprocessing=preprocessing, labels=labels)


@pytest.mark.parametrize(("size", "resolution"), [((50, 70), 32), ((71, 40), 48), ((33, 33), 224)])
def test_validation_resizes_the_shorter_side_and_crops_the_centre(
    size: tuple[int, int], resolution: int, tmp_path: Path
):
    (tmp_path / "a").mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a" / "x.png")
    [(images, labels)] = opened(tmp_path, 1).validation({"input": TensorSpec((3, resolution, resolution))})
    assert labels.tolist() == [0]

    shorter = math.ceil(resolution / 0.875)
    scaled = [int(shorter * side / min(size)) for side in size]
    x = torch.from_numpy(pixels).permute(2, 0, 1).float()[None]
    x = F.interpolate(x, scaled, mode="bilinear", antialias=True)
    top, left = (round((side - resolution) / 2) for side in scaled)
    x = x[:, :, top : top + resolution, left : left + resolution]
    found = images * torch.tensor(IMAGENET.std).reshape(3, 1, 1) + torch.tensor(IMAGENET.mean).reshape(3, 1, 1)
    assert (found - x / 255).abs().max() < 1.6 / 255  # Pillow rounds after each of two passes


def test_images_are_grey_for_a_network_of_one_channel(image_folder: Path) -> None:
    data = opened(image_folder, preprocessing=GREY, batch_size=5)
    specs = {"input": TensorSpec((1, 32, 32))}
    assert next(data.calibration(specs)).shape == (5, 1, 32, 32)
    render, _ = data.training_batch(0, seed=0)
    batch: Any = render(specs)
    assert batch.shape == (5, 1, 32, 32)
    (images, labels), *_ = data.validation(specs)
    label, path = data._validation[0]
    with Image.open(path) as image:
        expected = GREY.centred(image.convert("L"), size=32, seed=())
    assert labels[0] == label
    grey = images[0, 0] * GREY.std[0] + GREY.mean[0]
    np.testing.assert_allclose(grey * 255, np.asarray(expected), atol=1e-3)
    assert str(GREY).startswith("greyscale, bilinear resize")
    with pytest.raises(DataError, match="its images are grey and cut square, and the network is fed 3x32x32"):
        list(data.validation(SHAPE))


def test_photos_are_shown_as_their_camera_was_held(tmp_path: Path) -> None:
    """To validation, calibration and training alike. A damaged note turns nothing."""
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    sideways, orientation = Image.Exif(), 0x0112
    sideways[orientation] = 6  # to be turned clockwise
    shown = []
    for name, image, exif in (
        ("noted", pixels, sideways.tobytes()),
        ("upright", np.rot90(pixels, -1), b""),
        ("damaged", np.rot90(pixels, -1), b"Exif\0\0no exif"),
    ):
        for split in ("train", "val"):
            file = tmp_path / name / split / "a" / "x.png"
            file.parent.mkdir(parents=True)
            Image.fromarray(np.ascontiguousarray(image)).save(file, exif=exif)
        data = opened(tmp_path / name, 1, batch_size=1)
        render, _ = data.training_batch(0, seed=0)
        shown.append([next(data.validation(SHAPE))[0], next(data.calibration(SHAPE)), render(SHAPE)])
        assert not data.broken
    for noted, *others in zip(*shown, strict=True):
        assert all(torch.equal(noted, other) for other in others)


@pytest.mark.parametrize(("at", "byte"), [(1, 0x00), (3, 0x02), (9, 0xFF)])
def test_a_damaged_note_is_not_worth_a_word_and_the_photo_is_shown_upright(at: int, byte: int, tmp_path: Path) -> None:
    """Pillow warns of some, without the file's name, and raises ``struct.error`` or ``TypeError`` at others."""
    notes = Image.Exif()
    notes[0x0112], notes[0x011A] = 6, 72.0  # orientation: to be turned clockwise; and resolution
    exif = bytearray(notes.tobytes())
    exif[exif.index(b"\x01\x1a") + at] = byte  # in the resolution's tag (2 bytes), type (2), count (4) and place (4)
    pixels = np.random.default_rng(1).integers(0, 256, (60, 60, 3)).astype(np.uint8)
    for name, image, noted in (("damaged", pixels, bytes(exif)), ("upright", np.rot90(pixels, -1), b"")):
        file = tmp_path / name / "a" / "x.png"
        file.parent.mkdir(parents=True)
        Image.fromarray(np.ascontiguousarray(image)).save(file, exif=noted)
    damaged, upright = (opened(tmp_path / name, 1) for name in ("damaged", "upright"))
    assert torch.equal(next(damaged.validation(SHAPE))[0], next(upright.validation(SHAPE))[0])
    assert not damaged.broken


def test_pillow_warns_of_no_photo_without_its_name(tmp_path: Path) -> None:
    notes = Image.Exif()
    notes[0x0112] = 6
    file = tmp_path / "a" / "x.jpg"
    file.parent.mkdir()
    Image.new("RGB", (60, 40)).save(file, exif=notes.tobytes()[:20])
    with pytest.warns(UserWarning, match="Corrupt EXIF data"), Image.open(file) as image:
        image.getexif()
    data = opened(tmp_path, 1)
    assert len(list(data.validation(SHAPE))) == 1  # warnings are errors here
    assert not data.broken


@pytest.mark.parametrize("n", [5, 20, 1000])
def test_tells_beforehand_how_many_images_calibration_has(n: int, image_folder: Path):
    data = opened(image_folder, n_calibration=n)
    assert data.n_calibration == sum(len(images) for images in data.calibration(SHAPE))


@pytest.mark.parametrize("preprocessing", [IMAGENET, Preprocessing((127.0,) * 3, (128.0,) * 3, divisor=1.0)])
def test_pixels_are_standardised_to_the_last_bit_as_torch_does_it(preprocessing: Preprocessing):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 33, 33, 3), dtype=np.uint8)
    mean, std = (torch.tensor(each).reshape(3, 1, 1) for each in (preprocessing.mean, preprocessing.std))
    expected = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / preprocessing.divisor - mean) / std
    pixels.flags.writeable = False  # as Pillow's are
    found = preprocessing.standardised(list(pixels))
    assert found.is_contiguous()
    assert torch.equal(found, expected)


def test_batches_are_made_where_an_engine_wants_them(image_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        torch.Tensor, "pin_memory", lambda self: self
    )  # which needs a GPU; torch's meta device stands for one
    data = opened(image_folder)
    there = placed(data, torch.device("meta"))
    for split in ("calibration", "validation"):
        for batch, other in zip(getattr(data, split)(SHAPE), getattr(there, split)(SHAPE), strict=True):
            here, made = (each if split == "calibration" else each[0] for each in (batch, other))
            assert (here.device.type, made.device.type) == ("cpu", "meta")
            assert (made.shape, made.dtype) == (here.shape, here.dtype)
    assert placed(there, torch.device("cpu")).digest() == data.digest()
    assert placed(digits := DigitsData(), torch.device("meta")) is digits


def test_batches_are_the_same_at_every_call_and_differ_by_seed(image_folder: Path):
    data = opened(image_folder)
    first, again = list(data.validation(SHAPE)), list(opened(image_folder).validation(SHAPE))
    assert [len(labels) for _, labels in first] == [8, 8, 8, 6]
    assert all(torch.equal(a, b) and torch.equal(m, n) for (a, m), (b, n) in zip(first, again, strict=True))
    calibration = list(data.calibration(SHAPE))
    assert [tuple(batch.shape) for batch in calibration] == [(8, 3, 32, 32), (8, 3, 32, 32), (4, 3, 32, 32)]
    assert all(torch.equal(a, b) for a, b in zip(calibration, data.calibration(SHAPE), strict=True))
    other = list(opened(image_folder, seed=1).validation(SHAPE))
    assert not torch.equal(first[0][1], other[0][1])
    assert data.digest() == opened(image_folder).digest() != opened(image_folder, seed=1).digest()


def test_all_images_are_used_where_there_are_fewer_than_asked(image_folder: Path):
    data = opened(image_folder, n_validation=1000)
    labels = torch.cat([labels for _, labels in data.validation(SHAPE)])
    assert torch.bincount(labels).tolist() == [5] * 10
    assert data.n_available == 50
    assert data.has_training


def test_a_folder_of_classes_calibrates_on_the_same_images(image_folder: Path):
    data = opened(image_folder / "val")
    assert not data.has_training
    assert sum(len(batch) for batch in data.calibration(SHAPE)) == 20


def test_images_that_are_of_no_use_are_left_out_and_named(
    image_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    shutil.copytree(image_folder, tmp_path / "data")
    whole = (tmp_path / "data" / "val" / "n0003" / "1.jpg").read_bytes()
    (tmp_path / "data" / "val" / "n0003" / "1.jpg").write_bytes(whole[:200])
    (tmp_path / "data" / "val" / "n0007" / "2.jpg").unlink()
    (tmp_path / "data" / "val" / "n0007" / "2.jpg").symlink_to("nowhere")
    (tmp_path / "data" / "val" / "n0005" / "0.jpg").unlink()
    (tmp_path / "data" / "val" / "n0005" / "0.jpg").mkdir()
    deep = tmp_path / "data" / "val" / "n0009" / "3.png"
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(deep)
    deep.with_suffix(".jpg").unlink()
    data = opened(tmp_path / "data", n_validation=50)
    assert data.digest() != opened(image_folder, n_validation=50).digest()
    for _ in range(2):
        assert sum(len(labels) for _, labels in data.validation(SHAPE)) == 46
    assert sorted(path.parent.name for path in data.broken) == ["n0003", "n0005", "n0007", "n0009"]
    with caplog.at_level("INFO", "hwnas"):
        warn_broken(data)
    undecoded, folders, links, cut_off = caplog.messages
    assert re.fullmatch(r"1 image left out: \S+/n0003/1.jpg: does not decode \(.*\)", undecoded)
    assert re.fullmatch(r"1 image left out: \S+/n0005/0.jpg: a folder", folders)
    assert re.fullmatch(r"1 image left out: \S+/n0007/2.jpg: a link to a missing file \(nowhere\)", links)
    assert cut_off == f"1 image left out: {deep}: more than 8 bits per channel (I;16), convert to 8"


def test_of_images_that_are_left_out_for_reasons_alike_the_details_are_told_where_they_are_of_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "a" / "good.png")
    Image.fromarray(np.ones((9, 9), np.uint16)).save(tmp_path / "a" / "deep.png")
    Image.fromarray(np.ones((9, 9), np.float32)).save(tmp_path / "a" / "deep.tif")
    for name in ("one.jpg", "two.jpg"):
        (tmp_path / "a" / name).touch()
    data = opened(tmp_path, 1)
    list(data.validation(SHAPE))
    with caplog.at_level("INFO", "hwnas"):
        warn_broken(data)
    deep, empty = caplog.messages
    assert deep.endswith("deep.tif: more than 8 bits per channel, convert to 8")
    assert empty.endswith("two.jpg: does not decode (cannot identify image file)")


@pytest.mark.parametrize(("kind", "mode"), [(np.uint16, "I;16"), (np.float32, "F")])
def test_images_that_would_be_cut_off_at_eight_bits_are_left_out(kind: type, mode: str, tmp_path: Path):
    (tmp_path / "a").mkdir()
    Image.fromarray(np.ones((9, 9), kind)).save(tmp_path / "a" / "x.tif")
    with pytest.raises(DataError, match=rf"left out, as x.tif: more than 8 bits per channel \({mode}\)"):
        list(opened(tmp_path, 1).validation(SHAPE))


def test_folders_that_do_not_fit(image_folder: Path, tmp_path: Path):
    with pytest.raises(DataError, match="no such folder"):
        opened(tmp_path / "missing")
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(DataError, match=r"photo.jpg: it is a file, and no folder; give the folder that holds val/"):
        opened(tmp_path / "photo.jpg")
    with pytest.raises(DataError, match="no class folders"):
        opened(tmp_path)
    (tmp_path / "train.csv").touch()
    with pytest.raises(DataError, match="it holds texts, and the network is fed images"):
        opened(tmp_path)
    (tmp_path / "apart" / "train" / "a").mkdir(parents=True)
    with pytest.raises(DataError, match="it has train/ and no val/; keep some images back"):
        opened(tmp_path / "apart", 1)
    shutil.rmtree(tmp_path / "apart")
    with pytest.raises(DataError, match="10 class folders, and the network has 1,000 classes"):
        opened(image_folder, 1000)
    with pytest.raises(DataError, match="its images are RGB and cut square, and the network is fed 1x32x32"):
        list(opened(image_folder).validation({"input": TensorSpec((1, 32, 32))}))
    for label in range(10):
        (tmp_path / f"c{label}").mkdir()
    with pytest.raises(DataError, match="no images"):
        opened(tmp_path)
    (tmp_path / "c0" / "x.gif").touch()
    with pytest.raises(DataError, match=r"its class folders hold c0/x.gif, and images end in .bmp, .*; convert them"):
        opened(tmp_path)
    for label in range(10):
        (tmp_path / f"c{label}" / "x.jpg").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"all images of it are left out, as x.jpg: does not decode \(cannot identify"):
        list(opened(tmp_path).validation(SHAPE))
    shutil.copytree(image_folder, tmp_path / "data")
    (tmp_path / "data" / "train" / "n0000").rename(tmp_path / "data" / "train" / "other")
    with pytest.raises(DataError, match="val/ has no folder other, and train/ has; make the class folders of both"):
        opened(tmp_path / "data")
    (tmp_path / "data" / "val" / "n0000").rename(tmp_path / "data" / "train" / "n0000")
    with pytest.raises(DataError, match="val/ has no folder n0000, other, and train/ has"):
        opened(tmp_path / "data", None)
    (tmp_path / "one" / "cat").mkdir(parents=True)
    with pytest.raises(DataError, match="its only class is 'cat'; give images of two classes or more"):
        opened(tmp_path / "one", None)


def test_what_is_odd_is_counted_and_named(tmp_path: Path):
    for path, n in (
        ("train/cat", 3),
        ("train/dog", 1),
        ("train/cow", 0),
        ("val/cat", 2),
        ("val/dog", 0),
        ("val/cow", 1),
    ):
        (tmp_path / path).mkdir(parents=True)
        for i in range(n):
            Image.new("RGB", (9, 9)).save(tmp_path / path / f"{i}.png")
    for path in ("train/cat/more/3.png", "train/dog/.hidden", "train/dog/._0.png", "val/cat/2.gif"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    shares = f"{tmp_path}: 4 image files to learn from, 3 to measure on, 3 classes: cat 75 %, dog 25 %"
    data = opened(tmp_path, None)
    assert data.notes == [
        shares,
        f"{tmp_path} has no image of cow to learn from",
        f"{tmp_path} has no image of dog to measure on",
        f"{tmp_path}: left out, because their names are not those of images: train/cat/more, val/cat/2.gif",
    ]
    assert opened(tmp_path / "val", None).notes == [
        f"{tmp_path / 'val'} has no image of dog to measure on",
        f"{tmp_path / 'val'}: left out, because their names are not those of images: cat/2.gif",
    ]


def test_folders_are_of_the_networks_classes_by_name_or_number(tmp_path: Path):
    for name in ("b", "c", "a"):
        (tmp_path / "names" / name).mkdir(parents=True)
        Image.new("RGB", (9, 9), (ord(name), 0, 0)).save(tmp_path / "names" / name / "x.png")
    told = ImageFolder(tmp_path / "names", 3, Sampling(9, 9, 9), labels=("c", "a", "b"))
    [(images, labels)] = told.validation({"input": TensorSpec((3, 8, 8))})
    red = (images[:, 0, 0, 0] * IMAGENET.std[0] + IMAGENET.mean[0]) * 255
    assert {round(value): told.labels[i] for value, i in zip(red.tolist(), labels.tolist(), strict=True)} == {
        ord(name): name for name in "abc"
    }
    with pytest.raises(DataError, match="it has the class folder 'a', and the network's classes are x, y, z"):
        ImageFolder(tmp_path / "names", 3, Sampling(9, 9, 9), labels=("x", "y", "z"))
    for i in range(12):
        (tmp_path / "numbers" / str(i)).mkdir(parents=True)
        Image.new("RGB", (9, 9), (10 * i, 0, 0)).save(tmp_path / "numbers" / str(i) / "x.png")
    for known in ((), tuple(f"class {i}" for i in range(12))):
        data = ImageFolder(tmp_path / "numbers", 12, Sampling(12, 9, 12), labels=known)
        [(images, labels)] = data.validation({"input": TensorSpec((3, 8, 8))})
        red = (images[:, 0, 0, 0] * IMAGENET.std[0] + IMAGENET.mean[0]) * 255
        torch.testing.assert_close(red, 10.0 * labels, rtol=0, atol=0.01)
        assert data.labels == (known or tuple(str(i) for i in range(12)))
    (tmp_path / "ids" / "n00000001").mkdir(parents=True)
    for folder, others in (("numbers", [str(i) for i in range(1, 13)]), ("ids", ["n00000002"])):
        with pytest.raises(DataError, match=f"and the network's classes are {others[0]}"):
            opened(tmp_path / folder, len(others), labels=others)


def test_preprocessing_is_told_in_words():
    assert str(IMAGENET) == (
        "RGB, bilinear resize of the shorter side to ceil(r / 0.875), centre crop r x r, divide by 255, "
        "mean 0.485 0.456 0.406, std 0.229 0.224 0.225"
    )


def test_some_samples_are_those_of_all(image_folder: Path) -> None:
    specs = {"input": TensorSpec((3, 32, 32))}
    data = ImageFolder(image_folder, 10, Sampling(50, 1, 16))
    images, labels = (torch.cat(part) for part in zip(*data.validation(specs), strict=True))
    chosen = [7, 3, 49, 20, 0]
    some, of_some = (torch.cat(part) for part in zip(*data.validation_of(specs, chosen), strict=True))
    assert data.n_validation == len(labels) == 50
    assert torch.equal(some, images[chosen])
    assert of_some.tolist() == labels[chosen].tolist()
