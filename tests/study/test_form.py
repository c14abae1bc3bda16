"""What an export shows while it compares a precision with fp32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hwnas.progress import Logged, Progress, listening
from hwnas.study._form import calibration_images
from hwnas.supernet import load_supernet, parent_row


class Heard(Logged):
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.steps: dict[str, list[tuple[int, int]]] = {}

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        steps = self.steps[title] = []
        yield lambda done, total, _note="": steps.append((done, total))


def test_comparing_tells_how_far_it_is() -> None:
    net = load_supernet("digits")
    subnet, heard = net.extract(parent_row(net.space)), Heard()
    with listening(heard):
        sizes = [len(batch) for batch in calibration_images(subnet, net.data(), "int8")()]
    [(title, steps)] = heard.steps.items()
    assert title == "int8 beside fp32"
    assert [total for _, total in steps] == [sum(sizes)] * len(sizes)
    assert [done for done, _ in steps] == [sum(sizes[:i]) for i in range(len(sizes))]
