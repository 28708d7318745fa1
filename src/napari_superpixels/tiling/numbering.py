"""Ids over the whole image: 1...K, at most as many as asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_superpixels.tiling.work_folder import Job, WorkFolder


def number_tiles(work: WorkFolder, job: Job) -> int:
    """Give the superpixels of all tiles their ids, and merge the cheapest pairs if they are many.

    Parameters
    ----------
    work : WorkFolder
        Has the tiles; gets an array of ids for each.
    job : Job
        The run.

    Returns
    -------
    int
        Number of superpixels K.
    """
    tiles = [job.grid.tiles[index] for index in sorted(job.grid.tiles)]
    parts = [work.load_labels(tile) for tile in tiles]
    first = np.cumsum([0, *(part.n for part in parts)])
    total = int(first[-1])
    parent = np.arange(total + 1)
    pairs = np.concatenate([p.merges + start for p, start in zip(parts, first[:-1], strict=True)])
    costs = np.concatenate([part.costs for part in parts])
    # Stable: within a tile, merges keep their order.
    cheapest = np.argsort(costs, kind="stable")[: max(0, total - job.n_segments)]
    for going_on, joining in pairs[cheapest].tolist():
        parent[joining] = going_on
    for i in range(total + 1):  # a parent has always a lower id
        parent[i] = parent[parent[i]]
    kept, ids = np.unique(parent, return_inverse=True)
    for tile, part, start in zip(tiles, parts, first[:-1].tolist(), strict=True):
        new = np.concatenate([[0], ids[start + 1 : start + part.n + 1]])
        work.save("ids", tile, {"ids": new.astype(np.uint32)})
    return len(kept) - 1
