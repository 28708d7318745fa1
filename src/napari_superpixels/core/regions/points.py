"""Pixels as compiled loops take them: colour and position side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def padded_points(
    features: NDArray[np.floating], scale: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Put the colour and position of each pixel into a row.

    Parameters
    ----------
    features : ndarray of float, shape (C, H, W) or (C, D, H, W)
        Colour per pixel.
    scale : ndarray of float64, shape (2,) or (3,)
        What a step along each axis counts beside the colour.

    Returns
    -------
    ndarray of float32, shape (P, C + 2) or (P, C + 3)
        For the pixels of the image with one ring around it, which saves every border case; its
        colour is 0.
    """
    n_axes = len(scale)
    points = np.zeros((*(n + 2 for n in features.shape[1:]), len(features) + n_axes), np.float32)
    inner = (slice(1, -1),) * n_axes
    points[(*inner, slice(len(features)))] = np.moveaxis(features, 0, -1)
    for axis, side in enumerate(points.shape[:-1]):
        position = np.arange(-1, side - 1, dtype=np.float32) * scale[axis]
        others = tuple(k for k in range(n_axes) if k != axis)
        points[..., len(features) + axis] = np.expand_dims(position, others)
    return points.reshape(-1, points.shape[-1])
