"""What every supernet must do, whatever its family: with random weights, since few checkpoints ship."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hwnas.supernet import Supernet, random_supernet, supernet_names
from hwnas.supernet.hf import TextEncoder
from hwnas.testing import SUPERNET_CHECKS, Check
from tests.conftest import REPOSITORY

EXAMPLE = f"{REPOSITORY / 'examples' / 'own_supernet.py'}:OwnSupernet"
TRANSFORMER = f"{REPOSITORY / 'tests' / 'contract' / 'vit.py'}:Vit"


FOLDERS: dict[str, dict[str, Any]] = {
    "bert": {"hidden_act": "gelu", "vocab_size": 20, "max_position_embeddings": 34, "type_vocab_size": 2},
    "dinov2": {"image_size": 32, "patch_size": 8, "mlp_ratio": 2},
    "electra": {"vocab_size": 20, "max_position_embeddings": 34, "embedding_size": 16},
    "vit": {"image_size": 32, "patch_size": 8, "qkv_bias": False},
    "deit": {"image_size": 32, "patch_size": 8, "architectures": ["DeiTForImageClassificationWithTeacher"]},
    "xlm-roberta": {"vocab_size": 20, "max_position_embeddings": 34, "type_vocab_size": 1},
    "llama": {"num_key_value_heads": 2, "vocab_size": 20, "max_position_embeddings": 34, "tie_word_embeddings": True},
    "qwen2": {"vocab_size": 20, "max_position_embeddings": 34},
}
"""Configurations of Hugging Face folders; all of 3 layers, 4 heads of 8 channels, 48 neurons."""

HEADS = {
    "bert": ["bert.pooler.dense.weight", "classifier.weight"],
    "dinov2": ["classifier.weight"],
    "electra": ["classifier.dense.weight", "classifier.out_proj.weight"],
    "vit": ["classifier.weight"],
    "deit": ["cls_classifier.weight", "distillation_classifier.weight"],
    "xlm-roberta": ["classifier.dense.weight", "classifier.out_proj.weight"],
    "llama": [],
    "qwen2": [],
}
"""Tensors by which a folder is known to have a head; what they hold is drawn at random."""

SHARED = "bert of few rows"
"""Its tokens share rows of their table."""

SIZES = {"num_hidden_layers": 3, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 48}


@pytest.fixture(
    scope="module",
    params=[*supernet_names(), EXAMPLE, TRANSFORMER, "onnx", *FOLDERS, SHARED],
    ids=lambda name: name.rpartition(":")[2],
)
def supernet(request: pytest.FixtureRequest, onnx_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Supernet:
    kind = request.param.partition(" ")[0]
    if kind in FOLDERS:
        folder = tmp_path_factory.mktemp(kind)
        config = {"model_type": kind, **SIZES, **FOLDERS[kind]}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        save_file({name: torch.zeros(1) for name in HEADS[kind]}, folder / "model.safetensors")
        net = random_supernet(f"hf:{folder}")
        if request.param == SHARED:
            assert isinstance(net, TextEncoder)
            return net.with_embedding_rows(np.arange(20), 7)
        return net
    return random_supernet(str(onnx_file) if request.param == "onnx" else request.param)


@pytest.mark.parametrize("check", SUPERNET_CHECKS)
def test_it_keeps_the_contract(check: Check, supernet: Supernet) -> None:
    check(supernet)
