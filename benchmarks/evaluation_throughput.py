"""Whole evaluations per second: hwnas's engine against the evaluation loops of Once-for-All and transformers.

OMP_NUM_THREADS=2 python -m benchmarks.evaluation_throughput ofa_mbv3_w1.0 ofa_resnet50 texts memory
python -m benchmarks.evaluation_throughput ofa_mbv3_w1.0 ofa_resnet50 training --device cuda --images 2000 --batches 100 500

Images: Once-for-All's code (package ``ofa``), `set_running_statistics` and then `RunManager.validate`, in eager torch, with its
default batch size of 100 and with smaller ones, and a `DataLoader` with one process per core. Texts: a MiniLM of `transformers` in
eager torch, with batches padded to their longest text. Weights, JPEGs and texts are random. In a round every side evaluates one
subnet, in turns; figures are medians over rounds. They include decoding, which the others do every time, and hwnas once.
``memory`` evaluates 200 subnets of digits in one process, then a few subnets of a large network. ``training`` times steps of the
sandwich rule, in each of which four subnets learn from a batch; it has no other side.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from hwnas.supernet import Supernet, Trainer, TrainSettings, evaluate, get_engine, load_supernet, random_supernet
from hwnas.task import IMAGENET, ImageFolder, Sampling, Task
from tests.parity.upstream import active_subnet, import_ofa
from tests.parity.upstream import supernet as upstream_supernet

Row = NDArray[Any]
CLASSES, SIZE = 1000, 224


def processor_time() -> float:
    """Seconds of this process and of the loading processes that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


CLOCKS = {"wall": time.perf_counter, "processor": processor_time}


def compare(sides: Mapping[str, Callable[[Row], object]], rows: NDArray[Any], n: int, now: Callable[[], float]) -> None:
    """Print the samples per second of every side, and the speedup of the first side over it."""
    seconds = np.zeros((len(rows), len(sides)))
    for i, row in enumerate(rows):
        for j, run in list(enumerate(sides.values()))[:: -1 if i % 2 else 1]:
            started = now()
            run(row)
            seconds[i, j] = now() - started
        print(
            f"round {i + 1}:",
            ", ".join(f"{name} {s:.1f} s" for name, s in zip(sides, seconds[i], strict=True)),
            flush=True,
        )
    for j, name in enumerate(sides):
        faster = seconds[:, j] / seconds[:, 0]
        spread = f"{np.median(faster):6.2f} ({faster.min():.2f} .. {faster.max():.2f})"
        print(f"{name:<52}{np.median(n / seconds[:, j]):9.1f}{spread:>26}", flush=True)


ENGINES = {"cpu": ("onnxruntime",), "cuda": ("torch", "torch-bf16")}


def ours(net: Supernet, data: Callable[[], Task], engine: str) -> Callable[[Row], object]:
    opened = get_engine(engine)
    return lambda row: evaluate(net, row, data(), opened)


# --- images -------------------------------------------------------------------------------------


def write_images(folder: Path, n: int) -> None:
    """JPEGs of ImageNet's usual size in ``val/`` and ``train/``, in folders of all classes."""
    for split in ("val", "train"):
        for label in range(CLASSES):
            (folder / split / f"{label:04}").mkdir(parents=True)

    def write(split: str, i: int) -> None:
        rough = Image.fromarray(np.random.default_rng(i).integers(0, 256, (24, 32, 3), dtype=np.uint8))
        whole = rough.resize((500, 375), Image.Resampling.BICUBIC)
        whole.save(folder / split / f"{i % CLASSES:04}" / f"{i}.jpg", quality=90)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, ["val"] * n + ["train"] * n, [*range(n)] * 2))


class Files(Dataset[tuple[torch.Tensor, int]]):
    """The data of `ofa`'s providers, by hwnas's transforms, which give the same images without torchvision."""

    def __init__(self, files: list[Path], transform: Callable[..., Image.Image]) -> None:
        self.files, self.transform = files, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        with Image.open(self.files[i]) as image:
            pixels = np.asarray(self.transform(image.convert("RGB"), size=SIZE, seed=(0, i)))
        return IMAGENET.standardised([pixels])[0], int(self.files[i].parent.name)


