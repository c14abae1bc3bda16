"""A network that computes only the tokens which its head reads.

The head of most encoders reads the first token. Of the layer before it, keys and values are needed of all tokens, and
everything else of this one, which saves about a sixth of a MiniLM's work. What is exported and profiled stays whole, since that
is what runtimes are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hwnas.space import LayerSpec, Network
from hwnas.space.ops import Activation, Add, Affine, Attention, LayerNorm, Linear, Mul, Op, RMSNorm, Slice, Take

_TOKENWISE = (Activation, Add, LayerNorm, Linear, Mul, RMSNorm)


def narrowed(network: Network) -> Network:
    """The same network, or one with the same logits in which the layer before the head leaves the first tokens alone.

    Weights keep their names. Layers with a precision of their own stay as they are: ranges of integers are those of all tokens.
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
    """How many of the first tokens a head reads; None for all."""
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
    """The ops of a layer, of which narrow values have the wanted tokens alone; those are cut out of what stays whole."""
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
    """The values, by number, of which the first tokens are enough: whatever reads them needs no others, and can do without."""
    narrow = {len(ops)} if _computes_tokens(ops[-1]) else set()
    for value in range(len(ops) - 1, 0, -1):
        readers = [(k, op, p) for k, op in enumerate(ops, start=1) for p, i in enumerate(op.inputs) if i == value]
        if readers and _computes_tokens(ops[value - 1]) and all(k in narrow and _passes(op, p) for k, op, p in readers):
            narrow.add(value)
    return narrow


def _computes_tokens(op: Op) -> bool:
    """Whether the first tokens of its result follow from the first tokens of what it reads, keys and values aside."""
    if len(op.shape) != 2:
        return False
    if isinstance(op, Attention):
        return not op.split and all(len(shape) == 1 for shape in op.in_shapes[3:])  # a bias per key is for all queries
    one_by_one = isinstance(op, _TOKENWISE) or (isinstance(op, Affine) and op.axis % 2 == 1)
    return one_by_one and all(len(shape) == 2 and shape[0] == op.shape[0] for shape in op.in_shapes)


def _passes(op: Op, position: int) -> bool:
    """Whether an op that gives the first tokens only reads the first tokens only at a position: not of keys and values."""
    return position == 0 or not isinstance(op, Attention)
