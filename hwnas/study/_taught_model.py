"""``hwnas library build --distil``: train each alternative of a model's blocks alone, before it is scored."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.errors import DataError
from hwnas.executor import Pace
from hwnas.files import beside, replacing
from hwnas.progress import notice, progress, resumable
from hwnas.study._model_on_text import ModelOnText
from hwnas.wording import count_of

if TYPE_CHECKING:
    from torch import Tensor

    from hwnas.io import Journal
    from hwnas.supernet import Batch

TAUGHT = "taught"
"""Key in the header of a weights file: the text that its alternatives have learned from, and the steps."""

WINDOWS = 16
"""Windows of the training text to learn from, none of which is used for scores."""


def taught_model(given: ModelOnText, path: Path, steps: int) -> ModelOnText:
    """The model with trained weights for all alternatives. Its file is made if it does not exist.

    A killed run resumes after the last finished block: a journal and the blocks are kept beside the file until it is
    complete.

    Args:
        given: the model, and the text for scores.
        path: the file, ``.safetensors``.
        steps: training steps of each alternative.

    Raises:
        DataError: the file was made of something else, or the text has no windows beyond those for scores.
    """
    from hwnas.io import Journal
    from hwnas.supernet import described

    if path.resolve() == Path(given.model).resolve():
        rule = f"--distil writes {path}, which is the model itself"
        raise DataError(f"out {path.with_suffix('.csv')}", rule, "write another --out")
    plain = replace(given, precision="fp32")  # lower precisions round what was learned
    identity = {**plain.facts(), "steps": steps, "learned_from": WINDOWS}
    wanted = json.dumps(identity)
    parts, journal_path = beside(path, "parts"), beside(path, "jsonl")
    if path.exists():
        if described(path).get(TAUGHT) != wanted:
            rule = f"{path} exists, and was made of something else"
            remedy = f"write another --out, or remove it and {journal_path.name}"
            raise DataError(f"distil {steps}", rule, remedy)
        return replace(given, model=str(path))
    batches = [*plain.text.unjudged(given.length, WINDOWS)]
    parts.mkdir(parents=True, exist_ok=True)
    with Journal(journal_path, {"kind": TAUGHT, **identity}) as journal:
        own, gained = _teach(plain, batches, steps, parts, journal)
    plain.net.alike(plain.net.tensors | own).save(path, {TAUGHT: wanted})
    shutil.rmtree(parts)
    notice(
        f"wrote {path}: {count_of(len(gained), 'alternative')} after {count_of(steps, 'step')} each, "
        f"{100 * (1 - sum(gained) / len(gained)):.0f} % nearer to their parents' blocks on average"
    )
    return replace(given, model=str(path))


def _teach(
    given: ModelOnText, batches: Sequence[Batch], steps: int, parts: Path, journal: Journal
) -> tuple[dict[str, Tensor], list[float]]:
    """The trained weights of all alternatives, and the error that each has left, as a share of that before.

    Args:
        given: the model in fp32.
        batches: what to learn from.
        steps: training steps of each alternative.
        parts: folder that keeps trained blocks.
        journal: keeps their errors.
    """
    from safetensors.torch import load_file, save

    from hwnas.supernet import lessons, taught

    net = given.net
    own: dict[str, Tensor] = {}
    gained: list[float] = []
    known = {(entry["slot"], entry["choice"]): entry for entry in journal.entries}
    with resumable(lambda: f"{parts} keeps {count_of(len(known), 'block')}"), progress("teaching blocks") as advance:
        pace, total = Pace(1), len(net.space.slots) - 2
        for place, lesson in enumerate(lessons(net, batches)):
            for choice in lesson.alternatives:
                block, part = (lesson.slot, choice), parts / f"{lesson.slot}-{choice}.safetensors"
                if block not in known or not part.exists():
                    tensors, before, after = taught(net, lesson, choice, steps, given.seed)
                    with replacing(part) as file:
                        file.write_bytes(save(tensors))
                    entry = {"slot": lesson.slot, "choice": choice, "before": before, "after": after}
                    journal.append(entry)
                    known[block] = entry
                own |= net.own(load_file(part))
                gained.append(known[block]["after"] / known[block]["before"])
            advance(place + 1, total, f"blocks, {pace(place + 1)}")
    return own, gained
