"""Region adjacency graph of a label map, and what is computed per superpixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray


def adjacency(labels: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of neighbouring superpixels and the length of their common border.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W) or (D, H, W)
        Label map with ids 0...K; pairs with 0 (outside) are left out. Pixels that share an edge
        are neighbours, voxels that share a face.

    Returns
    -------
    pairs : ndarray of int64, shape (E, 2)
        Each pair once, smaller id first, in ascending order.
    border : ndarray of int64, shape (E,)
        Pixel edges (voxel faces) between the two.
    """
    sides = []
    for before, after in _neighbours(labels.ndim):
        one, other = labels[before], labels[after]
        keep = (one != other) & (one != 0) & (other != 0)
        sides.append((one[keep].astype(np.int64), other[keep].astype(np.int64)))
    first, second = (np.concatenate(side) for side in zip(*sides, strict=True))
    n = int(labels.max(initial=0)) + 1
    keys, border = np.unique(
        np.minimum(first, second) * n + np.maximum(first, second), return_counts=True
    )
    return np.stack(np.divmod(keys, n), axis=1), border


def _neighbours(ndim: int) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """For each axis, last first, the pixels that have a next one, and those next ones."""
    whole = (slice(None),)
    return [
        (
            whole * axis + (slice(None, -1),) + whole * (ndim - axis - 1),
            whole * axis + (slice(1, None),) + whole * (ndim - axis - 1),
        )
        for axis in reversed(range(ndim))
    ]


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


def most_frequent(
    labels: NDArray[np.integer], values: NDArray[np.integer], *, above_0: bool = False
) -> NDArray[np.int64]:
    """Find the value that most pixels of each label have.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W) or (D, H, W)
        Label map with ids 0...K.
    values : ndarray of int, of the same shape
        Of at least 0.
    above_0 : bool, default False
        Leave pixels out whose value is 0.

    Returns
    -------
    ndarray of int64, shape (K + 1,)
        Of equally frequent values the lowest; 0 for a label without a pixel, and outside.
    """
    counted = (labels > 0) & (values > 0) if above_0 else labels > 0
    found = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    kinds, kind = np.unique(values[counted], return_inverse=True)
    keys, count = np.unique(
        labels[counted].astype(np.int64) * len(kinds) + kind.ravel(), return_counts=True
    )
    ids, kind = np.divmod(keys, max(len(kinds), 1))
    # The most frequent one comes last, of equals the lowest, and so is what stays.
    order = np.lexsort((-kind, count, ids))
    found[ids[order]] = kinds[kind[order]]
    return found


