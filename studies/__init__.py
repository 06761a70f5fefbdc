"""What a user runs: each study loads fabrics, calls the rooms below and returns results."""

from topo_sim.studies.blast_radius import Blast, Resilience
from topo_sim.studies.breakeven import breakeven, circuits_of
from topo_sim.studies.breakeven_map import BreakEven, SizeLines
from topo_sim.studies.calibrate import Calibration, calibrate
from topo_sim.studies.codesign import CoDesignStudy, study_codesign
from topo_sim.studies.collective import CollectiveTable, cost_table
from topo_sim.studies.compare import DEFAULT_FABRICS, Comparison, compare
from topo_sim.studies.explain import Explanation, explain
from topo_sim.studies.failures import FailureStudy, compare_failures
from topo_sim.studies.fleets import Fleet, Question
from topo_sim.studies.pods import PodStudy, pod_goodput, study_pod
from topo_sim.studies.resilience import measure_resilience
from topo_sim.studies.sharing import PATTERNS, Sharing, share_bandwidth
from topo_sim.studies.synthesis import Synthesis, synthesize_schedule
from topo_sim.studies.throughput import Throughput, measure_throughput
from topo_sim.studies.tune import best, tune
from topo_sim.studies.tuner_file import nccl_choices
from topo_sim.studies.tuning import TunedRange, Tuning

__all__ = [
    "DEFAULT_FABRICS",
    "PATTERNS",
    "Blast",
    "BreakEven",
    "Calibration",
    "CoDesignStudy",
    "CollectiveTable",
    "Comparison",
    "Explanation",
    "FailureStudy",
    "Fleet",
    "PodStudy",
    "Question",
    "Resilience",
    "Sharing",
    "SizeLines",
    "Synthesis",
    "Throughput",
    "TunedRange",
    "Tuning",
    "best",
    "breakeven",
    "calibrate",
    "circuits_of",
    "compare",
    "compare_failures",
    "cost_table",
    "explain",
    "measure_resilience",
    "measure_throughput",
    "nccl_choices",
    "pod_goodput",
    "share_bandwidth",
    "study_codesign",
    "study_pod",
    "synthesize_schedule",
    "tune",
]
