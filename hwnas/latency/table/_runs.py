"""The name under which a table keeps the facts of a space, and of a kind of run."""

from __future__ import annotations

from hwnas.space import SearchSpace


def runs_of(space: SearchSpace) -> str:
    """The space's name, and the input values if the space has several inputs: ``llama-30x576 (l=1, p=512)``.

    The resolutions of a CNN are sizes of the same work, so one anchor measures the speed of all. Reading a prompt and writing a
    token are different work: the first is limited by arithmetic, the second by memory, and takes a twentieth of the time. So
    each has its own anchor and validation.
    """
    if len(space.input_genes) < 2:
        return space.name
    fed = (f"{name}={','.join(map(str, values))}" for name, values in space.input_values.items())
    return f"{space.name} ({', '.join(fed)})"
