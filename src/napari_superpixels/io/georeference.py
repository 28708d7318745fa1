"""Where a raster lies on the map: coordinate reference system and affine transform."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tifffile

from napari_superpixels.errors import ExportError, MissingLibrary, NotGeoreferenced
from napari_superpixels.errors.optional import need
from napari_superpixels.io.problems import READ_ERRORS
from napari_superpixels.io.readers.signatures import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SCALE, _TIEPOINT, _TRANSFORM = 33550, 33922, 34264  # tags of GeoTIFF


@dataclass(frozen=True, slots=True)
class Georeference:
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

    def resampled(self, shape: tuple[int, int]) -> Georeference:
        """Describe a smaller copy of the raster.

        Parameters
        ----------
        shape : tuple of int
            Its rows and columns.

        Returns
        -------
        Georeference
            The same area, with larger pixels.
        """
        a, b, c, d, e, f = self.transform
        rows, columns = self.shape[0] / shape[0], self.shape[1] / shape[1]
        transform = (a * columns, b * rows, c, d * columns, e * rows, f)
        return Georeference(shape, transform, self.crs, self.unit)

    def window(self, rows: slice, columns: slice) -> Georeference:
        """Describe a part of the raster.

        Parameters
        ----------
        rows, columns : slice
            The part, with start and stop.

        Returns
        -------
        Georeference
            The same pixels, fewer of them.
        """
        a, b, c, d, e, f = self.transform
        top, left = rows.start, columns.start
        transform = (a, b, a * left + b * top + c, d, e, d * left + e * top + f)
        shape = (rows.stop - top, columns.stop - left)
        return Georeference(shape, transform, self.crs, self.unit)

    def is_elsewhere(self, other: Georeference) -> bool:
        """Tell whether a raster of as many pixels does not lie on this one.

        Parameters
        ----------
        other : Georeference
            Of as many rows and columns.

        Returns
        -------
        bool
            True if a corner is off by more than half a pixel, or the CRS is another one.
        """
        if self.crs and other.crs and self.crs != other.crs:
            crs: Any = need("rasterio.crs", "geo").CRS
            if crs.from_wkt(self.crs) != crs.from_wkt(other.crs):
                return True
        (a, b, c, d, e, f), (height, width) = self.transform, self.shape
        limit = math.sqrt(abs(a * e - b * d)) / 2
        u, v, w, x, y, z = other.transform
        return any(
            math.hypot(
                (a - u) * column + (b - v) * row + c - w, (d - x) * column + (e - y) * row + f - z
            )
            > limit
            for row in (0, height)
            for column in (0, width)
        )

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Georeference:
        """Make one from plain values, as `dataclasses.asdict` and JSON give them.

        Parameters
        ----------
        known : mapping
            shape, transform, crs, unit.

        Returns
        -------
        Georeference
            The same place.
        """
        rows, columns = known["shape"]
        a, b, c, d, e, f = map(float, known["transform"])
        return cls((rows, columns), (a, b, c, d, e, f), known.get("crs"), known.get("unit"))


def is_georeferenced(path: Path) -> bool:
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
    if kind_of(path) != "tiff":
        return False
    try:
        with tifffile.TiffFile(path) as tiff:
            return states_georeference(tiff)
    except READ_ERRORS:
        return False


def states_georeference(tiff: tifffile.TiffFile) -> bool:
    """Tell whether an open TIFF says where on the map it lies."""
    tags = tiff.pages.first.tags
    return _SCALE in tags or _TRANSFORM in tags  # tiepoints alone need to be fitted


def read_georeference(path: Path) -> Georeference:
    """Read where a raster lies.

    Parameters
    ----------
    path : Path
        GeoTIFF, or any raster that GDAL reads.

    Returns
    -------
    Georeference
        From its metadata.

    Raises
    ------
    ExportError
        If it cannot be read or does not lie on the map.
    MissingLibrary
        If rasterio is not installed.
    """
    try:
        rasterio = need("rasterio", "geo")
    except MissingLibrary as error:
        error.within(f"{path}: it lies on a map")
        raise
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(gdal_name(path)) as raster:
                place = georeference_of(raster)
    except rasterio.errors.RasterioError as error:
        raise ExportError(f"{path}: cannot be read as a raster ({error})") from error
    if place is None:
        raise NotGeoreferenced(str(path))
    return place


def gdal_name(path: Path) -> str:
    """Name a file so that GDAL takes it for one on this machine.

    Relative names such as ``zip:x.tif`` or ``s3:z.tif`` mean other things to it.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        From the root.
    """
    return str(path.absolute())


def georeference_of(raster: Any) -> Georeference | None:
    """Take the place from an open raster.

    Parameters
    ----------
    raster : rasterio.DatasetReader
        Open.

    Returns
    -------
    Georeference or None
        None where it has neither CRS nor transform.
    """
    crs, shape = raster.crs, raster.shape
    a, b, c, d, e, f = tuple(raster.transform)[:6]
    transform = (a, b, c, d, e, f)
    if not all(map(math.isfinite, transform)) or math.isclose(a * e, b * d):
        return None  # it is damaged, and lies nowhere
    if crs is None:
        return (
            None
            if raster.transform.is_identity
            else Georeference(shape, transform, None, "map unit")
        )
    unit = crs.linear_units if crs.is_projected else None
    return Georeference(shape, transform, crs.to_wkt(), "m" if unit == "metre" else unit)
