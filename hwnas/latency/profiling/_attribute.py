"""Which layer each executed node belongs to, by the names the graph builder gave.

Runtimes fuse nodes (keeping one name, or joining several), rename them with suffixes, and insert
their own layout reorders, whose names say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence


def attribute(nodes: Sequence[str], slots: Sequence[str], unseen: Collection[str] = ()) -> list[str] | None:
    """The slot of each node of one run.

    A node named after a slot is that slot's; a fused one that names several is the first's. A nameless node is of its
    neighbours' slot; between two slots, one that ends what is before it (``_CLOSING``) belongs there, and any other to the
    slot after it, whose kernels wanted the layout. A reorder in front of a conversion is part of the conversion.

    Args:
        nodes: names in the order of execution.
        slots: the network's slot names.
        unseen: slots that may have no node of their own: conversions, which runtimes move past ops that only move
            values.

    Returns:
        A slot per node, or None where the runtime's nodes do not show all slots.
    """
    known = set(slots)
    named = [
        None if node.endswith(_COPY) else next((s for s in _SLOT.findall(node) if s in known), None) for node in nodes
    ]
    if not known - set(unseen) <= set(named):
        return None
    result: list[str] = []
    for i, (node, slot) in enumerate(zip(nodes, named, strict=True)):
        after = next((s for s in named[i:] if s is not None), None)
        before = result[-1] if result else None
        closing = node.startswith(_COMPUTING) or (node.startswith(_CLOSING) and after not in unseen)
        wanted = (before, after) if closing else (after, before)
        result.append(slot or wanted[0] or wanted[1] or slots[0])
    return result


# What converts back, and what adds a transformer's residual, whatever is fused with it.
_CLOSING = ("ReorderOutput", "SkipLayerNormalization")

# Parts of a hard swish that runtimes have taken apart.
_COMPUTING = ("HardSigmoid", "Mul")

# A conversion that runtimes write once more for a second reader: such a node stands where that reader needs it.
_COPY = "/duplicated"

# The slot is the part of a path-like word before its last slash.
_SLOT = re.compile(r"([A-Za-z_][\w.]*)/")
