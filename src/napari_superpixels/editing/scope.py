"""The plane or volume of a layer's data that is being worked in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_superpixels.editing.region import Region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_superpixels.editing.label_edit import Box, LabelEdit

    Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Scope:
    """Two axes (a plane) or three (a volume) of an array, at a position on the others.

    Attributes
    ----------
    axes : tuple of int
        Axes worked in, ascending.
    index : tuple of int
        Position on every axis of the array; those in `axes` do not matter.
    """

    axes: tuple[int, ...]
    index: tuple[int, ...]

    @classmethod
    def whole(cls, ndim: int) -> Scope:
        """All of a 2D or 3D array.

        Parameters
        ----------
        ndim : int
            Axes of the array.

        Returns
        -------
        Scope
            With all axes.
        """
        return cls(tuple(range(ndim)), (0,) * ndim)

    @property
    def ndim(self) -> int:
        """Axes worked in."""
        return len(self.axes)

    def view(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """Cut the scope out of an array, as a view.

        Parameters
        ----------
        array : ndarray
            Array.

        Returns
        -------
        ndarray
            2D or 3D.
        """
        return array[tuple(slice(None) if a in self.axes else i for a, i in enumerate(self.index))]

    def local(self, position: Sequence[int]) -> tuple[int, ...]:
        """Position in the scope of a position in the array."""
        return tuple(int(position[axis]) for axis in self.axes)

    def full(self, position: Sequence[int]) -> tuple[int, ...]:
        """Position in the array of a position in the scope."""
        out = list(self.index)
        for axis, i in zip(self.axes, position, strict=True):
            out[axis] = int(i)
        return tuple(out)

    def lift_box(self, box: Box) -> Box:
        """Box in the array of a box in the scope."""
        out = [slice(i, i + 1) for i in self.index]
        for axis, part in zip(self.axes, box, strict=True):
            out[axis] = part
        return tuple(out)

    def lift_edit(self, edit: LabelEdit) -> LabelEdit:
        """Edit of the array for an edit of the scope."""
        return edit.lift(self.axes, self.index)

    def lift_region(self, region: Region) -> Region:
        """Region of the array for a region of the scope."""
        others = tuple(a for a in range(len(self.index)) if a not in self.axes)
        return Region(self.lift_box(region.box), np.expand_dims(region.mask, others), region.label)
