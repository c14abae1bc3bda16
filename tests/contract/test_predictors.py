"""What every kind of predictor must do."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from hwnas.errors import HwnasError, PredictorError, SpaceError, UnknownNameError
from hwnas.predictor import MIN_SUBNETS, _mlp, load_predictor, new_predictor, predictor_kinds, save_predictor
from hwnas.space import get_space, macs_cost

FIT = """
import hashlib
import numpy as np
from hwnas.predictor import _mlp, new_predictor, predictor_kinds
from hwnas.space import get_space, macs_cost
_mlp.STEPS = 60
space = get_space("ofa_mbv3_w1.0").restrict(r=[192, 224])
x = space.sample(40, np.random.default_rng(1), distinct_uniform=False)
fresh = space.sample(50, np.random.default_rng(2))
for kind in predictor_kinds():
    model = new_predictor(kind, space, seed=3).fit(x, 70 + np.log(macs_cost(space)(x)))
    print(kind, hashlib.sha256(model.predict(fresh).tobytes() + model.predict_std(fresh).tobytes()).hexdigest())
"""


@pytest.fixture(autouse=True, scope="module")
def short_training():
    """The contract asks for no accuracy that needs long training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_mlp, "STEPS", 60)
        yield


@pytest.fixture(params=predictor_kinds(), scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def space():
    return get_space("ofa_mbv3_w1.0").restrict(r=[192, 208, 224])


@pytest.fixture(scope="module")
def data(space):
    x = space.sample(60, np.random.default_rng(0), distinct_uniform=False)
    return x, 60 + np.log(macs_cost(space)(x))


@pytest.fixture(scope="module")
def model(kind, space, data):
    return new_predictor(kind, space).fit(*data)


def test_it_predicts_one_number_and_one_spread_per_row(model, space):
    for n in (0, 1, 7):
        x = space.sample(n, np.random.default_rng(0))
        mean, std = model.predict(x), model.predict_std(x)
        assert mean.shape == std.shape == (n,)
        assert mean.dtype == std.dtype == np.float64
        assert np.isfinite(mean).all()
        assert np.isfinite(std).all()
        assert (std >= 0).all()


def test_a_row_is_scored_alike_alone_and_in_company(model, space):
    x = space.sample(20, np.random.default_rng(0))
    assert model.predict(x[3:4]) == pytest.approx(model.predict(x)[3:4], abs=1e-4)


def test_it_learns(model, space):
    x = space.sample(200, np.random.default_rng(7), distinct_uniform=False)
    assert np.corrcoef(model.predict(x), np.log(macs_cost(space)(x)))[0, 1] > 0.8


def test_genes_without_effect_do_not_matter(model, kind, space, data):
    x, y = data
    noisy = np.where(space.active(x), x, np.random.default_rng(0).integers(0, 2, x.shape)).astype(np.int16)
    fresh = space.sample(20, np.random.default_rng(1))
    assert new_predictor(kind, space).fit(noisy, y).predict(fresh) == pytest.approx(model.predict(fresh))


def test_a_fit_depends_on_its_data_alone(kind, space, data):
    x, y = data
    fresh = space.sample(20, np.random.default_rng(1))
    expected = new_predictor(kind, space).fit(x[:30], y[:30]).predict(fresh)
    again = new_predictor(kind, space).fit(x[30:], -y[30:]).fit(x[:30], y[:30])
    assert (again.predict(fresh) == expected).all()


def test_a_stored_predictor_comes_back_equal(model, space, tmp_path):
    save_predictor(model, tmp_path / "p.safetensors")
    save_predictor(model, tmp_path / "again.safetensors")
    assert (tmp_path / "p.safetensors").read_bytes() == (tmp_path / "again.safetensors").read_bytes()
    back = load_predictor(tmp_path / "p.safetensors", space)
    x = space.sample(50, np.random.default_rng(0))
    assert back.kind == model.kind
    assert back.card == model.card
    assert (back.predict(x) == model.predict(x)).all()
    assert (back.predict_std(x) == model.predict_std(x)).all()


def test_every_kind_is_the_same_in_every_process():
    def fitted(hash_seed):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
        run = subprocess.run([sys.executable, "-c", FIT], env=environment, check=True, capture_output=True, text=True)
        return run.stdout.splitlines()

    found = fitted("0")
    assert len(found) == len(predictor_kinds())
    assert fitted("12345") == found


def test_it_serves_its_own_space_only(model, space):
    with pytest.raises(PredictorError, match="ofa_resnet50"):
        model.covered(get_space("ofa_resnet50"))
    with pytest.raises(SpaceError, match="46 integer genes"):
        model.predict(get_space("ofa_resnet50").sample(2, np.random.default_rng(0)))
    with pytest.raises(SpaceError, match="integer"):
        model.predict(space.sample(2, np.random.default_rng(0)).astype(float))
    with pytest.raises(SpaceError, match=r"choice 3: ks\[0\] of ofa_mbv3_w1.0 has choices 0 to 2"):
        model.predict(np.full((1, space.n_genes), 3, dtype=np.int16))


def test_a_state_is_taken_on_by_a_new_predictor_whatever_part_of_the_space_it_was_made_for(model, kind, space):
    x = space.sample(20, np.random.default_rng(0))
    for part in (get_space("ofa_mbv3_w1.0"), space, space.restrict(r=208, ks=[3, 7])):
        other = new_predictor(kind, part)
        other.restore(*model.state())
        np.testing.assert_array_equal(other.predict(x), model.predict(x))
        np.testing.assert_array_equal(other.predict_std(x), model.predict_std(x))


def test_coverage_can_be_extended(kind, space, data):
    model = new_predictor(kind, space).fit(*data)
    wider = get_space("ofa_mbv3_w1.0").restrict(r=[160, 224]).sample(8, np.random.default_rng(0))
    model.extend_coverage(wider)
    assert np.isfinite(model.predict(wider)).all()
    assert np.isfinite(model.predict_std(wider)).all()


def test_resolutions_outside_the_data_are_refused_and_left_out(model):
    whole = get_space("ofa_mbv3_w1.0")
    x = whole.restrict(r=128).sample(2, np.random.default_rng(0))
    with pytest.raises(PredictorError, match="r = 128"):
        model.predict(x)
    covered = model.covered(whole)
    assert [whole.genes[-1].choices[i] for i in covered.domain[-1]] == list(range(192, 225, 4))
    with pytest.raises(PredictorError, match="covers"):
        model.covered(whole.restrict(r=[128, 132]))


def test_bad_targets_are_refused(kind, space, data):
    x, y = data
    for bad, message in (
        (np.where(np.arange(len(y)) == 4, np.nan, y), "row 5"),
        (np.where(np.arange(len(y)) == 0, np.inf, y), "row 1"),
        (y[:-1], "need as many"),
    ):
        with pytest.raises(PredictorError, match=message):
            new_predictor(kind, space).fit(x, bad)
    with pytest.raises(PredictorError, match="positive"):
        new_predictor(kind, space).fit(x, y, np.zeros(len(y)))


def test_too_few_subnets_are_refused(kind, space, data):
    x, y = data
    few = MIN_SUBNETS - 1
    with pytest.raises(PredictorError, match=f"at least {MIN_SUBNETS}"):
        new_predictor(kind, space).fit(np.repeat(x[:few], 5, axis=0), np.repeat(y[:few], 5))
    enough = new_predictor(kind, space).fit(x[:MIN_SUBNETS], y[:MIN_SUBNETS])
    assert np.isfinite(enough.predict(x)).all()


def test_constant_targets_do_no_harm(kind, space, data):
    x, _ = data
    model = new_predictor(kind, space).fit(x, np.full(len(x), 71.0))
    assert model.predict(x) == pytest.approx(np.full(len(x), 71.0), abs=1e-3)


def test_an_unfitted_one_says_so(kind, space, data):
    with pytest.raises(PredictorError, match="not fitted"):
        new_predictor(kind, space).predict(data[0])


def test_typos_get_a_suggestion(space):
    with pytest.raises(UnknownNameError, match="did you mean 'ridge'"):
        new_predictor("rigde", space)
    assert issubclass(UnknownNameError, HwnasError)
