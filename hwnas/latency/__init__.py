"""Latency: devices, tables of layer latencies, profiling and measuring."""

from __future__ import annotations

from hwnas.latency._bundle import Bundle, bundle_digest, bundled_device, write_bundle
from hwnas.latency._check import SUBNETS, Check, check_table
from hwnas.latency._correct import Corrected, corrected
from hwnas.latency._device import PROVIDERS, Device, available_providers, get_device
from hwnas.latency._fidelity import fidelity, summary
from hwnas.latency._file import measure_file
from hwnas.latency._find import find_table, find_table_for, table_paths
from hwnas.latency._fitness import age_days, doubts, misfits, renewal
from hwnas.latency._hardware import Hardware
from hwnas.latency._interval import LATER, coverage
from hwnas.latency._measure import Anchor, Measurement, measure_networks
from hwnas.latency._noise import NOISY_PCT, is_noisy
from hwnas.latency._profile import profile
from hwnas.latency._published import read_published
from hwnas.latency._remote import Host, profile_remotely
from hwnas.latency._result import BoardResult, import_board, is_board_result, read_board
from hwnas.latency._rows import Row
from hwnas.latency._subnets import Plan
from hwnas.latency._table import LatencyTable
from hwnas.latency._whole import MeasuredSubnets, measure_subnets

__all__ = [
    "LATER",
    "NOISY_PCT",
    "PROVIDERS",
    "SUBNETS",
    "Anchor",
    "BoardResult",
    "Bundle",
    "Check",
    "Corrected",
    "Device",
    "Hardware",
    "Host",
    "LatencyTable",
    "MeasuredSubnets",
    "Measurement",
    "Plan",
    "Row",
    "age_days",
    "available_providers",
    "bundle_digest",
    "bundled_device",
    "check_table",
    "corrected",
    "coverage",
    "doubts",
    "fidelity",
    "find_table",
    "find_table_for",
    "get_device",
    "import_board",
    "is_board_result",
    "is_noisy",
    "measure_file",
    "measure_networks",
    "measure_subnets",
    "misfits",
    "profile",
    "profile_remotely",
    "read_board",
    "read_published",
    "renewal",
    "summary",
    "table_paths",
    "write_bundle",
]
