"""Commands of the program, one per file; `topo_sim.cli` puts them together."""
