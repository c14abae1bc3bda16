"""What each alternative of a block costs: the columns of a library beside its score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwnas.metric import LATENCY, SIZE
from hwnas.study._space import restricted
from hwnas.study._table import find_table

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.latency import LatencyTable
    from hwnas.space import LayerSpec, SearchSpace
    from hwnas.study._found import Found

FLOAT_BYTES = 4

ALL = "all"
"""The choice of a layer that all subnets have."""

KV, PREFILL, MEMORY = "kv_bytes_per_token", "prefill_ms", "memory_bytes"

Cost = Callable[["LayerSpec"], float]


@dataclass(frozen=True)
class Lengths:
    """What latencies and memory are of.

    Attributes:
        prompt: tokens of the prompt that a prefill reads.
        context: tokens in the cache at the step of decoding that is timed; memory is of as many.
    """

    prompt: int
    context: int

    @classmethod
    def of(cls, space: SearchSpace, prompt: int | None, context: int | None) -> Lengths:
        """Those that are asked for, or the longest of the space's.

        Raises:
            SpaceError: they are no choices of the space.
        """
        found = cls(prompt or int(space.input_values["l"][-1]), context or int(space.input_values["p"][-1]))
        found.reading(space)
        found.writing(space)
        return found

    def reading(self, space: SearchSpace) -> SearchSpace:
        """The space of a prefill."""
        return restricted(space, [f"l={self.prompt}", "p=0"])

    def writing(self, space: SearchSpace) -> SearchSpace:
        """The space of a step of decoding."""
        return restricted(space, ["l=1", f"p={self.context}"])


def cache_bytes(layer: LayerSpec) -> float:
    """Bytes that a layer keeps of each token: its keys and values, in fp32."""
    kept = [spec.shape for name, spec in layer.writes.items() if name.startswith("present.")]
    return float(sum(FLOAT_BYTES * heads * size for heads, _, size in kept))


def weight_bytes(layer: LayerSpec) -> float:
    """Bytes of a layer's weights, in fp32."""
    return float(FLOAT_BYTES * layer.params)


def layer_costs(lengths: Lengths) -> dict[str, Cost]:
    """Costs by column that layers of one step of decoding tell by themselves."""

    def memory(layer: LayerSpec) -> float:
        return weight_bytes(layer) + lengths.context * cache_bytes(layer)

    return {
        "params": lambda layer: float(layer.params),
        "macs": lambda layer: float(layer.macs),
        SIZE.column: weight_bytes,
        KV: cache_bytes,
        MEMORY: memory,
    }


def timed(space: SearchSpace, lengths: Lengths, device: str, threads: int | None) -> Mapping[str, Found[LatencyTable]]:
    """Latency tables by column: of the whole prompt, and of one step of decoding.

    Where the device has none yet, it is profiled now.

    Raises:
        UnknownNameError, DeviceError, TableError: no such device, or none that can be timed.
    """
    parts = {PREFILL: lengths.reading(space), LATENCY.column: lengths.writing(space)}
    return {
        column: find_table(part, device, threads=threads, batch=None, precision="fp32")
        for column, part in parts.items()
    }


def table_cost(table: LatencyTable, space: SearchSpace) -> Cost:
    """Milliseconds of a layer, as a table that covers the space tells."""
    rows = table.layer_rows(space)
    return lambda layer: rows[layer.key].median_ms


def library_frame(
    space: SearchSpace, scores: Mapping[int, Mapping[int, float]], lengths: Lengths, tables: Mapping[str, LatencyTable]
) -> pd.DataFrame:
    """A library: a row per gene and choice, in the order of the network, and one for each layer that all subnets have.

    Args:
        space: of the model.
        scores: ``kl`` by gene and choice; the parent's own choice has none.
        lengths: what costs are of.
        tables: those of latency, by column.
    """
    import pandas as pd

    parts = {column: lengths.writing(space) for column in layer_costs(lengths)}
    costs = layer_costs(lengths)
    for column, table in tables.items():
        parts[column] = lengths.reading(space) if column == PREFILL else lengths.writing(space)
        costs[column] = table_cost(table, parts[column])
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for column, cost in costs.items():
        for slot in space.slots:
            own = next((gene for gene in slot.genes if gene not in space.input_genes), None)
            for setting, layer in parts[column].slot_layers(slot):
                choice = None if own is None else setting[slot.genes.index(own)]
                gene = None if own is None else space.genes[own]
                name = (slot.name, ALL) if gene is None or choice is None else (gene.name, str(gene.choices[choice]))
                kl = 0.0 if own is None or choice is None else scores.get(own, {}).get(choice, 0.0)
                row = rows.setdefault(name, {"kl": kl})
                row[column] = 0.0 if layer is None else cost(layer)
    rows["l", str(lengths.prompt)] = rows["p", "0"] = {}
    frame = pd.DataFrame([{"layer": layer, "choice": choice, **values} for (layer, choice), values in rows.items()])
    return frame.fillna(0.0)
