"""Which superpixels touch each other, kept up to date edit by edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_superpixels.editing.numbering import number
from napari_superpixels.editing.region import grow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_superpixels.editing.label_edit import LabelEdit


class Contacts:
    """Lengths of the borders between superpixels.

    Parameters
    ----------
    labels : ndarray of int
        Label map; 0 is outside.
    axes : sequence of int
        Axes along which superpixels touch: those of a plane or of a volume.
    """

    def __init__(self, labels: NDArray[np.integer], axes: Sequence[int]) -> None:
        self.axes = tuple(axes)
        self._length: dict[tuple[int, int], int] = {}
        self._add(labels, 1)

    def update(self, labels: NDArray[np.integer], edit: LabelEdit) -> None:
        """Follow an edit, at the cost of its bounding box.

        Parameters
        ----------
        labels : ndarray of int
            The label map after it.
        edit : LabelEdit
            What has changed.
        """
        if len(edit) == 0:
            return
        tight = tuple(slice(int(i.min()), int(i.max()) + 1) for i in edit.indices)
        wide = grow(tight, 1, labels.shape)
        box = tuple(
            w if k in self.axes else t for k, (t, w) in enumerate(zip(tight, wide, strict=True))
        )
        after = labels[box]
        before = after.copy()
        before[tuple(i - s.start for i, s in zip(edit.indices, box, strict=True))] = edit.old
        self._add(before, -1)
        self._add(after, 1)

    def objects(self, ids: NDArray[np.int64], category: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count the objects of each class: superpixels of a class that touch are one object.

        Parameters
        ----------
        ids : ndarray of int64, shape (K,)
            All superpixels of the label map, ascending.
        category : ndarray of int64, shape (K,)
            Their classes; 0 for none.

        Returns
        -------
        ndarray of int64, shape (largest class + 1,)
            Objects of each class, those without a class first.
        """
        pairs = np.array(list(self._length), np.int64).reshape(-1, 2)
        one, other = np.searchsorted(ids, pairs.T)
        same = category[one] == category[other]
        links = (np.ones(int(same.sum())), (one[same], other[same]))
        n, part = connected_components(coo_array(links, shape=(len(ids),) * 2), directed=False)
        class_of = np.zeros(n, np.int64)
        class_of[part] = category
        return np.bincount(class_of, minlength=1)

    def _add(self, labels: NDArray[np.integer], sign: int) -> None:
        sides = []
        for axis in self.axes:
            line = np.moveaxis(labels, axis, 0)
            one, other = line[:-1], line[1:]
            touch = (one != other) & (one != 0) & (other != 0)
            sides.append(np.stack([one[touch], other[touch]]))
        both = np.concatenate(sides, axis=1)
        if both.size == 0:
            return
        known, rows, _ = number(both)
        low, high = np.sort(rows, axis=0)
        found, times = np.unique(low * len(known) + high, return_counts=True)
        pairs = known[np.stack(np.divmod(found, len(known)), axis=1)].tolist()
        for (a, b), length in zip(pairs, (sign * times).tolist(), strict=True):
            left = self._length.get((a, b), 0) + length
            if left:
                self._length[a, b] = left
            else:
                del self._length[a, b]
