"""What this machine is, read from the system: it is part of a latency table's identity."""

from __future__ import annotations

import platform
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "asimd", "asimddp", "i8mm", "sve")
"""CPU features that inference kernels are chosen by, as Linux names them."""


@dataclass(frozen=True)
class Hardware:
    """A processor and the system it runs under.

    Attributes:
        name: as the maker writes it.
        model: family, model and stepping of a CPU, or the driver of a GPU: tells apart what shares a name.
        features: instruction sets.
        system: operating system and architecture.
    """

    name: str
    model: str = ""
    features: tuple[str, ...] = ()
    system: str = ""

    @property
    def slug(self) -> str:
        """Short name for file names: ``amd-epyc-avx512``."""
        plain = re.sub(r"\((r|tm)\)|@.*|\b(cpu|processor|with .* graphics|\d+-core|nvidia)\b", " ", self.name.lower())
        words = re.findall(r"[a-z0-9]+", plain)
        if "avx512f" in self.features:
            words.append("avx512")
        elif "avx2" in self.features:
            words.append("avx2")
        return "-".join(words) or "unknown"


@cache
def cpu() -> Hardware:
    """The CPU of this machine."""
    system = f"{platform.system()} {platform.machine()}"
    info = _proc_cpuinfo()
    if info:
        flags = (info.get("flags") or info.get("features") or "").split()
        model = " ".join(info[k] for k in ("cpu family", "model", "stepping", "cpu part") if k in info)
        name = info.get("model name") or info.get("hardware") or platform.machine()
        return Hardware(name, model, tuple(f for f in _FEATURES if f in flags), system)
    if platform.system() == "Darwin":
        return Hardware(_output(["sysctl", "-n", "machdep.cpu.brand_string"]) or platform.machine(), system=system)
    return Hardware(platform.processor() or platform.machine(), system=system)


@cache
def nvidia_gpu(index: int) -> Hardware:
    """An NVIDIA GPU, by its driver's own tool."""
    line = _output(["nvidia-smi", f"--id={index}", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    name, _, driver = line.partition(",")
    system = f"{platform.system()} {platform.machine()}"
    return Hardware(name.strip() or "nvidia gpu", f"driver {driver.strip()}" if driver else "", (), system)


def _proc_cpuinfo() -> dict[str, str]:
    """Fields of the first processor, by lower-case name; empty where there is no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    first = text.split("\n\n", 1)[0]
    fields = (line.partition(":") for line in first.splitlines() if ":" in line)
    return {key.strip().lower(): value.strip() for key, _, value in fields}


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
