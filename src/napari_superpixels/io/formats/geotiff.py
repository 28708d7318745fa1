"""Labels as a GeoTIFF that lies where its source lies."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from napari_superpixels.errors.optional import need
from napari_superpixels.io.provenance import as_description

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_superpixels.io.classes import LabelClass
    from napari_superpixels.io.formats.label_image import LabelImage
    from napari_superpixels.io.georeference import Georeference

TAG = "NAPARI_SUPERPIXELS"  # in the file's GDAL metadata: these are labels


def write_geotiff(path: Path, label_image: LabelImage, where: Georeference) -> None:
    """Write a tiled GeoTIFF with CRS and transform; 0 is nodata.

    A map of classes has bytes, and the colours of the classes.

    Parameters
    ----------
    path : Path
        File to write.
    label_image : LabelImage
        One plane.
    where : Georeference
        Where it lies.

    Raises
    ------
    ExportError
        If the labels have a depth.
    MissingLibrary
        If rasterio is not installed.
    """
    label_image.need_plane("GeoTIFF")
    rasterio, memory = need("rasterio", "geo"), need("rasterio.io", "geo")
    classes = label_image.class_map
    labels = label_image.labels if classes is None else classes
    height, width = labels.shape
    # By way of the memory: on a full disk, GDAL closes half a file without an error.
    with memory.MemoryFile() as file:
        with file.open(
            driver="GTiff",
            height=height,
            width=width,
            count=1,
            dtype=labels.dtype,
            crs=where.crs,
            transform=rasterio.Affine(*where.transform),
            nodata=0,
            compress="deflate",
            tiled=True,
            blockxsize=256,
            blockysize=256,
            BIGTIFF="IF_SAFER",
        ) as raster:
            raster.write(labels, 1)
            raster.set_band_description(1, "superpixels" if classes is None else "classes")
            if classes is not None:
                colors = {known.number: (*known.rgb, 255) for known in label_image.columns.classes}
                raster.write_colormap(1, {0: (0, 0, 0, 0)} | colors)
            # GDAL writes the second one as the TIFF's description, which any software shows.
            raster.update_tags(
                **{
                    TAG: "labels",
                    "TIFFTAG_IMAGEDESCRIPTION": as_description(label_image.provenance),
                }
            )
        path.write_bytes(file.getbuffer())


def class_names_xml(classes: Sequence[LabelClass]) -> bytes:
    """Write names of classes as GDAL reads them from the file ``NAME.tif.aux.xml``.

    Parameters
    ----------
    classes : sequence of LabelClass

    Returns
    -------
    bytes
        XML: a name for each value of the first band, from 0.
    """
    # XML has no way to write control characters.
    names = {known.number: "".join(filter(str.isprintable, known.name)) for known in classes}
    dataset = ET.Element("PAMDataset")
    band = ET.SubElement(dataset, "PAMRasterBand", band="1")
    categories = ET.SubElement(band, "CategoryNames")
    for value in range(max(names, default=0) + 1):
        ET.SubElement(categories, "Category").text = names.get(value, "")
    ET.indent(dataset)
    text: bytes = ET.tostring(dataset, encoding="utf-8", xml_declaration=True)
    return text
