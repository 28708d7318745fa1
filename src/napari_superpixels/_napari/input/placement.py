"""Where a result lies: all spatial fields of a layer, for a plane or a stack of planes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.transforms import Affine, CompositeAffine

from napari_superpixels._napari.input.transforms import (
    pixel_content,
    pixel_size,
    pixel_size_in_one_unit,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari.layers import Image
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Placement:
    """Turns a label map into the data and spatial arguments of a Labels layer.

    Attributes
    ----------
    axes : tuple of int
        For each axis of a label map (those of a stack, rows, columns) the axis of the result.
    singleton_axes : tuple of int
        Axes of length 1 that the result gets, so that it has the axes of its source.
    spatial : dict
        scale, translate, rotate, shear, affine, units and axis_labels.
    spacing : tuple of float, one for each of `axes`
        Size of a pixel, or voxel, in `unit`.
    unit : str
        That of the layer's columns; ``"pixel"`` where its units do not fit together.
    pixel_area, voxel_volume : float
        Area of a pixel in the plane, and what a pixel or voxel holds along all of `axes`; those of
        a sheared layer are less than the product of `spacing`.
    padding : ((int, int), (int, int))
        Rows above and below, columns left and right, that a label map lacks and that become 0.
    """

    axes: tuple[int, ...]
    singleton_axes: tuple[int, ...]
    spatial: Mapping[str, Any]
    spacing: tuple[float, ...]
    unit: str
    pixel_area: float
    voxel_volume: float
    padding: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))

    def expand(self, labels: NDArray[np.integer]) -> NDArray[np.integer]:
        """Give a label map the axes of its source.

        Parameters
        ----------
        labels : ndarray of int, shape (..., H, W)
            Label map.

        Returns
        -------
        ndarray of int
            The same labels in the order of the source's axes, with axes of length 1 where it was
            sliced, and its padding.
        """
        if self.padding != ((0, 0), (0, 0)):
            labels = np.pad(labels, ((0, 0),) * (labels.ndim - 2) + self.padding)
        order = np.argsort(self.axes).tolist()  # dask takes no array
        return np.expand_dims(labels.transpose(order), self.singleton_axes)

    def inside(self, data: NDArray[Any]) -> NDArray[Any]:
        """Find the label map in the data of a result.

        Parameters
        ----------
        data : ndarray of int
            What `expand` made.

        Returns
        -------
        ndarray of int, shape (..., H, W)
            A view, without the padding.
        """
        others = data.squeeze(self.singleton_axes).transpose(np.argsort(np.argsort(self.axes)))
        (top, bottom), (left, right) = self.padding
        height, width = others.shape[-2:]
        return others[..., top : height - bottom, left : width - right]

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
        first[list(self.axes[-2:])] = rows.start, columns.start
        fields = ("scale", "translate", "rotate", "shear")
        transform = CompositeAffine(ndim=ndim, **{name: self.spatial[name] for name in fields})
        return replace(self, spatial={**self.spatial, "translate": transform(first)})


def place_plane(
    layer: Image,
    axes: Sequence[int],
    index: Mapping[int, int],
    factors: Sequence[float],
    channel_axis: int | None = None,
) -> Placement:
    """Georeference a plane of a layer, or a stack of planes.

    A channel axis vanishes where it is the first, or that of RGB. Elsewhere, where napari would
    take the axes before it for others, it stays: one pixel long, and as thick as all channels.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.
    axes : sequence of int
        Axes of the layer that a label map has: those of the stack, rows, columns.
    index : mapping of int to int
        Position of the plane on each sliced axis.
    factors : sequence of float
        For each axis of the layer, full-resolution pixels per pixel of the plane (1 unless a
        coarser level of a multiscale layer is meant).
    channel_axis : int, optional
        Axis of the data that holds channels.

    Returns
    -------
    Placement
        Spatial fields.
    """
    index, factors = dict(index), list(factors)
    kept = [axis for axis in range(layer.ndim) if axis != 0 or channel_axis != 0]
    if channel_axis in kept:
        data = layer.data[0] if layer.multiscale else layer.data
        index[channel_axis], factors[channel_axis] = 0, data.shape[channel_axis]
    transform = CompositeAffine(
        scale=layer.scale,
        translate=layer.translate,
        rotate=layer.rotate,
        shear=layer.shear,
        ndim=layer.ndim,
    ).set_slice(kept)
    factor = np.array([factors[axis] for axis in kept])
    # A coarse pixel's centre lies (f - 1) / 2 past the centre of the first fine one that it covers.
    origin = np.array([index.get(axis, 0) for axis in kept]) * factor + (factor - 1) / 2
    scale = transform.scale * factor
    where = tuple(kept.index(axis) for axis in axes)
    known = pixel_size_in_one_unit(layer, axes)
    sizes, unit = known or (pixel_size(layer)[list(axes)].tolist(), "pixel")

    def content(axes: Sequence[int]) -> float:
        return pixel_content(layer, axes) * math.prod(factors[axis] for axis in axes)

    return Placement(
        axes=where,
        singleton_axes=tuple(i for i, axis in enumerate(kept) if axis in index),
        spatial={
            "scale": scale,
            "translate": transform(origin),
            "rotate": transform.rotate,
            "shear": transform.shear,
            "affine": Affine(affine_matrix=layer.affine.affine_matrix, ndim=layer.ndim).set_slice(
                kept
            ),
            "units": [layer.units[axis] for axis in kept],
            "axis_labels": [layer.axis_labels[axis] for axis in kept],
        },
        spacing=tuple(size * factors[axis] for size, axis in zip(sizes, axes, strict=True)),
        unit=unit,
        pixel_area=content(axes[-2:]),
        voxel_volume=content(axes),
    )