def border_steps(
    labels: NDArray[np.integer], features: NDArray[np.floating], pairs: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sum the steps that the image makes across the border of each pair of neighbours.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W)
        Label map with ids 0...K.
    features : ndarray of float, shape (C, H, W)
        Values per pixel.
    pairs : ndarray of int64, shape (E, 2)
        From `adjacency`.

    Returns
    -------
    ndarray of float64, shape (E,)
        Sum of the Euclidean differences between the pixels on both sides.
    """
    total = np.zeros(len(pairs))
    for _, here, there, across, pair in _border_edges(labels, pairs):
        gap = features[:, *here][:, across] - features[:, *there][:, across]
        step = np.sqrt((gap**2).sum(0, dtype=np.float64))
        total += np.bincount(pair, step, len(pairs))
    return total


def border_lengths(
    labels: NDArray[np.integer], pairs: NDArray[np.int64], spacing: Sequence[float]
) -> NDArray[np.float64]:
    """Measure the common border of each pair of neighbours, along the pixels' edges.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W) or (D, H, W)
        Label map with ids 0...K.
    pairs : ndarray of int64, shape (E, 2)
        From `adjacency`.
    spacing : sequence of float
        Size of a pixel along each axis.

    Returns
    -------
    ndarray of float64, shape (E,)
        Length in 2D, area of the common surface in 3D, in the unit of `spacing`.
    """
    total = np.zeros(len(pairs))
    for axis, _, _, _, pair in _border_edges(labels, pairs):
        total += np.bincount(pair, minlength=len(pairs)) * (np.prod(spacing) / spacing[axis])
    return total


def _border_edges(
    labels: NDArray[np.integer], pairs: NDArray[np.int64]
) -> Iterator[
    tuple[int, tuple[slice, ...], tuple[slice, ...], NDArray[np.bool_], NDArray[np.int64]]
]:
    """For each axis: both sides, where an edge between them is a border, and of which pair."""
    n = int(max(labels.max(initial=0), pairs.max(initial=0))) + 1
    keys = pairs[:, 0] * n + pairs[:, 1]
    for axis, (here, there) in zip(
        reversed(range(labels.ndim)), _neighbours(labels.ndim), strict=True
    ):
        first, second = labels[here], labels[there]
        across = (first != second) & (first != 0) & (second != 0)
        one, other = first[across].astype(np.int64), second[across].astype(np.int64)
        pair = np.searchsorted(keys, np.minimum(one, other) * n + np.maximum(one, other))
        yield axis, here, there, across, pair


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
    labels : ndarray of int, shape (H, W) or (D, H, W)
        Superpixels; 0 is outside.
    image : array_like, shape (C, H, W) or (C, D, H, W)
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
    ids = np.unique(labels)
    ids = ids[ids != 0]
    sums = _summed([part_sums(labels, image)], ids, channel_names)
    area = sums.area
    table: dict[str, NDArray[np.generic]] = {"index": ids.astype(np.int64), "area_px": area}
    return table | {"area": area * float(pixel_area)} | sums.means


@dataclass(frozen=True, slots=True)
class PartSums:
    """Of each superpixel in a part of an image, or in a frame of a series; see `part_sums`.

    Attributes
    ----------
    ids : ndarray of int, shape (K,)
        Superpixels, in ascending order.
    area : ndarray of int, shape (K,)
        Pixels.
    total, weight : ndarray of float64, shape (C, K)
        Sum of the finite values of each channel, and their number.
    """

    ids: NDArray[np.integer]
    area: NDArray[np.int64]
    total: NDArray[np.float64]
    weight: NDArray[np.float64]


def part_sums(labels: NDArray[np.integer], image: ArrayLike) -> PartSums:
    """Sum up the pixels of each superpixel.

    Parameters
    ----------
    labels, image
        As for `superpixel_table`.

    Returns
    -------
    PartSums
        Much smaller than the image.
    """
    ids, area = np.unique(labels[labels != 0], return_counts=True)
    channels = np.asarray(image)
    total, weight = np.zeros((2, len(channels), len(ids)))
    for c, channel in enumerate(channels):
        finite = np.isfinite(channel)
        total[c] = ndimage.sum_labels(np.where(finite, channel, 0).astype(float), labels, ids)
        weight[c] = ndimage.sum_labels(finite, labels, ids)
    return PartSums(ids, area, total, weight)


def series_table(
    frames: Sequence[PartSums], *, channel_names: Sequence[str], pixel_area: float = 1.0
) -> dict[str, NDArray[np.generic]]:
    """Describe each superpixel of a series by its mean area and values over its frames.

    Parameters
    ----------
    frames : sequence of PartSums
        Of each frame.
    channel_names, pixel_area
        As for `superpixel_table`.

    Returns
    -------
    dict of str to ndarray, shape (K,)
        ``index`` (the label), ``frames`` (in how many it is), ``area_px`` and ``area`` (mean over
        these), and ``mean NAME`` per channel, over all pixels.
    """
    ids = np.unique(np.concatenate([frame.ids for frame in frames]))
    sums = _summed(frames, ids, channel_names)
    area = sums.area / np.maximum(sums.parts, 1)
    table: dict[str, NDArray[np.generic]] = {"index": ids.astype(np.int64), "frames": sums.parts}
    return table | {"area_px": area, "area": area * float(pixel_area)} | sums.means


def table_of_tiles(
    tiles: Iterable[tuple[NDArray[np.integer], ArrayLike]],
    n: int,
    *,
    channel_names: Sequence[str],
    pixel_area: float = 1.0,
) -> dict[str, NDArray[np.generic]]:
    """Do what `superpixel_table` does, with a part of the image in memory at a time.

    Parameters
    ----------
    tiles : iterable of (ndarray of int, shape (H, W), and array_like, shape (C, H, W))
        Labels and pixels of parts that do not overlap.
    n : int
        Superpixels are 1...n.
    channel_names, pixel_area
        As for `superpixel_table`.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        As from `superpixel_table`.
    """
    ids = np.arange(1, n + 1)
    sums = _summed((part_sums(*tile) for tile in tiles), ids, channel_names)
    table: dict[str, NDArray[np.generic]] = {"index": ids, "area_px": sums.area}
    return table | {"area": sums.area * float(pixel_area)} | sums.means


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of each superpixel: in how many parts it is, pixels in all, means by name."""

    parts: NDArray[np.int64]
    area: NDArray[np.int64]
    means: dict[str, NDArray[np.generic]]


def _summed(
    parts: Iterable[PartSums], ids: NDArray[np.integer], channel_names: Sequence[str]
) -> _Sums:
    n_parts, area = np.zeros((2, len(ids)), np.int64)
    total, weight = np.zeros((2, len(channel_names), len(ids)))
    for part in parts:
        at = np.searchsorted(ids, part.ids)
        n_parts[at] += 1
        area[at] += part.area
        total[:, at] += part.total
        weight[:, at] += part.weight
    means: dict[str, NDArray[np.generic]] = {}
    for name, sums, counts in zip(channel_names, total, weight, strict=True):
        nothing = np.full(len(ids), np.nan)
        means[f"mean {name}"] = np.divide(sums, counts, out=nothing, where=counts > 0)
    return _Sums(n_parts, area, means)


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
