"""The door for images: opened once, read where needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import dask.array as da
import numpy as np

from napari_superpixels.core.prepare.nodata import is_nodata
from napari_superpixels.errors import FileError
from napari_superpixels.io.arrays import open_npy
from napari_superpixels.io.metadata import FileMetadata
from napari_superpixels.io.ome_zarr import open_zarr
from napari_superpixels.io.pictures import is_too_large, read_picture
from napari_superpixels.io.problems import READ_ERRORS, check_level, unreadable
from napari_superpixels.io.suffixes import is_tiff
from napari_superpixels.io.tiff import TiffSource, n_levels, open_tiff

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class ImageFile:
    """An image as its file describes it, opened by `open_image`.

    Attributes
    ----------
    path : Path
        The file or folder.
    array : dask array
        Pixels. Transparency is no channel, see `alpha`.
    channel_axis : int or None
        Axis that holds channels, as far as the file says.
    nodata : float or None
        Value that means "no data", from GeoTIFF metadata.
    axes : str
        One letter for each axis as tifffile names them (Y, X, C channels, S samples, Z, T, …);
        empty where the file does not say.
    alpha : array or None
        How opaque each pixel is, 0 where the image has none: transparency, or a raster's own mask.
        Of the shape of `array` without its channel axis; None where the file has neither.
    metadata : FileMetadata
        Pixel size, georeference, how labels were made.
    source : TiffSource or None
        The open file, where it is a TIFF.
    """

    path: Path
    array: Any
    channel_axis: int | None
    metadata: FileMetadata
    nodata: float | None = None
    axes: str = ""
    alpha: Any = None
    source: TiffSource | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; pixels can still be read, and open it for that."""
        if self.source is not None:
            self.source.close()

    def read(self) -> NDArray[Any]:
        """Read all pixels.

        Returns
        -------
        ndarray
            As `array`.

        Raises
        ------
        FileError
            If they cannot be read.
        """
        return read_now(self.array, self.path)

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Rows and columns: the last two axes that are not channels."""
        axis, shape = self.channel_axis, self.array.shape
        kept = [n for i, n in enumerate(shape) if axis is None or i != axis % len(shape)]
        return kept[-2], kept[-1]


def open_image(path: str | Path, level: int = 0) -> ImageFile:
    """Open an image; pixels of TIFF, NPY, Zarr and OME-Zarr are read later, where they are needed.

    In a TIFF, the axes that its metadata call channels or samples are the channel axis.

    Parameters
    ----------
    path : str or Path
        TIFF, NPY, a folder with a Zarr array or OME-Zarr image, or whatever Pillow reads.
    level : int, default 0
        Level of a pyramid, 0 for full resolution.

    Returns
    -------
    ImageFile
        To be closed, or used in a ``with`` block: a TIFF stays open until then.

    Raises
    ------
    FileError
        If it is missing, cannot be read, is no image, or has no such level.
    """
    path = Path(path)
    if not path.exists():
        raise FileError(f"{path}: no such file")
    try:
        return _opened(path, level)
    except FileError:
        raise
    except READ_ERRORS as error:
        if is_too_large(error):
            raise FileError(
                f"{path}: has more pixels than are read from a file of this kind; save it as TIFF, "
                "which is read part by part"
            ) from error
        raise unreadable(path, error) from error


def _opened(path: Path, level: int) -> ImageFile:
    if path.is_dir():
        found = open_zarr(path, level)
        return ImageFile(path, found.array, found.channel_axis, found.metadata, axes=found.axes)
    if is_tiff(path):
        source = TiffSource(path)
        try:
            check_level(path, level, n_levels(source))
            image = open_tiff(source, level)
        except BaseException:
            source.close()
            raise
        return ImageFile(
            path,
            image.array,
            image.channel_axis,
            image.metadata,
            image.nodata,
            image.axes,
            image.alpha,
            source,
        )
    check_level(path, level, 1)
    if path.suffix.lower() == ".npy":
        return ImageFile(path, open_npy(path), None, FileMetadata(path))
    array, alpha = read_picture(path)
    axis = -1 if array.ndim == 3 else None
    return ImageFile(path, da.from_array(array), axis, FileMetadata(path), alpha=alpha)


def read_now(array: Any, path: str | Path) -> NDArray[Any]:
    """Read what was chosen of an image.

    Parameters
    ----------
    array : array_like
        Of `open_image`, or a part of it.
    path : str or Path
        Its file, for messages.

    Returns
    -------
    ndarray
        Pixels.

    Raises
    ------
    FileError
        If they cannot be read.
    """
    try:
        return np.asarray(array)
    except READ_ERRORS as error:
        raise unreadable(Path(path), error) from error


def without_nodata(array: Any, nodata: float | None) -> NDArray[Any]:
    """Put NaN where an image has no data, so that statistics leave it out.

    Parameters
    ----------
    array : array_like
        Image, read here if it is lazy.
    nodata : float or None
        Value that means "no data"; NaN or None changes nothing.

    Returns
    -------
    ndarray
        Floats where something was replaced.
    """
    values = np.asarray(array)
    missing = None if nodata is None else is_nodata(values, nodata)
    if missing is None or not missing.any():
        return values
    return np.where(missing, np.nan, values)
