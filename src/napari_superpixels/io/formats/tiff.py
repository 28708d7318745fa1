"""The two kinds of file that ``.tif`` means: for the map, and for ImageJ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_superpixels.io.formats.geotiff import write_geotiff
from napari_superpixels.io.formats.microscopy import write_imagej

if TYPE_CHECKING:
    from pathlib import Path

    from napari_superpixels.io.formats.label_image import Subject


def write_tiff(path: Path, subject: Subject) -> None:
    """Write a GeoTIFF where the labels lie on a map, else a TIFF for ImageJ.

    Parameters
    ----------
    path : Path
        File to write.
    subject : Subject
        What to write.

    Raises
    ------
    ExportError
        See `write_geotiff` and `write_imagej`.
    """
    if subject.place is not None:
        write_geotiff(path, subject, subject.place)
    else:
        write_imagej(path, subject)
