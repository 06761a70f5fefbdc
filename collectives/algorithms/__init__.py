"""The algorithms, one per file; importing this package registers them all."""

from topo_sim.collectives.algorithms import (
    all_gather_recursive_doubling,
    all_gather_ring,
    all_reduce_bidirectional_ring,
    all_reduce_binomial_tree,
    all_reduce_double_binary_tree,
    all_reduce_halving_doubling,
    all_reduce_recursive_doubling,
    all_reduce_ring,
    all_to_all_bruck,
    all_to_all_direct,
    all_to_all_pairwise,
    broadcast_binomial_tree,
    reduce_scatter_recursive_halving,
    reduce_scatter_ring,
)

__all__ = [
    "all_gather_recursive_doubling",
    "all_gather_ring",
    "all_reduce_bidirectional_ring",
    "all_reduce_binomial_tree",
    "all_reduce_double_binary_tree",
    "all_reduce_halving_doubling",
    "all_reduce_recursive_doubling",
    "all_reduce_ring",
    "all_to_all_bruck",
    "all_to_all_direct",
    "all_to_all_pairwise",
    "broadcast_binomial_tree",
    "reduce_scatter_recursive_halving",
    "reduce_scatter_ring",
]
