"""The models against textbook formulas, and their behaviour on functions that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal

from benchmarks.additive_approximation import additive_approximation
from hwnas.predictor import GaussianProcess, new_predictor
from hwnas.predictor import _structured as structured
from hwnas.predictor._evidence import Evidence
from hwnas.predictor._ridge import Ridge
from hwnas.space import get_space, macs_cost, params_cost
from tests.space.toy import toy_space


def accuracy(space, x):
    """A smooth, not additive function of cost, like accuracy."""
    log_macs = np.log(macs_cost(space)(x) / 1e8)
    return 75 + 1.5 * log_macs - 0.4 * log_macs**2 + 0.3 * np.sin(params_cost(space)(x) / 1e6)


@pytest.fixture(scope="module")
def mobile():
    space = get_space("ofa_mbv3_w1.0").restrict(r=224)
    rng = np.random.default_rng(0)
    x = space.sample(260, rng, distinct_uniform=False)
    return space, x, accuracy(space, x) + rng.normal(0, 0.02, len(x))


def evidence(n=25, rbf=True):
    rng = np.random.default_rng(0)
    kernels = [z @ z.T / np.mean(np.sum(z**2, 1)) for z in (rng.normal(size=(n, 4)), rng.normal(size=(n, 9)))]
    points = rng.normal(size=(3, n, 2))
    distances = ((points[:, :, None] - points[:, None]) ** 2).sum(-1) if rbf else None
    return Evidence(kernels, distances, rng.normal(size=n), rng.uniform(0.5, 2, n), 10.0)


@pytest.mark.parametrize("rbf", [True, False])
def test_the_evidence_is_the_normal_density_and_its_gradient_is_right(rbf):
    model = evidence(rbf=rbf)
    rng = np.random.default_rng(1)
    theta = model.start + rng.normal(0, 0.5, len(model.start))
    error = check_grad(lambda t: model(t)[0], lambda t: model(t)[1], theta)
    assert error < 1e-4 * np.linalg.norm(model(theta)[1])
    prior = 0.5 * np.sum(((theta - model.start) / model.width) ** 2)
    density = multivariate_normal(cov=model.covariance(theta)[0]).logpdf(model.y)
    constant = 0.5 * len(model.y) * np.log(2 * np.pi)
    assert model(theta)[0] == pytest.approx(-density - constant + prior)


def test_few_rows_give_the_exact_gaussian_process(mobile):
    space, x, y = mobile
    x, y, new = x[:120], y[:120], x[120:]
    gp = GaussianProcess(space).fit(x, y)
    h = gp.hyperparameters
    assert h is not None
    prior = gp.scaling.spread(np.sqrt(h.linear))
    z, z_new = (gp.scaling(a) * prior for a in (x, new))
    points, points_new = (gp.features.ordinal(a) * gp.kernel.inverse_scales for a in (x, new))

    def kernel(za, pa, zb, pb):
        squared = ((pa[:, None] - pb[None]) ** 2).sum(-1)
        return structured.MEAN_VARIANCE + za @ zb.T + h.rbf * np.exp(-0.5 * squared)

    cov = kernel(z, points, z, points) + h.noise * np.eye(len(x))
    cross = kernel(z_new, points_new, z, points)
    mean = cross @ np.linalg.solve(cov, (y - y.mean()) / y.std()) * y.std() + y.mean()
    variance = kernel(z_new, points_new, z_new, points_new) - cross @ np.linalg.solve(cov, cross.T)
    assert gp.predict(new) == pytest.approx(mean, abs=1e-3)
    assert gp.predict_std(new) == pytest.approx(np.sqrt(np.diag(variance)) * y.std(), rel=0.05, abs=1e-3)


def test_inducing_subnets_stay_near_the_exact_process(mobile, monkeypatch):
    space, x, y = mobile
    exact = new_predictor("gp", space).fit(x, y)
    monkeypatch.setattr(structured, "MAX_EXACT", 100)
    sparse = new_predictor("gp", space).fit(x, y)
    fresh = space.sample(300, np.random.default_rng(5), distinct_uniform=False)
    assert np.abs(exact.predict(fresh) - sparse.predict(fresh)).max() < 0.1
    assert (sparse.predict_std(fresh) > 0).all()


def test_errors_that_like_subnets_share_are_not_taken_for_what_they_have_in_common(mobile):
    space, x, y = mobile
    x, y = x[:100], y[:100]
    measured = y + 0.8 * np.sin(3 * x[:, :4].sum(axis=1))  # as smooth as what is measured, and no part of it
    least = 0.8 / np.sqrt(2)
    naive, told = (GaussianProcess(space).fit(x, measured, errors=e) for e in (None, np.full(100, least)))
    assert told.hyperparameters is not None
    assert told.hyperparameters.noise * measured.std() ** 2 == pytest.approx(least**2, rel=0.2)
    error = [np.sqrt(np.mean((values - y) ** 2)) for values in (measured, naive.predict(x), told.predict(x))]
    assert error[2] < 0.8 * min(error[:2])
    assert told.unfitted().fit(x, measured).predict(x) == pytest.approx(told.predict(x)), "folds know it too"
    assert GaussianProcess(space).fit(x, y, errors=np.full(100, 1e6)).predict(x) == pytest.approx(y.mean(), abs=0.01)


def test_hyperparameters_are_kept_for_parts_of_the_data(mobile):
    space, x, y = mobile
    for kind in (GaussianProcess, Ridge):
        whole = kind(space).fit(x, y)
        half = whole.unfitted()
        assert not half.fitted
        half.fit(x[::2], y[::2])
        assert half.hyperparameters == whole.hyperparameters
        anew = kind(space).fit(x[::2], y[::2])
        assert anew.hyperparameters != whole.hyperparameters
        error = [np.sqrt(np.mean((m.predict(x[1::2]) - y[1::2]) ** 2)) for m in (half, anew)]
        assert error[0] < 1.1 * error[1]


def test_evidence_of_few_rows_is_refined_on_more(mobile, monkeypatch):
    space, x, y = mobile
    at_once = GaussianProcess(space).fit(x, y)
    monkeypatch.setattr(structured, "FIRST_EVIDENCE_ROWS", 80)
    in_steps = GaussianProcess(space).fit(x, y)
    fresh = space.sample(300, np.random.default_rng(5), distinct_uniform=False)
    assert in_steps.hyperparameters != at_once.hyperparameters
    assert np.abs(in_steps.predict(fresh) - at_once.predict(fresh)).max() < 0.1


@pytest.mark.parametrize(("kind", "within"), [("gp", 0.12), ("ridge", 0.15), ("mlp", 0.2)])
def test_a_smooth_function_is_learnt(mobile, kind, within):
    space, x, y = mobile
    model = new_predictor(kind, space).fit(x, y)
    fresh = space.sample(500, np.random.default_rng(9), distinct_uniform=False)
    truth = accuracy(space, fresh)
    error = model.predict(fresh) - truth
    assert np.sqrt(np.mean(error**2)) < within * truth.std()
    assert np.mean(np.abs(error) <= 3 * model.predict_std(fresh)) > 0.9


def test_uncertainty_grows_away_from_the_data(mobile):
    space, _, _ = mobile
    shallow = space.restrict(d=2).sample(80, np.random.default_rng(0))
    gp = new_predictor("gp", space).fit(shallow, accuracy(space, shallow))
    deep = space.restrict(d=4).sample(80, np.random.default_rng(0))
    assert gp.predict_std(deep).mean() > 2 * gp.predict_std(shallow).mean()


def test_unseen_resolutions_are_interpolated():
    space = get_space("ofa_mbv3_w1.0")
    x = space.restrict(r=[128, 176, 224]).sample(240, np.random.default_rng(0), distinct_uniform=False)
    gp = new_predictor("gp", space).fit(x, accuracy(space, x))
    between = space.restrict(r=[144, 160, 192, 208]).sample(300, np.random.default_rng(1), distinct_uniform=False)
    assert np.sqrt(np.mean((gp.predict(between) - accuracy(space, between)) ** 2)) < 0.1


def test_noisy_rows_count_less(mobile):
    space, x, y = mobile
    half = np.arange(len(x)) % 2 == 0
    spoilt = y + np.where(half, np.random.default_rng(3).normal(0, 1.0, len(y)), 0)
    noise = np.where(half, 1.0, 0.02)
    fresh = space.sample(300, np.random.default_rng(4), distinct_uniform=False)

    def rmse(model):
        return np.sqrt(np.mean((model.predict(fresh) - accuracy(space, fresh)) ** 2))

    informed = rmse(new_predictor("gp", space).fit(x, spoilt, noise))
    assert informed < 0.7 * rmse(new_predictor("gp", space).fit(x, spoilt))


def test_repeated_subnets_are_averaged(mobile):
    space, x, y = mobile
    x, y = x[:60], y[:60]
    twice = new_predictor("ridge", space).fit(np.concatenate([x, x]), np.concatenate([y - 0.1, y + 0.1]))
    once = new_predictor("ridge", space).fit(x, y)
    assert twice.predict(x) == pytest.approx(once.predict(x), abs=1e-6)


@pytest.mark.parametrize("name", ["ofa_mbv3_w1.0", "ofa_resnet50"])
def test_the_additive_kind_is_exactly_a_sum(name):
    space = get_space(name)
    part = space.restrict(r=[160, 192, 224])
    x = part.sample(120, np.random.default_rng(0), distinct_uniform=False)
    model = new_predictor("additive", space).fit(x, accuracy(space, x))
    fresh = part.sample(200, np.random.default_rng(1))
    total = model.additive()
    assert total is not None
    assert total(fresh) == pytest.approx(model.predict(fresh))
    _, best = total.maximum()
    assert model.predict(best[None])[0] >= model.predict(fresh).max() - 1e-9
    assert new_predictor("ridge", space).fit(x, accuracy(space, x)).additive() is None


def test_the_additive_approximation_of_a_sum_is_that_sum():
    space = toy_space()
    rng = np.random.default_rng(0)
    x = space.sample(80, rng)
    macs = macs_cost(space)

    class Exact:
        def additive(self):
            return None

        def covered(self, part):
            return part

        def predict(self, rows):
            return macs(rows) * 1e-3

    total = additive_approximation(Exact(), space, rng, n=2000)  # type: ignore[arg-type]
    assert total(x) == pytest.approx(macs(x) * 1e-3, rel=0.02)


def test_the_additive_approximation_follows_a_predictor(mobile):
    space, x, y = mobile
    gp = new_predictor("gp", space).fit(x, y)
    total = additive_approximation(gp, space, np.random.default_rng(0), n=4000)
    fresh = space.sample(500, np.random.default_rng(1))
    assert np.corrcoef(total(fresh), gp.predict(fresh))[0, 1] > 0.97
