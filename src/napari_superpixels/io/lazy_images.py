"""Images from files of which only the parts that are needed are read."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import dask.array as da
import numpy as np
import tifffile
import zarr

from napari_superpixels.errors import FileError
from napari_superpixels.io.images import (
    READ_ERRORS,
    ImageFile,
    described,
    first_series,
    load_npy,
    mask_series,
    read_image,
    unreadable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_TIFF_SUFFIXES = (".tif", ".tiff")
# Of a file that has no tiles of its own.
_CHUNK = "16 MiB"
# Of a file of thin strips.
_STRIPS_BYTES = 2**20


def open_image(path: str | Path, level: int = 0) -> ImageFile:
    """Open an image; pixels of TIFF, NPY, Zarr and OME-Zarr are read later, where they are needed.

    Parameters
    ----------
    path : str or Path
        A file, or the folder of a Zarr array or an OME-Zarr image. Other formats than those above
        are read at once.
    level : int, default 0
        Level of a pyramid in TIFF or OME-Zarr, 0 for full resolution.

    Returns
    -------
    ImageFile
        With a dask array, and axes as `read_image` gives them.

    Raises
    ------
    FileError
        If it is missing, cannot be read, or does not have the level.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.is_dir():
        opener = _open_zarr
    elif path.is_file() and suffix in _TIFF_SUFFIXES:
        opener = _open_tiff
    elif path.is_file() and suffix == ".npy":
        opener = _open_npy
    else:
        image = read_image(path)
        return replace(image, array=da.from_array(image.array))
    try:
        return opener(path, level)
    except FileError:
        raise
    except READ_ERRORS as error:
        raise unreadable(path, error) from error


def read_now(array: Any, path: str | Path) -> NDArray[Any]:
    """Read what was chosen of an image.

    Parameters
    ----------
    array : ndarray or dask array
        From `open_image`, or a part of it.
    path : str or Path
        Its file, for messages.

    Returns
    -------
    ndarray
        The pixels.

    Raises
    ------
    FileError
        If they cannot be read.
    """
    try:
        return np.asarray(array)
    except READ_ERRORS as error:
        raise unreadable(Path(path), error) from error


def _open_npy(path: Path, level: int) -> ImageFile:
    _check_level(path, level, 1)
    mapped = load_npy(path, mmap_mode="r")
    return ImageFile(_lazy(mapped, path), None)


def _open_tiff(path: Path, level: int) -> ImageFile:
    with tifffile.TiffFile(path) as tiff:
        series = first_series(tiff, path)
        _check_level(path, level, len(series.levels))
        # Memory-mapped where the pixels lie in one piece; else in the file's tiles or strips.
        if series.levels[level].dataoffset is not None:
            array = _lazy(tifffile.memmap(path, series=0, level=level, mode="r"), path)
        else:
            array = _in_chunks(path, series, 0, level)
        found = described(array, series, path)
        mask = mask_series(tiff)
        if mask is None:
            return found
        alpha = _in_chunks(path, mask, tiff.series.index(mask), min(level, len(mask.levels) - 1))
        return replace(found, alpha=_resampled(alpha, series.levels[level].keyframe))


def _in_chunks(path: Path, series: tifffile.TiffPageSeries, number: int, level: int) -> Any:
    pixels = zarr.open_array(series.aszarr(level=level), mode="r")
    lazy = _TiffPixels(path, number, level, pixels.shape, pixels.dtype)
    return da.from_array(lazy, chunks=_grouped(pixels, series.axes))


def _resampled(mask: Any, page: tifffile.TiffPage) -> Any:
    """A mask as large as an image, which may have more levels than its mask."""
    for axis, wanted in enumerate((page.imagelength, page.imagewidth)):
        if (n := mask.shape[axis]) != wanted:
            mask = da.take(mask, np.arange(wanted) * n // wanted, axis)
    return mask


def _grouped(pixels: zarr.Array[Any], axes: str) -> tuple[int, ...]:
    """Chunks of several strips, where these are thin: for each chunk the file is opened anew."""
    chunks, rows = list(pixels.chunks), axes.find("Y")
    if rows < 0:  # a section along other axes
        return tuple(chunks)
    n_strips = max(1, _STRIPS_BYTES // (math.prod(chunks) * pixels.dtype.itemsize))
    chunks[rows] = min(chunks[rows] * n_strips, pixels.shape[rows])
    return tuple(chunks)


def _lazy(mapped: NDArray[Any], path: Path) -> Any:
    """A dask array of pixels that lie in one piece of a file."""
    if not isinstance(mapped, np.memmap):  # nothing to map: it is empty
        return da.from_array(mapped)
    order: Literal["C", "F"] = "C" if mapped.flags.c_contiguous else "F"
    pixels = _MappedPixels(path, mapped.dtype, mapped.shape, mapped.offset, order)
    return da.from_array(pixels, chunks=_CHUNK)


@dataclass(frozen=True, slots=True)
class _MappedPixels:
    """Pixels in one piece of a file, mapped only while some of them are read.

    Dask would copy a `numpy.memmap` into memory as a whole.
    """

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    order: Literal["C", "F"]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        return np.array(
            np.memmap(self.path, self.dtype, "r", self.offset, self.shape, self.order)[index]
        )


@dataclass(frozen=True, slots=True)
class _TiffPixels:
    """Pixels of a TIFF; the file is open only while some of them are read."""

    path: Path
    series: int
    level: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        with tifffile.TiffFile(self.path) as tiff:
            store = tiff.series[self.series].aszarr(level=self.level)
            return np.asarray(zarr.open_array(store, mode="r")[index])


def _open_zarr(path: Path, level: int) -> ImageFile:
    node = zarr.open(str(path), mode="r")
    if isinstance(node, zarr.Array):
        _check_level(path, level, 1)
        return ImageFile(da.from_zarr(node), None)
    attributes: Mapping[str, Any] = node.attrs.asdict()
    attributes = attributes.get("ome", attributes)  # NGFF 0.5 has a key of its own
    if "multiscales" not in attributes:
        inside = ", ".join(sorted(node.group_keys())) or "none"
        raise FileError(
            f"{path}: is neither a Zarr array nor an OME-Zarr image (it has no “multiscales”); for "
            f"an image inside it, name that folder: {inside}"
        )
    image = attributes["multiscales"][0]
    _check_level(path, level, len(image["datasets"]))
    array = da.from_zarr(node[image["datasets"][level]["path"]])
    axes = "".join(str(a["name"] if isinstance(a, dict) else a)[:1] for a in image["axes"]).upper()
    kept = [i for i, n in enumerate(array.shape) if n > 1 or axes[i] in "YX"]
    array = array[tuple(slice(None) if i in kept else 0 for i in range(array.ndim))]
    axes = "".join(axes[i] for i in kept)
    return ImageFile(array, axes.index("C") if "C" in axes else None, None, axes)


def _check_level(path: Path, level: int, n_levels: int) -> None:
    if not 0 <= level < n_levels:
        raise FileError(f"{path}: has the levels 0 to {n_levels - 1}, not {level}")
