"""Files of rows: the one strict CSV reader, tables of subnets and of layers, block libraries, the journal."""

from hwnas.io._block_library import read_block_library
from hwnas.io._journal import Journal
from hwnas.io._subnet_table import read_layer_costs, read_subnet_table
from hwnas.io._subnets import (
    arch_column,
    metric_column,
    read_archs,
    read_csv,
    read_metric,
    write_csv,
)

__all__ = [
    "Journal",
    "arch_column",
    "metric_column",
    "read_archs",
    "read_block_library",
    "read_csv",
    "read_layer_costs",
    "read_metric",
    "read_subnet_table",
    "write_csv",
]
