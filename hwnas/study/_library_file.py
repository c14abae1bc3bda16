"""Read a block library: any table of layers, or one of a model that ``hwnas library build`` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError, SupernetError
from hwnas.metric import LATENCY, SIZE
from hwnas.study._facts import weights_facts
from hwnas.study._model_on_text import ModelOnText, text_hash
from hwnas.study._space import open_space, with_precisions_of
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.space import AdditiveCost, SearchSpace

KIND = "block library"
"""``kind`` in the provenance of a library."""

SCORE = "kl"
"""The column of scores."""


@dataclass(frozen=True)
class Library:
    """Alternatives of every layer.

    Attributes:
        space: one gene per layer, or the genes of the model.
        costs: metrics by column.
        model: the reference of the model; None for a table without one.
        facts: its provenance.
    """

    space: SearchSpace
    costs: Mapping[str, AdditiveCost]
    model: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def usual(self) -> tuple[str, ...]:
        """The default objectives of a library of a model: its score, and latency or a substitute."""
        if self.model is None or SCORE not in self.costs:
            return ()
        if LATENCY.column in self.costs:
            return SCORE, LATENCY.column
        return SCORE, SIZE.column if self.space.precisions else "params"

    @property
    def notes(self) -> tuple[str, ...]:
        """A note on the lengths of latencies and memory, which archs do not state."""
        lengths = self.facts.get("lengths")
        if not lengths:
            return ()
        reads = f"reading a prompt of {count_of(lengths['prompt'], 'token')}"
        return (f"costs of the library are for {reads}, and for writing one after {lengths['context']:,}",)


def read_library(path: Path) -> Library:
    """Read a library, with the model that its provenance names.

    Raises:
        DataError: it is not a library, or its model does not open or has changed since.
    """
    from hwnas.io import read_block_library
    from hwnas.report import read_provenance

    facts = read_provenance(path) if path.is_file() else {}
    if facts.get("kind") != KIND:
        return Library(*read_block_library(path))
    about = facts["space"]
    reference = str(about["reference"])
    try:
        space = with_precisions_of(str(about["name"]), open_space(reference))
    except SupernetError as error:
        remedy = "run the command in the folder where the library was built, or put the model back"
        raise DataError(f"library {path}, its model {reference}", error.rule, remedy) from error
    now = weights_facts(reference, None) or {}
    then = facts.get("weights") or {}
    if (space.fingerprint, now.get("sha256")) != (about["fingerprint"], then.get("sha256")):
        what = "another model" if space.fingerprint != about["fingerprint"] else "other weights"
        rule = f"it is of {what} than {reference} holds now"
        raise DataError(f"library {path}", rule, "restore the model, or build the library again")
    return Library(*read_block_library(path, space), reference, facts)


def scored_on(library: Library, data: Path | None = None) -> ModelOnText:
    """The model and the text that a library was scored on, or another text.

    Raises:
        DataError: the text is gone or has changed, or the library is of other weights.
    """
    scored = library.facts["scores"]
    text = Path(scored["data"]) if data is None else data
    if data is None and not text.exists():
        raise DataError(f"text {text}", "the library was scored on it, and it is gone", "put it back")
    if data is None and text_hash(text) != scored["sha256"]:
        rule = "the library was scored on it, and it has changed since"
        raise DataError(f"text {text}", rule, "restore it, or build the library again")
    windows, length, batch_size, seed = (scored[name] for name in ("windows", "length", "batch_size", "seed"))
    precision = "+".join(library.space.precisions) or "fp32"
    found = ModelOnText(str(library.model), text, windows, length, batch_size, seed, precision)
    if found.net.digest != scored["digest"]:
        rule = f"the library is of other weights than {library.model} holds now"
        raise DataError(f"model {library.model}", rule, "restore the model, or build the library again")
    return found
