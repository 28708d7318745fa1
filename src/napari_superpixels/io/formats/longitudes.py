"""Polygons in longitude and latitude, cut at the 180th meridian as RFC 7946 wants it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_superpixels.errors import ExportError
from napari_superpixels.errors.optional import need

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TURN = 360.0
# Parts of a raster's longer side: edges are so short that none spans half the world.
_EDGES = 64
_PRECISION = 1e-9  # degrees; a tenth of a millimetre
_WGS84 = "EPSG:4326"
_REMEDY = "write .gpkg, which stays in the CRS of the raster"


def to_longitudes(frame: Any) -> Any:
    """Convert polygons to WGS84 longitude and latitude.

    Parameters
    ----------
    frame : geopandas.GeoDataFrame
        MultiPolygons with a CRS.

    Returns
    -------
    geopandas.GeoDataFrame
        The same, between -180 and 180 degrees; what lies across the 180th meridian is in parts.
        Outer rings run counterclockwise. It has no CRS, as RFC 7946 knows but one.

    Raises
    ------
    ExportError
        If the CRS has no way to WGS84, as that of a mine or the Moon, or one of the polygons holds
        a pole.
    """
    pyproj = need("pyproj.exceptions", "geo")
    try:
        found = frame.to_crs(_WGS84)
    except pyproj.ProjError as error:
        raise ExportError(
            f"the CRS of the raster, {frame.crs.name}, has no way to longitude and latitude; "
            f"{_REMEDY}"
        ) from error
    bounds = found.geometry.bounds.to_numpy()
    if not np.isfinite(bounds).all():
        raise ExportError(
            "some superpixels lie where the CRS of the raster has no longitude and latitude; "
            f"{_REMEDY}"
        )
    left, bottom, right, top = frame.total_bounds
    steps = np.linspace(0, 1, _EDGES + 1)
    xs, ys = np.meshgrid(left + steps * (right - left), bottom + steps * (top - bottom))
    longitudes, _ = (
        need("pyproj", "geo")
        .Transformer.from_crs(frame.crs, _WGS84, always_xy=True)
        .transform(xs, ys)
    )
    if np.ptp(longitudes) > _TURN / 2:  # shapes may be torn from one end of the world to the other
        dense = frame.geometry.segmentize(max(right - left, top - bottom) / _EDGES)
        found.geometry = dense.to_crs(_WGS84).map(_unwrapped)
    found.geometry = found.geometry.map(_cut)
    return found.set_crs(None, allow_override=True)


def _unwrapped(shape: Any) -> Any:
    """Polygons whose rings do not jump from one end of the world to the other."""
    shapely = need("shapely", "geo")
    parts = []
    for polygon in shapely.get_parts(shape):
        outer = _unwrapped_ring(polygon.exterior)
        west, east = outer[:, 0].min(), outer[:, 0].max()
        holes = []
        for ring in polygon.interiors:
            hole = _unwrapped_ring(ring)
            # A hole lies in its polygon, perhaps a turn away from where it was begun.
            middle = (hole[:, 0].min() + hole[:, 0].max()) / 2
            hole[:, 0] += _TURN * round(((west + east) / 2 - middle) / _TURN)
            holes.append(hole)
        parts.append(shapely.Polygon(outer, holes))
    return shapely.MultiPolygon(parts)


def _unwrapped_ring(ring: Any) -> NDArray[np.float64]:
    points = np.array(ring.coords)
    points[:, 0] = np.unwrap(points[:, 0], period=_TURN)
    if abs(points[-1, 0] - points[0, 0]) > 1:
        raise ExportError(
            "a superpixel holds a pole, which no polygon of longitudes and latitudes does; "
            f"{_REMEDY}"
        )
    return points


def _cut(shape: Any) -> Any:
    """Bring what lies beyond ±180 degrees back, in parts of its own."""
    shapely = need("shapely", "geo")
    orient = need("shapely.geometry.polygon", "geo").orient
    west, south, east, north = shape.bounds
    first, last = (math.floor((west + _TURN / 2) / _TURN), math.ceil((east + _TURN / 2) / _TURN))
    if (first, last) != (0, 1):
        # Turns are added with rounding errors.
        shape = shapely.set_precision(shapely.make_valid(shape), _PRECISION)
        moved = []
        for turn in range(first, last):
            start = turn * _TURN - _TURN / 2
            inside = shape.intersection(shapely.box(start, south, start + _TURN, north))
            moved.append(shapely.transform(inside, lambda xy, by=turn * _TURN: xy - [by, 0]))
        shape = shapely.union_all(
            moved, grid_size=_PRECISION
        )  # what was begun at 0 degrees meets itself there
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon([orient(part) for part in parts])
