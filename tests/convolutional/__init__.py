"""Published convolutional architectures in torch, small: all of their structure, few channels, random weights.

They follow the papers and torchvision's code; `exported` writes one as ONNX, as a user would.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from tests.convolutional._depthwise import (
    convmixer,
    convnext,
    convnext_v2,
    mobilefacenet,
    mobilenet_v2,
    mobilenet_v3,
    poolformer,
)
from tests.convolutional._gated import attentive, hrnet
from tests.convolutional._joined import (
    Inception,
    alexnet,
    cspdarknet,
    densenet,
    googlenet,
    repvgg,
    shufflenet_v2,
    squeezenet,
    vgg,
    vovnet,
)
from tests.convolutional._parts import CLASSES, SIZE, Residual, conv_bn, head
from tests.convolutional._residual import bit, nfnet, res2net, resnet, resnet_gn

__all__ = ["CLASSES", "NETWORKS", "SIZE", "Residual", "conv_bn", "exported", "head", "initialised", "network", "resnet"]

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet18": lambda: resnet((2, 2, 2, 2), 16, bottleneck=False),
    "resnet50": lambda: resnet((2, 3, 4, 2), 16, bottleneck=True),
    "resnext": lambda: resnet((2, 3, 2), 16, bottleneck=True, groups=8),
    "res2net": res2net,
    "resnet_gn": resnet_gn,
    "bit": bit,
    "nfnet": nfnet,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3": mobilenet_v3,
    "mobilefacenet": mobilefacenet,
    "convnext": convnext,
    "convnext_v2": convnext_v2,
    "convmixer": convmixer,
    "poolformer": poolformer,
    "attentive": attentive,
    "hrnet": hrnet,
    "squeezenet": squeezenet,
    "shufflenet_v2": shufflenet_v2,
    "densenet": densenet,
    "cspdarknet": cspdarknet,
    "googlenet": googlenet,
    "inception_v3": Inception,
    "repvgg": repvgg,
    "vovnet": vovnet,
    "alexnet": alexnet,
    "vgg": vgg,
}


def network(name: str, seed: int = 0) -> nn.Module:
    """One of `NETWORKS`, as `initialised`."""
    torch.manual_seed(seed)
    return initialised(NETWORKS[name]())


def initialised(module: nn.Module) -> nn.Module:
    """The module in evaluation mode, with statistics that batch norms could have seen."""
    for each in module.modules():
        if isinstance(each, nn.BatchNorm2d):
            for tensor, low, high in (
                (each.weight, 0.5, 1.5),
                (each.bias, -0.2, 0.2),
                (each.running_mean, -0.2, 0.2),
                (each.running_var, 0.5, 1.5),
            ):
                assert tensor is not None
                nn.init.uniform_(tensor, low, high)
        elif isinstance(each, (nn.GroupNorm, nn.InstanceNorm2d)):
            nn.init.uniform_(each.weight, 0.5, 1.5)
            nn.init.uniform_(each.bias, -0.2, 0.2)
        elif isinstance(each, nn.PReLU):
            nn.init.uniform_(each.weight, -0.2, 0.4)
    return module.eval()


def exported(module: nn.Module, path: Path, *, fold: bool = True, size: int = SIZE, opset: int = 17) -> Path:
    """The module as ONNX; ``fold`` makes batch norms part of the convolutions, as exporters do by default."""
    mode = torch.onnx.TrainingMode.EVAL if fold else torch.onnx.TrainingMode.PRESERVE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is the older one
        torch.onnx.export(
            module,
            (torch.zeros(1, 3, size, size),),
            str(path),
            input_names=["image"],
            output_names=["scores"],
            dynamic_axes={"image": {0: "n"}, "scores": {0: "n"}},
            opset_version=opset,
            training=mode,
            do_constant_folding=fold,
            dynamo=False,
        )
    return path
