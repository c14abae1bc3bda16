"""Files of rows: a strict CSV reader, tables of subnets and of layers, block libraries, the journal."""

from hwnas.io._archs import arch_column, parse_arch, read_archs
from hwnas.io._block_library import read_block_library
from hwnas.io._csv import in_file, read_csv, shown, write_csv
from hwnas.io._journal import Journal
from hwnas.io._kept_choices import KeptChoices
from hwnas.io._metrics import metric_column, read_metric
from hwnas.io._subnet_table import SubnetTable, read_layer_costs, read_subnet_table

__all__ = [
    "Journal",
    "KeptChoices",
    "SubnetTable",
    "arch_column",
    "in_file",
    "metric_column",
    "parse_arch",
    "read_archs",
    "read_block_library",
    "read_csv",
    "read_layer_costs",
    "read_metric",
    "read_subnet_table",
    "shown",
    "write_csv",
]
