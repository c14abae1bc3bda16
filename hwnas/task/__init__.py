"""Tasks: data to train, calibrate and measure on, and the metrics that are measured."""

from __future__ import annotations

from hwnas.task._ahead import ahead
from hwnas.task._classes import class_order
from hwnas.task._confusion import macro_f1, matthews
from hwnas.task._digits import DigitsData
from hwnas.task._divergence import Divergence, Parent
from hwnas.task._image_folder import ImageFolder
from hwnas.task._language import LENGTH, LanguageModelling, perplexity
from hwnas.task._pixels import GREY, IMAGENET, Preprocessing
from hwnas.task._prompt import prompt
from hwnas.task._sampling import USUAL_SAMPLING, Sampling
from hwnas.task._scores import (
    SCORES,
    margins,
    measured,
    scored_by,
    share_errors,
    tallied,
    top1,
)
from hwnas.task._task import (
    AlteringTask,
    Estimate,
    Inputs,
    InputsAt,
    OwnLossTask,
    PlacedTask,
    Score,
    Scored,
    SelectiveTask,
    Specs,
    Task,
    TrainingTask,
    UserData,
    calibration,
    fitting,
    loss_of,
    map_inputs,
    named_inputs,
    placed,
)
from hwnas.task._text_file import TextColumns
from hwnas.task._text_folder import TextFolder
from hwnas.task._tokenizer import TOKENIZER_FILES, Tokenizer

__all__ = [
    "GREY",
    "IMAGENET",
    "LENGTH",
    "SCORES",
    "TOKENIZER_FILES",
    "USUAL_SAMPLING",
    "AlteringTask",
    "DigitsData",
    "Divergence",
    "Estimate",
    "ImageFolder",
    "Inputs",
    "InputsAt",
    "LanguageModelling",
    "OwnLossTask",
    "Parent",
    "PlacedTask",
    "Preprocessing",
    "Sampling",
    "Score",
    "Scored",
    "SelectiveTask",
    "Specs",
    "Task",
    "TextColumns",
    "TextFolder",
    "Tokenizer",
    "TrainingTask",
    "UserData",
    "ahead",
    "calibration",
    "class_order",
    "fitting",
    "loss_of",
    "macro_f1",
    "map_inputs",
    "margins",
    "matthews",
    "measured",
    "named_inputs",
    "perplexity",
    "placed",
    "prompt",
    "scored_by",
    "share_errors",
    "tallied",
    "top1",
]
