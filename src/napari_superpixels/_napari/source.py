"""What exactly will be segmented: the user's choices resolved against layers, without Qt."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels._napari.placement import Placement, place_plane
from napari_superpixels._napari.plane import (
    PlaneGrid,
    SourceError,
    View,
    axis_name,
    full_shape,
    lazy,
    plane_axes,
    plane_grid,
)
from napari_superpixels.export import METADATA_KEY
from napari_superpixels.export.place import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_superpixels._napari.region import Region

__all__ = [
    "Source",
    "SourceError",
    "View",
    "channel_choices",
    "combine",
    "known_nodata",
    "proposed_channel_axis",
    "resolve_source",
]

# Names that people give to channel axes.
_CHANNEL_NAMES = {"c", "ch", "channel", "channels", "band", "bands", "wavelength"}
# Labels of a region cover the image's whole grid up to here, in pixels (32 MB of labels), so that
# they fit to it in other plugins; above, they are a layer of the region's bounding box.
LARGEST_FULL_GRID = 16_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A plane of an image layer, or a region of it, frozen at the moment of asking.

    Attributes
    ----------
    layer_name : str
        Name of the layer then.
    data : array_like
        The plane, with a channel axis or not; lazy if the layer's data are.
    channel_axis : int or None
        Channel axis of `data`.
    layer_channel_axis : int or None
        Channel axis of the layer's data.
    channel_names : tuple of str
        One a channel, of `further` too.
    placement : Placement
        Where a result belongs.
    plane_expression : str
        Python that gets the whole plane from the layer's data, e.g. ``[0][12, :, :]``.
    expression : str
        The same for `data`.
    description : str
        The choice in words.
    place : dict or None
        Where on the map the result lies, as plain values, if the layer's metadata say so.
    region : Region or None
        Where in the plane; None for all of it.
    nodata : float
        Pixels with this value are left out; NaN for those that are not finite only.
    further : tuple of Source
        Layers on the same pixels, whose channels come after those of `data`.
    """

    layer_name: str
    data: Any
    channel_axis: int | None
    layer_channel_axis: int | None
    channel_names: tuple[str, ...]
    placement: Placement
    plane_expression: str
    expression: str
    description: str
    place: dict[str, Any] | None = None
    region: Region | None = None
    nodata: float = float("nan")
    further: tuple[Source, ...] = ()

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Rows and columns of what is segmented."""
        shape = list(np.shape(self.data))
        if self.channel_axis is not None:
            del shape[self.channel_axis]
        return shape[0], shape[1]

    @property
    def read_axis(self) -> int | None:
        """Channel axis of what `read` returns."""
        return 0 if self.further else self.channel_axis

    def read(self) -> NDArray[np.generic]:
        """Load the pixels; those of lazy layers are computed now.

        Returns
        -------
        ndarray
            With the channel axis `read_axis`.
        """
        if not self.further:
            return np.asarray(self.data)
        layers = (self, *self.further)
        return np.concatenate([_channels_first(np.asarray(s.data), s.channel_axis) for s in layers])


def _channels_first(data: NDArray[np.generic], channel_axis: int | None) -> NDArray[np.generic]:
    return data[None] if channel_axis is None else np.moveaxis(data, channel_axis, 0)


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
            choices.append((f"{axis_name(layer, axis)} is channels ({shape[axis]})", axis))
    return choices


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


def known_nodata(layer: Image) -> float | None:
    """The nodata value that the layer's metadata state, as the reader of GeoTIFFs leaves it.

    Parameters
    ----------
    layer : napari.layers.Image
        The layer.

    Returns
    -------
    float or None
        The value, which may be NaN; None where there is none.
    """
    value = layer.metadata.get(METADATA_KEY, {}).get("nodata")
    return None if value is None else float(value)


def resolve_source(
    layer: Image,
    view: View,
    channel_axis: int | None,
    level: int = 0,
    region: Region | None = None,
    nodata: float | None = None,
) -> Source:
    """Cut the plane that is shown, or a region of it, out of a layer, lazily.

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
    region : Region, optional
        Where in the plane.
    nodata : float, optional
        Pixels with this value are left out; None for what the layer's metadata say, NaN for none.

    Returns
    -------
    Source
        The plane and where a result belongs.

    Raises
    ------
    SourceError
        If the layer has no such plane; the message says what to do.
    """
    grid = plane_grid(layer, view, channel_axis, level)
    ndim = grid.data.ndim
    whole: list[int | slice] = [grid.index.get(axis, slice(None)) for axis in range(ndim)]
    if layer.rgb:
        whole[-1] = slice(0, 3)  # transparency is not colour
    cut = list(whole)
    if region is not None:
        cut[grid.axes[0]], cut[grid.axes[1]] = region.rows, region.columns
    kept = [axis for axis in range(ndim) if axis not in grid.index]
    place_axes = [axis for axis in range(layer.ndim) if axis != channel_axis]
    placement = place_plane(layer, place_axes, grid.index, grid.factors)
    place = _place_on_map(layer, grid)
    if region is not None and grid.shape[0] * grid.shape[1] <= LARGEST_FULL_GRID:
        placement = placement.padded(region.rows, region.columns, grid.shape)
    elif region is not None:
        placement = placement.cropped(region.rows, region.columns)
        place = place and place.window(region.rows, region.columns)
    shown_level = level if layer.multiscale else None
    nodata, nodata_text = _nodata(layer, nodata)
    return Source(
        layer_name=layer.name,
        data=lazy(grid.data)[tuple(cut)],
        channel_axis=None if channel_axis is None else kept.index(channel_axis),
        layer_channel_axis=channel_axis,
        channel_names=_channel_names(layer, grid.data.shape, channel_axis),
        placement=placement,
        plane_expression=_expression(whole, shown_level),
        expression=_expression(cut, shown_level),
        description=_describe(grid, shown_level, region) + nodata_text,
        place=None if place is None else asdict(place),
        region=region,
        nodata=nodata,
    )


def _nodata(layer: Image, given: float | None) -> tuple[float, str]:
    """The value that is left out, and what to say of it."""
    known = known_nodata(layer)
    value = known if given is None else given
    if value is None or not np.isfinite(value):
        return float("nan"), ""
    return value, f", nodata {value:g}{' of its metadata' if given is None else ''} left out"


def _place_on_map(layer: Image, grid: PlaneGrid) -> Place | None:
    known = layer.metadata.get(METADATA_KEY, {}).get("place")
    if known is None or grid.axes != (layer.ndim - 2, layer.ndim - 1):
        return None
    place, full = Place.from_dict(known), full_shape(layer)
    if place.shape != (full[grid.axes[0]], full[grid.axes[1]]):
        return None  # somebody cropped the layer's data
    return place.at(grid.shape)


def combine(source: Source, further: Sequence[Source]) -> Source:
    """Take the channels of several layers together.

    Parameters
    ----------
    source : Source
        The first layer; decides where the result belongs.
    further : sequence of Source
        Others on the same pixels, see `why_not_on_grid`.

    Returns
    -------
    Source
        With the channels of all.
    """
    if not further:
        return source
    layers = (source, *further)
    names = tuple(
        layer.layer_name if len(layer.channel_names) == 1 else f"{layer.layer_name} {name}"
        for layer in layers
        for name in layer.channel_names
    )
    return replace(
        source,
        channel_names=names,
        further=tuple(further),
        description=f"{source.description}, {len(names)} channels of {len(layers)} layers",
    )


def _channel_names(layer: Image, shape: Sequence[int], channel_axis: int | None) -> tuple[str, ...]:
    if layer.rgb:
        return ("red", "green", "blue")
    if channel_axis is None:
        return ("intensity",)
    return tuple(f"channel {i}" for i in range(shape[channel_axis]))


def _expression(slices: Sequence[int | slice], level: int | None) -> str:
    parts = [str(s) if isinstance(s, int) else _slice_text(s) for s in slices]
    plane = "" if all(part == ":" for part in parts) else f"[{', '.join(parts)}]"
    return ("" if level is None else f"[{level}]") + plane


def _slice_text(s: slice) -> str:
    start, stop = s.start or "", "" if s.stop is None else s.stop
    return f"{start}:{stop}"


def _describe(grid: PlaneGrid, level: int | None, region: Region | None) -> str:
    height, width = grid.shape
    text = f"{height} × {width} pixels"
    if region is not None:
        text = f"{region.description}, of {text}"
    if grid.index:
        where = ", ".join(f"{axis_name(grid.layer, axis)} = {i}" for axis, i in grid.index.items())
        text += f", this plane only ({where})"
    if level is not None:
        text += f", level {level} of {len(grid.layer.data)}"
    return text
