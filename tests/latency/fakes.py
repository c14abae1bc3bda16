"""A runtime in which time passes only when models run, at a cost per layer that is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import onnx

from hwnas.graph import Model
from hwnas.latency.timing._runtime import NodeTimes
from hwnas.space import Gene, LayerSpec, OpList, SearchSpace, Slot, conditional


@dataclass
class FakeRuntime:
    """A runtime that counts its runs.

    Attributes:
        costs: ns of each layer by key.
        speed: factor on every cost at a given number of runs: the machine's drift.
        cold: factors on a session's first runs after another session's: the caches hold the other's data.
        busy: ns that a run waits for a core, at a given number of runs.
        overhead_ns: what the profiler adds to every node.
        nodes: whether profiles show nodes by their names.
        stop_after: raise KeyboardInterrupt once so many runs are done.
        strays: operators that run on another provider.
    """

    costs: Mapping[str, int]
    speed: Callable[[int], float] = lambda _: 1.0
    cold: Sequence[float] = ()
    busy: Callable[[int], int] = lambda _: 0
    overhead_ns: int = 4_000
    nodes: bool = True
    stop_after: int | None = None
    strays: Mapping[str, int] = field(default_factory=dict)
    now: int = 0
    waited: int = 0
    runs: int = 0
    opened: list[Model] = field(default_factory=list)
    last: FakeSession | None = None
    in_a_row: int = 0

    def clock(self) -> int:
        return self.now

    def waiting(self) -> int:
        return self.waited

    def session(self, model: Model) -> FakeSession:
        self.opened.append(model)
        return FakeSession(self, layers_of(model))

    def profiled(self, model: Model) -> FakeProfiledSession:
        return FakeProfiledSession(self, layers_of(model))

    def elsewhere(self, _: Model) -> dict[str, int]:
        return dict(self.strays)

    def pay(self, session: FakeSession, extra_ns: int = 0) -> float:
        """Let the time of one run pass; returns by how much slower the machine was."""
        self.runs += 1
        if self.stop_after is not None and self.runs > self.stop_after:
            raise KeyboardInterrupt
        self.in_a_row = self.in_a_row + 1 if session is self.last else 0
        self.last = session
        slower = self.speed(self.runs) * (self.cold[self.in_a_row] if self.in_a_row < len(self.cold) else 1.0)
        late = self.busy(self.runs)
        self.waited += late
        self.now += round((sum(self.costs[key] for _, key in session.layers) + extra_ns) * slower) + late
        return slower


def layers_of(model: Model) -> list[tuple[str, str]]:
    """Slots and layer keys, as the model tells."""
    told = {entry.key: entry.value for entry in onnx.load_model_from_string(model.content).metadata_props}
    return [(slot, key) for slot, key in json.loads(told["layers"])]


@dataclass(eq=False)
class FakeSession:
    runtime: FakeRuntime
    layers: list[tuple[str, str]]

    def run(self) -> None:
        self.runtime.pay(self)


@dataclass(eq=False)
class FakeProfiledSession(FakeSession):
    recorded: list[NodeTimes] = field(default_factory=list)

    def run(self) -> None:
        added = self.runtime.overhead_ns
        slower = self.runtime.pay(self, 2 * len(self.layers) * added)
        run: NodeTimes = []
        for slot, key in self.layers:
            cost = self.runtime.costs[key]
            # A third is spent in a reorder without a name.
            for name, share in (("ReorderInput_token_7", 1 / 3), (f"{slot}/expand_nchwc", 2 / 3)):
                run.append((name, (cost * share + added) * slower / 1e3))
        self.recorded.append(run if self.runtime.nodes else [("whole_graph", sum(t for _, t in run))])

    def finish(self) -> list[NodeTimes]:
        return self.recorded


def layer(key: str, channels: int = 4, size: int = 8, work: int = 4) -> LayerSpec:
    """A layer of two convolutions with ``work`` channels in between."""
    ops = OpList((channels, size, size))
    ops.conv("project", ops.conv("expand", 0, work, 3, act="relu"), channels)
    return LayerSpec(key, (channels, size, size), tuple(ops.ops))


def tiny_space() -> SearchSpace:
    """Two stages of up to two blocks in three widths, two resolutions; the second and third block share layers.

    3 x 3 + 1 layers per resolution, of which the head's is the same in both; 2 x 3 x (9 + 3) subnets.
    """
    genes = [
        Gene("w", 0, (4, 8, 16)),
        Gene("w", 1, (4, 8, 16)),
        conditional(Gene("w", 2, (4, 8, 16)), 3, [1]),
        Gene("d", 0, (1, 2)),
        Gene("r", None, (8, 16), role="input"),
    ]

    def block(name: str) -> Callable[..., LayerSpec | None]:
        def build(r: int, w: int, depth: int = 2) -> LayerSpec | None:
            return layer(f"{name}-{r}-w{w}", size=r, work=w) if depth == 2 else None

        return build

    slots = [
        Slot("blocks.0", (4, 0), block("first")),
        Slot("blocks.1", (4, 1), block("later")),
        Slot("blocks.2", (4, 2, 3), block("later")),
        Slot("head", (4,), _head),
    ]
    return SearchSpace("tiny", genes, slots)


def _head(r: int) -> LayerSpec:
    ops = OpList((4, r, r))
    ops.linear("linear", ops.flatten("flatten", ops.global_pool("pool", 0)), 10)
    return LayerSpec(f"head-{r}", (4, r, r), tuple(ops.ops))


def costs(space: SearchSpace) -> dict[str, int]:
    """A different cost for every layer, in ns; a few milliseconds per network."""
    return {key: 200_000 + 37_000 * i for i, key in enumerate(space.layers())}
