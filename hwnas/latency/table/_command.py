"""The command that would measure what a table lacks, for messages."""

from __future__ import annotations

import shlex

from hwnas.latency.device._device import Device
from hwnas.space import SearchSpace, precisions_named


def profile_command(device: Device, space: SearchSpace, precision: str) -> str:
    """The command that profiles a space on a device; of ``digits-fp32+int8`` it names the parts."""
    reference, _ = precisions_named(space.reference) or (space.reference, ())
    conditions = f"--device {device.name} --threads {device.threads} --batch {device.batch}"
    if precision != "fp32":
        conditions += f" --precision {precision.replace('+', ',')}"
    return f"hwnas profile {conditions} --space {shlex.quote(reference)}"


def fixed_resolutions(space: SearchSpace) -> str:
    """The ``--fix`` that states the resolutions of the domain, if it is restricted."""
    return "".join(
        f" --fix {name}={','.join(map(str, values))}"
        for name, values in space.input_values.items()
        if len(values) < len(space.whole.input_values[name])
    )
