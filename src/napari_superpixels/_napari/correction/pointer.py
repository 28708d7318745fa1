"""From the mouse to pixels of the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.draw import line_nd

from napari_superpixels.editing.label_edit import EditError

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_superpixels.editing.scope import Scope

    Position = tuple[int, ...]


def pixel_under(layer: Labels, scope: Scope, event: Any) -> Position:
    """Pixel of the labels under the mouse.

    Parameters
    ----------
    layer : napari.layers.Labels
    scope : Scope
        Plane or volume worked in.
    event : napari mouse event
        Press, move or release.

    Returns
    -------
    tuple of int
        May lie outside the data. In a 3D view, the first labelled voxel that the view hits.

    Raises
    ------
    EditError
        In a 3D view of a layer that has no depth.
    """
    if len(event.dims_displayed) > layer.ndim:
        raise EditError(f"“{layer.name}” has no depth: go back to the 2D view to correct it.")
    if len(event.dims_displayed) == 3:
        return _first_voxel(layer, event)
    point = layer.world_to_data(event.position[-layer.ndim :])
    pixel = [round(float(p)) for p in point]
    for axis, i in enumerate(scope.index):
        if axis not in scope.axes:
            pixel[axis] = i
    return tuple(int(i) for i in pixel)


def _first_voxel(layer: Labels, event: Any) -> Position:
    outside = (-1,) * int(layer.ndim)
    begin, end = layer.get_ray_intersections(
        event.position, event.view_direction, event.dims_displayed, world=True
    )
    if begin is None or end is None:
        return outside
    n = int(np.ceil(2 * np.linalg.norm(end - begin))) + 1
    for point in np.linspace(begin, end, n):
        voxel = tuple(
            int(np.clip(round(float(p)), 0, size - 1))
            for p, size in zip(point, layer.data.shape, strict=True)
        )
        if layer.data[voxel]:
            return voxel
    return outside


def pixels_between(start: Position, end: Position) -> list[Position]:
    """Pixels on the way from one to another, the first one left out.

    Parameters
    ----------
    start, end : tuple of int
        Pixels.

    Returns
    -------
    list of tuple of int
        Each a neighbour of the one before; empty if both are the same.
    """
    if start == end:
        return []
    path = np.stack(line_nd(start, end, endpoint=True), axis=1)
    return [tuple(int(i) for i in pixel) for pixel in path[1:]]
