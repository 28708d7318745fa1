"""The door for images: opened once, read where needed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import dask.array as da
import numpy as np
import psutil
from PIL.Image import DecompressionBombError

from napari_superpixels.core.prepare.checks import is_wanted
from napari_superpixels.core.prepare.nodata import is_nodata
from napari_superpixels.errors import ExportError, FileError, MissingLibrary
from napari_superpixels.errors.quantities import gigabytes
from napari_superpixels.io.metadata import FileMetadata
from napari_superpixels.io.ome_zarr import open_zarr
from napari_superpixels.io.problems import READ_ERRORS, check_level, unreadable
from napari_superpixels.io.readers.arrays import open_npy
from napari_superpixels.io.readers.gdal_nodata import mask_beside, nodata_beside
from napari_superpixels.io.readers.pictures import read_picture
from napari_superpixels.io.readers.signatures import kind_of
from napari_superpixels.io.readers.tiff import TiffSource, n_levels, open_tiff, resampled

if TYPE_CHECKING:
    from numpy.typing import NDArray


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_OTHER_KINDS = {"zip": "an archive (ZIP or NPZ)", "hdf5": "an HDF5 file"}


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
    indices : array or None
        Of a picture with a palette, the indices into it; `array` holds its colours.
    metadata : FileMetadata
        Pixel size, georeference, how labels were made.
    source : TiffSource or None
        The open file, where it is a TIFF.
    is_lossy : bool
        Whether it is a JPEG, which changes values at every edge.
    """

    path: Path
    array: Any
    channel_axis: int | None
    metadata: FileMetadata
    nodata: float | None = None
    axes: str = ""
    alpha: Any = None
    indices: Any = None
    source: TiffSource | None = None
    is_lossy: bool = False

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

    def refuse_lossy(self) -> None:
        """Refuse a JPEG as labels or mask.

        Raises
        ------
        FileError
            If it is one.
        """
        if self.is_lossy:
            raise FileError(
                f"{self.path}: is a JPEG, which changes values at edges, so that labels and masks "
                "do not survive it; save it as PNG or TIFF from where it was made"
            )

    def as_mask(self) -> Any:
        """Take the file for a mask.

        Returns
        -------
        dask array of bool
            False where the values are 0 (the index, of a picture with a palette; black, of one in
            colours), NaN or nodata, or the image itself is transparent or masked.

        Raises
        ------
        FileError
            If it has channels that are no colours, or is a JPEG.
        """
        self.refuse_lossy()
        values, axis = (
            (self.array, self.channel_axis) if self.indices is None else (self.indices, None)
        )
        values = without_single_axes(da.asarray(values)) if axis is None else da.asarray(values)
        wanted = values.map_blocks(is_wanted, dtype=bool)
        if self.nodata is not None:
            wanted &= ~values.map_blocks(is_nodata, self.nodata, dtype=bool)
        if axis is not None:
            if "S" not in self.axes or values.shape[axis] != 3:
                raise FileError(
                    f"{self.path}: has {values.shape[axis]} channels, and a mask has none: give "
                    "one plane that is 0 where pixels are left out"
                )
            wanted = wanted.any(axis)
        return wanted if self.alpha is None else wanted & (da.asarray(self.alpha) != 0)

    @property
    def plane_axes(self) -> str:
        """A letter for each axis that is not channels."""
        axis = self.channel_axis
        if axis is None or not self.axes:
            return self.axes
        axis %= len(self.axes)
        return self.axes[:axis] + self.axes[axis + 1 :]

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
    if not Path(path).exists():
        if _ADDRESS.match(str(path)):
            raise FileError(f"{path}: is an address; download the file first, and give its name")
        raise FileError(f"{path}: no such file")
    path = Path(path)
    try:
        return _with_sidecars(_opened(path, level), level)
    except DecompressionBombError as error:
        raise FileError(
            f"{path}: has more pixels than are read from a file of this kind; save it as TIFF, "
            "which is read part by part"
        ) from error
    except READ_ERRORS as error:
        raise unreadable(path, error) from error


