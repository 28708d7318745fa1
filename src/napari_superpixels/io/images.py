"""Images from files."""

from __future__ import annotations

import logging
import struct
import zlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import imageio.v3 as iio
import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from napari_superpixels.core.prepare.nodata import is_nodata
from napari_superpixels.errors import FileError, reason_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TIFF_SUFFIXES = {".tif", ".tiff"}
_JPEG_SUFFIXES = {".jpg", ".jpeg"}
# Readers raise many kinds of errors on broken files; a user needs to know which file.
READ_ERRORS = (
    OSError,
    ValueError,
    EOFError,
    SyntaxError,
    LookupError,
    TypeError,
    RuntimeError,
    struct.error,
    zlib.error,
)
_GDAL_NODATA = 42113
# In the description of further maps beside labels of ours, which are no images of their own.
OWN_MAP = "napari-superpixels map"
# Modes in which Pillow keeps a transparent colour apart, and those that have it as a channel.
_WITH_ALPHA = {"1": "LA", "L": "LA", "P": "RGBA", "RGB": "RGBA"}
_ALPHA = {tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA}
_log = logging.getLogger(__name__)
# NumPy parses the headers of its files as Python. Where two threads do so at once, Python 3.11 may
# fail ("AST constructor recursion depth mismatch") if something listens to the garbage collector,
# as dask does.
ONE_NPY_AT_A_TIME = Lock()


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image as its file describes it.

    Attributes
    ----------
    array : ndarray, or dask array
        2D, or 3D with a channel axis; singleton axes are dropped. Dask arrays come from
        `open_image` only.
    channel_axis : int or None
        Axis that holds channels, as far as the file says.
    nodata : float or None
        Value that means "no data", from GeoTIFF metadata.
    axes : str
        One letter for each axis as tifffile names them (Y, X, C channels, S samples, Z, T, …);
        empty where the file does not say.
    alpha: ndarray, dask array or None
        How opaque each pixel is, 0 where the image has none: transparency, or a raster's own mask.
        Of the shape of `array` without its channel axis; None where the file has neither.
    """

    array: Any
    channel_axis: int | None
    nodata: float | None = None
    axes: str = ""
    alpha: Any = None


def read_image(path: str | Path) -> ImageFile:
    """Read TIFF, NPY, PNG, JPEG and whatever else Pillow reads.

    Transparency is no channel, see `ImageFile.alpha`. In a TIFF, the axes that its metadata call
    channels or samples are the channel axis.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    ImageFile
        Array, channel axis, nodata value.

    Raises
    ------
    FileError
        If the file is missing or cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(f"{path}: no such file" if not path.exists() else f"{path}: is a folder")
    try:
        if path.suffix.lower() == ".npy":
            return ImageFile(load_npy(path), None)
        if path.suffix.lower() in _TIFF_SUFFIXES:
            return _read_tiff(path)
        array = np.asarray(iio.imread(path, plugin="pillow", mode=_mode_with_alpha(path)))
        if array.ndim == 3 and array.shape[-1] == 4 and path.suffix.lower() in _JPEG_SUFFIXES:
            array = np.asarray(iio.imread(path, plugin="pillow", mode="RGB"))  # it was CMYK
    except READ_ERRORS as error:
        if isinstance(error.__cause__, Image.DecompressionBombError):
            raise FileError(
                f"{path}: has more pixels than are read from a file of this kind; save it as TIFF, "
                "which is read part by part"
            ) from error
        raise unreadable(path, error) from error
    alpha = None
    if array.ndim == 3 and array.shape[-1] in (2, 4):
        array, alpha = array[..., :-1], array[..., -1]
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    return ImageFile(array, -1 if array.ndim == 3 else None, alpha=alpha)


def load_npy(path: Path, mmap_mode: Literal["r"] | None = None) -> NDArray[Any]:
    """Read an NPY file, or map it.

    Parameters
    ----------
    path : Path
        The file.
    mmap_mode : {"r"}, optional
        As for `numpy.load`.

    Returns
    -------
    ndarray
        What it holds.

    Raises
    ------
    ValueError
        If it is of another kind or holds Python objects, which may run code where they are read.
    """
    try:
        with ONE_NPY_AT_A_TIME:
            array: NDArray[Any] = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except ValueError as error:
        if "pickle" in str(error) or "Python objects" in str(error):
            raise ValueError("it is no NPY file of numbers") from error
        raise
    return array


