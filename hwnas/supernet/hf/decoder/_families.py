"""The families of decoders, by ``model_type``: a new one is a line in `DECODERS`, and what it has that others lack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hwnas.errors import SupernetError
from hwnas.supernet.hf._family import function_of
from hwnas.supernet.hf._folder import CONFIG, fraction, number
from hwnas.supernet.hf.decoder._space import Decoder

Settings = Mapping[str, Any]

THETA = 10000.0
"""Of rotary positions where a configuration says nothing."""


def decoder_of(config: Settings, folder: str) -> Decoder:
    """The sizes that a configuration of a family of `DECODERS` states.

    Raises:
        SupernetError: some are missing, or it has what is not supported.
    """
    where = f"hf:{folder}, {CONFIG}"
    positions = number(config, "max_position_embeddings", folder)
    oddities = (*_oddities(config), *DECODERS[config["model_type"]](config))
    if oddities:
        rule = f"it has {', '.join(oddities)}, which hwnas does not know"
        raise SupernetError(where, rule, "give a network without")
    function = function_of(config, folder, usual="silu")
    channels, heads = number(config, "hidden_size", folder), number(config, "num_attention_heads", folder)
    given = {key: value for key, value in config.items() if value is not None}
    kv_heads = number(given, "num_key_value_heads", folder, usual=heads)
    size = number(given, "head_dim", folder, usual=channels // heads)
    if heads % kv_heads or size % 2:
        rule = (
            f"{heads} heads of {size} channels cannot share {kv_heads} of keys and values, turned in pairs of channels"
        )
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
    """What is said of rotary positions, by new configurations and by old ones."""
    found = config.get("rope_parameters") or config.get("rope_scaling") or {}
    return found if isinstance(found, dict) else {"rope_type": found}


def _oddities(config: Settings) -> list[str]:
    """What any family may have and is not supported."""
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
    """A window that the longest text fits into hides nothing."""
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
"""By ``model_type``: what a configuration of it has that is not supported, in words."""

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
"""What all of these families call their tensors: of a layer's slot what follows ``layer.<i>.``."""


def file_name(name: str) -> str:
    """What a folder calls a tensor of ours: ``layer.3.ffn/up.weight`` is ``model.layers.3.mlp.up_proj.weight``."""
    op, _, part = name.rpartition(".")
    layer, inner = "", op
    if op.startswith("layer."):
        _, layer, inner = op.split(".", 2)
    return f"{NAMES[inner].replace('{i}', layer)}.{part}"
