"""Block libraries of a small language model: assemblies on the front against simple ways of making it faster, at equal speed.

    python -m benchmarks.llm_blocks hf:FOLDER --root build/llm        # SmolLM2-135M: see docs/language_models.md

The text is Python's language reference (PSF licence) from ``pydoc``: blocks are scored on every other topic, and assemblies are
measured on the others. The library is the output of ``hwnas library build --sort --device cpu``; its latencies come from a table
of this machine, made by whole assemblies. Speeds are of onnxruntime with one thread: a decoding step after 512 tokens, and a
prompt of 128 tokens. Each network takes turns with its parent, and the ratio of their times is reported, which changes of the
machine's speed do not affect. Every part skips results that an earlier run has kept.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import onnxruntime as ort
import pandas as pd
import torch
from numpy.typing import NDArray

from hwnas.graph import network_model, random_feeds
from hwnas.io import Journal
from hwnas.search import exact_front
from hwnas.space import AdditiveCost, Network, Population, network_inputs
from hwnas.study._additivity import Additivity, corrected
from hwnas.study._build_library import build_library
from hwnas.study._check_library import check_library
from hwnas.study._divergence import divergences
from hwnas.study._lengths import Lengths
from hwnas.study._library_file import Library, read_library
from hwnas.study._model_on_text import ModelOnText
from hwnas.study._sorted_model import sorted_model
from hwnas.study._taught_model import taught_model
from hwnas.supernet import Subnet, folded_weights, forward, parent_row
from hwnas.task import Divergence, Parent, prompt

PROMPT, CONTEXT = 128, 512
SPEEDUPS = (1.25, 1.5, 2.0)
ROUNDS, BLOCK_S = 6, 0.3
PARTS = ("build", "additivity", "divergence", "compare", "precisions")
RANDOM, DRAWN = 2, 2000
"""Random assemblies at each speed: the slowest that are fast enough, of this many draws."""

STEPS = {"latency_ms": {"l": 1, "p": CONTEXT}, "prefill_ms": {"l": PROMPT, "p": 0}}


def write_texts(folder: Path) -> None:
    """Write both texts: topics in the order of their names, alternately."""
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(topics, key=str.lower)
    for split, part in {"train": names[0::2], "validation": names[1::2]}.items():
        (folder / f"{split}.txt").write_text("\n\n".join(topics[name].strip() for name in part))


class Run:
    """The benchmark of one model, with all files in one folder."""

    def __init__(self, model: str, root: Path, windows: int, measured: int, distil: int | None) -> None:
        self.root = root
        write_texts(root / "text")
        self.scored = sorted_model(ModelOnText(model, root / "text", windows), root / "sorted.safetensors")
        if distil is not None:
            self.scored = taught_model(self.scored, root / "taught.safetensors", distil)
        self.unseen = ModelOnText(self.scored.model, root / "text" / "validation.txt", measured)
        self.library = root / "library.csv"
        self._timed: tuple[str, Callable[[], object]] = "", lambda: None

    @cached_property
    def space(self) -> Any:
        return self.scored.net.space

    @property
    def parent(self) -> Population:
        return parent_row(self.space)

    def build(self, device: str) -> None:
        """Build the library, and print its run time and memory."""
        began = time.perf_counter()
        build_library(self.scored, self.library, Lengths(PROMPT, CONTEXT), device=device)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"library: {time.perf_counter() - began:.0f} s in this run, peak memory {peak:.2f} GiB")

    def additivity(self, models: int) -> None:
        """Print how well sums of scores predict the divergence of assemblies."""
        found = check_library(self.library, None, models, 0, self.root / "check.jsonl")
        found.frame.to_csv(self.root / "check.csv", index=False)
        print(f"additivity: {found.raw}\n  each corrected by all others: {found.corrected}")
        near = found.frame[found.frame["kl"] <= 0.5]
        additivity = Additivity.of(near["kl"].to_numpy(), near["kl_measured"].to_numpy())
        print(f"  of those with a sum up to 0.5 nats: {additivity}")

    # --- the clock -----------------------------------------------------------------------------

    def network(self, column: str, row: Population) -> Network:
        step = row.copy()
        for gene, value in STEPS[column].items():
            at = self.space.groups[gene][0]
            step[at] = self.space.genes[at].choices.index(value)
        found: Network = self.space.network(step)
        return found

    @cached_property
    def times(self) -> Journal:
        how = "weights all different, caches left where they are"
        return Journal(
            self.root / "times.jsonl", {"kind": "times", "space": self.space.fingerprint, "threads": 1, "how": how}
        )

    def ratio(self, column: str, row: Population, precision: str = "fp32") -> float:
        """Time of an assembly over the parent's in fp32, timed in turns."""
        what = {"column": column, "arch": self.space.decode(row), "precision": precision}
        for entry in self.times.entries:
            if what.items() <= entry.items():
                return float(entry["ratio"])
        own, parent = self._runner(column, row, precision), self._whole(column)
        pairs = []
        before = _block_s(parent)
        for _ in range(ROUNDS):
            mine, after = _block_s(own), _block_s(parent)
            pairs.append((mine / ((before + after) / 2), 1e3 * after))
            before = after
        ratio, parent_ms = np.median(np.array(pairs), axis=0).tolist()
        self.times.append({**what, "ratio": ratio, "parent_ms": parent_ms})
        return float(ratio)

    def _whole(self, column: str) -> Callable[[], object]:
        if self._timed[0] != column:
            self._timed = "", lambda: None
            self._timed = column, self._runner(column, self.parent, "fp32")
        return self._timed[1]

    def parent_ms(self, column: str) -> float:
        return float(np.median([entry["parent_ms"] for entry in self.times.entries if entry["column"] == column]))

    def _runner(self, column: str, row: Population, precision: str) -> Callable[[], object]:
        network = self.network(column, row)
        session = _session(network_model(network, precision=precision).content)
        bound = session.io_binding()
        for name, value in random_feeds(network, 1).items():
            bound.bind_cpu_input(name, value)
        for value in session.get_outputs():
            bound.bind_output(value.name)
        return lambda: session.run_with_iobinding(bound)

    def in_precisions(self, precisions: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
        """Compare exported files of the parent and the front, in other precisions, with the parent in fp32."""
        compared = pd.read_csv(self.root / "compared.csv")
        rows = []
        for _, fp32 in compared[compared["way"].isin(["parent", "front"])].iterrows():
            row = self.space.encode(json.loads(fp32["arch"]))
            for precision in precisions:
                found = _measures(self._divergence_of_file(row, precision)) | self._speeds(row, columns, precision)
                way = f"{fp32['way']} in {precision}"
                rows.append({"speedup": fp32["speedup"], "way": way, **found, "arch": fp32["arch"]})
        frame = pd.DataFrame(rows)
        frame.to_csv(self.root / "precisions.csv", index=False)
        return frame

    def _divergence_of_file(self, row: Population, precision: str) -> Divergence:
        net, total = self.unseen.net, Divergence()
        network = self.network("prefill_ms", row)
        subnet = Subnet(network, net.weights(row), arch=self.space.decode(row), bn_eps=net.bn_eps)
        session = _session(network_model(network, precision=precision, weights=folded_weights(subnet)).content)
        with torch.no_grad():
            for ids, following in self.unseen.batches():
                parent = Parent(net.forward(self.parent, {"input_ids": ids}), following)
                feeds = {name: tensor.numpy() for name, tensor in prompt(network_inputs(network), ids).items()}
                total += parent(torch.from_numpy(session.run(["logits"], feeds)[0]))
        return total

    # --- simple ways ---------------------------------------------------------------------------

    def influence(self) -> NDArray[np.float64]:
        """``(layers,)`` 1 minus the cosine of each layer's input and output (ShortGPT, Men et al. 2024, arXiv:2403.03853)."""
        net, row = self.scored.net, self.parent
        network, totals, n = net.network(row), np.zeros(len(self.space.groups["a"])), 0
        weights = net.weights(row)
        with torch.no_grad():
            for ids, _ in self.scored.batches():
                kept: dict[str, torch.Tensor] = {}
                fed = prompt(network_inputs(network), ids)
                x = forward(network[:1], weights, fed, kept=kept)
                for i in range(len(totals)):
                    y = forward(network[1 + 2 * i : 3 + 2 * i], weights, {**kept, "input": x}, kept=kept)
                    totals[i] += float((1 - torch.cosine_similarity(x, y, dim=-1)).sum())
                    x = y
                n += ids.numel()
        return totals / n

    def without_layers(self) -> Iterator[Population]:
        """The parent without its one, two, ... least important layers."""
        row = self.parent.copy()
        for layer in np.argsort(self.influence(), kind="stable"):
            for group in "af":
                row[self.space.groups[group][layer]] = 0
            yield row.copy()

    def uniform(self) -> Iterator[Population]:
        """The parent with fewer neurons, equally many in every layer."""
        for choice in range(len(self.space.genes[self.space.groups["f"][0]].choices) - 2, -1, -1):
            row = self.parent.copy()
            row[self.space.groups["f"]] = choice
            yield row

    def _drawn(self, share: float, rng: np.random.Generator) -> Population:
        row = self.parent.copy()
        for column, domain in enumerate(self.space.domain):
            if column not in self.space.input_genes and rng.random() < share:
                row[column] = rng.choice(domain)
        return row

    # --- the comparison ------------------------------------------------------------------------

    def chosen(self) -> list[tuple[float, str, Population]]:
        """The assemblies to compare: speed-up, way, row."""
        library = read_library(self.library)
        ms = library.costs["latency_ms"]
        whole = float(ms(self.in_library(self.parent)[None])[0])
        score = self.corrected(library) if (self.root / "check.csv").exists() else library.costs["kl"]
        found: list[tuple[float, str, Population]] = []
        rng = np.random.default_rng(1)
        for speedup in SPEEDUPS:
            budget = whole / speedup

            def fast(rows: Iterator[Population], budget: float = budget) -> Population | None:
                return next((row for row in rows if ms(self.in_library(row)[None])[0] <= budget), None)

            rivals = {"whole layers": fast(self.without_layers()), "uniform FFN": fast(self.uniform())}
            ways = {"front": exact_front(library.space, [score], [(ms, budget)])[0], **rivals}
            for name, row in rivals.items():  # they come in steps, so some are faster than required
                if row is not None:
                    as_fast = [(ms, float(ms(self.in_library(row)[None])[0]))]
                    ways[f"front, as fast as {name}"] = exact_front(library.space, [score], as_fast)[0]
            found += [(speedup, way, row) for way, row in ways.items() if row is not None]
            drawn = np.stack([self._drawn(rng.uniform(0.1, 1.0), rng) for _ in range(DRAWN)])
            slower = np.argsort(-ms(np.stack([self.in_library(row) for row in drawn])), kind="stable")
            within = [i for i in slower if ms(self.in_library(drawn[i])[None])[0] <= budget]
            found += [(speedup, "random", drawn[i]) for i in within[:RANDOM]]
        return found

    def corrected(self, library: Library) -> AdditiveCost:
        """Scores corrected by the assemblies of `additivity`."""
        checked = pd.read_csv(self.root / "check.csv")
        x = library.space.encode_many([json.loads(arch) for arch in checked["arch"]])
        return corrected(library.costs["kl"], x, checked["kl_measured"].to_numpy())[0]

    def in_library(self, row: Population) -> Population:
        """The row with the input lengths of the library."""
        found = row.copy()
        for gene, value in STEPS["prefill_ms"].items():
            at = self.space.groups[gene][0]
            found[at] = self.space.genes[at].choices.index(value)
        return found

    def compare(self, columns: Sequence[str]) -> pd.DataFrame:
        """Divergence on text that was not used for scoring, and the measured and predicted speedup of each of ``columns``."""
        library = read_library(self.library)
        chosen = [(0.0, "parent", self.parent), *self.chosen()]
        found = divergences(self.unseen, [row for *_, row in chosen], self.root / "told.jsonl", title="measuring")
        rows = []
        for (speedup, way, row), each in zip(chosen, found, strict=True):
            x = np.stack([self.in_library(self.parent), self.in_library(row)])
            predicted = {column: library.costs[column](x) for column in columns if column in library.costs}
            sums = {f"{column}_predicted": float(parent / own) for column, (parent, own) in predicted.items()}
            speeds = self._speeds(row, columns)
            rows.append(
                {
                    "speedup": speedup,
                    "way": way,
                    **_measures(each),
                    **speeds,
                    **sums,
                    "arch": json.dumps(self.space.decode(row)),
                }
            )
        frame = pd.DataFrame(rows)
        frame.to_csv(self.root / "compared.csv", index=False)
        return frame

    def _speeds(self, row: Population, columns: Sequence[str], precision: str = "fp32") -> dict[str, float]:
        """Speedup over the parent in fp32, and tokens per second."""
        found = {}
        for column in columns:
            ratio = self.ratio(column, row, precision)
            found[f"{column}_speedup"] = 1 / ratio
            found[f"tokens_per_s_{column[:-3]}"] = 1e3 * _tokens(column) / (ratio * self.parent_ms(column))
        return found


def _tokens(column: str) -> int:
    return PROMPT if column == "prefill_ms" else 1


def _session(content: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _show(frame: pd.DataFrame) -> None:
    print(frame.drop(columns="arch").groupby(["speedup", "way"], sort=False).median().round(4).to_string(), flush=True)


def _measures(found: Divergence) -> dict[str, float]:
    return {"kl": found.kl, "perplexity": found.perplexity, "agreement": found.agreement_pct}


def _block_s(run: Callable[[], object]) -> float:
    """Median CPU time of back-to-back runs, since others may use the CPU too; the first third of the time does not count."""
    began = time.process_time()
    taken: list[float] = []
    while time.process_time() - began < BLOCK_S or len(taken) < 2:
        start = time.process_time()
        run()
        if start - began > BLOCK_S / 3 or not taken:
            taken.append(time.process_time() - start)
    return float(np.median(taken))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help="hf:FOLDER")
    parser.add_argument("--root", type=Path, default=Path("build/llm_blocks"))
    parser.add_argument("--device", default="cpu", help="whose latencies the library has: cpu, or a table by its path")
    parser.add_argument("--windows", type=int, default=4, help="of 256 tokens, that blocks are scored on")
    parser.add_argument("--measured", type=int, default=8, help="windows that assemblies are measured on")
    parser.add_argument(
        "--distil", type=int, help="steps in which each alternative first learns from the parent's block"
    )
    parser.add_argument("--models", type=int, default=40, help="assemblies that additivity is checked on")
    parser.add_argument("--columns", nargs="+", choices=STEPS, default=[*STEPS], help="what is timed")
    parser.add_argument("--precisions", nargs="+", default=["int8", "int4"])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    run = Run(options.model, options.root, options.windows, options.measured, options.distil)
    if "build" in options.parts:
        run.build(options.device)
    if "additivity" in options.parts:
        run.additivity(options.models)
    if "divergence" in options.parts:
        _show(run.compare(columns=()))
    if "compare" in options.parts:
        _show(run.compare(options.columns))
    if "precisions" in options.parts:
        _show(run.in_precisions(options.precisions, options.columns))


if __name__ == "__main__":
    main()
