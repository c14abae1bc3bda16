"""Tasks: data to train, calibrate and measure on, and metrics of them."""

from __future__ import annotations

from hwnas.task._digits import DigitsData
from hwnas.task._image_folder import ImageFolder
from hwnas.task._pixels import PREPROCESSING
from hwnas.task._scores import measured, top1
from hwnas.task._task import Inputs, InputsAt, Score, Scored, Specs, Task, TrainingTask, image_shape

__all__ = [
    "PREPROCESSING",
    "DigitsData",
    "ImageFolder",
    "Inputs",
    "InputsAt",
    "Score",
    "Scored",
    "Specs",
    "Task",
    "TrainingTask",
    "image_shape",
    "measured",
    "top1",
]
