"""Run the command line as ``python -m topo_sim``."""

from topo_sim.cli import main

if __name__ == "__main__":
    main()
