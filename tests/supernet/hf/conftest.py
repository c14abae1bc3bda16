"""Folders as ``save_pretrained`` writes them: tiny networks with random weights, and a tokenizer of a few words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from hwnas.cli import main

transformers = pytest.importorskip("transformers", reason="parity needs transformers")

WORDS = [
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
    "year",
    "lives",
    "born",
]
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS)

ROBERTAS = ("camembert", "roberta", "xlm-roberta")
"""Families without segments, whose positions begin after padding's."""

Folder = Callable[..., Path]


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[object, str]]:
    """``ran("train", ...)``: the exit code of a command, and what it said."""

    def run(*words: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as end:
            main([*words])
        return end.value.code, capsys.readouterr().err

    return run


def save(folder: Path, kind: str, *, classes: int | None = 3, seed: int = 0, **settings: object) -> torch.nn.Module:
    """A network of a family with random weights, none of them zero or one; with a classification head or without."""
    sizes = {"vocab_size": len(VOCABULARY), "max_position_embeddings": 34, "pad_token_id": 0}
    if kind == "distilbert":
        sizes |= {"n_layers": 4, "n_heads": 4, "dim": 32, "hidden_dim": 48}
    else:
        sizes |= {"num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 48}
    labels = {} if classes is None else {"id2label": {i: f"class {i}" for i in range(classes)}}
    config = transformers.AutoConfig.for_model(kind, **{**sizes, **labels, **settings})
    maker = transformers.AutoModel if classes is None else transformers.AutoModelForSequenceClassification
    torch.manual_seed(seed)
    net = maker.from_config(config, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    net.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return net


def write_texts(folder: Path, n: int = 64) -> None:
    """Texts whose class is one word of theirs: ``train.csv`` and ``validation.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    neutral = [word for word in WORDS if word not in ("good", "great", "bad", "dull")]
    for split, size in (("train", n), ("validation", n // 2)):
        lines = ["text,label"]
        for i in range(size):
            words = rng.choice(neutral, size=rng.integers(2, 9)).tolist()
            words[0] = rng.choice(["good", "great"] if i % 2 else ["bad", "dull"])
            lines.append(f"{' '.join(words)},{'positive' if i % 2 else 'negative'}")
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def save_images(
    folder: Path, kind: str, *, classes: int | None = 3, taught: bool = False, **settings: object
) -> torch.nn.Module:
    """A vision transformer with random weights; a DeiT that was taught has a head on its distillation token too."""
    sizes = {"num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 48}
    labels = {} if classes is None else {"id2label": {i: f"class {i}" for i in range(classes)}}
    config = transformers.AutoConfig.for_model(
        kind, **{**sizes, "image_size": 32, "patch_size": 8, **labels, **settings}
    )
    name = {"vit": "ViT", "deit": "DeiT", "dinov2": "Dinov2"}[kind] + (
        "Model" if classes is None else "ForImageClassification"
    )
    torch.manual_seed(0)
    net = getattr(transformers, name + ("WithTeacher" if taught else ""))(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    net.save_pretrained(folder)
    transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return net
