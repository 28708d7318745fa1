"""Label TIFFs for microscopy software: ImageJ's own kind, and OME-TIFF."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_superpixels.errors import ExportError, UnitNotKnown
from napari_superpixels.io.formats.label_tiff import as_description
from napari_superpixels.io.metres import in_metres

if TYPE_CHECKING:
    from pathlib import Path

    from napari_superpixels.io.formats.label_image import Subject

# The unit of a map without CRS is unknown, for which OME has a name.
_OME_UNITS = {"um": "µm", "angstrom": "Å", "map unit": "reference frame"} | {
    unit: unit for unit in ("pixel", "pm", "nm", "mm", "cm", "m", "km", "in", "ft")
}


def write_imagej(path: Path, subject: Subject) -> None:
    """Write a TIFF as ImageJ writes it, with the pixel size.

    ImageJ has no whole numbers of 32 bits: labels above 65535 become float32, which is exact up to
    2^24.

    Parameters
    ----------
    path : Path
        File to write.
    subject : Subject
        What to write.

    Raises
    ------
    ExportError
        If a label is above 2^24.
    """
    labels: np.ndarray[Any, Any] = subject.labels
    if labels.dtype == np.uint32:
        if subject.ids[-1] > 2**24:
            raise ExportError(
                "TIFF for ImageJ holds labels up to 16777216; write .ome.tif, or number them anew"
            )
        labels = labels.astype(np.float32)
    about: dict[str, Any] = {"axes": subject.axes.upper(), "min": 0, "max": int(subject.ids[-1])}
    if subject.provenance:
        about["Info"] = as_description(subject.provenance)  # ImageJ: Image > Show Info…
    resolution = None
    if subject.pixel_size is not None:
        *depth, height, width = subject.pixel_size  # no depth of frames in time
        resolution = (1 / width, 1 / height)
        # ImageJ reads Java's escapes; the file holds nothing but ASCII.
        about["unit"] = "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in subject.unit)
        if depth:
            about["spacing"] = depth[0]
    # By way of the memory: on a full disk, pixels that are not compressed may end too early.
    file = io.BytesIO()
    tifffile.imwrite(file, labels, imagej=True, resolution=resolution, metadata=about)
    path.write_bytes(file.getbuffer())


def write_ome(path: Path, subject: Subject) -> None:
    """Write an OME-TIFF with the pixel size, in metres where OME does not have its unit.

    Parameters
    ----------
    path : Path
        File to write.
    subject : Subject
        What to write.

    Raises
    ------
    ExportError
        If OME does not have the unit, and it is no number of metres either.
    """
    if subject.unit not in _OME_UNITS:
        subject = in_metres(subject)
    about: dict[str, Any] = {"axes": subject.axes.upper(), "Name": "superpixels"}
    if subject.provenance:
        about["Description"] = as_description(subject.provenance)
    if subject.pixel_size is not None:
        unit = _OME_UNITS.get(subject.unit)
        if unit is None:
            raise UnitNotKnown("OME-TIFF", subject.unit)
        sizes = subject.pixel_size
        for axis, size in zip("ZYX"[-len(sizes) :], sizes, strict=True):
            about |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": unit}
    tifffile.imwrite(
        path, subject.labels, ome=True, compression="zlib", photometric="minisblack", metadata=about
    )
