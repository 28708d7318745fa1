"""Cut the region that varies most in two, again and again."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels.core.regions.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

# So many turns find the main axis of a region well enough to cut it across.
_POWER_ITERATIONS = 50


@compiled
def split_greedily(
    flat: NDArray[np.int32],
    points: NDArray[np.float32],
    offsets: NDArray[np.int64],
    pixels: NDArray[np.int64],
    bounds: tuple[NDArray[np.int64], NDArray[np.int64]],
    n_regions: int,
) -> int:
    """Cut the region that varies most in two, again and again; see `split.split_to_count`.

    Parameters
    ----------
    flat : ndarray of int32, shape (P,)
        Regions of the padded image, as one row; 0 outside. Changed here.
    points : ndarray of float32, shape (P, D)
        Features of each pixel.
    offsets : ndarray of int64, shape (S,)
        Where the neighbours that share a side lie in `flat`.
    pixels : ndarray of int64, shape (Q,)
        Pixels of the regions, one region after another, in ascending order. Changed here.
    bounds : (start, stop), each ndarray of int64, shape (N + 1,)
        Where the pixels of each region lie in `pixels`, N the number of regions wanted. Changed
        here.
    n_regions : int
        Number of regions so far.

    Returns
    -------
    int
        Number of regions then; less than N only if every region is a single pixel.
    """
    start, stop = bounds
    n_values = points.shape[1]
    state = np.zeros(len(flat), np.int8)
    aside = np.empty(len(pixels), np.int64)
    mean, axis, turned = np.empty(n_values), np.empty(n_values), np.empty(n_values)
    spread = np.empty((n_values, n_values))
    heap = [(np.inf, 0) for _ in range(0)]
    for i in range(1, n_regions + 1):
        if stop[i] - start[i] > 1:
            part = pixels[start[i] : stop[i]]
            heap.append((-_deviation(points, part, mean), i))
    heapify(heap)
    while heap and n_regions < len(start) - 1:
        _, i = heappop(heap)
        part = pixels[start[i] : stop[i]]
        _main_axis(points, part, mean, spread, axis, turned)
        n_above = 0
        for at in part:
            along = 0.0
            for v in range(n_values):
                along += axis[v] * (points[at, v] - mean[v])
            state[at] = 1 if along > 0 else 2
            n_above += along > 0
        if n_above == 0:  # by rounding, all lie on one side
            for at in part[: len(part) // 2]:
                state[at] = 1
        # The largest piece of one side, and of what is then left: the others touch the former.
        _keep_largest(part, state, offsets, 1, 2, aside)
        _keep_largest(part, state, offsets, 2, 1, aside)
        n_regions += 1
        n_kept = n_new = 0
        for at in part:
            if state[at] == 2:
                part[n_kept] = at
                n_kept += 1
            else:
                aside[n_new] = at
                n_new += 1
                flat[at] = n_regions
            state[at] = 0
        part[n_kept:] = aside[:n_new]
        start[n_regions], stop[n_regions] = start[i] + n_kept, stop[i]
        stop[i] = start[i] + n_kept
        for k in (i, n_regions):
            if stop[k] - start[k] > 1:
                half = pixels[start[k] : stop[k]]
                heappush(heap, (-_deviation(points, half, mean), k))
    return n_regions


@compiled
def _deviation(
    points: NDArray[np.float32], part: NDArray[np.int64], mean: NDArray[np.float64]
) -> float:
    """Sum of the squared deviations from the mean, which is left in `mean`."""
    mean[:] = 0
    for at in part:
        for v in range(len(mean)):
            mean[v] += points[at, v]
    mean /= len(part)
    total = 0.0
    for at in part:
        for v in range(len(mean)):
            gap = points[at, v] - mean[v]
            total += gap * gap
    return total


@compiled
def _main_axis(
    points: NDArray[np.float32],
    part: NDArray[np.int64],
    mean: NDArray[np.float64],
    spread: NDArray[np.float64],
    axis: NDArray[np.float64],
    turned: NDArray[np.float64],
) -> None:
    """Direction in which points vary most, by power iteration: alike on all machines."""
    n_values = len(axis)
    _deviation(points, part, mean)
    spread[:] = 0
    for at in part:
        for v in range(n_values):
            gap = points[at, v] - mean[v]
            for w in range(v + 1):
                spread[v, w] += gap * (points[at, w] - mean[w])
    widest = 0
    for v in range(n_values):
        for w in range(v):
            spread[w, v] = spread[v, w]
        if spread[v, v] > spread[widest, widest]:
            widest = v
    axis[:] = spread[widest]
    for _ in range(_POWER_ITERATIONS):
        largest = 0.0
        for v in range(n_values):
            turned[v] = 0.0
            for w in range(n_values):
                turned[v] += spread[v, w] * axis[w]
            largest = max(largest, abs(turned[v]))
        if largest == 0:
            return
        axis[:] = turned / largest


@compiled
def _keep_largest(
    part: NDArray[np.int64],
    state: NDArray[np.int8],
    offsets: NDArray[np.int64],
    kind: int,
    other: int,
    stack: NDArray[np.int64],
) -> None:
    """Give all pixels of a kind but those of its largest connected piece another kind."""
    best_seed, best_size = -1, 0
    for seed in part:
        if state[seed] == kind:
            size = _flood(seed, state, offsets, kind, kind + 2, stack)
            if size > best_size:
                best_seed, best_size = seed, size
    if best_seed >= 0:
        _flood(best_seed, state, offsets, kind + 2, kind, stack)
    for at in part:
        if state[at] == kind + 2:
            state[at] = other


@compiled
def _flood(
    seed: int,
    state: NDArray[np.int8],
    offsets: NDArray[np.int64],
    before: int,
    after: int,
    stack: NDArray[np.int64],
) -> int:
    """Give a connected piece of pixels another kind; count them."""
    state[seed] = after
    stack[0] = seed
    n_waiting, size = 1, 0
    while n_waiting:
        n_waiting -= 1
        at = stack[n_waiting]
        size += 1
        for offset in offsets:
            if state[at + offset] == before:
                state[at + offset] = after
                stack[n_waiting] = at + offset
                n_waiting += 1
    return size
