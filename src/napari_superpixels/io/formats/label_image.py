"""What is exported: a label map, the image under it, and how large and where its pixels are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.errors import HoldsPlanes, SuperpixelError
from napari_superpixels.errors.optional import need
from napari_superpixels.io.classes import CLASS_MAP, CLASSES, COLUMNS, LabelColumns
from napari_superpixels.io.formats.label_tiff import compact
from napari_superpixels.io.spatial import Spatial
from napari_superpixels.io.suffixes import OME_ZARR_VERSIONS
from napari_superpixels.io.units import metres, short_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_superpixels.io.georeference import Georeference

PIXEL = "pixel"


class InvalidLabels(SuperpixelError, ValueError):
    """Labels, image and pixel size do not fit together."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LabelDescription:
    """What is known of a label map and its image, before it is checked; see `export_labels`.

    Attributes
    ----------
    channel_axis : int or None
        Axis of the image that holds channels.
    channel_names : sequence of str or None
        One name a channel.
    pixel_size : sequence of float or None
        Size of a pixel along each axis of the labels, or of a frame. Without it, that of
        `georeference` counts.
    unit : str or None
        Unit of `pixel_size`.
    georeference : Georeference or None
        Where the labels lie on the map.
    frames : bool
        Whether the first of three axes holds frames.
    provenance : mapping or None
        How the labels were made, as plain values.
    translation, flipped, time_step
        See `LabelImage`.
    sheared_content, ome_zarr_version, columns
        See `LabelImage`.
    """

    channel_axis: int | None = None
    channel_names: Sequence[str] | None = None
    pixel_size: Sequence[float] | None = None
    unit: str | None = None
    georeference: Georeference | None = None
    frames: bool = False
    provenance: Mapping[str, Any] | None = None
    translation: Sequence[float] | None = None
    flipped: Sequence[bool] | None = None
    time_step: tuple[float, str] | None = None
    sheared_content: float | None = None
    ome_zarr_version: str = OME_ZARR_VERSIONS[0]
    columns: LabelColumns = field(default_factory=LabelColumns)


