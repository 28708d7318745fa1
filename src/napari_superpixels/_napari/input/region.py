"""Where in a plane to segment: what the canvas shows, inside shapes, inside labels."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.draw import polygon

from napari_superpixels._napari.input.plane import (
    InputError,
    PlaneGrid,
    View,
    axis_name,
    full_shape,
    lazy,
    map_pixels,
    plane_axes,
    plane_grid,
    same_slices,
)
from napari_superpixels._napari.input.transforms import slider_position, to_world

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari.layers import Labels, Shapes
    from numpy.typing import NDArray

# An ellipse becomes a polygon that leaves it by less than this, in pixels.
_ELLIPSE_ERROR_PX = 0.1
_LARGEST_STRETCH_PX = 0.05
_DECIMALS = 4
_WITHOUT_AREA = ("line", "path")


class Where(StrEnum):
    """What a user can choose."""

    WHOLE = "whole image"
    VISIBLE = "visible region"
    SHAPES = "inside shapes"
    LABELS = "inside labels (mask)"


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """A mask as polygons, which are united.

    Attributes
    ----------
    polygons : tuple of ndarray, shape (N, 2)
        Rows and columns of their corners.
    shape : (int, int)
        Rows and columns of the mask.
    """

    polygons: tuple[NDArray[np.float64], ...]
    shape: tuple[int, int]

    def pixels(self) -> NDArray[np.bool_]:
        """Draw the mask: pixels whose centre lies inside.

        Returns
        -------
        ndarray of bool
            The mask.
        """
        mask = np.zeros(self.shape, bool)
        for corners in self.polygons:
            mask[polygon(corners[:, 0], corners[:, 1], self.shape)] = True
        return mask

    def as_python(self) -> str:
        """Code that leaves the mask in ``mask``; needs ``np``."""
        outlines = "".join(f"    {corners.tolist()},\n" for corners in self.polygons)
        return (
            "from skimage.draw import polygon\n\n"
            f"mask = np.zeros({self.shape}, bool)\n"
            f"for outline in [\n{outlines}]:\n"
            "    mask[polygon(*np.transpose(outline), mask.shape)] = True\n"
        )


@dataclass(frozen=True, slots=True, eq=False)
class LabelMask:
    """A mask as the labels of a layer that are not 0.

    Attributes
    ----------
    data : array_like of int, shape (H, W), or (..., H, W) with a mask for each slice of a stack
        Labels; may be lazy.
    layer_name : str
        Name of the layer then.
    layer_id : str
        Its identity in this session.
    expression : str
        Python that gets them from the layer's data.
    """

    data: Any
    layer_name: str
    layer_id: str
    expression: str

    def pixels(self) -> NDArray[np.bool_]:
        """Load the mask.

        Returns
        -------
        ndarray of bool
            The mask.
        """
        inside: NDArray[np.bool_] = np.asarray(self.data) != 0
        return inside

    def as_python(self) -> str:
        """Code that leaves the mask in ``mask``; needs ``np`` and ``viewer``."""
        return f"mask = np.asarray(viewer.layers[{self.layer_name!r}].data{self.expression}) != 0\n"


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A part of a plane.

    Attributes
    ----------
    where : Where
        What it was made from.
    rows, columns : slice
        Its bounding box, with start and stop.
    mask : Outlines or LabelMask or None
        Pixels of the box that count; None for all.
    description : str
        In words.
    layer_name : str or None
        Layer that it was made from.
    """

    where: Where
    rows: slice
    columns: slice
    mask: Outlines | LabelMask | None
    description: str
    layer_name: str | None = None

    def fingerprint(self) -> tuple[Any, ...]:
        """What tells it from other regions, whatever its layer is called."""
        mask = None if self.mask is None else zlib.crc32(np.packbits(self.mask.pixels()).tobytes())
        box = (self.rows.start, self.rows.stop, self.columns.start, self.columns.stop)
        return (self.where, *box, mask)

    def as_plain(self) -> dict[str, Any]:
        """Plain values, for the metadata of a result."""
        return {
            "where": str(self.where),
            "rows": [self.rows.start, self.rows.stop],
            "columns": [self.columns.start, self.columns.stop],
            "layer": self.layer_name,
        }


def visible_region(grid: PlaneGrid, view: View) -> Region:
    """Find the pixels that the canvas shows.

    Parameters
    ----------
    grid : PlaneGrid
        The plane.
    view : View
        What the viewer shows.

    Returns
    -------
    Region
        Pixels whose centre lies on the canvas.

    Raises
    ------
    InputError
        If there are none.
    """
    if not view.canvas:
        raise InputError(
            "The visible region is a region of a plane: switch the viewer from 3D to 2D."
        )
    nothing = f"Nothing of “{grid.layer.name}” lies on the canvas: move or zoom the view."
    corners = grid.locate(view.canvas)[:, list(grid.axes)]
    rows, columns, mask = _bounded([corners], grid.shape, nothing)
    return Region(
        Where.VISIBLE, rows, columns, mask, f"visible region of {_size(rows, columns)} pixels"
    )


