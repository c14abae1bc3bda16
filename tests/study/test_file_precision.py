"""What an export shows while it goes through samples: how far it is, without a pass to count them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hwnas.progress import Logged, Progress, listening
from hwnas.space import get_space
from hwnas.study import Provenance, RunConditions
from hwnas.study._chosen import ChosenSubnet, Known
from hwnas.study._export import export_subnet
from hwnas.study._export_settings import ExportSettings
from hwnas.supernet import parent_row
from hwnas.task import DigitsData

STEPS = list[tuple[int, int | None]]


class Heard(Logged):
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.steps: dict[str, list[STEPS]] = {}

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        steps: STEPS = []
        self.steps.setdefault(title, []).append(steps)
        yield lambda done, total, _note="": steps.append((done, total))


def test_an_export_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space, heard, begun = get_space("digits"), Heard(), 0
    calibration = DigitsData.calibration

    def counted(*args: object) -> Iterator[object]:
        nonlocal begun
        begun += 1
        return calibration(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(DigitsData, "calibration", counted)
    settings = ExportSettings("digits", conditions=RunConditions(precision="int8"), images=1, agreement_pct=100.0)
    whole = ChosenSubnet(space.decode(parent_row(space)), Known(90.0, ""))
    with listening(heard):
        export_subnet(settings, Provenance(), lambda _: whole, tmp_path / "x.onnx")
    (norms,), (measured,), (in_int8,) = (
        heard.steps[title]
        for title in ("re-calibrating batch norms", "measuring accuracy", "measuring accuracy in int8")
    )
    assert {total for _, total in norms} == {177}
    assert {total for _, total in measured + in_int8} == {600}
    beside = heard.steps["int8 beside fp32"]  # for the ranges, the comparison, and twice for single layers
    assert beside == [[(0, 177)]] * 4
    assert begun == 1 + len(beside)
    slots, _ops = heard.steps["alone in int8"]
    assert [done for done, _ in slots] == list(range(len(slots)))
