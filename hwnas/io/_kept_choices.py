"""The file of a shrunk space: what it is a part of, and the choices that are left of its genes."""

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
        reference: of the whole.
        precisions: those that its layers choose from, if they have any of their own.
        fingerprint: of the space, with its precisions.
        choices: left of each gene that lost some, by its name.
        about: for which device, and what was kept.
    """

    reference: str
    precisions: tuple[str, ...]
    fingerprint: str
    choices: Mapping[str, Sequence[Value]]
    about: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, space: SearchSpace, reference: str, about: Mapping[str, Any]) -> Self:
        """What is left of a space that a reference names."""
        return cls(reference, space.precisions, space.fingerprint, space.restrictions, about)

    def part(self, space: SearchSpace) -> SearchSpace:
        """The space with the choices that are left; choices of genes that it lacks are ignored.

        Raises:
            SpaceError: a gene has no such choices.
        """
        names = {gene.name for gene in space.genes}
        return space.restrict(**{name: list(left) for name, left in self.choices.items() if name in names})

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        told = {"schema": SCHEMA, "kind": _KIND, "of": self.reference, "fingerprint": self.fingerprint}
        mixed = {"precisions": list(self.precisions)} if self.precisions else {}
        lines = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in {**told, **mixed, **self.about}.items()]
        choices = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in self.choices.items())
        with replacing(path) as part:
            part.write_text(
                "{\n" + ",\n".join([*lines, f'  "choices": {{\n{choices}\n  }}']) + "\n}\n", encoding="utf-8"
            )

    @classmethod
    def read(cls, path: Path) -> Self:
        """What :meth:`save` wrote.

        Raises:
            SpaceError: there is no such file, or it is another kind of JSON.
        """
        again = "name a file of `hwnas space shrink`"
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SpaceError(f"space {path}", "there is no such file", again) from None
        except (OSError, ValueError, RecursionError) as error:
            raise SpaceError(f"space {path}", f"it cannot be read as JSON ({error})", again) from error
        if not isinstance(told, dict) or told.get("kind") != _KIND:
            raise SpaceError(f"space {path}", "it is no shrunk space", again)
        if told.get("schema") != SCHEMA or not _fits(told):
            rule = f"it is not written as this version of hwnas writes it (schema {SCHEMA})"
            raise SpaceError(f"space {path}", rule, "shrink the space again")
        known = {"schema", "kind", "of", "fingerprint", "precisions", "choices"}
        about = {key: value for key, value in told.items() if key not in known}
        return cls(told["of"], tuple(told.get("precisions", ())), told["fingerprint"], told["choices"], about)


def _fits(told: Mapping[str, Any]) -> bool:
    choices, precisions = told.get("choices"), told.get("precisions", [])
    return (
        all(isinstance(told.get(key), str) for key in ("of", "fingerprint"))
        and isinstance(precisions, list)
        and all(isinstance(p, str) for p in precisions)
        and isinstance(choices, dict)
        and all(isinstance(left, list) and left and all(map(_is_value, left)) for left in choices.values())
    )


def _is_value(value: object) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)
