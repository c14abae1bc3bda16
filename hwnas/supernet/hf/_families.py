"""The families of encoders by ``model_type``, and those of texts. A new one is a function and a line in `FAMILIES`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwnas.errors import SupernetError
from hwnas.supernet.hf._encoder import Head
from hwnas.supernet.hf._family import Family, FamilyKind, encoder_of
from hwnas.supernet.hf._folder import CONFIG, number
from hwnas.supernet.hf._inputs import LENGTHS, TextInput
from hwnas.supernet.hf._vit import deit, dinov2, vit
from hwnas.supernet.hf.decoder import DECODERS


def family_of(config: Mapping[str, Any], folder: str, *, tuned: bool) -> Family:
    """The family of a configuration.

    Args:
        config: the folder's.
        folder: for messages.
        tuned: whether there is a classification head.

    Raises:
        SupernetError: the family or one of the settings is not supported, or a setting is missing.
    """
    return family_kind(config, folder).of(config, tuned, folder)


def family_kind(config: Mapping[str, Any], folder: str) -> FamilyKind:
    """The entry of `FAMILIES` for a configuration.

    Raises:
        SupernetError: the family is not supported.
    """
    kind = config["model_type"]
    if config.get("is_encoder_decoder") or config.get("is_decoder") or kind not in FAMILIES:
        uses = {"is_encoder_decoder": "an encoder with a decoder", "is_decoder": "used as a decoder"}
        used = next((f"its {kind} is {use}" for key, use in uses.items() if config.get(key)), None)
        remedy = f"give an encoder of the families {', '.join(FAMILIES)}, or a decoder of {', '.join(DECODERS)}"
        raise SupernetError(f"hf:{folder}", used or f"its model_type is {kind!r}", remedy)
    if config.get("quantization_config"):
        rule = "its weights are in another precision (quantization_config)"
        raise SupernetError(f"hf:{folder}, {CONFIG}", rule, "give the network as it was before")
    return FAMILIES[kind]


def _bert(config: Mapping[str, Any], tuned: bool, folder: str) -> Family:
    _absolute(config, folder)
    head = Head("first", number(config, "hidden_size", folder)) if tuned else Head("mean")
    return Family(
        encoder_of(config, folder, head),
        _text(config, folder, segments=number(config, "type_vocab_size", folder, usual=2, least=0)),
        {**_EMBEDDINGS, **_BERT_LAYER},
        "bert.",
        {"head/dense": ("bert.pooler.dense",), "head/classifier": ("classifier",)},
    )


def _roberta(config: Mapping[str, Any], tuned: bool, folder: str) -> Family:
    """RoBERTa. XLM-RoBERTa and CamemBERT are the same network with other tokens."""
    head = Head("first", number(config, "hidden_size", folder)) if tuned else Head("mean")
    padding = number(config, "pad_token_id", folder, usual=1, least=0)
    first = padding + 1  # positions begin behind the padding token's id
    text = _text(config, folder, segments=number(config, "type_vocab_size", folder, usual=1, least=0), reserved=first)
    return Family(
        encoder_of(config, folder, head),
        text,
        {**_EMBEDDINGS, **_BERT_LAYER},
        "roberta.",
        {"head/dense": ("classifier.dense",), "head/classifier": ("classifier.out_proj",)},
        first,
    )


def _distilbert(config: Mapping[str, Any], tuned: bool, folder: str) -> Family:
    renamed = {
        "num_hidden_layers": config.get("n_layers"),
        "num_attention_heads": config.get("n_heads"),
        "hidden_size": config.get("dim"),
        "intermediate_size": config.get("hidden_dim"),
        "hidden_act": config.get("activation", "gelu"),
        "layer_norm_eps": 1e-12,
    }
    config = {**config, **renamed}
    head = Head("first", number(config, "hidden_size", folder), "relu") if tuned else Head("mean")
    return Family(
        encoder_of(config, folder, head),
        _text(config, folder, segments=0),
        {**_EMBEDDINGS, **_DISTILBERT_LAYER},
        "distilbert.",
        {"head/dense": ("pre_classifier",), "head/classifier": ("classifier",)},
    )


def _electra(config: Mapping[str, Any], tuned: bool, folder: str) -> Family:
    """ELECTRA (Clark et al. 2020, arXiv:2003.10555), whose embedding tables may be narrower than its layers."""
    _absolute(config, folder)
    channels, width = number(config, "hidden_size", folder), number(config, "embedding_size", folder, usual=128)
    segments = number(config, "type_vocab_size", folder, usual=2, least=0)
    return Family(
        encoder_of(config, folder, Head("first", channels, "gelu") if tuned else Head("mean")),
        _text(config, folder, segments=segments, width=0 if width == channels else width),
        {**_EMBEDDINGS, "embeddings/project": "embeddings_project", **_BERT_LAYER},
        "electra.",
        {"head/dense": ("classifier.dense",), "head/classifier": ("classifier.out_proj",)},
    )


_DENSE_AND_OUT = (("classifier.dense.weight", "classifier.out_proj.weight"),)

FAMILIES: dict[str, FamilyKind] = {
    "bert": FamilyKind(_bert, (("bert.pooler.dense.weight", "classifier.weight"),)),
    "camembert": FamilyKind(_roberta, _DENSE_AND_OUT),
    "deit": FamilyKind(deit, (("classifier.weight",), ("cls_classifier.weight", "distillation_classifier.weight"))),
    "dinov2": FamilyKind(dinov2, (("classifier.weight",),)),
    "distilbert": FamilyKind(_distilbert, (("pre_classifier.weight", "classifier.weight"),)),
    "electra": FamilyKind(_electra, _DENSE_AND_OUT),
    "roberta": FamilyKind(_roberta, _DENSE_AND_OUT),
    "vit": FamilyKind(vit, (("classifier.weight",),)),
    "xlm-roberta": FamilyKind(_roberta, _DENSE_AND_OUT),
}
"""Families by ``model_type``."""

_EMBEDDINGS = {
    "embeddings/words": "embeddings.word_embeddings",
    "embeddings/segments": "embeddings.token_type_embeddings",
    "embeddings/positions": "embeddings.position_embeddings",
    "embeddings/norm": "embeddings.LayerNorm",
}
_BERT_LAYER = {
    "layer.{i}/query": "encoder.layer.{i}.attention.self.query",
    "layer.{i}/key": "encoder.layer.{i}.attention.self.key",
    "layer.{i}/value": "encoder.layer.{i}.attention.self.value",
    "layer.{i}/attention.output": "encoder.layer.{i}.attention.output.dense",
    "layer.{i}/attention.norm": "encoder.layer.{i}.attention.output.LayerNorm",
    "layer.{i}/ffn.inner": "encoder.layer.{i}.intermediate.dense",
    "layer.{i}/ffn.output": "encoder.layer.{i}.output.dense",
    "layer.{i}/ffn.norm": "encoder.layer.{i}.output.LayerNorm",
}
_DISTILBERT_LAYER = {
    "layer.{i}/query": "transformer.layer.{i}.attention.q_lin",
    "layer.{i}/key": "transformer.layer.{i}.attention.k_lin",
    "layer.{i}/value": "transformer.layer.{i}.attention.v_lin",
    "layer.{i}/attention.output": "transformer.layer.{i}.attention.out_lin",
    "layer.{i}/attention.norm": "transformer.layer.{i}.sa_layer_norm",
    "layer.{i}/ffn.inner": "transformer.layer.{i}.ffn.lin1",
    "layer.{i}/ffn.output": "transformer.layer.{i}.ffn.lin2",
    "layer.{i}/ffn.norm": "transformer.layer.{i}.output_layer_norm",
}


def _absolute(config: Mapping[str, Any], folder: str) -> None:
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise SupernetError(f"hf:{folder}", "its positions are relative", "give a network with absolute positions")


def _text(config: Mapping[str, Any], folder: str, *, segments: int, reserved: int = 0, width: int = 0) -> TextInput:
    positions = number(config, "max_position_embeddings", folder) - reserved
    if positions < 1:
        rule = f"max_position_embeddings is {positions + reserved}, which leaves no position"
        raise SupernetError(f"hf:{folder}, {CONFIG}", rule, "restore it")
    lengths = tuple(length for length in LENGTHS if length <= positions) or (positions,)
    return TextInput(number(config, "vocab_size", folder), positions, segments, lengths, width=width)
