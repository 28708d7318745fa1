"""Compiled loops over pixels and regions: the same results on any number of threads and machines.

Numba compiles a loop when it is first called, which takes seconds, and keeps it on disk for later
processes; `warm_up.compile_loops` does that ahead of time. Without ``fastmath``, so that sums are
taken in one order everywhere.
"""

from napari_superpixels.core.regions.kernels.border_moves import border_moves, move_pixels
from napari_superpixels.core.regions.kernels.greedy_merge import merge_greedily
from napari_superpixels.core.regions.kernels.greedy_split import split_greedily

__all__ = ["border_moves", "merge_greedily", "move_pixels", "split_greedily"]
