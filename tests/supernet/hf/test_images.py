"""Vision transformers: the largest subnet is the original, at every resolution, sorted, exported, and reopened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from hwnas.errors import DataError, HwnasError
from hwnas.space import TensorSpec
from hwnas.supernet import Supernet, export_onnx, extremes, load_supernet
from hwnas.supernet.hf import ImageEncoder
from hwnas.task import ImageFolder
from tests.supernet.hf.conftest import save_images

transformers = pytest.importorskip("transformers", reason="parity needs transformers")

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("vit", {}),
    "vit-nobias": ("vit", {"qkv_bias": False, "patch_size": 4}),
    "vit-uneven": ("vit", {"image_size": 30, "patch_size": 7, "hidden_act": "gelu_new"}),
    "deit": ("deit", {}),
    "dinov2": ("dinov2", {}),
    "dinov2-nobias": ("dinov2", {"qkv_bias": False, "patch_size": 4, "mlp_ratio": 2}),
    "dinov2-uneven": ("dinov2", {"image_size": 30, "patch_size": 7, "hidden_act": "gelu_new"}),
    "deit-teacher": ("deit", {"taught": True, "patch_size": 4}),
    "deit-teacher-nobias": ("deit", {"taught": True, "qkv_bias": False}),
}


def drawn(size: int, n: int = 3) -> torch.Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(1))


def logits(net: Supernet, size: int, batch: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return net.forward(extremes(net.space.restrict(r=size))[1], batch)


@pytest.mark.parametrize("case", CASES)
def test_the_largest_subnet_is_the_original_at_every_resolution(case: str, tmp_path: Path) -> None:
    kind, settings = CASES[case]
    original: Any = save_images(tmp_path, kind, **settings)
    net = load_supernet(f"hf:{tmp_path}")
    assert isinstance(net, ImageEncoder)
    assert not net.head_is_new
    assert net.labels == ("class 0", "class 1", "class 2")
    sizes = net.space.input_values["r"]
    assert len(sizes) > 2
    assert sizes[-1] == original.config.image_size
    for size in map(int, sizes):
        batch = drawn(size)
        with torch.no_grad():
            expected = original(pixel_values=batch, interpolate_pos_encoding=True).logits
        torch.testing.assert_close(logits(net, size, batch), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_a_sorted_network_is_the_original_and_onnx_computes_it(case: str, tmp_path: Path) -> None:
    kind, settings = CASES[case]
    save_images(tmp_path / "net", kind, **settings)
    net = load_supernet(f"hf:{tmp_path / 'net'}")
    assert isinstance(net, ImageEncoder)
    net = net.with_widths([16, 24])
    size = int(net.space.input_values["r"][-1])
    batch, generator = drawn(size), torch.Generator().manual_seed(3)
    before = logits(net, size, batch)
    for units in net.units():
        width = min(net.tensors[f"{reader}.weight"].shape[1] for reader in units.readers)
        others = units.sorted(net.tensors, torch.rand(width // units.size, generator=generator))
        assert others
        assert any(not torch.equal(other, net.tensors[name]) for name, other in others.items())
        net.tensors |= others
    torch.testing.assert_close(logits(net, size, batch), before, rtol=1e-5, atol=1e-5)
    for row in extremes(net.space):
        assert export_onnx(net.extract(row), tmp_path / "subnet.onnx").difference.largest < 1e-4


def test_a_dinov2_is_as_large_as_it_is_shown_images(tmp_path: Path) -> None:
    """Its positions are of a larger grid than that of the images it was trained on."""
    original = save_images(tmp_path / "net", "dinov2", image_size=56)
    net = load_supernet(f"hf:{tmp_path / 'net'}")
    assert net.space.input_values["r"] == [16, 24, 32]
    for size in (16, 24, 32):
        with torch.no_grad():
            expected = original(pixel_values=drawn(size)).logits
        torch.testing.assert_close(logits(net, size, drawn(size)), expected, rtol=1e-5, atol=1e-5)
    net.save(tmp_path / "own.safetensors")
    other = load_supernet(str(tmp_path / "own.safetensors"))
    assert (other.space.name, other.digest) == (net.space.name, net.digest)


def test_a_dinov2_without_head_gets_a_new_one_on_class_token_and_mean(tmp_path: Path) -> None:
    original = save_images(tmp_path, "dinov2", classes=None)
    net = load_supernet(f"hf:{tmp_path}")
    assert net.head_is_new
    with torch.no_grad():
        states = original(pixel_values=drawn(32)).last_hidden_state
    both = torch.cat([states[:, 0], states[:, 1:].mean(dim=1)], dim=1)
    head = net.tensors["head/classifier.weight"], net.tensors["head/classifier.bias"]
    torch.testing.assert_close(
        logits(net, 32, drawn(32)), torch.nn.functional.linear(both, *head), rtol=1e-5, atol=1e-6
    )


def test_a_scale_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    save_images(tmp_path, "dinov2")
    tensors = load_file(tmp_path / "model.safetensors")
    (key,) = [name for name in tensors if name.endswith("layer.1.layer_scale2.lambda1")]
    for damaged in ({key: tensors[key][:5].clone()}, {}):
        left = {name: tensor for name, tensor in tensors.items() if name != key}
        save_file(left | damaged, tmp_path / "model.safetensors")
        with pytest.raises(
            HwnasError, match=r"it has no encoder.layer.1.layer_scale2.lambda1 that fits layer.1/ffn.out"
        ):
            load_supernet(f"hf:{tmp_path}")


def test_gated_ffns_are_refused(tmp_path: Path) -> None:
    save_images(tmp_path, "dinov2", use_swiglu_ffn=True)
    with pytest.raises(HwnasError, match=r"its FFNs are gated \(use_swiglu_ffn\).*give a smaller network"):
        load_supernet(f"hf:{tmp_path}")


def test_a_folder_without_head_gets_a_new_one_on_the_class_token(tmp_path: Path) -> None:
    original = save_images(tmp_path, "vit", classes=None)
    net = load_supernet(f"hf:{tmp_path}")
    assert net.head_is_new
    batch = drawn(32)
    with torch.no_grad():
        token = original(pixel_values=batch).last_hidden_state[:, 0]
    head = net.tensors["head/classifier.weight"], net.tensors["head/classifier.bias"]
    torch.testing.assert_close(logits(net, 32, batch), torch.nn.functional.linear(token, *head), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["vit", "deit"])
def test_images_are_shown_as_transformers_shows_them(kind: str, tmp_path: Path) -> None:
    """Squeezed into a square, in DeiT's case its centre cut out; fitted to the network's size."""
    save_images(tmp_path / "net", kind, image_size=32)
    processor = getattr(transformers, {"vit": "ViTImageProcessorPil", "deit": "DeiTImageProcessorPil"}[kind])
    sizes = {"crop_size": {"height": 32, "width": 32}} if kind == "deit" else {}
    side = 36 if kind == "deit" else 32
    theirs = processor(
        size={"height": side, "width": side}, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4], **sizes
    )
    theirs.save_pretrained(tmp_path / "net")
    pixels = np.random.default_rng(0).integers(0, 255, (45, 61, 3), dtype=np.uint8)
    for label in ("class 0", "class 1", "class 2"):
        (tmp_path / "data" / label).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "data" / label / "x.png")
    data = load_supernet(f"hf:{tmp_path / 'net'}").open_data(tmp_path / "data")
    assert isinstance(data, ImageFolder)
    [(images, _)] = data.validation({"input": TensorSpec((3, 32, 32))})
    expected = theirs(Image.fromarray(pixels), return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(images[:1], expected, rtol=1e-5, atol=1e-5)


def test_a_saved_network_needs_no_folder(tmp_path: Path) -> None:
    save_images(tmp_path / "net", "deit", taught=True)
    net = load_supernet(f"hf:{tmp_path / 'net'}").with_head(["yes", "no"])
    expected = logits(net, 32, drawn(32))
    net.save(tmp_path / "own.safetensors")
    (tmp_path / "net").rename(tmp_path / "gone")
    other = load_supernet(str(tmp_path / "own.safetensors"))
    assert (other.labels, other.space.name, other.digest) == (("yes", "no"), net.space.name, net.digest)
    assert other.preprocessing == net.preprocessing
    assert other.preprocessing is not None
    assert torch.equal(logits(other, 32, drawn(32)), expected)


def test_a_saved_network_may_not_know_how_images_are_shown(tmp_path: Path) -> None:
    save_images(tmp_path / "net", "vit")
    (tmp_path / "net" / "preprocessor_config.json").unlink()
    net = load_supernet(f"hf:{tmp_path / 'net'}")
    net.save(tmp_path / "own.safetensors")
    other = load_supernet(str(tmp_path / "own.safetensors"))
    assert (other.space.name, other.digest, other.preprocessing) == (net.space.name, net.digest, None)


@pytest.mark.parametrize(
    ("file", "change", "complaint"),
    [
        ("config.json", {"image_size": [32, 24]}, "image_size is 32 x 24, and only squares are supported"),
        ("config.json", {"patch_size": 64}, "patches of 64 pixels do not fit into images of 32"),
        ("config.json", {"image_size": None}, "image_size is None, not a whole number from 1"),
        ("config.json", {"image_size": 64}, "embeddings/positions.weight is 17x32, not 65x32"),
        ("config.json", {"num_hidden_layers": 5}, "layer.4/query.weight is missing"),
        (
            "config.json",
            {"id2label": {"0": "a", "1": "b"}},
            "its id2label is for 2 classes, and the head in its weights has 3",
        ),
        ("config.json", {"model_type": "resnet"}, "camembert, deit, dinov2, distilbert, electra, roberta, vit"),
        ("preprocessor_config.json", {"image_mean": [0.5]}, "it cannot be read"),
        ("preprocessor_config.json", {"image_std": [0.5, 0.0, 0.5]}, "it cannot be read"),
        ("preprocessor_config.json", {"size": {"longest_edge": 3}, "do_center_crop": True}, "it cannot be read"),
    ],
)
def test_a_damaged_folder_is_one_line(file: str, change: dict[str, object], complaint: str, tmp_path: Path) -> None:
    save_images(tmp_path, "vit")
    told = json.loads((tmp_path / file).read_text(encoding="utf-8"))
    (tmp_path / file).write_text(json.dumps(told | change), encoding="utf-8")
    with pytest.raises(HwnasError) as caught:
        load_supernet(f"hf:{tmp_path}")
    assert complaint in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_image_processor_is_told_where_images_are_opened(tmp_path: Path) -> None:
    save_images(tmp_path, "vit")
    (tmp_path / "preprocessor_config.json").unlink()
    net = load_supernet(f"hf:{tmp_path}")
    with pytest.raises(DataError, match="it has no preprocessor_config"):
        net.open_data(tmp_path)