@dataclass(frozen=True, eq=False)
class LabelImage:
    """A label map with what is known about it; build it with `label_image_of`.

    Attributes
    ----------
    labels : ndarray of uint16 or uint32, shape (H, W), (D, H, W) or (T, H, W)
        Superpixels; 0 is outside.
    image : ndarray, shape (C, *labels.shape), or None
        Image under the labels, channels first.
    channel_names : tuple of str
        One name a channel.
    pixel_size : tuple of float or None
        Size of a pixel along each axis of the labels, or of a frame; None if unknown.
    unit : str
        Unit of `pixel_size`.
    georeference : Georeference or None
        Where the labels lie on the map.
    frames : bool
        Whether the first axis holds frames, each measured on its own: in time if `pixel_size` is
        that of a frame, else in depth.
    provenance : mapping
        How the labels were made, as plain values; TIFF and OME-Zarr keep it.
    translation : tuple of float or None
        Where the centre of the first pixel lies, along the axes of `pixel_size`, in its unit;
        OME-Zarr keeps it.
    flipped : tuple of bool or None
        Which of these axes run backwards; OME-Zarr keeps it.
    time_step : tuple of (float, str) or None
        Time from one frame to the next, and its unit; OME-Zarr, OME-TIFF and TIFF for ImageJ keep
        it.
    sheared_content : float or None
        Area of a pixel, or volume of a voxel, whose sides are not at right angles; of frames, area
        of a pixel of one.
    ome_zarr_version : str
        ``"0.4"`` or ``"0.5"``, for OME-Zarr.
    columns : LabelColumns
        Classes, locks and other columns of the superpixels.
    """

    labels: NDArray[np.unsignedinteger]
    image: NDArray[np.generic] | None = None
    channel_names: tuple[str, ...] = ()
    pixel_size: tuple[float, ...] | None = None
    unit: str = PIXEL
    georeference: Georeference | None = None
    frames: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)
    translation: tuple[float, ...] | None = None
    flipped: tuple[bool, ...] | None = None
    time_step: tuple[float, str] | None = None
    sheared_content: float | None = None
    ome_zarr_version: str = OME_ZARR_VERSIONS[0]
    columns: LabelColumns = field(default_factory=LabelColumns)

    @property
    def axes(self) -> str:
        """Letters of the axes: ``"yx"``, ``"zyx"`` or ``"tyx"``."""
        in_time = self.frames and len(self.pixel_size or ()) < self.labels.ndim
        return "tyx" if in_time else "zyx"[-self.labels.ndim :]

    @property
    def spacing(self) -> tuple[float, ...]:
        """Size of a pixel along each axis; 1 where it is unknown, and in time."""
        known = self.pixel_size or ()
        return (1.0,) * (self.labels.ndim - len(known)) + known

    @property
    def spatial(self) -> Spatial:
        """How large and where the pixels are."""
        return Spatial(None, self.pixel_size, self.unit, self.translation, self.flipped)

    @property
    def pixel_content(self) -> float:
        """Area of a pixel, or volume of a voxel; 1 where the pixel size is unknown."""
        return self.sheared_content or math.prod(self.spacing)

    def planes(self) -> Iterator[tuple[int, LabelImage]]:
        """Take the frames one by one, without those that hold no superpixel.

        Yields
        ------
        (int, LabelImage)
            Number of the frame, from 0, and the frame.
        """
        size = None if self.pixel_size is None else self.pixel_size[-2:]
        for number, labels in enumerate(self.labels):
            if labels.any():
                image = None if self.image is None else self.image[:, number]
                frame = LabelImage(
                    labels, image, self.channel_names, size, self.unit, self.georeference
                )
                yield (
                    number,
                    replace(frame, sheared_content=self.sheared_content, columns=self.columns),
                )

    @property
    def class_map(self) -> NDArray[np.uint8] | None:
        """The labels as bytes, if they are numbers of classes."""
        return self.labels.astype(np.uint8) if self.columns.is_class_map else None

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """The K labels other than 0, ascending."""
        ids: NDArray[np.int64] = np.unique(self.labels[self.labels != 0]).astype(np.int64)
        return ids

    @cached_property
    def ranks(self) -> NDArray[np.int32]:
        """The label map with ids 1...K in the order of `ids`."""
        return np.searchsorted(self.ids, self.labels, side="right").astype(np.int32)

    def in_known_unit(self, name_of: Callable[[str], str | None]) -> LabelImage:
        """Convert the pixel size to metres where a format has no name for its unit.

        Parameters
        ----------
        name_of : callable
            Gives the format's name of a unit; None where it has none.

        Returns
        -------
        LabelImage
            As it is where the format has the unit, or its length is not known.
        """
        if self.pixel_size is None or name_of(self.unit) is not None:
            return self
        factor = metres(self.unit) or self._metres_on_the_map()
        if factor is None:
            return self
        moved = self.translation and tuple(n * factor for n in self.translation)
        size = tuple(n * factor for n in self.pixel_size)
        return replace(self, pixel_size=size, unit="m", translation=moved)

    def _metres_on_the_map(self) -> float | None:
        """Metres of the map's unit, if it is what the pixel size is given in."""
        where = self.georeference
        if where is None or where.crs is None or where.unit != self.unit:
            return None
        factor: float = need("rasterio.crs", "geo").CRS.from_wkt(where.crs).linear_units_factor[1]
        return factor

    def need_plane(self, format_name: str) -> None:
        """Refuse a volume for a format that holds planes.

        Parameters
        ----------
        format_name : str
            What is to be written.

        Raises
        ------
        ExportError
            If the labels have a depth.
        """
        if self.labels.ndim != 2:
            raise HoldsPlanes(format_name, self.labels.shape)


