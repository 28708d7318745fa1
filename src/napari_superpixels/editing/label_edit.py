"""One change of a label map, and its inverse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_superpixels.errors import SuperpixelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Box = tuple[slice, ...]


class EditError(SuperpixelError, ValueError):
    """An edit is not possible; the message says why and what to do. Nothing was changed."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelEdit:
    """Pixels of a label map, with their labels before and after.

    Attributes
    ----------
    indices : tuple of ndarray of intp, each of shape (n,)
        Position of the pixels, one array an axis; no pixel twice.
    old, new : ndarray of int, shape (n,)
        Labels before and after; they differ everywhere.
    """

    indices: tuple[NDArray[np.intp], ...]
    old: NDArray[np.integer]
    new: NDArray[np.integer]

    def __len__(self) -> int:
        """Pixels that change."""
        return len(self.old)

    def inverse(self) -> LabelEdit:
        """Return the edit that undoes this one."""
        return LabelEdit(self.indices, self.new, self.old)

    def apply(self, labels: NDArray[np.integer]) -> None:
        """Write the new labels into a label map.

        Parameters
        ----------
        labels : ndarray of int
            Changed in place.
        """
        labels[self.indices] = self.new

    def lift(self, axes: Sequence[int], index: Sequence[int]) -> LabelEdit:
        """Carry an edit of a plane or volume over to the array that it was cut from.

        Parameters
        ----------
        axes : sequence of int
            Axes of the array that the edit has.
        index : sequence of int
            Position in the array on every axis; those in `axes` do not matter.

        Returns
        -------
        LabelEdit
            The same pixels, in the array.
        """
        indices = [np.full(len(self), i, np.intp) for i in index]
        for axis, along in zip(axes, self.indices, strict=True):
            indices[axis] = along
        return LabelEdit(tuple(indices), self.old, self.new)


def edit_between(
    before: NDArray[np.integer], after: NDArray[np.integer], start: Sequence[int] | None = None
) -> LabelEdit:
    """Return what turns one label map into another.

    Parameters
    ----------
    before, after : ndarray of int
        Of one shape: a whole label map, or a box of it.
    start : sequence of int, optional
        Where the box begins.

    Returns
    -------
    LabelEdit
        The pixels that differ.
    """
    differ = before != after
    # Positions are looked for only between the first and the last row that differ.
    rows = np.flatnonzero(differ.reshape(len(differ), -1).any(axis=1))
    first, last = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
    found = np.nonzero(differ[first:last])
    changed = (found[0] + first, *found[1:])
    old, new = before[changed], after[changed].astype(before.dtype, copy=False)
    offset = np.zeros(before.ndim, np.intp) if start is None else np.asarray(start, np.intp)
    return LabelEdit(tuple(i + o for i, o in zip(changed, offset, strict=True)), old, new)
