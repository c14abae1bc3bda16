"""What every task and every metric must do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tokenizers import Tokenizer as Engine
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from hwnas.metric import Metric, metrics
from hwnas.space import TensorSpec, get_space, network_inputs
from hwnas.task import DigitsData, ImageFolder, LanguageModelling, Sampling, Specs, Task, Tokenizer
from hwnas.testing import METRIC_CHECKS, TASK_CHECKS, Check

FED = {
    "digits": network_inputs(get_space("digits").network(np.zeros(get_space("digits").n_genes, dtype=np.int16))),
    "images": {"input": TensorSpec((3, 32, 32))},
    "language": {"input_ids": TensorSpec((8,), "int64")},
}


@pytest.fixture(scope="module", params=FED)
def task(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Task, Specs]:
    if request.param == "digits":
        return DigitsData(), FED["digits"]
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    if request.param == "language":
        for split in ("train", "validation"):
            (folder / f"{split}.txt").write_text(" ".join(map(str, rng.integers(0, 20, 400))))
        sampling = Sampling(6, 6, 3)
        return LanguageModelling(folder, _tokenizer(20), sampling, vocabulary=20, length=8), FED["language"]
    for split in ("train", "val"):
        for label in "abc":
            for i in range(8):
                _write(folder / split / label / f"{i}.png", rng)
    return ImageFolder(folder, 3, Sampling(24, 24, 8)), FED["images"]


def _tokenizer(words: int) -> Tokenizer:
    engine = Engine(WordLevel({str(i): i for i in range(words)}, unk_token="0"))
    engine.pre_tokenizer = WhitespaceSplit()
    return Tokenizer(engine.to_str())


def _write(path: Path, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (40, 48, 3)).astype(np.uint8)).save(path)


@pytest.mark.parametrize("check", TASK_CHECKS)
def test_tasks_keep_the_contract(check: Check, task: tuple[Task, Specs]) -> None:
    check(*task)


@pytest.mark.parametrize("check", METRIC_CHECKS)
@pytest.mark.parametrize("metric", metrics().values(), ids=metrics())
def test_metrics_keep_the_contract(check: Check, metric: Metric) -> None:
    check(metric)
