"""Released accuracy predictors score as upstream's own code does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hwnas.errors import PredictorError
from hwnas.predictor import load_predictor, save_predictor
from hwnas.predictor._ofa import OfaNet
from hwnas.space import get_space
from tests.parity import upstream

RESNET_SIZES = [128, 144, 160, 176, 192, 224, 240, 256]  # of upstream's tutorial


def sampled(predictor, space, n=200):
    part = predictor.covered(space)
    rng = np.random.default_rng(0)
    return np.concatenate([part.sample(n // 2, rng), part.sample(n // 2, rng, distinct_uniform=False)])


def test_mobilenet_predictions_equal_the_tutorials(shared_data, tmp_path):
    path = shared_data / "ofa_tutorial" / "acc_predictor.pth"
    space = get_space("ofa_mbv3_w1.2")
    ours = load_predictor(path, space)
    assert list(ours.card.covered["r"]) == [160, 176, 192, 208, 224]
    module = upstream.import_ofa("ofa.tutorial.accuracy_predictor")
    theirs = module.AccuracyPredictor(pretrained=False, device="cpu")
    theirs.model.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    x = sampled(ours, space)
    expected = theirs.predict_accuracy([upstream.tutorial_spec(a) for a in space.decode_many(x)])
    assert ours.predict(x) / 100 == pytest.approx(expected.numpy().ravel(), abs=1e-6)
    assert np.isnan(ours.predict_std(x)).all()
    save_predictor(ours, tmp_path / "converted.safetensors")
    back = load_predictor(tmp_path / "converted.safetensors", space)
    assert (back.predict(x) == ours.predict(x)).all()
    assert back.card == ours.card


def test_resnet_predictions_equal_upstreams(shared_data):
    path = shared_data / "ofa_tutorial" / "ofa_resnet50_acc_predictor.pth"
    space = get_space("ofa_resnet50")
    ours = load_predictor(path, space)
    assert list(ours.card.covered["r"]) == [r for r in RESNET_SIZES if r <= 224]
    module = upstream.import_ofa("ofa.nas.accuracy_predictor")
    theirs = module.AccuracyPredictor(
        module.ResNetArchEncoder(image_size_list=RESNET_SIZES), 400, 3, checkpoint_path=str(path), device="cpu"
    )
    x = sampled(ours, space)
    archs = [{**a, "image_size": a["r"]} for a in space.decode_many(x)]
    with torch.no_grad():
        expected = theirs.predict_acc(archs).numpy()
    assert ours.predict(x) / 100 == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "file"), [("ofa_mbv3_w1.2", "acc_predictor.pth"), ("ofa_resnet50", "ofa_resnet50_acc_predictor.pth")]
)
def test_effects_are_the_change_of_the_prediction_while_no_unit_switches(shared_data, name, file):
    space = get_space(name)
    predictor = load_predictor(shared_data / "ofa_tutorial" / file, space)
    assert isinstance(predictor, OfaNet)
    # With weights this small and such biases every unit stays on: the network is linear, its gradient exact.
    predictor._layers = [(0.05 * w, np.ones_like(b)) for w, b in predictor._layers]
    predictor._compile()
    part, rng = predictor.covered(space), np.random.default_rng(0)
    rows = part.completed(part.sample(10, rng), rng)
    effects, active, before = predictor.effects(rows), part.active(rows), predictor.predict(space.canonical(rows))
    for column, domain in enumerate(part.domain):
        for choice in domain.tolist():
            changed = rows.copy()
            changed[:, column] = choice
            expected = predictor.predict(space.canonical(changed)) - before
            added = effects[:, space.starts[column] + choice]
            assert added[active[:, column]] == pytest.approx(expected[active[:, column]], abs=2e-4)


def test_a_released_file_for_another_space_is_refused(shared_data):
    folder = shared_data / "ofa_tutorial"
    with pytest.raises(PredictorError, match="inputs"):
        load_predictor(folder / "ofa_resnet50_acc_predictor.pth", get_space("ofa_mbv3_w1.2"))
    with pytest.raises(PredictorError, match="released"):
        load_predictor(folder / "acc_predictor.pth", get_space("ofa_mbv3_w1.0"))


def test_a_resolution_that_was_not_trained_is_refused(shared_data):
    space = get_space("ofa_mbv3_w1.2")
    ours = load_predictor(shared_data / "ofa_tutorial" / "acc_predictor.pth", space)
    with pytest.raises(PredictorError, match="r = 128"):
        ours.predict(space.restrict(r=128).sample(1, np.random.default_rng(0)))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x80\x02 no", b"plain text"])
def test_broken_files_are_refused(tmp_path, content):
    (tmp_path / "broken.pth").write_bytes(content)
    with pytest.raises(PredictorError):
        load_predictor(tmp_path / "broken.pth", get_space("ofa_mbv3_w1.2"))
