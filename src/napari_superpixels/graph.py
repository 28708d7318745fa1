"""Region adjacency graph of a label map, and what is computed per superpixel."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def adjacency(labels: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of 4-neighbouring superpixels and the length of their common border.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Label map with ids 0...K; pairs with 0 (outside) are left out.

    Returns
    -------
    pairs : ndarray of int64, shape (E, 2)
        Each pair once, smaller id first, in ascending order.
    border : ndarray of int64, shape (E,)
        Pixel edges between the two.
    """
    first = np.concatenate([labels[:, :-1].ravel(), labels[:-1].ravel()]).astype(np.int64)
    second = np.concatenate([labels[:, 1:].ravel(), labels[1:].ravel()]).astype(np.int64)
    keep = (first != second) & (first != 0) & (second != 0)
    first, second = first[keep], second[keep]
    n = int(labels.max(initial=0)) + 1
    keys, border = np.unique(
        np.minimum(first, second) * n + np.maximum(first, second), return_counts=True
    )
    return np.stack(np.divmod(keys, n), axis=1), border


def superpixel_sums(
    labels: NDArray[np.integer], features: NDArray[np.floating], n: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return area and feature sums per label.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Label map with ids 0...n-1.
    features : ndarray of float, shape (C, H, W)
        Values per pixel.
    n : int
        Number of ids, 0 included.

    Returns
    -------
    area : ndarray of int64, shape (n,)
        Pixels.
    sums : ndarray of float64, shape (n, C)
        Sum of each feature.
    """
    flat = labels.ravel()
    area = np.bincount(flat, minlength=n).astype(np.int64)
    sums = np.stack(
        [np.bincount(flat, channel.ravel(), n).astype(np.float64) for channel in features], axis=1
    )
    return area, sums


def merge_to_count(
    area: NDArray[np.int64],
    sums: NDArray[np.float64],
    pairs: NDArray[np.int64],
    border: NDArray[np.int64],
    n_segments: int,
) -> NDArray[np.int64]:
    r"""Merge the most alike neighbours until at most `n_segments` superpixels are left.

    "Alike" is Ward's criterion: the pair whose union adds least variance,
    :math:`\frac{a_i a_j}{a_i + a_j} \|\mu_i - \mu_j\|^2`, goes first; ties by the longer common
    border, then by the lower ids.

    Parameters
    ----------
    area : ndarray of int64, shape (n,)
        Pixels of each label; labels of area 0 do not exist.
    sums : ndarray of float64, shape (n, C)
        Feature sums of each label.
    pairs : ndarray of int64, shape (E, 2)
        Neighbours.
    border : ndarray of int64, shape (E,)
        Length of their common border.
    n_segments : int
        Largest number to leave; separate islands cannot merge and may leave more.

    Returns
    -------
    ndarray of int64, shape (n,)
        For each label, the label that it has become.
    """
    parent = np.arange(len(area))
    size = area.astype(np.float64)
    total = sums.copy()
    links: list[dict[int, int]] = [{} for _ in area]
    for (i, j), length in zip(pairs.tolist(), border.tolist(), strict=True):
        links[i][j] = links[j][i] = length
    version = [0] * len(area)

    def entry(i: int, j: int) -> tuple[float, int, int, int, int, int]:
        i, j = min(i, j), max(i, j)
        gap = total[i] / size[i] - total[j] / size[j]
        cost = float(size[i] * size[j] / (size[i] + size[j]) * (gap @ gap))
        return cost, -links[i][j], i, j, version[i], version[j]

    heap = [entry(i, j) for i, j in pairs.tolist()]
    heapq.heapify(heap)
    left = int((area > 0).sum())
    while left > n_segments and heap:
        _, _, i, j, version_i, version_j = heapq.heappop(heap)
        if version[i] != version_i or version[j] != version_j:
            continue  # one of the two has grown or gone since
        parent[j] = i
        size[i] += size[j]
        total[i] += total[j]
        version[i] += 1
        version[j] += 1
        for k, length in links[j].items():
            del links[k][j]
            if k != i:
                links[i][k] = links[k][i] = links[i].get(k, 0) + length
        links[j].clear()
        for k in links[i]:
            heapq.heappush(heap, entry(i, k))
        left -= 1
    # A parent has always a lower id, so one pass in ascending order resolves chains.
    for i in range(len(parent)):
        parent[i] = parent[parent[i]]
    return parent


def superpixel_table(
    labels: NDArray[np.integer],
    image: ArrayLike,
    *,
    channel_names: Sequence[str],
    pixel_area: float = 1.0,
) -> dict[str, NDArray[np.generic]]:
    """Describe each superpixel by its area and its mean per channel.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Superpixels; 0 is outside.
    image : array_like, shape (C, H, W)
        Channels first, original values; NaNs are left out of the means.
    channel_names : sequence of str
        One name a channel.
    pixel_area : float, default 1.0
        Area of one pixel in physical units.

    Returns
    -------
    dict of str to ndarray, shape (K,)
        ``index`` (the label), ``area_px``, ``area`` (physical) and ``mean NAME`` per channel.
    """
    ids, area = np.unique(labels[labels != 0], return_counts=True)
    table: dict[str, NDArray[np.generic]] = {
        "index": ids.astype(np.int64),
        "area_px": area,
        "area": area * float(pixel_area),
    }
    for name, channel in zip(channel_names, np.asarray(image), strict=True):
        finite = np.isfinite(channel)
        total = ndimage.sum_labels(np.where(finite, channel, 0).astype(np.float64), labels, ids)
        count = ndimage.sum_labels(finite, labels, ids)
        table[f"mean {name}"] = np.divide(
            total, count, out=np.full(len(ids), np.nan), where=count > 0
        )
    return table


def contrasting_colors(
    labels: NDArray[np.integer], palette: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Choose a colour for each superpixel that differs from its neighbours' colours.

    Greedy colouring of the adjacency graph: in order of id, each superpixel takes the palette
    colour farthest from its already coloured neighbours, the least used one on a tie.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Superpixels 1...K; 0 is outside.
    palette : ndarray of float, shape (M, D)
        Candidate colours, in a space where Euclidean distance means difference; M >= 8.

    Returns
    -------
    ndarray of int64, shape (K,)
        Row of `palette` for each of the ids 1...K.
    """
    n = int(labels.max(initial=0)) + 1
    neighbours: list[list[int]] = [[] for _ in range(n)]
    for i, j in adjacency(labels)[0].tolist():
        neighbours[j].append(i)  # only the lower ids are coloured when j's turn comes
    distance = np.linalg.norm(palette[:, None] - palette[None], axis=-1)
    used = np.zeros(len(palette))
    chosen = np.zeros(n, np.int64)
    # Differences past a third of the palette's range look alike: usage then decides.
    enough = distance.max() / 3
    for i in range(1, n):
        near = chosen[neighbours[i]]
        gap = (
            distance[near].min(axis=0).clip(max=enough)
            if len(near)
            else np.full(len(palette), enough)
        )
        best = np.lexsort((used, -gap))[0]
        chosen[i] = best
        used[best] += 1
    return chosen[1:]
