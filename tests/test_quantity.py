"""Quantities: what is read, what is refused, and that formats read back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.errors import QuantityError
from hwnas.quantity import format_bytes, format_count, parse_bytes, parse_count, parse_latency_ms

positive = st.floats(min_value=1e-3, max_value=1e9)


@pytest.mark.parametrize(
    ("text", "ms"),
    [("20ms", 20), ("0.02s", 20), ("500us", 0.5), ("500µs", 0.5), (" 20 ms ", 20), ("2e1ms", 20), (".5ms", 0.5)],
)
def test_latency_is_read_in_ms(text: str, ms: float) -> None:
    assert parse_latency_ms(text) == pytest.approx(ms)


def test_every_whole_count_can_be_written_exactly() -> None:
    for count in (312659216, 312659217, 1, 999, 123456789012):
        assert parse_count(f"{count / 1e6:.6f}M") == count


@pytest.mark.parametrize(("text", "count"), [("300M", 3e8), ("1.2G", 1.2e9), ("5k", 5e3)])
def test_counts_are_read(text: str, count: float) -> None:
    assert parse_count(text) == pytest.approx(count)


@pytest.mark.parametrize(("text", "size"), [("20MB", 20e6), ("512kB", 512e3), ("1MiB", 2**20)])
def test_sizes_are_read(text: str, size: float) -> None:
    assert parse_bytes(text) == pytest.approx(size)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("20", "write 20ms"),
        ("-5ms", "20ms"),
        ("0ms", "20ms"),
        ("nan ms", "20ms"),
        ("infs", "20ms"),
        ("20 parsecs", "use ns, us, µs, ms or s"),
        ("20MB", "use ns, us, µs, ms or s"),
        ("20MS", "did you mean 20ms?"),
        ("1,5ms", "write a point: 1.5ms"),
        ("", "20ms"),
        ("fast", "20ms"),
        ("1e999ms", "20ms"),
        ("20ms 30ms", "20ms"),
    ],
)
def test_refused_latencies_name_the_option_and_the_remedy(text: str, remedy: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_latency_ms(text, "--latency")
    assert str(caught.value).startswith(f"--latency {text}")
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(("parse", "text"), [(parse_count, "300"), (parse_count, "300m"), (parse_bytes, "20mb")])
def test_refused_counts_and_sizes(parse: object, text: str) -> None:
    assert callable(parse)
    with pytest.raises(QuantityError):
        parse(text)


@pytest.mark.parametrize(
    ("parse", "text", "written"),
    [
        (parse_count, "300", "300M"),
        (parse_count, "1e9", "1G"),
        (parse_count, "312659216", "312.659216M"),
        (parse_bytes, "20000000", "20MB"),
        (parse_bytes, "64", "64MB"),
        (parse_latency_ms, "200000", "200000ms"),
        (parse_count, "1,000M", "1000M or 1.000M"),
    ],
)
def test_a_quantity_without_a_unit_or_with_a_comma_is_spelled_as_it_was_meant(
    parse: Callable[[str], float], text: str, written: str
) -> None:
    with pytest.raises(QuantityError) as caught:
        parse(text)
    assert caught.value.remedy == f"write {written}"
    for spelling in written.split(" or "):
        assert parse(spelling) > 0


@given(st.integers(100_000, 10**15))
def test_large_counts_are_spelled_exactly(count: int) -> None:
    for parse in (parse_count, parse_bytes):
        with pytest.raises(QuantityError) as caught:
            parse(str(count))
        assert parse(caught.value.remedy.removeprefix("write ")) == count


@settings(deadline=None, max_examples=50)
@given(positive)
def test_formats_read_back(value: float) -> None:
    assert parse_count(format_count(value * 1e3)) == pytest.approx(value * 1e3, rel=1e-3)
    assert parse_bytes(format_bytes(value * 1e3)) == pytest.approx(value * 1e3, rel=1e-3)


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=12))
def test_anything_is_read_or_refused(text: str) -> None:
    for parse in (parse_latency_ms, parse_count, parse_bytes):
        with suppress(QuantityError):
            assert parse(text) > 0
