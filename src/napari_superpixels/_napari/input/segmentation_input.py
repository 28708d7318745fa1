"""What exactly will be segmented: the user's choices resolved against layers, without Qt."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels._napari.input.axes import Axes, Mode, Role
from napari_superpixels._napari.input.description import describe, expression_of
from napari_superpixels._napari.input.placement import Placement, place_plane
from napari_superpixels._napari.input.plane import (
    InputError,
    PlaneGrid,
    View,
    channel_names,
    full_shape,
    lazy,
    plane_grid,
)
from napari_superpixels.core.prepare.channels import chosen_channels
from napari_superpixels.core.prepare.nodata import spelled
from napari_superpixels.errors import FileError, reason_of
from napari_superpixels.io.formats import METADATA_KEY
from napari_superpixels.io.georeference import Georeference
from napari_superpixels.io.problems import READ_ERRORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_superpixels._napari.input.region import Region
    from napari_superpixels._napari.input.start import StartLabels

__all__ = [
    "InputError",
    "SegmentationInput",
    "View",
    "combine",
    "known_nodata",
    "resolve_input",
]

# Labels of a region cover the image's whole grid up to here, in pixels (32 MB of labels), so that
# they fit to it in other plugins; above, they are a layer of the region's bounding box.
LARGEST_FULL_GRID = 16_000_000


def _is_same_array(a: Any, b: Any) -> bool:
    """Whether two views are of one array, as far as can be told."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.may_share_memory(a, b)
    return type(a) is type(b) and getattr(a, "name", None) == getattr(b, "name", None)


