"""Inputs of encoders: texts as token ids with a mask, images as patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwnas.space import Gene, LayerSpec, OpList
from hwnas.space.ops import LENGTH

LENGTHS = (16, 32, 64, 128, 256, 512)
"""Choices of the sequence length, up to the number of positions."""


@dataclass(frozen=True)
class TextInput:
    """Token ids with a mask.

    Attributes:
        vocabulary, positions, segments: rows of the three embedding tables; 0 for no segments.
        lengths: choices of the sequence length.
        rows: of the table of tokens, if tokens share rows; 0 if each has its own.
        width: channels of the tables, if a linear map projects them to the encoder's; 0 if they have the encoder's.
    """

    vocabulary: int
    positions: int
    segments: int
    lengths: tuple[int, ...]
    rows: int = 0
    width: int = 0

    masked: ClassVar[bool] = True

    @property
    def suffix(self) -> str:
        """The channels of the tables, if they are projected, and the rows, if tokens share some."""
        return (f"-e{self.width}" if self.width else "") + (f"-rows{self.rows}" if self.rows else "")

    @property
    def gene(self) -> Gene:
        """The sequence length."""
        return Gene("l", None, self.lengths, role="input", unit="tokens")

    def tokens(self, size: int) -> int:
        """The sequence length."""
        return size

    def embeddings(self, size: int, channels: int, eps: float) -> LayerSpec:
        """Words, segments and positions, added, normalised and, if need be, projected to the encoder's channels."""
        ops, width = OpList(()), self.width or channels
        ids = ops.read("input_ids", (size,), "int64", below=self.vocabulary, axes=(LENGTH,))
        mask = ops.read("attention_mask", (size,), "int64", below=2, axes=(LENGTH,))
        ops.write("padding", ops.padding_bias("padding.bias", mask))
        rows = ops.shared_row("rows", ids, self.vocabulary, self.rows) if self.rows else ids
        x = ops.embedding("words", rows, self.rows or self.vocabulary, width)
        if self.segments:
            segments = ops.read("token_type_ids", (size,), "int64", below=self.segments, axes=(LENGTH,))
            x = ops.add("segments.add", x, ops.embedding("segments", segments, self.segments, width))
        x = ops.positions("positions", x, self.positions)
        x = ops.layer_norm("norm", x, eps)
        if self.width:
            ops.linear("project", x, channels)
        tables = f"v{self.vocabulary}-p{self.positions}-t{self.segments}{self.suffix}"
        return ops.layer(f"textembedding-l{size}-c{channels}-{tables}")


EIGHTHS = (4, 5, 6, 7)
"""Sides of smaller images, in eighths of the largest image's patches."""


@dataclass(frozen=True)
class ImageInput:
    """Images cut into square patches, behind learned tokens.

    Attributes:
        colours: channels of an image.
        size, patch: pixels along each side of the largest image, and of a patch.
        leading: number of learned tokens: 1 for a class token, 2 with a distillation token after it.
        grid: patches along each side in the table of positions, which may be for larger images.
    """

    colours: int
    size: int
    patch: int
    leading: int
    grid: int

    masked: ClassVar[bool] = False

    @property
    def suffix(self) -> str:
        """The sizes of patch and image."""
        return f"-p{self.patch}-r{self.size}"

    @property
    def side(self) -> int:
        """Patches along each side of the largest image."""
        return self.size // self.patch

    @property
    def gene(self) -> Gene:
        """The resolution, up to the network's own."""
        sides = {max(1, round(self.side * eighths / 8)) for eighths in EIGHTHS} - {self.side}
        sizes = (*(side * self.patch for side in sorted(sides)), self.size)
        return Gene("r", None, sizes, role="input", unit="px")

    def tokens(self, size: int) -> int:
        """The learned tokens, and one per patch."""
        return self.leading + (size // self.patch) ** 2

    def embeddings(self, size: int, channels: int, eps: float) -> LayerSpec:  # noqa: ARG002 (there is no norm)
        """Patches as tokens behind the learned tokens, plus positions."""
        ops = OpList((self.colours, size, size))
        x = ops.conv("patches", 0, channels, self.patch, self.patch, pads=(0, 0, 0, 0), bias=True, bn=False)
        x = ops.reshape("rows", x, (channels, (size // self.patch) ** 2))
        x = ops.transpose("tokens", x, (1, 0))
        for token in ("distillation", "class")[-self.leading :]:
            x = ops.class_token(token, x)
        ops.grid_positions("positions", x, self.leading, self.grid)
        table = f"t{self.leading}-g{self.grid}"
        return ops.layer(f"imageembedding-{self.colours}x{size}-p{self.patch}-c{channels}-{table}")
