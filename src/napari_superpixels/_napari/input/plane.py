"""What the viewer shows, and the pixel grid of the plane of a layer that it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from napari_superpixels._napari.input.transforms import slider_position, to_pixels, to_world
from napari_superpixels.io.formats import METADATA_KEY

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer
    from numpy.typing import ArrayLike, NDArray


# How far pixels of two layers may lie apart, in pixels.
_TOLERANCE_PX = 0.05


class InputError(ValueError):
    """The layer cannot be segmented as chosen; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class View:
    """What the viewer shows.

    Attributes
    ----------
    point : tuple of float
        Where the sliders stand, in world coordinates.
    displayed : tuple of int
        The viewer's displayed axes, counted from the last one (-1, -2).
    units : tuple of pint.Unit or None
        Units of the world; None where those of the layers do not fit together, or there are none.
    canvas : tuple of tuple of float
        The corners of the canvas in world coordinates, one after the other around it; empty in 3D.
    """

    point: tuple[float, ...]
    displayed: tuple[int, int]
    units: tuple[Any, ...] | None = None
    canvas: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def of(cls, viewer: Viewer) -> View:
        """Read it off a viewer; in 3D the plane of the last two axes counts.

        Parameters
        ----------
        viewer : napari.Viewer

        Returns
        -------
        View
            A snapshot.
        """
        dims = viewer.dims
        axes = sorted(axis - dims.ndim for axis in dims.order[-2:])
        units = None if dims.units is None else tuple(dims.units)
        canvas = _canvas_corners(viewer) if dims.ndisplay == 2 else ()
        return cls(tuple(dims.point), (axes[0], axes[1]), units, canvas)


def _canvas_corners(viewer: Viewer) -> tuple[tuple[float, ...], ...]:
    camera = viewer.scene.camera
    center = np.array(camera.center[-2:])
    half = np.array(viewer.canvas.viewbox_size(viewer.layers)) / (2 * camera.zoom)
    corners = []
    for sign in ((-1, -1), (-1, 1), (1, 1), (1, -1)):
        corner = np.array(viewer.dims.point, float)
        corner[list(viewer.dims.order[-2:])] = center + half * sign
        corners.append(tuple(corner.tolist()))
    return tuple(corners)


@dataclass(frozen=True, slots=True, eq=False)
class PlaneGrid:
    """The pixels of a plane of a layer.

    Attributes
    ----------
    layer : napari.layers.Image or napari.layers.Labels
    data : array_like
        Its data, at the level chosen; may be lazy.
    axes : (int, int)
        Row and column axis.
    index : dict of int to int
        Position of the plane on the axes that are cut, in pixels of `data`.
    factors : tuple of float
        For each axis of the layer, full-resolution pixels per pixel of `data`.
    units : tuple of pint.Unit or None
        Units of the world.
    """

    layer: Image | Labels
    data: Any
    axes: tuple[int, int]
    index: dict[int, int]
    factors: tuple[float, ...]
    units: tuple[Any, ...] | None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.data.shape[self.axes[0]], self.data.shape[self.axes[1]]

    def locate(self, world: ArrayLike) -> NDArray[np.float64]:
        """Find places on the grid.

        Parameters
        ----------
        world : array_like, shape (N, D)
            Places in world coordinates.

        Returns
        -------
        ndarray, shape (N, layer.ndim)
            Pixels of `data`, with fractions; whole numbers are the pixels' centres.
        """
        fine = to_pixels(self.layer, world, self.units)
        factors = np.array(self.factors)
        # A coarse pixel's centre lies (f - 1) / 2 past the centre of the first that it covers.
        places: NDArray[np.float64] = (fine - (factors - 1) / 2) / factors
        return places


