"""Tasks: data to train, calibrate and measure on."""

from __future__ import annotations

from hwnas.task._data import EvaluationData, ImagesAt, TrainingData
from hwnas.task._digits import DigitsData
from hwnas.task._image_folder import ImageFolder

__all__ = ["DigitsData", "EvaluationData", "ImageFolder", "ImagesAt", "TrainingData"]
