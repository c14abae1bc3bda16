"""Lengths of a block library in tokens: its latencies and its cache memory are for these lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwnas.errors import SpaceError
from hwnas.space import network_inputs, with_inputs

if TYPE_CHECKING:
    from hwnas.space import SearchSpace
    from hwnas.supernet.hf import DecoderSupernet


@dataclass(frozen=True)
class Lengths:
    """Lengths of the two kinds of runs.

    They belong to a library, not to its archs, whose models are the same at any length.

    Attributes:
        prompt: tokens that a prefill reads.
        context: tokens in the cache, for the timed step of decoding and for memory.
    """

    prompt: int
    context: int

    @classmethod
    def asked(cls, net: DecoderSupernet, prompt: int | None, context: int | None) -> Lengths:
        """The lengths asked for, or the longest of the model's space.

        Raises:
            SpaceError: a length exceeds the positions of the model.
        """
        if prompt is not None:
            _refuse_longer(net.space, "l", prompt, f"--prompt {prompt}")
        if context is not None:
            _refuse_longer(net.space, "p", context, f"--context {context}")
        longest = {name: int(values[-1]) for name, values in net.space.input_values.items()}
        return cls(
            longest["l"] if prompt is None else prompt,
            longest["p"] if context is None else context,
        )

    def reading(self, space: SearchSpace) -> SearchSpace:
        """The space of a prefill."""
        return with_inputs(space, l=self.prompt, p=0)

    def writing(self, space: SearchSpace) -> SearchSpace:
        """The space of a step of decoding."""
        return with_inputs(space, l=1, p=self.context)

    def choice(self, space: SearchSpace) -> int:
        """The length gene of archs: the shortest choice into which the prompt fits, or the longest."""
        choices = [int(value) for value in space.input_values["l"]]
        return min((length for length in choices if length >= self.prompt), default=choices[-1])


LEAST = {"l": 1, "p": 0}
"""Least tokens by gene: ``l`` of a run, ``p`` in the cache before it."""


def with_lengths(space: SearchSpace, asked: Mapping[str, Sequence[int | float | str]]) -> SearchSpace:
    """A decoder's space at any lengths asked for, not only those that its genes choose from. Other spaces are unchanged.

    Args:
        space: the space.
        asked: values by gene.

    Raises:
        SpaceError: a length exceeds the positions of the model.
    """
    if positions_of(space) is None:
        return space
    lengths: dict[str, list[int]] = {}
    for gene, least in LEAST.items():
        wanted = [value for value in asked.get(gene, ()) if isinstance(value, int) and value >= least]
        for tokens in wanted:
            _refuse_longer(space, gene, tokens, f"--fix {gene}={tokens}")
        if wanted and len(wanted) == len(asked[gene]):
            lengths[gene] = wanted
    return with_inputs(space, **lengths)


def lengths_stated(space: SearchSpace) -> str:
    """The option of ``hwnas library build`` for a decoder's length, such as `` --prompt 300``; empty for other networks, and
    if there are several lengths."""
    fed = {name: int(values[0]) for name, values in space.input_values.items() if len(values) == 1}
    if positions_of(space) is None or set(fed) != set(LEAST):
        return ""
    return f" --context {fed['p']}" if fed["l"] == 1 else f" --prompt {fed['l']}" if not fed["p"] else ""


def positions_of(space: SearchSpace) -> int | None:
    """Number of positions of a decoder; None for other networks."""
    first = next((layer for slot in space.slots[:1] for _, layer in space.slot_layers(slot) if layer is not None), None)
    places = network_inputs([("", first)]).get("position_ids") if first is not None else None
    return places.below if places is not None else None


def _refuse_longer(space: SearchSpace, gene: str, tokens: int, said: str) -> None:
    most = positions_of(space) or 0
    rule = f"{space.name} has {most:,} positions"
    if gene == "p":
        most, rule = most - 1, f"{rule}, one of them for the token that is written"
    if tokens > most:
        raise SpaceError(said, rule, f"give {most}, or less")
