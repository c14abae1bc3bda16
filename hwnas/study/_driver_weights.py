"""The driver's weights in its workers: read from the same file, or sent along to the nodes of a cluster."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from hwnas.errors import SupernetError
from hwnas.executor import Where

if TYPE_CHECKING:
    from torch import Tensor

    from hwnas.supernet import Supernet


@dataclass(frozen=True)
class DriverWeights:
    """What a worker is told of the driver's weights.

    Attributes:
        digest: the worker's must have the same.
        arrays: the weights by name; None where the worker reads them from the driver's file.
    """

    digest: str
    arrays: Mapping[str, NDArray[Any]] | None = None

    @classmethod
    def of(cls, net: Supernet, where: Where) -> Self:
        """Those of ``net``, for workers that run somewhere."""
        if where.cluster is None:
            return cls(net.digest)
        return cls(net.digest, {name: tensor.detach().cpu().numpy() for name, tensor in net.tensors.items()})

    def tensors(self) -> dict[str, Tensor] | None:
        """The weights that were sent, if any were."""
        import torch

        if self.arrays is None:
            return None
        with warnings.catch_warnings():  # shared memory is read-only, and workers do not write to weights
            warnings.simplefilter("ignore", UserWarning)
            return {name: torch.from_numpy(array) for name, array in self.arrays.items()}

    def refuse_others(self, net: Supernet, said: str) -> None:
        """Refuse weights that are not the driver's.

        Args:
            net: with the worker's.
            said: how the driver was told of them.

        Raises:
            SupernetError: they have changed.
        """
        if net.digest != self.digest:
            rule = "its weights have changed since the run began"
            raise SupernetError(said, rule, "put the old ones back, or begin anew")
