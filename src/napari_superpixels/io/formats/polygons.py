"""Superpixels as polygons with their measurements: GeoJSON and GeoPackage."""

from __future__ import annotations

import io
import json
import warnings
from typing import TYPE_CHECKING, Any

from napari_superpixels.errors import ColumnsDifferByCase
from napari_superpixels.errors.optional import need
from napari_superpixels.io.classes import CLASS, LOCK
from napari_superpixels.io.formats.longitudes import to_longitudes
from napari_superpixels.io.formats.polygonize import polygonize
from napari_superpixels.io.formats.table import measure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_superpixels.io.classes import LabelClass
    from napari_superpixels.io.formats.label_image import LabelImage

LAYER = "superpixels"
_DECIMALS = 9  # of a degree: a tenth of a millimetre


def polygons(label_image: LabelImage) -> Any:
    """Make a table of polygons.

    Parameters
    ----------
    label_image : LabelImage
        One plane of labels.

    Returns
    -------
    geopandas.GeoDataFrame
        A row a superpixel: the columns of `table.measure` and a MultiPolygon along the pixels'
        edges, on the map, or where there is none in pixels (x to the right, y down, (0, 0) the
        outer corner of the first pixel). Touching corners do not join parts.

    Raises
    ------
    ExportError
        If the labels have a depth.
    MissingLibrary
        If a library is not installed.
    """
    label_image.need_plane("a file of polygons")
    geopandas, shapely = need("geopandas", "geo"), need("shapely", "geo")
    need("pyogrio", "geo")
    shapes = [
        shapely.MultiPolygon([(rings[0], rings[1:]) for rings in parts])
        for parts in polygonize(label_image, "geo")
    ]
    frame = geopandas.GeoDataFrame(measure(label_image), geometry=shapes)
    if label_image.georeference is not None:
        a, b, c, d, e, f = label_image.georeference.transform
        frame.geometry = frame.affine_transform([a, b, d, e, c, f])
        frame = frame.set_crs(label_image.georeference.crs)
    return frame


def write_geopackage(path: Path, label_image: LabelImage) -> None:
    """Write polygons in the CRS of the labels.

    Parameters
    ----------
    path : Path
        File to write.
    label_image : LabelImage
        One plane of labels.

    Raises
    ------
    ExportError
        If the labels have a depth.
    MissingLibrary
        If a library is not installed.
    """
    frame = polygons(label_image)
    columns = [str(name).lower() for name in frame.columns]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ColumnsDifferByCase(tuple(twice))
    _write(frame, path, "GPKG", layer=LAYER)


def write_geojson(path: Path, label_image: LabelImage) -> None:
    """Write polygons in WGS84 longitude and latitude, as RFC 7946 wants it.

    What lies across the 180th meridian is cut there. Where the labels have no CRS, in the
    coordinates that they have: of the map, or in pixels. Classes and locks are there as QuPath
    reads them too (``classification``, ``isLocked``).

    Parameters
    ----------
    path : Path
        File to write.
    label_image : LabelImage
        One plane of labels.

    Raises
    ------
    ExportError
        If the labels have a depth, their CRS has no way to WGS84, or a superpixel holds a pole.
    MissingLibrary
        If a library is not installed.
    """
    frame = polygons(label_image)
    options: dict[str, str | int] = {"COORDINATE_PRECISION": _DECIMALS}
    if frame.crs is not None:
        frame = to_longitudes(frame)
    _write(frame, path, "GeoJSON", layer=LAYER, **options)
    if label_image.columns.classes:
        _add_classification(path, label_image.columns.by_name)


def _add_classification(path: Path, classes: Mapping[str, LabelClass]) -> None:
    """Write class and lock where QuPath looks for them; GDAL has no columns of such values."""
    text = json.loads(path.read_text(encoding="utf-8"))
    for feature in text["features"]:
        said = feature["properties"]
        known = classes.get(said.get(CLASS, ""))
        said["objectType"] = "annotation"
        if known is not None:
            said["classification"] = {"name": known.name, "color": list(known.rgb)}
        if said.get(LOCK) == "held":
            said["isLocked"] = True
    path.write_text(json.dumps(text, ensure_ascii=False), encoding="utf-8")


def _write(frame: Any, path: Path, driver: str, **options: str | int) -> None:
    # By way of the memory: on a full disk, GDAL closes half a file without an error.
    file = io.BytesIO()
    with warnings.catch_warnings():
        # Pixels have no CRS, and a map may lack one: that is known.
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
        frame.to_file(file, driver=driver, engine="pyogrio", **options)
    path.write_bytes(file.getbuffer())
