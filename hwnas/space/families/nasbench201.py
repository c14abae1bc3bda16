"""NAS-Bench-201 (Dong and Yang 2020, arXiv:2001.00326): all 15,625 cells of 6 edges and 5 operations.

A tabular benchmark of searchers and predictors, in which every cell was trained. The space has no layers; a table from the user has
its metrics (``hwnas.search.Lookup``).
"""

from __future__ import annotations

from hwnas.space._gene import Gene, Value
from hwnas.space._space import SearchSpace

OPERATIONS = ("none", "skip", "conv1x1", "conv3x3", "avgpool")
EDGES = ("0>1", "0>2", "1>2", "0>3", "1>3", "2>3")

# Tables hold digits; upstream has its own names.
_ALIASES: dict[Value, Value] = {
    **dict(enumerate(OPERATIONS)),
    "skip_connect": "skip",
    "nor_conv_1x1": "conv1x1",
    "nor_conv_3x3": "conv3x3",
    "avg_pool_3x3": "avgpool",
}


def nasbench201() -> SearchSpace:
    """``nasbench201``: key ``ops``, one operation for each of ``EDGES`` in this order."""
    genes = [Gene("ops", i, OPERATIONS, aliases=_ALIASES) for i in range(len(EDGES))]
    return SearchSpace("nasbench201", genes, ())
