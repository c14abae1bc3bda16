"""Gaussian process: linear kernels on structural features plus an RBF kernel over the genes.

It has one length scale per stage and key of genes. It is the default for small data sets: its uncertainty is calibrated, and its
linear part extrapolates.
"""

from __future__ import annotations

from hwnas.predictor._structured import StructuredPredictor


class GaussianProcess(StructuredPredictor):
    """``gp``. ``predict_std`` is the posterior standard deviation."""

    kind = "gp"
    parts = ("one_hot", "totals", "by_stage", "one_hot_by_scale", "by_stage_by_scale")
    rbf = True
