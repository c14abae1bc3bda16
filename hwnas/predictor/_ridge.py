"""Ridge regressions with one penalty per group of features, fitted by evidence."""

from __future__ import annotations

import numpy as np

from hwnas.predictor._structured import StructuredPredictor
from hwnas.space import AdditiveCost, Factor, conditional_factor


class Ridge(StructuredPredictor):
    """``ridge``: linear in the masked one-hot and the structural summary. ``predict_std`` includes the misfit."""

    kind = "ridge"
    parts = ("one_hot", "totals", "by_stage", "one_hot_by_scale", "by_stage_by_scale")
    rbf = False


class Additive(StructuredPredictor):
    """``additive``: a sum of one term per gene, so that exact fronts can be computed; less accurate than ``ridge``."""

    kind = "additive"
    hears_errors = False  # its misfit is larger than the errors, and weights by them would be wrong
    parts = ("one_hot", "continuous_terms")
    rbf = False

    def additive(self) -> AdditiveCost:
        """The same predictions as a sum of tables; NaN at resolutions that are not covered."""
        space, features = self.space, self.features
        one_hot, continuous = self.scaling.split(self._w_linear)
        factors = []
        at = 0
        for c in features.discrete:
            gene = space.genes[c]
            n = len(gene.choices)
            values = one_hot[at : at + n] * self._unit
            at += n
            factors.append(conditional_factor(space, c, values, np.zeros(n)))
        terms_per_gene = len(continuous) // max(len(features.continuous), 1)
        for i, c in enumerate(features.continuous):
            gene = space.genes[c]
            rows = np.zeros((len(gene.choices), space.n_genes), dtype=np.int16)
            rows[:, c] = np.arange(len(gene.choices))
            terms = slice(i * terms_per_gene, (i + 1) * terms_per_gene)
            values = features.continuous_terms(rows)[:, terms] @ continuous[terms] * self._unit
            covered = self.card.covered.get(gene.name, gene.choices)
            factors.append(Factor((c,), np.where([v in covered for v in gene.choices], values, np.nan)))
        first = factors[0]
        factors[0] = Factor(first.genes, first.table + self._bias * self._unit + self._offset)
        return AdditiveCost(space, factors)
