"""Compiled loops over pixels: the same results on one and on many threads, and on every machine.

Numba compiles a loop when it is first called, which takes seconds, and keeps it on disk for later
processes; `compile_kernels` does that ahead of time. Without ``fastmath``, so that sums are taken
in one order everywhere.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# So many turns find the main axis of a region well enough to cut it across.
_POWER_ITERATIONS = 50
_F = TypeVar("_F", bound="Callable[..., Any]")


def _compiled(function: _F) -> _F:
    """Compile a loop when it is first called; other threads run meanwhile."""
    return cast("_F", njit(cache=True, nogil=True)(function))


@_compiled
def border_moves(
    flat: NDArray[np.int32],
    grid: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    colors: tuple[NDArray[np.float32], NDArray[np.float32]],
    ring: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]],
    removable: NDArray[np.bool_],
    fixed: NDArray[np.bool_],
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
    fixed : ndarray of bool, shape (P,), or (0,)
        Pixels that stay; of length 0 if there are none.
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
    n_values, n_ring = points.shape[1], len(offsets)
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
                for side in sides:
                    other = flat[at + offsets[side]]
                    is_border |= other != own and other != 0
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


@_compiled
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


@_compiled
def _entry(
    pair: int,
    pairs: NDArray[np.int64],
    regions: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    links: tuple[NDArray[np.float64], NDArray[np.float64]],
    version: NDArray[np.int64],
    mean_area: float,
    noise: float,
) -> tuple[float, float, int, int, int, int, int]:
    """The smaller size, the cost, and what shows later whether the pair has changed."""
    size, total, border = regions
    length, step = links
    i, j = min(pairs[pair]), max(pairs[pair])
    squares = 0.0
    for c in range(total.shape[1]):
        gap = total[i, c] / size[i] - total[j, c] / size[j]
        squares += gap * gap
    # x ** 1.25 and x ** 0.75 by square roots, which all machines round alike.
    share = size[i] * size[j] / (size[i] + size[j]) / mean_area
    cost = share * np.sqrt(np.sqrt(share)) * (squares + step[pair] / length[pair] + noise)
    root = np.sqrt(min(border[i], border[j]) / length[pair])
    cost *= root * np.sqrt(root)
    return min(size[i], size[j]), cost, i, j, version[i], version[j], pair


@_compiled
def merge_greedily(
    regions: tuple[NDArray[np.float64], NDArray[np.float64]],
    pairs: NDArray[np.int64],
    links: tuple[NDArray[np.float64], NDArray[np.float64]],
    mean_area: float,
    noise: float,
    end: tuple[int, float],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Merge the two neighbours that cost least, again and again; see `merge.merge_tree`.

    Parameters
    ----------
    regions : (size, total)
        Pixels of each region, float64, shape (K + 1,), and the sums of their features, shape
        (K + 1, C). Changed here.
    pairs : ndarray of int64, shape (E, 2)
        Neighbours, the lower id first. Changed here.
    links : (length, step)
        Of each pair, float64, shape (E,): length of the common border, and the sum of the steps
        across it. Changed here.
    mean_area : float
        Pixels of a region of usual size.
    noise : float
        Added to each squared difference of features.
    end : (n_segments, min_size)
        Merging ends when so many regions are left, and none of them is smaller.

    Returns
    -------
    merges : ndarray of int64, shape (M, 2)
        In their order: the region that goes on, and the higher id that joins it.
    costs : ndarray of float64, shape (M,)
        Of each; -1 where one of the two was too small.
    """
    size, total = regions
    length, step = links
    n_segments, min_size = end
    n, n_pairs = len(size), len(pairs)
    version = np.zeros(n, np.int64)
    border = np.zeros(n)
    known_regions = (size, total, border)
    # Half e * 2 of pair e hangs at its first region, half e * 2 + 1 at its second one.
    first, last = np.full(n, -1), np.full(n, -1)
    following = np.full(2 * n_pairs, -1)
    for half in range(2 * n_pairs):
        region = pairs[half // 2, half % 2]
        border[region] += length[half // 2]
        if first[region] < 0:
            first[region] = half
        else:
            following[last[region]] = half
        last[region] = half
    heap = [(1, np.inf, 0, 0, 0, 0, 0) for _ in range(0)]
    for e in range(n_pairs):
        entry = _entry(e, pairs, known_regions, links, version, mean_area, noise)
        heap.append((int(entry[0] >= min_size), *entry[1:]))
    heapify(heap)
    n_left = 0
    for region in range(n):
        n_left += size[region] > 0
    met = np.full(n, -1)
    merges = np.empty((n, 2), np.int64)
    costs = np.empty(n)
    n_merges = 0
    while heap:
        is_large, cost, i, j, version_i, version_j, pair = heappop(heap)
        if version[i] != version_i or version[j] != version_j:
            continue  # one of the two has changed since
        if is_large and n_left <= n_segments:
            break
        merges[n_merges, 0], merges[n_merges, 1] = i, j
        costs[n_merges] = cost if is_large else -1
        n_merges += 1
        n_left -= 1
        size[i] += size[j]
        for c in range(total.shape[1]):
            total[i, c] += total[j, c]
        border[i] += border[j] - 2 * length[pair]
        length[pair] = -1  # no pair any more
        version[i] += 1
        version[j] += 1
        following[last[i]] = first[j]
        last[i] = last[j]
        half, before = first[i], -1
        while half >= 0:
            e = half // 2
            is_gone = length[e] < 0
            if not is_gone:
                other = pairs[e, 1 - half % 2]
                pairs[e, half % 2] = i
                known = met[other]
                if known >= 0:  # a neighbour of both
                    length[known] += length[e]
                    step[known] += step[e]
                    length[e] = -1
                    is_gone = True
                else:
                    met[other] = e
            if is_gone and before >= 0:
                following[before] = following[half]
            elif is_gone:
                first[i] = following[half]
            else:
                before = half
            half = following[half]
        last[i] = before
        half = first[i]
        while half >= 0:
            e = half // 2
            met[pairs[e, 1 - half % 2]] = -1
            entry = _entry(e, pairs, known_regions, links, version, mean_area, noise)
            heappush(heap, (int(entry[0] >= min_size), *entry[1:]))
            half = following[half]
    return merges[:n_merges], costs[:n_merges]


@_compiled
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


@_compiled
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


@_compiled
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


@_compiled
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


@_compiled
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
