"""Ids over the whole image: 1...K, at most as many as asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_superpixels.tiling.merge_across_tiles import merge_across_tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_superpixels.tiling.checkpoint import Checkpoint
    from napari_superpixels.tiling.run_spec import RunSpec


def relabel_tiles(checkpoint: Checkpoint, spec: RunSpec) -> int:
    """Give the superpixels of all tiles their ids, and merge the cheapest pairs if they are many.

    Parameters
    ----------
    checkpoint : Checkpoint
        Has the tiles; gets an array of ids for each.
    spec : RunSpec

    Returns
    -------
    int
        Number of superpixels K.
    """
    tiles = [spec.grid.tiles[index] for index in sorted(spec.grid.tiles)]
    # Without the label maps: those of a large image do not fit into memory.
    parts = [checkpoint.load_merges(tile) for tile in tiles]
    first = np.cumsum([0, *(part.n for part in parts)])
    total = int(first[-1])
    pairs = np.concatenate([p.merges + start for p, start in zip(parts, first[:-1], strict=True)])
    costs = np.concatenate([part.costs for part in parts])
    # Stable: within a tile, merges keep their order.
    cheapest = np.argsort(costs, kind="stable")[: max(0, total - spec.n_segments)]
    ids = _groups(total, pairs[cheapest])

    def save() -> None:
        for tile, part, start in zip(tiles, parts, first[:-1].tolist(), strict=True):
            checkpoint.save("ids", tile, {"ids": ids[[0, *range(start + 1, start + part.n + 1)]]})

    save()
    n = int(ids.max())
    if n > spec.n_segments:  # small tiles, or slivers of a mask: one tile alone cannot merge enough
        ids = _groups(n, merge_across_tiles(checkpoint, spec, n))[ids]
        save()
    return int(ids.max())


def _groups(n: int, pairs: NDArray[np.integer]) -> NDArray[np.uint32]:
    """For 0 and each of n ids the group that pairs make of them: 0, 1...K by their lowest id."""
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (n + 1, n + 1))
    _, group = connected_components(links, directed=False)
    _, lowest, inverse = np.unique(group, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(lowest)).astype(np.uint32)[inverse]
