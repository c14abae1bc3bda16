"""The file of a shrunk space: a reference to the whole space, and the choices that its genes keep."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from hwnas.errors import SpaceError
from hwnas.files import replacing
from hwnas.space import SearchSpace, Value

SCHEMA = 1
_KIND = "shrunk space"


@dataclass(frozen=True)
class KeptChoices:
    """A part of a space.

    Attributes:
        reference: of the whole space.
        precisions: choices of the precision genes, if the space has any.
        fingerprint: of the space with its precisions.
        choices: of each gene that has fewer than in the whole space, by name.
        about: further facts, such as the device and the criterion.
    """

    reference: str
    precisions: tuple[str, ...]
    fingerprint: str
    choices: Mapping[str, Sequence[Value]]
    about: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, space: SearchSpace, reference: str, about: Mapping[str, Any]) -> Self:
        """The restrictions of a space."""
        return cls(reference, space.precisions, space.fingerprint, space.restrictions, about)

    def part(self, space: SearchSpace) -> SearchSpace:
        """``space`` restricted to the choices; genes that it lacks are ignored.

        Raises:
            SpaceError: a gene has no such choices.
        """
        names = {gene.name for gene in space.genes}
        return space.restrict(**{name: list(kept) for name, kept in self.choices.items() if name in names})

    def save(self, path: Path) -> None:
        """Write the file atomically."""
        header = {"schema": SCHEMA, "kind": _KIND, "of": self.reference, "fingerprint": self.fingerprint}
        mixed = {"precisions": list(self.precisions)} if self.precisions else {}
        lines = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in {**header, **mixed, **self.about}.items()]
        choices = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in self.choices.items())
        with replacing(path) as part:
            part.write_text(
                "{\n" + ",\n".join([*lines, f'  "choices": {{\n{choices}\n  }}']) + "\n}\n", encoding="utf-8"
            )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file that :meth:`save` wrote.

        Raises:
            SpaceError: there is no such file, or it holds something else.
        """
        again = "name a file of `hwnas space shrink`"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SpaceError(f"space {path}", "there is no such file", again) from None
        except (OSError, ValueError, RecursionError) as error:
            raise SpaceError(f"space {path}", f"it cannot be read as JSON ({error})", again) from error
        if not isinstance(data, dict) or data.get("kind") != _KIND:
            raise SpaceError(f"space {path}", "it is no shrunk space", again)
        if data.get("schema") != SCHEMA or not _is_complete(data):
            rule = f"it is not written as this version of hwnas writes it (schema {SCHEMA})"
            raise SpaceError(f"space {path}", rule, "shrink the space again")
        known = {"schema", "kind", "of", "fingerprint", "precisions", "choices"}
        about = {key: value for key, value in data.items() if key not in known}
        return cls(data["of"], tuple(data.get("precisions", ())), data["fingerprint"], data["choices"], about)


def _is_complete(data: Mapping[str, Any]) -> bool:
    """Whether all required fields are there, with the right types."""
    choices, precisions = data.get("choices"), data.get("precisions", [])
    return (
        all(isinstance(data.get(key), str) for key in ("of", "fingerprint"))
        and isinstance(precisions, list)
        and all(isinstance(p, str) for p in precisions)
        and isinstance(choices, dict)
        and all(isinstance(kept, list) and kept and all(map(_is_value, kept)) for kept in choices.values())
    )


def _is_value(value: object) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)
