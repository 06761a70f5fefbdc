"""Tables, plots and machine-readable output, made from result objects."""

from topo_sim.report.breakeven import breakeven_table, plot_breakeven
from topo_sim.report.calibration import calibration_tables, plot_calibration
from topo_sim.report.codesign import codesign_tables, plot_codesign
from topo_sim.report.formats import to_csv, to_json, write_text
from topo_sim.report.optimum_tables import explanation_table, synthesis_table
from topo_sim.report.plots import plot_comparison, save_figure
from topo_sim.report.pods import plot_pod, pod_tables
from topo_sim.report.schedules import schedule_document
from topo_sim.report.tables import (
    collective_table,
    comparison_tables,
    info_table,
    list_table,
    sharing_table,
    throughput_table,
    to_text,
)
from topo_sim.report.tuning import plot_tuning, tuning_tables

__all__ = [
    "breakeven_table",
    "calibration_tables",
    "codesign_tables",
    "collective_table",
    "comparison_tables",
    "explanation_table",
    "info_table",
    "list_table",
    "plot_breakeven",
    "plot_calibration",
    "plot_codesign",
    "plot_comparison",
    "plot_pod",
    "plot_tuning",
    "pod_tables",
    "save_figure",
    "schedule_document",
    "sharing_table",
    "synthesis_table",
    "throughput_table",
    "to_csv",
    "to_json",
    "to_text",
    "tuning_tables",
    "write_text",
]
