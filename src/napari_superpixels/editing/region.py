"""One superpixel of a label map, found from a pixel of it without looking at the whole map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_superpixels.editing.label_edit import Box

_FIRST_HALF_WIDTH = {2: 32, 3: 12}


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Pixels of a label map, in their bounding box.

    Attributes
    ----------
    box : tuple of slice
        Bounding box in the map.
    mask : ndarray of bool
        Of the shape of the box; True for the region's pixels.
    label : int
        What they are labelled.
    """

    box: Box
    mask: NDArray[np.bool_]
    label: int

    @property
    def start(self) -> tuple[int, ...]:
        """Where the box begins."""
        return tuple(s.start for s in self.box)

    @property
    def area(self) -> int:
        """Pixels."""
        return int(np.count_nonzero(self.mask))

    @property
    def indices(self) -> tuple[NDArray[np.intp], ...]:
        """Position of the pixels in the map, in raster order."""
        inside = np.nonzero(self.mask)
        return tuple(i + s for i, s in zip(inside, self.start, strict=True))

    @property
    def first(self) -> tuple[int, ...]:
        """Position of the first pixel in raster order."""
        return tuple(int(i[0]) for i in self.indices)

    def local(self, position: Sequence[int]) -> tuple[int, ...]:
        """Position in the box of a pixel of the map."""
        return tuple(p - s for p, s in zip(position, self.start, strict=True))

    def __contains__(self, position: Sequence[int]) -> bool:
        """Whether a pixel of the map belongs to the region."""
        local = self.local(position)
        inside = all(0 <= i < n for i, n in zip(local, self.mask.shape, strict=True))
        return inside and bool(self.mask[local])


def region_at(labels: NDArray[np.integer], position: Sequence[int]) -> Region:
    """Find the superpixel at a pixel: all that is connected to it by the same label.

    The window in which it is looked for grows until the superpixel fits, so the cost depends on
    the superpixel's size and not on the map's.

    Parameters
    ----------
    labels : ndarray of int, 2D or 3D
        Label map.
    position : sequence of int
        Pixel inside the map.

    Returns
    -------
    Region
        Face-connected (4 neighbours in 2D, 6 in 3D).
    """
    at = tuple(int(p) for p in position)
    half = _FIRST_HALF_WIDTH.get(labels.ndim, 8)
    low = [max(p - half, 0) for p in at]
    high = [min(p + half + 1, n) for p, n in zip(at, labels.shape, strict=True)]
    label = labels[at]
    while True:
        window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        pieces, _ = ndimage.label(labels[window] == label)
        mask = pieces == pieces[tuple(p - a for p, a in zip(at, low, strict=True))]
        grew = False
        for axis in range(labels.ndim):
            size = high[axis] - low[axis]
            if low[axis] > 0 and mask.take(0, axis).any():
                low[axis], grew = max(low[axis] - size, 0), True
            if high[axis] < labels.shape[axis] and mask.take(-1, axis).any():
                high[axis], grew = min(high[axis] + size, labels.shape[axis]), True
        if not grew:
            return tight(mask, low, int(label))


def tight(mask: NDArray[np.bool_], start: Sequence[int], label: int) -> Region:
    """Make a region of a mask that is larger than its bounding box.

    Parameters
    ----------
    mask : ndarray of bool
        With at least one pixel.
    start : sequence of int
        Where the mask's array begins in the map.
    label : int
        What the pixels are labelled.

    Returns
    -------
    Region
        The same pixels.
    """
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    placed = tuple(slice(s + b.start, s + b.stop) for s, b in zip(start, box, strict=True))
    return Region(placed, mask[box], label)


def union(regions: Sequence[Region], label: int = 0) -> Region:
    """Put regions together.

    Parameters
    ----------
    regions : sequence of Region
        At least one.
    label : int, default 0
        Label of the union.

    Returns
    -------
    Region
        All their pixels.
    """
    low = reduce(np.minimum, [np.array([s.start for s in r.box]) for r in regions])
    high = reduce(np.maximum, [np.array([s.stop for s in r.box]) for r in regions])
    mask = np.zeros(high - low, bool)
    for region in regions:
        mask[_shift(region.box, -low)] |= region.mask
    return Region(tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True)), mask, label)


def grow(box: Box, by: int, shape: Sequence[int]) -> Box:
    """Widen a box on all sides, within an array.

    Parameters
    ----------
    box : tuple of slice
        Box.
    by : int
        Pixels.
    shape : sequence of int
        Shape of the array.

    Returns
    -------
    tuple of slice
        Wider box.
    """
    return tuple(
        slice(max(s.start - by, 0), min(s.stop + by, n)) for s, n in zip(box, shape, strict=True)
    )


def _shift(box: Box, by: Sequence[int] | NDArray[np.integer]) -> Box:
    return tuple(slice(s.start + int(b), s.stop + int(b)) for s, b in zip(box, by, strict=True))
