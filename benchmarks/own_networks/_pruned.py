"""The baseline without a supernet: L1 filter pruning by ``torch-pruning``, then fine-tuning."""

from __future__ import annotations

from benchmarks.own_networks._run import Run
from benchmarks.own_networks._subnets import measured_alone
from benchmarks.own_networks._tasks import PIXELS, export, lite0, lite0_module
from hwnas.supernet import extremes

RATIOS = (0.2, 0.4, 0.6)
"""Shares of every layer's filters that are pruned."""


def pruned(run: Run) -> None:
    """Prune the pretrained network, then read it from ONNX and fine-tune it with the same trainer as the others."""
    if run.task.network is not lite0:
        return
    import torch
    import torch_pruning  # needed by this part alone

    for ratio in RATIOS:
        name = f"pruned-{ratio:g}"
        file = run.shared / f"{name}.onnx"
        if not file.exists():
            module = lite0_module()
            torch_pruning.pruner.MagnitudePruner(
                module,
                torch.zeros(1, 3, PIXELS, PIXELS),
                importance=torch_pruning.importance.MagnitudeImportance(p=1),
                pruning_ratio=ratio,
                round_to=8,  # other counts of channels are slower than the whole network in onnxruntime: 2.4 times at 0.2
                ignored_layers=[module._fc],
            ).step()
            export(module, file)
        net, data = run.opened(str(file))
        measured_alone(run, name, "pruned", net, data, extremes(net.space)[1])
