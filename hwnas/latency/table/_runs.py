"""What a table calls the runs of a space that rows of it are relative to."""

from __future__ import annotations

from hwnas.space import SearchSpace


def runs_of(space: SearchSpace) -> str:
    """The space's name; where several inputs say what a run is, their values too: ``llama-30x576 (l=1, p=512)``.

    Resolutions of a CNN are sizes of the same work, which one network tells the speed of. Reading a prompt and writing a
    token are not: the one computes, the other waits for memory, and takes a twentieth of the time. So each has an anchor, and
    a check, of its own.
    """
    if len(space.input_genes) < 2:
        return space.name
    fed = (f"{name}={','.join(map(str, values))}" for name, values in space.input_values.items())
    return f"{space.name} ({', '.join(fed)})"
