"""What each alternative of a block costs: the columns of a library beside its score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from hwnas.errors import TableError
from hwnas.metric import LATENCY, SIZE
from hwnas.study._lengths import Lengths
from hwnas.study._table import find_table

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.latency import LatencyTable
    from hwnas.space import LayerSpec, SearchSpace, Slot
    from hwnas.study._found import Found

FLOAT_BYTES = 4
"""Of a number of the cache, whatever weights are in."""

ALL = "all"
"""The choice of a layer that all subnets have."""

N_VALIDATION = 12
"""Assemblies that check a latency table of a language model."""

KV, PREFILL, MEMORY = "kv_bytes_per_token", "prefill_ms", "memory_bytes"

Cost = Callable[["LayerSpec"], float]


def cache_bytes(layer: LayerSpec) -> float:
    """Bytes that a layer keeps of each token: its keys and values, in fp32."""
    kept = [spec.shape for name, spec in layer.writes.items() if name.startswith("present.")]
    return float(sum(FLOAT_BYTES * heads * size for heads, _, size in kept))


def layer_costs(lengths: Lengths) -> dict[str, Cost]:
    """Costs by column that layers of one step of decoding tell by themselves."""
    from hwnas.graph import weight_bytes

    def size(layer: LayerSpec) -> float:
        return float(weight_bytes(layer))

    def memory(layer: LayerSpec) -> float:
        return size(layer) + lengths.context * cache_bytes(layer)

    return {
        "params": lambda layer: float(layer.params),
        "macs": lambda layer: float(layer.macs),
        SIZE.column: size,
        KV: cache_bytes,
        MEMORY: memory,
    }


def timed(
    space: SearchSpace, lengths: Lengths, device: str, threads: int | None, precision: str = "fp32"
) -> Mapping[str, Found[LatencyTable]]:
    """Latency tables by column: of the whole prompt, and of one step of decoding.

    Where the device has none yet, it is profiled now. A prompt is timed in one session a network: it computes for so
    long that it averages over the machine's speed. A step of decoding reads weights from memory, whose speed wanders by
    4 % from one session to the next: it is timed in several, as other networks are.

    Raises:
        UnknownNameError, DeviceError, TableError: no such device, or none that can be timed; or a table that was named and
            does not have these lengths, or not this machine's times.
    """
    from hwnas.latency import PROVIDERS, Plan, renewal

    parts = {PREFILL: lengths.reading(space), LATENCY.column: lengths.writing(space)}
    plan = Plan(n_validation=N_VALIDATION)
    plans = {PREFILL: replace(plan, sessions=1), LATENCY.column: plan}
    named, here = device.partition(":")[0] not in PROVIDERS, "pass --device cpu, which profiles this machine"
    try:
        found = {
            column: find_table(part, device, threads=threads, batch=None, precision=precision, plan=plans[column])
            for column, part in parts.items()
        }
    except TableError as error:
        if not named:
            raise
        raise TableError(error.value, error.rule, f"{here}, or name another table") from None
    for column, part in parts.items():  # what a table of another machine lacks is told before blocks are scored
        table = found[column].it
        try:
            table.cost(part)
        except TableError as error:
            if not named:
                raise
            there = f"measure them there: {renewal(table, part)}" if table.device.provider else "name another table"
            raise TableError(error.value, error.rule, f"{here}, or {there}") from None
    return found


def table_cost(table: LatencyTable, space: SearchSpace) -> Cost:
    """Milliseconds of a layer, as a table that covers the space tells."""
    rows = table.layer_rows(space)
    return lambda layer: rows[layer.key].median_ms


def library_frame(
    space: SearchSpace, scores: Mapping[bytes, float], lengths: Lengths, tables: Mapping[str, LatencyTable]
) -> pd.DataFrame:
    """A library: a row per gene, choice and precision, in the order of the network, and those of layers that all subnets have.

    Args:
        space: of the model, whose layers may have precisions of their own.
        scores: ``kl`` by the row of the model in which an alternative is alone; the parent's own has none.
        lengths: what costs are of.
        tables: those of latency, by column.
    """
    import pandas as pd

    writing, costs = lengths.writing(space), layer_costs(lengths)
    parts = dict.fromkeys(costs, writing)
    for column, table in tables.items():
        parts[column] = lengths.reading(space) if column == PREFILL else writing
        costs[column] = table_cost(table, parts[column])
    rows: dict[tuple[str, str, str], dict[str, float]] = {}
    left = dict(scores)  # of slots that are replaced together the first has the score
    for slot in space.slots:
        for setting, layer in writing.slot_layers(slot):
            rows[_named(space, slot, setting, layer)] = {"kl": left.pop(_alone(space, slot, setting), 0.0)}
        for column, cost in costs.items():
            for setting, layer in parts[column].slot_layers(slot):
                rows[_named(space, slot, setting, layer)][column] = 0.0 if layer is None else cost(layer)
    rows["l", str(lengths.choice(space)), ""] = rows["p", "0", ""] = {}
    names = ("layer", "choice", "precision")
    frame = pd.DataFrame([{**dict(zip(names, key, strict=True)), **values} for key, values in rows.items()])
    return frame.fillna(0.0) if space.precisions else frame.fillna(0.0).drop(columns="precision")


def _named(space: SearchSpace, slot: Slot, setting: tuple[int, ...], layer: LayerSpec | None) -> tuple[str, str, str]:
    """Layer, choice and precision of a slot's layer, as a library writes them."""
    precision = (layer.precision or "") if layer is not None else ""
    for column, choice in zip(slot.genes, setting, strict=True):
        gene = space.genes[column]
        if gene.role == "layer":
            return gene.name, str(gene.choices[choice]), precision
    return slot.name, ALL, precision


def _alone(space: SearchSpace, slot: Slot, setting: tuple[int, ...]) -> bytes:
    """The model in which a slot alone is as a setting says."""
    from hwnas.supernet import parent_row

    row = parent_row(space)
    own = [column for column in slot.genes if column not in space.input_genes]
    row[own] = [choice for column, choice in zip(slot.genes, setting, strict=True) if column in own]
    return row.tobytes()
