"""Opening of Hugging Face folders, and of files that ``hwnas train`` wrote for their networks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from hwnas.supernet._base import Supernet
from hwnas.supernet._deployed import PREPROCESSOR
from hwnas.supernet.hf._carried import CarriedImages, CarriedTexts, read_carried
from hwnas.supernet.hf._families import family_kind
from hwnas.supernet.hf._folder import CONFIG, INDEXES, read_config, weight_files
from hwnas.supernet.hf._inputs import ImageInput
from hwnas.supernet.hf._preprocessing import read_preprocessing
from hwnas.supernet.hf._supernet import encoder_class
from hwnas.supernet.hf._weights import tensor_names
from hwnas.supernet.hf.decoder import (
    BESIDE,
    DECODERS,
    CarriedDecoder,
    decoder_class,
    gguf_config,
    gguf_file,
    is_decoder,
    read_decoder,
    tokenizer_beside,
)
from hwnas.task import TOKENIZER_FILES


def folder_class(folder: str) -> type[Supernet]:
    """The class of ``hf:FOLDER``, or of ``hf:FILE.gguf``.

    Raises:
        SupernetError: it has no configuration or weights, or its family is not supported.
    """
    file = gguf_file(folder)
    config = read_config(folder) if file is None else gguf_config(file)
    if config["model_type"] in DECODERS:
        return decoder_class(CarriedDecoder(json.dumps(config), folder))
    kind = family_kind(config, folder)
    tuned = kind.tuned(tensor_names(Path(folder)))
    text = json.dumps(config)
    if isinstance(kind.of(config, tuned, folder).fed, ImageInput):
        return encoder_class(CarriedImages(text, tuned, folder, *read_preprocessing(Path(folder))))
    return encoder_class(CarriedTexts(text, tuned, folder))


def files_read(path: Path) -> Iterable[Path]:
    """The files from which a network is made, whether or not they exist.

    Of a folder: configuration, weights, tokenizer, preprocessing, chat template. Of a file: the file, and for GGUF the tokenizer
    beside it. Of a folder that is not of Hugging Face: all files.

    Raises:
        SupernetError: a folder has no weights, or several networks.
    """
    file = gguf_file(str(path))
    if not path.is_dir():
        return [path, *(tokenizer_beside(file) if file is not None else ())]
    if file is None and not (path / CONFIG).is_file():
        return path.rglob("*")
    weights = weight_files(path) if file is None else [file]
    names = (CONFIG, *INDEXES, PREPROCESSOR, *TOKENIZER_FILES, *BESIDE)
    return {*weights, *(path / name for name in names)}


def carried_class(metadata: Mapping[str, str], file: str) -> type[Supernet]:
    """The class that a file of ``hwnas train`` describes.

    Raises:
        SupernetError: the description is damaged.
    """
    if is_decoder(metadata):
        return decoder_class(read_decoder(metadata, file))
    return encoder_class(read_carried(metadata, file))
