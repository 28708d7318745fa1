"""Split the least homogeneous superpixels."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_superpixels.core.regions.graph import superpixel_sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Distance in the image counts this much besides colour, so that even regions split too.
_COMPACTNESS = 0.1


def split_to_count(
    labels: NDArray[np.integer],
    features: NDArray[np.floating],
    n_segments: int,
    *,
    spacing: Sequence[float] | None = None,
) -> NDArray[np.int32]:
    """Split the least homogeneous superpixels until there are `n_segments`.

    "Least homogeneous" is the largest sum of squared deviations from the superpixel's mean colour
    and position. It is cut in two across the direction in which it varies most.

    Parameters
    ----------
    labels : ndarray of int, shape (H, W) or (D, H, W)
        Connected superpixels 1...K; 0 is outside.
    features : ndarray of float, shape (C, *labels.shape)
        Colour per pixel, scaled to unit variance.
    n_segments : int
        Number wanted.
    spacing : sequence of float, optional
        Relative size of a pixel along each axis; 1 each if None.

    Returns
    -------
    ndarray of int32, of the same shape
        Connected superpixels 1...max(K, n_segments), the ids up to K kept for one part each;
        fewer only if every superpixel is a single pixel.
    """
    out = labels.astype(np.int32)
    n = int(out.max(initial=0))
    if n == 0 or n >= n_segments:
        return out
    position = np.indices(out.shape, np.float64)
    position *= np.sqrt(_COMPACTNESS) * (n_segments / np.count_nonzero(out)) ** (1 / out.ndim)
    if spacing is not None:
        position *= np.reshape(spacing, (-1, *(1,) * out.ndim))
    values = np.concatenate([features, position])
    area, sums = superpixel_sums(out, values, n + 1)
    _, squares = superpixel_sums(out, values**2, n + 1)
    spread = (squares - sums**2 / np.maximum(area, 1)[:, None]).sum(1)
    boxes = ndimage.find_objects(out)
    heap = [(-float(spread[i]), i, boxes[i - 1]) for i in range(1, n + 1) if area[i] > 1]
    heapq.heapify(heap)
    while heap and n < n_segments:
        _, i, box = heapq.heappop(heap)
        inside = out[box] == i
        points = values[:, *box][:, inside]
        new = _connected_half(inside, points)
        n += 1
        out[box][new] = n
        for part_id, part in ((i, inside & ~new), (n, new)):
            if np.count_nonzero(part) > 1:
                of_part = part[inside]
                rest = points[:, of_part] - points[:, of_part].mean(1, keepdims=True)
                heapq.heappush(heap, (-float((rest**2).sum()), part_id, _tight(part, box)))
    return out


def _connected_half(inside: NDArray[np.bool_], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Choose one of two connected parts of a connected region of at least two pixels."""
    centred = points - points.mean(1, keepdims=True)
    _, axes = np.linalg.eigh(centred @ centred.T)
    along = axes[:, -1] @ centred
    side = np.zeros_like(inside)
    # Ranks and not the mean where rounding leaves all on one side.
    side[inside] = along > 0 if (along > 0).any() else np.arange(along.size) < along.size // 2
    chosen = _largest(side)
    # What is left may be in pieces; all but the largest touch the chosen part and join it.
    return inside & ~_largest(inside & ~chosen)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    pieces, n = ndimage.label(mask)
    if n <= 1:
        return mask
    return np.asarray(pieces == np.bincount(pieces.ravel())[1:].argmax() + 1)


def _tight(part: NDArray[np.bool_], box: tuple[slice, ...]) -> tuple[slice, ...]:
    found = ndimage.find_objects(part.astype(np.int8))[0]
    return tuple(
        slice(outer.start + inner.start, outer.start + inner.stop)
        for outer, inner in zip(box, found, strict=True)
    )
