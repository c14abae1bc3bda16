"""What layers cost in int8, against networks quantised by hand."""

from __future__ import annotations

import numpy as np

from hwnas.graph import activation_ranges, build_model, in_precision
from hwnas.supernet import agreement, calibrated, folded_weights, load_supernet, sensitivity
from hwnas.supernet._feeds import feeds
from hwnas.supernet._sensitivity import largest_in_int8
from hwnas.task import DigitsData


def test_each_layer_alone_is_the_policy_with_it_alone_in_int8() -> None:
    net = load_supernet("digits").in_precision("fp32+int8")
    space = net.space.restrict(r=8, d=1)
    data = DigitsData()
    found = sensitivity(net, space, data, images=60)
    row = largest_in_int8(space)
    chosen = [c for c, gene in enumerate(space.genes) if gene.role == "precision" and space.active(row[None])[0, c]]
    assert len(found) == len(chosen)
    for each, column in [*zip(found, chosen, strict=True)][:2]:
        alone = row.copy()
        alone[[c for c in chosen if c != column]] = 0
        subnet, _ = calibrated(net, alone, data)
        names = {slot for slot, layer in subnet.network if layer.precision == "int8" and "_to_" not in slot}
        assert names == {each.layer}
        plain = build_model(subnet.network, weights=folded_weights(subnet))
        ranges = activation_ranges(plain, (feeds(batch) for batch in data.calibration(subnet.inputs)))
        few = next(iter(data.calibration(subnet.inputs)))[:60]
        expected = agreement(plain, in_precision(plain, "fp32+int8", ranges), lambda: [few])  # noqa: B023
        np.testing.assert_allclose(each.agreement.logit_error, expected.logit_error, rtol=1e-4)
        assert each.agreement.n_images == 60
