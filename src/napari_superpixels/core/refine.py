"""Boundary refinement at full resolution: pixels on borders move to the superpixel they fit best.

A local, deterministic relative of topology-preserving refinement (J. Yao et al., "Real-Time
Coarse-to-fine Topologically Preserving Segmentation", CVPR 2015), written from the idea of block
coordinate descent on colour, position and border length.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from skimage.measure import label

from napari_superpixels.graph import superpixel_sums

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

# Offsets of the eight neighbours; bit k of a pattern is neighbour k.
_RING = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
_SIDES = (1, 3, 4, 6)  # the four of them that share an edge


@cache
def _removable() -> NDArray[np.bool_]:
    """Tell for each of the 256 patterns of like neighbours whether the centre may leave.

    It may if the like 4-neighbours stay 4-connected to each other inside the 3x3 patch: then the
    superpixel stays connected. A pixel without a like 4-neighbour is a whole superpixel.
    """
    table = np.zeros(256, bool)
    for pattern in range(256):
        patch = np.zeros((3, 3), np.uint8)
        for bit, (dy, dx) in enumerate(_RING):
            patch[1 + dy, 1 + dx] = pattern >> bit & 1
        parts = label(patch, connectivity=1)
        touching = {int(parts[1 + dy, 1 + dx]) for dy, dx in (_RING[k] for k in _SIDES)} - {0}
        table[pattern] = len(touching) == 1
    return table


def refine_boundaries(
    labels: NDArray[np.int32],
    features: NDArray[np.floating],
    *,
    iterations: int,
    compactness: float,
    smoothness: float,
    frozen: NDArray[np.bool_] | None = None,
) -> Generator[None, None, NDArray[np.int32]]:
    """Move border pixels to the neighbouring superpixel that they fit best, a round at a time.

    A pixel p of colour f and position x joins, of its own superpixel and those of its four
    neighbours, the one that minimises
    ``|f - mean_colour|^2 + compactness * |x - centroid|^2 / S^2 + smoothness * n``, where n counts
    the eight neighbours that belong elsewhere and S^2 is the mean area of a superpixel. It moves
    only if its superpixel stays 4-connected; pixels are visited in four interleaved grids, so that
    no two neighbours move at once and this holds by construction.

    Parameters
    ----------
    labels : ndarray of int32, shape (H, W)
        Connected superpixels 1...K; 0 outside stays 0.
    features : ndarray of float, shape (C, H, W)
        Colour per pixel, scaled to unit variance.
    iterations : int
        Largest number of rounds; ends early when no pixel moves.
    compactness : float
        Weight of the distance to the centroid; >= 0.
    smoothness : float
        Weight of the border length; >= 0.
    frozen : ndarray of bool, shape (H, W), optional
        Pixels without a colour: they keep their superpixel, hold it together, and do not count in
        its mean.

    Yields
    ------
    None
        After each round: stop iterating to give up.

    Returns
    -------
    ndarray of int32, shape (H, W)
        Refined superpixels: the same ids, none lost, each connected.
    """
    height, width = labels.shape
    n = int(labels.max(initial=0)) + 1
    if n <= 2 or iterations == 0:
        return labels.copy()
    # One ring of 0 around the image saves every border case.
    padded = np.pad(labels, 1)
    stride = width + 2
    flat = padded.ravel()
    ys, xs = np.mgrid[-1 : height + 1, -1 : width + 1].astype(np.float32)
    area = np.bincount(labels.ravel(), minlength=n)
    scale = np.sqrt(compactness / max(area[1:][area[1:] > 0].mean(), 1.0))
    color = np.pad(features, ((0, 0), (1, 1), (1, 1)))
    values = np.concatenate([color, ys[None] * scale, xs[None] * scale]).astype(np.float32)
    points = values.reshape(len(values), -1)
    ring = np.array([dy * stride + dx for dy, dx in _RING])
    bits = (1 << np.arange(8)).astype(np.uint8)[:, None]
    fixed = None if frozen is None else np.pad(frozen, 1)
    counted = padded if fixed is None else padded * ~fixed
    area, sums = superpixel_sums(counted, values, n)
    for _ in range(iterations):
        moved = 0
        for oy in (0, 1):
            for ox in (0, 1):
                at = _border_pixels(padded, oy, ox)
                if fixed is not None:
                    at = at[~fixed.ravel()[at]]
                own = flat[at]
                around = flat[at + ring[:, None]]
                pattern = ((around == own) * bits).sum(0, dtype=np.uint8)
                free = _removable()[pattern]
                at, own, around = at[free], own[free], around[:, free]
                mean = (sums / np.maximum(area, 1)[:, None]).astype(np.float32).T
                best = _best_neighbours(points[:, at], own, around, mean, smoothness)
                change = best != own
                if not change.any():
                    continue
                at, own, best = at[change], own[change], best[change]
                flat[at] = best
                moved += len(at)
                np.subtract.at(area, own, 1)
                np.add.at(area, best, 1)
                np.subtract.at(sums, own, points[:, at].T)
                np.add.at(sums, best, points[:, at].T)
        if moved == 0:
            break
        yield
    return padded[1:-1, 1:-1].copy()


def _border_pixels(padded: NDArray[np.int32], oy: int, ox: int) -> NDArray[np.int64]:
    """Flat indices of one of the four grids' pixels that have another 4-neighbour."""
    center = padded[1 + oy : -1 : 2, 1 + ox : -1 : 2]
    rows, cols = center.shape
    border = np.zeros(center.shape, bool)
    for dy, dx in (_RING[k] for k in _SIDES):
        other = padded[1 + oy + dy :: 2, 1 + ox + dx :: 2][:rows, :cols]
        border |= (center != other) & (other != 0)
    y, x = np.nonzero(border & (center != 0))
    return np.asarray((1 + oy + 2 * y) * padded.shape[1] + 1 + ox + 2 * x)


def _best_neighbours(
    points: NDArray[np.float32],
    own: NDArray[np.int32],
    around: NDArray[np.int32],
    mean: NDArray[np.float32],
    smoothness: float,
) -> NDArray[np.int32]:
    """For each pixel (columns), the cheapest of its own superpixel and its 4-neighbours'."""

    def cost(
        pixels: slice | NDArray[np.int64], candidate: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        data = ((points[:, pixels] - mean[:, candidate]) ** 2).sum(0)
        elsewhere = (around[:, pixels] != candidate).sum(0, dtype=np.uint8)
        return np.asarray(data + np.float32(smoothness) * elsewhere)

    best, best_cost = own.copy(), cost(slice(None), own)
    for k in _SIDES:
        other = np.flatnonzero((around[k] != own) & (around[k] != 0))
        candidate = around[k, other]
        candidate_cost = cost(other, candidate)
        better = candidate_cost < best_cost[other]
        best[other[better]] = candidate[better]
        best_cost[other[better]] = candidate_cost[better]
    return best
