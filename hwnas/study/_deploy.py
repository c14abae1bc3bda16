"""An exported subnet on the disk: one ONNX file, or a folder with what a user needs to run it."""

# ruff: noqa: PLC0415 (what is heavy is imported when it is needed)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.files import check_writable, replacing, together

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    from hwnas.supernet import Subnet, Supernet

MODEL = "model.onnx"


@dataclass(frozen=True)
class Deployed:
    """Where an export goes.

    Attributes:
        path: an ``.onnx`` file, or a folder.
    """

    path: Path

    @property
    def is_folder(self) -> bool:
        """Whether there are files beside the model."""
        return self.path.suffix.lower() != ".onnx"

    @property
    def model(self) -> Path:
        """The ONNX file."""
        return self.path / MODEL if self.is_folder else self.path

    def check(self) -> None:
        """Refuse a path that cannot be written, before minutes are spent on what goes there.

        Raises:
            DataError: it cannot.
        """
        check_writable(self.model)

    def write(self, model: ModelProto, properties: Mapping[str, str], beside: Mapping[str, str]) -> list[str]:
        """Write all files or none.

        Args:
            model: with its weights.
            properties: to be stored in it.
            beside: texts of the other files by name; an ONNX file alone has none.

        Returns:
            Names of the files beside the model.
        """
        from hwnas.supernet import save_onnx

        with together():
            for name, text in beside.items() if self.is_folder else ():
                with replacing(self.path / name) as part:
                    part.write_text(text, encoding="utf-8")
            save_onnx(model, self.model, properties)
        return list(beside) if self.is_folder else []


def other_lengths(net: Supernet, row: NDArray[Any]) -> list[Subnet]:
    """The subnet for the shortest and the longest sequences that its space knows; none where it is fed images."""
    if not net.length_gene:
        return []
    arch = net.space.decode(row)
    choices = next(gene.choices for gene in net.space.genes if gene.name == net.length_gene)
    ends = dict.fromkeys((choices[0], choices[-1]))
    return [net.extract(net.space.encode({**arch, net.length_gene: length})) for length in ends]
