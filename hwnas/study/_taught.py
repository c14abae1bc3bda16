"""``hwnas library build --distil``: the alternatives of a model's blocks learn, each by itself, before they are scored."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.errors import DataError
from hwnas.executor import Pace
from hwnas.progress import notice, progress, resumable
from hwnas.quantity import count_of
from hwnas.study._moved import Windows

if TYPE_CHECKING:
    from torch import Tensor

TAUGHT = "taught"
"""What tells, in the header of a file, on which text its alternatives have learned, and for how long."""

WINDOWS = 16
"""Of the training text that alternatives learn from; none of those that they are scored on."""


def taught_model(given: Windows, path: Path, steps: int) -> Windows:
    """The model with weights of their own for all alternatives that have learned, in a file; it is made if it is not there.

    Killed at any moment, it goes on after the last block: a journal and the blocks stand beside the file until it is whole.

    Args:
        given: the model, and the text that will be scored on.
        path: of the file, ``.safetensors``.
        steps: of each alternative.

    Raises:
        DataError: the file is another one, or the text has no windows beside those that are scored on.
    """
    from safetensors.torch import load_file, save

    from hwnas.files import replacing
    from hwnas.io import Journal
    from hwnas.supernet import described, lessons, taught

    if path.resolve() == Path(given.model).resolve():
        rule = f"--distil writes {path}, which is the model itself"
        raise DataError(f"--out {path.with_suffix('.csv')}", rule, "write another --out")
    plain = replace(given, precision="fp32")  # lower precisions round what was learned
    identity = {**plain.facts(), "steps": steps, "learned_from": WINDOWS}
    told = json.dumps(identity)
    parts, journal_path = path.with_name(f"{path.name}.parts"), path.with_name(f"{path.name}.jsonl")
    if path.exists():
        if described(path).get(TAUGHT) != told:
            rule = "it is there, and was made of something else"
            remedy = f"write another --out, or remove it and {journal_path.name}"
            raise DataError(f"--distil {steps}: {path}", rule, remedy)
        return replace(given, model=str(path))
    net, batches = plain.net, [*plain.text.unjudged(given.length, WINDOWS)]
    parts.mkdir(parents=True, exist_ok=True)
    own: dict[str, Tensor] = {}
    gained: list[float] = []
    with Journal(journal_path, {"kind": TAUGHT, **identity}) as journal:
        known = {(entry["slot"], entry["choice"]): entry for entry in journal.entries}
        with (
            resumable(lambda: f"{parts} keeps {count_of(len(known), 'block')}"),
            progress("teaching blocks") as advance,
        ):
            pace, total = Pace(1), len(net.space.slots) - 2
            for place, lesson in enumerate(lessons(net, batches)):
                for choice in lesson.alternatives:
                    part = parts / f"{lesson.slot}-{choice}.safetensors"
                    if (lesson.slot, choice) not in known or not part.exists():
                        tensors, before, after = taught(net, lesson, choice, steps, given.seed)
                        with replacing(part) as file:
                            file.write_bytes(save(tensors))
                        entry = {"slot": lesson.slot, "choice": choice, "before": before, "after": after}
                        journal.append(entry)
                        known[lesson.slot, choice] = entry
                    own |= net.own(load_file(part))
                    gained.append(known[lesson.slot, choice]["after"] / known[lesson.slot, choice]["before"])
                advance(place + 1, total, f"blocks, {pace(place + 1)}")
    net.alike(net.tensors | own).save(path, {TAUGHT: told})
    shutil.rmtree(parts)
    notice(
        f"wrote {path}: {count_of(len(gained), 'alternative')} after {count_of(steps, 'step')} each, "
        f"{100 * (1 - sum(gained) / len(gained)):.0f} % nearer to their parents' blocks on average"
    )
    return replace(given, model=str(path))
