"""Area and channel statistics per superpixel, kept up to date edit by edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels.editing.numbering import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class SuperpixelStatistics:
    """Sums over the pixels of each superpixel.

    Parameters
    ----------
    labels : ndarray of int
        Label map; 0 is outside.
    values : ndarray, shape (C, *labels.shape)
        Image, C may be 0; values that are not finite do not count.
    """

    def __init__(self, labels: NDArray[np.integer], values: NDArray[np.generic]) -> None:
        self.n_channels = len(values)
        self.ids = np.zeros(0, np.int64)
        self._sums = np.zeros((0, 1 + 3 * self.n_channels))
        inside = labels != 0
        self._add(labels[inside], [channel[inside] for channel in values], 1)

    @property
    def area(self) -> NDArray[np.int64]:
        """Pixels of each id in `ids`."""
        return self._sums[:, 0].astype(np.int64)

    def __contains__(self, label: int) -> bool:
        """Whether an id is in the label map."""
        row = np.searchsorted(self.ids, label)
        return bool(row < len(self.ids) and self.ids[row] == label)

    def area_of(self, label: int) -> int:
        """Pixels of one id; 0 if it is not there."""
        row = int(np.searchsorted(self.ids, label))
        return int(self._sums[row, 0]) if label in self else 0

    def update(
        self,
        old: NDArray[np.integer],
        new: NDArray[np.integer],
        values: Sequence[NDArray[np.generic]],
    ) -> None:
        """Follow an edit.

        Parameters
        ----------
        old, new : ndarray of int, shape (n,)
            Labels of the changed pixels before and after.
        values : sequence of C ndarrays, shape (n,)
            Image values of the pixels.
        """
        self._add(old[old != 0], [v[old != 0] for v in values], -1)
        self._add(new[new != 0], [v[new != 0] for v in values], 1)
        alive = self._sums[:, 0] > 0
        self.ids, self._sums = self.ids[alive], self._sums[alive]

    def mean(self) -> NDArray[np.float64]:
        """Mean of each channel, shape (K, C); NaN where no value is finite."""
        return self._moment(1)

    def std(self) -> NDArray[np.float64]:
        """Standard deviation of each channel, shape (K, C); NaN where no value is finite."""
        variance = self._moment(2) - self._moment(1) ** 2
        return np.asarray(np.sqrt(np.maximum(variance, 0)))

    def _moment(self, power: int) -> NDArray[np.float64]:
        c = self.n_channels
        count = self._sums[:, 1 : 1 + c]
        total = self._sums[:, 1 + power * c : 1 + (power + 1) * c]
        mean = np.full(total.shape, np.nan)
        np.divide(total, count, out=mean, where=count > 0)
        return mean

    def _add(
        self, ids: NDArray[np.integer], values: Sequence[NDArray[np.generic]], sign: int
    ) -> None:
        if len(ids) == 0:
            return
        known, row, count = number(ids)
        columns = [count.astype(float)]
        doubles = [v.astype(np.float64) for v in values]
        finite = [np.isfinite(v) for v in doubles]
        cleared = [np.where(f, v, 0) for f, v in zip(finite, doubles, strict=True)]
        columns += [np.bincount(row, f, len(known)) for f in finite]
        columns += [np.bincount(row, v, len(known)) for v in cleared]
        columns += [np.bincount(row, v**2, len(known)) for v in cleared]
        missing = known[~np.isin(known, self.ids, assume_unique=True)]
        if len(missing):
            at = np.searchsorted(self.ids, missing)
            self.ids = np.insert(self.ids, at, missing)
            self._sums = np.insert(self._sums, at, 0, axis=0)
        self._sums[np.searchsorted(self.ids, known)] += sign * np.stack(columns, axis=1)
