"""Latency: devices, tables of layer latencies, profiling and measuring."""

from __future__ import annotations

from hwnas.latency.boards._bundle import Bundle, bundle_digest, bundled_device, write_bundle
from hwnas.latency.boards._import import import_board, measured_on_board
from hwnas.latency.boards._remote import Host, Machine, is_remote, remote_machine
from hwnas.latency.boards._result import BoardResult, is_board_result, read_board
from hwnas.latency.device._device import Device, check_precision, get_device
from hwnas.latency.device._hardware import Hardware
from hwnas.latency.device._provider import PROVIDERS, available_providers, is_provider
from hwnas.latency.profiling._check import SUBNETS, Check, check_table, machine_load
from hwnas.latency.profiling._file import measure_file
from hwnas.latency.profiling._profile import profile
from hwnas.latency.profiling._subnets import Plan, mixed_subnets
from hwnas.latency.profiling._trust import Trust, trusted
from hwnas.latency.profiling._whole import MeasuredSubnets, measure_subnets
from hwnas.latency.table._adapt import adapted, adapted_table
from hwnas.latency.table._command import profile_command, space_options
from hwnas.latency.table._fidelity import fidelity, summary
from hwnas.latency.table._find import find_table, find_table_for, table_paths
from hwnas.latency.table._interval import LATER, coverage, interval_words
from hwnas.latency.table._origin import age_days, doubts, misfits, renewal
from hwnas.latency.table._published import read_published
from hwnas.latency.table._rows import Row
from hwnas.latency.table._runs import runs_of
from hwnas.latency.table._table import Anchor, LatencyTable
from hwnas.latency.timing._measure import Measurement, Speed
from hwnas.latency.timing._noise import Load

__all__ = [
    "LATER",
    "PROVIDERS",
    "SUBNETS",
    "Anchor",
    "BoardResult",
    "Bundle",
    "Check",
    "Device",
    "Hardware",
    "Host",
    "LatencyTable",
    "Load",
    "Machine",
    "MeasuredSubnets",
    "Measurement",
    "Plan",
    "Row",
    "Speed",
    "Trust",
    "adapted",
    "adapted_table",
    "age_days",
    "available_providers",
    "bundle_digest",
    "bundled_device",
    "check_precision",
    "check_table",
    "coverage",
    "doubts",
    "fidelity",
    "find_table",
    "find_table_for",
    "get_device",
    "import_board",
    "interval_words",
    "is_board_result",
    "is_provider",
    "is_remote",
    "machine_load",
    "measure_file",
    "measure_subnets",
    "measured_on_board",
    "misfits",
    "mixed_subnets",
    "profile",
    "profile_command",
    "read_board",
    "read_published",
    "remote_machine",
    "renewal",
    "runs_of",
    "space_options",
    "summary",
    "table_paths",
    "trusted",
    "write_bundle",
]
