"""Split the least homogeneous superpixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.measure import label

from napari_superpixels.core.regions.kernels import split_greedily
from napari_superpixels.core.regions.points import padded_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Pieces of background beside labels to refine: more only take time.
_MOST_BACKGROUND_PIECES = 20_000
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
    scale = np.sqrt(_COMPACTNESS) * (n_segments / np.count_nonzero(out)) ** (1 / out.ndim)
    sizes = np.ones(out.ndim) if spacing is None else np.asarray(spacing)
    points = padded_points(features, scale * sizes)
    padded = np.pad(out, 1)
    flat = padded.ravel()
    inside = np.flatnonzero(flat)
    pixels = inside[np.argsort(flat[inside], kind="stable")]
    start, stop = np.zeros(n_segments + 1, np.int64), np.zeros(n_segments + 1, np.int64)
    stop[: n + 1] = np.cumsum(np.bincount(flat[inside], minlength=n + 1))
    start[1 : n + 1] = stop[:n]
    steps = np.array(padded.strides) // padded.itemsize
    split_greedily(
        flat,
        points,
        np.concatenate([-steps, steps]),
        pixels,
        (start, stop),
        n,
    )
    return padded[(slice(1, -1),) * out.ndim].copy()


def with_background_pieces(
    labels: NDArray[np.int32], spacing: Sequence[float]
) -> NDArray[np.int32]:
    """Cut what has no label into pieces about as large as labels are.

    The background of an image has no one colour and no middle: its border is to be found by what
    lies near.

    Parameters
    ----------
    labels : ndarray of int32, shape (H, W) or (D, H, W)
        Labels 1...K, at least one; 0 is background.
    spacing : sequence of float
        Relative size of a pixel along each axis.

    Returns
    -------
    ndarray of int32, of the same shape
        The same labels; connected pieces of background, K + 1 and above.
    """
    background = labels == 0
    n_labels = int(labels.max())
    n_background = int(background.sum())
    if n_background == 0:
        return labels
    n_pieces = round(n_background * n_labels / (labels.size - n_background))
    n_pieces = min(n_pieces, _MOST_BACKGROUND_PIECES)
    # By position alone: by colour, what labels have missed of their objects would be a piece.
    nowhere = np.zeros((0, *labels.shape), np.float32)
    pieces = split_to_count(label(background, connectivity=1), nowhere, n_pieces, spacing=spacing)
    return np.where(background, pieces + n_labels, labels).astype(np.int32)
