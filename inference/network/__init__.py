"""Where the time of communication comes from: an ideal network, or a fabric."""

from topo_sim.inference.network.curve import Curve, Network
from topo_sim.inference.network.fabric import FabricNetwork
from topo_sim.inference.network.ideal import IdealNetwork

__all__ = ["Curve", "FabricNetwork", "IdealNetwork", "Network"]
