"""The lengths that a block library is of: latencies, and the memory of a cache, are of as many tokens."""

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
    """Tokens of the two kinds of runs.

    They are of a library, and not of the archs in it, whose models are the same at any length.

    Attributes:
        prompt: that a prefill reads.
        context: in the cache at the step of decoding that is timed; memory is of as many.
    """

    prompt: int
    context: int

    @classmethod
    def asked(cls, net: DecoderSupernet, prompt: int | None, context: int | None) -> Lengths:
        """Those that are asked for, or the longest that the model's space has.

        Raises:
            SpaceError: the model does not have positions for so many.
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
        """What archs say of the length of a run: the shortest choice that the prompt fits into, or the longest."""
        choices = [int(value) for value in space.input_values["l"]]
        return min((length for length in choices if length >= self.prompt), default=choices[-1])


LEAST = {"l": 1, "p": 0}
"""Tokens of a run, and in the cache before it, by gene."""


def with_lengths(space: SearchSpace, asked: Mapping[str, Sequence[int | float | str]]) -> SearchSpace:
    """A decoder's space at the lengths that are asked for, of which any will do that it has positions for; other spaces as
    they are.

    Args:
        space: whose choices are the lengths that archs state.
        asked: values by gene.

    Raises:
        SpaceError: the model does not have positions for so many.
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
    """The options of ``hwnas library build`` that state a decoder's lengths: `` --prompt 300``; empty for other networks, and
    where there are several."""
    fed = {name: int(values[0]) for name, values in space.input_values.items() if len(values) == 1}
    if positions_of(space) is None or set(fed) != set(LEAST):
        return ""
    return f" --context {fed['p']}" if fed["l"] == 1 else f" --prompt {fed['l']}" if not fed["p"] else ""


def positions_of(space: SearchSpace) -> int | None:
    """How many tokens of a text a decoder tells apart; None of other networks."""
    first = next((layer for slot in space.slots[:1] for _, layer in space.slot_layers(slot) if layer is not None), None)
    places = network_inputs([("", first)]).get("position_ids") if first is not None else None
    return places.below if places is not None else None


def _refuse_longer(space: SearchSpace, gene: str, tokens: int, said: str) -> None:
    most = positions_of(space) or 0
    rule = f"{space.name} has {most:,} positions"
    if gene == "p":
        most, rule = most - 1, f"{rule}, one of which is the token's that is written"
    if tokens > most:
        raise SpaceError(said, rule, f"give {most}, or less")