def once_for_all(
    net: Supernet, space: str, folder: Path, batch: int, options: argparse.Namespace
) -> Callable[[Row], object]:
    """Extraction, calibration and validation of a subnet by the upstream code."""
    device = torch.device(options.device)
    manager_class = import_ofa("ofa.imagenet_classification.run_manager").RunManager
    calibration = import_ofa("ofa.imagenet_classification.elastic_nn.utils").set_running_statistics
    manager = object.__new__(manager_class)  # its constructor makes optimizers and reads ImageNet
    manager.device, manager.test_criterion = device, torch.nn.CrossEntropyLoss().to(device)
    theirs = upstream_supernet(space)
    validation, training = (sorted((folder / split).rglob("*.jpg")) for split in ("val", "train"))

    def loader(files: list[Path], transform: Callable[..., Image.Image]) -> Iterable[Any]:
        workers, pinned = torch.get_num_threads(), device.type == "cuda"
        return DataLoader(Files(files, transform), batch_size=batch, num_workers=workers, pin_memory=pinned)

    def run(row: Row) -> object:
        subnet = active_subnet(theirs, net.space.decode(row)).to(device)
        calibration(subnet, loader(training[: options.calibrate], IMAGENET.augmented))
        seen = loader(validation[: options.images], IMAGENET.centred)
        return manager.validate(net=subnet, data_loader=seen, no_logs=True)

    return run


def images(space: str, folder: Path, options: argparse.Namespace) -> None:
    net, sampling = random_supernet(space), Sampling(options.images, options.calibrate)
    if not (folder / "val").is_dir():
        write_images(folder, max(options.images, options.calibrate))
    opened = partial(ImageFolder, folder, CLASSES, sampling)
    kept = opened()
    rows = net.space.restrict(r=SIZE).sample(options.rounds + 1, np.random.default_rng(0))
    evaluate(net, rows[-1], kept)  # decodes
    sides = {f"ours, {engine}": ours(net, lambda: kept, engine) for engine in ENGINES[options.device]}
    sides["ours, images decoded again"] = ours(net, opened, ENGINES[options.device][0])
    for batch in options.batches:
        sides[f"Once-for-All, batches of {batch}"] = once_for_all(net, space, folder, batch, options)
    compare(sides, rows[:-1], options.images + options.calibrate, CLOCKS[options.clock])


# --- texts --------------------------------------------------------------------------------------


def random_minilm(folder: Path, words: Sequence[str]) -> Any:
    """A MiniLM (6 layers of 384) of transformers with random weights and 6 classes, also saved as a Hugging Face folder."""
    import transformers

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        num_hidden_layers=6,
        num_attention_heads=12,
        hidden_size=384,
        intermediate_size=1536,
        id2label={i: str(i) for i in range(6)},
        label2id={str(i): i for i in range(6)},
    )
    torch.manual_seed(0)
    net: Any = transformers.BertForSequenceClassification(config)
    net.eval()
    net.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    return net


def texts(folder: Path, options: argparse.Namespace) -> None:
    """A MiniLM with random weights; texts of 4 to 20 words."""
    import transformers

    words, device = [f"word{i}" for i in range(2000)], torch.device(options.device)
    net = random_minilm(folder / "net", words).to(device)
    rng, n = np.random.default_rng(0), options.texts
    lines = [" ".join(rng.choice(words, size=rng.integers(4, 21))) for _ in range(n)]
    (folder / "data").mkdir()
    rows = "".join(f"{line},{i % 6}\n" for i, line in enumerate(lines))
    (folder / "data" / "validation.csv").write_text("text,label\n" + rows, encoding="utf-8")
    supernet = load_supernet(f"hf:{folder / 'net'}")
    data = supernet.open_data(folder / "data", Sampling(batch_size=100))
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder / "net")

    def theirs(batch: int, row: Row) -> float:  # noqa: ARG001 (the whole network)
        hits = 0
        with torch.inference_mode():
            for start in range(0, n, batch):
                part = lines[start : start + batch]
                inputs = tokenizer(part, padding=True, truncation=True, max_length=32, return_tensors="pt").to(device)
                answers = net(**inputs).logits.argmax(1).tolist()
                hits += sum(answer == (start + i) % 6 for i, answer in enumerate(answers))
        return float(hits / n)

    largest = np.array([len(gene.choices) - 1 for gene in supernet.space.genes], dtype=np.int16)
    (length,) = (i for i, gene in enumerate(supernet.space.genes) if gene.role == "input")
    largest[length] = supernet.space.genes[length].choices.index(32)
    sides = {f"ours, {engine}": ours(supernet, lambda: data, engine) for engine in ENGINES[options.device]}
    sides |= {f"transformers, batches of {batch}": partial(theirs, batch) for batch in options.batches}
    evaluate(supernet, largest, data)
    compare(sides, np.stack([largest] * options.rounds), n, CLOCKS[options.clock])


