"""The largest subnet is the original: its logits are those of ``transformers``, for whole texts and step by step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hwnas.space import network_inputs
from hwnas.supernet import forward, load_supernet
from hwnas.task import prompt
from tests.supernet.hf.decoder.conftest import FAMILIES, ids, largest, save


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_largest_subnet_is_the_original(kind: str, tmp_path: Path) -> None:
    original = save(tmp_path, kind)
    net = load_supernet(f"hf:{tmp_path}")
    with torch.no_grad():
        expected = original(input_ids=ids()).logits
        found = net.forward(largest(net), {"input_ids": ids()})
    assert expected.std() > 0.5
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", FAMILIES)
def test_step_by_step_it_is_the_original_too(kind: str, tmp_path: Path) -> None:
    original = save(tmp_path, kind)
    net = load_supernet(f"hf:{tmp_path}")
    network, weights, texts = net.network(largest(net)), net.weights(largest(net)), ids()
    with torch.no_grad():
        expected = original(input_ids=texts).logits
        kept: dict[str, torch.Tensor] = {}
        fed = prompt(network_inputs(network), texts[:, :4])
        found = [forward(network, weights, fed, kept=kept)]
        for place in range(4, texts.shape[1]):
            fed |= {
                "input_ids": texts[:, place : place + 1],
                "attention_mask": torch.ones(len(texts), place + 1, dtype=torch.int64),
                "position_ids": torch.full((len(texts), 1), place),
            }
            fed |= {name: kept[name.replace("past_key_values", "present")] for name in fed if name.startswith("past")}
            found.append(forward(network, weights, fed, kept=kept))
    torch.testing.assert_close(torch.cat(found, dim=1), expected, rtol=1e-5, atol=1e-5)
