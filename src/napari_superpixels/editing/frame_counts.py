"""In how many frames of a series each superpixel is, kept up to date edit by edit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels.editing.statistics import SuperpixelStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_superpixels.editing.label_edit import LabelEdit


class FrameCounts:
    """Frames of each superpixel.

    Parameters
    ----------
    labels : ndarray of int
        Label map; 0 is outside.
    axes : sequence of int
        Its axes that count frames.
    """

    def __init__(self, labels: NDArray[np.integer], axes: Sequence[int]) -> None:
        self._axes = tuple(axes)
        self._shape = tuple(labels.shape[axis] for axis in self._axes)
        places = np.arange(math.prod(self._shape)).reshape(self._shape)
        others = [axis for axis in range(labels.ndim) if axis not in self._axes]
        frame = np.expand_dims(places, others)
        # A superpixel in a frame counts as one of its own.
        self._parts = SuperpixelStatistics(self._part(labels, frame), np.zeros((0, *labels.shape)))

    def update(self, edit: LabelEdit) -> None:
        """Follow an edit.

        Parameters
        ----------
        edit : LabelEdit
            What has changed.
        """
        places = [edit.indices[axis] for axis in self._axes]
        frame = np.ravel_multi_index(places, self._shape)
        self._parts.update(self._part(edit.old, frame), self._part(edit.new, frame), [])

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Look up superpixels.

        Parameters
        ----------
        ids : ndarray of int64
            Labels that are in the label map.

        Returns
        -------
        ndarray of int64
            In how many frames each is.
        """
        known, counts = np.unique(self._parts.ids // self._n, return_counts=True)
        return counts[np.searchsorted(known, ids)]

    @property
    def _n(self) -> int:
        return math.prod(self._shape)

    def _part(self, labels: NDArray[np.integer], frame: NDArray[np.integer]) -> NDArray[np.int64]:
        return np.where(labels == 0, 0, labels.astype(np.int64) * self._n + frame)
