"""The files beside a decoder's ``model.onnx``, for ``transformers``, ``optimum`` and onnxruntime-genai."""

from __future__ import annotations

from hwnas.supernet._deployed import CONFIG, as_json
from hwnas.supernet._subnet import Subnet
from hwnas.supernet.hf.decoder._carried import CarriedDecoder
from hwnas.task import Tokenizer

GENERATION = "generation_config.json"

SPECIAL = ("bos_token_id", "eos_token_id", "pad_token_id")


def deployed_decoder(carried: CarriedDecoder, tokenizer: Tokenizer, subnet: Subnet) -> dict[str, str]:
    """Texts of files by name: configuration, settings of generation, tokenizer, and the other files of the folder.

    The configuration is the folder's, with the subnet in the property ``hwnas``, because no setting can express it.

    Args:
        carried: complete.
        tokenizer: the network's.
        subnet: to be deployed.
    """
    settings, beside = carried.settings, dict(carried.beside or ())
    special = {key: settings[key] for key in SPECIAL if settings.get(key) is not None}
    return {
        CONFIG: as_json({**settings, "hwnas": dict(subnet.arch)}),
        GENERATION: beside.pop(GENERATION, as_json(special)),
        "tokenizer.json": tokenizer.definition,
        **beside,
    }