def label_image_of(
    labels: ArrayLike, image: ArrayLike | None, about: LabelDescription
) -> LabelImage:
    """Check what is to be exported, and bring it into one form.

    Parameters
    ----------
    labels : array_like of int, shape (H, W), (D, H, W) or (T, H, W)
        Superpixels; 0 is outside.
    image : array_like or None
        Image of the same shape, or with a channel axis more.
    about : LabelDescription
        What is known of both.

    Returns
    -------
    LabelImage

    Raises
    ------
    InvalidLabels
        If they do not fit together.
    ExportError
        If a label is too large for a file.
    """
    array = np.asarray(labels)
    if array.dtype.kind not in "biu" or array.ndim not in (2, 3):
        raise InvalidLabels(
            "labels are whole numbers with two axes, or three in a volume; these have the shape "
            f"{array.shape} and the dtype {array.dtype}"
        )
    if not array.any():
        raise InvalidLabels(
            "the label map holds no superpixel, all pixels are 0: segment or paint some first"
        )
    frames = about.frames and array.ndim == 3
    place, channel_axis = about.georeference, about.channel_axis
    if place is not None and place.shape != array.shape[-2:]:
        raise InvalidLabels(
            f"the raster that says where the labels lie has {place.shape} pixels, the labels have "
            f"{array.shape[-2:]}; give the raster that the labels were made from"
        )
    channels, names = None, tuple[str, ...]()
    if image is not None:
        channels = _channels_first(np.asarray(image), channel_axis, array.shape)
        names = _names(about.channel_names, len(channels), is_rgb=channel_axis in (-1, array.ndim))
    size, unit = None, about.unit
    if about.pixel_size is not None:
        size = tuple(float(step) for step in about.pixel_size)
        fits = len(size) == array.ndim or (frames and len(size) == 2)
        if not fits or not all(0 < step < np.inf for step in size):
            numbers = "2 numbers above 0 (Y, X), or 3 in depth (Z, Y, X)"
            if not frames:
                numbers = f"{array.ndim} numbers above 0, one for each axis of the labels"
            raise InvalidLabels(f"the pixel size needs {numbers}; got {', '.join(map(str, size))}")
        if unit is None:
            raise InvalidLabels("the pixel size needs its unit, such as unit='um'")
    elif place is not None and (array.ndim == 2 or frames):
        size, unit = place.pixel_size, place.unit
    unit = short_unit(unit) if size and unit else PIXEL
    known = {
        name: value
        for name, value in (about.provenance or {}).items()
        if name not in (CLASSES, COLUMNS, CLASS_MAP)  # of the labels that these were made from
    }
    return LabelImage(
        compact(array),
        channels,
        names,
        size,
        unit,
        place,
        frames,
        known | about.columns.as_plain(),
        _along(about.translation, array.ndim, size),
        _along(about.flipped, array.ndim, size),
        about.time_step,
        about.sheared_content,
        about.ome_zarr_version,
        about.columns,
    )


def _along(
    values: Sequence[Any] | None, ndim: int, size: tuple[float, ...] | None
) -> tuple[Any, ...] | None:
    """Check that there is a value for each axis of `size`, or else of the labels."""
    if values is None:
        return None
    wanted = ndim if size is None else len(size)
    if len(values) != wanted:
        raise InvalidLabels(
            f"translation and flipped need {wanted} values, one for each axis of the pixel size; "
            f"got {', '.join(map(str, values))}"
        )
    return tuple(values)


def _channels_first(
    image: NDArray[np.generic], channel_axis: int | None, shape: tuple[int, ...]
) -> NDArray[np.generic]:
    if channel_axis is not None and not -image.ndim <= channel_axis < image.ndim:
        raise InvalidLabels(f"the image {image.shape} has no axis {channel_axis} for channels")
    channels = image[None] if channel_axis is None else np.moveaxis(image, channel_axis, 0)
    if channels.shape[1:] != shape:
        raise InvalidLabels(
            f"the image {channels.shape[1:]} and the labels {shape} differ in shape; where one "
            "axis holds channels, say which with channel_axis=N"
        )
    if channels.dtype.kind not in "biuf":
        raise InvalidLabels(f"the image must hold real numbers; it holds {channels.dtype}")
    return channels


def _names(given: Sequence[str] | None, n: int, *, is_rgb: bool) -> tuple[str, ...]:
    if given is not None:
        if len(given) != n or len(set(given)) != n:
            raise InvalidLabels(f"give {n} different channel names; got {', '.join(given)}")
        return tuple(given)
    if is_rgb and n == 3:
        return ("red", "green", "blue")
    return tuple(f"channel {i}" for i in range(n)) if n > 1 else ("intensity",)
