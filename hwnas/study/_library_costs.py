"""Costs of the alternatives of a block: the columns of a library beside its score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from hwnas.errors import TableError
from hwnas.metric import LATENCY, SIZE
from hwnas.study._lengths import Lengths
from hwnas.study._run_conditions import RunConditions
from hwnas.study._table import find_table

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.latency import LatencyTable
    from hwnas.space import LayerSpec, SearchSpace, Slot
    from hwnas.study._found import Found

FLOAT_BYTES = 4
"""Bytes of a number in the cache, whatever the precision of weights."""

ALL = "all"
"""The choice of a layer that all subnets have."""

N_VALIDATION = 12
"""Assemblies that validate a latency table of a language model."""

KV, PREFILL, MEMORY = "kv_bytes_per_token", "prefill_ms", "memory_bytes"

Cost = Callable[["LayerSpec"], float]


def cache_bytes(layer: LayerSpec) -> float:
    """Bytes of a layer's keys and values per token, in fp32."""
    kept = [spec.shape for name, spec in layer.writes.items() if name.startswith("present.")]
    return float(sum(FLOAT_BYTES * heads * size for heads, _, size in kept))


def layer_costs(lengths: Lengths) -> dict[str, Cost]:
    """Costs by column that are computed from a layer of one decoding step."""
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


def library_tables(
    space: SearchSpace, lengths: Lengths, device: str, conditions: RunConditions
) -> Mapping[str, Found[LatencyTable]]:
    """Latency tables by column: one of reading the prompt, one of a decoding step.

    A device without tables is profiled now. A prompt is timed in one session per network: it runs long enough to average
    over the machine's speed. A decoding step reads weights from memory, whose speed varies by 4 % between sessions, so it
    is timed in several, like other networks.

    Raises:
        UnknownNameError, DeviceError: there is no such device, or it cannot be timed.
        TableError: a named table lacks these lengths, or is not of this machine.
    """
    from hwnas.latency import Plan, is_provider, renewal

    parts = {PREFILL: lengths.reading(space), LATENCY.column: lengths.writing(space)}
    plan = Plan(n_validation=N_VALIDATION)
    plans = {PREFILL: replace(plan, sessions=1), LATENCY.column: plan}
    named, here = not is_provider(device), "pass --device cpu, which profiles this machine"
    try:
        found = {column: find_table(part, device, conditions, plan=plans[column]) for column, part in parts.items()}
    except TableError as error:
        if not named:
            raise
        raise TableError(error.value, error.rule, f"{here}, or name another table") from None
    for column, part in parts.items():  # a table of another machine may lack layers: refuse it before blocks are scored
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
    """The cost function of latency in ms, by a table that covers the space."""
    rows = table.layer_rows(space)
    return lambda layer: rows[layer.key].median_ms


def library_frame(
    space: SearchSpace, scores: Mapping[bytes, float], lengths: Lengths, tables: Mapping[str, LatencyTable]
) -> pd.DataFrame:
    """A library: one row per layer, choice and precision, in the order of the network.

    Args:
        space: space of the model, whose layers may have their own precisions.
        scores: ``kl`` by the row with a single alternative in place; the parent's own blocks have none.
        lengths: lengths of the costs.
        tables: latency tables by column.
    """
    import pandas as pd

    writing, costs = lengths.writing(space), layer_costs(lengths)
    parts = dict.fromkeys(costs, writing)
    for column, table in tables.items():
        parts[column] = lengths.reading(space) if column == PREFILL else writing
        costs[column] = table_cost(table, parts[column])
    rows: dict[tuple[str, str, str], dict[str, float]] = {}
    left = dict(scores)  # if slots are replaced together, the first has the score
    for slot in space.slots:
        for setting, layer in writing.slot_layers(slot):
            rows[_named(space, slot, setting, layer)] = {"kl": left.pop(_row_with(space, slot, setting), 0.0)}
        for column, cost in costs.items():
            for setting, layer in parts[column].slot_layers(slot):
                rows[_named(space, slot, setting, layer)][column] = 0.0 if layer is None else cost(layer)
    rows["l", str(lengths.choice(space)), ""] = rows["p", "0", ""] = {}
    names = ("layer", "choice", "precision")
    frame = pd.DataFrame([{**dict(zip(names, key, strict=True)), **values} for key, values in rows.items()])
    return frame.fillna(0.0) if space.precisions else frame.fillna(0.0).drop(columns="precision")


def _named(space: SearchSpace, slot: Slot, setting: tuple[int, ...], layer: LayerSpec | None) -> tuple[str, str, str]:
    """Layer, choice and precision of a slot's layer in a library."""
    precision = (layer.precision or "") if layer is not None else ""
    for column, choice in zip(slot.genes, setting, strict=True):
        gene = space.genes[column]
        if gene.role == "layer":
            return gene.name, str(gene.choices[choice]), precision
    return slot.name, ALL, precision


def _row_with(space: SearchSpace, slot: Slot, setting: tuple[int, ...]) -> bytes:
    """The parent's row with one slot changed to a setting, as bytes."""
    from hwnas.supernet import parent_row

    row = parent_row(space)
    own = [column for column in slot.genes if column not in space.input_genes]
    row[own] = [choice for column, choice in zip(slot.genes, setting, strict=True) if column in own]
    return row.tobytes()
