"""What exactly will be segmented: the user's choices resolved against a layer, without Qt."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels._napari.placement import Placement, place_plane
from napari_superpixels.export import METADATA_KEY
from napari_superpixels.export.place import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image
    from napari.viewer import Viewer

# Names that people give to channel axes.
_CHANNEL_NAMES = {"c", "ch", "channel", "channels", "band", "bands", "wavelength"}


class SourceError(ValueError):
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
    """

    point: tuple[float, ...]
    displayed: tuple[int, int]

    @classmethod
    def of(cls, viewer: Viewer) -> View:
        """Read it off a viewer; in 3D the plane of the last two axes counts.

        Parameters
        ----------
        viewer : napari.Viewer
            The viewer.

        Returns
        -------
        View
            A snapshot.
        """
        ndim = viewer.dims.ndim
        axes = sorted(axis - ndim for axis in viewer.dims.order[-2:])
        return cls(tuple(viewer.dims.point), (axes[0], axes[1]))


@dataclass(frozen=True, slots=True)
class Source:
    """A plane of an image layer, frozen at the moment of asking.

    Attributes
    ----------
    layer_name : str
        Name of the layer then.
    data : array_like
        The plane, with a channel axis or not; lazy if the layer's data are.
    channel_axis : int or None
        Channel axis of `data`.
    channel_names : tuple of str
        One a channel.
    placement : Placement
        Where a result belongs.
    expression : str
        Python that gets `data` from the layer's, e.g. ``[0][12, :, :]``.
    description : str
        The choice in words.
    place : dict or None
        Where on the map the plane lies, as plain values, if the layer's metadata say so.
    """

    layer_name: str
    data: Any
    channel_axis: int | None
    channel_names: tuple[str, ...]
    placement: Placement
    expression: str
    description: str
    place: dict[str, Any] | None = None

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Rows and columns."""
        shape = list(np.shape(self.data))
        if self.channel_axis is not None:
            del shape[self.channel_axis]
        return shape[0], shape[1]


def plane_axes(layer: Image, view: View) -> tuple[int, int]:
    """Axes of a layer that the viewer displays.

    Parameters
    ----------
    layer : napari.layers.Image
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


def channel_choices(layer: Image, view: View) -> list[tuple[str, int | None]]:
    """How the channels of a layer may be read, in words.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer.
    view : View
        What the viewer shows.

    Returns
    -------
    list of (str, int or None)
        Text, and the channel axis of the layer's data; None for a single channel. An RGB layer
        has one choice.
    """
    if layer.rgb:
        return [("RGB", layer.ndim)]
    choices: list[tuple[str, int | None]] = [("single channel", None)]
    shape = full_shape(layer)
    for axis in range(layer.ndim):
        if axis not in plane_axes(layer, view):
            choices.append((f"{_axis_name(layer, axis)} is channels ({shape[axis]})", axis))
    return choices


def _axis_name(layer: Image, axis: int) -> str:
    """“axis 0”, with its label where it was given one (napari's default is -3, -2, -1)."""
    label = layer.axis_labels[axis]
    return f"axis {axis}" if label == str(axis - layer.ndim) else f"axis {axis} “{label}”"


def proposed_channel_axis(layer: Image, view: View) -> int | None:
    """Choice that fits the layer's axis labels.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer.
    view : View
        What the viewer shows.

    Returns
    -------
    int or None
        One of the values of `channel_choices`.
    """
    choices = channel_choices(layer, view)
    if layer.rgb:
        return choices[0][1]
    named = [
        axis
        for _, axis in choices
        if axis is not None and layer.axis_labels[axis].lower() in _CHANNEL_NAMES
    ]
    return named[0] if named else None


def full_shape(layer: Image) -> tuple[int, ...]:
    """Shape of the layer's full-resolution data.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer.

    Returns
    -------
    tuple of int
        Shape, with the RGB axis where there is one.
    """
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(data.shape)