def _opened(path: Path, level: int) -> ImageFile:
    if path.is_dir():
        found = open_zarr(path, level)
        return ImageFile(path, found.array, found.channel_axis, found.metadata, axes=found.axes)
    kind = kind_of(path)
    if kind == "tiff":
        source = TiffSource(path)
        try:
            check_level(path, level, n_levels(source))
            image = open_tiff(source, level)
        except BaseException:
            source.close()
            raise
        shown = image.shown
        return ImageFile(
            path,
            shown.array,
            shown.channel_axis,
            image.metadata,
            shown.nodata,
            shown.axes,
            shown.alpha,
            shown.indices,
            source,
        )
    check_level(path, level, 1)
    if kind in _OTHER_KINDS:
        raise FileError(
            f"{path}: is {_OTHER_KINDS[kind]}; save the image in it as TIFF, NPY or Zarr"
        )
    if kind == "npy":
        return ImageFile(path, open_npy(path), None, FileMetadata(path))
    picture = read_picture(path)
    return ImageFile(
        path,
        da.from_array(picture.array),
        -1 if "S" in picture.axes else None,
        FileMetadata(path),
        axes=picture.axes,
        alpha=picture.alpha,
        indices=picture.indices,
        is_lossy=kind == "jpeg",
    )


def _with_sidecars(image: ImageFile, level: int) -> ImageFile:
    """Add what GDAL keeps in files beside a raster: its nodata value, and its mask."""
    if image.path.is_dir():
        return image
    if image.nodata is None:
        image = replace(image, nodata=nodata_beside(image.path))
    beside = mask_beside(image.path)
    if beside is None:
        return image
    with open_image(beside) as mask:
        if mask.channel_axis is not None:
            raise FileError(f"{beside}: masks each band by itself, and a pixel needs all of them")
        alpha = mask.array
    if level == 0 and alpha.shape != image.plane_shape:
        raise FileError(
            f"{beside}: masks {alpha.shape} pixels, and {image.path} has {image.plane_shape}: it "
            "belongs to another raster; remove it, or make it again"
        )
    alpha = resampled(alpha, image.plane_shape) != 0
    if image.alpha is not None:
        alpha &= da.asarray(image.alpha) != 0
    return replace(image, alpha=alpha)


def without_single_axes(array: Any) -> Any:
    """Drop axes of length 1 of a mask or label map, as other software writes planes.

    Parameters
    ----------
    array : dask array

    Returns
    -------
    dask array
        Of two axes at least.
    """
    single = [i for i, n in enumerate(array.shape) if n == 1][: max(0, array.ndim - 2)]
    return array.squeeze(tuple(single))


def check_same_grid(found: FileMetadata, image: FileMetadata) -> None:
    """Refuse a mask, an image or a label map that lies elsewhere on the map.

    Parameters
    ----------
    found : FileMetadata
        Of what is to lie on the pixels of `image`.
    image : FileMetadata
        If one of the two is not on the map, or rasterio is not installed, nothing is known.

    Raises
    ------
    FileError
        If both are on the map, have as many pixels, and do not lie on each other.
    """
    try:
        here, there = (one.spatial(2).georeference for one in (found, image))
    except (ExportError, MissingLibrary):
        return
    if here is None or there is None or here.shape != there.shape:
        return
    if here.is_elsewhere(there):
        raise FileError(
            f"{found.path}: has as many pixels as {image.path} and lies elsewhere on the map: "
            "bring it onto the same grid first (in QGIS: Warp; gdalwarp -t_srs … -te … -tr …)"
        )


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
    needed = math.prod(array.shape) * array.dtype.itemsize
    free = psutil.virtual_memory().available
    if needed > free:
        raise FileError(
            f"{path}: reading its {' × '.join(map(str, array.shape))} values takes "
            f"{gigabytes(needed)}, and {gigabytes(free)} are free: segment it in tiles, or a part "
            "of it"
        )
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
