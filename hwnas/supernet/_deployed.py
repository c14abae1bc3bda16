"""The files beside an exported ``model.onnx``, in the formats of Hugging Face's libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"

IMAGE_MODEL = "resnet"
"""The ``model_type`` of networks without a Hugging Face family. The libraries read the labels by it, not the layers."""


NOT_KEPT = ("architectures", "_name_or_path", "problem_type")
"""Settings that are left out. ``problem_type`` may be regression or several classes per sample, and hwnas's classifiers have one
class per sample."""


def as_json(facts: Mapping[str, Any]) -> str:
    """The text of a JSON file."""
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def configuration(
    settings: Mapping[str, Any], labels: Sequence[str], classes: int, arch: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of ``config.json``: the family's settings with the subnet's classes.

    The property ``hwnas`` holds the subnet's configuration, which no setting of the family can express. Libraries ignore it,
    because they run the graph.

    Args:
        settings: with ``model_type``.
        labels: names of the classes; empty if they are unknown.
        classes: number of classes.
        arch: the subnet.
    """
    names = list(labels) or [f"LABEL_{i}" for i in range(classes)]
    kept = {key: value for key, value in settings.items() if key not in NOT_KEPT}
    return {
        **kept,
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
        "hwnas": dict(arch),
    }
