"""Decoders of text from Hugging Face folders."""

from __future__ import annotations

from hwnas.supernet.hf.decoder._carried import BESIDE, CarriedDecoder, is_decoder, read_decoder
from hwnas.supernet.hf.decoder._families import DECODERS
from hwnas.supernet.hf.decoder._gguf import gguf_config, gguf_file
from hwnas.supernet.hf.decoder._gguf_tokenizer import tokenizer_beside
from hwnas.supernet.hf.decoder._supernet import DecoderSupernet, decoder_class

__all__ = [
    "BESIDE",
    "DECODERS",
    "CarriedDecoder",
    "DecoderSupernet",
    "decoder_class",
    "gguf_config",
    "gguf_file",
    "is_decoder",
    "read_decoder",
    "tokenizer_beside",
]
