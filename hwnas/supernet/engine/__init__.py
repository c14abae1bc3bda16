"""Engines, which evaluate subnets: onnxruntime on CPUs, torch on GPUs."""

from __future__ import annotations

from hwnas.supernet.engine._engine import ENGINES, Engine, get_engine
from hwnas.supernet.engine._onnxruntime import OnnxEngine
from hwnas.supernet.engine._torch import TorchEngine

__all__ = ["ENGINES", "Engine", "OnnxEngine", "TorchEngine", "get_engine"]
