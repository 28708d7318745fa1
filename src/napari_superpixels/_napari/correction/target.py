"""Which layer can be corrected, and which plane or volume of it is worked in."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels

from napari_superpixels._napari.input.transforms import slider_position
from napari_superpixels.editing.label_edit import EditError
from napari_superpixels.editing.scope import Scope

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_LARGEST = np.iinfo(np.int64).max
_TIME_NAMES = {"t", "time", "frame", "frames"}


def problem_with(layer: Layer | None) -> str:
    """Say why a layer cannot be corrected.

    Parameters
    ----------
    layer : napari.layers.Layer or None
        The active layer.

    Returns
    -------
    str
        Reason and remedy; empty if it can.
    """
    if not isinstance(layer, Labels):
        return "Select a Labels layer to correct."
    if layer.multiscale:
        return f"“{layer.name}” is multiscale, which napari cannot edit: make an editable copy."
    if layer.ndim < 2:
        return f"“{layer.name}” has one axis only; superpixels need two."
    if layer.data.dtype == np.uint64 and np.asarray(layer.data).max(initial=0) > _LARGEST:
        return f"“{layer.name}” has labels above {_LARGEST}: convert its data type to int64."
    if not layer.editable:
        return f"“{layer.name}” is locked: wait for the run to end, or make an editable copy."
    if not _is_writable(layer):
        return f"The data of “{layer.name}” cannot be written in place: make an editable copy."
    return ""


def can_be_copied(layer: Layer | None) -> bool:
    """Whether an editable copy would help.

    Parameters
    ----------
    layer : napari.layers.Layer or None
        A layer that has a problem.

    Returns
    -------
    bool
        True for labels that are lazy, multiscale, read-only or locked.
    """
    return isinstance(layer, Labels) and layer.ndim >= 2


def editable_copy(layer: Labels) -> Labels:
    """Make a layer in memory of the same labels, in the same place.

    Parameters
    ----------
    layer : napari.layers.Labels
        Lazy, multiscale or read-only.

    Returns
    -------
    napari.layers.Labels
        At full resolution, with its table and metadata.
    """
    data = layer.data[0] if layer.multiscale else layer.data
    return Labels(
        np.array(data),
        name=f"{layer.name} (editable)",
        features=layer.features.copy(),
        # How the labels were made, from which layers, and where on the map they lie.
        metadata=deepcopy(layer.metadata),
        **placement_of(layer),
    )


def placement_of(layer: Labels) -> dict[str, object]:
    """Spatial fields of a layer, for another one in the same place.

    Parameters
    ----------
    layer : napari.layers.Labels
        A layer.

    Returns
    -------
    dict
        Keyword arguments of a layer.
    """
    fields = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
    return {field: getattr(layer, field) for field in fields}


def _is_writable(layer: Labels) -> bool:
    data = layer.data
    if isinstance(data, np.ndarray):
        return bool(data.flags.writeable)
    if hasattr(data, "dask"):  # dask arrays are recipes: napari can brush on them, tools cannot
        return False
    return not getattr(data, "read_only", False)


def scope_of(viewer: Viewer, layer: Labels, *, volume: bool) -> Scope:
    """Plane or volume of a layer that the viewer stands at.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari.layers.Labels
    volume : bool
        Whether the third axis counts too.

    Returns
    -------
    Scope
        Axes and position.

    Raises
    ------
    EditError
        If the viewer shows axes that the layer lacks, or stands outside it.
    """
    n_axes = 3 if volume and layer.ndim >= 3 else 2
    shift = viewer.dims.ndim - layer.ndim
    axes = sorted(axis - shift for axis in viewer.dims.order[-n_axes:])
    if axes[0] < 0:
        raise EditError(f"The viewer shows an axis that “{layer.name}” lacks: swap the axes shown.")
    point = slider_position(layer, viewer.dims.point, viewer.dims.order[-2:])
    index = [round(float(p)) for p in point]
    for axis in range(layer.ndim):
        if axis in axes:
            index[axis] = 0
        elif not 0 <= index[axis] < layer.data.shape[axis]:
            raise EditError(
                f"The viewer stands outside “{layer.name}”: move the slider into the layer."
            )
    return Scope(tuple(axes), tuple(index))


def looks_like_volume(layer: Labels) -> bool:
    """Propose whether the third axis is depth, so that superpixels go on in the next plane.

    Parameters
    ----------
    layer : napari.layers.Labels
        At least 3D.

    Returns
    -------
    bool
        False if the axis is called time, or if most pixels change their label from the middle
        plane to the next.
    """
    axis = layer.ndim - 3
    n = layer.data.shape[axis]
    if layer.ndim < 3 or n < 2 or layer.axis_labels[axis].lower() in _TIME_NAMES:
        return False
    index: list[int | slice] = [m // 2 for m in layer.data.shape]
    index[-2:] = [slice(None), slice(None)]
    index[axis] = (n - 1) // 2
    here = np.asarray(layer.data[tuple(index)])
    index[axis] = (n - 1) // 2 + 1
    there = np.asarray(layer.data[tuple(index)])
    inside = (here > 0) | (there > 0)
    return bool(inside.any()) and float((here == there)[inside].mean()) > 0.5
