"""*File > Save Selected Layers*: what Export writes, for one Labels layer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels, Layer

from napari import current_viewer
from napari_superpixels._napari.export.export_job import export_job, made_from
from napari_superpixels._napari.export.known import ALL, known_of
from napari_superpixels._napari.input.plane import View
from napari_superpixels.errors import ExportError
from napari_superpixels.io.formats import format_of

if TYPE_CHECKING:
    from napari_superpixels._napari.readers.geotiff import LayerTuple


def write_tiff(path: str, layers: list[LayerTuple]) -> list[str]:
    """Write labels as TIFF: a GeoTIFF where they lie on a map, else for ImageJ, or OME-TIFF.

    Parameters
    ----------
    path : str
        File to write; one that is there is replaced, as napari has asked.
    layers : list of (data, dict, str)
        A Labels layer, and perhaps an Image layer whose values go along; without it, the images
        that the labels were made from do, if they are in the viewer.

    Returns
    -------
    list of str
        What was written: `path` alone, as npe2 expects of a writer.

    Raises
    ------
    ExportError
        If it cannot be written; no half file is left.
    """
    return _write(path, ".tif", layers)


def write_table(path: str, layers: list[LayerTuple]) -> list[str]:
    """Write a table of superpixels, or of their neighbours; see `write_tiff`."""
    return _write(path, ".csv", layers)


def write_polygons(path: str, layers: list[LayerTuple]) -> list[str]:
    """Write polygons; see `write_tiff`."""
    return _write(path, ".geojson", layers)


def write_rois(path: str, layers: list[LayerTuple]) -> list[str]:
    """Write ROIs for ImageJ; see `write_tiff`."""
    return _write(path, ".zip", layers)


def write_zarr(path: str, layers: list[LayerTuple]) -> list[str]:
    """Write OME-Zarr; see `write_tiff`."""
    return _write(path, ".zarr", layers)


def write_picture(path: str, layers: list[LayerTuple]) -> list[str]:
    """Write the image with the borders, or a map of classes, as PNG; see `write_tiff`."""
    return _write(path, ".png", layers)


def _write(name: str, suffix: str, given: list[LayerTuple]) -> list[str]:
    path = Path(name)
    try:
        format_of(path)
    except ExportError:  # napari hands the name on as it was typed
        path = path.with_name(path.name + suffix)
        if path.exists():
            raise ExportError(
                f"{path} exists already: type its full name to replace it, or choose another"
            ) from None
    viewer = current_viewer()
    layers = [] if viewer is None else list(viewer.layers)
    chosen = {kind: _layer_of((data, options, kind), layers) for data, options, kind in given}
    layer = chosen["labels"]
    assert isinstance(layer, Labels)
    about = known_of(layer, layers)
    if viewer is not None and layer in layers:
        view = View.of(viewer)
    else:
        view = View(tuple(layer.data_to_world((0,) * layer.ndim)), (-2, -1))
    made = made_from(about.made_for or layer, layers)
    image = chosen.get("image")
    images = [(image, None)] if isinstance(image, Image) and not made else made
    job = export_job(path, layer, images, view, about, ALL)
    # In a thread that Python made, as Export does: pyproj crashes in some others.
    with ThreadPoolExecutor(max_workers=1) as threads:
        threads.submit(job.write, overwrite=True).result()
    return [str(path)]


def _layer_of(given: LayerTuple, layers: list[Any]) -> Layer:
    """The layer of the viewer that napari describes to a writer, or one like it."""
    data, options, kind = given
    found = next((layer for layer in layers if layer.data is data), None)
    return Layer.create(data, options, kind) if found is None else found
