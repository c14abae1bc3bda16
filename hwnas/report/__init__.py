"""Reports: the Pareto CSV with its provenance, table, picture and page; comparisons; dominance and hypervolume."""

from hwnas.report._columns import column
from hwnas.report._comparable import NamedFront
from hwnas.report._compare import compare
from hwnas.report._compare_show import comparison_tables, save_comparison
from hwnas.report._csv import in_order, pareto_frame, read_pareto, tidy, write_pareto
from hwnas.report._curves import Curves, curves_frame, curves_table, save_curves
from hwnas.report._fitting import FittingTable
from hwnas.report._html import html_page, write_html
from hwnas.report._measured import with_measured
from hwnas.report._plot import Picture, draw, save_plot
from hwnas.report._provenance import (
    predicted_by,
    provenance_path,
    read_provenance,
    write_provenance,
)
from hwnas.report._sensitivity import sensitivity_table
from hwnas.report._table import front_table, thinned
from hwnas.search import hypervolume, non_dominated

__all__ = [
    "Curves",
    "FittingTable",
    "NamedFront",
    "Picture",
    "column",
    "compare",
    "comparison_tables",
    "curves_frame",
    "curves_table",
    "draw",
    "front_table",
    "html_page",
    "hypervolume",
    "in_order",
    "non_dominated",
    "pareto_frame",
    "predicted_by",
    "provenance_path",
    "read_pareto",
    "read_provenance",
    "save_comparison",
    "save_curves",
    "save_plot",
    "sensitivity_table",
    "thinned",
    "tidy",
    "with_measured",
    "write_html",
    "write_pareto",
    "write_provenance",
]
