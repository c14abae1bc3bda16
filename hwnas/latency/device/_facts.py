"""Facts about this machine; needs only the standard library.

Boards on which hwnas is not installed run this very file, from Python 3.8 on; see `hwnas.latency.boards`.
"""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "asimd", "asimddp", "i8mm", "sve")
"""CPU features that inference kernels depend on, as Linux names them."""


def cpu_facts() -> dict[str, Any]:
    """The CPU of this machine: ``name``, ``model``, ``features``, ``system``."""
    system = f"{platform.system()} {platform.machine()}"
    info = _proc_cpuinfo()
    if info:
        flags = (info.get("flags") or info.get("features") or "").split()
        model = " ".join(info[k] for k in ("cpu family", "model", "stepping", "cpu part") if k in info)
        name = info.get("model name") or info.get("hardware") or platform.machine()
        return {"name": name, "model": model, "features": [f for f in FEATURES if f in flags], "system": system}
    name = output_of(["sysctl", "-n", "machdep.cpu.brand_string"]) if platform.system() == "Darwin" else ""
    name = name or platform.processor() or platform.machine() or "unknown"
    return {"name": name, "model": "", "features": [], "system": system}


def usable_cores() -> int:
    """Number of cores that this process may use; a container or ``taskset`` may leave fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_pages() -> str:
    """``huge``, if this process asks Linux for pages of 2 MB by ``GLIBC_TUNABLES=glibc.malloc.hugetlb=1``; else ``usual``.

    Huge pages make a network up to 1.2 times as fast if it reads its weights from memory in every run.
    """
    asked = "glibc.malloc.hugetlb=1" in os.environ.get("GLIBC_TUNABLES", "").split(":")
    return "huge" if asked and _glibc_version() >= (2, 35) and not _refuses_huge_pages() else "usual"


def _glibc_version() -> tuple[int, ...]:
    """Empty if the C library is another one."""
    name, version = platform.libc_ver()
    return tuple(int(part) for part in version.split(".") if part.isdigit()) if name == "glibc" else ()


def _refuses_huge_pages() -> bool:
    try:
        return "[never]" in Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text(encoding="utf-8")
    except OSError:
        return True


def nvidia_facts(index: int) -> dict[str, Any]:
    """An NVIDIA GPU, from ``nvidia-smi``."""
    line = output_of(["nvidia-smi", f"--id={index}", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    name, _, driver = line.partition(",")
    return {
        "name": name.strip() or "nvidia gpu",
        "model": f"driver {driver.strip()}" if driver else "",
        "features": [],
        "system": f"{platform.system()} {platform.machine()}",
    }


def _proc_cpuinfo() -> dict[str, str]:
    """Fields of the first processor, by lower-case name; empty if there is no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    first = text.split("\n\n", 1)[0]
    fields = (line.partition(":") for line in first.splitlines() if ":" in line)
    return {key.strip().lower(): value.strip() for key, _, value in fields}


def output_of(command: list[str]) -> str:
    """Output of a command; empty if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
