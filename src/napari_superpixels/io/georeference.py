"""Where a raster lies on the map: coordinate reference system and affine transform."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tifffile

from napari_superpixels.errors import ExportError, NotGeoreferenced
from napari_superpixels.errors.optional import need
from napari_superpixels.io.images import READ_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SCALE, _TIEPOINT, _TRANSFORM = 33550, 33922, 34264  # tags of GeoTIFF


@dataclass(frozen=True, slots=True)
class Place:
    """Where a raster lies on the map.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the raster.
    transform : tuple of float
        a, b, c, d, e, f: the corner of a pixel lies at x = a·column + b·row + c and
        y = d·column + e·row + f.
    crs : str or None
        Coordinate reference system as WKT.
    unit : str or None
        Unit of length on the map; None where it has none, as in degrees.
    """

    shape: tuple[int, int]
    transform: tuple[float, float, float, float, float, float]
    crs: str | None = None
    unit: str | None = None

    @property
    def pixel_size(self) -> tuple[float, float] | None:
        """Height and width of a pixel in `unit`; None where they have no meaning."""
        a, b, _, d, e, _ = self.transform
        height, width = math.hypot(b, e), math.hypot(a, d)
        is_rectangle = math.isclose(abs(a * e - b * d), height * width, rel_tol=1e-9)
        return (height, width) if self.unit and is_rectangle else None

    def at(self, shape: tuple[int, int]) -> Place:
        """Describe a smaller copy of the raster.

        Parameters
        ----------
        shape : tuple of int
            Its rows and columns.

        Returns
        -------
        Place
            The same area, with larger pixels.
        """
        a, b, c, d, e, f = self.transform
        rows, columns = self.shape[0] / shape[0], self.shape[1] / shape[1]
        transform = (a * columns, b * rows, c, d * columns, e * rows, f)
        return Place(shape, transform, self.crs, self.unit)

    def window(self, rows: slice, columns: slice) -> Place:
        """Describe a part of the raster.

        Parameters
        ----------
        rows, columns : slice
            The part, with start and stop.

        Returns
        -------
        Place
            The same pixels, fewer of them.
        """
        a, b, c, d, e, f = self.transform
        top, left = rows.start, columns.start
        transform = (a, b, a * left + b * top + c, d, e, d * left + e * top + f)
        shape = (rows.stop - top, columns.stop - left)
        return Place(shape, transform, self.crs, self.unit)

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Place:
        """Make one from plain values, as `dataclasses.asdict` and JSON give them.

        Parameters
        ----------
        known : mapping
            shape, transform, crs, unit.

        Returns
        -------
        Place
            The same place.
        """
        rows, columns = known["shape"]
        a, b, c, d, e, f = map(float, known["transform"])
        return cls((rows, columns), (a, b, c, d, e, f), known.get("crs"), known.get("unit"))


def is_placed(path: Path) -> bool:
    """Tell whether a file is a TIFF that says where on the map it lies.

    Parameters
    ----------
    path : Path
        Any file.

    Returns
    -------
    bool
        True for a GeoTIFF with a transform.
    """
    if path.suffix.lower() not in (".tif", ".tiff"):
        return False
    try:
        with tifffile.TiffFile(path) as tiff:
            tags = tiff.pages.first.tags
            return _SCALE in tags or _TRANSFORM in tags  # tiepoints alone need to be fitted
    except READ_ERRORS:
        return False


def read_place(path: Path) -> Place:
    """Read where a raster lies.

    Parameters
    ----------
    path : Path
        GeoTIFF, or any raster that GDAL reads.

    Returns
    -------
    Place
        From its metadata.

    Raises
    ------
    ExportError
        If it cannot be read or does not lie on the map, or rasterio is not installed.
    """
    try:
        rasterio = need("rasterio", "geo")
    except ExportError as error:
        error.within(f"{path}: it lies on a map")
        raise
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(path) as raster:
                place = place_of(raster)
    except rasterio.errors.RasterioError as error:
        raise ExportError(f"{path}: cannot be read as a raster ({error})") from error
    if place is None:
        raise NotGeoreferenced(str(path))
    return place


def place_of(raster: Any) -> Place | None:
    """Take the place from an open raster.

    Parameters
    ----------
    raster : rasterio.DatasetReader
        Open.

    Returns
    -------
    Place or None
        None where it has neither CRS nor transform.
    """
    crs, shape = raster.crs, raster.shape
    a, b, c, d, e, f = tuple(raster.transform)[:6]
    transform = (a, b, c, d, e, f)
    if crs is None:
        return None if raster.transform.is_identity else Place(shape, transform, None, "map unit")
    unit = crs.linear_units if crs.is_projected else None
    return Place(shape, transform, crs.to_wkt(), "m" if unit == "metre" else unit)
