"""Merge the two neighbours that cost least, again and again."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels.core.regions.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
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
    n_channels = total.shape[1] // 2
    for c in range(n_channels):
        mean_i, mean_j = total[i, c] / size[i], total[j, c] / size[j]
        square_i, square_j = total[i, n_channels + c] / size[i], total[j, n_channels + c] / size[j]
        spread_i = np.sqrt(max(square_i - mean_i * mean_i, 0.0))
        spread_j = np.sqrt(max(square_j - mean_j * mean_j, 0.0))
        gap, wider = mean_i - mean_j, spread_i - spread_j
        squares += gap * gap + wider * wider
    # x ** 1.25 and x ** 0.75 by square roots, which all machines round alike.
    share = size[i] * size[j] / (size[i] + size[j]) / mean_area
    cost = share * np.sqrt(np.sqrt(share)) * (squares + step[pair] / length[pair] + noise)
    root = np.sqrt(min(border[i], border[j]) / length[pair])
    cost *= root * np.sqrt(root)
    return min(size[i], size[j]), cost, i, j, version[i], version[j], pair


@compiled
def _may_merge(groups: NDArray[np.int32], i: int, j: int) -> bool:
    """Whether two regions do not belong to different groups."""
    for m in range(len(groups)):
        if groups[m, i] != groups[m, j] and groups[m, i] != 0 and groups[m, j] != 0:
            return False
    return True


@compiled
def merge_greedily(
    regions: tuple[NDArray[np.float64], NDArray[np.float64]],
    pairs: NDArray[np.int64],
    links: tuple[NDArray[np.float64], NDArray[np.float64]],
    mean_area: float,
    noise: float,
    end: tuple[int, float],
    groups: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Merge the two neighbours that cost least, again and again; see `merge.merge_tree`.

    Parameters
    ----------
    regions : (size, total)
        Pixels of each region, float64, shape (K + 1,), and the sums of their features and of the
        squares of these, shape (K + 1, 2 C). Changed here.
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
        Merging ends when so many regions are left, and none of them is smaller; or when those left
        are of different groups.
    groups : ndarray of int32, shape (M, K + 1)
        Of each region, 0 for none: regions of different groups do not merge. Changed here.

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
        if not _may_merge(groups, pairs[e, 0], pairs[e, 1]):
            continue
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
        for m in range(len(groups)):
            groups[m, i] = max(groups[m, i], groups[m, j])
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
            if _may_merge(groups, pairs[e, 0], pairs[e, 1]):
                entry = _entry(e, pairs, known_regions, links, version, mean_area, noise)
                heappush(heap, (int(entry[0] >= min_size), *entry[1:]))
            half = following[half]
    return merges[:n_merges], costs[:n_merges]
