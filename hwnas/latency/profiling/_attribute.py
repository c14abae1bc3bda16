"""Which layer each executed node belongs to, by the names that the graph builder gave to nodes.

Runtimes fuse nodes (keeping one name, or joining several), rename them with suffixes, and insert layout reorders whose names
do not contain a layer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence


def attribute(nodes: Sequence[str], slots: Sequence[str], unseen: Collection[str] = ()) -> list[str] | None:
    """The slot of each node of one run.

    A node belongs to the slot that its name contains; a fused node that contains several belongs to the first. A node without a
    slot's name between two slots belongs to the slot before it if it completes that slot's work (``_CLOSING``), else to the slot
    after it, whose kernels need the layout. A reorder before a conversion belongs to the conversion.

    Args:
        nodes: names in the order of execution.
        slots: the network's slot names.
        unseen: slots that may have no node of their own: conversions, which runtimes move past ops that only move values.

    Returns:
        A slot per node, or None if some slot has no node.
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


# Reorders back to the usual layout, and additions of a transformer's residual, whatever is fused with them.
_CLOSING = ("ReorderOutput", "SkipLayerNormalization")

# Parts of a hard swish that the runtime split.
_COMPUTING = ("HardSigmoid", "Mul")

# A runtime's copy of a conversion for a second reader stands before that reader.
_COPY = "/duplicated"

# A slot's name is the part of a path-like word before its last slash.
_SLOT = re.compile(r"([A-Za-z_][\w.]*)/")
