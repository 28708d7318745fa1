"""Where a result lies: all spatial fields of a layer, for a plane of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.transforms import Affine, CompositeAffine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari.layers import Image
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Placement:
    """Turns a 2D label map into the data and spatial arguments of a Labels layer.

    Attributes
    ----------
    singleton_axes : tuple of int
        Axes of length 1 that the result gets, so that it has the axes of its source.
    spatial : dict
        scale, translate, rotate, shear, affine, units and axis_labels.
    pixel_area : float
        Area of a pixel in the plane, in the layer's units squared.
    padding : ((int, int), (int, int))
        Rows above and below, columns left and right, that a label map lacks and that become 0.
    """

    singleton_axes: tuple[int, ...]
    spatial: Mapping[str, Any]
    pixel_area: float
    padding: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))

    def expand(self, labels: NDArray[np.integer]) -> NDArray[np.integer]:
        """Give a label map the axes of its source.

        Parameters
        ----------
        labels : ndarray of int, shape (H, W)
            Label map.

        Returns
        -------
        ndarray of int
            The same labels with axes of length 1 where the source was sliced, and its padding.
        """
        if self.padding != ((0, 0), (0, 0)):
            labels = np.pad(labels, self.padding)
        return np.expand_dims(labels, self.singleton_axes)

    def padded(self, rows: slice, columns: slice, shape: tuple[int, int]) -> Placement:
        """For label maps of a part of the plane, which get zeros around them.

        Parameters
        ----------
        rows, columns : slice
            The part.
        shape : (int, int)
            Rows and columns of the plane.

        Returns
        -------
        Placement
            Of the same plane.
        """
        around = ((rows.start, shape[0] - rows.stop), (columns.start, shape[1] - columns.stop))
        return replace(self, padding=around)

    def cropped(self, rows: slice, columns: slice) -> Placement:
        """For label maps of a part of the plane, which become a smaller layer.

        Parameters
        ----------
        rows, columns : slice
            The part.

        Returns
        -------
        Placement
            Moved to the part's first pixel.
        """
        ndim = len(self.spatial["scale"])
        first = np.zeros(ndim)
        first[[axis for axis in range(ndim) if axis not in self.singleton_axes]] = (
            rows.start,
            columns.start,
        )
        fields = ("scale", "translate", "rotate", "shear")
        transform = CompositeAffine(ndim=ndim, **{name: self.spatial[name] for name in fields})
        return replace(self, spatial={**self.spatial, "translate": transform(first)})


def place_plane(
    layer: Image, axes: Sequence[int], index: Mapping[int, int], factors: Sequence[float]
) -> Placement:
    """Place a plane of a layer.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.
    axes : sequence of int
        Axes of the layer that the result keeps (all but a channel axis).
    index : mapping of int to int
        Position of the plane on each sliced axis.
    factors : sequence of float
        For each axis of the layer, full-resolution pixels per pixel of the plane (1 unless a
        coarser level of a multiscale layer is meant).

    Returns
    -------
    Placement
        Spatial fields.
    """
    axes = list(axes)
    transform = CompositeAffine(
        scale=layer.scale,
        translate=layer.translate,
        rotate=layer.rotate,
        shear=layer.shear,
        ndim=layer.ndim,
    ).set_slice(axes)
    factor = np.array([factors[axis] for axis in axes])
    # A coarse pixel's centre lies (f - 1) / 2 past the centre of the first fine one that it covers.
    origin = np.array([index.get(axis, 0) for axis in axes]) * factor + (factor - 1) / 2
    plane = [i for i, axis in enumerate(axes) if axis not in index]
    scale = transform.scale * factor
    return Placement(
        singleton_axes=tuple(i for i, axis in enumerate(axes) if axis in index),
        spatial={
            "scale": scale,
            "translate": transform(origin),
            "rotate": transform.rotate,
            "shear": transform.shear,
            "affine": Affine(affine_matrix=layer.affine.affine_matrix, ndim=layer.ndim).set_slice(
                axes
            ),
            "units": [layer.units[axis] for axis in axes],
            "axis_labels": [layer.axis_labels[axis] for axis in axes],
        },
        pixel_area=float(np.prod(scale[plane])),
    )
