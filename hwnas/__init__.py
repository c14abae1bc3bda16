"""hwnas: the Pareto front of a pretrained supernet's subnets, measured on your device."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hwnas.lazy import lazily

if TYPE_CHECKING:
    from hwnas.metric import Metric as Metric
    from hwnas.study import Evaluation as Evaluation
    from hwnas.study import Front as Front
    from hwnas.study import Study as Study

__version__ = "0.1.0"

# From 1.29 on onnxruntime sends telemetry about the networks it runs, unless this is set when it starts.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = ["Evaluation", "Front", "Metric", "Study", "__version__"]

__getattr__, __dir__ = lazily(__name__, {"hwnas.metric": "Metric", "hwnas.study": "Evaluation Front Study"})