@dataclass(frozen=True, slots=True, eq=False)
class SegmentationInput:
    """A plane of an image layer, a stack of planes, or a region of it, frozen when asked for.

    Attributes
    ----------
    layer_name : str
        Name of the layer then.
    layer_id : str
        Its identity in this session.
    data : array_like
        The plane, with a channel axis or not, after the axes of the stack; lazy if the layer's
        data are.
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
    further : tuple of SegmentationInput
        Layers on the same pixels, whose channels come after those of `data`.
    mode : Mode
        What is segmented.
    stack : tuple of (int, Role)
        For the first axes of `data`, which make a stack of planes: the axis of a result, counted
        from its last, and what it is. Empty for one plane.
    channels : tuple of int or None
        Numbers of the channels of `data` that are used; None for all.
    alpha : array_like or None
        Opacity of the pixels of an RGBA image; those of 0 are outside. Lazy as `data` are.
    alpha_expression : str
        Python that gets it from the layer's data.
    start : StartLabels or None
        Labels that the run starts from; None for the image alone.
    """

    layer_name: str
    layer_id: str
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
    further: tuple[SegmentationInput, ...] = ()
    mode: Mode = Mode.SLICE
    stack: tuple[tuple[int, Role], ...] = ()
    channels: tuple[int, ...] | None = None
    alpha: Any = None
    alpha_expression: str = ""
    start: StartLabels | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of what is segmented along the axes of the stack, rows and columns."""
        shape = list(np.shape(self.data))
        if self.channel_axis is not None:
            del shape[self.channel_axis]
        return tuple(shape)

    def is_same(self, other: SegmentationInput) -> bool:
        """Whether the same pixels of the same layers are segmented.

        Parameters
        ----------
        other : SegmentationInput

        Returns
        -------
        bool
            Whatever the layers are called, and whatever the region holds; False where a layer has
            got other data since. Pixels that were changed in place are not noticed.
        """

        def key(source: SegmentationInput) -> tuple[Any, ...]:
            return (
                *(source.layer_id, source.expression, source.mode, source.channel_axis),
                *(source.channels, repr(source.nodata), len(source.further)),
            )

        return (
            key(self) == key(other)
            and (self.start is other.start or bool(self.start and self.start.is_same(other.start)))
            and _is_same_array(self.data, other.data)
            and all(a.is_same(b) for a, b in zip(self.further, other.further, strict=True))
        )

    @property
    def n_stack(self) -> int:
        """Number of the axes of the stack."""
        return len(self.stack)

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Rows and columns of what is segmented."""
        return self.shape[-2], self.shape[-1]

    @property
    def n_frames(self) -> int:
        """Number of planes that are segmented."""
        return math.prod(self.shape[:-2])

    @property
    def itemsize(self) -> int:
        """Bytes of a value."""
        return int(np.dtype(self.data.dtype).itemsize)

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Size of a voxel where a volume is segmented, else None."""
        return self.placement.spacing if self.mode == Mode.VOLUME else None

    @property
    def read_axis(self) -> int | None:
        """Channel axis of what `read` returns for the whole, and for volumes."""
        return 0 if self.further else self.channel_axis

    @property
    def frame_axis(self) -> int | None:
        """Channel axis of a frame."""
        if self.further or self.channel_axis is None:
            return self.read_axis
        return self.channel_axis - self.n_stack

    def read(self) -> NDArray[np.generic]:
        """Load the pixels; those of lazy layers are computed now.

        Returns
        -------
        ndarray
            With the channel axis `read_axis`.

        Raises
        ------
        FileError
            If they cannot be read.
        """
        try:
            return np.asarray(self.lazily())
        except READ_ERRORS as error:
            raise FileError(
                f"“{self.layer_name}” cannot be read ({reason_of(error)}): copy or export its file "
                "again"
            ) from error

    def lazily(self) -> Any:
        """The channels of all layers together, which lazy layers keep lazy.

        Returns
        -------
        array_like
            With the channel axis `read_axis`.
        """
        return self.part()

    def part(self, at: tuple[int, ...] = ()) -> Any:
        """The channels of all layers together, at a position on the first axes of the stack.

        Parameters
        ----------
        at : tuple of int
            The position; empty for all of the stack.

        Returns
        -------
        array_like
            Lazy where a layer is.
        """

        def own(source: SegmentationInput) -> tuple[Any, int | None]:
            axis = None if source.channel_axis is None else source.channel_axis - len(at)
            return chosen_channels(source.data[at], axis, source.channels), axis

        if not self.further:
            return own(self)[0]
        return np.concatenate([_channels_first(*own(s)) for s in (self, *self.further)])


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """The planes of a stack, one after another, read when they are asked for.

    Attributes
    ----------
    source : SegmentationInput
        Has a stack.
    """

    source: SegmentationInput

    def __len__(self) -> int:
        return self.source.n_frames

    def __getitem__(self, number: int) -> NDArray[np.generic]:
        """Load a frame.

        Parameters
        ----------
        number : int
            Its place in the stack, the last axis of the stack counting fastest.

        Returns
        -------
        ndarray
            With the channel axis ``source.frame_axis``.
        """
        return np.asarray(self.source.part(self._position(number)))

    def name(self, number: int) -> str:
        """Name a frame by what its sliders say.

        Parameters
        ----------
        number : int
            Its place in the stack.

        Returns
        -------
        str
            Such as ``"7"``, or ``"(2, 7)"`` in a stack of several axes.
        """
        at = self._position(number)
        return str(at[0] if len(at) == 1 else at)

    def _position(self, number: int) -> tuple[int, ...]:
        return tuple(map(int, np.unravel_index(number, self.source.shape[:-2])))


def _channels_first(data: Any, channel_axis: int | None) -> Any:
    return data[None] if channel_axis is None else np.moveaxis(data, channel_axis, 0)


def known_nodata(layer: Image) -> float | None:
    """The nodata value that the layer's metadata state, as the reader of GeoTIFFs leaves it.

    Parameters
    ----------
    layer : napari.layers.Image

    Returns
    -------
    float or None
        The value, which may be NaN; None where there is none.
    """
    value = layer.metadata.get(METADATA_KEY, {}).get("nodata")
    return None if value is None else float(value)


@dataclass(frozen=True, slots=True)
class PixelChoices:
    """Which pixels of a layer the user wants.

    Attributes
    ----------
    level : int
        Level of a multiscale layer.
    nodata : float or None
        Pixels with this value are left out; None for what the layer's metadata say, NaN for none.
    channels : sequence of int or None
        Numbers of the channels to use; all if None.
    """

    level: int = 0
    nodata: float | None = None
    channels: Sequence[int] | None = None


def resolve_input(
    layer: Image,
    view: View,
    axes: Axes,
    mode: Mode = Mode.SLICE,
    region: Region | None = None,
    pixels: PixelChoices | None = None,
) -> SegmentationInput:
    """Cut the plane at the sliders' position, a stack, or a region, out of a layer, lazily.

    Parameters
    ----------
    layer : napari.layers.Image
    view : View
        What the viewer shows.
    axes : Axes
        What its axes are.
    mode : Mode, default Mode.SLICE
        What is segmented.
    region : Region, optional
        Where in the plane; in a stack, in each.
    pixels : PixelChoices, optional
        Level, nodata value, channels.

    Returns
    -------
    SegmentationInput
        The pixels, and where a result belongs.

    Raises
    ------
    InputError
        If the layer has no such plane; the message says what to do.
    """
    axes.check(layer)
    pixels = pixels or PixelChoices()
    level, channels = pixels.level, pixels.channels
    channel_axis, stack = axes.channel, axes.stack(mode)
    grid = plane_grid(layer, view, channel_axis, level, axes.plane)
    index = {axis: i for axis, i in grid.index.items() if axis not in stack}
    ndim = grid.data.ndim
    whole: list[int | slice] = [index.get(axis, slice(None)) for axis in range(ndim)]
    if layer.rgb:
        whole[-1] = slice(0, 3)  # transparency is not colour
    cut = list(whole)
    if region is not None:
        cut[grid.axes[0]], cut[grid.axes[1]] = region.rows, region.columns
    kept = [axis for axis in range(ndim) if axis not in index]
    # Stack first, then rows before columns; channels stay where they are among them.
    plane = iter(grid.axes)
    order = [kept.index(axis) for axis in stack]
    order += [
        kept.index(next(plane) if axis in grid.axes else axis) for axis in kept if axis not in stack
    ]
    placement = place_plane(layer, (*stack, *grid.axes), index, grid.factors, channel_axis)
    place = _place_on_map(layer, grid)
    if region is not None and math.prod(grid.shape) <= LARGEST_FULL_GRID:
        placement = placement.padded(region.rows, region.columns, grid.shape)
    elif region is not None:
        placement = placement.cropped(region.rows, region.columns)
        place = place and place.window(region.rows, region.columns)
    shown_level = level if layer.multiscale else None
    n_channels = 1 if channel_axis is None else grid.data.shape[channel_axis]
    names = channel_names(layer, n_channels)
    description = describe(grid, shown_level, region, mode, stack)
    said = "RGB" if layer.rgb else f"{n_channels} channels" if n_channels > 1 else ""
    if channels is not None and channel_axis is not None:
        missing = [i for i in channels if i >= len(names)]
        if missing:
            raise InputError(
                f"“{layer.name}” has the channels 0 to {len(names) - 1}: there is no {missing[0]}."
            )
        names = tuple(names[i] for i in channels)
        said = f"{len(names)} of {n_channels} channels"
    description = f"{said}, {description}" if said else description
    nodata, nodata_text = _nodata(layer, pixels.nodata)
    alpha, alpha_expression = None, ""
    if layer.rgb and grid.data.shape[-1] > 3:
        opacity = [*cut[:-1], 3]
        turn = [i for i in order if i != kept.index(ndim - 1)]
        alpha = lazy(grid.data)[tuple(opacity)].transpose(turn)
        alpha_expression = expression_of(opacity, shown_level, turn, grid.data)
        description += ", transparent pixels left out"
    return SegmentationInput(
        layer_name=layer.name,
        layer_id=str(layer.unique_id),
        data=lazy(grid.data)[tuple(cut)].transpose(order),
        channel_axis=None if channel_axis is None else order.index(kept.index(channel_axis)),
        layer_channel_axis=channel_axis,
        channel_names=names,
        placement=placement,
        plane_expression=expression_of(whole, shown_level, order, grid.data),
        expression=expression_of(cut, shown_level, order, grid.data),
        description=description + nodata_text,
        place=None if place is None else asdict(place),
        region=region,
        nodata=nodata,
        mode=mode,
        stack=tuple((axis - layer.ndim, axes.roles[axis]) for axis in stack),
        channels=None if channels is None or channel_axis is None else tuple(channels),
        alpha=alpha,
        alpha_expression=alpha_expression,
    )


def _nodata(layer: Image, given: float | None) -> tuple[float, str]:
    """The value that is left out, and what to say of it."""
    known = known_nodata(layer)
    value = known if given is None else given
    if value is None or not np.isfinite(value):
        return float("nan"), ""
    return value, f", nodata {spelled(value)}{' of its metadata' if given is None else ''} left out"


def _place_on_map(layer: Image, grid: PlaneGrid) -> Georeference | None:
    known = layer.metadata.get(METADATA_KEY, {}).get("place")
    if known is None or grid.axes != (layer.ndim - 2, layer.ndim - 1):
        return None
    place, full = Georeference.from_dict(known), full_shape(layer)
    if place.shape != (full[grid.axes[0]], full[grid.axes[1]]):
        return None  # somebody cropped the layer's data
    return place.resampled(grid.shape)


def combine(source: SegmentationInput, further: Sequence[SegmentationInput]) -> SegmentationInput:
    """Take the channels of several layers together.

    Parameters
    ----------
    source : SegmentationInput
        The first layer; decides where the result belongs.
    further : sequence of SegmentationInput
        Others on the same pixels, see `why_not_on_grid`.

    Returns
    -------
    SegmentationInput
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