def _mode_with_alpha(path: Path) -> str | None:
    """How to read a picture that says which of its colours is transparent; None for as it is."""
    try:
        with Image.open(path) as image:
            return _WITH_ALPHA.get(image.mode) if "transparency" in image.info else None
    except Image.DecompressionBombError:
        return None  # whoever reads it says so
    except UnidentifiedImageError as error:
        raise ValueError("its content is no picture of a kind that is known") from error


def without_nodata(array: Any, nodata: float | None) -> NDArray[Any]:
    """Put NaN where an image has no data, so that statistics leave it out.

    Parameters
    ----------
    array : array_like
        Pixels, in memory or lazy.
    nodata : float or None
        Value that means "no data", in any channel.

    Returns
    -------
    ndarray
        The same values, as floats if some are NaN now.
    """
    values = np.asarray(array)
    missing = None if nodata is None else is_nodata(values, nodata)
    if missing is None or not missing.any():
        return values
    return np.where(missing, np.nan, values)


def unreadable(path: Path, error: Exception) -> FileError:
    """Say why an image file cannot be read, and what to do.

    Parameters
    ----------
    path : Path
        The file.
    error : Exception
        What its library raised.

    Returns
    -------
    FileError
        To raise.
    """
    if path.is_file() and path.stat().st_size == 0:
        return FileError(
            f"{path}: cannot be read as an image: it is empty (0 bytes); copy or export it again"
        )
    if isinstance(error, PermissionError):
        return FileError(f"{path}: you may not read this file; ask its owner, or copy it")
    return FileError(
        f"{path}: cannot be read as an image ({reason_of(error)}): it may be damaged, cut short, "
        "or of another kind than its name says; copy or export it again"
    )


def _read_tiff(path: Path) -> ImageFile:
    with tifffile.TiffFile(path) as tiff:
        series = first_series(tiff, path)
        found = described(series.asarray(), series, path)
        mask = mask_series(tiff)
        return found if mask is None else replace(found, alpha=mask.asarray())


def mask_series(tiff: tifffile.TiffFile) -> tifffile.TiffPageSeries | None:
    """Find the mask that GDAL keeps in pages of its own beside an image.

    Parameters
    ----------
    tiff : TiffFile
        The open file.

    Returns
    -------
    TiffPageSeries or None
        Bits of the first image's rows and columns.
    """
    first = tiff.series[0].keyframe
    for series in tiff.series[1:]:
        page = series.keyframe
        size = (page.imagelength, page.imagewidth)
        if page.is_mask and size == (first.imagelength, first.imagewidth):
            return series
    return None


def first_series(tiff: tifffile.TiffFile, path: Path) -> tifffile.TiffPageSeries:
    """Take the first image of a TIFF, and warn if it has others.

    Parameters
    ----------
    tiff : TiffFile
        The open file.
    path : Path
        Its name.

    Returns
    -------
    TiffPageSeries
        The image.
    """
    pages = [series.keyframe for series in tiff.series]
    n_images = sum(not page.is_mask and OWN_MAP not in page.description for page in pages)
    if n_images > 1:
        _warn_of_others(path, n_images)
    return tiff.series[0]


@cache  # a file that is read part by part is opened again and again
def _warn_of_others(path: Path, n: int) -> None:
    _log.warning("%s holds %d separate images; the first is used", path, n)


def described(array: Any, series: tifffile.TiffPageSeries, path: Path) -> ImageFile:
    """Sort the axes of what was read from a TIFF, in memory or lazily.

    Parameters
    ----------
    array : ndarray or dask array
        The pixels of one level.
    series : TiffPageSeries
        What the file says of them.
    path : Path
        The file, for messages.

    Returns
    -------
    ImageFile
        Without singleton axes; samples of a pixel last, transparency apart.
    """
    axes = series.axes
    tag = series.keyframe.tags.get(_GDAL_NODATA)
    nodata = None if tag is None else float(tag.value.strip("\0 "))
    if array.size == 0:
        raise ValueError("it holds no pixels")
    kept = [i for i, n in enumerate(array.shape) if n > 1 or axes[i] in "YX"]
    array = array[tuple(slice(None) if i in kept else 0 for i in range(array.ndim))]
    axes = "".join(axes[i] for i in kept)
    channel_axis = next((axes.index(name) for name in "SC" if name in axes), None)
    if channel_axis is not None and axes[channel_axis] == "S":
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
        array, alpha = _alpha_apart(array, series.keyframe)
        if array.shape[-1] == 1:
            return ImageFile(array[..., 0], None, nodata, axes[:-1], alpha)
        return ImageFile(array, -1, nodata, axes, alpha)
    return ImageFile(array, channel_axis, nodata, axes)


def _alpha_apart(samples: Any, page: tifffile.TiffPage) -> tuple[Any, Any]:
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