def plane_grid(
    layer: Image | Labels,
    view: View,
    channel_axis: int | None = None,
    level: int = 0,
    plane: tuple[int, int] | None = None,
) -> PlaneGrid:
    """Find the plane of a layer at the position of the sliders.

    Parameters
    ----------
    layer : napari.layers.Image or napari.layers.Labels
    view : View
        What the viewer shows.
    channel_axis : int, optional
        Axis of the layer's data that is not cut.
    level : int, default 0
        Level of a multiscale layer.
    plane : (int, int), optional
        Axes of rows and columns; those that are shown if None.

    Returns
    -------
    PlaneGrid
        Its pixels.

    Raises
    ------
    InputError
        If the layer has no such plane; the message says what to do.
    """
    if layer.ndim < 2:
        raise InputError(f"“{layer.name}” has one axis only; an image needs two.")
    data = layer.data[level] if layer.multiscale else layer.data
    full = full_shape(layer)
    plane = plane or plane_axes(layer, view)
    if channel_axis in plane:
        raise InputError("The channel axis is one of the two that are shown: swap the axes shown.")
    point = slider_position(layer, view.point, view.displayed, view.units)
    index: dict[int, int] = {}
    for axis in range(layer.ndim):
        if axis in plane or axis == channel_axis:
            continue
        position = round(float(point[axis]))
        if not 0 <= position < full[axis]:
            raise InputError(
                f"The viewer stands outside “{layer.name}” ({axis_name(layer, axis)}, position "
                f"{position} of {full[axis]}): move the slider into the layer."
            )
        index[axis] = min(position * data.shape[axis] // full[axis], data.shape[axis] - 1)
    factors = tuple(full[axis] / data.shape[axis] for axis in range(layer.ndim))
    return PlaneGrid(layer, data, plane, index, factors, view.units)


def why_not_on_grid(grid: PlaneGrid, other: PlaneGrid, view: View) -> str:
    """Say why the pixels of one plane do not lie on those of another.

    Parameters
    ----------
    grid, other : PlaneGrid
        Planes of two layers.
    view : View
        What the viewer shows.

    Returns
    -------
    str
        The reason, to stand after “the pixels do not lie on each other”; empty if they do.
    """
    if grid.shape != other.shape:
        here, there = (f"{rows} × {columns}" for rows, columns in (grid.shape, other.shape))
        return f"“{other.layer.name}” has {there} pixels, “{grid.layer.name}” has {here}"
    height, width = grid.shape
    corners = np.array([[0, 0], [height - 1, 0], [0, width - 1]], float)
    if np.abs(map_pixels(grid, other, corners, view) - corners).max() > _TOLERANCE_PX:
        return "they differ in scale, place or rotation"
    return ""


def map_pixels(
    grid: PlaneGrid, other: PlaneGrid, pixels: NDArray[np.float64], view: View
) -> NDArray[np.float64]:
    """Find pixels of one plane on another.

    Parameters
    ----------
    grid, other : PlaneGrid
        Planes of two layers.
    pixels : ndarray, shape (N, 2)
        Rows and columns of `grid`.
    view : View
        What the viewer shows.

    Returns
    -------
    ndarray, shape (N, 2)
        Rows and columns of `other`.
    """
    places = np.zeros((len(pixels), grid.layer.ndim))
    for axis, position in grid.index.items():
        places[:, axis] = position
    places[:, list(grid.axes)] = pixels
    factors = np.array(grid.factors)
    world = to_world(grid.layer, places * factors + (factors - 1) / 2, view.point, view.units)
    return other.locate(world)[:, list(other.axes)]


def same_slices(grid: PlaneGrid, other: PlaneGrid, axis: int, own: int, view: View) -> bool:
    """Tell whether the slices of two stacks lie on each other.

    Parameters
    ----------
    grid, other : PlaneGrid
        Planes of two layers.
    axis, own : int
        Axis of the stack in the data of the first layer, and in those of the other.
    view : View
        What the viewer shows.

    Returns
    -------
    bool
        True if the first and the last slice do.
    """
    ends = np.zeros((2, grid.layer.ndim))
    for sliced, position in grid.index.items():
        ends[:, sliced] = position
    ends[:, axis] = 0, grid.data.shape[axis] - 1
    factors = np.array(grid.factors)
    world = to_world(grid.layer, ends * factors + (factors - 1) / 2, view.point, view.units)
    places = other.locate(world)
    moved = np.flatnonzero(np.abs(places[1] - places[0]) > _TOLERANCE_PX)
    is_along = list(moved) in ([own], [])
    return is_along and bool(np.abs(places[:, own] - ends[:, axis]).max() <= _TOLERANCE_PX)


def lazy(data: Any) -> Any:
    """Make slices of an array lazy; those of zarr and the like would be read at once.

    Parameters
    ----------
    data : array_like
        Data of a layer.

    Returns
    -------
    array_like
        NumPy and dask arrays as they are, anything else as a dask array.
    """
    if hasattr(data, "__array_function__"):
        return data
    # Its own chunks: dask would put many into one, and read all of them for one slice.
    chunks = getattr(data, "chunks", None) or "auto"
    return da.from_array(data, chunks=chunks, name=False)


def plane_axes(layer: Layer, view: View) -> tuple[int, int]:
    """Axes of a layer that the viewer displays.

    Parameters
    ----------
    layer : napari.layers.Layer
        At least 2D.
    view : View
        What the viewer shows.

    Returns
    -------
    (int, int)
        Row and column axis of the layer's data, ascending; its last two where the viewer
        displays an axis that the layer does not have.
    """
    axes = [layer.ndim + axis for axis in view.displayed]
    if min(axes) < 0:
        axes = [layer.ndim - 2, layer.ndim - 1]
    return axes[0], axes[1]


def axis_name(layer: Layer, axis: int) -> str:
    """Name an axis: “axis 0”, with its label where it was given one.

    Parameters
    ----------
    layer : napari.layers.Layer
    axis : int
        Axis of its data.

    Returns
    -------
    str
        For messages.
    """
    label = f" “{layer.axis_labels[axis]}”" if is_labelled(layer, axis) else ""
    return f"axis {axis}{label}"


def is_labelled(layer: Layer, axis: int) -> bool:
    """Whether an axis has a label of its own; napari's defaults are -3, -2, -1."""
    return bool(layer.axis_labels[axis] != str(axis - layer.ndim))


def channel_names(layer: Image, n: int) -> tuple[str, ...]:
    """Name the channels of a layer.

    Parameters
    ----------
    layer : napari.layers.Image
    n : int
        How many it has.

    Returns
    -------
    tuple of str
        Of RGB the colours; else what the reader of GeoTIFFs calls its bands, or numbers from 0.
    """
    if layer.rgb:
        return ("red", "green", "blue")
    bands = tuple(map(str, layer.metadata.get(METADATA_KEY, {}).get("bands", ())))
    if len(bands) == len(set(bands)) == n:
        return bands
    return ("intensity",) if n == 1 else tuple(f"channel {i}" for i in range(n))


def full_shape(layer: Image | Labels) -> tuple[int, ...]:
    """Shape of the layer's full-resolution data.

    Parameters
    ----------
    layer : napari.layers.Image or napari.layers.Labels

    Returns
    -------
    tuple of int
        Shape, with the RGB axis where there is one.
    """
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(data.shape)
