"""The families of decoders by ``model_type``. A new one is a line in `DECODERS`, and code for whatever it has of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hwnas.errors import SupernetError
from hwnas.supernet.hf._family import function_of
from hwnas.supernet.hf._folder import CONFIG, fraction, number
from hwnas.supernet.hf.decoder._space import Decoder

Settings = Mapping[str, Any]

THETA = 10000.0
"""Base of rotary positions if a configuration does not state it."""


def decoder_of(config: Settings, folder: str) -> Decoder:
    """The sizes that a configuration of a family of `DECODERS` states.

    Raises:
        SupernetError: a size is missing, or the network has a feature that is not supported.
    """
    where = f"hf:{folder}, {CONFIG}"
    positions = number(config, "max_position_embeddings", folder)
    unsupported = (*_unsupported(config), *DECODERS[config["model_type"]](config))
    if unsupported:
        rule = f"it has {', '.join(unsupported)}, which hwnas does not know"
        raise SupernetError(where, rule, "give a network without")
    function = function_of(config, folder, usual="silu")
    channels, heads = number(config, "hidden_size", folder), number(config, "num_attention_heads", folder)
    given = {key: value for key, value in config.items() if value is not None}
    kv_heads = number(given, "num_key_value_heads", folder, usual=heads)
    size = number(given, "head_dim", folder, usual=channels // heads)
    if heads % kv_heads or size % 2:
        rule = f"{heads} heads of {size} channels do not fit {kv_heads} key-value heads with rotary pairs of channels"
        raise SupernetError(where, rule, "restore it")
    return Decoder(
        layers=number(config, "num_hidden_layers", folder),
        channels=channels,
        ffn=number(config, "intermediate_size", folder),
        heads=heads,
        kv_heads=kv_heads,
        head_size=size,
        function=function,
        eps=fraction(config, "rms_norm_eps", folder, usual=1e-6),
        theta=_theta(config, where),
        vocabulary=number(config, "vocab_size", folder),
        positions=positions,
        tied=bool(config.get("tie_word_embeddings", False)),
        qkv_bias=config["model_type"] == "qwen2",
    )


def _theta(config: Settings, where: str) -> float:
    theta = _rope(config).get("rope_theta", config.get("rope_theta") or THETA)
    if isinstance(theta, bool) or not isinstance(theta, int | float) or not 1 < theta < float("inf"):
        raise SupernetError(where, f"rope_theta is {theta!r}, not a number above 1", "restore it")
    return float(theta)


def _rope(config: Settings) -> Settings:
    """The settings of rotary positions, in new and in old configurations."""
    found = config.get("rope_parameters") or config.get("rope_scaling") or {}
    return found if isinstance(found, dict) else {"rope_type": found}


def _unsupported(config: Settings) -> list[str]:
    """Unsupported features that any family may have."""
    rope = _rope(config)
    kind = rope.get("rope_type", rope.get("type", "default"))
    part = rope.get("partial_rotary_factor", config.get("partial_rotary_factor", 1.0))
    return [
        *([] if kind == "default" else [f"scaled rotary positions ({kind})"]),
        *([] if part in (None, 1) else [f"rotary positions in a part of the channels ({part})"]),
        *(f"biases ({key})" for key in ("attention_bias", "mlp_bias") if config.get(key)),
        *(["weights in another precision (quantization_config)"] if config.get("quantization_config") else []),
    ]


def _of_llama(config: Settings) -> list[str]:  # noqa: ARG001
    return []


def _of_mistral(config: Settings) -> list[str]:
    """A sliding window is supported if the longest text fits into it."""
    window = config.get("sliding_window", 4096)
    hides_nothing = window is None or (isinstance(window, int) and window >= config["max_position_embeddings"])
    return [] if hides_nothing else [f"a sliding window of {window} tokens"]


def _of_qwen2(config: Settings) -> list[str]:
    used = config.get("use_sliding_window") or "sliding_attention" in str(config.get("layer_types"))
    return ["a sliding window (use_sliding_window)"] if used else []


DECODERS: Mapping[str, Callable[[Settings], list[str]]] = {
    "llama": _of_llama,
    "mistral": _of_mistral,
    "qwen2": _of_qwen2,
}
"""Functions by ``model_type`` that name the unsupported features of a configuration."""

NAMES = {
    "embeddings/words": "model.embed_tokens",
    "attention/norm": "model.layers.{i}.input_layernorm",
    "attention/query": "model.layers.{i}.self_attn.q_proj",
    "attention/key": "model.layers.{i}.self_attn.k_proj",
    "attention/value": "model.layers.{i}.self_attn.v_proj",
    "attention/output": "model.layers.{i}.self_attn.o_proj",
    "ffn/norm": "model.layers.{i}.post_attention_layernorm",
    "ffn/gate": "model.layers.{i}.mlp.gate_proj",
    "ffn/up": "model.layers.{i}.mlp.up_proj",
    "ffn/down": "model.layers.{i}.mlp.down_proj",
    "head/norm": "model.norm",
    "head/logits": "lm_head",
}
"""The names of tensors in folders, the same for all families, by op. The slots of a layer are without ``layer.<i>.``."""


def file_name(name: str) -> str:
    """A tensor's name in folders: ``model.layers.3.mlp.up_proj.weight`` for ``layer.3.ffn/up.weight``."""
    op, _, part = name.rpartition(".")
    layer, inner = "", op
    if op.startswith("layer."):
        _, layer, inner = op.split(".", 2)
    return f"{NAMES[inner].replace('{i}', layer)}.{part}"
