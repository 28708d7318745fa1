"""Which border pixels fit a neighbour better, and their move there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels.core.regions.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def border_moves(
    flat: NDArray[np.int32],
    grid: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    colors: tuple[NDArray[np.float32], NDArray[np.float32]],
    ring: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]],
    removable: NDArray[np.bool_],
    held: tuple[NDArray[np.bool_], NDArray[np.int32], NDArray[np.int32]],
    moves: NDArray[np.int64],
) -> int:
    """Find the border pixels of one of the interleaved grids that fit a neighbour better.

    Parameters
    ----------
    flat : ndarray of int32, shape (P,)
        Superpixels of the padded image, as one row; 0 outside.
    grid : (start, count, stride), each ndarray of int64, shape (3,)
        Along depth, rows and columns: the grid's first pixel, the number of its pixels, and how far
        apart they lie in `flat`.
    colors : (points, mean)
        Colour and scaled position of each pixel, float32, shape (P, D), and the means of the
        superpixels, shape (K + 1, D).
    ring : (offsets, sides, weights)
        Of the neighbours that make a border longer: where they lie in `flat`, which of them share a
        side, and what one that belongs elsewhere costs.
    removable : ndarray of bool, shape (2 ** R,)
        For each pattern of like neighbours, whether the pixel may leave.
    held : (fixed, pixel_groups, groups)
        Pixels that stay, bool, shape (P,), or (0,) if there are none. Group of each pixel, int32,
        shape (M, P), and of each superpixel, shape (M, K + 1): a pixel of a group above 0 moves to
        superpixels of that group only; M = 0 if there are none.
    moves : ndarray of int64, shape (>= pixels of the grid, 3)
        Filled here: pixel, the superpixel that it joins, and the one that it leaves.

    Returns
    -------
    int
        Number of moves.
    """
    start, count, stride = grid
    points, mean = colors
    offsets, sides, weights = ring
    fixed, pixel_groups, groups = held
    n_values, n_ring = points.shape[1], len(offsets)
    steps = offsets[sides]
    near = np.empty(n_ring, np.int32)
    n_moves = 0
    for k in range(count[0]):
        for i in range(count[1]):
            at = start[0] + start[1] + start[2] + k * stride[0] + i * stride[1] - stride[2]
            for _ in range(count[2]):
                at += stride[2]
                own = flat[at]
                if own == 0 or (fixed.size and fixed[at]):
                    continue
                is_border = False
                for step in steps:  # most pixels end here
                    other = flat[at + step]
                    if other != own and other != 0:
                        is_border = True
                        break
                if not is_border:
                    continue
                pattern = 0
                for r in range(n_ring):
                    near[r] = flat[at + offsets[r]]
                    if near[r] == own:
                        pattern |= 1 << r
                if not removable[pattern]:
                    continue
                best, best_cost = own, np.float32(np.inf)
                for c in range(-1, len(sides)):
                    candidate = own if c < 0 else near[sides[c]]
                    if c >= 0 and (candidate == own or candidate == 0):
                        continue
                    is_open = True
                    if c >= 0:
                        for m in range(len(groups)):
                            group = pixel_groups[m, at]
                            if group != 0 and groups[m, candidate] != group:
                                is_open = False
                    if not is_open:
                        continue
                    cost = np.float32(0)
                    for v in range(n_values):
                        gap = points[at, v] - mean[candidate, v]
                        cost += gap * gap
                    if cost >= best_cost:
                        continue
                    border = np.float32(0)
                    for r in range(n_ring):
                        if near[r] != candidate:
                            border += weights[r]
                    cost += border
                    if cost < best_cost:
                        best, best_cost = candidate, cost
                if best != own:
                    moves[n_moves, 0], moves[n_moves, 1], moves[n_moves, 2] = at, best, own
                    n_moves += 1
    return n_moves


@compiled
def move_pixels(
    flat: NDArray[np.int32],
    colors: tuple[NDArray[np.float32], NDArray[np.float32]],
    moves: NDArray[np.int64],
    area: NDArray[np.int64],
    sums: NDArray[np.float64],
) -> None:
    """Move pixels to other superpixels, and update what is known of these.

    Parameters
    ----------
    flat, colors
        See `border_moves`; the means are changed here.
    moves : ndarray of int64, shape (M, 3)
        From `border_moves`.
    area : ndarray of int64, shape (K + 1,)
        Pixels of each superpixel.
    sums : ndarray of float64, shape (K + 1, D)
        Sums of the colours and positions over each.
    """
    points, mean = colors
    n_values = points.shape[1]
    for m in range(len(moves)):
        at, new, old = moves[m]
        flat[at] = new
        area[old] -= 1
        area[new] += 1
        for v in range(n_values):
            sums[old, v] -= points[at, v]
            sums[new, v] += points[at, v]
    for m in range(len(moves)):
        for changed in moves[m, 1:]:
            for v in range(n_values):
                mean[changed, v] = sums[changed, v] / max(area[changed], 1)
