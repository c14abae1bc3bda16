"""The driver's weights in its workers: read from the same file, or sent to the nodes of a cluster."""

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
    """The driver's weights in the form that travels to workers.

    Attributes:
        digest: digest that the worker's weights must have.
        arrays: the weights by name; None if the worker reads them from the driver's file.
    """

    digest: str
    arrays: Mapping[str, NDArray[Any]] | None = None

    @classmethod
    def of(cls, net: Supernet, where: Where) -> Self:
        """The weights of ``net``; they are only sent to a cluster."""
        if where.cluster is None:
            return cls(net.digest)
        return cls(net.digest, {name: tensor.detach().cpu().numpy() for name, tensor in net.tensors.items()})

    def tensors(self) -> dict[str, Tensor] | None:
        """The weights that were sent; None if none were."""
        import torch

        if self.arrays is None:
            return None
        with warnings.catch_warnings():  # torch warns that shared memory is read-only; workers never write to weights
            warnings.simplefilter("ignore", UserWarning)
            return {name: torch.from_numpy(array) for name, array in self.arrays.items()}

    def refuse_others(self, net: Supernet, said: str) -> None:
        """Refuse weights that are not the driver's.

        Args:
            net: the worker's network.
            said: the option that names the weights, for the message.

        Raises:
            SupernetError: the weights have changed.
        """
        if net.digest != self.digest:
            rule = "its weights have changed since the run began"
            raise SupernetError(said, rule, "put the old ones back, or begin anew")
