"""Training by several processes: the gradients of one, and the same files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from hwnas.errors import DataError
from hwnas.executor import Done, Processes
from hwnas.supernet import Team
from hwnas.supernet._checkpoint import read_tensors
from hwnas.supernet.digits import Digits
from hwnas.supernet.train import hosted, joined
from tests.supernet.teams import TEACHERS, Other, all_of_it, gradients, smooth, trained


@pytest.fixture
def _smooth() -> Iterator[None]:
    with smooth():
        yield


@pytest.mark.usefixtures("_smooth")
def test_two_processes_have_the_gradients_of_one_and_go_on_with_its_runs(tmp_path: Path):
    trained(tmp_path / "begun-alone", steps=3)  # its state holds two of four steps
    kept = (tmp_path / "begun-alone").read_bytes()
    with hosted() as store, Processes(1, Other(store.port, tmp_path)) as other:
        other.start(1, 1)
        with joined(store, 0, 2) as team:
            together = all_of_it(team, tmp_path)
        assert other.wait() == [(1, Done(None))]
    for teacher, (found, loss) in zip(TEACHERS, together, strict=True):
        expected, loss_alone = gradients(teacher)
        assert loss == pytest.approx(loss_alone, rel=1e-5)
        assert found.keys() == expected.keys()
        for name, gradient in found.items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-5, msg=name)
        # Of all together: scales in front of another batch norm have a gradient that is zero but for rounding.
        mine, theirs = (torch.cat([told[name].flatten() for name in found]) for told in (found, expected))
        assert (mine - theirs).norm() < 1e-5 * theirs.norm()
    whole = trained(tmp_path / "whole")
    alone, again = read_tensors(tmp_path / "begun-alone"), trained(tmp_path / "begun-together")
    assert (tmp_path / "begun-alone").read_bytes() == kept  # the last steps save no state
    assert alone.keys() == read_tensors(tmp_path / "begun-together").keys()
    moved, apart = (
        torch.cat([(whole.tensors[name] - run.tensors[name]).flatten() for name in together[0][0]])
        for run in (Digits.random(4), again)
    )
    assert apart.norm() < 1e-4 * moved.norm()  # rounding grows from step to step


def test_parts_are_all_of_a_batch_and_none_is_empty():
    for size in range(1, 6):
        for n in range(size, 12):
            parts = [Team(rank, size).part(n) for rank in range(size)]
            assert [i for part in parts for i in range(n)[part]] == list(range(n))
            assert all(part.stop > part.start for part in parts)
    with pytest.raises(DataError, match="a batch of 2: 3 workers train on it; lower --workers"):
        Team(0, 3).part(2)
