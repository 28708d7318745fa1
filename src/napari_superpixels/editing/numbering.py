"""Number the distinct labels of many pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def number(
    labels: NDArray[np.integer],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct labels, each pixel's row in them, and pixels per label.

    Like ``np.unique`` with its inverse and counts; without sorting where labels are low.

    Parameters
    ----------
    labels : ndarray of int
        Any shape, not empty.

    Returns
    -------
    labels : ndarray of int64, shape (K,)
        Ascending.
    rows : ndarray of int64, shape of the input
        ``labels[rows]`` is the input.
    counts : ndarray of int64, shape (K,)
        Pixels.
    """
    if int(labels.min()) < 0 or int(labels.max()) > 4 * labels.size + 65535:
        known, rows, counts = np.unique(labels, return_inverse=True, return_counts=True)
        return known.astype(np.int64), rows.reshape(labels.shape), counts
    histogram = np.bincount(labels.ravel())
    known = np.flatnonzero(histogram)
    row_of = np.zeros(len(histogram), np.int64)
    row_of[known] = np.arange(len(known))
    return known, row_of[labels], histogram[known]