def resolve_source(layer: Image, view: View, channel_axis: int | None, level: int = 0) -> Source:
    """Cut the plane that is shown out of a layer, lazily.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer.
    view : View
        What the viewer shows.
    channel_axis : int or None
        One of the values of `channel_choices`.
    level : int, default 0
        Level of a multiscale layer.

    Returns
    -------
    Source
        The plane and where a result belongs.

    Raises
    ------
    SourceError
        If the layer has no such plane; the message says what to do.
    """
    if layer.ndim < 2:
        raise SourceError(f"“{layer.name}” has one axis only; an image needs two.")
    data = layer.data[level] if layer.multiscale else layer.data
    full = full_shape(layer)
    plane = plane_axes(layer, view)
    if channel_axis in plane:
        raise SourceError("The channel axis is one of the two that are shown: swap the axes shown.")
    point = layer.world_to_data(view.point[-layer.ndim :])
    index: dict[int, int] = {}
    for axis in range(layer.ndim):
        if axis in plane or axis == channel_axis:
            continue
        position = round(float(point[axis]))
        if not 0 <= position < full[axis]:
            raise SourceError(
                f"The viewer stands outside “{layer.name}” ({_axis_name(layer, axis)}, position "
                f"{position} of {full[axis]}): move the slider into the layer."
            )
        index[axis] = min(position * data.shape[axis] // full[axis], data.shape[axis] - 1)
    slices: list[int | slice] = [index.get(axis, slice(None)) for axis in range(data.ndim)]
    if layer.rgb:
        slices[-1] = slice(0, 3)  # transparency is not colour
    kept = [axis for axis in range(data.ndim) if axis not in index]
    place_axes = [axis for axis in range(layer.ndim) if axis != channel_axis]
    factors = [full[axis] / data.shape[axis] for axis in range(layer.ndim)]
    return Source(
        layer_name=layer.name,
        data=data[tuple(slices)],
        channel_axis=None if channel_axis is None else kept.index(channel_axis),
        channel_names=_channel_names(layer, data.shape, channel_axis),
        placement=place_plane(layer, place_axes, index, factors),
        expression=_expression(slices, level if layer.multiscale else None),
        description=_describe(layer, data.shape, plane, index, level),
        place=_place_on_map(layer, data.shape, plane),
    )


def _place_on_map(
    layer: Image, shape: Sequence[int], plane: tuple[int, int]
) -> dict[str, Any] | None:
    known = layer.metadata.get(METADATA_KEY, {}).get("place")
    if known is None or plane != (layer.ndim - 2, layer.ndim - 1):
        return None
    place, full = Place.from_dict(known), full_shape(layer)
    if place.shape != (full[plane[0]], full[plane[1]]):
        return None  # somebody cropped the layer's data
    return asdict(place.at((shape[plane[0]], shape[plane[1]])))


def _channel_names(layer: Image, shape: Sequence[int], channel_axis: int | None) -> tuple[str, ...]:
    if layer.rgb:
        return ("red", "green", "blue")
    if channel_axis is None:
        return ("intensity",)
    return tuple(f"channel {i}" for i in range(shape[channel_axis]))


def _expression(slices: list[int | slice], level: int | None) -> str:
    parts = [
        str(s) if isinstance(s, int) else (":" if s.stop is None else f":{s.stop}") for s in slices
    ]
    plane = "" if all(part == ":" for part in parts) else f"[{', '.join(parts)}]"
    return ("" if level is None else f"[{level}]") + plane


def _describe(
    layer: Image,
    shape: Sequence[int],
    plane: tuple[int, int],
    index: dict[int, int],
    level: int,
) -> str:
    text = f"{shape[plane[0]]} × {shape[plane[1]]} pixels"
    if index:
        where = ", ".join(f"{_axis_name(layer, axis)} = {i}" for axis, i in index.items())
        text += f", this plane only ({where})"
    if layer.multiscale:
        text += f", level {level} of {len(layer.data)}"
    return text
