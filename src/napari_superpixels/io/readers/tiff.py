"""TIFF files: axes, transparency, masks; pixels read where they are needed."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from mmap import ACCESS_READ, mmap
from threading import Lock
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import tifffile
import zarr

from napari_superpixels.errors import FileError
from napari_superpixels.io.georeference import states_georeference
from napari_superpixels.io.metadata import FileMetadata
from napari_superpixels.io.problems import unless_damaged
from napari_superpixels.io.provenance import FURTHER_MAP, of_tiff
from napari_superpixels.io.readers.arrays import CHUNK, lazy
from napari_superpixels.io.readers.gdal_nodata import parse_nodata
from napari_superpixels.io.readers.tiff_colors import Shown, as_shown
from napari_superpixels.io.readers.tiff_sizes import pixel_sizes_of, time_step_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_GDAL_NODATA, _ORIENTATION = 42113, 274
# Of a file of thin strips, these are read together.
_STRIPS_BYTES = 2**20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class TiffImage:
    """The first image of a TIFF.

    Attributes
    ----------
    shown : Shown
        Lazy arrays: pixels, transparency or GDAL's mask, indices into a palette; axes, nodata.
    metadata : FileMetadata
        What else the file says.
    """

    shown: Shown
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
        series, path = _first_series(tiff, source.path), source.path
        page = series.keyframe
        tag = page.tags.get(_GDAL_NODATA)
        nodata = None if tag is None else parse_nodata(tag.value, path)
        array, axes = _sorted(_pixels(source, tiff, 0, level), series, path)
        shown = as_shown(array, axes, nodata, page)
        mask = _mask_series(tiff)
        if mask is not None:
            number = tiff.series.index(mask)
            alpha = _pixels(source, tiff, number, min(level, len(mask.levels) - 1))
            fine = series.levels[level].keyframe
            alpha = resampled(alpha, (fine.imagelength, fine.imagewidth))
            shown = replace(shown, alpha=alpha)
        if (turned := page.tags.get(_ORIENTATION)) is not None and turned.value != 1:
            _log.warning(
                "%s: its orientation tag says that it is shown turned; its rows and columns are "
                "taken as they are stored, as napari and GIS software do",
                path,
            )
        metadata = FileMetadata(
            path,
            unless_damaged(path, pixel_sizes_of, tiff),
            states_georeference(tiff),
            unless_damaged(path, of_tiff, tiff) or {},
            unless_damaged(path, time_step_of, tiff),
        )
        return TiffImage(shown, metadata)


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
    n_pages, n_used = len(tiff.pages), tiff.series[0].size // max(tiff.series[0].keyframe.size, 1)
    if tiff.is_imagej and n_images == 1 and n_used < n_pages:
        _warn_of_pages(path, n_used, n_pages)
    return tiff.series[0]


@cache  # a file that is read part by part is opened again and again
def _warn_of_others(path: Path, n: int) -> None:
    _log.warning("%s holds %d separate images; the first is used", path, n)


@cache
def _warn_of_pages(path: Path, n_used: int, n_pages: int) -> None:
    _log.warning(
        "%s holds %d pages, of which its ImageJ metadata count %d: only these are used; if that is "
        "wrong, open it in Fiji, set Image > Properties, and save it again",
        path,
        n_pages,
        n_used,
    )


def _mask_series(tiff: tifffile.TiffFile) -> tifffile.TiffPageSeries | None:
    """Find the mask that GDAL keeps in pages of its own beside an image."""
    first = tiff.series[0].keyframe
    for series in tiff.series[1:]:
        page = series.keyframe
        size = (page.imagelength, page.imagewidth)
        if page.is_mask and size == (first.imagelength, first.imagewidth):
            return series
    return None


def _sorted(array: Any, series: tifffile.TiffPageSeries, path: Path) -> tuple[Any, str]:
    """Drop axes of length 1, put samples last."""
    axes = series.axes
    if array.size == 0:
        raise ValueError("it holds no pixels")
    kept = [i for i, n in enumerate(array.shape) if n > 1 or axes[i] in "YX"]
    array = array[tuple(slice(None) if i in kept else 0 for i in range(array.ndim))]
    axes = "".join(axes[i] for i in kept)
    if "S" not in axes:
        return array, axes
    # Samples of a pixel, wherever they are stored: RGB or grey, perhaps with transparency.
    if series.kind == "shaped" and axes == "SYX" and array.dtype == np.uint16:
        # What tifffile writes by default for any three or four planes of 16 bits.
        _log.warning(
            "%s says that its %d planes are colours; if they are a stack, save it anew with "
            "photometric='minisblack'",
            path,
            len(array),
        )
    return np.moveaxis(array, axes.index("S"), -1), axes.replace("S", "") + "S"


# ---- pixels ------------------------------------------------------------------------------------


def _pixels(source: TiffSource, tiff: tifffile.TiffFile, number: int, level: int) -> Any:
    series = tiff.series[number].levels[level]
    # Memory-mapped where the pixels lie in one piece; else in the file's tiles or strips.
    stored: Any = series.keyframe.dtype
    if _is_in_this_file(series, tiff) and series.dataoffset is not None and series.size:
        dtype = np.dtype(f"{tiff.byteorder}{stored.char}")
        if series.dataoffset + dtype.itemsize * series.size > tiff.filehandle.size:
            raise ValueError("it is shorter than its pixels")
        mapped = _MappedPixels(source, dtype, series.shape, series.dataoffset)
        return lazy(mapped, CHUNK)
    n_parts, n_offsets = math.prod(series.keyframe.chunked), len(series.keyframe.dataoffsets)
    if n_offsets < n_parts:
        raise ValueError(f"it says where {n_offsets} of its {n_parts} tiles or strips are")
    pixels = zarr.open_array(tiff.series[number].aszarr(level=level), mode="r")
    tiled = _TiledPixels(source, number, level, pixels.shape, pixels.dtype)
    return lazy(tiled, _grouped(pixels, tiff.series[number].axes))


def _is_in_this_file(series: tifffile.TiffPageSeries, tiff: tifffile.TiffFile) -> bool:
    """Tell whether no page is missing or, as in OME-TIFF, in a file beside this one."""
    return all(page is not None and page.parent is tiff for page in series.pages)


def _grouped(pixels: zarr.Array[Any], axes: str) -> tuple[int, ...]:
    """Chunks of several strips, where these are thin: for each chunk the file may be opened."""
    chunks, rows = list(pixels.chunks), axes.find("Y")
    if rows < 0:  # a section along other axes
        return tuple(chunks)
    n_strips = max(1, _STRIPS_BYTES // (math.prod(chunks) * pixels.dtype.itemsize))
    chunks[rows] = min(chunks[rows] * n_strips, pixels.shape[rows])
    return tuple(chunks)


def resampled(mask: Any, shape: tuple[int, int]) -> Any:
    """Make a mask as large as its image, which may have more levels.

    Parameters
    ----------
    mask : dask array
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    dask array
        By the nearest pixels.
    """
    for axis, wanted in enumerate(shape):
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
            series = tiff.series[self.series].levels[self.level]
            self._refuse_missing(series, index)
            return np.asarray(zarr.open_array(series.aszarr(), mode="r")[index])

    def _refuse_missing(self, series: tifffile.TiffPageSeries, index: tuple[slice, ...]) -> None:
        """Refuse planes whose files are not there, which tifffile gives as zeros."""
        pages = list(series.pages)
        if all(page is not None for page in pages):
            return
        n_axes = next(n for n in range(self.ndim) if math.prod(self.shape[:n]) == len(pages))
        numbers = np.arange(len(pages)).reshape(self.shape[:n_axes])
        wanted = np.ravel(numbers[index[:n_axes]])
        missing = [int(i) for i in wanted if pages[i] is None]
        if missing:
            where = np.unravel_index(missing[0], self.shape[:n_axes])
            place = ", ".join(f"{a} = {i}" for a, i in zip(series.axes, where, strict=False))
            raise FileError(
                f"{self.source.path}: {len(missing)} of its planes (the first at {place}) lie in "
                "files that are not beside it: put all files of the image into one folder"
            )
