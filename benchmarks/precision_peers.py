"""Quantisation of a text encoder by other packages, compared with `hwnas export`.

    python -m benchmarks.precision_peers prepare --supernet plain.safetensors --data trec/data --test trec/test --keep peers
    PEER/bin/python benchmarks/precision_peers.py quantise --keep peers          # in each environment that has a peer
    python -m benchmarks.precision_peers time --keep peers

``prepare`` writes the largest subnet in fp32 and int8, the same weights with Hugging Face's names, and the texts for peers
(``shown.npz``): for calibration, for the search, on which a peer may lose ``--drop`` points, and for the test. ``quantise`` runs
the peers that are installed, and lists the others; it does not need hwnas. ``time`` times all files in turns with plain
onnxruntime, and prints a table. Peers need separate environments, because they require other versions than hwnas:

    neural-compressor==2.6 six onnx==1.16.2 onnxruntime==1.20.1        (2.6 is the last with ONNX)
    nvidia-modelopt[onnx]==0.47.0 requests transformers torch==2.13.0
    nncf==3.4.0 onnx onnxruntime torch==2.13.0
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Pair = tuple[dict[str, Any], Any]
"""Inputs by name, and labels, of a batch."""

OURS = ("fp32", "int8")
SETTINGS = "bert.json"
"""Not ``config.json``, because neural-compressor would then treat the folder as a ``transformers`` model."""


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("part", choices=("prepare", "quantise", "time"))
    parser.add_argument("--supernet", default="plain.safetensors")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--calibrate", type=int, default=300)
    parser.add_argument("--drop", type=float, default=1.0, help="points of accuracy that may be lost")
    parser.add_argument("--only", action="append", help="a peer of those installed; again for others")
    parser.add_argument("--keep", type=Path, default=Path("precision_peers"))
    options = parser.parse_args()
    {"prepare": prepare, "quantise": quantise, "time": report}[options.part](options)


# --- data for peers ---------------------------------------------------------------------------


def prepare(options: argparse.Namespace) -> None:
    """Write the network in hwnas's precisions and with Hugging Face's names, and batches of texts as arrays."""
    from safetensors.torch import save_file

    from hwnas.space import macs_cost
    from hwnas.study import Evaluation  # hwnas is not installed beside peers
    from hwnas.supernet import export_onnx

    options.keep.mkdir(parents=True, exist_ok=True)
    asked = {
        split: Evaluation(options.supernet, data=folder, calibrate=options.calibrate)
        for split, folder in (("search", options.data), ("test", options.test))
    }
    net: Any = asked["search"].net
    whole = net.extract(macs_cost(net.space).maximum()[1])
    data = {split: each.samples(net)[0] for split, each in asked.items()}
    shown: dict[str, Iterable[Any]] = {split: each.validation(whole.inputs) for split, each in data.items()}
    calibration: list[Any] = list(data["search"].calibration(whole.inputs))
    shown["calibration"] = ((each, each["attention_mask"].sum(1)) for each in calibration)
    arrays = {
        f"{split} {i} {name}": values.numpy()
        for split, batches in shown.items()
        for i, (inputs, labels) in enumerate(batches)
        for name, values in {**inputs, "labels": labels}.items()
    }
    np.savez_compressed(options.keep / "shown.npz", **arrays)
    save_file(dict(_under_their_names(net)), options.keep / "original.safetensors")
    (options.keep / SETTINGS).write_text(json.dumps(dict(net.carried.settings)))
    for precision in OURS:

        def exported(path: Path, precision: str = precision) -> None:
            export_onnx(whole, path, precision=precision, batches=lambda: calibration)

        _record(f"hwnas, {precision}", exported, options.keep)


def _under_their_names(net: Any) -> Iterator[tuple[str, Any]]:
    """Tensors by ``transformers``' names; the classifier keeps hwnas's name."""
    for name, values in net.tensors.items():
        op, _, part = name.rpartition(".")
        slot = op.partition("/")[0]
        layer = slot.partition(".")[2]
        known = op if op.startswith("head/") else net.family.names[op.replace(slot, "layer.{i}") if layer else op]
        yield f"{known.replace('{i}', layer)}.{part}", values.contiguous()


def _shown(keep: Path, split: str) -> list[Pair]:
    """Batches, cut to their longest text."""
    found = np.load(keep / "shown.npz")
    pairs = []
    for i in sorted({int(name.split()[1]) for name in found.files if name.startswith(f"{split} ")}):
        named = {n.split()[2]: found[n] for n in found.files if n.startswith(f"{split} {i} ")}
        labels = named.pop("labels")
        longest = int(named["attention_mask"].sum(1).max())
        pairs.append(({name: values[:, :longest] for name, values in named.items()}, labels))
    return pairs


# --- peers ------------------------------------------------------------------------------------


def quantise(options: argparse.Namespace) -> None:
    """Run every peer that is installed."""
    for name, (package, write) in PEERS.items():
        if importlib.util.find_spec(package) is None:
            print(f"{name}: {package} is not installed here")
        elif not options.only or name in options.only:
            _record(name, partial(write, options.keep, options.drop / 100), options.keep)


def by_nncf(keep: Path, drop: float, path: Path) -> None:
    """Static int8; the layers that lose most return to fp32 until the accuracy holds."""
    import onnx

    nncf: Any = importlib.import_module("nncf")
    calibration = _shown(keep, "calibration")
    model = nncf.quantize_with_accuracy_control(
        onnx.load(_original(keep)),
        nncf.Dataset(calibration, lambda pair: pair[0]),
        nncf.Dataset(_shown(keep, "search")),
        lambda model, pairs: (accuracy(model.SerializeToString(), pairs), None),
        max_drop=drop,
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(calibration),
    )
    onnx.save(model, path)


def by_neural_compressor(keep: Path, drop: float, path: Path, *, approach: str) -> None:
    """Accuracy-driven tuning. Static int8 uses QDQ, because onnxruntime refuses a sum (``QLinearAdd``) in its default format."""
    quantization: Any = importlib.import_module("neural_compressor.quantization")
    config: Any = importlib.import_module("neural_compressor.config")

    class Loader(list[Pair]):
        batch_size = 1

    calibration = Loader(_shown(keep, "calibration"))
    settings = config.PostTrainingQuantConfig(
        approach=approach,
        quant_format="QDQ" if approach == "static" else "default",
        accuracy_criterion=config.AccuracyCriterion(criterion="absolute", tolerable_loss=drop),
        calibration_sampling_size=[len(calibration)],
    )
    search = _shown(keep, "search")
    model = quantization.fit(
        str(_original(keep)),
        settings,
        calib_dataloader=calibration,
        eval_func=lambda model: accuracy(model.SerializeToString(), search),
    )
    model.save(str(path))


def by_modelopt(keep: Path, _drop: float, path: Path) -> None:
    """Static int8 of the ONNX file, which has no bound on the loss of accuracy."""
    quantization: Any = importlib.import_module("modelopt.onnx.quantization")
    calibration = _shown(keep, "calibration")
    reader: Any = importlib.import_module("onnxruntime.quantization").CalibrationDataReader

    class Reader(reader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rewind()

        def get_next(self) -> Any:
            return next(self.left, None)

        def get_first(self) -> Any:
            return calibration[0][0]

        def rewind(self) -> None:
            self.left = iter([inputs for inputs, _ in calibration])

    shutil.copyfile(_original(keep), path)  # it writes to its input
    quantization.quantize(
        str(path),
        calibration_data_reader=Reader(),
        calibration_eps=["cpu"],
        high_precision_dtype="fp32",
        mha_accumulation_dtype="fp32",
        output_path=str(path),
    )


def by_auto_quantize(keep: Path, drop: float, path: Path) -> None:
    """The fewest bits per weight at which the accuracy in torch holds, by gradients on the texts of the search."""
    import torch

    mtq: Any = importlib.import_module("modelopt.torch.quantization")
    search = [
        ({name: torch.from_numpy(values) for name, values in inputs.items()}, torch.from_numpy(labels))
        for inputs, labels in _shown(keep, "search")
    ]

    def right(net: Any) -> float:
        with torch.inference_mode():
            return float(torch.cat([net(**inputs).argmax(1) == labels for inputs, labels in search]).double().mean())

    least = right(_torch_original(keep)) - drop
    for bits in (8, 10, 12, 14):
        net, _ = mtq.auto_quantize(
            _torch_original(keep),
            constraints={"effective_bits": float(bits)},
            quantization_formats=["INT8_DEFAULT_CFG"],
            data_loader=search,
            forward_step=lambda net, pair: net(**pair[0]),
            loss_func=lambda logits, pair: torch.nn.functional.cross_entropy(logits, pair[1]),
            num_calib_steps=len(search),
            num_score_steps=len(search),
        )
        if right(net.eval()) >= least:
            break
    inputs = search[0][0]
    torch.onnx.export(
        net,
        tuple(inputs.values()),
        path,
        input_names=list(inputs),
        output_names=["logits"],
        dynamic_axes={name: {0: "N", 1: "length"} for name in inputs},
        opset_version=17,
        dynamo=False,  # torch.export stops at its quantisers: "Could not guard on data-dependent expression"
    )


def _torch_original(keep: Path) -> Any:
    """The network in ``transformers``, with a classifier on the mean of tokens."""
    import torch
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    tensors = load_file(keep / "original.safetensors")
    head = {name.rpartition(".")[2]: tensors.pop(name) for name in list(tensors) if name.startswith("head/")}

    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            config = BertConfig.from_json_file(keep / SETTINGS)
            config._attn_implementation = "eager"
            self.body = BertModel(config, add_pooling_layer=False)
            self.classifier = torch.nn.Linear(head["weight"].shape[1], len(head["weight"]))

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            tokens = self.body(input_ids, attention_mask, token_type_ids).last_hidden_state
            seen = attention_mask[:, :, None].to(tokens.dtype)
            return self.classifier((tokens * seen).sum(1) / seen.sum(1))

    net = Classifier()
    net.body.load_state_dict(tensors)
    net.classifier.load_state_dict(head)
    return net.eval()


PEERS: dict[str, tuple[str, Callable[..., None]]] = {
    "nncf": ("nncf", by_nncf),
    "neural-compressor, static": ("neural_compressor", partial(by_neural_compressor, approach="static")),
    "neural-compressor, dynamic": ("neural_compressor", partial(by_neural_compressor, approach="dynamic")),
    "modelopt, ONNX": ("modelopt", by_modelopt),
    "modelopt, AutoQuantize": ("modelopt", by_auto_quantize),
}
"""By name: the package, and the function that writes a file."""


# --- results ----------------------------------------------------------------------------------


def _record(name: str, write: Callable[[Path], None], keep: Path) -> None:
    """Write a file and its row: accuracies in percent, bytes, CPU seconds."""
    import onnx

    path = keep / f"{name.replace(', ', '-')}.onnx"
    begun = time.process_time()
    write(path)
    spent_s = time.process_time() - begun
    model = onnx.load(path)
    metadata = onnx.load(_original(keep)).metadata_props  # the length at which files are timed
    onnx.helper.set_model_props(model, {entry.key: entry.value for entry in metadata})
    onnx.save(model, path)
    row = {
        "file": path.name,
        **{split: 100 * accuracy(str(path), _shown(keep, split)) for split in ("search", "test")},
        "size_bytes": path.stat().st_size,
        "cpu_s": spent_s,
    }
    print(f"{name}: {row}")
    rows = keep / "rows.json"
    rows.write_text(json.dumps((json.loads(rows.read_text()) if rows.exists() else {}) | {name: row}))


def accuracy(model: str | bytes, pairs: Iterable[Pair]) -> float:
    """Share of correct answers, by onnxruntime."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return float(np.concatenate([session.run(None, inputs)[0].argmax(1) == labels for inputs, labels in pairs]).mean())


def report(options: argparse.Namespace) -> None:
    """Print a Markdown table with one row per file, and times as shares of the original's in fp32."""
    from benchmarks.precision_policy import time_files

    rows = json.loads((options.keep / "rows.json").read_text())
    original = _original(options.keep)
    ms = time_files([options.keep / row["file"] for row in rows.values()], original)
    print(f"{original.name} takes {ms[original.name]:.2f} ms\n")
    print("| | time | accuracy, % | by the texts of the search | MB | processor, s |\n|---|---|---|---|---|---|")
    for name, row in rows.items():
        share = ms[row["file"]] / ms[original.name]
        accuracies = f"{row['test']:.1f} | {row['search']:.1f}"
        print(f"| {name} | {share:.3f} | {accuracies} | {row['size_bytes'] / 1e6:.1f} | {row['cpu_s']:.0f} |")
    for name in PEERS.keys() - rows.keys():
        print(f"{name}: not run")


def _original(keep: Path) -> Path:
    return keep / "hwnas-fp32.onnx"


if __name__ == "__main__":
    main()
