"""TIFF files: axes, transparency, masks, pixel size; pixels read where they are needed."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from mmap import ACCESS_READ, mmap
from threading import Lock
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import tifffile
import zarr

from napari_superpixels.io.arrays import CHUNK
from napari_superpixels.io.georeference import states_georeference
from napari_superpixels.io.metadata import FileMetadata, PixelSizes
from napari_superpixels.io.problems import unless_damaged
from napari_superpixels.io.provenance import FURTHER_MAP, of_tiff

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_GDAL_NODATA = 42113
_ALPHA = {tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA}
# Of a file of thin strips, these are read together.
_STRIPS_BYTES = 2**20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class TiffImage:
    """The first image of a TIFF.

    Attributes
    ----------
    array : dask array
        Pixels; samples of a pixel come last.
    channel_axis : int or None
        Axis that the file calls channels or samples.
    nodata : float or None
        As GDAL writes it.
    axes : str
        A letter for each axis, as tifffile names them.
    alpha : dask array or None
        Declared transparency, or GDAL's mask; 0 where there is no image.
    metadata : FileMetadata
        What else the file says.
    """

    array: Any
    channel_axis: int | None
    nodata: float | None
    axes: str
    alpha: Any
    metadata: FileMetadata


class TiffSource:
    """A TIFF that is opened once, until it is closed; after that, for each read.

    Other processes, which get it pickled, open it for each read.

    Parameters
    ----------
    path : Path
    """

    _tiff: tifffile.TiffFile | None

    def __init__(self, path: Path) -> None:
        self.__setstate__(path)
        self._tiff = tifffile.TiffFile(path)

    @contextmanager
    def opened(self) -> Iterator[tifffile.TiffFile]:
        """Give the open file."""
        with self._lock:
            tiff = self._tiff
            self._n_reading += tiff is not None
        if tiff is None:
            with tifffile.TiffFile(self.path) as tiff:
                yield tiff
            return
        try:
            yield tiff
        finally:
            with self._lock:
                self._n_reading -= 1
                is_last = self._tiff is None and self._n_reading == 0
            if is_last:
                tiff.close()

    def close(self) -> None:
        """Close the file, until somebody reads pixels; threads that are reading end first."""
        with self._lock:
            tiff, self._tiff = self._tiff, None
            is_read = self._n_reading > 0
        if tiff is not None and not is_read:
            tiff.close()

    def __del__(self) -> None:
        self.close()

    def __getstate__(self) -> Path:
        return self.path

    def __setstate__(self, path: Path) -> None:
        self.path = path
        self._tiff = None
        self._lock = Lock()
        self._n_reading = 0


def open_tiff(source: TiffSource, level: int) -> TiffImage:
    """Look at the first image of a TIFF; its pixels are read later.

    Parameters
    ----------
    source : TiffSource
    level : int
        Level of its pyramid, 0 for full resolution.

    Returns
    -------
    TiffImage
        Lazy arrays, and what the file says.
    """
    with source.opened() as tiff:
        series = _first_series(tiff, source.path)
        pixels = _pixels(source, tiff, 0, level)
        tag = series.keyframe.tags.get(_GDAL_NODATA)
        nodata = None if tag is None else float(tag.value.strip("\0 "))
        array, channel_axis, axes, alpha = _sorted(pixels, series, source.path)
        mask = _mask_series(tiff)
        if mask is not None:
            number = tiff.series.index(mask)
            alpha = _pixels(source, tiff, number, min(level, len(mask.levels) - 1))
            alpha = _resampled(alpha, series.levels[level].keyframe)
        metadata = FileMetadata(
            source.path,
            unless_damaged(source.path, _pixel_sizes, tiff),
            states_georeference(tiff),
            unless_damaged(source.path, of_tiff, tiff) or {},
        )
        return TiffImage(array, channel_axis, nodata, axes, alpha, metadata)


def n_levels(source: TiffSource) -> int:
    """Count the levels of the first image's pyramid."""
    with source.opened() as tiff:
        return len(tiff.series[0].levels)


