"""Devices: identity, what is refused, and the folders their tables are found in."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hwnas.errors import DeviceError, TableError, UnknownNameError
from hwnas.latency import (
    PROVIDERS,
    Device,
    Hardware,
    LatencyTable,
    Row,
    available_providers,
    bundled_device,
    check_precision,
    find_table,
    find_table_for,
    get_device,
    table_paths,
)
from hwnas.latency.device import _facts
from hwnas.latency.device._facts import memory_pages, usable_cores
from hwnas.latency.table import _find as find
from hwnas.latency.timing._loop import waited_ns, waiting_clock
from tests.latency.fakes import tiny_space

CPU = get_device("cpu")


@pytest.mark.parametrize(
    ("name", "features", "slug"),
    [
        ("AMD EPYC", ("avx2", "avx512f"), "amd-epyc-avx512"),
        ("AMD EPYC 7763 64-Core Processor", ("avx2",), "amd-epyc-7763-avx2"),
        ("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", ("avx2",), "intel-core-i7-8700k-avx2"),
        ("AMD Ryzen 7 5800U with Radeon Graphics", ("avx2",), "amd-ryzen-7-5800u-avx2"),
        ("Apple M2 Pro", (), "apple-m2-pro"),
        ("NVIDIA H100 80GB HBM3", (), "h100-80gb-hbm3"),
        ("???", (), "unknown"),
    ],
)
def test_hardware_in_file_names(name: str, features: tuple[str, ...], slug: str) -> None:
    assert Hardware(name, features=features).slug == slug


def test_the_id_states_the_conditions() -> None:
    hardware = Hardware("AMD EPYC", features=("avx512f",))
    cpu = replace(CPU, hardware=hardware)
    assert cpu.id == "amd-epyc-avx512-cpu-t1-b1"
    assert replace(cpu, threads=2, batch=8).id == "amd-epyc-avx512-cpu-t2-b8"
    assert replace(cpu, spinning="off").id.endswith("-spin-off")
    gpu = Device("cuda:1", "CUDAExecutionProvider", hardware=Hardware("NVIDIA H100"), batch=32)
    assert gpu.id == "h100-cuda1-b32"
    assert gpu.memory == ("cuda", 1)
    assert Device("note10", "").id == "note10"


def test_this_machine_is_described() -> None:
    assert CPU.hardware.name
    assert CPU.hardware.system
    assert CPU.runtime.startswith("onnxruntime ")
    assert available_providers()["cpu"]
    assert set(available_providers()) == set(PROVIDERS)
    assert Device.from_json(CPU.to_json()) == CPU


HUGE = "glibc.malloc.hugetlb=1"


@pytest.mark.parametrize(
    ("tunables", "libc", "refused", "pages"),
    [
        (HUGE, ("glibc", "2.35"), False, "huge"),
        (f"glibc.malloc.check=0:{HUGE}", ("glibc", "2.41"), False, "huge"),
        (HUGE, ("glibc", "2.34"), False, "usual"),
        (HUGE, ("", ""), False, "usual"),
        (HUGE, ("glibc", "2.36"), True, "usual"),
        ("glibc.malloc.hugetlb=0", ("glibc", "2.36"), False, "usual"),
        ("", ("glibc", "2.36"), False, "usual"),
    ],
)
def test_huge_pages_are_used_where_they_are_asked_for_and_given(
    monkeypatch: pytest.MonkeyPatch, tunables: str, libc: tuple[str, str], refused: bool, pages: str
) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", tunables)
    monkeypatch.setattr("platform.libc_ver", lambda: libc)
    monkeypatch.setattr(_facts, "_refuses_huge_pages", lambda: refused)
    assert memory_pages() == get_device("cpu").pages == pages


def test_times_in_huge_and_in_usual_pages_are_kept_apart() -> None:
    huge = replace(CPU, pages="huge")
    assert huge.id == f"{CPU.id}-huge-pages"
    assert huge.differences(CPU) == ["pages huge, here usual"]
    assert Device.from_json(huge.to_json()) == huge
    assert "pages" not in CPU.to_json(), "tables of earlier versions stay what they are"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "qnn"}, "install onnxruntime-qnn"),
        ({"name": "cpu:x"}, "write cpu"),
        ({"name": "cpu:9"}, "write cpu"),
        ({"threads": 0}, "0 threads"),
        ({"threads": 4096}, f"cores that this process may use: {usable_cores()}; use 1"),
        ({"batch": 0}, "at least one image"),
    ],
)
def test_what_this_machine_does_not_offer_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        get_device(**arguments)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not pin processes to cores")
def test_a_process_that_may_use_one_core_is_given_one_thread() -> None:
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(mine)})
        with pytest.raises(DeviceError, match=r"cores that this process may use: 1; use 1$"):
            get_device("cpu", threads=2)
    finally:
        os.sched_setaffinity(0, mine)


def test_a_precision_without_arithmetic_is_refused() -> None:
    check_precision(CPU, "int8")
    check_precision(bundled_device("cuda:1"), "fp16")
    with pytest.raises(UnknownNameError, match="did you mean 'int8'"):
        check_precision(CPU, "int7")
    with pytest.raises(
        DeviceError, match="precision fp16 on device 'cpu': CPUExecutionProvider computes in fp32 and int8"
    ):
        check_precision(CPU, "fp16")
    with pytest.raises(DeviceError, match="computes in fp32 and fp16"):
        check_precision(bundled_device("tensorrt"), "int8")
    assert CPU.label("fp32") == CPU.id
    assert CPU.label("int8") == f"{CPU.id} (int8)"


def test_threads_reach_a_provider_that_has_its_own() -> None:
    assert bundled_device("openvino", threads=2).options == {"num_of_threads": "2"}
    assert bundled_device("cuda:1", threads=2).options == {"device_id": "1"}


def test_waiting_for_a_core_is_told_by_the_thread_or_by_the_system() -> None:
    waiting = waiting_clock(1, "CPUExecutionProvider")
    before = waiting()
    time.sleep(0.02)
    assert waiting() - before >= 19e6
    for threads, provider in ((1, "OpenVINOExecutionProvider"), (2, "CPUExecutionProvider")):
        before = waited_ns() // threads
        assert before <= waiting_clock(threads, provider)() <= waited_ns() // threads


def test_typos_get_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'openvino'"):
        get_device("openvin")


def test_conditions_that_differ_are_told() -> None:
    other = replace(CPU, threads=2, hardware=replace(CPU.hardware, model="1 2 3"), runtime="onnxruntime 0.1")
    told = CPU.differences(other)
    assert told == ["threads 1, here 2", f"hardware model {CPU.hardware.model}, here 1 2 3"]


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with nothing shipped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(find, "_PACKAGE", tmp_path / "site-packages" / "hwnas")
    return tmp_path / "latency_tables"


def _table(device: Device) -> LatencyTable:
    rows = [Row(key, 1, 1, 1, 1, 1) for key in tiny_space().restrict(r=8).layers()]
    return LatencyTable.of(device, rows)


def test_tables_are_found_by_path_by_name_and_by_machine(tables: Path) -> None:
    assert find_table_for(CPU) is None
    assert list(table_paths()) == []
    _table(CPU).save(tables / CPU.id)
    for name in (CPU.id, tables / CPU.id, tables / CPU.id / "table.csv", str(tables / CPU.id / "device.json")):
        assert find_table(name).device == CPU
    found = find_table_for(replace(CPU, runtime="onnxruntime 99"))
    assert found is not None
    assert found.path == tables / CPU.id
    assert [p.name for p in table_paths()] == [CPU.id]


def test_a_table_of_like_named_hardware_is_not_this_machines(tables: Path) -> None:
    _table(replace(CPU, hardware=replace(CPU.hardware, model="another"))).save(tables / CPU.id)
    assert find_table_for(CPU) is None


def test_the_nearest_table_that_covers_the_space_is_taken(tables: Path) -> None:
    LatencyTable.of(CPU, [Row("a-layer", 1, 1, 1, 1, 1)]).save(tables / CPU.id)
    shipped = tables.parent / "site-packages" / "hwnas" / "latency_tables" / CPU.id
    _table(CPU).save(shipped)
    nearest, covering = find_table_for(CPU), find_table_for(CPU, tiny_space())
    assert nearest is not None
    assert nearest.path == tables / CPU.id
    assert covering is not None
    assert covering.path == shipped
    assert find_table_for(CPU, tiny_space().restrict(r=16)) is None


def test_unknown_tables(tables: Path) -> None:
    _table(Device("note10", "")).save(tables / "note10")
    with pytest.raises(UnknownNameError, match=r"latency table 'note1'.*did you mean 'note10'"):
        find_table("note1")
    (tables / "empty").mkdir()
    with pytest.raises(TableError, match=r"it has no table.csv and device.json"):
        find_table(tables / "empty")
