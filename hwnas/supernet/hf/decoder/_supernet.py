"""Decoders of Hugging Face folders as supernets. Each folder has a class, because it has a space of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

from numpy.typing import NDArray
from torch import Tensor

from hwnas.errors import DataError, SupernetError
from hwnas.graph import precision_parts
from hwnas.space import Op, SearchSpace, network_inputs
from hwnas.space.ops import Linear
from hwnas.supernet._base import Supernet
from hwnas.supernet._calibration import BatchNormMode
from hwnas.supernet._checkpoint import Misfit, read_content
from hwnas.supernet._execute import forward
from hwnas.supernet._family import family_space
from hwnas.supernet._header import DESCRIPTION
from hwnas.supernet._recipe import Recipe
from hwnas.supernet._subnet import Subnet
from hwnas.supernet._units import Units
from hwnas.supernet.hf._weights import read_folder
from hwnas.supernet.hf.decoder._carried import CarriedDecoder
from hwnas.supernet.hf.decoder._deploy import deployed_decoder
from hwnas.supernet.hf.decoder._gguf import gguf_file, gguf_tensors
from hwnas.supernet.hf.decoder._own import OF, own_name, own_tensors
from hwnas.supernet.hf.decoder._space import Decoder, decoder_space
from hwnas.supernet.hf.decoder._weights import by_largest_weights, renamed
from hwnas.task import LENGTH, USUAL_SAMPLING, Inputs, LanguageModelling, Sampling, Tokenizer, prompt


class DecoderSupernet(Supernet):
    """The base of all decoders; `decoder_class` makes the class of each.

    Attributes:
        carried: its description.
        decoder: its sizes, from the description.
    """

    carried: ClassVar[CarriedDecoder]
    decoder: ClassVar[Decoder]

    metric = "perplexity"
    recipe = Recipe("adamw", epochs=1, learning_rate=1e-5, weight_decay=0.01, clip_norm=1.0)

    def __init__(
        self, tensors: Mapping[str, Tensor], origin: str = "unknown", space: SearchSpace | None = None
    ) -> None:
        super().__init__(tensors, origin, space)
        self.tensors |= own_tensors(tensors, self.shapes(self.space), origin)

    @classmethod
    def search_space(cls) -> SearchSpace:
        lengths, pasts = cls.carried.choices(cls.decoder.positions)
        return decoder_space(cls.carried.settings["model_type"], cls.decoder, lengths, pasts)

    @classmethod
    def default_checkpoint(cls) -> Path | None:
        return Path(cls.carried.folder)

    @classmethod
    def outline(cls) -> dict[str, str]:
        return {DESCRIPTION: cls.carried.text()}

    @classmethod
    def tokenizer(cls) -> Tokenizer:
        """The network's tokenizer.

        Raises:
            DataError: the folder has none, or another network's.
        """
        tokenizer = cls.carried.complete().tokenizer
        assert tokenizer is not None
        tokenizer.check_vocabulary(cls.decoder.vocabulary, cls.carried.folder)
        return tokenizer

    @classmethod
    def from_checkpoint(cls, path: str | os.PathLike[str]) -> Self:
        """The weights of a folder or GGUF file, with sorted neurons, or those of a file with hwnas's names.

        Raises:
            SupernetError: weights are missing, damaged, or do not fit the configuration.
        """
        file = gguf_file(str(path))
        if file is None and not Path(path).is_dir():
            content = read_content(path)
            net = cls.from_content({name: value for name, value in content.items() if OF not in str(name)}, Path(path))
            return net.alike(net.tensors | own_tensors(content, net.shapes(net.space), str(path)))
        heads = cls.decoder.heads, cls.decoder.kv_heads
        tensors = read_folder(Path(path)) if file is None else gguf_tensors(file, *heads)
        found = renamed(tensors, cls.shapes(family_space(cls)), cls.decoder.layers, str(path))
        try:
            net = cls(found, f"hf:{path}")
        except Misfit as error:
            remedy = "restore its config.json and its weights from one and the same network"
            raise Misfit(error.value, error.rule, remedy) from None
        net.tensors = by_largest_weights(net.tensors, net.units())
        return net

    def open_data(
        self,
        folder: Path,
        sampling: Sampling = USUAL_SAMPLING,
        *,
        own_classes: bool = False,  # noqa: ARG002 (its classes are always the tokens)
        length: int | None = None,
    ) -> LanguageModelling:
        if length is not None and length > self.decoder.positions:
            rule = f"{self.space.name} has {self.decoder.positions:,} positions"
            raise DataError(f"windows of {length:,} tokens", rule, f"pass --length {self.decoder.positions} or less")
        return LanguageModelling(
            folder,
            self.tokenizer(),
            sampling,
            vocabulary=self.decoder.vocabulary,
            length=length or min(LENGTH, self.decoder.positions),
        )

    def op_weights(self, name: str, op: Op) -> dict[str, Tensor]:
        """The op's own tensors where it has some, or else parts of the shared ones.

        These are the leading neurons, and means over groups of key-value heads (Ainslie et al. 2023, arXiv:2305.13245).
        """
        names = {f"{name}.{part}": own_name(f"{name}.{part}", shape) for part, shape in op.weights.items()}
        own = {shared: self.tensors[name] for shared, name in names.items() if name in self.tensors}
        if not isinstance(op, Linear) or not name.endswith((".attention/key", ".attention/value")):
            return super().op_weights(name, op) | own
        size = self.decoder.head_size
        return {shared: _averaged(self.tensors[shared], op.features, size) for shared in names} | own

    @staticmethod
    def own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """An alternative's tensors, given by the names of the shared ones, as a network stores them beside these."""
        return {own_name(name, tuple(tensor.shape)): tensor for name, tensor in sorted(tensors.items())}

    def deployed_files(self, subnet: Subnet) -> dict[str, str]:
        return deployed_decoder(self.carried.complete(), self.tokenizer(), subnet)

    def units(self) -> Sequence[Units]:
        ffns = (f"layer.{i}.ffn" for i in range(self.decoder.layers))
        return [Units(f"{ffn} neurons", 1, (f"{ffn}/gate", f"{ffn}/up"), (f"{ffn}/down",)) for ffn in ffns]

    def with_head(self, labels: Sequence[str], seed: int = 0) -> Self:  # noqa: ARG002
        rule = "it generates text, and has no classes"
        raise SupernetError(f"hf:{self.carried.folder}", rule, "give an encoder of texts for that")

    def in_precision(self, precision: str) -> Self:
        if "fp16" in precision_parts(precision):
            rule = "positions of tokens do not fit into fp16"
            raise SupernetError(f"hf:{self.carried.folder}", rule, "export fp32, int8 or int4")
        return super().in_precision(precision)

    def forward(self, row: NDArray[Any], x: Inputs, bn: BatchNormMode = "eval", *, momentum: float = 0.0) -> Tensor:
        """Logits ``(n, tokens, vocabulary)`` of the next tokens. Each layer computes in its precision, if it has one.

        Args:
            row: the subnet; its choices of input genes do not matter.
            x: ``input_ids`` ``(n, tokens)`` alone, if nothing is cached, or with the other inputs of `hwnas.task.prompt`.
            bn, momentum: as for all supernets.
        """
        if isinstance(x, Mapping) and list(x) == ["input_ids"]:
            x = prompt(network_inputs(self.network(row)), x["input_ids"])
        weights, eps = self.weights(row), self.bn_eps
        return forward(self.network(row), weights, x, bn, eps=eps, momentum=momentum, rounded=True)

    def remade(self, **changes: Any) -> DecoderSupernet:
        """The same weights with a changed description: ``lengths``, ``pasts``."""
        return decoder_class(replace(self.carried, **changes))(self.tensors, self.origin).with_identity_of(self)


def _averaged(weight: Tensor, features: int, size: int) -> Tensor:
    """``(features, ...)`` of ``(heads * size, ...)``: the mean of each group of consecutive heads."""
    if len(weight) == features:
        return weight
    return weight.reshape(features // size, -1, size, *weight.shape[1:]).mean(1).flatten(0, 1)


@cache
def decoder_class(carried: CarriedDecoder) -> type[DecoderSupernet]:
    """The class of a description.

    Raises:
        SupernetError: its family is not supported.
    """
    facts = {"carried": carried, "decoder": carried.decoder(), "__module__": __name__}
    return type("DecoderSupernet", (DecoderSupernet,), facts)
