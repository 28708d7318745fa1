"""From a layer's pixels to the world and back, with any transform and unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Layer
    from numpy.typing import ArrayLike, NDArray


def to_pixels(
    layer: Layer, world: ArrayLike, units: Sequence[Any] | None = None
) -> NDArray[np.float64]:
    """Map world coordinates to pixels of a layer.

    Parameters
    ----------
    layer : napari.layers.Layer
        The layer, with any transform.
    world : array_like, shape (N, D)
        Places; the last axes count where there are more than the layer has.
    units : sequence of pint.Unit, optional
        Units of the world, where they differ from the layer's own.

    Returns
    -------
    ndarray, shape (N, layer.ndim)
        Pixels of its full resolution, with fractions.
    """
    matrix, origin = _affine(layer.world_to_data, layer.ndim)
    own = np.asarray(world, float)[:, -layer.ndim :]
    # Between two events of a viewer that is closing, it may have fewer axes than its layers.
    own = np.pad(own, ((0, 0), (layer.ndim - own.shape[1], 0)))
    return own * _layer_units_per_world_unit(layer, units) @ matrix.T + origin


def slider_position(
    layer: Layer,
    point: Sequence[float],
    displayed: Sequence[int],
    units: Sequence[Any] | None = None,
) -> NDArray[np.float64]:
    """Find the slice of a layer that the sliders stand at, as napari does.

    Only axes with a slider count: where a transform mixes axes, as shear does, the place on the
    displayed ones does not move the slice.

    Parameters
    ----------
    layer : napari.layers.Layer
        The layer, with any transform.
    point : sequence of float, length D
        Where the viewer stands, in world coordinates.
    displayed : sequence of int
        Axes that the viewer displays, of its own.
    units : sequence of pint.Unit, optional
        Units of the world, where they differ from the layer's own.

    Returns
    -------
    ndarray, shape (layer.ndim,)
        Pixels of its full resolution, with fractions; of no meaning on displayed axes.
    """
    sliders = np.array(point, float)
    sliders[list(displayed)] = 0
    place: NDArray[np.float64] = to_pixels(layer, [sliders], units)[0]
    return place


def to_world(
    layer: Layer,
    pixels: ArrayLike,
    point: Sequence[float],
    units: Sequence[Any] | None = None,
) -> NDArray[np.float64]:
    """Map data coordinates of a layer to world coordinates.

    Parameters
    ----------
    layer : napari.layers.Layer
        The layer, with any transform.
    pixels : array_like, shape (N, layer.ndim)
        Places in its data.
    point : sequence of float, length D
        Where the viewer stands; fills the axes that the layer lacks.
    units : sequence of pint.Unit, optional
        Units of the world, where they differ from the layer's own.

    Returns
    -------
    ndarray, shape (N, D)
        Places in the world.
    """
    matrix, origin = _affine(layer.data_to_world, layer.ndim)
    given = np.asarray(pixels, float)
    world = np.zeros((len(given), max(len(point), layer.ndim)))
    world[:, world.shape[1] - len(point) :] = point
    own = given @ matrix.T + origin
    world[:, -layer.ndim :] = own / _layer_units_per_world_unit(layer, units)
    return world


def pixel_size(layer: Layer) -> NDArray[np.float64]:
    """Measure the pixels of a layer.

    Parameters
    ----------
    layer : napari.layers.Layer
        The layer, with any transform.

    Returns
    -------
    ndarray, shape (layer.ndim,)
        Length of a step along each axis, in the layer's units.
    """
    matrix, _ = _affine(layer.data_to_world, layer.ndim)
    return np.asarray(np.linalg.norm(matrix, axis=0), np.float64)


def pixel_size_in_one_unit(
    layer: Layer, axes: Sequence[int]
) -> tuple[tuple[float, ...], str] | None:
    """Measure the pixels of a layer along some of its axes.

    Parameters
    ----------
    layer : napari.layers.Layer
        The layer, with any transform and units.
    axes : sequence of int
        Axes of its data.

    Returns
    -------
    (tuple of float, str) or None
        Lengths and their unit, that of the last of the axes; None where the units do not fit
        together.
    """
    unit = layer.units[axes[-1]]
    if not all(layer.units[axis].is_compatible_with(unit) for axis in axes):
        return None
    sizes = pixel_size(layer)
    lengths = tuple(float((sizes[axis] * layer.units[axis]).m_as(unit)) for axis in axes)
    return lengths, str(unit)


def origin_in_one_unit(
    layer: Layer, axes: Sequence[int]
) -> tuple[tuple[float, ...] | None, tuple[bool, ...] | None]:
    """Find where a layer begins along some of its axes, and which of them run backwards.

    Parameters
    ----------
    layer : napari.layers.Layer
        With units that `pixel_size_in_one_unit` can convert.
    axes : sequence of int
        Axes of its data.

    Returns
    -------
    translation : tuple of float or None
        Centre of the first pixel, in the unit of the last of the axes; None for the origin of the
        world, and for a layer that is rotated or sheared, of which a scale and a translation do not
        say where it lies.
    flipped : tuple of bool or None
        None where no axis runs backwards, and for such a layer.
    """
    matrix, origin = _affine(layer.data_to_world, layer.ndim)
    if not np.allclose(matrix, np.diag(np.diagonal(matrix))):
        return None, None
    unit = layer.units[axes[-1]]
    moved = tuple(float((origin[axis] * layer.units[axis]).m_as(unit)) for axis in axes)
    flipped = tuple(bool(matrix[axis, axis] < 0) for axis in axes)
    return moved if any(moved) else None, flipped if any(flipped) else None


def time_step(layer: Layer, axis: int) -> tuple[float, str] | None:
    """Find the time from one frame to the next.

    Parameters
    ----------
    layer : napari.layers.Layer
    axis : int
        The axis of its data that holds frames.

    Returns
    -------
    tuple of (float, str) or None
        With its unit; None if that is no unit of time.
    """
    unit = layer.units[axis]
    if not unit.is_compatible_with("second"):
        return None
    return float(pixel_size(layer)[axis]), str(unit)


def pixel_content(layer: Layer, axes: Sequence[int]) -> float:
    """Measure the area of a pixel, or the volume of a voxel, also of a sheared layer.

    Parameters
    ----------
    layer : napari.layers.Layer
        The layer, with any transform and units.
    axes : sequence of int
        Axes of its data that span the pixel.

    Returns
    -------
    float
        In the unit of the last of the axes; in the layer's own where units do not fit together.
    """
    matrix, _ = _affine(layer.data_to_world, layer.ndim)
    unit = layer.units[axes[-1]]
    if all(layer.units[axis].is_compatible_with(unit) for axis in axes):
        one = 1 * unit  # rows of the matrix are axes of the world, each in a unit of its own
        sizes = [1 / one.m_as(own) if own.is_compatible_with(unit) else 1.0 for own in layer.units]
        matrix = matrix * np.array(sizes)[:, None]
    steps = matrix[:, list(axes)]
    # Gram's determinant: steps along the axes need not stand at right angles.
    return float(np.sqrt(max(np.linalg.det(steps.T @ steps), 0.0)))


def _affine(
    function: Callable[[NDArray[np.float64]], Any], ndim: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix and origin of an affine map that is known point by point."""
    origin = np.asarray(function(np.zeros(ndim)), float)
    steps = [np.asarray(function(unit), float) - origin for unit in np.eye(ndim)]
    return np.stack(steps, axis=1), origin


def _layer_units_per_world_unit(layer: Layer, units: Sequence[Any] | None) -> NDArray[np.float64]:
    if units is None or len(units) < layer.ndim:
        return np.ones(layer.ndim)
    pairs = zip(units[-layer.ndim :], layer.units, strict=True)
    # napari draws a layer in other units, such as new shapes in pixels, by its bare numbers.
    return np.array(
        [
            (1 * world).m_as(own) if world != own and world.is_compatible_with(own) else 1.0
            for world, own in pairs
        ]
    )
