"""Folders as ``save_pretrained`` writes them: tiny decoders with random weights, and a tokenizer of a few words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hwnas.supernet import Supernet

transformers = pytest.importorskip("transformers", reason="parity needs transformers")

WORDS = (
    "<unk>",
    "<s>",
    "</s>",
    *[
        "the",
        "a",
        "film",
        "was",
        "is",
        "good",
        "bad",
        "very",
        "not",
        "dull",
        "great",
        "who",
        "where",
        "when",
        "what",
        "city",
        "man",
    ],
)

SIZES: dict[str, Any] = {
    "vocab_size": len(WORDS),
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
}

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {
        "tie_word_embeddings": True,
        "head_dim": 8,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5e4},
    },
    "mistral": {"tie_word_embeddings": False, "sliding_window": None},
    "qwen2": {"tie_word_embeddings": True},
}
"""What each has that the others lack."""


def save(folder: Path, kind: str, seed: int = 0, **settings: object) -> Any:
    """A network of a family with random weights, none of them zero or one."""
    config = transformers.AutoConfig.for_model(kind, **{**SIZES, **FAMILIES[kind], **settings})
    torch.manual_seed(seed)
    net = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(parameter.mean() + 0.3 * torch.randn(parameter.shape, generator=generator))
    net.save_pretrained(folder)
    write_tokenizer(folder)
    return net


def write_tokenizer(folder: Path) -> None:
    """Words between spaces."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    engine = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=WORDS[0]))
    engine.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    engine.save(str(folder / "tokenizer.json"))


def largest(net: Supernet) -> Any:
    """The row of the parent."""
    return torch.tensor([len(gene.choices) - 1 for gene in net.space.genes]).numpy()


def ids(n: int = 2, tokens: int = 9, seed: int = 0) -> torch.Tensor:
    """Random texts."""
    return torch.randint(len(WORDS), (n, tokens), generator=torch.Generator().manual_seed(seed))