# --- training -----------------------------------------------------------------------------------


def training(folder: Path, options: argparse.Namespace) -> None:
    """Images per second of training ``ofa_mbv3_w1.0`` by the sandwich rule, in each precision."""
    if not (folder / "val").is_dir():
        write_images(folder, max(options.images, options.calibrate))
    for precision in ("fp32", "bf16") if options.device == "cuda" else ("fp32",):
        net, batch = random_supernet("ofa_mbv3_w1.0"), 64
        data = ImageFolder(folder, CLASSES, Sampling(1, 64, batch))
        settings = TrainSettings(steps=options.steps, learning_rate=0.01, precision=precision)
        trainer = Trainer(net, data, settings, device=options.device)
        ended = np.zeros(options.steps + 1)

        def note(step: int, _loss: float, ended: NDArray[Any] = ended) -> None:
            ended[step] = time.perf_counter()

        trainer.run(note)
        seconds = np.diff(ended[1:])[2:]  # the first steps warm up
        rate = batch / np.median(seconds)
        spread = f"{np.median(seconds):.3f} s ({seconds.min():.3f} .. {seconds.max():.3f})"
        print(f"{options.device}, {precision}: {rate:.0f} images/s, four subnets each; a step {spread}", flush=True)


# --- memory -------------------------------------------------------------------------------------


def memory(n: int) -> None:
    """Resident memory while subnets of digits are evaluated, and then of a MobileNetV3 at 224 px, in batches of 100."""
    net = load_supernet("digits")
    data = net.data()
    assert data is not None
    engine = get_engine("onnxruntime")
    _resident("before")
    for i, row in enumerate(net.space.sample(n, np.random.default_rng(0)), start=1):
        evaluate(net, row, data, engine)
        if i % 20 == 0:
            _resident(f"after {i} subnets of digits")
    large = random_supernet("ofa_mbv3_w1.0")
    images = torch.randn(100, 3, SIZE, SIZE)
    _resident("before those of ofa_mbv3_w1.0")
    for i, row in enumerate(large.space.restrict(r=SIZE).sample(3, np.random.default_rng(0)), start=1):
        subnet = large.extract(row)
        engine.recalibrate(subnet, [images])
        engine.runner(subnet)(images)
        _resident(f"after {i} of ofa_mbv3_w1.0")


def _resident(when: str) -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    print(
        f"{when:<34} {pages * resource.getpagesize() / 2**20:6.0f} MiB (peak {peak:.0f}), {files} files open",
        flush=True,
    )


def main() -> None:
    """Print one table for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["ofa_mbv3_w1.0", "ofa_resnet50", "texts", "memory"])
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="processor: where others need the cores too")
    parser.add_argument("--device", choices=ENGINES, default="cpu")
    parser.add_argument("--steps", type=int, default=12, help="for training")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=250)
    parser.add_argument("--calibrate", type=int, default=100)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--subnets", type=int, default=200, help="for memory")
    parser.add_argument("--batches", type=int, nargs="*", default=[100, 25])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hwnas-benchmark-") as folder:
        for part in options.parts:
            print(f"\n{part}, {torch.get_num_threads()} threads{'samples/s':>40}{'ours is as fast':>26}", flush=True)
            if part == "memory":
                memory(options.subnets)
            elif part == "training":
                training(Path(folder) / "images", options)
            elif part == "texts":
                texts(Path(folder) / part, options)
            else:
                images(part, Path(folder) / "images", options)


if __name__ == "__main__":
    main()
