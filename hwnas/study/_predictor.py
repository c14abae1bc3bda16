"""Find the predictor of accuracy for a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.files import file_hash
from hwnas.study._found import Found

if TYPE_CHECKING:
    from hwnas.predictor import Predictor
    from hwnas.space import SearchSpace


def find_predictor(space: SearchSpace, name: str | None, *, required: bool = True) -> Found[Predictor] | None:
    """The predictor in a file, or the one that ships for the space; None if none ships and none is required.

    Raises:
        PredictorError, UnknownNameError: as ``get_predictor``.
    """
    from hwnas.predictor import embedded_names, embedded_path, get_predictor

    known = space.plain.name if space.plain is not None else space.name
    if name is None and not required and known not in embedded_names():
        return None
    predictor = get_predictor(name, space)
    embedded = name is None or not Path(name).is_file()
    path = embedded_path(name or known) if embedded else Path(str(name))
    card = predictor.card
    facts = {
        "name": f"hwnas's predictor of {known}" if embedded else path.name,
        "kind": predictor.kind,
        "metric": card.metric,
        "sha256": file_hash(path),
        "source": card.notes,
        "data": list(card.data),
        "scores": dict(card.scores),
    }
    return Found(predictor, facts)
