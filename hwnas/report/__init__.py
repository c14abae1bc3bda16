"""Reports: the Pareto CSV and its provenance, the table, the picture; dominance and hypervolume."""

from hwnas.report._csv import pareto_frame, read_pareto, tidy, write_pareto
from hwnas.report._pareto import hypervolume, non_dominated
from hwnas.report._plot import Picture, save_plot
from hwnas.report._provenance import file_hash, provenance_path, read_provenance, versions, write_provenance
from hwnas.report._table import front_table, thinned

__all__ = [
    "Picture",
    "file_hash",
    "front_table",
    "hypervolume",
    "non_dominated",
    "pareto_frame",
    "provenance_path",
    "read_pareto",
    "read_provenance",
    "save_plot",
    "thinned",
    "tidy",
    "versions",
    "write_pareto",
    "write_provenance",
]
