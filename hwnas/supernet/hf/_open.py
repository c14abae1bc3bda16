"""What opens a folder, and a file that ``hwnas train`` wrote of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from hwnas.supernet._base import Supernet
from hwnas.supernet.hf._carried import CarriedImages, CarriedTexts, read_carried
from hwnas.supernet.hf._families import family_kind
from hwnas.supernet.hf._folder import read_config
from hwnas.supernet.hf._inputs import ImageInput
from hwnas.supernet.hf._preprocessing import read_preprocessing
from hwnas.supernet.hf._supernet import encoder_class
from hwnas.supernet.hf._weights import tensor_names
from hwnas.supernet.hf.decoder import (
    DECODERS,
    CarriedDecoder,
    decoder_class,
    gguf_config,
    gguf_file,
    is_decoder,
    read_decoder,
)


def folder_class(folder: str) -> type[Supernet]:
    """The class of ``hf:FOLDER``, or of ``hf:FILE.gguf``.

    Raises:
        SupernetError: it has no configuration or weights, or is of no family that is supported.
    """
    file = gguf_file(folder)
    config = read_config(folder) if file is None else gguf_config(file)
    if config["model_type"] in DECODERS:
        return decoder_class(CarriedDecoder(json.dumps(config), folder))
    kind = family_kind(config, folder)
    tuned = kind.tuned(tensor_names(Path(folder)))
    text = json.dumps(config)
    if isinstance(kind.of(config, tuned, folder).fed, ImageInput):
        return encoder_class(CarriedImages(text, tuned, folder, read_preprocessing(Path(folder))))
    return encoder_class(CarriedTexts(text, tuned, folder))


def carried_class(metadata: Mapping[str, str], file: str) -> type[Supernet]:
    """The class that a file of ``hwnas train`` describes.

    Raises:
        SupernetError: the description is damaged.
    """
    if is_decoder(metadata):
        return decoder_class(read_decoder(metadata, file))
    return encoder_class(read_carried(metadata, file))