def region_of_shapes(grid: PlaneGrid, view: View, shapes: Shapes) -> Region:
    """Find the pixels inside the polygons, rectangles and ellipses of a layer.

    Parameters
    ----------
    grid : PlaneGrid
        The plane.
    view : View
        What the viewer shows; shapes in other planes do not count.
    shapes : napari.layers.Shapes
        The layer, with any transform.

    Returns
    -------
    Region
        Pixels whose centre lies inside one of them.

    Raises
    ------
    InputError
        If there are none.
    """
    closed = [
        np.asarray(corners, float)
        for corners, kind in zip(shapes.data, shapes.shape_type, strict=True)
        if kind not in _WITHOUT_AREA
    ]
    kinds = [kind for kind in shapes.shape_type if kind not in _WITHOUT_AREA]
    shown = _is_shown(shapes, view)
    polygons = []
    for corners, kind in zip(closed, kinds, strict=True):
        if shown(corners):
            if kind == "ellipse":
                corners = _ellipse(corners)
            world = to_world(shapes, corners, view.point, view.units)
            polygons.append(grid.locate(world)[:, list(grid.axes)])
    if not polygons:
        raise InputError(
            f"“{shapes.name}” has no rectangle, ellipse or polygon in the plane that is shown: "
            "draw one around what you want to segment."
        )
    nothing = (
        f"The shapes of “{shapes.name}” enclose no pixel of “{grid.layer.name}”: move them onto "
        "the image."
    )
    rows, columns, mask = _bounded(polygons, grid.shape, nothing)
    count = "1 shape" if len(polygons) == 1 else f"{len(polygons)} shapes"
    text = f"{count} of “{shapes.name}” in {_size(rows, columns)} pixels"
    return Region(Where.SHAPES, rows, columns, mask, text, shapes.name)


def _is_shown(shapes: Shapes, view: View) -> Any:
    """As napari does: a shape is shown where its other coordinates round to the sliders'."""
    hidden = [axis for axis in range(shapes.ndim) if axis not in plane_axes(shapes, view)]
    here = np.round(slider_position(shapes, view.point, view.displayed, view.units))
    return lambda corners: bool((np.round(corners[:, hidden]) == here[hidden]).all())


