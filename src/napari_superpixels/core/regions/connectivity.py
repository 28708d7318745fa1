"""Connected superpixels from an argmax map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from skimage.measure import label

from napari_superpixels.core.regions.graph import adjacency, superpixel_sums
from napari_superpixels.core.regions.limits import NO_LIMITS, Limits
from napari_superpixels.core.regions.merge import merge_regions

if TYPE_CHECKING:
    from numpy.typing import NDArray


def connected_pieces(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Number the 4-connected pieces of a label map.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W) or (D, H, W)
        Label map; 0 is outside.

    Returns
    -------
    ndarray of int64, shape (H, W)
        Pieces 1...K in raster order of their first pixel; 0 outside.
    """
    return np.asarray(label(labels, background=0, connectivity=1), dtype=np.int64)


def join_small_pieces(
    pieces: NDArray[np.int64],
    features: NDArray[np.floating],
    min_size_px: int,
    limits: Limits = NO_LIMITS,
) -> NDArray[np.int64]:
    """Join each piece below `min_size_px` to the neighbour that it resembles most.

    The neighbour with the nearest mean feature, then with the longest common border, then with
    the lowest id. Pieces without a neighbour (islands of a mask) stay.

    Parameters
    ----------
    pieces : ndarray of int64, shape (H, W)
        Connected pieces 1...K, 0 outside.
    features : ndarray of float, shape (C, H, W)
        Colour per pixel.
    min_size_px : int
        Pixels.
    limits : Limits, optional
        Pieces of different groups stay apart.

    Returns
    -------
    ndarray of int64, shape (H, W)
        Connected pieces, numbered anew.
    """
    while True:
        n = int(pieces.max(initial=0)) + 1
        area, sums = superpixel_sums(pieces, features, n)
        pairs, border = adjacency(pieces)
        groups = limits.groups_of(pieces)
        # Of one group: through a piece of none, chains could join two groups.
        may_join = (groups[:, pairs[:, 0]] == groups[:, pairs[:, 1]]).all(0)
        pairs, border = pairs[may_join], border[may_join]
        # Both directions: a small piece looks at each of its neighbours.
        source = np.concatenate([pairs[:, 0], pairs[:, 1]])
        target = np.concatenate([pairs[:, 1], pairs[:, 0]])
        length = np.concatenate([border, border])
        small = area[source] < min_size_px
        if not small.any():
            return pieces
        source, target, length = source[small], target[small], length[small]
        mean = sums / np.maximum(area, 1)[:, None]
        distance = ((mean[source] - mean[target]) ** 2).sum(1)
        order = np.lexsort((target, -length, distance, source))
        _, first = np.unique(source[order], return_index=True)
        best = order[first]
        # Each small piece chooses one neighbour, so no two large ones ever merge.
        chosen = sparse.coo_matrix(
            (np.ones(len(best), bool), (source[best], target[best])), shape=(n, n)
        )
        _, group = sparse.csgraph.connected_components(chosen, directed=False)
        pieces = connected_pieces(group[pieces] * (pieces != 0) + (pieces != 0))


def connected_superpixels(
    labels: NDArray[np.integer],
    features: NDArray[np.floating],
    *,
    n_segments: int,
    min_size_px: int,
    limits: Limits = NO_LIMITS,
) -> NDArray[np.int32]:
    """Turn an argmax map into at most `n_segments` connected superpixels.

    Each 4-connected piece becomes a superpixel of its own; pieces below `min_size_px` join the
    neighbour that they resemble most; if more than `n_segments` are left, the most alike
    neighbours merge.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Winning channel + 1; 0 is outside.
    features : ndarray of float, shape (C, H, W)
        Colour per pixel, finite.
    n_segments : int
        Upper bound N.
    min_size_px : int
        Pixels.
    limits : Limits, optional
        Superpixels are cut along its walls, and hard ones keep them apart.

    Returns
    -------
    ndarray of int32, shape (H, W)
        Superpixels 1...K with K <= N, or more where hard walls keep more apart; 0 outside.

    Raises
    ------
    ValueError
        If the mask has more separate regions than `n_segments`, and there are no hard walls.
    """
    pieces = connected_pieces(limits.cut(labels, features))
    pieces = join_small_pieces(pieces, features, min_size_px, limits)
    if pieces.max(initial=0) <= n_segments:
        return pieces.astype(np.int32)
    merged = merge_regions(pieces, features, n_segments, limits=limits)
    if merged.max() > n_segments and not limits.hard:
        raise too_many_regions(int(merged.max()), n_segments)
    return merged


def too_many_regions(n_regions: int, n_segments: int) -> ValueError:
    """Say that a mask has more separate regions than superpixels are asked for."""
    return ValueError(
        f"the pixels to segment lie in {n_regions} separate regions, more than the {n_segments} "
        "superpixels asked for: ask for more, or leave small regions out"
    )
