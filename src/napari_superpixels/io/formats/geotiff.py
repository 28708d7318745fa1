"""Labels as a GeoTIFF that lies where its source lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_superpixels.errors.optional import need
from napari_superpixels.io.provenance import as_description

if TYPE_CHECKING:
    from pathlib import Path

    from napari_superpixels.io.formats.label_image import LabelImage
    from napari_superpixels.io.georeference import Georeference

TAG = "NAPARI_SUPERPIXELS"  # in the file's GDAL metadata: these are labels


def write_geotiff(path: Path, label_image: LabelImage, where: Georeference) -> None:
    """Write a tiled GeoTIFF with CRS and transform; 0 is nodata.

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
    height, width = label_image.labels.shape
    # By way of the memory: on a full disk, GDAL closes half a file without an error.
    with memory.MemoryFile() as file:
        with file.open(
            driver="GTiff",
            height=height,
            width=width,
            count=1,
            dtype=label_image.labels.dtype,
            crs=where.crs,
            transform=rasterio.Affine(*where.transform),
            nodata=0,
            compress="deflate",
            tiled=True,
            blockxsize=256,
            blockysize=256,
            BIGTIFF="IF_SAFER",
        ) as raster:
            raster.write(label_image.labels, 1)
            raster.set_band_description(1, "superpixels")
            # GDAL writes the second one as the TIFF's description, which any software shows.
            raster.update_tags(
                **{
                    TAG: "labels",
                    "TIFFTAG_IMAGEDESCRIPTION": as_description(label_image.provenance),
                }
            )
        path.write_bytes(file.getbuffer())