def _ellipse(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners of a polygon, from those of the box around an ellipse."""
    center = box.mean(axis=0)
    first, second = (box[1] - box[0]) / 2, (box[3] - box[0]) / 2
    radius = max(1.0, *(float(np.linalg.norm(axis)) for axis in (first, second)))
    n = max(16, int(np.ceil(np.pi * np.sqrt(radius / (2 * _ELLIPSE_ERROR_PX)))))
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)[:, None]
    points: NDArray[np.float64] = center + np.cos(angle) * first + np.sin(angle) * second
    return points


def _bounded(
    polygons: Iterable[NDArray[np.float64]], shape: tuple[int, int], nothing: str
) -> tuple[slice, slice, Outlines | None]:
    """Bounding box of polygons on the plane, and the mask in it unless that is all of it."""
    # Shapes and camera are float32: what lies on an edge must not depend on its noise.
    polygons = [corners.round(_DECIMALS) for corners in polygons]
    every = np.concatenate(polygons)
    # A pixel counts if its centre is inside; rounding must not decide on those on the edge.
    first = np.clip(np.ceil(every.min(axis=0) - 1e-6), 0, shape).astype(int)
    stop = np.clip(np.floor(every.max(axis=0) + 1e-6) + 1, 0, shape).astype(int)
    if (stop <= first).any():
        raise InputError(nothing)
    rows, columns = (slice(int(a), int(b)) for a, b in zip(first, stop, strict=True))
    if len(polygons) == 1 and _is_upright_rectangle(polygons[0]):
        return rows, columns, None
    box = (rows.stop - rows.start, columns.stop - columns.start)
    mask = Outlines(tuple((corners - first).round(_DECIMALS) for corners in polygons), box)
    return rows, columns, mask


def _is_upright_rectangle(corners: NDArray[np.float64]) -> bool:
    if len(corners) != 4:
        return False
    low, high = corners.min(axis=0), corners.max(axis=0)
    on_edges = np.minimum(np.abs(corners - low), np.abs(corners - high)) < 1e-6
    # Neighbouring corners share an edge; a bow tie's do not.
    sides = np.abs(np.diff(corners, axis=0, append=corners[:1])) < 1e-6
    return bool(on_edges.all() and (sides.sum(axis=1) == 1).all())


def region_of_labels(
    grid: PlaneGrid, view: View, labels: Labels, stack: Sequence[int] = ()
) -> Region:
    """Find the pixels where a Labels layer is not 0.

    Parameters
    ----------
    grid : PlaneGrid
        The plane.
    view : View
        What the viewer shows.
    labels : napari.layers.Labels
        Pixels of the same size and direction; may cover another area.
    stack : sequence of int
        Axes of the image along which planes are segmented together: a mask with as many planes
        counts plane by plane, any other is the same for all.

    Returns
    -------
    Region
        Where the two overlap; around the labels, if they are in memory.

    Raises
    ------
    InputError
        If the pixels differ, or there are none to segment.
    """
    mask = plane_grid(labels, view)
    shift = _shift(grid, mask, view)
    first = [max(0, -by) for by in shift]
    stop = [min(n, m - by) for n, m, by in zip(grid.shape, mask.shape, shift, strict=True)]
    if any(b <= a for a, b in zip(first, stop, strict=True)):
        raise InputError(
            f"“{labels.name}” and “{grid.layer.name}” do not overlap: choose another mask."
        )
    index: list[int | slice] = [mask.index.get(axis, slice(None)) for axis in range(labels.ndim)]
    along = _axes_along(grid, mask, stack, view)
    box: tuple[slice, slice] | None = (slice(first[0], stop[0]), slice(first[1], stop[1]))
    if not along:
        box = _around(mask, index, first, stop, shift)
    if box is None:
        raise InputError(
            f"“{labels.name}” is 0 in the whole plane: paint or fill where you want to segment."
        )
    rows, columns = box
    for axis, part, by in zip(mask.axes, box, shift, strict=True):
        index[axis] = slice(part.start + by, part.stop + by)
    for axis in along:
        index[axis] = slice(0, full_shape(labels)[axis])
    where = ", ".join(str(i) if isinstance(i, int) else f"{i.start}:{i.stop}" for i in index)
    level = "[0]" if labels.multiscale else ""
    expression = f"{level}[{where}]"
    # As the image's pixels: the stack first, then rows and columns.
    kept = [axis for axis, i in enumerate(index) if isinstance(i, slice)]
    order = [kept.index(axis) for axis in (*along, *mask.axes)]
    if order != sorted(order):
        expression += f".transpose({', '.join(map(str, order))})"
    part = lazy(mask.data)[tuple(index)].transpose(order)
    return Region(
        Where.LABELS,
        rows,
        columns,
        LabelMask(part, labels.name, str(labels.unique_id), expression),
        f"inside “{labels.name}” in {_size(rows, columns)} pixels",
        labels.name,
    )


def _axes_along(grid: PlaneGrid, mask: PlaneGrid, stack: Sequence[int], view: View) -> list[int]:
    """Axes of the mask that go with those of the stack; none if one plane serves for all."""
    layer, labels = grid.layer, mask.layer
    if not stack or all(full_shape(labels)[axis] == 1 for axis in mask.index):
        return []
    along = []
    for axis in stack:
        n = grid.data.shape[axis]
        own = axis - layer.ndim + labels.ndim
        fits = own >= 0 and full_shape(labels)[own] == n
        if not fits or not same_slices(grid, mask, axis, own, view):
            raise InputError(
                f"“{labels.name}” has other slices than “{layer.name}” along "
                f"{axis_name(layer, axis)}: take a mask with the same {n} slices, or one of a "
                "single plane, which then counts in all of them."
            )
        along.append(own)
    return along


def _shift(grid: PlaneGrid, mask: PlaneGrid, view: View) -> tuple[int, int]:
    """Rows and columns from a pixel of the image to the one of the mask in the same place."""
    height, width = grid.shape
    corners = np.array([[0, 0], [height - 1, 0], [0, width - 1]], float)
    moved = map_pixels(grid, mask, corners, view) - corners
    if np.abs(moved - moved[0]).max() > _LARGEST_STRETCH_PX:
        raise InputError(
            f"“{mask.layer.name}” has other pixels than “{grid.layer.name}” (other scale, rotation "
            "or level), so it cannot say which of them to segment: make a mask on the image's own "
            "pixels, or draw shapes."
        )
    rows, columns = np.round(moved[0]).astype(int).tolist()
    return rows, columns


def _around(
    mask: PlaneGrid,
    index: list[int | slice],
    first: list[int],
    stop: list[int],
    shift: tuple[int, int],
) -> tuple[slice, slice] | None:
    """Rows and columns of the image around all labels; None if there is none."""
    whole = slice(first[0], stop[0]), slice(first[1], stop[1])
    if not isinstance(mask.data, np.ndarray):
        return whole  # to look would be to read
    index = list(index)
    for axis, part, by in zip(mask.axes, whole, shift, strict=True):
        index[axis] = slice(part.start + by, part.stop + by)
    labels = mask.data[tuple(index)]
    rows = np.flatnonzero(labels.any(axis=1))
    if len(rows) == 0:
        return None
    columns = np.flatnonzero(labels[rows[0] : rows[-1] + 1].any(axis=0))
    return (
        slice(first[0] + int(rows[0]), first[0] + int(rows[-1]) + 1),
        slice(first[1] + int(columns[0]), first[1] + int(columns[-1]) + 1),
    )


def _size(rows: slice, columns: slice) -> str:
    return f"{rows.stop - rows.start} × {columns.stop - columns.start}"
