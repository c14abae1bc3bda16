"""A language model, and windows of a text on which its subnets are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import SupernetError
from hwnas.files import ends_in, file_hash

if TYPE_CHECKING:
    from hwnas.supernet import Batch
    from hwnas.supernet.hf import DecoderSupernet
    from hwnas.task import LanguageModelling


def text_hash(path: Path) -> str:
    """Hash of a file, or of a folder's texts; other files in the folder, such as a journal, may change."""
    return file_hash(path, (file for file in path.rglob("*") if ends_in(file, ".txt")))


@dataclass(frozen=True)
class ModelOnText:
    """A language model, and windows of a text on which its subnets are judged.

    Attributes:
        model: a reference.
        data: the text.
        windows: number of windows.
        length: tokens per window.
        batch_size: windows at once; it is lowered if their logits take too much memory.
        seed: seed of the draw.
        precision: precision of blocks, or those they choose from: ``fp32+int8``.
    """

    model: str
    data: Path
    windows: int = 8
    length: int = 256
    batch_size: int = 4
    seed: int = 0
    precision: str = "fp32"

    @cached_property
    def net(self) -> DecoderSupernet:
        """The model, opened at first use.

        Raises:
            SupernetError: there is no such model, or it is not a language model.
        """
        from hwnas.supernet import get_supernet, load_supernet
        from hwnas.supernet.hf import DECODERS, DecoderSupernet

        if not issubclass(get_supernet(self.model), DecoderSupernet):  # before its weights are looked for
            rule = "it is not a language model, and block libraries are made of these"
            raise SupernetError(f"model {self.model}", rule, f"give hf:FOLDER of one of: {', '.join(DECODERS)}")
        net = load_supernet(self.model)
        assert isinstance(net, DecoderSupernet)
        return net.in_precision(self.precision)

    @cached_property
    def text(self) -> LanguageModelling:
        """The text in windows.

        Raises:
            DataError: there is no text, or less than a window.
        """
        from hwnas.task import Sampling

        sampling = Sampling(self.windows, self.windows, self.batch_size, self.seed)
        return self.net.open_data(self.data, sampling, length=self.length)

    def batches(self) -> Sequence[Batch]:
        """Batches of ``(n, t)`` tokens and the tokens that follow them, from the training text if there is one."""
        return [*self.text.judged(self.length)]

    def facts(self) -> dict[str, Any]:
        """All that divergences depend on, for journals and provenances."""
        return {
            "space": self.net.space.name,
            "fingerprint": self.net.space.fingerprint,
            "digest": self.net.digest,
            "tokenizer": self.net.tokenizer().digest,
            "data": str(self.data.resolve()),
            "sha256": text_hash(self.data),
            "windows": self.windows,
            "length": self.length,
            "batch_size": self.text.windows_at_once(self.length),
            "seed": self.seed,
        }