def read_further(source: TiffSource) -> dict[str, NDArray[np.unsignedinteger]]:
    """Read the label maps that `save_labels` put beside the first one, by name."""
    with source.opened() as tiff:
        described = zip(tiff.series, tiff.shaped_metadata or (), strict=False)
        return {
            about[FURTHER_MAP]: series.asarray()
            for series, about in described
            if FURTHER_MAP in about
        }


# ---- which pixels ------------------------------------------------------------------------------


def _first_series(tiff: tifffile.TiffFile, path: Path) -> tifffile.TiffPageSeries:
    """Take the first image of a TIFF, and warn if it has others."""
    pages = [series.keyframe for series in tiff.series]
    n_images = sum(not page.is_mask and FURTHER_MAP not in page.description for page in pages)
    if n_images > 1:
        _warn_of_others(path, n_images)
    return tiff.series[0]


@cache  # a file that is read part by part is opened again and again
def _warn_of_others(path: Path, n: int) -> None:
    _log.warning("%s holds %d separate images; the first is used", path, n)


def _mask_series(tiff: tifffile.TiffFile) -> tifffile.TiffPageSeries | None:
    """Find the mask that GDAL keeps in pages of its own beside an image."""
    first = tiff.series[0].keyframe
    for series in tiff.series[1:]:
        page = series.keyframe
        size = (page.imagelength, page.imagewidth)
        if page.is_mask and size == (first.imagelength, first.imagewidth):
            return series
    return None


def _sorted(
    array: Any, series: tifffile.TiffPageSeries, path: Path
) -> tuple[Any, int | None, str, Any]:
    """Drop axes of length 1, put samples last, part transparency from them."""
    axes = series.axes
    if array.size == 0:
        raise ValueError("it holds no pixels")
    kept = [i for i, n in enumerate(array.shape) if n > 1 or axes[i] in "YX"]
    array = array[tuple(slice(None) if i in kept else 0 for i in range(array.ndim))]
    axes = "".join(axes[i] for i in kept)
    channel_axis = next((axes.index(name) for name in "SC" if name in axes), None)
    if channel_axis is None or axes[channel_axis] != "S":
        return array, channel_axis, axes, None
    # Samples of a pixel, wherever they are stored: RGB or grey, perhaps with transparency.
    if series.kind == "shaped" and axes == "SYX" and array.dtype == np.uint16:
        # What tifffile writes by default for any three or four planes of 16 bits.
        _log.warning(
            "%s says that its %d planes are colours; if they are a stack, save it anew with "
            "photometric='minisblack'",
            path,
            len(array),
        )
    array = np.moveaxis(array, channel_axis, -1)
    axes = axes.replace("S", "") + "S"
    array, alpha = _without_alpha(array, series.keyframe)
    if array.shape[-1] == 1:
        return array[..., 0], None, axes[:-1], alpha
    return array, -1, axes, alpha


def _without_alpha(samples: Any, page: tifffile.TiffPage) -> tuple[Any, Any]:
    """Part colours or bands, which lie along the last axis, from the transparency among them."""
    n = samples.shape[-1]
    extra = page.extrasamples
    declared = [n - len(extra) + i for i, kind in enumerate(extra) if kind in _ALPHA]
    if declared:
        kept = [i for i in range(n) if i != declared[0]]
        # Slices where they do, as they copy nothing.
        rest = samples[..., :-1] if declared[0] == n - 1 else samples[..., kept]
        return rest, samples[..., declared[0]]
    # A second or fourth sample is transparency, but a map says it; what is not said masks nothing.
    return (samples[..., :-1] if n in (2, 4) and not page.is_geotiff else samples), None


# ---- pixels ------------------------------------------------------------------------------------


