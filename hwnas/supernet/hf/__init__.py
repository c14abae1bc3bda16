"""Supernets from Hugging Face folders: ``hf:FOLDER``."""

from __future__ import annotations

from hwnas.supernet.hf._supernet import TextEncoder, carried_class, folder_class

__all__ = ["TextEncoder", "carried_class", "folder_class"]
