"""What the images of a file's network are like: of its colours, and as they are where it makes them standard itself."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hwnas.supernet import Supernet, extremes, load_supernet
from hwnas.task import GREY, IMAGENET
from tests.convolutional import conv_bn, head, initialised


class Standard(nn.Module):
    """Makes its image standard before it enters a network; with channels last, as TensorFlow's do."""

    def __init__(self, divisor: float, *, last: bool) -> None:
        super().__init__()
        self.divisor, self.last = divisor, last

    def forward(self, x: Tensor) -> Tensor:
        shape = (1, 1, 1, 3) if self.last else (1, 3, 1, 1)
        mean, std = (torch.tensor(each).view(shape) for each in (IMAGENET.mean, IMAGENET.std))
        x = (x / self.divisor - mean) / std
        return x.permute(0, 3, 1, 2) if self.last else x


def body(channels: int) -> nn.Module:
    return initialised(nn.Sequential(conv_bn(channels, 8, 3, 2), conv_bn(8, 16, 3, 2), conv_bn(16, 16), head(16)))


def written(module: nn.Module, file: Path, shape: tuple[int, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is the older one
        torch.onnx.export(module, (torch.zeros(shape),), file, dynamo=False)


def kept(net: Supernet, folder: Path) -> list[Supernet]:
    """The network, with another head, and as it is read from its own file."""
    other = net.with_head(["a", "b"])
    other.save(folder / "own.safetensors")
    return [net, other, load_supernet(str(folder / "own.safetensors"))]


def test_a_network_of_one_channel_is_shown_grey_images(tmp_path: Path) -> None:
    file = tmp_path / "grey.onnx"
    written(body(1), file, (1, 1, 32, 32))
    for net in kept(load_supernet(str(file)), tmp_path):
        assert net.preprocessing == GREY
    files = net.deployed_files(net.extract(extremes(net.space)[1]))
    told = json.loads(files["preprocessor_config.json"])
    assert (told["image_mean"], told["do_convert_rgb"]) == ([0.449], False)


@pytest.mark.parametrize("divisor", [255.0, 1.0])
@pytest.mark.parametrize("last", [False, True])
def test_a_network_that_makes_its_image_standard_is_shown_it_as_it_is(
    divisor: float, last: bool, tmp_path: Path
) -> None:
    module, file = nn.Sequential(Standard(divisor, last=last), body(3)).eval(), tmp_path / "own.onnx"
    written(module, file, (1, 32, 32, 3) if last else (1, 3, 32, 32))
    for net in kept(load_supernet(str(file)), tmp_path):
        shown = net.preprocessing
        assert shown is not None
        assert (shown.mean, shown.std, shown.divisor) == ((0,) * 3, (1,) * 3, 1 if divisor == 255 else 255)


def test_other_networks_are_shown_what_imagenet_is(tmp_path: Path) -> None:
    written(body(3), tmp_path / "plain.onnx", (1, 3, 32, 32))
    assert load_supernet(str(tmp_path / "plain.onnx")).preprocessing == IMAGENET
