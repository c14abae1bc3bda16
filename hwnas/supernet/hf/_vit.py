"""Vision transformers: ViT (Dosovitskiy et al. 2021, arXiv:2010.11929), DeiT (Touvron et al. 2021, arXiv:2012.12877) and
DINOv2 (Oquab et al. 2023, arXiv:2304.07193)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwnas.errors import SupernetError
from hwnas.supernet.hf._encoder import Head
from hwnas.supernet.hf._family import Family, encoder_of
from hwnas.supernet.hf._folder import CONFIG, number
from hwnas.supernet.hf._inputs import ImageInput

TEACHER = "DeiTForImageClassificationWithTeacher"
"""The architecture with a second head, on the distillation token."""


def vit(config: Mapping[str, Any], tuned: bool, folder: str) -> Family:  # noqa: ARG001 (the head is always the same)
    """ViT: a class token before the patches."""
    encoder = encoder_of(config, folder, Head("first"), norm_first=True)
    return Family(encoder, _images(config, folder, leading=1), _NAMES, "vit.", {"head/classifier": ("classifier",)})


def deit(config: Mapping[str, Any], tuned: bool, folder: str) -> Family:
    """DeiT: a class token and a distillation token, each with its own head if the architecture says so."""
    two = tuned and TEACHER in (config.get("architectures") or ())
    encoder = encoder_of(config, folder, Head("pair" if two else "first"), norm_first=True)
    heads = ("cls_classifier", "distillation_classifier") if two else ("classifier",)
    return Family(encoder, _images(config, folder, leading=2), _NAMES, "deit.", {"head/classifier": heads})


def dinov2(config: Mapping[str, Any], tuned: bool, folder: str) -> Family:  # noqa: ARG001 (the head is always the same)
    """DINOv2: residuals are scaled by channel, and the head reads the class token beside the mean of the patches."""
    if config.get("use_swiglu_ffn"):
        rule = "its FFNs are gated (use_swiglu_ffn), which is only supported in decoders"
        raise SupernetError(f"hf:{folder}, {CONFIG}", rule, "give a smaller network of the family, which has none")
    channels, ratio = number(config, "hidden_size", folder), number(config, "mlp_ratio", folder, usual=4)
    sizes = {**config, "intermediate_size": channels * ratio}
    return Family(
        encoder_of(sizes, folder, Head("first_and_mean"), norm_first=True),
        _images(config, folder, leading=1),
        {**_NAMES, **_DINOV2_NAMES},
        "dinov2.",
        {"head/classifier": ("classifier",)},
        scales=_DINOV2_SCALES,
    )


_NAMES = {
    "embeddings/patches": "embeddings.patch_embeddings.projection",
    "embeddings/class": "embeddings.cls_token",
    "embeddings/distillation": "embeddings.distillation_token",
    "embeddings/positions": "embeddings.position_embeddings",
    "layer.{i}/attention.norm": "encoder.layer.{i}.layernorm_before",
    "layer.{i}/query": "encoder.layer.{i}.attention.attention.query",
    "layer.{i}/key": "encoder.layer.{i}.attention.attention.key",
    "layer.{i}/value": "encoder.layer.{i}.attention.attention.value",
    "layer.{i}/attention.output": "encoder.layer.{i}.attention.output.dense",
    "layer.{i}/ffn.norm": "encoder.layer.{i}.layernorm_after",
    "layer.{i}/ffn.inner": "encoder.layer.{i}.intermediate.dense",
    "layer.{i}/ffn.output": "encoder.layer.{i}.output.dense",
    "head/norm": "layernorm",
}
_DINOV2_NAMES = {
    "layer.{i}/attention.norm": "encoder.layer.{i}.norm1",
    "layer.{i}/ffn.norm": "encoder.layer.{i}.norm2",
    "layer.{i}/ffn.inner": "encoder.layer.{i}.mlp.fc1",
    "layer.{i}/ffn.output": "encoder.layer.{i}.mlp.fc2",
}
_DINOV2_SCALES = {
    "layer.{i}/attention.output": "encoder.layer.{i}.layer_scale1.lambda1",
    "layer.{i}/ffn.output": "encoder.layer.{i}.layer_scale2.lambda1",
}


def _images(config: Mapping[str, Any], folder: str, *, leading: int) -> ImageInput:
    size, patch = (_side(config, key, folder) for key in ("image_size", "patch_size"))
    if patch > size:
        rule = f"patches of {patch} pixels do not fit into images of {size}"
        raise SupernetError(f"hf:{folder}, {CONFIG}", rule, "restore it")
    return ImageInput(number(config, "num_channels", folder, usual=3), size, patch, leading, size // patch)


def _side(config: Mapping[str, Any], key: str, folder: str) -> int:
    """The side of a square."""
    sides = config.get(key)
    if isinstance(sides, list) and len(set(map(str, sides))) == 1:
        return number({key: sides[0]}, key, folder)
    if isinstance(sides, list):
        rule = f"{key} is {' x '.join(map(str, sides))}, and only squares are supported"
        raise SupernetError(f"hf:{folder}, {CONFIG}", rule, "give a network of square images")
    return number(config, key, folder)
