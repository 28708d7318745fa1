"""What is cut out of a layer, as Python and in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_superpixels._napari.input.axes import Mode
from napari_superpixels._napari.input.plane import axis_name, is_labelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_superpixels._napari.input.plane import PlaneGrid
    from napari_superpixels._napari.input.region import Region


def expression_of(
    slices: Sequence[int | slice], level: int | None, order: Sequence[int], data: Any
) -> str:
    """Write the Python that cuts pixels out of a layer's data.

    Parameters
    ----------
    slices : sequence of int or slice
        What is cut, one an axis.
    level : int or None
        Level of a multiscale layer.
    order : sequence of int
        How the axes that are kept are turned then.
    data : array_like
        The data.

    Returns
    -------
    str
        To stand after the data, such as ``[0][12, :, :]``.
    """
    parts = [str(s) if isinstance(s, int) else _slice_text(s) for s in slices]
    plane = "" if all(part == ":" for part in parts) else f"[{', '.join(parts)}]"
    turned = list(order) != sorted(order)
    if not (plane or hasattr(data, "transpose")) and len(order) > 2:
        plane = "[:]"  # a Zarr array, say, becomes one of NumPy's, which can be turned
    turn = f".transpose({', '.join(map(str, order))})" if turned else ""
    return ("" if level is None else f"[{level}]") + plane + turn


def _slice_text(s: slice) -> str:
    start, stop = s.start or "", "" if s.stop is None else s.stop
    return f"{start}:{stop}"


def describe(
    grid: PlaneGrid, level: int | None, region: Region | None, mode: Mode, stack: Sequence[int]
) -> str:
    """Say what is segmented.

    Parameters
    ----------
    grid : PlaneGrid
        Pixels of a plane.
    level : int or None
        Level of a multiscale layer.
    region : Region or None
        Where in the plane.
    mode : Mode
        What is segmented.
    stack : sequence of int
        Axes of the layer that make a stack of planes.

    Returns
    -------
    str
        For the dock.
    """
    height, width = grid.shape
    text = f"{height} × {width} pixels"
    if region is not None:
        text = f"{region.description}, of {text}"
    if stack:
        number = math.prod(grid.data.shape[axis] for axis in stack)
        along = " and ".join(_short_name(grid, axis) for axis in stack)
        kind = {Mode.EACH: "slices", Mode.SERIES: "frames", Mode.VOLUME: "planes deep"}[mode]
        text = f"{number} {kind} (along {along}) of {text}"
        if mode == Mode.VOLUME:
            text = f"a volume {text}"
    sliced = {axis: i for axis, i in grid.index.items() if axis not in stack}
    if sliced:
        where = ", ".join(
            f"{_short_name(grid, axis)}: {i + 1} of {grid.data.shape[axis]}"
            for axis, i in sliced.items()
        )
        text += f", {'at' if stack else 'this plane only'} ({where})"
    if level is not None:
        text += f", level {level} of {len(grid.layer.data)}"
    return text


def _short_name(grid: PlaneGrid, axis: int) -> str:
    """The label of an axis, such as “time”, or else its number."""
    layer = grid.layer
    return str(layer.axis_labels[axis]) if is_labelled(layer, axis) else axis_name(layer, axis)
