"""Supernets from Hugging Face folders: ``hf:FOLDER``."""

from __future__ import annotations

from hwnas.supernet.hf._open import carried_class, files_read, folder_class
from hwnas.supernet.hf._supernet import ImageEncoder, TextEncoder
from hwnas.supernet.hf.decoder import DECODERS, DecoderSupernet

__all__ = ["DECODERS", "DecoderSupernet", "ImageEncoder", "TextEncoder", "carried_class", "files_read", "folder_class"]
