"""The lengths that a block library is of: latencies, and the memory of a cache, are of as many tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwnas.errors import SpaceError
from hwnas.space import with_inputs

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
        positions = net.decoder.positions
        rule = f"{net.space.name} has {positions:,} positions"
        if prompt is not None and prompt > positions:
            raise SpaceError(f"--prompt {prompt}", rule, f"give {positions}, or less")
        if context is not None and context >= positions:
            rule += ", one of which is the token's that is written"
            raise SpaceError(f"--context {context}", rule, f"give {positions - 1}, or less")
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
