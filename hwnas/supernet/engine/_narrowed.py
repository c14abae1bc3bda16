"""A network whose last layer computes only the tokens that its head reads.

The heads of most encoders read the first token. The layer before then needs the keys and values of all tokens, but everything
else only of the first, which saves about a sixth of a MiniLM's work. Exported and profiled graphs are not narrowed, because
profiles must time the graph that is deployed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hwnas.space import LayerSpec, Network
from hwnas.space.ops import Activation, Add, Affine, Attention, LayerNorm, Linear, Mul, Op, RMSNorm, Slice, Take

_TOKENWISE = (Activation, Add, LayerNorm, Linear, Mul, RMSNorm)


def narrowed(network: Network) -> Network:
    """A network with the same logits, whose layer before the head computes only the first tokens; or the network itself.

    Weights keep their names. Networks with integer layers are not narrowed, because their ranges are those of all tokens.
    """
    if len(network) < 2 or any(layer.precision not in (None, "fp32") for _, layer in network):
        return network
    *before, (slot, layer), (head_slot, head) = network
    wanted = _wanted(head)
    narrow = _narrow(layer.ops)
    if wanted is None or not narrow or wanted >= layer.output_shape[0]:
        return network
    ops, shape = _cut(layer.ops, narrow, wanted), (wanted, *head.input_shape[1:])
    fed = (replace(op, in_shapes=(shape,)) if 0 in op.inputs else op for op in head.ops)
    return (*before, (slot, replace(layer, ops=ops)), (head_slot, replace(head, input_shape=shape, ops=tuple(fed))))


def _wanted(head: LayerSpec) -> int | None:
    """The number of first tokens that a head reads; None for all tokens."""
    wanted = 0
    for op in head.ops:
        if 0 in op.inputs:
            if not isinstance(op, Take | Slice) or op.axis != 0:
                return None
            last = op.index if isinstance(op, Take) else op.stop - 1
            if last < 0 or (isinstance(op, Slice) and op.start < 0):  # counted from the end
                return None
            wanted = max(wanted, last + 1)
    return wanted or None


def _cut(ops: Sequence[Op], narrow: set[int], wanted: int) -> tuple[Op, ...]:
    """The ops of a layer in which narrow values have only the wanted tokens, sliced out of the other values."""
    found: list[Op] = []
    places = {0: 0}
    slices: dict[int, int] = {}
    for value, op in enumerate(ops, start=1):
        inputs, shapes = [], []
        for position, (i, shape) in enumerate(zip(op.inputs, op.in_shapes, strict=True)):
            cut = value in narrow and _passes(op, position)
            if cut and i not in narrow and i not in slices:
                found.append(Slice(f"first.{i}", (places[i],), (shape,), 0, 0, wanted))
                slices[i] = len(found)
            inputs.append(slices.get(i, places[i]) if cut else places[i])
            shapes.append((wanted, *shape[1:]) if cut else shape)
        found.append(replace(op, inputs=tuple(inputs), in_shapes=tuple(shapes)))
        places[value] = len(found)
    return tuple(found)


def _narrow(ops: Sequence[Op]) -> set[int]:
    """The numbers of the values whose first tokens suffice, because all their readers need only these."""
    narrow = {len(ops)} if _computes_tokens(ops[-1]) else set()
    for value in range(len(ops) - 1, 0, -1):
        readers = [(k, op, p) for k, op in enumerate(ops, start=1) for p, i in enumerate(op.inputs) if i == value]
        if readers and _computes_tokens(ops[value - 1]) and all(k in narrow and _passes(op, p) for k, op, p in readers):
            narrow.add(value)
    return narrow


def _computes_tokens(op: Op) -> bool:
    """Whether the first tokens of an op's result depend only on the first tokens of its inputs, except keys and values."""
    if len(op.shape) != 2:
        return False
    if isinstance(op, Attention):
        return not op.split and all(
            len(shape) == 1 for shape in op.in_shapes[3:]
        )  # a bias per key holds for all queries
    one_by_one = isinstance(op, _TOKENWISE) or (isinstance(op, Affine) and op.axis % 2 == 1)
    return one_by_one and all(len(shape) == 2 and shape[0] == op.shape[0] for shape in op.in_shapes)


def _passes(op: Op, position: int) -> bool:
    """Whether an op that computes only the first tokens reads only these at an input: all inputs but keys and values."""
    return position == 0 or not isinstance(op, Attention)
