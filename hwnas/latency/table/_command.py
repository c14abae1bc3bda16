"""The command that measures the rows a table lacks, for messages."""

from __future__ import annotations

import shlex

from hwnas.latency.device._device import Device
from hwnas.space import SearchSpace, precisions_named


def profile_command(device: Device, space: SearchSpace, precision: str) -> str:
    """The command that profiles a space on a device, at the input sizes of its domain."""
    conditions = f"--device {device.name} --threads {device.threads} --batch {device.batch}"
    if precision != "fp32":
        conditions += f" --precision {precision.replace('+', ',')}"
    return f"hwnas profile {conditions} {space_options(space)}"


def space_options(space: SearchSpace) -> str:
    """The options ``--space`` (without precisions: ``digits`` for ``digits-fp32+int8``) and, if the domain restricts input sizes,
    ``--fix``."""
    reference, _ = precisions_named(space.reference)
    return f"--space {shlex.quote(reference)}" + "".join(
        f" --fix {name}={','.join(map(str, values))}"
        for name, values in space.input_values.items()
        if len(values) < len(space.whole.input_values[name])
    )
