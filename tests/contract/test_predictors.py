"""What every kind of predictor must do."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from hwnas.errors import HwnasError, UnknownNameError
from hwnas.predictor import _mlp, load_predictor, new_predictor, predictor_kinds, save_predictor
from hwnas.space import get_space, macs_cost
from hwnas.testing import PREDICTOR_CHECKS

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


@pytest.fixture(scope="module")
def new(kind):
    return partial(new_predictor, kind)


@pytest.mark.parametrize("check", PREDICTOR_CHECKS)
def test_it_keeps_the_contract(check, new):
    check(new)


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


def test_typos_get_a_suggestion(space):
    with pytest.raises(UnknownNameError, match="did you mean 'ridge'"):
        new_predictor("rigde", space)
    assert issubclass(UnknownNameError, HwnasError)
