"""The embedded predictor: small, smooth, plausible far from its data, and as accurate as its card says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hwnas.files import file_hash
from hwnas.io import read_archs, read_csv, read_metric
from hwnas.predictor import __file__ as ROOM
from hwnas.predictor import embedded_names, get_predictor, score
from hwnas.space import get_space

FOLDER = Path(ROOM).parent / "embedded"
SPACE = "ofa_mbv3_w1.0"


@pytest.fixture(scope="module")
def space():
    return get_space(SPACE)


@pytest.fixture(scope="module")
def predictor(space):
    return get_predictor(None, space)


def test_every_embedded_predictor_is_small_and_has_a_model_card():
    assert embedded_names() == [SPACE]
    for name in embedded_names():
        assert (FOLDER / f"{name}.safetensors").stat().st_size < 2_000_000
        card = (FOLDER / f"{name}.md").read_text()
        for part in ("Data", "Licence", "Method", "Held-out", "Not good for"):
            assert part in card


def test_it_covers_every_resolution_of_its_space(space, predictor):
    assert predictor.covered(space).size() == space.size()
    assert predictor.card.metric == "top1"
    assert get_predictor(SPACE, space).card == predictor.card


def test_a_folder_of_its_name_is_not_taken_for_it(space, predictor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / SPACE).mkdir()
    for name in (None, SPACE):
        assert get_predictor(name, space).card == predictor.card


def test_it_predicts_what_it_always_did(space, predictor):
    expected = json.loads((Path(__file__).parent / "files" / "format1.json").read_text())[SPACE]
    x = np.stack([space.encode(arch) for arch in expected["archs"]])
    assert predictor.predict(x) == pytest.approx(expected["mean"], abs=1e-4)
    assert predictor.predict_std(x) == pytest.approx(expected["std"], rel=1e-3)


def test_more_pixels_never_hurt_and_nothing_jumps(space, predictor):
    x = space.sample(150, np.random.default_rng(0), distinct_uniform=False)
    by_resolution = []
    for choice in range(25):
        x[:, -1] = choice
        by_resolution.append(predictor.predict(x))
    steps = np.diff(by_resolution, axis=0)
    assert (steps > 0).all()
    assert steps.max() < 1.5


def test_the_optimiser_finds_no_fairy_tales(space, predictor):
    """Maximised over the space, it stays within reach of the best that was ever measured (77.47)."""
    rng = np.random.default_rng(0)
    at_224 = space.restrict(r=224)
    x = at_224.sample(600, rng, distinct_uniform=False)
    for _ in range(40):
        best = x[np.argsort(-predictor.predict(x))[:100]]
        a, b = best[rng.integers(100, size=500)], best[rng.integers(100, size=500)]
        child = np.where(rng.random(a.shape) < 0.5, a, b)
        child = np.where(rng.random(a.shape) < 0.03, at_224.sample(500, rng, distinct_uniform=False), child)
        x = np.concatenate([best, space.canonical(child)])
    assert 77.2 < predictor.predict(x).max() < 77.9
    smallest = space.encode({"ks": [3] * 20, "e": [3] * 20, "d": [2] * 5, "r": 128})
    assert 60 < predictor.predict(smallest[None])[0] < 65
    assert predictor.predict_std(x).max() < 0.3


def test_it_fits_the_measured_data_it_names(space, predictor, shared_data, whole_data):
    folder = shared_data / "ofa_mbv3_w1.0_imagenet"
    for entry, limit in zip(predictor.card.data, (0.06, 0.33), strict=True):
        path = folder / entry["name"]
        frame = read_csv(path)
        if whole_data:
            assert file_hash(path) == entry["sha256"]
            assert len(frame) == entry["rows"]
        scores = score(predictor.predict(read_archs(frame, space)), read_metric(frame, "top1"))
        assert scores.rmse < limit
        assert abs(scores.bias) < (0.05 if whole_data else 2 * limit / len(frame) ** 0.5)


def test_the_stored_scores_reach_what_is_promised(predictor):
    scores = predictor.card.scores["cross_validation"]
    assert scores["224"]["raw"]["rmse"] <= 0.08
    assert scores["224"]["raw"]["tau"] >= 0.95
    assert scores["128, 160, 192"]["raw"]["rmse"] <= 0.35
