"""Superpixels of different tiles join, where joining within tiles leaves more than asked for."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels.core.regions.graph import adjacency

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_superpixels.tiling.checkpoint import Checkpoint
    from napari_superpixels.tiling.run_spec import RunSpec

    Links = dict[int, dict[int, float]]


def merge_across_tiles(checkpoint: Checkpoint, spec: RunSpec, n: int) -> NDArray[np.int64]:
    """Choose pairs that join until at most as many superpixels as asked for are left.

    The smallest goes first, to the neighbour with which it has the longest border: what is left
    to do here are slivers at the edges of tiles and masks, whose colours say little.

    Parameters
    ----------
    checkpoint : Checkpoint
        Has tiles and ids.
    spec : RunSpec
    n : int
        Number of superpixels so far.

    Returns
    -------
    ndarray of int64, shape (m, 2)
        Pairs of ids; fewer than needed where superpixels have no neighbours.
    """
    size, links = _neighbours(checkpoint, spec, n)
    smallest = [(size[i], i) for i in range(1, n + 1)]
    heapq.heapify(smallest)
    joined: list[tuple[int, int]] = []
    while smallest and n - len(joined) > spec.n_segments:
        area, i = heapq.heappop(smallest)
        if area != size[i] or not links[i]:
            continue  # it has grown or gone since, or is alone
        j = max(links[i], key=lambda k: (links[i][k], -k))
        for k, border in links.pop(i).items():
            del links[k][i]
            if k != j:
                links[j][k] = links[k][j] = links[j].get(k, 0.0) + border
        size[j] += size[i]
        size[i] = 0
        heapq.heappush(smallest, (size[j], j))
        joined.append((i, j))
    return np.array(joined, np.int64).reshape(-1, 2)


def _neighbours(checkpoint: Checkpoint, spec: RunSpec, n: int) -> tuple[list[int], Links]:
    """Pixels of each id, and the lengths of their common borders."""
    size = np.zeros(n + 1, np.int64)
    links: Links = defaultdict(dict)
    for tile in spec.grid.tiles.values():
        core = checkpoint.compose(spec, tile.index, tile.core)
        size += np.bincount(core.ravel(), minlength=n + 1)
        # A pixel more on the far sides, so that each border is in one tile at least.
        wider = tuple(
            slice(s.start, min(s.stop + 1, end))
            for s, end in zip(tile.core, spec.grid.shape, strict=True)
        )
        pairs, borders = adjacency(checkpoint.compose(spec, tile.index, wider).astype(np.int64))
        for (i, j), border in zip(pairs.tolist(), borders.tolist(), strict=True):
            links[i][j] = links[j][i] = links[i].get(j, 0.0) + border
    return size.tolist(), links
