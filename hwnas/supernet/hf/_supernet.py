"""Encoders of Hugging Face folders as supernets. Each folder has a class, because it has a space of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwnas.errors import DataError, SupernetError
from hwnas.progress import notice
from hwnas.space import Op, SearchSpace, with_classes
from hwnas.supernet._base import HEAD_SPREAD, Supernet
from hwnas.supernet._checkpoint import Misfit
from hwnas.supernet._deployed import CONFIG, PREPROCESSOR, as_json, configuration
from hwnas.supernet._family import family_space
from hwnas.supernet._header import DESCRIPTION
from hwnas.supernet._recipe import Recipe
from hwnas.supernet._subnet import Subnet
from hwnas.supernet._units import Units
from hwnas.supernet.hf._carried import Carried, CarriedImages, CarriedTexts
from hwnas.supernet.hf._channels import CLASSIFIER, channel_units, of_two_vectors
from hwnas.supernet.hf._encoder import encoder_space
from hwnas.supernet.hf._family import Family
from hwnas.supernet.hf._inputs import TextInput
from hwnas.supernet.hf._weights import read_folder, renamed
from hwnas.task import USUAL_SAMPLING, Sampling, Task, TextFolder, Tokenizer, UserData

WORDS, ROWS = "embeddings/words.weight", "embeddings/rows.row"
"""The embedding table of tokens, and the row of each token if tokens share rows."""

CUT_PCT = 1.0
"""Largest share of texts, in percent, that the longest sequence length may cut."""

USUAL_CHANNELS, NARROW = 768, 2.0
"""Channels for which the learning rate of texts is chosen, and the largest factor by which it grows with fewer channels."""


class EncoderSupernet(Supernet):
    """The base of all encoders; `encoder_class` makes the class of each.

    Attributes:
        carried: its description.
        family: sizes, inputs and names of tensors, from the description.
    """

    carried: ClassVar[Carried]
    family: ClassVar[Family]

    @classmethod
    def search_space(cls) -> SearchSpace:
        return encoder_space(cls.carried.settings["model_type"], cls.family.encoder, cls.family.fed)

    @classmethod
    def default_checkpoint(cls) -> Path | None:
        return Path(cls.carried.folder)

    @classmethod
    def from_checkpoint(cls, path: str | os.PathLike[str]) -> Self:
        """The weights of the folder, or of a file with hwnas's names. If the folder has no head, a random one is made.

        Raises:
            SupernetError: weights are missing, damaged, or do not fit the configuration.
        """
        if not Path(path).is_dir():
            try:
                return super().from_checkpoint(path)
            except Misfit as error:
                raise Misfit(error.value, error.rule, _named_by(Path(path).parent)) from None
        shapes = cls.shapes(family_space(cls))
        found = renamed(read_folder(Path(path)), cls.family, shapes, str(path))
        head = {"head/classifier.weight", "head/classifier.bias"}
        # A folder's head never reads the mean of tokens: a classifier without a pooler labels single tokens.
        fresh = cls.family.encoder.head.pool == "mean" or not (cls.carried.tuned or head & set(found))
        if fresh:
            weight = torch.randn(shapes["head/classifier.weight"], generator=torch.Generator().manual_seed(0))
            found["head/classifier.weight"] = HEAD_SPREAD * weight
            found["head/classifier.bias"] = torch.zeros(shapes["head/classifier.bias"])
        own = Path(path) == Path(cls.carried.folder)
        if own and "head/classifier.weight" in found:
            _check_classes(cls.carried, cls.family.encoder.classes, len(found["head/classifier.weight"]))
        try:
            net = cls(found, f"hf:{path}")
        except Misfit as error:
            remedy = "restore its config.json and its weights from one and the same network"
            remedy = remedy if own else _named_by(Path(path))
            raise Misfit(error.value, error.rule, remedy) from None
        net.head_is_new = fresh
        net.labels = () if fresh else _labels(cls.carried.settings, net.classes)
        return net

    @classmethod
    def outline(cls) -> dict[str, str]:
        return {DESCRIPTION: cls.carried.text()}

    def units(self) -> Sequence[Units]:
        size, found = self.family.encoder.head_size, []
        for layer in range(self.family.encoder.layers):
            slot = f"layer.{layer}"
            projections = tuple(f"{slot}/{part}" for part in ("query", "key", "value"))
            found.append(Units(f"{slot} heads", size, projections, (f"{slot}/attention.output",)))
            found.append(Units(f"{slot} neurons", 1, (f"{slot}/ffn.inner",), (f"{slot}/ffn.output",)))
        if self.family.encoder.widths:
            found.append(channel_units(self.tensors, self.family.encoder.layers))
        return found

    def op_weights(self, name: str, op: Op) -> dict[str, Tensor]:
        found = super().op_weights(name, op)
        if name == CLASSIFIER and self.family.encoder.head.two:
            found[f"{name}.weight"] = of_two_vectors(self.tensors[f"{name}.weight"], op.in_shape[0] // 2)
        return found

    def with_widths(self, widths: Sequence[int]) -> Self:
        """The same weights as a supernet whose subnets also choose the number of channels between layers.

        The largest subnet has all channels and stays the same. Training sorts the channels by importance, like heads and
        neurons.

        Args:
            widths: choices, to which the network's own number of channels is added.

        Raises:
            SupernetError: a choice is not between 1 and the network's number of channels.
        """
        most = self.family.encoder.channels
        wrong = next((width for width in widths if not 0 < width <= most), None)
        if wrong is not None:
            rule = f"the network has {most} channels"
            raise SupernetError(f"hidden width {wrong}", rule, f"give some of them: {most // 2},{most * 3 // 4}")
        return self.remade(widths=tuple(sorted({*widths, most})) if widths else ())

    def remade(self, tensors: Mapping[str, Tensor] | None = None, **changes: Any) -> Self:
        """The supernet with a changed description, and with the same weights unless ``tensors`` are given."""
        made = cast("type[Self]", encoder_class(replace(self.carried, **changes)))
        other = made(tensors or self.tensors, self.origin, with_classes(family_space(made), self.classes))
        return other.with_identity_of(self)


class TextEncoder(EncoderSupernet):
    """Encoders of texts."""

    carried: ClassVar[CarriedTexts]
    metric = "accuracy"

    recipe = Recipe("adamw", epochs=4, learning_rate=1e-4, weight_decay=0.01, clip_norm=1.0, validates=True)

    @classmethod
    def tokenizer(cls) -> Tokenizer:
        """The network's tokenizer.

        Raises:
            DataError: the folder has none, or another network's.
        """
        tokenizer = cls.carried.complete().tokenizer
        assert tokenizer is not None
        assert isinstance(cls.family.fed, TextInput)
        tokenizer.check_vocabulary(cls.family.fed.vocabulary, cls.carried.folder)
        return tokenizer

    def open_data(self, folder: Path, sampling: Sampling = USUAL_SAMPLING, *, own_classes: bool = False) -> TextFolder:
        data = TextFolder(
            folder,
            self.tokenizer(),
            None if own_classes or self.head_is_new else (self.labels, self.classes),
            sampling,
            metric=self.metric,
            columns=self.carried.columns,
        )
        if self.carried.paired and not own_classes and not data.has_pairs:
            rule = f"the network was trained on pairs of texts, and its files have no column {data.columns.pair!r}"
            raise DataError(f"data {folder}", rule, "name the column of second texts with --pair-column")
        return data

    @property
    def embedding_rows(self) -> int:
        """Rows of the embedding table: one per token, unless tokens share rows."""
        return len(self.tensors[WORDS])

    def with_embedding_rows(self, uses: NDArray[np.int64], rows: int) -> TextEncoder:
        """The same network with a smaller embedding table.

        The most used tokens keep their rows, and every other token shares the kept row with the most similar direction. The
        table is half of a small encoder's weights, and texts of one kind use only a part of it. Leaving tokens out instead
        (vocabulary trimming: Ushio et al. 2023, arXiv:2305.15020) splits words into shorter tokens: texts become longer, and
        MiniLM on TREC loses two to four times as many points.

        Args:
            uses: ``(ids,)`` occurrences of each token in texts.
            rows: number of rows to keep, fewer than there are.
        """
        table = self.tensors[WORDS]
        before = self.tensors[ROWS].long() if self.carried.rows else torch.arange(len(table))
        used = torch.zeros(len(table)).index_add_(0, before[: len(uses)], torch.from_numpy(uses).float())
        kept = used.argsort(descending=True, stable=True)[:rows].sort().values
        after = _most_alike(table, table[kept])
        after[kept] = torch.arange(rows)
        return self.remade(self.tensors | {WORDS: table[kept], ROWS: after[before].float()}, rows=rows)

    def deployed_files(self, subnet: Subnet) -> dict[str, str]:
        tokenizer, length = self.tokenizer(), subnet.inputs["input_ids"].shape[0]
        config = configuration(self.carried.settings, self.labels, self.classes, subnet.arch)
        return {
            CONFIG: as_json(config),
            "tokenizer.json": tokenizer.stored(length),
            "tokenizer_config.json": as_json(tokenizer.facts(length, list(subnet.inputs))),
        }

    def adapted(self, data: Task) -> TextEncoder:
        """The same network with only the sequence lengths that the texts need."""
        assert isinstance(data, TextFolder)
        assert isinstance(self.family.fed, TextInput)
        lengths, cut_pct = data.lengths(self.family.fed.lengths, CUT_PCT)
        if cut_pct <= CUT_PCT:
            notice(f"all but {CUT_PCT:g} % of the texts are within {lengths[-1]} tokens")
        else:
            notice(
                f"{cut_pct:.0f} % of the texts are longer than the network's {lengths[-1]} tokens, and are cut there"
            )
        return self.remade(lengths=lengths, columns=data.columns, paired=data.has_pairs)


class ImageEncoder(EncoderSupernet):
    """Encoders of images."""

    carried: ClassVar[CarriedImages]

    recipe = Recipe("adamw", epochs=10, learning_rate=1e-4, weight_decay=0.01, clip_norm=1.0, validates=True)

    def open_data(self, folder: Path, sampling: Sampling = USUAL_SAMPLING, *, own_classes: bool = False) -> UserData:
        if self.preprocessing is None:
            rule = f"it has no {PREPROCESSOR}, so the preprocessing that it was trained with is unknown"
            raise DataError(f"hf:{self.carried.folder}", rule, "save its image processor into the folder")
        return super().open_data(folder, sampling, own_classes=own_classes)

    def deployed_files(self, subnet: Subnet) -> dict[str, str]:
        files = super().deployed_files(subnet)
        if self.preprocessing is None:
            del files[PREPROCESSOR]
        return files | {CONFIG: as_json(configuration(self.carried.settings, self.labels, self.classes, subnet.arch))}


def _most_alike(vectors: Tensor, among: Tensor) -> Tensor:
    """``(n,)`` index of the vector in ``among`` with the nearest direction, for each vector."""
    directions = torch.nn.functional.normalize(among, dim=1).T
    parts = torch.split(vectors, 2000)  # to save memory
    return torch.cat([(part @ directions).argmax(dim=1) for part in parts])


@cache
def encoder_class(carried: CarriedImages | CarriedTexts) -> type[TextEncoder | ImageEncoder]:
    """The class of a description.

    Raises:
        SupernetError: its family is not supported.
    """
    family = carried.family()
    facts: dict[str, Any] = {"carried": carried, "family": family, "__module__": __name__}
    if isinstance(carried, CarriedTexts):
        return type("TextEncoder", (TextEncoder,), facts | {"recipe": _recipe(family)})
    return type("ImageEncoder", (ImageEncoder,), facts | {"preprocessing": carried.preprocessing})


def _named_by(folder: Path) -> str:
    """The remedy for weights that are not those of the named network."""
    name = folder if (folder / CONFIG).is_file() else "FOLDER"
    return f"pass --supernet hf:{name} alone, whose config.json fits them"


def _check_classes(carried: Carried, named: int, rows: int) -> None:
    """Refuse a configuration that counts other classes than the head has.

    Raises:
        Misfit: it does.
    """
    if named == rows:
        return
    key = "id2label" if carried.settings.get("id2label") else "num_labels"
    rule = f"its {key} is for {named} classes, and the head in its weights has {rows}"
    remedy = f"name {rows} classes in id2label, or restore the config.json that these weights were saved with"
    raise Misfit(f"hf:{carried.folder}, {CONFIG}", rule, remedy)


def _recipe(family: Family) -> Recipe:
    """The recipe of an encoder of texts. Narrow ones need a higher learning rate, especially for their small subnets."""
    usual = TextEncoder.recipe
    return replace(usual, learning_rate=usual.learning_rate * min(NARROW, USUAL_CHANNELS / family.encoder.channels))


def _labels(settings: Mapping[str, object], classes: int) -> tuple[str, ...]:
    """Names of the classes; empty if ``transformers`` made them up, or if two classes share one."""
    named = settings.get("id2label")
    if not isinstance(named, dict) or len(named) != classes:
        return ()
    labels = tuple(str(named.get(str(i), "")) for i in range(classes))
    made_up = all(label == f"LABEL_{i}" for i, label in enumerate(labels))
    return () if made_up or len(set(labels)) < classes else labels