def _pixels(source: TiffSource, tiff: tifffile.TiffFile, number: int, level: int) -> Any:
    series = tiff.series[number].levels[level]
    # Memory-mapped where the pixels lie in one piece; else in the file's tiles or strips.
    stored: Any = series.keyframe.dtype
    if series.dataoffset is not None and series.size:
        dtype = np.dtype(f"{tiff.byteorder}{stored.char}")
        if series.dataoffset + dtype.itemsize * series.size > tiff.filehandle.size:
            raise ValueError("it is shorter than its pixels")
        mapped = _MappedPixels(source, dtype, series.shape, series.dataoffset)
        return da.from_array(mapped, chunks=CHUNK)
    pixels = zarr.open_array(tiff.series[number].aszarr(level=level), mode="r")
    lazy = _TiledPixels(source, number, level, pixels.shape, pixels.dtype)
    return da.from_array(lazy, chunks=_grouped(pixels, tiff.series[number].axes))


def _grouped(pixels: zarr.Array[Any], axes: str) -> tuple[int, ...]:
    """Chunks of several strips, where these are thin: for each chunk the file may be opened."""
    chunks, rows = list(pixels.chunks), axes.find("Y")
    if rows < 0:  # a section along other axes
        return tuple(chunks)
    n_strips = max(1, _STRIPS_BYTES // (math.prod(chunks) * pixels.dtype.itemsize))
    chunks[rows] = min(chunks[rows] * n_strips, pixels.shape[rows])
    return tuple(chunks)


def _resampled(mask: Any, page: tifffile.TiffPage) -> Any:
    """A mask as large as an image, which may have more levels than its mask."""
    for axis, wanted in enumerate((page.imagelength, page.imagewidth)):
        if (n := mask.shape[axis]) != wanted:
            mask = da.take(mask, np.arange(wanted) * n // wanted, axis)
    return mask


class _MappedPixels:
    """Pixels in one piece of a TIFF, mapped only while some of them are read."""

    def __init__(
        self, source: TiffSource, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int
    ) -> None:
        self.source, self.dtype, self.shape, self.offset = source, dtype, shape, offset
        self.ndim = len(shape)

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        with self.source.opened() as tiff:
            # Not np.memmap, which moves the position in a file that other threads read.
            content = mmap(tiff.filehandle.fileno(), 0, access=ACCESS_READ)
        return np.ndarray(self.shape, self.dtype, content, self.offset)[index].copy()


class _TiledPixels:
    """Pixels in tiles or strips of a TIFF."""

    def __init__(
        self,
        source: TiffSource,
        series: int,
        level: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> None:
        self.source, self.series, self.level = source, series, level
        self.shape, self.dtype, self.ndim = shape, dtype, len(shape)

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        with self.source.opened() as tiff:
            store = tiff.series[self.series].aszarr(level=self.level)
            return np.asarray(zarr.open_array(store, mode="r")[index])


# ---- pixel size --------------------------------------------------------------------------------


def _pixel_sizes(tiff: tifffile.TiffFile) -> PixelSizes | None:
    """Sizes as OME-TIFF or ImageJ states them."""
    if tiff.is_ome:
        image = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]["Image"]
        pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
        # Micrometres are what the schema says where a file states no unit.
        return PixelSizes(
            tuple(pixels.get(f"PhysicalSize{axis}") for axis in "ZYX"),
            tuple(str(pixels.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "ZYX"),
        )
    tags = tiff.pages.first.tags
    if not tiff.is_imagej or "XResolution" not in tags or "YResolution" not in tags:
        return None
    about = tiff.imagej_metadata or {}
    pixels, per_unit = zip(*(tags[f"{axis}Resolution"].value for axis in "YX"), strict=True)
    sizes = [unit / n if n else None for n, unit in zip(pixels, per_unit, strict=True)]
    return PixelSizes((about.get("spacing"), *sizes), (str(about.get("unit", "")),) * 3)
